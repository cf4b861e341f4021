"""The shift of two scenes: known where windows agree, and called unknown where they scatter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow
from scipy import ndimage

from spex_nb.analysis.change.alignment.registration import Registration, register
from spex_nb.analysis.change.wording import registration_sentences
from spex_nb.language.explanation.change_words import ChangeWords

SHAPE = (300, 400)


def sentences_of(registration: Registration) -> str:
    """Return what an English explanation says of a shift."""
    return " ".join(registration_sentences(registration, ChangeWords("en")))


def texture(seed: int) -> NDArray[np.float64]:
    """Return a smooth random picture."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2)
    return np.asarray(smooth / smooth.std())


def reader(picture: NDArray[np.float64], valid: NDArray[np.bool_] | None = None) -> Callable[..., NDArray[np.float32]]:
    """Return the function that reads windows of a picture of one band."""
    layers = np.stack([picture, np.ones(SHAPE) if valid is None else valid]).astype(np.float32)

    def read(window: FileWindow) -> NDArray[np.float32]:
        rows, columns = window.toslices()
        return layers[:, rows, columns]

    return read


@pytest.mark.parametrize(("x", "y"), [(0.5, -0.5), (0.0, 0.3), (2.25, -1.75), (-6.0, 4.0)])
def test_a_shift_is_measured_to_a_twentieth_of_a_pixel(x: float, y: float) -> None:
    picture = texture(0)
    noise = np.random.default_rng(1).normal(0, 0.1, SHAPE)
    result = register(reader(picture), reader(ndimage.shift(picture, (y, x), order=3, mode="wrap") + noise), SHAPE)
    assert (result.shift_x_px, result.shift_y_px) == pytest.approx((x, y), abs=0.051)
    assert result.is_measured
    assert result.is_applied
    assert result.shift_px == (-result.shift_x_px, -result.shift_y_px)
    assert result.uncertainty_px == pytest.approx(0.2, abs=0.05)


def test_less_than_is_known_is_not_applied() -> None:
    result = register(reader(texture(0)), reader(texture(0)), SHAPE)
    assert result.is_measured
    assert not result.is_applied
    assert "nothing was moved" in sentences_of(result)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_unrelated_pictures_have_no_shift(seed: int) -> None:
    result = register(reader(texture(0)), reader(texture(seed)), SHAPE)
    assert not result.is_measured
    assert not any(result.shift_px)
    assert result.spread_px > 5
    assert result.uncertainty_px == 1
    assert f"more than {result.spread_px:.1f} px from the median" in sentences_of(result)


def test_another_stretch_of_the_brightness_changes_no_shift() -> None:
    picture = texture(0)
    moved = ndimage.shift(picture, (0.5, 1.5), order=3, mode="wrap")
    result = register(reader(picture), reader(np.exp(0.4 * moved) * 3 + 7), SHAPE)
    assert (result.shift_x_px, result.shift_y_px) == pytest.approx((1.5, 0.5), abs=0.051)


def test_windows_without_data_or_contrast_are_left_out() -> None:
    picture = texture(0)
    hidden = np.zeros(SHAPE, bool)
    assert register(reader(picture, hidden), reader(picture), SHAPE).windows == 0
    flat = register(reader(np.zeros(SHAPE)), reader(picture), SHAPE)
    assert flat.windows == 0
    assert "too few windows of 48 px or more have data" in sentences_of(flat)
    half = np.ones(SHAPE, bool)
    half[:, :120] = False
    result = register(reader(picture, half), reader(ndimage.shift(picture, (0, 1), order=3, mode="wrap")), SHAPE)
    assert 5 <= result.windows < 25
    assert result.shift_x_px == pytest.approx(1, abs=0.051)
