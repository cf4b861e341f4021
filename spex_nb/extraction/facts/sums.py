"""What the rows of a scene add up to for the facts of one target: bands, probability, and rules that learn nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from spex_nb.extraction.facts.cut_regions import RegionTally
from spex_nb.regions.runs import RegionSums
from spex_nb.spectral.priors import prior_of
from spex_nb.types import Prior, Region
from spex_nb.types.targets import TARGETS, are_exclusive

BAND_ORDER = ("blue", "green", "red", "nir", "swir16", "swir22")
"""Bands whose reflectance is worth a sentence."""
BINS = 50
"""Steps of the probability that are counted."""
NEAR = 0.2
"""Pixels within this probability of the threshold are near it."""
RIVALS = ("water", "vegetation", "bare_soil", "snow")
"""Targets whose rules are held against a mask of another one: the wide land covers that an index shows."""
RELIABLE_IOU = 0.3
"""A rule of another target counts against a mask only if it was measured to be at least as good as this."""
_MEASURED = re.compile(r"\bIoU (\d\.\d+)")
Layer = NDArray[np.bool_]


def measured_iou(prior: Prior) -> float | None:
    """Return the quality of a rule as its reason states it; None if nobody measured it."""
    stated = _MEASURED.search(prior.reason.split(". ")[0])
    return None if stated is None else float(stated[1])


def rules_of(pixel: xr.Dataset, targets: Sequence[str]) -> dict[str, Prior]:
    """Return the spectral rule of each target that the bands allow, and those of its reliable rivals.

    Args:
        pixel: Any pixels of the scene.
        targets: Ids of the targets that are explained.
    """
    names = [name for name in TARGETS if name in targets or name in RIVALS]
    priors = {name: prior_of(pixel, name) for name in names}
    return {
        name: prior
        for name, prior in priors.items()
        if prior is not None and (name in targets or (measured_iou(prior) or 0.0) >= RELIABLE_IOU)
    }


def rule_masks(part: xr.Dataset, names: Sequence[str]) -> dict[str, Layer]:
    """Return the mask of the spectral rule of some targets, bool [h, W] each."""
    priors = {name: prior_of(part, name) for name in names}
    return {name: prior.mask.values for name, prior in priors.items() if prior is not None}


@dataclass(frozen=True)
class Rows:
    """Some rows of a scene, as one layer of the mask divides them."""

    inside: Layer
    """Where the mask is."""
    outside: Layer
    """Where it is not, nor what the filters of the instruction left out."""
    bands: Mapping[str, NDArray[np.float32]]
    probability: NDArray[np.float32] | None
    """Of the target; None where nothing gave one."""
    rules: Mapping[str, Layer]
    near_rule: tuple[Layer, Layer] | None = None
    """Where a pixel only just misses the rule that decided, and where it only just meets it; None for a model."""


@dataclass
class FactSums:
    """Sums over all rows, for one target.

    Attributes:
        target: Its id.
        threshold: Probability above which a pixel belongs to the target.
        regions: The largest regions; agreement is measured in each.
        beside_gap: Of each of these, whether it ends beside pixels without data.
        cut: All regions that end where nothing was examined; see `cut_regions`.
        small: All regions of a few pixels.
        cuts_dropped: Whether regions that the filters left out end where nothing was examined.
    """

    target: str
    threshold: float
    regions: Sequence[Region]
    bands: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """By band: number and sum of the reflectance inside, then outside, [2, 2]."""
    probabilities: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    """Pixels of the mask by probability, from 0 to 1."""
    probability_sum: float = 0.0
    just_below_px: int = 0
    just_above_px: int = 0
    just_missed_px: int = 0
    """Pixels beside the mask that only just miss the rule that decided."""
    just_met_px: int = 0
    """Pixels of the mask that only just meet the rule that decided."""
    rule_px: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    """Pixels of the target's own rule inside and outside of the mask."""
    inside_px: int = 0
    rivals: dict[str, int] = field(default_factory=dict)
    """By other target: pixels of the mask where its rule holds."""
    border: dict[str, int] = field(default_factory=dict)
    """By other target: pixels beside the mask where its rule holds."""
    border_px: int = 0
    beside_gap: Sequence[bool] = ()
    cut: RegionTally = field(default_factory=RegionTally)
    small: RegionTally = field(default_factory=RegionTally)
    cuts_dropped: bool = False

    def __post_init__(self) -> None:
        """Prepare the sums of each region."""
        self._of_regions = RegionSums([region.runs for region in self.regions], ["probability", "rule"])

    def add(self, top: int, rows: Rows) -> None:
        """Add some rows, of which the first has number ``top``."""
        inside_px = int(rows.inside.sum())
        self.inside_px += inside_px
        self._add_bands(rows)
        self._add_border(rows)
        if inside_px:
            self._add_rivals(rows)
        if rows.probability is not None:
            self._add_probability(rows, rows.probability)
        if rows.near_rule is not None:
            just_missed, just_met = rows.near_rule
            self.just_missed_px += int((just_missed & rows.outside).sum())
            self.just_met_px += int((just_met & rows.inside).sum())
        own_rule = rows.rules.get(self.target)
        if own_rule is not None:
            self.rule_px += (own_rule & rows.inside).sum(), (own_rule & rows.outside).sum()
        nothing = np.full(rows.inside.shape, np.nan, np.float32)
        probability = nothing if rows.probability is None else rows.probability
        self._of_regions.add(top, {"probability": probability, "rule": nothing if own_rule is None else own_rule})

    def means(self, name: str) -> NDArray[np.float64]:
        """Return the mean ``probability``, or the share of the target's own ``rule``, in each region: [N]."""
        return self._of_regions.means(name)

    def _add_bands(self, rows: Rows) -> None:
        for name, values in rows.bands.items():
            sums = self.bands.setdefault(name, np.zeros((2, 2)))
            for side, where in enumerate((rows.inside, rows.outside)):
                pixels = values[where]
                pixels = pixels[np.isfinite(pixels)]
                sums[side] += pixels.size, pixels.sum(dtype=np.float64)

    def _add_rivals(self, rows: Rows) -> None:
        for name, rule in rows.rules.items():
            if are_exclusive(name, self.target):
                self.rivals[name] = self.rivals.get(name, 0) + int((rule & rows.inside).sum())

    def _add_border(self, rows: Rows) -> None:
        beside = binary_dilation(rows.inside) & rows.outside
        self.border_px += int(beside.sum())
        for name, rule in rows.rules.items():
            if are_exclusive(name, self.target):
                self.border[name] = self.border.get(name, 0) + int((rule & beside).sum())

    def _add_probability(self, rows: Rows, probability: NDArray[np.float32]) -> None:
        inside = probability[rows.inside]
        inside = inside[np.isfinite(inside)]
        self.probability_sum += float(inside.sum(dtype=np.float64))
        steps = np.minimum((inside * BINS).astype(np.int64), BINS - 1)
        self.probabilities += np.bincount(steps, minlength=BINS)
        self.just_above_px += int((inside <= self.threshold + NEAR).sum())
        below = (probability > self.threshold - NEAR) & (probability <= self.threshold) & rows.outside
        self.just_below_px += int(below.sum())
