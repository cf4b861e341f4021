"""A result as HTML: for a notebook cell, and as a page that needs no other file. The templates escape all text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.extraction.explain import (
    Explanation,
    css_class,
    mark_legend,
    mark_of,
    marked_pieces,
    support_mark,
    with_mark,
)
from spex_nb.extraction.result import Extraction
from spex_nb.language.languages import sentence_gap
from spex_nb.output.html import MISSING, mime_bundle, render, write_page
from spex_nb.output.plotting import picture_bytes
from spex_nb.types import Claim, Evidence, Spread, Statement

CELL_ROWS = 10
PAGE_ROWS = 200
"""Rows of the table of regions, in a notebook cell and on a page."""
LABELS = {
    "target": "target",
    "region": "no.",
    "area_px": "area (px)",
    "area_m2": "area (m²)",
    "perimeter_m": "perimeter (m)",
    "share_frac": "share",
    "size": "size",
    "location": "place",
    "mean_probability": "probability",
}
"""Columns of the table, beside the mean indices, and their headings."""
WHOLE_FROM = 100
"""Numbers of this size are shown without digits after the point."""


def show_extraction(result: Extraction) -> str:
    """Return a result as HTML for a notebook cell: instruction, picture, explanation with marks, table and notes."""
    return str(render("result_cell.html", **_values(result, CELL_ROWS)))


def bundle_extraction(result: Extraction) -> dict[str, str]:
    """Return a result as HTML, text and picture by MIME type, for notebooks, terminals and converters."""
    values = _values(result, CELL_ROWS)
    return mime_bundle(str(render("result_cell.html", **values)), str(result), values["picture"])


def write_result_page(result: Extraction, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a result as one HTML file, with evidence, prompts and how it was made.

    Args:
        result: The extraction that the page shows.
        path: The file to write.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        OutputError: If the path cannot be written.
    """
    return write_page(
        "result_page.html",
        path,
        overwrite=overwrite,
        title=result.instruction.meaning,
        evidence=[_evidence_lines(evidence) for evidence in result.evidence.values()],
        prompts=[*result.prompts.values()],
        provenance=json.dumps(result.provenance, indent=1, ensure_ascii=False),
        **_values(result, PAGE_ROWS),
    )


MarkedStatements = list[tuple[Statement, str, str]]
"""Sentences, each with its mark and with what parts it from the next one."""


@dataclass(frozen=True)
class _MarkedExplanation:
    """An explanation for the template: a model's prose in pieces, each with its claim and mark, and the sentences."""

    text: str
    pieces: list[tuple[str, Claim | None, str, str]]
    """Words, their claim, its mark, and how it is drawn."""
    language: str
    brief: MarkedStatements
    paragraphs: list[tuple[str, MarkedStatements]]
    """The heading and the sentences of each part of the whole explanation."""
    legend: str

    @classmethod
    def of(cls, explanation: Explanation) -> _MarkedExplanation:
        pieces = [
            (text, claim, *(("", "") if claim is None else (mark_of(claim), css_class(claim))))
            for text, claim in marked_pieces(explanation.text, explanation.claims)
        ]
        paragraphs = [
            (heading, _with_marks(statements, explanation.language)) for heading, statements in explanation.paragraphs()
        ]
        legend = mark_legend(explanation.language)
        return cls(
            explanation.text,
            pieces,
            explanation.language,
            _with_marks(explanation.brief, explanation.language),
            paragraphs,
            legend,
        )


def _with_marks(statements: Sequence[Statement], language: str) -> MarkedStatements:
    return [(each, support_mark(each), sentence_gap(with_mark(each), language)) for each in statements]


def _values(result: Extraction, rows: int) -> dict[str, Any]:
    """Return what the templates ask for."""
    table = result.regions
    means = [name for name in table.columns if name.startswith("mean_") and name != "mean_probability"]
    columns = [name for name in (*LABELS, *means) if table[name].notna().any()]
    first_rows = table[columns].head(rows)
    provenance = result.provenance
    return {
        "instruction": result.instruction,
        "picture": picture_bytes(result.plot()),
        "explanations": [_MarkedExplanation.of(explanation) for explanation in result.explanations],
        "faithfulness": result.faithfulness,
        "columns": [LABELS.get(name, name.replace("_", " ")) for name in columns],
        "rows": [
            [_cell(name, value) for name, value in zip(columns, row, strict=True)]
            for row in first_rows.itertuples(index=False)
        ],
        "more_rows": len(table) - rows,
        "notes": result.notes,
        "origin": (
            f"{provenance['model']} on {provenance['scene']}, spex-nb {provenance['versions']['spex-nb']}, "
            f"{provenance['made']}"
        ),
    }


def _cell(column: str, value: Any) -> str:
    """Return a value of the table as text."""
    if isinstance(value, str):
        return value
    if np.isnan(value):  # an index that is measured in other targets only
        return MISSING
    if column == "share_frac":
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM or float(value).is_integer() else f"{value:.3g}"


def _evidence_lines(evidence: Evidence) -> list[str]:
    """Return the figures of a target, those that are not known left out."""
    names = [name for name in evidence.__slots__ if name not in ("regions", "shape")]
    values = {name: _figure(getattr(evidence, name)) for name in names}
    return [f"{name}: {value}" for name, value in values.items() if value]


def _figure(value: Any) -> str:
    """Return a figure of the evidence as text; nothing for one that is not known."""
    match value:
        case None:
            return ""
        case Spread(mean, std):
            return f"{mean:.3g} ± {std:.2g} (mean and standard deviation)"
        case Mapping():
            return ", ".join(f"{name} {share:.1%}" for name, share in value.items())
        case float():
            return f"{value:.4g}" if abs(value) < WHOLE_FROM else f"{value:,.0f}"
    return f"{value:,}" if type(value) is int else str(value)
