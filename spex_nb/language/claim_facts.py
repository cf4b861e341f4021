"""Facts of the evidence that a number in a clause may mean."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from spex_nb.language.claim_clauses import RANKS, SIDES, Clause, Role, denial
from spex_nb.language.claim_tokens import Token
from spex_nb.types import SQUARE_METRES, Evidence, Region, Spread
from spex_nb.types.targets import overlap

OF_REGION = "area of a region"
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the evidence; its value is None where the evidence lacks it."""

    name: str
    value: float | None
    canonical: str = ""
    """Its value in one unit, so that 1 km² and 100 ha compare as one figure."""

    def __str__(self) -> str:
        return "" if self.value is None else f"{self.name}: {self.canonical or f'{self.value:.6g}'}"


class Facts:
    """The facts of the evidence for each clause of one sentence.

    Args:
        evidence: Figures measured on the mask.
        clauses: The clauses of the sentence.
    """

    def __init__(self, evidence: Evidence, clauses: Sequence[Clause]) -> None:
        self._evidence, self._clauses = evidence, clauses
        self._kinds = {kind for clause in clauses for kind in clause.kinds}

    def areas(self, clause: Clause, unit: str) -> list[Fact]:
        """Return the areas that an area in this clause may mean."""
        evidence = self._evidence
        if clause.has("valid") or ("valid" in self._kinds and not clause.has("target", "region", "total", *RANKS)):
            return [Fact("valid pixels", float(evidence.valid_px))] if unit == "px" else []
        if clause.targets and not any(overlap(name, evidence.target) for name in clause.targets):
            return []
        total = area_fact("total area", evidence, unit)
        of_regions = [area_fact(OF_REGION, region, unit) for region in self.named(clause)]
        if clause.subject in RANKS:
            return [*of_regions, total] if clause.has("total") else of_regions
        kinds = clause.kinds if not clause.kinds <= {"number", "unit", "fillers", "about"} else self._kinds
        is_of_regions = bool(kinds & {"region", "target", "others", "size", "place"})
        is_of_all = not is_of_regions or ("total" in kinds and "region" not in kinds)
        return [total] if is_of_all else [total, *of_regions]

    def elsewhere(self, clause: Clause) -> tuple[Region, ...]:
        """Return the regions that a clause may mean, but that lie in another place than it names."""
        named = self.named(clause)
        placed = self.placed(clause, named)
        return tuple(region for region in named if region not in placed)

    def placed(self, clause: Clause, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        """Return the regions that lie in the place that a clause names."""
        places = [t.senses["place"] for t in clause.descriptions if "place" in t]
        if not places or denial(clause) or clause.subject in RANKS:
            return regions
        return tuple(r for r in regions if any(lies_in(r, place) for place in places))

    def shares(self, clause: Clause) -> list[Fact]:
        """Return the shares that a percentage in this clause may mean."""
        evidence = self._evidence
        is_about_it = self._kinds & {"target", "region", "scene", "total", "present", *RANKS}
        other = clause.targets and not any(overlap(name, evidence.target) for name in clause.targets)
        if not is_about_it or other or clause.has("foreign", "valid", "inside", "outside"):
            return []
        whole = percent_fact("share of the scene", 100 * evidence.share_frac)
        if clause.subject not in RANKS:
            placed = self.placed(clause, evidence.regions)
            if len(placed) == len(evidence.regions) or not evidence.area_px or clause.has("scene"):
                return [whole]
            share = sum(region.area_px for region in placed) / evidence.area_px
            return [whole, percent_fact("share of the target's area", 100 * share)]
        of_scene = [percent_fact("share of a region", 100 * r.share_frac) for r in self.named(clause)]
        of_target = [
            percent_fact("share of the target's area", 100 * r.area_px / evidence.area_px)
            for r in self.named(clause)
            if evidence.area_px
        ]
        return [*of_scene, *of_target, *([whole] if clause.has("total") else [])]

    def border_shares(self, token: Token) -> list[Fact]:
        """Return the share of the border that belongs to the nearest other target."""
        name = self._neighbour_of(token)
        neighbours = self._evidence.neighbours
        share = neighbours.get(name) if name else None
        if name and share is None and sum(neighbours.values()) > HALF:  # there is no room for more
            return [percent_fact(f"border left by {', '.join(neighbours)}", 100 * (1 - sum(neighbours.values())))]
        return [] if share is None else [percent_fact(f"border with {name}", 100 * share)]

    def _neighbour_of(self, token: Token) -> str | None:
        """Return the other target of a percentage: before it where nouns come first, else after it."""
        others, starts = self._others
        if not others:
            return None
        before, after = bisect_left(starts, token.start), bisect_right(starts, token.start)
        nouns_first = starts[0] < self._first_percent
        is_before = before > 0 if nouns_first else after == len(others)
        return others[before - 1 if is_before else after].senses["target"]

    @cached_property
    def _others(self) -> tuple[list[Token], list[int]]:
        """Return the sentence's words for other targets, and their starts."""
        words = (t for clause in self._clauses for t in clause.tokens if "target" in t)
        others = [t for t in words if t.senses["target"] != self._evidence.target]
        return others, [t.start for t in others]

    @cached_property
    def _first_percent(self) -> int:
        """Return the start of the first sign of percent in a sentence that has one."""
        return next(t.start for clause in self._clauses for t in clause.tokens if t.senses.get("unit") == "percent")

    def index_facts(self, clause: Clause, role: Role) -> list[Fact]:
        """Return the means or spreads of the index that a number in this clause may mean."""
        evidence = self._evidence
        spread: Spread | None = evidence.outside if role.side == "outside" or not evidence.area_px else evidence.inside
        facts = []
        if spread is not None:
            facts.append(Fact(f"{part_of(role)} {role.side}", spread.std if role.is_spread else spread.mean))
        if clause.subject in RANKS and not clause.has(*SIDES):
            named = self.named(clause)
            facts += [
                Fact(f"{part_of(role)} of a region", r.spread_index if role.is_spread else r.mean_index) for r in named
            ]
        return facts

    def named(self, clause: Clause) -> tuple[Region, ...]:
        """Return the regions that a clause means: one by its rank, or all in the evidence."""
        regions, number = self._evidence.regions, self._evidence.number
        if clause.subject == "smallest":
            return regions[-1:] if len(regions) == number else ()
        ranks = {"largest": 0, "second": 1, "third": 2}
        if clause.subject not in ranks:
            return regions
        rank = ranks[clause.subject]
        return regions[rank : rank + 1]


def area_fact(name: str, measured: Evidence | Region, unit: str) -> Fact:
    """Return an area in a unit; an empty area is 0 in every unit."""
    canonical = f"{measured.area_px} px"
    if unit == "px" or not measured.area_px:
        return Fact(name, float(measured.area_px), canonical)
    return Fact(name, None if measured.area_m2 is None else measured.area_m2 / SQUARE_METRES[unit], canonical)


def percent_fact(name: str, percent: float) -> Fact:
    """Return a share, in percent."""
    return Fact(name, percent, f"{percent:.6g} %")


def part_of(role: Role) -> str:
    """Return whether a number is a mean or a spread."""
    return "spread" if role.is_spread else "mean"


def count_such(evidence: Evidence, words: list[Token]) -> float | None:
    """Count the regions of a size and place; None where some are not listed."""
    if evidence.number > len(evidence.regions):
        return None
    sizes = {t.senses["size"] for t in words if "size" in t}
    places = [t.senses["place"] for t in words if "place" in t]
    of_size = [region for region in evidence.regions if not sizes or region.size in sizes]
    hits = [region for region in of_size if not places or any(lies_in(region, place) for place in places)]
    return float(len(hits))


def lies_in(region: Region, place: str) -> bool:
    """Say whether a region lies in a cell of the 3 x 3 grid, or in a row or column of it."""
    return region.location == place or place in region.location.split("-")
