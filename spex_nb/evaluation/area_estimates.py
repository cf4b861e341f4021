"""Accuracy and area of a map from points that a person checked: stratified estimators and their intervals.

The estimators are those of good practice: Olofsson et al. 2014 (doi 10.1016/j.rse.2014.02.015) where the strata are the
classes of the map, Stehman 2014 (doi 10.1080/01431161.2014.930207) where they are not. The usual interval of an
estimate plus and minus 1.96 standard errors is too narrow where a stratum shows no error or only errors. So the limits
of each stratum come from Jeffreys' interval (Brown, Cai and DasGupta 2001, doi 10.1214/ss/1009213286). They are joined
by the method of variance estimates recovery (Zou, Huang and Zhang 2009, doi 10.1016/j.csda.2008.09.033; for ratios
Donner and Zou 2012, doi 10.1177/0962280210383082).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spex_nb.errors import DatasetError

CONFIDENCE = 0.95
QUANTILE = 1.96
"""Of the normal distribution, as Olofsson et al. 2014 round it."""
LARGE_FRACTION = 0.05
"""From this share of a stratum on, it matters that its points are drawn without replacement (Cochran 1977)."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """An estimated share with its standard error and the limits of its 95 % interval; NaN where nothing shows it."""

    value: float
    standard_error: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """The classical margin of 1.96 standard errors, as publications give it; see the limits for small samples."""
        return QUANTILE * self.standard_error


@dataclass(frozen=True, slots=True)
class AccuracyEstimates:
    """What checked points tell of a map. Classes are numbers 0 ... K - 1."""

    counts: Numbers
    """int [K, K]: points of each class on the map (rows) and on the ground (columns)."""
    areas: tuple[ShareEstimate, ...]
    """Of each class on the ground, as a share of the map."""
    users: tuple[ShareEstimate, ...]
    """User's accuracy of each class: the share of what the map calls so that is so."""
    producers: tuple[ShareEstimate, ...]
    """Producer's accuracy of each class: the share of what is so that the map calls so."""
    overall: ShareEstimate


@dataclass(frozen=True, slots=True)
class StratifiedSample:
    """Points drawn at random within strata, each with its class on the map and on the ground."""

    strata: Numbers
    """int [N]: number of the stratum of each point, 0 ... S - 1."""
    mapped: Numbers
    """int [N]: class of each point on the map, 0 ... K - 1."""
    reference: Numbers
    """int [N]: class of each point on the ground, 0 ... K - 1."""
    sizes: Floats
    """float [S]: pixels of each stratum."""
    map_classes: Numbers
    """int [S]: class of each stratum on the map; it is believed where a stratum has no point."""
    class_count: int


def estimate_accuracy(sample: StratifiedSample) -> AccuracyEstimates:
    """Estimate areas and accuracies from points.

    Args:
        sample: The points with their strata. Strata need not be the classes of the map.

    Returns:
        Shares of the map, with intervals.

    Raises:
        DatasetError: If there is no point, or no stratum has a pixel.
    """
    if not len(sample.strata) or sample.sizes.sum() <= 0:
        raise DatasetError(
            "No point was answered",
            found=f"{len(sample.strata)} points in {len(sample.sizes)} strata",
            expected="one answered point at least",
            fix="Answer some points of the sample first.",
        )
    classes = range(sample.class_count)
    counts = np.zeros((sample.class_count, sample.class_count), np.int64)
    np.add.at(counts, (sample.mapped, sample.reference), 1)
    is_right = sample.mapped == sample.reference
    return AccuracyEstimates(
        counts=counts,
        areas=tuple(_area(sample, number) for number in classes),
        users=tuple(_user(sample, number) for number in classes),
        producers=tuple(_producer(sample, number) for number in classes),
        overall=_estimate(_strata_of(sample, is_right, np.ones(len(sample.sizes)))),
    )


def counts_as_sample(counts: ArrayLike, sizes: ArrayLike) -> StratifiedSample:
    """Return a table of counts as a sample whose strata are the classes of the map.

    Args:
        counts: int [K, K], points by class on the map (rows) and on the ground (columns).
        sizes: float [K], pixels of each class on the map.
    """
    table = np.asarray(counts, np.int64)
    mapped, reference = (np.repeat(axis.ravel(), table.ravel()) for axis in np.indices(table.shape))
    classes = np.arange(len(table))
    return StratifiedSample(mapped, mapped, reference, np.asarray(sizes, float), classes, len(table))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Parts of the map with the hits among their points."""

    weights: Floats
    hits: Floats
    points: Floats
    populations: Floats
    fallback: Floats
    """The share that is believed of a part without points."""

    @property
    def shares(self) -> Floats:
        return np.where(self.points > 0, self.hits / np.maximum(self.points, 1), self.fallback)

    @property
    def value(self) -> float:
        return float(self.weights @ self.shares)

    @property
    def variance(self) -> float:
        """Of the sum; a part with fewer than two points counts with the largest variance that a share can have."""
        shares = self.shares
        of_part = np.where(self.points > 1, shares * (1 - shares) / np.maximum(self.points - 1, 1), 0.25)
        return float(self.weights**2 @ (of_part * self._drawn_correction))

    @property
    def limits(self) -> tuple[float, float]:
        low, high = jeffreys_limits(self.hits / self._drawn_correction, self.points / self._drawn_correction)
        down = float(np.sqrt(self.weights**2 @ (self.shares - low) ** 2))
        up = float(np.sqrt(self.weights**2 @ (high - self.shares) ** 2))
        return max(self.value - down, 0.0), min(self.value + up, float(self.weights.sum()))

    @property
    def _drawn_correction(self) -> Floats:
        """The part of the variance that is left because points are drawn without replacement."""
        fractions = self.points / np.maximum(self.populations, 1)
        return np.where(fractions > LARGE_FRACTION, np.maximum(1 - fractions, 1e-9), 1.0)


def jeffreys_limits(hits: ArrayLike, points: ArrayLike, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the limits of Jeffreys' interval of proportions, float [N] each: 0 to 1 where there is no point.

    Args:
        hits: float [N], how often something was seen.
        points: float [N], among how many points.
        confidence: Probability that an interval holds the true proportion (default: 0.95).
    """
    from scipy.stats import beta

    successes, trials = np.asarray(hits, float), np.asarray(points, float)
    tail = (1 - confidence) / 2
    low = beta.ppf(tail, successes + 0.5, trials - successes + 0.5)
    high = beta.ppf(1 - tail, successes + 0.5, trials - successes + 0.5)
    return np.where(successes == 0, 0.0, low), np.where(successes == trials, 1.0, high)


def _strata_of(sample: StratifiedSample, is_hit: NDArray[np.bool_], fallback: Floats) -> _Cells:
    """Return the strata with their share of the map, and the hits among their points."""
    number = len(sample.sizes)
    hits = np.bincount(sample.strata, is_hit, number).astype(float)
    points = np.bincount(sample.strata, minlength=number).astype(float)
    return _Cells(sample.sizes / sample.sizes.sum(), hits, points, sample.sizes, fallback)


def _estimate(cells: _Cells) -> ShareEstimate:
    return ShareEstimate(cells.value, float(np.sqrt(cells.variance)), *cells.limits)


def _area(sample: StratifiedSample, number: int) -> ShareEstimate:
    fallback = (sample.map_classes == number).astype(float)
    return _estimate(_strata_of(sample, sample.reference == number, fallback))


def _cells_of(sample: StratifiedSample, of_map: Sequence[int], number: int) -> _Cells:
    """Return the parts of the strata that the map gives some classes; hits are points of another class or of this one.

    Where a stratum lies in one class its part is the whole of it, known exactly; else its share of the points is taken.
    """
    strata_count, shape = len(sample.sizes), (len(sample.sizes), sample.class_count)
    cell = sample.strata * sample.class_count + sample.mapped
    points = np.bincount(cell, minlength=strata_count * sample.class_count).astype(float).reshape(shape)
    hits = np.bincount(cell, sample.reference == number, strata_count * sample.class_count).astype(float).reshape(shape)
    in_stratum = points.sum(1, keepdims=True)
    on_map = (sample.map_classes[:, None] == np.arange(sample.class_count)).astype(float)
    parts = np.where(in_stratum > 0, points / np.maximum(in_stratum, 1), on_map)
    sizes = parts * sample.sizes[:, None]
    weights = sizes / sample.sizes.sum()
    fallback = np.broadcast_to((np.arange(sample.class_count) == number).astype(float), shape)
    columns = [*of_map]
    return _Cells(
        weights[:, columns].ravel(),
        hits[:, columns].ravel(),
        points[:, columns].ravel(),
        sizes[:, columns].ravel(),
        fallback[:, columns].ravel(),
    )


def _user(sample: StratifiedSample, number: int) -> ShareEstimate:
    cells = _cells_of(sample, [number], number)
    total = cells.weights.sum()
    if total <= 0:
        return ShareEstimate(np.nan, np.nan, np.nan, np.nan)
    return _estimate(_Cells(cells.weights / total, cells.hits, cells.points, cells.populations, cells.fallback))


def _producer(sample: StratifiedSample, number: int) -> ShareEstimate:
    """Return the share of a class on the ground that the map shows: what is right over what is right or missed."""
    right = _cells_of(sample, [number], number)
    missed = _cells_of(sample, [other for other in range(sample.class_count) if other != number], number)
    shown, hidden = right.value, missed.value
    if shown + hidden <= 0:
        return ShareEstimate(np.nan, np.nan, np.nan, np.nan)
    variance = (hidden**2 * right.variance + shown**2 * missed.variance) / (shown + hidden) ** 4
    low, high = _part_limits(shown, right.limits, hidden, missed.limits)
    return ShareEstimate(shown / (shown + hidden), float(np.sqrt(variance)), low, high)


def _part_limits(
    part: float, part_limits: tuple[float, float], rest: float, rest_limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the limits of part / (part + rest), of two independent sums with their limits (Donner and Zou 2012)."""
    (part_low, part_high), (rest_low, rest_high) = part_limits, rest_limits
    product = part * rest
    above, below = part_low * (2 * part - part_low), rest_high * (2 * rest - rest_high)
    root = np.sqrt(max(product**2 - above * below, 0.0))
    low_odds = above / (product + root) if product + root > 0 else 0.0
    above, below = part_high * (2 * part - part_high), rest_low * (2 * rest - rest_low)
    root = np.sqrt(max(product**2 - above * below, 0.0))
    high = 1.0 if below <= 0 else (product + root) / (product + root + below)
    return float(low_odds / (1 + low_odds)), float(high)
