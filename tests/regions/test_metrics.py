"""Figures of agreement: worked out by hand, NaN where they are not defined, intervals that a seed fixes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from spex_nb.regions.metrics import (
    bootstrap_interval,
    boundary_counts,
    confusion_counts,
    f1,
    faithfulness,
    false_alarm_frac,
    iou,
    matched_counts,
    matched_f1,
    mean_over_tiles,
    precision,
    recall,
)
from spex_nb.types import Claim, Verdict

MASKS = arrays(bool, (6, 7))
FIGURES = (iou, f1, precision, recall, false_alarm_frac)


def pixels(*rows: str) -> Any:
    return np.array([[mark == "#" for mark in row] for row in rows])


def test_figures_by_hand() -> None:
    mask, label = pixels("##..", "##.."), pixels("#.#.", "###.")
    counts = confusion_counts(mask, label)
    assert counts.tolist() == [3, 1, 2, 2]
    assert iou(counts) == 3 / 6
    assert f1(counts) == 6 / 9
    assert precision(counts) == 3 / 4
    assert recall(counts) == 3 / 5
    assert false_alarm_frac(counts) == 1 / 3


def test_unknown_pixels_never_count() -> None:
    mask, label, known = pixels("##.."), pixels("#.#."), pixels("#..#")
    assert confusion_counts(mask, label, known).tolist() == [1, 0, 0, 1]
    assert matched_counts(mask, label, known).tolist() == [1, 1, 1, 1]
    assert confusion_counts(mask, label, pixels("....")).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_not_defined_is_nan(figure: Any) -> None:
    assert math.isnan(figure([0, 0, 0, 0]))


def test_an_empty_mask_has_no_precision_and_an_empty_label_no_recall() -> None:
    nothing_found, nothing_there = [0, 0, 5, 3], [0, 5, 0, 3]
    assert math.isnan(precision(nothing_found))
    assert recall(nothing_found) == iou(nothing_found) == f1(nothing_found) == 0
    assert math.isnan(recall(nothing_there))
    assert precision(nothing_there) == iou(nothing_there) == f1(nothing_there) == 0


def test_many_rows_at_once_are_the_rows_one_by_one() -> None:
    table = np.random.default_rng(0).integers(0, 3, (50, 4))
    for figure in (*FIGURES, matched_f1):
        np.testing.assert_array_equal(figure(table), [figure(row) for row in table])


def test_tolerance_forgives_a_shift_of_one_pixel_also_along_a_diagonal() -> None:
    label = pixels(".....", ".....", "..#..", ".....", ".....")
    for dy, dx in ((0, 1), (1, 1), (-1, 0)):
        shifted = np.roll(label, (dy, dx), (0, 1))
        assert matched_counts(shifted, label).tolist() == [1, 1, 1, 1]
        assert matched_f1(matched_counts(shifted, label, tolerance_px=0)) == 0
    assert matched_f1(matched_counts(np.roll(label, 2, 1), label)) == 0
    assert matched_f1(matched_counts(np.roll(label, 2, 1), label, tolerance_px=2)) == 1


def test_tolerant_f1_by_hand() -> None:
    mask, label = pixels("##...#"), pixels("#.....")
    assert matched_counts(mask, label).tolist() == [2, 3, 1, 1]
    assert matched_f1([2, 3, 1, 1]) == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))


def test_tolerance_does_not_reach_around_the_edge() -> None:
    assert matched_counts(pixels("#...."), pixels("....#")).tolist() == [0, 1, 0, 1]


def test_matched_f1_is_nan_only_where_nothing_is_on_either_side() -> None:
    assert math.isnan(matched_f1([0, 0, 0, 0]))
    assert matched_f1([0, 0, 0, 4]) == matched_f1([0, 4, 0, 0]) == matched_f1([0, 4, 0, 4]) == 0


def test_the_boundary_of_a_square_is_its_outer_ring() -> None:
    square = pixels("......", ".####.", ".####.", ".####.", ".####.", "......")
    assert boundary_counts(square, square).tolist() == [12, 12, 12, 12]
    inner = pixels("......", "......", "..##..", "..##..", "......", "......")
    assert boundary_counts(inner, square).tolist() == [4, 4, 12, 12]
    assert boundary_counts(inner, square, tolerance_px=0).tolist() == [0, 4, 0, 12]


def test_the_edges_of_the_tile_and_of_the_unknown_are_no_boundaries() -> None:
    full = np.ones((4, 4), bool)
    assert boundary_counts(full, full).tolist() == [0, 0, 0, 0]
    left = pixels("##..", "##..")
    assert boundary_counts(left, left, counted=pixels("##..", "##..")).tolist() == [0, 0, 0, 0]
    assert boundary_counts(left, left).tolist() == [2, 2, 2, 2]


@given(MASKS, MASKS, MASKS)
def test_properties(mask: Any, label: Any, known: Any) -> None:
    counts = confusion_counts(mask, label, known)
    assert counts.sum() == known.sum()
    assert confusion_counts(label, mask, known).tolist() == counts[[0, 2, 1, 3]].tolist()
    if not math.isnan(iou(counts)):
        assert 0 <= iou(counts) <= f1(counts) <= 1
        assert f1(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)))
        assert matched_f1(matched_counts(mask, label, known, 0)) == pytest.approx(f1(counts))
        assert matched_f1(matched_counts(mask, label, known)) >= f1(counts) - 1e-12
    assert matched_f1(boundary_counts(mask, mask, known)) in (1, pytest.approx(math.nan, nan_ok=True))


def test_the_mean_over_tiles_leaves_out_tiles_without_a_figure() -> None:
    table = [[1, 0, 0, 9], [1, 1, 0, 8], [0, 0, 0, 10]]
    assert mean_over_tiles(table, iou) == 0.75
    assert math.isnan(mean_over_tiles(table[2:], iou))
    assert math.isnan(mean_over_tiles(np.zeros((0, 4)), iou))


def test_the_interval_is_fixed_by_its_seed_and_holds_the_pooled_figure() -> None:
    table = np.random.default_rng(1).integers(1, 100, (20, 4))
    low, high = bootstrap_interval(table, iou, seed=3)
    assert (low, high) == bootstrap_interval(table, iou, seed=3)
    assert (low, high) != bootstrap_interval(table, iou, seed=4)
    assert low < iou(table.sum(0)) < high


def test_the_interval_of_places_that_are_all_alike_is_a_point() -> None:
    assert bootstrap_interval([[2, 1, 1, 0]] * 5, iou) == (0.5, 0.5)


def test_the_interval_by_hand() -> None:
    """Two places, one all right, one all wrong: a quarter of the draws each is 0 and 1, half of them 1/2."""
    assert bootstrap_interval([[5, 0, 0, 0], [0, 5, 0, 0]], iou) == (0, 1)
    assert bootstrap_interval([[5, 0, 0, 0], [0, 5, 0, 0]], iou, level=0.4) == (0.5, 0.5)


def test_draws_without_the_target_do_not_spoil_the_interval() -> None:
    assert bootstrap_interval([[5, 0, 0, 0], [0, 0, 0, 5]], iou) == (1, 1)


@pytest.mark.parametrize("table", [[[3, 1, 1, 0]], np.zeros((0, 4)), np.zeros((4, 4))])
def test_the_interval_is_nan_for_one_place_or_no_figure(table: Any) -> None:
    assert all(math.isnan(end) for end in bootstrap_interval(table, iou))


def claim(verdict: Verdict) -> Claim:
    return Claim("5 ha", 0, "area", "5 ha", "", verdict)


def test_faithfulness_counts_what_can_be_checked() -> None:
    verdicts: tuple[Verdict, ...] = ("holds", "holds", "holds", "contradicts", "cannot be checked")
    assert faithfulness(map(claim, verdicts)) == 0.75
    assert math.isnan(faithfulness([claim("cannot be checked")]))
