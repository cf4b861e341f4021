"""A result as HTML: for a notebook cell, and as a page that needs no other file. All text is escaped."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.extraction.explain import Explanation, mark_of
from spex_nb.extraction.result import Extraction
from spex_nb.output.files import write_whole
from spex_nb.output.plotting import picture_bytes

SHOWN_ROWS = 10
REPORT_ROWS = 200
LABELS = {
    "target": "target", "region": "no.", "area_px": "area (px)", "area_m2": "area (m²)", "perimeter_m": "perimeter (m)",
    "share_frac": "share", "size": "size", "location": "place", "mean_probability": "probability",
}  # fmt: skip
"""Columns that are shown, beside the mean indices, and what they are called."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
img { max-width: 100% }
pre { white-space: pre-wrap }
"""
OWN_STYLE = """
.spex-result table { border-collapse: collapse; margin: .8rem 0 }
.spex-result td, .spex-result th { padding: .2rem .7rem; border-bottom: 1px solid #ccc; text-align: right }
.spex-result .holds { background: #d7f0e2; color: #12402a }
.spex-result .contradicts { background: #fbe0d6; color: #5f1d06 }
.spex-result .note { opacity: .8; font-size: .9em }
"""


def show_extraction(result: Extraction) -> str:
    """Return a result as a piece of HTML: what was understood, picture, explanation with marks, table, notes."""
    return f"<style>{OWN_STYLE}</style>{_result(result, SHOWN_ROWS)}"


def write_result_page(result: Extraction, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a result as one HTML file, with evidence, prompts and how it was made.

    Raises:
        OutputError: If the path cannot be written.
    """
    title = escape(result.instruction.meaning)
    body = [
        f"<h1 dir='auto'>{title}</h1>",
        _result(result, REPORT_ROWS),
        "<h2>Evidence</h2>",
        *(_evidence(one) for one in result.evidence.values()),
        "<h2>Prompts</h2>",
        *(f"<pre>{escape(prompt)}</pre>" for prompt in result.prompts.values()),
        "<h2>How it was made</h2>",
        f"<pre>{escape(json.dumps(result.provenance, indent=1, ensure_ascii=False))}</pre>",
    ]
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}{OWN_STYLE}</style>'
    )
    with write_whole(path, overwrite) as part:
        part.write_text(f"{head}<body>{''.join(body)}</body></html>", encoding="utf-8")
    return Path(path)


def _result(result: Extraction, rows: int) -> str:
    asked, meant = result.instruction.text, result.instruction.meaning
    picture = base64.b64encode(picture_bytes(result.plot())).decode()
    language = escape(result.instruction.language)
    parts = [
        f"<p dir='auto'><strong>{escape(asked)}</strong><br>{escape(meant)}</p>",
        f'<img alt="The mask over the scene" src="data:image/png;base64,{picture}">',
        *(f"<p lang='{language}' dir='auto'>{_explanation(one)}</p>" for one in result.explanations),
        _faithfulness(result),
        _table(result, rows),
        *(f"<p class='note'>{escape(note)}</p>" for note in result.notes),
        _made(result.provenance),
    ]
    return f"<div class='spex-result'>{''.join(parts)}</div>"


def _explanation(said: Explanation) -> str:
    """Return an explanation with its claims coloured by verdict, and what was measured where they differ."""
    pieces, at = [], 0
    for claim in sorted(said.claims, key=lambda claim: claim.start):
        if claim.start < at:  # within the claim before
            continue
        end = claim.start + len(claim.text)
        css = escape(claim.verdict.split()[0])
        words = f"<span class='{css}' title='{escape(claim.measured)}'>{escape(claim.text)}</span>"
        pieces += [escape(said.text[at : claim.start]), words, escape(mark_of(claim))]
        at = end
    own = "".join([*pieces, escape(said.text[at:])])
    return f"{own}<br>{escape(said.answer)}" if own else escape(said.answer)


def _faithfulness(result: Extraction) -> str:
    share = result.faithfulness
    return "" if share is None else f"<p class='note'>{share:.0%} of the model's claims that can be checked hold.</p>"


def _table(result: Extraction, rows: int) -> str:
    frame = result.regions
    means = [name for name in frame.columns if name.startswith("mean_") and name != "mean_probability"]
    columns = [name for name in (*LABELS, *means) if frame[name].notna().any()]
    if not len(frame):
        return ""
    head = "".join(f"<th>{escape(LABELS.get(name, name.replace('_', ' ')))}</th>" for name in columns)
    shown = frame[columns].head(rows).assign(share_frac=[f"{share:.2%}" for share in frame["share_frac"].head(rows)])
    body = "".join(_row(values) for values in shown.itertuples(index=False))
    more = f"<p class='note'>… and {len(frame) - rows:,} more.</p>" if len(frame) > rows else ""
    return f"<table><tr>{head}</tr>{body}</table>{more}"


def _row(values: Iterable[Any]) -> str:
    return f"<tr>{''.join(f'<td>{escape(_said(value))}</td>' for value in values)}</tr>"


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if np.isnan(value):  # an index that is measured in other targets only
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"  # noqa: PLR2004


def _evidence(evidence: Any) -> str:
    lines = [f"{name}: {getattr(evidence, name)}" for name in evidence.__slots__ if name not in ("regions", "shape")]
    return f"<p>{'<br>'.join(map(escape, lines))}</p>"


def _made(provenance: Mapping[str, Any]) -> str:
    said = f"{provenance['model']} on {provenance['scene']}, spex-nb {provenance['versions']['spex-nb']}"
    return f"<p class='note'>{escape(said)}, {escape(provenance['made'])}</p>"
