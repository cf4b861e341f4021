"""`.spex` on any Dataset of named bands, and the codes of quality layers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import spex_nb  # noqa: F401  (registers .spex)
from spex_nb.errors import BandError, SensorError
from spex_nb.scene.cloud_masks import coding_of, fmask_clear, qa_pixel_clear, scl_clear


def test_any_dataset_of_bands_will_do() -> None:
    red = np.array([[0.1, np.nan]], "float32")
    bands = xr.Dataset({"red": (("y", "x"), red), "nir": (("y", "x"), red * 2), "time": 3})
    assert bands.spex.bands == ("red", "nir")
    assert bands.spex.shape == (1, 2)
    np.testing.assert_array_equal(bands.spex.valid, [[True, False]])
    assert bands.spex.crs is None
    assert not bands.spex.is_relative
    assert bands.spex.number_note == ""
    assert bands.spex.window(0, 1, 1, 1).spex.shape == (1, 1)


def test_a_dataset_without_bands_says_what_is_expected() -> None:
    with pytest.raises(BandError, match="rename the dims and variables"):
        _ = xr.Dataset({"a": (("lat", "lon"), np.ones((2, 2)))}).spex


def test_quality_codes() -> None:
    qa = np.array([21824, 22280, 23888, 1, 54596], "uint16")  # clear, cloud, cloud shadow, fill, cirrus
    np.testing.assert_array_equal(qa_pixel_clear(qa), [True, False, False, False, False])
    np.testing.assert_array_equal(scl_clear(np.array([4, 5, 6, 11, 0, 3, 8, 9, 10])), [True] * 4 + [False] * 5)
    np.testing.assert_array_equal(fmask_clear(np.array([64, 32, 2, 4, 8, 255])), [True, True] + [False] * 4)


def test_the_name_tells_the_coding() -> None:
    assert coding_of("HLS.S30.T10.Fmask.tif") == "fmask"
    assert coding_of("T32_SCL_20m.jp2") == "scl"
    with pytest.raises(SensorError, match="QA_PIXEL, SCL or Fmask"):
        coding_of("clouds.tif")


def test_a_transform_is_never_that_of_coordinates_before() -> None:
    band = (("y", "x"), np.zeros((2, 2), np.float32))
    scene = xr.Dataset({"red": band}, coords={"y": [15.0, 5.0], "x": [5.0, 15.0]})
    scene = scene.rio.write_crs(32633).rio.write_transform()
    assert scene.spex.transform == Affine(10, 0, 0, 0, -10, 20)
    scene["x"] = [105.0, 115.0]
    scene["spatial_ref"].attrs["GeoTransform"] = "100 10 0 20 0 -10"
    assert scene.spex.transform == Affine(10, 0, 100, 0, -10, 20)
    scene["spatial_ref"].attrs["GeoTransform"] = "200 10 0 20 0 -10"
    scene["x"] = [205.0, 215.0]
    assert scene.spex.transform == scene.rio.transform() == Affine(10, 0, 200, 0, -10, 20)
    assert scene.spex.crs == scene.rio.crs
