"""What is measured of a result and said of it: figures, facts, statements and claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from spex_nb.types.instructions import SQUARE_METRES
from spex_nb.types.regions import Region, Verdict


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of an index over some pixels; NaN where there are none."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class AreaInterval:
    """The area of a target as points checked by a person estimate it, with its interval.

    The area is unbiased: it corrects the area of the mask by the errors that the points show.
    """

    share_frac: float
    """Estimated share of the valid pixels."""
    low_frac: float
    high_frac: float
    """Limits of the interval, as shares."""
    valid_px: int
    """Pixels that the shares are of."""
    valid_m2: float | None
    """Ground that the shares are of; None without a CRS."""
    points: int
    """Points that were answered, without those of which a person was unsure."""
    confidence: float = 0.95

    def __str__(self) -> str:
        """Return the area with its interval, such as ``1,240 ± 90 ha, from 100 points``."""
        unit, whole = _unit_of(self)
        area, low, high = (whole * share for share in (self.share_frac, self.low_frac, self.high_frac))
        margin = max((high - low) / 2, LEAST_MARGIN * area, 1e-9)
        digits = 1 - int(f"{margin:e}".partition("e")[2])  # two digits of the margin

        def rounded(number: float) -> str:
            return f"{round(number, digits):,.{max(digits, 0)}f}"

        origin = f"from {self.points:,} point{'' if self.points == 1 else 's'}"
        if rounded(high - area) == rounded(area - low):
            return f"{rounded(area)} ± {rounded(high - area)} {unit}, {origin}"
        return f"{rounded(area)} {unit}, between {rounded(low)} and {rounded(high)} {unit}, {origin}"


LEAST_MARGIN = 1e-3
"""Share of an area below which its margin is not written out."""


def _unit_of(interval: AreaInterval) -> tuple[str, float]:
    """Return the unit that suits an area, and the ground that its shares are of in that unit."""
    if interval.valid_m2 is None:
        return "px", float(interval.valid_px)
    is_small = interval.high_frac * interval.valid_m2 < SQUARE_METRES["ha"]
    return ("m²", interval.valid_m2) if is_small else ("ha", interval.valid_m2 / SQUARE_METRES["ha"])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Figures measured on a mask and the bands under it: the statements that an explanation may make."""

    target: str
    shape: tuple[int, int]
    area_px: int
    valid_px: int
    share_frac: float
    """Share of the valid pixels."""
    area_m2: float | None
    number: int
    """Regions of at least ``min_area_px`` pixels."""
    regions: tuple[Region, ...]
    """The largest of them, largest first."""
    index_name: str | None
    inside: Spread | None
    """Of the index over the mask's valid pixels."""
    outside: Spread | None
    """Of the index over the other valid pixels."""
    neighbours: Mapping[str, float] = field(default_factory=dict)
    """Share of the mask's border that each other target takes up."""
    is_relative: bool = False
    """Whether the bands are digital numbers, so that figures of the index compare within this scene only."""
    area_interval: AreaInterval | None = None
    """The unbiased area with its interval; None until points of the map were checked."""

    @property
    def largest(self) -> Region | None:
        """The largest region, or None without any."""
        return self.regions[0] if self.regions else None


FactSource = Literal["mask", "bands", "rule", "model", "table", "points", "scene", "instruction"]
"""What a fact was taken from: the mask, the bands under it, a spectral rule, the model, the table
of its measured quality, points that a person checked, the scene's description, or what the user typed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure or word that a result has about one target. Explanations say facts and nothing else."""

    id: str
    """Its name among the facts of a target, such as ``area`` or ``band.nir.inside``."""
    value: float | str | None
    """None where it is not known."""
    unit: str
    """Of numbers: ``px m2 m frac part probability number index reflectance counts relative patch points times``. A
    ``part`` is a share that is written so exactly that parts add up. ``counts`` are numbers as a file holds them,
    ``relative`` ones on another scale. Of words: ``target place sides rule name bands date season text``."""
    region: str
    """What it is about: ``mask``, ``outside``, ``border``, ``scene``, ``candidates`` (before the filters of the
    instruction), ``region 1`` and so on."""
    source: FactSource
    rule: str = ""
    """How it was measured, or the rule that it is about."""
    margin: float | None = None
    """Half of its 95 % interval, in its unit; None without one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an explanation, with the facts that it says."""

    text: str
    part: Literal["answer", "why", "sureness", "confusion", "next"]
    facts: tuple[str, ...]
    """Ids of its facts."""
    support: Literal["independent", "mask", "none"]
    """What stands behind it: ``independent`` if it was held against something that is not the mask itself, such as
    bands that did not decide, another method, or checked points; ``mask`` if it was measured on the mask; ``none`` for
    doubts, general knowledge, and facts that are unknown or impossible."""
    is_brief: bool = True
    """Whether the short form of the explanation has it too."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable statement of an explanation."""

    text: str
    """Its words in the explanation."""
    start: int
    """Position of its first character in the explanation."""
    kind: Literal["area", "share", "number", "index", "size", "place", "position", "presence", "neighbour", "other"]
    stated: str
    """The statement, in one form for all languages."""
    measured: str
    """The figure of the evidence; empty where it has none."""
    verdict: Verdict
