"""How sure an answer is, and where not: rule against model, probability, measured quality, the largest regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spex_nb.language.explanation.points import KnownFacts, Point, Support
from spex_nb.types import Fact

CLOSE, PARTLY = 0.8, 0.5
"""Shares from which two masks are nearly the same, and in part the same."""
LOW_MEAN, MUCH_NEAR, MUCH_RIVAL = 0.6, 0.6, 0.25
"""A mask is a hint below this mean probability, where pixels just below the threshold reach this share of its area, or
where the rule of another land cover fits on this share of it. Chosen by labels, see docs/explanations.md."""
LOW_MEASURED = 0.6
"""An answer is a hint where masks and labels of test places shared less than this of their joint area: at 0.55, four of
ten single answers share less than half with their labels."""
MOST = 0.5
"""A rule that nobody measured in such numbers gives a hint where it takes more than this share of the scene: the tint
of a picture, or dark asphalt, may meet it everywhere."""
LOW_MEDIAN = 0.7
"""At or below this probability for half of the pixels of a mask, a sentence says so."""
MUCH = 0.1
"""Of the area: what a doubt or a rival must reach to be mentioned."""
LEAST_NEAR = 0.005
"""Of the area: fewer pixels at the limit of a rule are not named one by one."""
MUCH_IN_A_NINTH = 0.25
"""Of the pixels of most doubt: what a ninth of the picture must hold to be named."""


class SurenessPoints(KnownFacts):
    """Chooses the points that say how sure an answer is."""

    def _is_weak(self) -> bool:
        """Say whether the whole answer is a hint: rule and model disagree, or the model is unsure or bad elsewhere."""
        if self._is_by_rule:
            is_bad = self._number("rule.iou", 1.0) < PARTLY
            is_rival = self._number("rival.share") >= MUCH_RIVAL
            is_most = self._get("rule.iou") is None and self._number("share") > MOST
            return (
                is_bad
                or is_rival
                or is_most
                or max(self._number("near.frac"), self._number("near.above_frac")) >= MUCH_NEAR
            )
        if self._get("taught.yes") is not None and self._number("taught.low") < PARTLY:
            return True
        agreement = self._number("rule.agreement", self._number("rule.inside", 1.0))
        rule_is_good = self._number("rule.iou", 0.0) >= PARTLY
        return (
            (rule_is_good and agreement < CLOSE)
            or self._number("probability.mean", 1.0) < LOW_MEAN
            or self._number("near.frac") >= MUCH_NEAR
            or self._number("rival.share") >= MUCH_RIVAL
            or self._measured_iou() < LOW_MEASURED
        )

    def _measured_iou(self) -> float:
        """Return how much masks and labels shared on places where the truth is known; 1 where nobody measured it."""
        precision, recall = self._number("quality.precision", 1.0), self._number("quality.recall", 1.0)
        return 1 / (1 / precision + 1 / recall - 1) if min(precision, recall) > 0 else 0.0

    def _sureness(self) -> Iterator[Point]:
        if self._word("trust") == "numbers":  # no test place and no rule is about such numbers
            return
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

    def _taught_quality(self) -> Iterator[Point]:
        """Say how good a taught class is where its examples lie, and what speaks against it here."""
        if self._get("taught.yes") is None:
            return
        if self._get("taught.iou") is None:
            yield Point("taught_unmeasured", "sureness", {"iou": self._by_id["taught.iou"]}, "none", is_brief=True)
        else:
            shares = self._slots(iou="taught.iou", low="taught.low", high="taught.high") or {}
            slots = {name: replace(share, unit="frac") for name, share in shares.items() if isinstance(share, Fact)}
            yield Point("taught_iou", "sureness", slots, "none", is_brief=True)
        if self._word("taught.advice") == "more examples" and self._get("taught.iou") is not None:
            yield Point("taught_more", "sureness", {"advice": self._by_id["taught.advice"]}, "none")
        if self._word("taught.advice") == "does not work":
            yield Point("taught_fails", "sureness", {"advice": self._by_id["taught.advice"]}, "none", is_brief=True)
        yield from self._point("taught_gsd", "sureness", "none", is_brief=True, size="taught.gsd")

    def _rule_quality(self) -> Iterator[Point]:
        if self._get("rule.iou") is None:
            yield Point("rule_unmeasured", "sureness", {"iou": self._by_id["rule.iou"]}, "none", is_brief=True)
        else:
            alike = {} if self._get("rule.labels") is None else {"labels": "rule.labels"}
            key = "rule_measured_alike" if alike else "rule_measured"
            yield from self._point(key, "sureness", "none", is_brief=True, iou="rule.iou", **alike)

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
        recall = {} if self._get("quality.recall") is None else {"recall": "quality.recall"}
        key = "quality_both" if recall else "quality"
        slots = {"name": "target", "precision": "quality.precision", **recall}
        yield from self._point(key, "sureness", "none", is_brief=self._is_weak(), **slots)

    def _near_rule(self) -> Iterator[Point]:
        """Say how much only just meets, and only just misses, the rule that decided."""
        met, missed = self._number("near.above_frac"), self._number("near.frac")
        slots = {"met": "near.above", "share": "near.above_frac"}
        if met >= LEAST_NEAR and missed >= LEAST_NEAR and met + missed >= MUCH:
            yield from self._point("near_rule", "sureness", "mask", is_brief=True, missed="near.below", **slots)
        elif met >= MUCH:
            yield from self._point("near_rule_met", "sureness", "mask", is_brief=True, **slots)
        elif missed >= MUCH:
            yield from self._point("near_rule_missed", "sureness", "mask", is_brief=True, missed="near.below")
        elif self._number("near.area_px"):
            yield from self._point("near_rule_little", "sureness", "mask", area="near.area")

    def _near(self) -> Iterator[Point]:
        if self._is_by_rule:
            yield from self._near_rule()
        elif self._number("near.frac") >= MUCH:
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
