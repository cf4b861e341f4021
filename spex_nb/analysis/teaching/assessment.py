"""How good a taught class is, from its examples alone: places are held out one after the other.

Examples are chosen by hand, so their yes and no are no sample of the scene. The share of yes that is recognised and the
share of no that is mistaken are estimated from places held out. The share of the scene that the class takes up in its
mask is measured. IoU follows from the three, and its interval from their uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FEWEST_PLACES = 2
"""Places of yes and of no each, below which nothing can be held out."""
DRAWS = 2000
INTERVAL = (5.0, 50.0, 95.0)
"""Percentiles: the limits of a 90 % interval, and the estimate."""
ENOUGH_WIDTH, ENOUGH_IOU = 0.25, 0.5
FAILING_IOU, FAILING_GAIN, FAILING_PLACES = 0.45, 0.45, 8
"""With so many places of each, a class does not work where the upper limit of its IoU lies below the first, or that of
the difference between yes recognised and no mistaken below the second."""
LEAST_GAIN = 0.02
"""The share of yes recognised must exceed that of no mistaken by this, or no share of the scene follows."""
CLEAR_OVERLAP = 0.35
"""Two spectra overlap less than this in a band that tells them apart."""

Advice = Literal["more examples", "enough", "does not work"]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class BandOverlap:
    """How far yes and no overlap in one band or index.

    Attributes:
        name: Of the band or index.
        yes: Mean of the examples of the class.
        no: Mean of the others.
        overlap_frac: 0 where each yes lies on one side of each no, 1 where they are the same.
    """

    name: str
    yes: float
    no: float
    overlap_frac: float


@dataclass(frozen=True)
class Assessment:
    """What examples say of a class.

    Attributes:
        iou: Estimated IoU of its mask on the scene that taught; None where too few places can be held out.
        low: Lower limit of the 90 % interval of `iou`.
        high: Its upper limit.
        recall: Share of yes that is recognised when its place is held out.
        false_alarms: Share of no that is taken for the class when its place is held out.
        yes_places: Places of yes.
        no_places: Places of no.
        cover_frac: Share of the scene's pixels that the class takes up in its mask.
        advice: ``enough``, ``more examples``, or ``does not work`` with these bands.
        overlaps: Bands and indices, those that tell yes from no best first.
    """

    iou: float | None
    low: float | None
    high: float | None
    recall: float | None
    false_alarms: float | None
    yes_places: int
    no_places: int
    cover_frac: float
    advice: Advice
    overlaps: tuple[BandOverlap, ...]

    def __str__(self) -> str:
        return " ".join([self._estimate(), self._reason()]).strip()

    def _estimate(self) -> str:
        places = f"{self.yes_places} places of yes and {self.no_places} of no"
        if self.iou is None:
            return f"No estimate yet: {places}; at least {FEWEST_PLACES} of each are needed."
        return f"Estimated IoU {self.iou:.2f} ({self.low:.2f} to {self.high:.2f}), from {places} held out in turn."

    def _reason(self) -> str:
        if not self.overlaps:
            return ""
        best = self.overlaps[0]
        apart = f"{best.name} tells it apart best: {best.yes:.3g} against {best.no:.3g}"
        overlap = f"the two overlap by {best.overlap_frac:.0%}"
        if self.advice == "does not work":
            return f"It does not work with these bands: even {best.name} overlaps by {best.overlap_frac:.0%}."
        hint = " More examples would narrow the interval." if self.advice == "more examples" else ""
        return f"{apart}; {overlap}.{hint}"


def assess(
    logits: Vector,
    truth: NDArray[np.bool_],
    places: NDArray[np.int64],
    cover_frac: float,
    overlaps: tuple[BandOverlap, ...],
    seed: int = 0,
) -> Assessment:
    """Estimate the IoU of a class.

    Args:
        logits: float64 [N], of its examples by classifiers that did not see their places, see `Committee`.
        truth: bool [N].
        places: int64 [N], numbers of places; a place counts once, by the share of its pixels that are right.
        cover_frac: Share of the scene in the mask of the class.
        overlaps: Of yes and no in each band.
        seed: Of the draws of the interval.
    """
    yes, no = (_place_shares(logits > 0, places, side, logits) for side in (truth, ~truth))
    counts = len(np.unique(places[truth])), len(np.unique(places[~truth]))
    if min(counts) < FEWEST_PLACES or not len(yes) or not len(no):
        return Assessment(None, None, None, None, None, *counts, cover_frac, "more examples", overlaps)
    (low, middle, high), most_gain = _interval(yes, no, cover_frac, seed)
    fails = min(counts) >= FAILING_PLACES and (high < FAILING_IOU or most_gain < FAILING_GAIN)
    advice = _advice(low, middle, high, overlaps, fails=fails)
    return Assessment(middle, low, high, float(yes.mean()), float(no.mean()), *counts, cover_frac, advice, overlaps)


def band_overlaps(
    names: tuple[str, ...], values: NDArray[np.float32], truth: NDArray[np.bool_]
) -> tuple[BandOverlap, ...]:
    """Return how far yes and no overlap in each of some bands or indices, the clearest first.

    Args:
        names: Of the columns.
        values: float32 [N, K].
        truth: bool [N].
    """
    if not truth.any() or truth.all():
        return ()
    overlaps = [
        BandOverlap(name, float(column[truth].mean()), float(column[~truth].mean()), _overlap(column, truth))
        for name, column in zip(names, values.T, strict=True)
    ]
    return tuple(sorted(overlaps, key=lambda overlap: overlap.overlap_frac))


def _overlap(column: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Return twice the share of pairs of yes and no that lie the wrong way round."""
    higher = (column[truth][:, None] > column[~truth]).mean() + (column[truth][:, None] == column[~truth]).mean() / 2
    return float(2 * min(higher, 1 - higher))


def _place_shares(
    is_mask: NDArray[np.bool_], places: NDArray[np.int64], side: NDArray[np.bool_], logits: Vector
) -> Vector:
    """Return for each place of one side the share of its held-out pixels that are in the mask."""
    counted = side & np.isfinite(logits)
    return np.array([is_mask[counted & (places == name)].mean() for name in np.unique(places[counted])])


def _interval(yes: Vector, no: Vector, cover_frac: float, seed: int) -> tuple[tuple[float, float, float], float]:
    """Return limits and middle of the IoU, and the upper limit of the difference of the two shares.

    The shares are drawn from their Beta distributions, with Jeffreys' prior.
    """
    generator = np.random.default_rng(seed)
    recall = generator.beta(yes.sum() + 1 / 2, (1 - yes).sum() + 1 / 2, DRAWS)
    alarms = generator.beta(no.sum() + 1 / 2, (1 - no).sum() + 1 / 2, DRAWS)
    most_gain = float(np.percentile(recall - alarms, INTERVAL[2]))
    gain = np.maximum(recall - alarms, LEAST_GAIN)
    share = (cover_frac - alarms) / gain
    is_possible = (share >= 0) & (share <= 1)
    if is_possible.any():
        # Any share of the scene is as likely beforehand. What the cover of the mask rules out is left out.
        odds = is_possible / gain
        drawn = generator.choice(DRAWS, DRAWS, p=odds / odds.sum())
        recall, alarms, share = recall[drawn], alarms[drawn], share[drawn]
    share = np.clip(share, 0, 1)
    hits = share * recall
    iou = hits / np.maximum(share + np.maximum(cover_frac - hits, 0), 1e-9)
    low, middle, high = np.percentile(np.clip(iou, 0, 1), INTERVAL)
    return (float(low), float(middle), float(high)), most_gain


def _advice(low: float, middle: float, high: float, overlaps: tuple[BandOverlap, ...], *, fails: bool) -> Advice:
    """Return what to do next; a class that a single band tells apart is given more examples before it is given up."""
    is_clear = bool(overlaps) and overlaps[0].overlap_frac < CLEAR_OVERLAP
    if fails and not is_clear:
        return "does not work"
    return "enough" if high - low <= ENOUGH_WIDTH and middle >= ENOUGH_IOU else "more examples"
