"""What an explanation says, in the order of a good teacher, before any word of any language.

The answer comes first, then why it is that, how sure it is and where not, what it may be confused with, and what to
check next. A point names its sentence and the facts that the sentence holds. Each fact is said once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from spex_nb.language.explanation.points import AREA_FACT, HIDDEN_FACT, Point, Support
from spex_nb.language.explanation.reasons import EXPECTED, ReasonPoints
from spex_nb.language.explanation.sureness import MUCH, SurenessPoints
from spex_nb.types import Fact
from spex_nb.types.targets import target_or_class

ROUNDED = 0.005
"""Shares that differ by less read the same: they are said in whole percents."""
FINE_GSD_M = 1.0
"""There is hardly a finer picture than one with pixels below this."""
LASTING = ("building", "road", "built_up")
"""Targets that stay, whatever the date."""
SAME_SHARE = 1e-6
"""Shares that differ by less are the same."""
LITTLE = 0.01
"""Share without data below which nothing is said of it."""
EDGES = ("top", "bottom", "left", "right")
ELONGATED = 3.0
"""A region this many times as long as wide is called long."""
LARGEST_ELONGATED = 3
SMALLEST_LONG_PX = 30
"""A shape of fewer pixels is that of its pixels."""


class Outline(ReasonPoints, SurenessPoints):
    """Chooses the points of one target from its facts.

    Args:
        facts: All that is known of it.
        question: What the user asked: ``count``, ``area``, ``share``, ``place``, ``presence``; or nothing.
    """

    def __init__(self, facts: Sequence[Fact], question: str = "") -> None:
        super().__init__(facts)
        self._question = question
        self._is_empty = not self._number("area_px")

    def points(self) -> list[Point]:
        """Return the points in their order, each fact in one of them."""
        if self._is_empty:
            limits = (point for point in self._scene_points() if point.key in ("gsd_unknown", "relative"))
            absent = [*self._absent()]
            answer = [point for point in absent if point.part == "answer"]
            reasons = [point for point in absent if point.part != "answer"]
            first = [*self._untrusted(), *self._texts("stand_in"), *self._rest()]
            return [*first, *answer, *self._hidden(), *self._texts("word"), *reasons, *limits]
        parts = (self._answer, self._why, self._sureness, self._confusion, self._next, self._scene_points)
        return [point for part in parts for point in part()]

    # --- the answer --------------------------------------------------------------------------------------------------

    def _untrusted(self) -> Iterator[Point]:
        """Say before all else that the whole answer cannot be trusted, and why."""
        trust = self._get("trust")
        if trust is not None:
            yield Point(f"untrusted_{trust.value}", "answer", {"trust": trust}, "none", is_brief=True)

    def _answer(self) -> Iterator[Point]:
        yield from self._untrusted()
        yield from self._texts("stand_in")
        yield from self._rest()
        yield from self._question_points()
        yield from self._estimated()
        if self._get("rest.asked") is not None:
            slots = self._slots(name="target", share="share", area="area") or {}
            yield Point("left_out", "answer", slots | {"share": self._exact("share")}, is_brief=True)
            key = f"neither_{self._word('rest.why')}"
            yield from self._point(key, "answer", area="rest.neither", share="rest.neither_share")
        elif self._get("asked") is not None:
            yield from self._filtered()
        elif self._get("area") is not None and self._by_id["area"].unit == "px":
            yield from self._point(
                "found_px", "answer", is_brief=True, name="target", share="share", area="area", valid="valid_px"
            )
        else:
            yield from self._point("found", "answer", is_brief=True, name="target", share="share", area="area")
        yield from self._hidden()
        if self._is_weak() and self._get("trust") is None:
            yield Point("hint", "answer", support="none", is_brief=True)
        yield from self._texts("word")
        if self._get("rest.asked") is None:  # "138 patches" after "everything but water" would not say of what
            yield from self._parts()

    def _exact(self, name: str) -> Fact:
        """Return a share that is written as exactly as those of the other parts, so that all of them add up."""
        return replace(self._by_id[name], unit="part")

    def _rest(self) -> Iterator[Point]:
        """Say what "everything but" leaves, before anything is said of what it leaves out."""
        if self._number("rest.area"):
            yield from self._point(
                "rest", "answer", is_brief=True, asked="rest.asked", area="rest.area", share="rest.share",
                number="rest.number",
            )  # fmt: skip
        else:
            yield from self._point("none_kept", "answer", is_brief=True, asked="rest.asked")

    def _texts(self, kind: str) -> Iterator[Point]:
        """Say what a narrower word was taken for, or which parent answers for what cannot be seen here."""
        for name, fact in self._by_id.items():
            if name.partition(".")[0] == kind:
                yield Point(kind, "answer", {"words": fact}, "none", is_brief=True)

    def _question_points(self) -> Iterator[Point]:
        """Answer a question before anything else; area and share are in the sentence that comes first anyway."""
        match self._question:
            case "count" if self._get("asked") is None:  # else the sentence of the filters has the number
                yield from self._point("asked_count", "answer", is_brief=True, number="number", name="target")
            case "presence":
                yield Point("asked_any", "answer", {"name": self._by_id["target"]}, "mask", is_brief=True)
            case "place":
                yield from self._point(
                    "asked_largest", "answer", is_brief=True, area="region.1.area", place="region.1.place"
                )

    def _estimated(self) -> Iterator[Point]:
        """Say the area that checked points give, which is the one to report."""
        yield from self._point(
            "estimated", "answer", "independent", is_brief=True, area="estimate.area", points="estimate.points"
        )
        share = self._number("candidates.share", self._number("share"))
        for name, is_beyond in (
            ("high", share > self._number("estimate.high", 1.0) + SAME_SHARE),
            ("low", share < self._number("estimate.low") - SAME_SHARE),
        ):
            bound = self._get(f"estimate.{name}")
            if is_beyond and bound is not None:
                yield Point(f"estimate_{name}", "answer", {"bound": bound}, "independent", is_brief=True)

    def _filtered(self) -> Iterator[Point]:
        """Say what meets the filters, and what there is without them."""
        if self._get("candidates.number") is None:
            yield from self._point(
                "asked_all", "answer", is_brief=True, asked="asked", number="number", area="area", share="share"
            )
            return
        yield from self._point(
            "kept", "answer", is_brief=True, asked="asked", number="number", area="area", share="candidates.kept",
            name="target",
        )  # fmt: skip
        yield from self._all_candidates()
        yield from self._cut_candidates()

    def _cut_candidates(self) -> Iterator[Point]:
        """Say that regions which were left out where a size is asked for may be larger than they look."""
        cut = self._get("candidates.cut")
        if cut is not None:
            yield Point("cut_left_out", "answer", {"cut": cut})

    def _all_candidates(self) -> Iterator[Point]:
        """Say what there is, whether or not it meets the filters."""
        yield from self._point(
            "candidates",
            "answer",
            is_brief=True,
            name="target",
            number="candidates.number",
            area="candidates.area",
            share="candidates.share",
        )

    def _parts(self) -> Iterator[Point]:
        """Say how many regions there are, where the largest lies, and whether it runs out of the picture."""
        number = self._number("number")
        is_counted = self._get("asked") is not None or self._question == "count"
        if number and self._question == "place":  # which was answered first
            yield from self._number_of_parts(number)
        elif number == 1:
            key = "place" if is_counted else "single"
            yield from self._point(key, "answer", is_brief=True, place="region.1.place")
        elif number > 1 and is_counted:
            yield from self._point("largest", "answer", is_brief=True, area="region.1.area", place="region.1.place")
        elif number > 1:
            yield from self._point(
                "parts",
                "answer",
                is_brief=True,
                number="number",
                area="region.1.area",
                share="region.1.share",
                place="region.1.place",
            )
        elif not number:
            yield Point("specks", "answer", support="mask")
        yield from self._cut(number)
        yield from self._long()
        yield from self._small()
        yield from self._point("small_left_out", "answer", smallest="specks.limit", area="specks.area")

    def _cut(self, number: float) -> Iterator[Point]:
        """Say which regions may go on where nothing was examined, and what that means for the figures."""
        key = "edge_single" if number == 1 else "edge"
        sides = self._word("region.1.edges").split()
        is_brief = number == 1 or not {*sides} <= {*EDGES}
        yield from self._point(key, "answer", is_brief=is_brief, sides="region.1.edges")
        cut = self._number("cut.number")
        if max(cut / max(number, 1), self._number("cut.share")) < MUCH:
            return
        if cut > 1:
            is_brief = self._question == "count" or self._is_cut_inside
            yield from self._point("cut", "answer", is_brief=is_brief, number="cut.number")
        elif cut and not sides:
            yield Point("cut_one", "answer", {"number": self._by_id["cut.number"]}, is_brief=self._is_cut_inside)

    @property
    def _is_cut_inside(self) -> bool:
        """Whether an area of interest, or ground without data, cuts the picture."""
        return self._get(AREA_FACT) is not None or self._number(HIDDEN_FACT) >= LITTLE

    def _small(self) -> Iterator[Point]:
        """Say that the smallest regions are unreliable, where they matter for the number or the area."""
        share_of_number = self._number("small.number") / max(self._number("number"), 1)
        if max(share_of_number, self._number("small.share")) >= MUCH:
            yield from self._point("small", "answer", number="small.number", share="small.share")

    def _hidden(self) -> Iterator[Point]:
        """Say how much of what was asked for has no data."""
        share = self._number(HIDDEN_FACT)
        key = "hidden_clouds" if self._word("clouds_masked") == "yes" else "hidden"
        if share >= LITTLE:
            yield from self._point(key, "answer", "none", is_brief=share >= MUCH, share=HIDDEN_FACT)

    def _number_of_parts(self, number: float) -> Iterator[Point]:
        """Say how many regions there are, where the sentence of the filters has not said it."""
        if number > 1 and self._get("asked") is None:
            yield from self._point("asked_count", "answer", is_brief=True, number="number", name="target")

    def _long(self) -> Iterator[Point]:
        """Name the first region that is long and narrow."""
        for number in range(1, LARGEST_ELONGATED + 1):
            name = f"region.{number}"
            size_px = self._number(f"{name}.share") * self._number("area_px")
            if self._number(f"{name}.elongation") >= ELONGATED and size_px >= SMALLEST_LONG_PX:
                yield from self._point(
                    "long", "answer", area=f"{name}.area", place=f"{name}.place", times=f"{name}.elongation"
                )
                return

    def _absent(self) -> Iterator[Point]:
        """Say that nothing was found, and how near it came."""
        if self._number("candidates.number"):
            yield from self._point("none_kept", "answer", is_brief=True, asked="asked")
            yield from self._point("nearest_size", "answer", is_brief=True, area="candidates.nearest")
            yield from self._point("nearest_size_other", "answer", is_brief=True, area="candidates.nearest_other")
            yield from self._all_candidates()
            yield from self._cut_candidates()
            return
        if self._number("specks.area"):
            yield from self._point(
                "absent_specks", "answer", is_brief=True, name="target", smallest="specks.limit", area="specks.area"
            )
        else:
            yield Point("absent", "answer", {"name": self._by_id["target"]}, "mask", is_brief=True)
        if self._is_by_rule:
            yield from self._missed_by_rule()
            return
        if self._number("threshold") - self._number("extreme.probability") >= ROUNDED:  # else both read the same
            yield from self._point(
                "miss_model", "why", is_brief=True, value="extreme.probability", threshold="threshold"
            )
        if self._number("rule.area") and self._word("trust") != "numbers":
            yield from self._point("rule_sees", "sureness", "none", is_brief=True, rule="rule", area="rule.area")
        elif not self._has_passed():
            support: Support = "none" if self._word("trust") == "numbers" else "independent"
            yield from self._point("miss_index", "why", support, rule="rule", value="extreme.index")

    def _missed_by_rule(self) -> Iterator[Point]:
        """Say why no pixel, or no region, passes the rule that decided."""
        if self._number("rule.area"):
            yield from self._point("miss_specks", "why", is_brief=True, rule="rule")
            return
        yield from self._point("miss_rule", "why", is_brief=True, rule="rule", value="extreme.index")
        if self._has_passed():
            yield Point("miss_guard", "why", {"value": self._by_id["extreme.index"]}, "mask", is_brief=True)

    def _has_passed(self) -> bool:
        """Say whether the nearest value of the index passes the first condition of its rule."""
        value, bound = self._number("extreme.index"), self._number("rule.threshold")
        is_above = " > " in self._word("rule").split("; ")[0]
        return self._get("extreme.index") is not None and (value > bound if is_above else value < bound)

    # --- confusions and what to do -----------------------------------------------------------------------------------

    def _confusion(self) -> Iterator[Point]:
        is_trusted = self._word("trust") != "numbers"  # else no rule tells anything
        is_much = is_trusted and self._number("rival.share") >= MUCH
        if is_much:
            yield from self._point(
                "rival", "confusion", "none", is_brief=True, area="rival.area", share="rival.share",
                other="rival.target",
            )  # fmt: skip
        if is_trusted and self._number("beside.share") >= MUCH:
            yield from self._point("beside", "confusion", "none", other="beside.target", share="beside.share")
        kind = self._target if self._target in (*EXPECTED, "building", "road") else target_or_class(self._target).parent
        if kind:
            yield Point(f"looks_{kind}", "confusion", support="none", is_brief=not is_much)
        if self._word("clouds_masked") == "yes":
            yield Point("clouds_masked", "confusion", {"clouds": self._by_id["clouds_masked"]}, "none")
        else:
            yield Point("clouds_unmasked", "confusion", {"clouds": self._by_id["clouds_masked"]}, "none")

    def _next(self) -> Iterator[Point]:
        bands = self._word("bands").split()
        if "nir" in bands and "red" in bands and "green" in bands:
            yield Point("check_nir", "next", support="none")
        else:
            is_fine = self._number("gsd", FINE_GSD_M) < FINE_GSD_M
            yield Point("check_border" if is_fine else "check_finer", "next", support="none")

    def _scene_points(self) -> Iterator[Point]:
        """Say what of the scene limits the answer: date, size of pixels, calibration."""
        if self._get("date") is None:
            is_moving = self._target in ("water", "snow", "burn", "vegetation")
            key = "date_unknown_still" if self._target in LASTING else "date_unknown"
            yield Point(key, "next", {"date": self._by_id["date"]}, "none", is_brief=is_moving)
        else:
            key = "date_by_name" if self._by_id["date"].rule == "name" else "date"
            yield from self._point(key, "next", "none", date="date")
            yield from self._point("season", "next", "none", season="season")
        if self._by_id["gsd"].value is None:
            yield Point("gsd_unknown", "next", {"gsd": self._by_id["gsd"]}, "none")
        if self._is_relative:
            yield Point("relative", "next", {"relative": self._by_id["relative"]}, "none", is_brief=True)
