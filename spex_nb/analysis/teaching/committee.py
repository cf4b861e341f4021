"""Logistic regressions that trust their features differently, weighed by what each gets right on held-out places.

The features of land covers help while few examples are there and the class resembles a cover. A class that no cover
resembles shows in its pixels alone. Which holds is not known beforehand, so that the examples decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.teaching.logistic import Vector, calibration_slope, fit_logistic, logits_of

MOST_FOLDS = 10
RIDGE = 1.0
SHARPNESS = 1.0
"""How strongly the better classifier is preferred, by unit of log-loss on the held-out examples."""
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Committee:
    """What several classifiers say together.

    Attributes:
        solution: float64 [D + 1], weights of the features and the bias, calibrated.
        held_out: float64 [N], logits of the examples by classifiers that did not see their places; NaN where none
            could be fitted.
    """

    solution: Vector
    held_out: Vector


def fit_committee(
    features: NDArray[np.float32],
    scales: Sequence[NDArray[np.float32]],
    shares: Sequence[float],
    truth: Truth,
    weights: Vector,
    places: NDArray[np.int64],
) -> Committee:
    """Fit a classifier for each way to scale the features, and weigh them.

    Args:
        features: float32 [N, D].
        scales: float32 [D] each.
        shares: How much each classifier counts before an example is held out.
        truth: bool [N].
        weights: float64 [N], how much each example counts.
        places: int64 [N], numbers of places, each held out as a whole.
    """
    held_out = np.stack([_hold_out(features * scale, truth, weights, places) for scale in scales])
    solutions = np.stack([_unscaled(fit_logistic(features * scale, truth, weights, RIDGE), scale) for scale in scales])
    has_logit = np.isfinite(held_out).all(axis=0)
    if not has_logit.any():
        return Committee(np.array(shares) @ solutions, held_out[0])
    signed = np.where(truth, held_out, -held_out)[:, has_logit]
    losses = np.logaddexp(0, -signed) @ weights[has_logit]
    trust = np.array(shares) * np.exp(-SHARPNESS * (losses - losses.min()))
    trust /= trust.sum()
    joint: Vector = trust @ held_out
    slope = calibration_slope(joint[has_logit], truth[has_logit], weights[has_logit])
    return Committee(slope * (trust @ solutions), joint)


def _unscaled(solution: Vector, scale: NDArray[np.float32]) -> Vector:
    """Return the solution for features that are not scaled."""
    weights: Vector = np.append(solution[:-1] * scale, solution[-1])
    return weights


def _hold_out(features: NDArray[np.float32], truth: Truth, weights: Vector, places: NDArray[np.int64]) -> Vector:
    """Return the logit of each example by a classifier that was fitted without its place."""
    logits: Vector = np.full(len(truth), np.nan)
    for fold in _folds(truth, places):
        others = ~fold
        if truth[others].any() and not truth[others].all():
            solution = fit_logistic(features[others], truth[others], weights[others], RIDGE)
            logits[fold] = logits_of(features[fold], solution)
    return logits


def _folds(truth: Truth, places: NDArray[np.int64]) -> Iterator[Truth]:
    """Yield which examples each fold holds out; places of yes and of no take turns, so that a fold has some of both."""
    names = np.unique(places)
    is_yes = np.array([truth[places == name].mean() > 1 / 2 for name in names], bool)
    order = np.concatenate([names[is_yes], names[~is_yes]])
    number = np.concatenate([np.arange(is_yes.sum()), np.arange((~is_yes).sum())]) % MOST_FOLDS
    for fold in np.unique(number):
        yield np.isin(places, order[number == fold])
