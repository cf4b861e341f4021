"""Two answers to the same points: how far two persons agree, and which of two maps is right more often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spex_nb.errors import DatasetError

SIGNIFICANT = 0.05
"""Below this probability a difference counts as shown."""


@dataclass(frozen=True, slots=True)
class PersonAgreement:
    """How far two persons agree on the same points."""

    points: int
    """Points that both answered, and of which neither was unsure."""
    share_frac: float
    """Share of these points with the same answer."""
    kappa: float
    """Cohen's kappa: agreement beyond what chance gives. NaN where both gave one and the same class throughout."""

    def __str__(self) -> str:
        """Return both figures in one sentence."""
        kappa = "undefined, as there is one class only" if np.isnan(self.kappa) else f"{self.kappa:.2f}"
        return f"Two persons agree on {self.share_frac:.0%} of {self.points} points; Cohen's kappa is {kappa}."


@dataclass(frozen=True, slots=True)
class MapComparison:
    """Which of two maps is right more often, from the same points."""

    points: int
    first_only: int
    """Points at which only the first map is right."""
    second_only: int
    """Points at which only the second map is right."""
    difference_frac: float
    """Estimated overall accuracy of the first map less that of the second, weighted by the strata."""
    p_value: float
    """Of the exact paired test that both maps are right equally often."""

    @property
    def better(self) -> str:
        """``first`` or ``second`` where the points show that map to be better; else an empty text."""
        sign = self.first_only - self.second_only
        if self.p_value >= SIGNIFICANT or sign * self.difference_frac <= 0:
            return ""
        return "first" if sign > 0 else "second"

    def __str__(self) -> str:
        """Return the verdict and its reason in two sentences."""
        verdict = {
            "first": "The first map is better.",
            "second": "The second map is better.",
            "": "These points do not show which map is better.",
        }[self.better]
        return (
            f"{verdict} At {self.first_only} of {self.points} points only the first is right, at {self.second_only} "
            f"only the second (exact paired test, p = {self.p_value:.3g})."
        )


def measure_agreement(first: Sequence[str], second: Sequence[str]) -> PersonAgreement:
    """Compare the answers of two persons.

    Args:
        first: Answers of one person, point by point.
        second: Answers of the other person to the same points.

    Returns:
        The share of equal answers, and Cohen's kappa (Cohen 1960, doi 10.1177/001316446002000104).

    Raises:
        DatasetError: If there is no point in common.
    """
    if len(first) != len(second) or not len(first):
        raise DatasetError(
            "The answers cannot be compared",
            found=f"{len(first)} and {len(second)} answers",
            expected="answers of both persons to the same points, one at least",
            fix="Let both answer the same points.",
        )
    classes, codes = np.unique([*first, *second], return_inverse=True)
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, (codes[: len(first)], codes[len(first) :]), 1 / len(first))
    share = float(np.trace(table))
    by_chance = float(table.sum(0) @ table.sum(1))
    kappa = float("nan") if by_chance >= 1 else (share - by_chance) / (1 - by_chance)
    return PersonAgreement(len(first), share, kappa)


def compare_correctness(first: ArrayLike, second: ArrayLike, weights: ArrayLike) -> MapComparison:
    """Compare two maps by where each of them is right.

    Args:
        first: bool [N], whether the first map is right at each point.
        second: bool [N], whether the second map is right there.
        weights: float [N], the share of the map that each point stands for.

    Returns:
        The counts, and the exact test of McNemar (1947, doi 10.1007/BF02295996) on the points where one map is right.
    """
    from scipy.stats import binomtest

    is_first, is_second, shares = (np.asarray(values, float) for values in (first, second, weights))
    first_only, second_only = (int(((is_first - is_second) == sign).sum()) for sign in (1, -1))
    apart = first_only + second_only
    p_value = float(binomtest(first_only, apart, 0.5).pvalue) if apart else 1.0
    difference = float(shares @ (is_first - is_second))
    return MapComparison(len(is_first), first_only, second_only, difference, p_value)
