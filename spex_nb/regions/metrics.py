"""How well a mask agrees with a label, in counts that add up over tiles, and figures made of their sums.

A figure that is not defined, such as the precision of an empty mask, is NaN: it is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from spex_nb.types import Claim

TOLERANCE_PX = 1
DRAWS = 1000
LEVEL = 0.95
Statistic = Callable[[Any], Any]
"""From counts [..., 4] to a figure [...]."""


def confusion_counts(mask: Any, label: Any, known: Any = None) -> Any:
    """Count the pixels of each outcome.

    Args:
        mask: Prediction, bool [H, W].
        label: Truth, bool [H, W].
        known: Pixels that count, bool [H, W]; all of them if not given.

    Returns:
        int64 [4]: true positives, false positives, false negatives, true negatives.
    """
    counted = np.ones(np.shape(mask), bool) if known is None else np.asarray(known, bool)
    predicted, true = np.asarray(mask, bool)[counted], np.asarray(label, bool)[counted]
    hits, claimed, wanted = int((predicted & true).sum()), int(predicted.sum()), int(true.sum())
    return np.array([hits, claimed - hits, wanted - hits, predicted.size - claimed - wanted + hits], np.int64)


def iou(counts: Any) -> Any:
    """Return intersection over union of confusion counts [..., 4]; NaN where both masks are empty."""
    hits, false_alarms, missed, _ = _columns(counts)
    return _ratio(hits, hits + false_alarms + missed)


def f1(counts: Any) -> Any:
    """Return F1 (Dice) of confusion counts [..., 4]; NaN where both masks are empty."""
    hits, false_alarms, missed, _ = _columns(counts)
    return _ratio(2 * hits, 2 * hits + false_alarms + missed)


def precision(counts: Any) -> Any:
    """Return the share of the prediction that is right, of confusion counts [..., 4]; NaN where it is empty."""
    hits, false_alarms, _, _ = _columns(counts)
    return _ratio(hits, hits + false_alarms)


def recall(counts: Any) -> Any:
    """Return the share of the label that is found, of confusion counts [..., 4]; NaN where it is empty."""
    hits, _, missed, _ = _columns(counts)
    return _ratio(hits, hits + missed)


def false_alarm_frac(counts: Any) -> Any:
    """Return the share of what is not the target that is called so, of confusion counts [..., 4]."""
    _, false_alarms, _, rest = _columns(counts)
    return _ratio(false_alarms, false_alarms + rest)


def matched_counts(mask: Any, label: Any, known: Any = None, tolerance_px: int = TOLERANCE_PX) -> Any:
    """Count pixels that have their like in the other mask, at most so many pixels away.

    Near is what lies in the square of 2 n + 1 pixels about a pixel: diagonal steps cost no more than straight ones.

    Args:
        mask: Prediction, bool [H, W].
        label: Truth, bool [H, W].
        known: Pixels that count, bool [H, W]; all of them if not given.
        tolerance_px: How far apart two pixels may be, 0 or more.

    Returns:
        int64 [4]: predicted pixels near the label, predicted pixels, label pixels near the prediction, label pixels.
    """
    counted = True if known is None else np.asarray(known, bool)
    return _matched(np.asarray(mask, bool) & counted, np.asarray(label, bool) & counted, tolerance_px)


def boundary_counts(mask: Any, label: Any, known: Any = None, tolerance_px: int = TOLERANCE_PX) -> Any:
    """Count boundary pixels that have their like in the other boundary; arguments and result as `matched_counts`.

    A boundary pixel belongs to its mask, and one of its four neighbours is known not to. The edge of the tile and that
    of the unknown are no boundaries.

    References:
        Csurka et al. (2013), https://doi.org/10.5244/C.27.32, for the F1 of boundaries.
    """
    counted = np.ones(np.shape(mask), bool) if known is None else np.asarray(known, bool)
    predicted, true = (_boundary(np.asarray(each, bool), counted) for each in (mask, label))
    return _matched(predicted, true, tolerance_px)


def matched_f1(counts: Any) -> Any:
    """Return F1 of matched counts [..., 4]: 0 where only one of both has pixels, NaN where neither has."""
    near_label, predicted, near_mask, true = _columns(counts)
    right, found = _ratio(near_label, predicted), _ratio(near_mask, true)
    both = np.nan_to_num(_ratio(2 * right * found, right + found))
    return np.where(predicted + true > 0, both, np.nan)[()]


def mean_over_tiles(counts: Any, statistic: Statistic) -> float:
    """Return the mean of a figure over tiles, those left out for which it is not defined.

    Args:
        counts: int [N, 4], a row a tile.
        statistic: Such as `iou`.
    """
    figures = np.asarray(statistic(counts))
    figures = figures[np.isfinite(figures)]
    return float(figures.mean()) if figures.size else float("nan")


def bootstrap_interval(
    counts: Any, statistic: Statistic, *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> tuple[float, float]:
    """Return in what interval a pooled figure lies if other places like these had been looked at.

    Places are drawn with replacement, their counts added up, and the figure made anew; the interval holds the middle
    share of the draws for which it is defined (the percentile bootstrap, Efron 1979,
    https://doi.org/10.1214/aos/1176344552).

    Args:
        counts: int [P, 4], a row a place. Tiles of one place resemble each other: they are no independent draws.
        statistic: Such as `iou`.
        draws: How often places are drawn.
        level: Share of the draws inside the interval, between 0 and 1.
        seed: Of the draws; the same seed gives the same interval.

    Returns:
        (low, high); NaN for fewer than two places, or where the figure is never defined.
    """
    table = np.asarray(counts)
    if len(table) < 2:  # noqa: PLR2004 (one place says nothing about others)
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


def _columns(counts: Any) -> Any:
    return np.moveaxis(np.asarray(counts, np.float64), -1, 0)


def _ratio(part: Any, whole: Any) -> Any:
    """Divide, NaN where the whole is 0."""
    some, total = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(some, total, out=np.full(total.shape, np.nan), where=total > 0)[()]


def _matched(mask: Any, label: Any, tolerance_px: int) -> Any:
    near_label, near_mask = (_grown(each, tolerance_px) for each in (label, mask))
    return np.array([(mask & near_label).sum(), mask.sum(), (label & near_mask).sum(), label.sum()], np.int64)


def _grown(mask: Any, radius_px: int) -> Any:
    from scipy.ndimage import maximum_filter

    return maximum_filter(mask, size=2 * radius_px + 1, mode="constant", cval=0)


def _boundary(mask: Any, known: Any) -> Any:
    from scipy.ndimage import binary_dilation

    return mask & known & binary_dilation(known & ~mask)
