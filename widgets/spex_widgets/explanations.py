"""What was said of a mask, as HTML: claims marked by verdict, evidence as a table. All text is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape

from spex_nb.extraction.explain import (
    Explanation,
    css_class,
    mark_legend,
    mark_of,
    marked_pieces,
    support_mark,
    with_mark,
)
from spex_nb.language.languages import sentence_gap
from spex_nb.types import Claim, Evidence, Spread, Statement
from spex_nb.types.targets import TARGETS, class_rgb
from spex_widgets.messages import table

FACT_OF_REGION = re.compile(r"region\.(\d+)\.")
"""Facts of single regions carry the region's number."""


def explanation_html(
    explanation: Explanation, language: str, chosen: Claim | None = None, rows: Mapping[int, int] | None = None
) -> str:
    """Return the short explanation with its marks, a model's prose before it, and the whole explanation to unfold.

    Args:
        explanation: Of one target.
        language: ISO 639-1 code of its language.
        chosen: The claim of the prose that is pointed at.
        rows: Row in the result's table of each region of the target, by its number: sentences about it lead there.
    """
    text = _marked(explanation, chosen)
    prose = f"<p class='quote'>{text}</p>" if text else ""
    rows, code = rows or {}, explanation.language
    paragraphs = "".join(
        f"<p>{f'<strong>{escape(heading)}</strong> ' if heading else ''}{_sentences(statements, rows, code)}</p>"
        for heading, statements in explanation.paragraphs()
    )
    legend = escape(mark_legend(code))
    whole = f"<details><summary class='quiet'>{legend}</summary>{paragraphs}</details>"
    body = f"{prose}<p>{_sentences(explanation.brief, rows, code)}</p>{whole}"
    return f"<div lang='{escape(language)}' dir='auto'>{body}</div>"


def _sentences(statements: Sequence[Statement], rows: Mapping[int, int], language: str) -> str:
    """Return sentences with their marks; the facts behind a sentence show where the pointer rests."""
    return "".join(
        f"<span title='{escape(', '.join(statement.facts))}'{_lead(statement, rows)}>{escape(statement.text)}</span>"
        f"{_mark(statement)}{sentence_gap(with_mark(statement), language)}"
        for statement in statements
    ).rstrip()


def _lead(statement: Statement, rows: Mapping[int, int]) -> str:
    """Return the attributes by which a sentence about a region leads to it; nothing for other sentences."""
    numbers = [int(match[1]) for match in map(FACT_OF_REGION.match, statement.facts) if match]
    row = rows.get(numbers[0]) if numbers else None
    return "" if row is None else f" role='button' tabindex='0' data-region='{row}'"


def _mark(statement: Statement) -> str:
    mark = support_mark(statement)
    return f" <span class='{escape(statement.support)}'>{mark}</span>" if mark else ""


def _marked(explanation: Explanation, chosen: Claim | None) -> str:
    pieces = marked_pieces(explanation.text, explanation.claims)
    return "".join(escape(text) if claim is None else _marked_claim(claim, chosen) for text, claim in pieces)


def _marked_claim(claim: Claim, chosen: Claim | None) -> str:
    css = f"{css_class(claim)}{' chosen' if claim == chosen else ''}"
    words = f"<span class='{escape(css)}' title='{escape(_because(claim))}'>{escape(claim.text)}</span>"
    return f"{words}<strong>{escape(mark_of(claim))}</strong>"


def _because(claim: Claim) -> str:
    return f"{claim.verdict}: measured {claim.measured or 'nothing that tells'}"


def claim_label(claim: Claim) -> str:
    """Return a claim as a line of a list: its mark, its words, and what was measured where they differ."""
    return f"{mark_of(claim).strip() or '?'} {claim.text}"


def legend(
    classes: Mapping[str, str],
    evidence: Mapping[str, Evidence] | None = None,
    colors: Mapping[str, Sequence[int]] | None = None,
) -> str:
    """Return the classes of a mask with their colours, and their areas where there are figures.

    Args:
        classes: Names of the classes, and how the user calls them.
        evidence: Figures of the classes.
        colors: Red, green and blue of classes, 0..255, by name; those of the targets if not given.
    """
    shades = {name: "#{:02x}{:02x}{:02x}".format(*(colors or {}).get(name, class_rgb(name))) for name in classes}
    areas = {name: f" <strong>{_area(figures)}</strong>" for name, figures in (evidence or {}).items()}
    keys = "".join(
        f"<span style='margin-right: 1.2em'><span class='key' style='background: {shades[name]}'></span>"
        f"{escape(label)}{areas.get(name, '')}</span>"
        for name, label in classes.items()
    )
    return f"<p dir='auto'>{keys}</p>"


def evidence_table(evidence: Mapping[str, Evidence]) -> str:
    """Return the figures of each target as a table."""
    rows = [
        (
            TARGETS[name].word if name in TARGETS else name,
            _area(figures),
            f"{figures.share_frac:.2%}",
            f"{figures.number:,}",
            figures.index_name or "",
            _spread(figures.inside),
            _spread(figures.outside),
        )
        for name, figures in evidence.items()
    ]
    return table(rows, ("target", "area", "share", "regions", "index", "inside", "outside"))


def _area(evidence: Evidence) -> str:
    if evidence.area_m2 is None:
        return f"{evidence.area_px:,} px"
    return area_text(evidence.area_m2)


def area_text(square_metres: float) -> str:
    """Return an area in the unit that reads best."""
    for unit, size in (("km²", 1e6), ("ha", 1e4)):
        if square_metres >= size:
            return f"{square_metres / size:,.2f} {unit}"
    return f"{square_metres:,.0f} m²"


def _spread(spread: Spread | None) -> str:
    return "" if spread is None or math.isnan(spread.mean) else f"{spread.mean:.2f} ± {spread.std:.2f}"
