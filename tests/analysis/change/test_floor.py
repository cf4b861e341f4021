"""The floor by hand: squares that are moved, and pixels that no move explains."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from spex_nb.analysis.change.change_classes import change_classes, class_areas
from spex_nb.analysis.change.floor import shift_change_px, unexplained_rows
from spex_nb.analysis.change.noise import noise_deviation

NODATA = 255


def square_classes(side: int, shape: tuple[int, int] = (20, 30)) -> NDArray[np.uint8]:
    """Return classes of a target that did not change: one square, away from the edges."""
    mask = np.zeros(shape, np.uint8)
    mask[5 : 5 + side, 7 : 7 + side] = 1
    return change_classes(mask, mask, 1)


def test_classes_of_change() -> None:
    before = np.array([[0, 0, 1, 1, 1, NODATA, 2]], np.uint8)
    after = np.array([[0, 1, 0, 1, NODATA, 1, 1]], np.uint8)
    np.testing.assert_array_equal(change_classes(before, after, 1), [[0, 1, 2, 3, NODATA, NODATA, 1]])
    areas = class_areas(change_classes(before, after, 1), None)
    assert {number: area.px for number, area in areas.items()} == {0: 1, 1: 2, 2: 1, 3: 1, NODATA: 2}
    assert areas[1].ha is None


@pytest.mark.parametrize(("uncertainty", "pixels"), [(1.0, 15.0), (0.5, 7.5), (2.0, 28.0), (1.5, 21.5)])
def test_a_moved_square_gains_and_loses_its_border(uncertainty: float, pixels: float) -> None:
    """A square of 8 pixels moved by 1 along both axes keeps 7 x 7 of 64 pixels; by 2 it keeps 6 x 6."""
    assert shift_change_px(square_classes(8), uncertainty) == pytest.approx(pixels)


def test_ground_without_data_is_no_change() -> None:
    classes = square_classes(8)
    classes[:, 15:] = NODATA  # right of the square
    classes[:5] = classes[13:] = NODATA  # above and below
    assert shift_change_px(classes, 1.0) == 8  # only its left side is left


def test_pixels_near_the_target_of_the_other_date_are_explained() -> None:
    classes = np.zeros((6, 12), np.uint8)
    classes[:, :3] = 3
    classes[:, 3:5] = 1  # two columns gained beside it
    classes[2, 9] = 1  # and a pixel far away
    expected = np.zeros((6, 12), bool)
    expected[:, 4] = expected[2, 9] = True
    np.testing.assert_array_equal(unexplained_rows(classes, slice(0, 6), 1, 1), expected)
    np.testing.assert_array_equal(unexplained_rows(classes, slice(2, 4), 1, 1), expected[2:4])


def test_the_noise_of_a_band_is_estimated_from_its_second_differences() -> None:
    random = np.random.default_rng(0)
    row, column = np.mgrid[:200, :200]
    band = (0.1 + row * 0.001 - column * 0.002 + random.normal(0, 0.01, (200, 200))).astype(np.float32)
    valid = np.ones(band.shape, bool)
    band[50:150, 50:60] += 0.5  # edges count little
    assert noise_deviation(band, valid) == pytest.approx(0.01, rel=0.05)
    assert noise_deviation(band, np.zeros_like(valid)) == 0
