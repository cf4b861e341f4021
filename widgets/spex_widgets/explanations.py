"""What was said of a mask, as HTML: claims marked by verdict, evidence as a table. All text is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from spex_nb.extraction.explain import Explanation, mark_of
from spex_nb.targets import OTHER_COLOR, TARGETS
from spex_nb.types import Claim, Evidence, Spread
from spex_widgets.messages import table


def explanation_html(said: Explanation, language: str, chosen: Claim | None = None) -> str:
    """Return an explanation with its claims marked, and the sentences that were written from the evidence.

    Args:
        said: Of one target.
        language: ISO 639-1 code of its language.
        chosen: The claim that is pointed at.
    """
    own = _marked(said, chosen)
    answer = escape(said.answer)
    body = f"<p class='said'>{own}</p><p>{answer}</p>" if own else f"<p>{answer}</p>"
    return f"<div lang='{escape(language)}' dir='auto'>{body}</div>"


def _marked(said: Explanation, chosen: Claim | None) -> str:
    pieces, at = [], 0
    for claim in sorted(said.claims, key=lambda claim: claim.start):
        if claim.start < at:  # within the claim before
            continue
        css = f"{claim.verdict.split()[0]}{' chosen' if claim == chosen else ''}"
        words = f"<span class='{escape(css)}' title='{escape(_because(claim))}'>{escape(claim.text)}</span>"
        pieces += [escape(said.text[at : claim.start]), words, f"<strong>{escape(mark_of(claim))}</strong>"]
        at = claim.start + len(claim.text)
    return "".join([*pieces, escape(said.text[at:])])


def _because(claim: Claim) -> str:
    return f"{claim.verdict}: measured {claim.measured or 'nothing that tells'}"


def claim_label(claim: Claim) -> str:
    """Return a claim as a line of a list: its mark, its words, and what was measured where they differ."""
    return f"{mark_of(claim).strip() or '?'} {claim.text}"


def legend(classes: Mapping[str, str]) -> str:
    """Return the classes of a mask with their colours."""
    colors = {name: TARGETS[name].color if name in TARGETS else OTHER_COLOR for name in classes}
    keys = "".join(
        f"<span style='margin-right: 1.2em'><span class='key' style='background: {colors[name]}'></span>"
        f"{escape(label)}</span>"
        for name, label in classes.items()
    )
    return f"<p dir='auto'>{keys}</p>"


def evidence_table(evidence: Mapping[str, Evidence]) -> str:
    """Return the figures of each target as a table."""
    rows = [
        (
            TARGETS[name].word,
            _area(one),
            f"{one.share_frac:.2%}",
            f"{one.number:,}",
            one.index_name or "",
            _spread(one.inside),
            _spread(one.outside),
        )
        for name, one in evidence.items()
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
