"""Areas and accuracies from checked points: a published example to every digit, corner cases, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from spex_nb.errors import DatasetError
from spex_nb.evaluation.area_estimates import (
    StratifiedSample,
    counts_as_sample,
    estimate_accuracy,
    jeffreys_limits,
)
from spex_nb.types import AreaInterval

OLOFSSON = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
SIZES = [200_000, 150_000, 3_200_000, 6_450_000]
"""Pixels of 30 m of deforestation, forest gain, stable forest and stable non-forest (Olofsson et al. 2014)."""
PIXEL_HA = 0.09


def test_the_example_of_olofsson_2014_to_every_digit() -> None:
    estimates = estimate_accuracy(counts_as_sample(OLOFSSON, SIZES))
    total_ha = sum(SIZES) * PIXEL_HA
    areas = [(round(share.value * total_ha), round(share.margin * total_ha)) for share in estimates.areas]
    assert areas == [(21_158, 6_158), (11_686, 3_756), (285_770, 15_510), (581_386, 16_282)]
    assert round(estimates.overall.value, 3) == 0.947
    assert round(estimates.overall.margin, 2) == 0.02
    users = [(round(share.value, 2), round(share.margin, 2)) for share in estimates.users]
    assert users == [(0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)]
    producers = [(round(share.value, 2), round(share.margin, 2)) for share in estimates.producers]
    assert producers == [(0.75, 0.21), (0.85, 0.25), (0.93, 0.03), (0.96, 0.02)]  # its equation 7, worked out apart
    np.testing.assert_array_equal(estimates.counts, OLOFSSON)


def test_the_limits_of_the_example_hold_the_estimate_and_are_near_the_classical_margin() -> None:
    estimates = estimate_accuracy(counts_as_sample(OLOFSSON, SIZES))
    for share in (*estimates.areas, *estimates.users, *estimates.producers, estimates.overall):
        assert 0 <= share.low <= share.value <= share.high <= 1
    forest = estimates.areas[2]
    assert (forest.high - forest.low) / 2 == pytest.approx(forest.margin, rel=0.06)


def test_strata_that_are_not_the_classes_give_the_share_worked_out_by_hand() -> None:
    # 30 pixels of 100 in stratum 0, of which 3 of 4 points are class 1; 70 in stratum 1, of which 1 of 4 is.
    sample = StratifiedSample(
        strata=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        mapped=np.array([1, 1, 0, 0, 0, 0, 0, 1]),
        reference=np.array([1, 1, 1, 0, 0, 0, 0, 1]),
        sizes=np.array([3_000.0, 7_000.0]),
        map_classes=np.array([1, 0]),
        class_count=2,
    )
    estimates = estimate_accuracy(sample)
    assert estimates.areas[1].value == pytest.approx(0.3 * 3 / 4 + 0.7 * 1 / 4)
    variance = 0.3**2 * (3 / 16) / 3 + 0.7**2 * (3 / 16) / 3
    assert estimates.areas[1].standard_error == pytest.approx(np.sqrt(variance))
    assert estimates.overall.value == pytest.approx(0.3 * 3 / 4 + 0.7)
    assert estimates.users[1].value == pytest.approx(1.0)  # 0.3 x 2/4 and 0.7 x 1/4 of the map, all of them right
    right = 0.3 * 2 / 4 + 0.7 * 1 / 4
    assert estimates.producers[1].value == pytest.approx(right / (right + 0.3 * 1 / 4))


def test_a_stratum_without_points_counts_as_the_map_says_and_widens_the_interval_by_all_of_it() -> None:
    sample = StratifiedSample(
        strata=np.zeros(400, int),
        mapped=np.zeros(400, int),
        reference=np.repeat([0, 1], 200),
        sizes=np.array([90_000.0, 10_000.0]),
        map_classes=np.array([0, 1]),
        class_count=2,
    )
    area = estimate_accuracy(sample).areas[1]
    assert area.value == pytest.approx(0.9 * 0.5 + 0.1)
    assert area.value - area.low > 0.1
    narrow = estimate_accuracy(counts_as_sample([[200, 200], [0, 0]], [100_000, 0]))
    assert narrow.areas[1].value == pytest.approx(0.5)
    assert np.isnan(narrow.users[1].value)


def test_a_stratum_of_which_every_pixel_was_seen_leaves_no_doubt() -> None:
    estimates = estimate_accuracy(counts_as_sample([[6, 2], [1, 3]], [8, 4]))
    assert estimates.areas[1].value == pytest.approx(5 / 12)
    assert estimates.areas[1].high - estimates.areas[1].low < 1e-3


def test_no_errors_seen_is_not_no_errors() -> None:
    area = estimate_accuracy(counts_as_sample([[30, 0], [0, 30]], [90_000, 10_000])).areas[1]
    assert area.standard_error == 0
    assert area.value == pytest.approx(0.1)
    assert area.high > 0.15
    assert area.low < 0.1


@pytest.mark.parametrize(("hits", "points", "low", "high"), [(0, 0, 0, 1), (0, 10, 0, 0.2172), (5, 10, 0.2235, 0.7765)])
def test_limits_of_jeffreys(hits: int, points: int, low: float, high: float) -> None:
    limits = jeffreys_limits([hits], [points])
    np.testing.assert_allclose([side[0] for side in limits], [low, high], atol=5e-4)


def test_a_sample_without_points_is_refused() -> None:
    with pytest.raises(DatasetError, match="Answer some points"):
        estimate_accuracy(counts_as_sample([[0, 0], [0, 0]], [10, 10]))


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (AreaInterval(0.124, 0.115, 0.133, 10**6, 1e8, 100), "1,240 ± 90 ha, from 100 points"),
        (AreaInterval(0.1, 0.09, 0.15, 10_000, None, 1), "1,000 px, between 900 and 1,500 px, from 1 point"),
        (AreaInterval(0.01, 0.008, 0.012, 10_000, 100_000.0, 50), "1,000 ± 200 m², from 50 points"),
    ],
)
def test_an_area_says_its_interval(interval: AreaInterval, text: str) -> None:
    assert str(interval) == text


def simulated_map(rng: np.random.Generator, family: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of four strata [4] (two classes, each clear and doubtful), and the share of class 1 in each."""
    share = {"large": rng.uniform(0.2, 0.6), "small": rng.uniform(0.01, 0.05), "tiny": rng.uniform(0.002, 0.01)}[family]
    wrong = rng.uniform(0.02, 0.3)
    missed = rng.uniform(0.002, 0.05) * min(1, share / 0.2)
    sizes = 1e6 * np.array([(1 - share) * 0.92, (1 - share) * 0.08, share * 0.85, share * 0.15])
    truth = np.array([missed, min(1, 8 * missed), 1 - wrong, 1 - min(0.9, 3 * wrong)])
    return sizes, truth


def simulated_sample(rng: np.random.Generator, family: str, design: str, n: int) -> tuple[StratifiedSample, np.ndarray]:
    """Return a sample of a simulated map, and the truth: area of class 1, overall, user's and producer's accuracy."""
    sizes, truth = simulated_map(rng, family)
    shares = sizes / sizes.sum()
    spread = np.rint(n * (0.5 / 4 + 0.5 * shares)).astype(int)
    points = spread if design == "stratified" else rng.multinomial(n, shares)  # rare strata stay empty now and then
    hits = rng.binomial(points, truth)
    strata = np.repeat(np.arange(4), points)
    reference = np.concatenate([np.repeat([1, 0], [hit, count - hit]) for hit, count in zip(hits, points, strict=True)])
    map_classes = np.array([0, 0, 1, 1])
    sample = StratifiedSample(strata, map_classes[strata], reference, sizes, map_classes, 2)
    right = shares[2:] @ truth[2:]
    area = shares @ truth
    overall = right + shares[:2] @ (1 - truth[:2])
    return sample, np.array([area, overall, right / shares[2:].sum(), right / area])


def coverage(design: str, n: int, maps: int) -> np.ndarray:
    """Return how often the intervals of area, overall, user's and producer's accuracy hold the truth, by family."""
    rng, families = np.random.default_rng(7), ("large", "small", "tiny")
    hits = np.zeros((len(families), 4))
    for index, family in enumerate(families):
        for _ in range(maps):
            sample, truth = simulated_sample(rng, family, design, n)
            result = estimate_accuracy(sample)
            shares = (result.areas[1], result.overall, result.users[1], result.producers[1])
            hits[index] += [share.low <= value <= share.high for share, value in zip(shares, truth, strict=True)]
    return hits / maps


@pytest.mark.slow
@pytest.mark.parametrize(("design", "n"), [("stratified", 100), ("stratified", 300), ("random", 100)])
def test_intervals_hold_the_truth_of_a_thousand_simulated_maps(design: str, n: int) -> None:
    rates = coverage(design, n, 340)
    assert ((rates.mean(axis=0) >= 0.93) & (rates.mean(axis=0) <= 0.97)).all()
    assert rates.min() > 0.9
