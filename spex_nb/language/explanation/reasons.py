"""Why a mask is what it is called: the rule that decided, the bands inside and outside, and the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from spex_nb.language.explanation.points import KnownFacts, Point, Support, is_possible
from spex_nb.types import Fact
from spex_nb.types.targets import target_or_class

CLEARLY = 0.1
"""A difference of two reflectances below this share of them tells nothing."""
DARK = 0.03
"""Reflectance below which the ratio of two bands is noise: clear water is that dark in all of them."""
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


class ReasonPoints(KnownFacts):
    """Chooses the points that say why."""

    def _why(self) -> Iterator[Point]:
        bands, index = list(self._bands()), list(self._index())
        decided = list(self._decided(index)) if self._is_by_rule else []
        index = [replace(point, is_brief=point.is_brief or not bands) for point in index]
        points = [*decided, *self._taught(), *bands, *index, *(() if bands else self._without_rule())]
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

    def _without_rule(self) -> Iterator[Point]:
        """Say that nothing but the model speaks for a target that no rule shows in these bands."""
        is_unruled = self._get("rule") is None and self._get("taught.yes") is None
        if is_unruled and not self._is_by_rule:
            yield Point("no_rule", "why", {"name": self._by_id["target"]}, "none", is_brief=True)

    def _taught(self) -> Iterator[Point]:
        """Say what taught a class of the user's own, and how it differs from the rest."""
        if self._get("taught.yes") is None:
            return
        yield from self._point("taught", "why", "none", is_brief=True, yes="taught.yes", no="taught.no")
        bands = [band for band in self._word("taught.bands").split() if self._pair(f"band.{band}")]
        if bands:
            clause = "raw" if self._is_relative else "because"
            yield Point(f"{clause}_taught", "why", self._band_slots(bands), "mask")

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

    def _is_beyond_zero(self, side: str) -> bool:
        """Say whether the index of the mask has the sign that the target demands, and is not merely less opposed."""
        inside = self._number("index.inside")
        return inside > 0 if side == "higher" else inside < 0

    def _index(self) -> Iterator[Point]:
        """Say what the index is inside and outside; without a rule one that shows the target says nothing."""
        if self._get("rule") is None and self._word("index.name") not in INDEX_SIDES:
            return
        if not self._pair("index"):
            yield from self._point("index_inside", "why", index="index.name", inside="index.inside")
            return
        target, side = INDEX_SIDES.get(self._word("index.name"), ("", ""))
        parent = target_or_class(self._target).parent
        fits = target in (self._target, parent) and self._lies("index", side) and self._is_beyond_zero(side)
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
