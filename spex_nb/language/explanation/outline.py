"""What an explanation says, in the order of a good teacher, before any word of any language.

The answer comes first, then why it is that, how sure it is and where not, what it may be confused with, and what to
check next. A point names its sentence and the facts that the sentence holds. Each fact is said once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spex_nb.targets import target_or_class
from spex_nb.types import Fact

Part = Literal["answer", "why", "sureness", "confusion", "next"]
Support = Literal["independent", "mask", "none"]
CLOSE, PARTLY = 0.8, 0.5
"""Shares from which two masks are nearly the same, and in part the same."""
LOW_MEDIAN = 0.7
"""Below this probability for half of its pixels a mask is a hint."""
MUCH = 0.1
"""Of the area: what a doubt or a rival must reach to be mentioned."""
MUCH_IN_A_NINTH = 0.25
"""Of the pixels of most doubt: what a ninth of the picture must hold to be named."""
CLEARLY = 0.1
"""A difference of two reflectances below this share of them tells nothing."""
DARK = 0.03
"""Reflectance below which the ratio of two bands is noise: clear water is that dark in all of them."""
ELONGATED = 3.0
"""A region this many times as long as wide is called long."""
LARGEST_ELONGATED = 3
SMALLEST_LONG_PX = 30
"""A shape of fewer pixels is that of its pixels."""
REFLECTANCES = (-0.05, 1.5)
"""Mean reflectance beyond these cannot be: glint and snow pass 1, noise passes 0."""
WIDEST_SPREAD = 1.0
"""Standard deviation beyond which an index between -1 and 1 makes no sense."""
BOUNDED = ("NDWI", "MNDWI", "NDVI", "GNDVI", "NDBI", "NDSI", "NBR", "GLI", "NGRDI")
"""Indices that lie between -1 and 1 for reflectances above 0."""
EXPECTED: Mapping[str, Mapping[str, str]] = {
    "water": {"nir": "lower", "swir16": "lower"},
    "vegetation": {"nir": "higher", "red": "lower"},
    "bare_soil": {"red": "higher", "swir16": "higher"},
    "snow": {"green": "higher", "red": "higher"},
    "burn": {"nir": "lower"},
    "built_up": {"nir": "lower"},
}
"""Bands that tell a target from what lies around it, and the side on which it lies there."""
OPPOSED: Mapping[str, tuple[str, str, str, float]] = {
    "water": ("nir", "green", "above", 1.5),
    "vegetation": ("nir", "red", "below", 1.2),
    "bare_soil": ("nir", "red", "above", 3.0),
    "built_up": ("nir", "red", "above", 3.0),
    "snow": ("green", "swir16", "below", 1.0),
    "burn": ("nir", "swir22", "above", 2.0),
}
"""Two bands, and the ratio of their mean reflectances that speaks against a target: NDWI below -0.2 for water,
NDVI below 0.1 for vegetation, above 0.5 for bare or sealed ground, NDSI below 0 for snow, NBR above 0.33 for burnt."""
INDEX_SIDES = {
    "NDWI": ("water", "higher"),
    "MNDWI": ("water", "higher"),
    "NDVI": ("vegetation", "higher"),
    "GNDVI": ("vegetation", "higher"),
    "NDSI": ("snow", "higher"),
    "NBR": ("burn", "lower"),
}
"""The side of an index on which its target lies."""


@dataclass(frozen=True)
class Point:
    """One sentence to be said.

    Attributes:
        key: Of its sentence in the data of a language.
        part: Where in the explanation it stands.
        slots: The facts that fill the gaps of the sentence; of a list, all facts that it holds.
        support: What stands behind it; see `Statement`.
        is_brief: Whether the short explanation has it.
    """

    key: str
    part: Part
    slots: Mapping[str, Fact | Sequence[Fact]] = field(default_factory=dict)
    support: Support = "mask"
    is_brief: bool = False

    @property
    def facts(self) -> tuple[str, ...]:
        """The ids of its facts, each once."""
        listed = (filler if isinstance(filler, Sequence) else (filler,) for filler in self.slots.values())
        return tuple(dict.fromkeys(fact.id for facts in listed for fact in facts))


def is_possible(fact: Fact) -> bool:
    """Say whether a figure can be: reflectance near 0 to 1, indices of reflectance from -1 to 1."""
    if not isinstance(fact.value, int | float):
        return True
    if fact.unit == "reflectance":
        return REFLECTANCES[0] <= fact.value <= REFLECTANCES[1]
    if fact.unit == "index" and fact.rule in BOUNDED:
        return abs(fact.value) <= (WIDEST_SPREAD if fact.id.endswith("spread") else 1.0)
    return True


def _finite(fact: Fact) -> Fact:
    """Return a fact; one that is no finite number is not known."""
    is_number = isinstance(fact.value, float)
    return replace(fact, value=None) if is_number and not math.isfinite(float(fact.value or 0)) else fact


class Outline:
    """Chooses the points of one target from its facts.

    Args:
        facts: All that is known of it.
        question: What the user asked: ``count``, ``area``, ``share``, ``place``, ``presence``; or nothing.
    """

    def __init__(self, facts: Sequence[Fact], question: str = "") -> None:
        self._by_id = {fact.id: _finite(fact) for fact in facts}
        self._question = question
        self._target = str(self._by_id["target"].value)
        self._is_empty = not self._number("area_px")

    def points(self) -> list[Point]:
        """Return the points in their order, each fact in one of them."""
        if self._is_empty:
            limits = (point for point in self._scene_points() if point.key in ("gsd_unknown", "relative"))
            return [*self._untrusted(), *self._rest(), *self._absent(), *self._words(), *limits]
        parts = (self._answer, self._why, self._sureness, self._confusion, self._next, self._scene_points)
        return [point for part in parts for point in part()]

    # --- facts -------------------------------------------------------------------------------------------------------

    def _get(self, name: str) -> Fact | None:
        """Return a fact that is known."""
        fact = self._by_id.get(name)
        return None if fact is None or fact.value is None else fact

    def _number(self, name: str, default: float = 0.0) -> float:
        fact = self._get(name)
        return float(fact.value) if fact is not None and isinstance(fact.value, int | float) else default

    def _word(self, name: str) -> str:
        fact = self._get(name)
        return "" if fact is None else str(fact.value)

    def _slots(self, **names: str) -> dict[str, Fact | Sequence[Fact]] | None:
        """Return the facts of slots; None if one of them is not known."""
        facts = {slot: self._get(name) for slot, name in names.items()}
        return {slot: fact for slot, fact in facts.items() if fact} if all(facts.values()) else None

    def _point(
        self, key: str, part: Part, support: Support = "mask", *, is_brief: bool = False, **names: str
    ) -> Iterator[Point]:
        """Yield a point if all of its facts are known; impossible ones take its support away."""
        slots = self._slots(**names)
        if slots is None:
            return
        possible = all(is_possible(fact) for fact in slots.values() if isinstance(fact, Fact))
        yield Point(key, part, slots, support if possible else "none", is_brief)

    @property
    def _is_by_rule(self) -> bool:
        return self._word("decided_by") == "rule"

    @property
    def _is_relative(self) -> bool:
        return self._word("relative") == "yes"

    # --- the answer --------------------------------------------------------------------------------------------------

    def _untrusted(self) -> Iterator[Point]:
        """Say before all else that the whole answer cannot be trusted, and why."""
        trust = self._get("trust")
        if trust is not None:
            yield Point(f"untrusted_{trust.value}", "answer", {"trust": trust}, "none", is_brief=True)

    def _answer(self) -> Iterator[Point]:
        yield from self._untrusted()
        yield from self._rest()
        yield from self._question_points()
        yield from self._estimated()
        if self._get("rest.asked") is not None:
            yield from self._point("left_out", "answer", is_brief=True, name="target", share="share", area="area")
        elif self._get("asked") is not None:
            yield from self._filtered()
        elif self._get("area") is not None and self._by_id["area"].unit == "px":
            yield from self._point(
                "found_px", "answer", is_brief=True, name="target", share="share", area="area", valid="valid_px"
            )
        else:
            yield from self._point("found", "answer", is_brief=True, name="target", share="share", area="area")
        if self._is_weak() and self._get("trust") is None:
            yield Point("hint", "answer", support="none", is_brief=True)
        yield from self._words()
        yield from self._parts()

    def _rest(self) -> Iterator[Point]:
        """Say what "everything but" leaves, before anything is said of what it leaves out."""
        if self._number("rest.area"):
            yield from self._point(
                "rest", "answer", is_brief=True, asked="rest.asked", area="rest.area", share="rest.share",
                number="rest.number",
            )  # fmt: skip
        else:
            yield from self._point("none_kept", "answer", is_brief=True, asked="rest.asked")

    def _words(self) -> Iterator[Point]:
        """Say what a narrower word was taken for, and which parent answers for what cannot be seen here."""
        for name, fact in self._by_id.items():
            key = name.partition(".")[0]
            if key in ("word", "stand_in"):
                yield Point(key, "answer", {"words": fact}, "none", is_brief=True)

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
        if number == 1:
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
        yield from self._point("edge", "answer", is_brief=number == 1, sides="region.1.edges")
        yield from self._long()
        yield from self._point("small", "answer", number="number_small")
        yield from self._point("small_left_out", "answer", smallest="specks.limit", area="specks.area")

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
            yield from self._all_candidates()
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
        yield from self._point("miss_model", "why", is_brief=True, value="extreme.probability", threshold="threshold")
        if self._number("rule.area"):
            yield from self._point("rule_sees", "sureness", "none", is_brief=True, rule="rule", area="rule.area")
        else:
            yield from self._point("miss_index", "why", "independent", rule="rule", value="extreme.index")

    def _missed_by_rule(self) -> Iterator[Point]:
        """Say why no pixel, or no region, passes the rule that decided."""
        if self._number("rule.area"):
            yield from self._point("miss_specks", "why", is_brief=True, rule="rule")
            return
        yield from self._point("miss_rule", "why", is_brief=True, rule="rule", value="extreme.index")
        value, bound = self._number("extreme.index"), self._number("rule.threshold")
        is_above = " > " in self._word("rule").split("; ")[0]
        if self._get("extreme.index") and (value > bound if is_above else value < bound):
            yield Point("miss_guard", "why", {"value": self._by_id["extreme.index"]}, "mask", is_brief=True)

    # --- why ---------------------------------------------------------------------------------------------------------

    def _why(self) -> Iterator[Point]:
        bands, index = list(self._bands()), list(self._index())
        decided = list(self._decided(index)) if self._is_by_rule else []
        index = [replace(point, is_brief=point.is_brief or not bands) for point in index]
        points = [*decided, *self._taught(), *bands, *index]
        if self._word("trust") == "numbers":  # such numbers confirm nothing
            points = [replace(point, support="none") for point in points]
        yield from points

    def _decided(self, index: list[Point]) -> Iterator[Point]:
        """Name the rule that decided, together with its index where that is the one that was measured."""
        is_same = self._word("rule").startswith(f"{self._word('index.name')} ")
        if is_same and [point.key for point in index] == ["index"]:
            (point,) = index
            index.clear()
            slots = {"rule": self._by_id["rule"], **point.slots}
            yield Point("rule_index", "why", slots, point.support, is_brief=True)
        else:
            yield from self._point("rule_decided", "why", "none", is_brief=True, rule="rule")

    def _taught(self) -> Iterator[Point]:
        """Say what taught a class of the user's own, and how it differs from the rest."""
        if self._get("taught.yes") is None:
            return
        yield from self._point("taught", "why", "none", is_brief=True, yes="taught.yes", no="taught.no")
        bands = [band for band in self._word("taught.bands").split() if self._pair(f"band.{band}")]
        if bands:
            yield Point("because_taught", "why", self._band_slots(bands), "mask")

    def _taught_quality(self) -> Iterator[Point]:
        """Say how good a taught class is where its examples lie, and what speaks against it here."""
        if self._get("taught.yes") is None:
            return
        if self._get("taught.iou") is None:
            yield Point("taught_unmeasured", "sureness", {"iou": self._by_id["taught.iou"]}, "none", is_brief=True)
        else:
            slots = {"iou": "taught.iou", "low": "taught.low", "high": "taught.high"}
            yield from self._point("taught_iou", "sureness", "none", is_brief=True, **slots)
        if self._word("taught.advice") == "does not work":
            yield Point("taught_fails", "sureness", {"advice": self._by_id["taught.advice"]}, "none", is_brief=True)
        yield from self._point("taught_gsd", "sureness", "none", is_brief=True, size="taught.gsd")

    def _bands(self) -> Iterator[Point]:
        """Say how bands differ between inside and outside, and whether as the target demands."""
        kind = self._target if self._target in EXPECTED else target_or_class(self._target).parent or ""
        sides = EXPECTED.get(kind, {})
        strange = [band for band in sides if self._pair(f"band.{band}") and not self._is_band_possible(band)]
        if strange:
            yield Point("impossible_bands", "why", self._band_slots(strange), "none", is_brief=True)
            return
        if opposed := self._opposing_bands(kind):
            slots = self._band_slots(opposed) | {"name": self._by_id["target"]}
            yield Point("against", "why", slots, "none", is_brief=True)
            return
        bands = [band for band, side in sides.items() if self._lies_clearly(f"band.{band}", side)]
        if bands and bands[0] == next(iter(sides)):  # the first band is the one that tells
            support: Support = "mask" if self._is_by_rule else "independent"  # a rule's bands cannot confirm its mask
            clause = "raw" if self._is_relative else "because"  # what is not calibrated is no reflectance
            yield Point(f"{clause}_{kind}", "why", self._band_slots(bands), support, is_brief=True)

    def _band_slots(self, bands: Sequence[str]) -> dict[str, Fact | Sequence[Fact]]:
        return {side: [self._by_id[f"band.{band}.{side}"] for band in bands] for side in ("inside", "outside")}

    def _is_band_possible(self, band: str) -> bool:
        return all(is_possible(self._by_id[f"band.{band}.{side}"]) for side in ("inside", "outside"))

    def _opposing_bands(self, kind: str) -> list[str]:
        """Return the two bands whose ratio inside the mask no such land cover has; nothing if it may be one."""
        if kind not in OPPOSED:
            return []
        first, second, side, bound = OPPOSED[kind]
        if not (self._pair(f"band.{first}") and self._pair(f"band.{second}")) or self._is_relative:
            return []
        numerator, denominator = self._number(f"band.{first}.inside"), self._number(f"band.{second}.inside")
        if max(numerator, denominator) < DARK:
            return []
        is_opposed = numerator > bound * denominator if side == "above" else numerator < bound * denominator
        return [first, second] if is_opposed else []

    def _pair(self, name: str) -> bool:
        return self._get(f"{name}.inside") is not None and self._get(f"{name}.outside") is not None

    def _lies(self, name: str, side: str) -> bool:
        """Say whether the inside lies on a side of the outside."""
        difference = self._number(f"{name}.inside") - self._number(f"{name}.outside")
        return difference > 0 if side == "higher" else difference < 0

    def _lies_clearly(self, name: str, side: str) -> bool:
        """Say whether the inside lies on a side of the outside, by enough to tell."""
        if not self._pair(name):
            return False
        inside, outside = self._number(f"{name}.inside"), self._number(f"{name}.outside")
        if abs(inside - outside) < CLEARLY * max(abs(inside), abs(outside)):
            return False
        return self._lies(name, side)

    def _index(self) -> Iterator[Point]:
        """Say what the index is inside and outside."""
        if not self._pair("index"):
            yield from self._point("index_inside", "why", index="index.name", inside="index.inside")
            return
        target, side = INDEX_SIDES.get(self._word("index.name"), ("", ""))
        parent = target_or_class(self._target).parent
        fits = target in (self._target, parent) and self._lies("index", side)
        support: Support = "independent" if fits and not self._is_by_rule else "mask"
        spreads = [fact for fact in map(self._get, ("index.inside.spread", "index.outside.spread")) if fact]
        if not all(map(is_possible, spreads)):
            yield Point("impossible_index", "why", {"index": self._by_id["index.name"]}, "none", is_brief=True)
            return
        for point in self._point(
            "index", "why", support, index="index.name", inside="index.inside",
            outside="index.outside",
        ):  # fmt: skip
            yield point
            if point.support == "none":
                yield Point("impossible_index", "why", {"index": self._by_id["index.name"]}, "none", is_brief=True)

    # --- how sure ----------------------------------------------------------------------------------------------------

    def _is_weak(self) -> bool:
        """Say whether the whole answer is a hint only: rule and model disagree, or the model is unsure or bad here."""
        if self._is_by_rule:
            iou = self._get("rule.iou")
            return iou is not None and self._number("rule.iou") < PARTLY
        agreement = self._number("rule.agreement", self._number("rule.inside", 1.0))
        rule_is_good = self._number("rule.iou", 0.0) >= PARTLY
        return (
            (rule_is_good and agreement < PARTLY)
            or self._number("probability.median", 1.0) <= LOW_MEDIAN
            or self._number("quality.precision", 1.0) < PARTLY
        )

    def _sureness(self) -> Iterator[Point]:
        if self._is_by_rule:
            yield from self._rule_quality()
        else:
            yield from self._agreement()
            yield from self._taught_quality()
            yield from self._probability()
            yield from self._quality()
        yield from self._near()
        yield from self._contrast()
        if self._number("doubt.share") >= MUCH_IN_A_NINTH:
            yield from self._point("doubt_place", "sureness", "none", place="doubt.place", share="doubt.share")

    def _rule_quality(self) -> Iterator[Point]:
        if self._get("rule.iou") is None:
            yield Point("rule_unmeasured", "sureness", {"iou": self._by_id["rule.iou"]}, "none", is_brief=True)
        else:
            yield from self._point("rule_measured", "sureness", "none", is_brief=True, iou="rule.iou")

    def _agreement(self) -> Iterator[Point]:
        """Hold the model's mask against the rule, which learns nothing; a taught class has none."""
        if self._get("rule") is None:
            return
        name = "rule.agreement" if self._get("rule.agreement") else "rule.inside"
        key = "agree" if name == "rule.agreement" else "agree_inside"
        share = self._number(name)
        level = "close" if share >= CLOSE else "partly" if share >= PARTLY else "little"
        support: Support = "independent" if level == "close" else "none"
        is_brief = level == "close" or self._number("rule.iou") >= PARTLY  # a bad rule is no judge
        yield from self._point(f"{key}_{level}", "sureness", support, is_brief=is_brief, rule="rule", share=name)

    def _probability(self) -> Iterator[Point]:
        is_low = self._number("probability.median", 1.0) <= LOW_MEDIAN
        if is_low:
            yield from self._point(
                "probability_low", "sureness", "none", is_brief=True, mean="probability.mean",
                median="probability.median",
            )  # fmt: skip
        else:
            yield from self._point("probability", "sureness", "mask", is_brief=True, mean="probability.mean")

    def _quality(self) -> Iterator[Point]:
        """Say how well the model did on places where the truth is known; a taught class says it by its examples."""
        if self._get("taught.yes") is not None:
            return
        if self._get("quality.precision") is None:
            unknown = {"precision": self._by_id["quality.precision"]}
            yield Point("quality_unknown", "sureness", unknown, "none")
            return
        yield from self._point(
            "quality", "sureness", "none", is_brief=self._is_weak(), name="target", precision="quality.precision"
        )

    def _near(self) -> Iterator[Point]:
        if self._number("near.frac") >= MUCH:
            yield from self._point("near_much", "sureness", "mask", is_brief=True, area="near.below")
        elif self._number("near.below_px"):
            yield from self._point("near_little", "sureness", "mask", area="near.below")

    def _contrast(self) -> Iterator[Point]:
        """Name the most and the least reliable of the largest regions, where they differ."""
        names = [f"region.{number}" for number in (1, 2, 3) if self._get(f"region.{number}.area")]
        is_good = self._number("rule.iou") >= PARTLY
        measure = "rule" if is_good and all(self._get(f"{name}.rule") for name in names) else "probability"
        if len(names) < 2 or not all(self._get(f"{name}.{measure}") for name in names):  # noqa: PLR2004
            return
        best = max(names, key=lambda name: self._number(f"{name}.{measure}"))
        worst = min(names, key=lambda name: self._number(f"{name}.{measure}"))
        if self._number(f"{best}.{measure}") - self._number(f"{worst}.{measure}") < MUCH:
            return
        yield from self._point(
            f"contrast_{measure}", "sureness", "none", area=f"{best}.area", place=f"{best}.place",
            share=f"{best}.{measure}", other_area=f"{worst}.area", other_place=f"{worst}.place",
            other_share=f"{worst}.{measure}",
        )  # fmt: skip

    # --- confusions and what to do -----------------------------------------------------------------------------------

    def _confusion(self) -> Iterator[Point]:
        is_much = self._number("rival.share") >= MUCH
        if is_much:
            yield from self._point(
                "rival", "confusion", "none", is_brief=True, area="rival.area", share="rival.share",
                other="rival.target",
            )  # fmt: skip
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
            yield Point("check_finer", "next", support="none")

    def _scene_points(self) -> Iterator[Point]:
        """Say what of the scene limits the answer: date, size of pixels, calibration."""
        if self._get("date") is None:
            is_moving = self._target in ("water", "snow", "burn", "vegetation")
            yield Point("date_unknown", "next", {"date": self._by_id["date"]}, "none", is_brief=is_moving)
        else:
            key = "date_by_name" if self._by_id["date"].rule == "name" else "date"
            yield from self._point(key, "next", "none", date="date")
            yield from self._point("season", "next", "none", season="season")
        if self._by_id["gsd"].value is None:
            yield Point("gsd_unknown", "next", {"gsd": self._by_id["gsd"]}, "none")
        if self._is_relative:
            yield Point("relative", "next", {"relative": self._by_id["relative"]}, "none", is_brief=True)
