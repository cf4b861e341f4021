"""Agreement of a mask with a label: counts that add up over tiles, and figures of their sums.

An undefined figure, such as the precision of an empty mask, is NaN: it is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spex_nb.types import Claim

TOLERANCE_PX = 1
DRAWS = 1000
"""Of the bootstrap."""
LEVEL = 0.95
"""Share of the draws inside a confidence interval."""
Counts = NDArray[np.int64]
Statistic = Callable[[Counts], Any]
"""From counts [..., 4] to a figure [...]."""


def confusion_counts(mask: ArrayLike, label: ArrayLike, counted: ArrayLike | None = None) -> Counts:
    """Count the pixels of each outcome.

    Args:
        mask: Prediction, bool [H, W].
        label: Truth, bool [H, W].
        counted: Pixels that count, bool [H, W], such as those with a label; all by default.

    Returns:
        int64 [4]: true positives, false positives, false negatives, true negatives.
    """
    pixels = _counted_pixels(mask, counted)
    predicted, true = np.asarray(mask, bool)[pixels], np.asarray(label, bool)[pixels]
    hits, positives, truths = int((predicted & true).sum()), int(predicted.sum()), int(true.sum())
    negatives = predicted.size - positives - truths + hits
    return np.array([hits, positives - hits, truths - hits, negatives], np.int64)


def iou(counts: ArrayLike) -> Any:
    """Return intersection over union of confusion counts [..., 4]; NaN where both masks are empty."""
    hits, false_alarms, missed, _ = _columns(counts)
    return _ratio(hits, hits + false_alarms + missed)


def f1(counts: ArrayLike) -> Any:
    """Return F1 (Dice) of confusion counts [..., 4]; NaN where both masks are empty."""
    hits, false_alarms, missed, _ = _columns(counts)
    return _ratio(2 * hits, 2 * hits + false_alarms + missed)


def precision(counts: ArrayLike) -> Any:
    """Return the share of the prediction that is right, of confusion counts [..., 4]; NaN where it is empty."""
    hits, false_alarms, _, _ = _columns(counts)
    return _ratio(hits, hits + false_alarms)


def recall(counts: ArrayLike) -> Any:
    """Return the share of the label that the prediction covers, of confusion counts [..., 4]; NaN where it is empty."""
    hits, _, missed, _ = _columns(counts)
    return _ratio(hits, hits + missed)


def false_alarm_frac(counts: ArrayLike) -> Any:
    """Return the share of the other land that the prediction covers, of confusion counts [..., 4]."""
    _, false_alarms, _, rest = _columns(counts)
    return _ratio(false_alarms, false_alarms + rest)


def matched_counts(
    mask: ArrayLike, label: ArrayLike, counted: ArrayLike | None = None, tolerance_px: int = TOLERANCE_PX
) -> Counts:
    """Count the pixels of each mask that are near the other mask.

    Near is the square of 2 n + 1 pixels around a pixel: a diagonal step counts as much as a straight one.

    Args:
        mask: Prediction, bool [H, W].
        label: Truth, bool [H, W].
        counted: Pixels that count, bool [H, W], such as those with a label; all by default.
        tolerance_px: Largest distance that is near, 0 or more pixels.

    Returns:
        int64 [4]: predicted pixels near the label, predicted pixels, label pixels near the prediction, label pixels.
    """
    pixels = _counted_pixels(mask, counted)
    return _matched(np.asarray(mask, bool) & pixels, np.asarray(label, bool) & pixels, tolerance_px)


def boundary_counts(
    mask: ArrayLike, label: ArrayLike, counted: ArrayLike | None = None, tolerance_px: int = TOLERANCE_PX
) -> Counts:
    """Count the boundary pixels of each mask that are near the other boundary.

    Arguments and result are those of `matched_counts`. A boundary pixel belongs to its mask, and at least one of its
    four neighbours counts and does not. The edge of the tile is no boundary, and neither is that of the pixels that do
    not count.

    References:
        Csurka et al. (2013), https://doi.org/10.5244/C.27.32, for the F1 of boundaries.
    """
    pixels = _counted_pixels(mask, counted)
    predicted, true = (_boundary(np.asarray(each, bool), pixels) for each in (mask, label))
    return _matched(predicted, true, tolerance_px)


def matched_f1(counts: ArrayLike) -> Any:
    """Return F1 of matched counts [..., 4]: 0 where only one mask has pixels, NaN where neither has."""
    near_label, predicted, near_mask, true = _columns(counts)
    right, covered = _ratio(near_label, predicted), _ratio(near_mask, true)
    scores = np.nan_to_num(_ratio(2 * right * covered, right + covered))
    return np.where(predicted + true > 0, scores, np.nan)[()]


def mean_over_tiles(counts: Counts, statistic: Statistic) -> float:
    """Return the mean of a figure over the tiles for which it is defined; NaN if there are none.

    Args:
        counts: int [N, 4], one row for each tile.
        statistic: Function from counts to a figure, such as `iou`.
    """
    figures = np.asarray(statistic(counts))
    figures = figures[np.isfinite(figures)]
    return float(figures.mean()) if figures.size else float("nan")


def bootstrap_interval(
    counts: Counts, statistic: Statistic, *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> tuple[float, float]:
    """Return a confidence interval of a pooled figure over places like these.

    Each draw takes places with replacement, adds up their counts and computes the figure. The interval holds the middle
    share of the draws for which the figure is defined (percentile bootstrap, Efron 1979,
    https://doi.org/10.1214/aos/1176344552).

    Args:
        counts: int [P, 4], one row for each place. Tiles of one place resemble each other: they are no independent
            draws.
        statistic: Function from counts to a figure, such as `iou`.
        draws: Number of bootstrap draws to make.
        level: Share of the draws inside the interval, between 0 and 1.
        seed: Seed of the draws; the same seed gives the same interval.

    Returns:
        (low, high); NaN for fewer than two places, or where the figure is never defined.
    """
    table = np.asarray(counts)
    if len(table) < 2:  # noqa: PLR2004 (a single place has no spread)
        return float("nan"), float("nan")
    times = np.random.default_rng(seed).multinomial(len(table), np.full(len(table), 1 / len(table)), size=draws)
    figures = np.asarray(statistic(times @ table))
    figures = figures[np.isfinite(figures)]
    if not figures.size:
        return float("nan"), float("nan")
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def faithfulness(claims: Iterable[Claim]) -> float:
    """Return the share of the checkable claims that hold; NaN where none can be checked."""
    verdicts = [claim.verdict for claim in claims]
    holding = verdicts.count("holds")
    return float(_ratio(holding, holding + verdicts.count("contradicts")))


def _counted_pixels(mask: ArrayLike, counted: ArrayLike | None) -> NDArray[np.bool_]:
    return np.ones(np.shape(mask), bool) if counted is None else np.asarray(counted, bool)


def _columns(counts: ArrayLike) -> NDArray[np.float64]:
    return np.moveaxis(np.asarray(counts, np.float64), -1, 0)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Any:
    """Divide, NaN where the whole is 0."""
    some, total = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(some, total, out=np.full(total.shape, np.nan), where=total > 0)[()]


def _matched(mask: NDArray[np.bool_], label: NDArray[np.bool_], tolerance_px: int) -> Counts:
    near_label, near_mask = (_grown(each, tolerance_px) for each in (label, mask))
    return np.array([(mask & near_label).sum(), mask.sum(), (label & near_mask).sum(), label.sum()], np.int64)


def _grown(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    from scipy.ndimage import maximum_filter

    grown: NDArray[np.bool_] = maximum_filter(mask, size=2 * radius_px + 1, mode="constant", cval=0)
    return grown


def _boundary(mask: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    boundary: NDArray[np.bool_] = mask & counted & binary_dilation(counted & ~mask)
    return boundary
