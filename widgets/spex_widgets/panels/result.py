"""The result: what was asked and found, its explanation held against the evidence, its regions to go to."""

from __future__ import annotations

from html import escape
from pathlib import Path

import ipywidgets as ipw

from spex_nb.extraction import Extraction
from spex_nb.extraction.facts.doubt import doubtful_windows
from spex_nb.types import Claim, Window
from spex_widgets.explanations import claim_label, evidence_table, explanation_html, legend
from spex_widgets.messages import block, note, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.region_table import RegionTable
from spex_widgets.state import WorkbenchState

NARROW = {"width": "48px"}


class ResultPanel(Panel):
    """Shows a result; a region that is chosen is gone to, a claim that is chosen is pointed at."""

    title = "Result"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.head, self.explanation, self.evidence, self.notes = (ipw.HTML() for _ in range(4))
        self.claims = ipw.Dropdown(description="Claim", layout=WIDE)
        self.regions = RegionTable()
        self.claims.observe(self.trying(self._point_at), "value")
        self.regions.observe(self.trying(self._go_to), "value")
        self.previous = button("◀", "Go to the place of more doubt", self.trying(lambda: self._step(-1)), layout=NARROW)
        self.next = button("▶", "Go to the place of next most doubt", self.trying(lambda: self._step(1)), layout=NARROW)
        self.doubt = ipw.HTML()
        self.doubts = ipw.HBox([self.previous, self.next, self.doubt])
        self._places: list[Window] = []
        self._place = -1
        self.lay_out(self.head, self.explanation, self.regions, self.claims, self.doubts, self.evidence, self.notes)
        self._is_showing = False
        self.follow(self._show, "result", "extraction")
        self.follow(self._show_region, "region")
        self.follow(self._show_head, "text")

    def _show(self) -> None:
        result: Extraction | None = self.state.result
        waits = result is None and self.state.extraction is not None
        if result is None:
            text = "Measuring the edited mask …" if waits else "No result yet: give an instruction and extract."
            self.head.value = quiet(text)
        for part in () if waits else (self.claims, self.regions, self.doubts):
            part.layout.display = "none" if result is None else ""
        if result is None:
            if not waits:
                self.explanation.value = self.evidence.value = self.notes.value = ""
            return
        self._is_showing = True
        self._show_lists(result)
        self._is_showing = False
        self._show_head()
        self._show_doubts(result)
        self._show_explanation(result, None)
        self.evidence.value = block(f"<h4>Evidence</h4>{evidence_table(result.evidence)}")
        self.notes.value = "".join(map(note, result.notes)) + quiet(_provenance_line(result))

    def _show_head(self) -> None:
        """Say what was asked; what it means only where the panel of the instruction says something else by now."""
        result = self.state.result
        if result is None:
            return
        instruction = result.instruction
        meaning = f"<br><span dir='auto'>{escape(instruction.meaning)}</span>"
        self.head.value = block(
            f"<strong dir='auto'>{escape(instruction.text)}</strong>"
            f"{'' if self.state.text == instruction.text else meaning}"
            f"{legend(result.class_names, result.evidence, result.class_colors)}"
        )

    def _show_doubts(self, result: Extraction) -> None:
        """List the places where the result is most likely wrong."""
        self._places = [] if result.doubt is None else doubtful_windows(result.doubt.to_numpy())
        self._place = -1
        self.doubts.layout.display = "" if self._places else "none"
        self.doubt.value = quiet(f"{len(self._places)} places of most doubt, one after the other.")

    def _step(self, step: int) -> None:
        """Go to the next place of doubt, and show the doubt there."""
        if not self._places:
            return
        self._place = max(self._place + step, 0) % len(self._places)
        row, column, height, width = self._places[self._place]
        self.doubt.value = quiet(
            f"Place {self._place + 1} of {len(self._places)}: look whether the mask is right here."
        )
        self.state.spot = (row + self.state.window[0], column + self.state.window[1], height, width)

    def _show_lists(self, result: Extraction) -> None:
        claims = _claims(result)
        labels = [(claim_label(claim), number) for number, claim in enumerate(claims)]
        self.claims.options = [("choose a claim …", -1), *labels]
        self.claims.value = -1
        self.claims.layout.display = "" if claims else "none"
        self.regions.show(result, self.state.region)

    def _show_explanation(self, result: Extraction, chosen: Claim | None) -> None:
        language = result.instruction.language
        body = "".join(
            explanation_html(explanation, language, chosen, _rows(result, explanation.target))
            for explanation in result.explanations
        )
        share = result.faithfulness
        held = "" if share is None else f"<p class='quiet'>{share:.0%} of the claims that can be checked hold.</p>"
        self.explanation.value = block(f"<h4>Explanation</h4>{body}{held}")

    def _point_at(self) -> None:
        """Point at a claim in the text; where it speaks of the largest region, at that one too."""
        result = self.state.result
        if self._is_showing or result is None or self.claims.value is None:
            return
        claim = None if self.claims.value < 0 else _claims(result)[self.claims.value]
        self._show_explanation(result, claim)
        if claim is not None and claim.kind in ("size", "place", "position") and len(result.regions):
            target = next(explanation.target for explanation in result.explanations if claim in explanation.claims)
            rows = (result.regions["target"] == target).to_numpy().nonzero()[0]
            self.state.region = int(rows[0]) if len(rows) else -1

    def _go_to(self) -> None:
        if not self._is_showing:
            self.state.region = self.regions.value

    def _show_region(self) -> None:
        if self.state.region < len(self.regions.rows):
            self.regions.value = self.state.region


def _rows(result: Extraction, target: str) -> dict[int, int]:
    """Return the row in the table of each region of a target, by the region's number."""
    return {
        int(number): row
        for row, (name, number) in enumerate(zip(result.regions["target"], result.regions["region"], strict=True))
        if name == target
    }


def _claims(result: Extraction) -> list[Claim]:
    return [claim for explanation in result.explanations for claim in explanation.claims]


def _provenance_line(result: Extraction) -> str:
    facts = result.provenance
    return (
        f"{facts['model']} on {Path(str(facts['scene'])).name}, spex-nb {facts['versions']['spex-nb']}, {facts['made']}"
    )
