"""Logistic regression with a Gaussian prior on the weights, fitted by Newton's method in some milliseconds.

Source of the method: Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_STEPS = 25
CONVERGED = 1e-4
BIAS_RIDGE = 1e-3
LARGEST_LOGIT = 30.0
SLOPE_SPREAD = 0.5
"""Standard deviation of the logarithm of a calibration's slope, before any example is seen."""
SLOPES = np.exp(np.linspace(-2.0, 2.0, 81))

Vector = NDArray[np.float64]


def fit_logistic(
    features: NDArray[np.float32], truth: NDArray[np.bool_], weights: Vector, ridge: float = 1.0
) -> Vector:
    """Return the weights of a logistic regression, float64 [D + 1]; the last one is the bias.

    Args:
        features: float32 [N, D].
        truth: bool [N].
        weights: float64 [N], how much each example counts.
        ridge: How strongly weights are drawn to 0.
    """
    design = np.column_stack([features.astype(np.float64), np.ones(len(features))])
    pull = np.full(design.shape[1], ridge)
    pull[-1] = BIAS_RIDGE
    solution: Vector = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        probability = sigmoid(design @ solution)
        slope = design.T @ (weights * (probability - truth)) + pull * solution
        bend = (design * (weights * probability * (1 - probability))[:, None]).T @ design + np.diag(pull)
        step = np.linalg.solve(bend, slope)
        solution = solution - step
        if np.abs(step).max() < CONVERGED:
            break
    return solution


def logits_of(features: NDArray[np.float32], solution: Vector) -> NDArray[np.float32]:
    """Return logits float32 [N] of features [N, D]."""
    weights = solution.astype(np.float32)
    logits: NDArray[np.float32] = features @ weights[:-1] + weights[-1]
    return logits


def calibration_slope(logits: Vector, truth: NDArray[np.bool_], weights: Vector) -> float:
    """Return the factor that makes logits of examples that were held out as sure as they are right.

    It is the most likely one under a prior around 1, so that few examples change little.
    """
    signed = np.where(truth, logits, -logits)
    losses = np.logaddexp(0, -SLOPES[:, None] * signed) @ weights + np.log(SLOPES) ** 2 / (2 * SLOPE_SPREAD**2)
    return float(SLOPES[int(np.argmin(losses))])


def sigmoid(logits: NDArray[np.floating]) -> Vector:
    """Return probabilities of logits."""
    probabilities: Vector = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)))
    return probabilities
