"""What cannot be reflectance raises one question with the argument that settles it; what can be raises none."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb import extract
from spex_nb.errors import ReflectanceWarning, SpexWarning
from spex_nb.scene.guard import notes_of_scene, settling_options
from spex_nb.scene.open import open_scene

NAMES = ["blue", "green", "red", "nir"]
SPECTRA = np.array([(0.03, 0.06, 0.04, 0.38), (0.055, 0.05, 0.03, 0.015), (0.10, 0.14, 0.19, 0.29)])
"""Reflectance of vegetation, water and soil."""


def land() -> Any:
    """Reflectance float64 [4, 96, 96]: vegetation, a lake of a sixth, soil; each pixel a little different."""
    classes = np.zeros((96, 96), int)
    classes[:32, :48], classes[64:] = 1, 2
    noise = np.random.default_rng(5).normal(1, 0.03, (4, 96, 96))
    return np.moveaxis(SPECTRA[classes], -1, 0) * noise


def numbers(scale: float, offset: float, dtype: str = "uint16") -> Any:
    return np.rint((land() - offset) / scale).astype(dtype)


@pytest.mark.parametrize(
    ("pixels", "options", "settles"),
    [
        (numbers(2e-5, -0.1), {"sensor": "landsat8"}, {"scale": 2e-5, "offset": -0.1}),
        (numbers(2e-5, -0.1), {"sensor": "landsat5"}, {"scale": 2e-5, "offset": -0.1}),
        (numbers(1e-4, 0.0), {"sensor": "sentinel2_l2a", "offset": -0.1}, {"scale": 1e-4, "offset": 0.0}),
        (numbers(1e-4, 0.0, "int16"), {"sensor": "landsat8"}, {"scale": 1e-4, "offset": 0.0}),
        (numbers(1e-4, 0.0, "float32"), {"scale": 1.0}, {"scale": 1e-4, "offset": 0.0}),
        (numbers(0.01, 0.0, "float32"), {"scale": 1.0}, {"scale": 0.01, "offset": 0.0}),
    ],
    ids=["Level-1 as Level-2", "Level-1 of TM", "an offset too many", "Collection 1", "ten-thousandths", "percent"],
)
def test_the_argument_named_settles_it(pixels: Any, options: dict[str, Any], settles: dict[str, float]) -> None:
    with pytest.warns(SpexWarning) as caught:
        scene = open_scene(pixels, bands=NAMES, **options)
    assert settling_options(scene) == settles
    question = scene.attrs["question"]
    assert question.startswith("This cannot be reflectance: ")
    assert all(f"{name}={value!r}" in question for name, value in settles.items())
    assert caught
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpexWarning)
        settled = open_scene(pixels, bands=NAMES, **options | settles)
    assert "question" not in settled.attrs
    for name, expected in zip(NAMES, land(), strict=True):
        np.testing.assert_allclose(settled[name], expected, atol=0.006)


def test_level_1_is_called_by_its_name() -> None:
    with pytest.warns(ReflectanceWarning, match=r"looks like Level-1 top-of-atmosphere .*: open with scale=2e-05"):
        open_scene(numbers(2e-5, -0.1), bands=NAMES, sensor="landsat8")


def test_a_number_far_below_zero_is_missing_data() -> None:
    pixels = land().astype("float32")
    pixels[:, 40:60, 40:60] = -99
    with pytest.warns(ReflectanceWarning, match=r"missing pixels that are marked by -99: open with nodata=-99"):
        scene = open_scene(pixels, bands=NAMES)
    settled = open_scene(pixels, bands=NAMES, **settling_options(scene))
    assert int((~settled["valid"]).sum()) == 400


def test_a_scale_that_only_makes_negative_numbers_small_is_no_answer() -> None:
    pixels = np.random.default_rng(3).integers(-1500, 5000, (4, 96, 96)).astype("int16")
    with pytest.warns(ReflectanceWarning, match=r"below zero\. Pass the scale= and offset="):
        scene = open_scene(pixels, bands=NAMES, scale=1e-4)
    assert settling_options(scene) == {}


def test_standardised_numbers_are_asked_about_without_an_answer() -> None:
    pixels = land()
    pixels = ((pixels - pixels.mean((1, 2), keepdims=True)) / pixels.std((1, 2), keepdims=True)).astype("float32")
    with pytest.warns(ReflectanceWarning, match=r"below zero\. Pass the scale= and offset= that"):
        scene = open_scene(pixels, bands=NAMES)
    assert settling_options(scene) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels,
        lambda pixels: pixels + np.where(np.arange(96) < 1, -0.1, 0.0)[None, :, None] * (pixels < 0.02),
        lambda pixels: np.full_like(pixels, 0.95) * np.random.default_rng(0).normal(1, 0.02, pixels.shape),
    ],
    ids=["land", "a few pixels of noise", "snow"],
)
def test_what_is_possible_is_not_asked_about(change: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpexWarning)
        scene = open_scene(change(land()).astype("float32"), bands=NAMES)
    assert "question" not in scene.attrs


def test_dark_water_just_below_zero_is_noted() -> None:
    pixels = land()
    pixels[3, :32, :48] = -0.012
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpexWarning)
        scene = open_scene(pixels.astype("float32"), bands=NAMES)
    (note,) = notes_of_scene(scene)
    assert note.endswith("numbers just below zero, as over dark water. No such index value is evidence.")


def test_an_extraction_repeats_the_question() -> None:
    with pytest.warns(ReflectanceWarning):
        scene = open_scene(numbers(2e-5, -0.1), bands=NAMES, sensor="landsat8")
    result = extract(scene, "water", "index", progress=False)
    assert any("open with scale=2e-05, offset=-0.1" in note for note in result.notes)


def test_a_question_survives_netcdf(tmp_path: Path) -> None:
    with pytest.warns(ReflectanceWarning):
        scene = open_scene(numbers(2e-5, -0.1), bands=NAMES, sensor="landsat8")
    scene.to_netcdf(tmp_path / "scene.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "scene.nc", engine="h5netcdf") as again:
        assert settling_options(again) == {"scale": 2e-5, "offset": -0.1}


@pytest.mark.skipif("SPEX_TEST_DATA" not in os.environ, reason="SPEX_TEST_DATA is not set: it names real scenes")
def test_a_real_level_1_scene_is_asked_about() -> None:
    path = Path(os.environ["SPEX_TEST_DATA"]) / "landsat8_zion" / "LC08_L1_zion_20150818.tif"
    with pytest.warns(SpexWarning, match="Level-1"):
        scene = open_scene(path, sensor="landsat8")
    settled = open_scene(path, sensor="landsat8", **settling_options(scene))
    assert float((settled["red"].where(settled["valid"]) < 0).mean()) < 1e-3
