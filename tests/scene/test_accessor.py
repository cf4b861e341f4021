"""`.spex` on any Dataset of named bands, and the codes of quality layers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import spex_nb
from spex_nb import sample_scene
from spex_nb.errors import BandError, GridError, SensorError, SourceNotFoundError
from spex_nb.scene.cloud_masks import coding_of, fmask_clear, qa_pixel_clear, scl_clear
from spex_nb.scene.samples import sample_path
from spex_nb.scene.sources.xarray_backend import SpexBackendEntrypoint


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


def test_a_mask_says_where_it_lies_and_an_array_of_bands_becomes_a_scene() -> None:
    scene = spex_nb.sample_scene("river_10m")
    valid = scene["valid"]
    assert (valid.spex.shape, valid.spex.crs, valid.spex.gsd_m) == (scene.spex.shape, scene.spex.crs, scene.spex.gsd_m)
    part = valid.spex.window(10, 20, 30, 40)
    assert part.spex.shape == (30, 40)
    assert part.spex.transform == scene.spex.window(10, 20, 30, 40).spex.transform
    np.testing.assert_array_equal(part, valid[10:40, 20:60])
    stack = scene[["green", "nir"]].to_dataarray("band")
    opened = stack.spex.to_scene(bands=["green", "nir"], scale=1.0, offset=0.0)
    np.testing.assert_array_equal(opened["nir"], scene["nir"])
    with pytest.raises(GridError, match="Rename its dims"):
        _ = xr.DataArray(np.ones((2, 2)), dims=("lat", "lon")).spex


def test_xarray_opens_a_scene_by_the_engine_spex() -> None:
    path = sample_path("river_10m")
    opened = xr.open_dataset(path, engine=SpexBackendEntrypoint, bands=["green", "nir"])  # type: ignore[arg-type]
    xr.testing.assert_identical(opened.load(), spex_nb.open_scene(path, bands=["green", "nir"]))
    assert opened.spex.crs is not None
    lazy = xr.open_dataset(path, engine=SpexBackendEntrypoint, drop_variables="nir", chunks={"y": 64})  # type: ignore[arg-type]
    assert "nir" not in lazy
    assert lazy.spex.is_lazy
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        xr.open_dataset("nowhere.tif", engine=SpexBackendEntrypoint)  # type: ignore[arg-type]
    assert not SpexBackendEntrypoint().guess_can_open(path)


def test_a_scene_says_what_it_is_in_four_lines() -> None:
    lines = repr(sample_scene("lake_30m").spex).split("\n")
    height, width = sample_scene("lake_30m").spex.shape
    assert lines[0] == f"{height:,} x {width:,} pixels of 30 m"
    assert lines[1].startswith("EPSG:")
    assert "red" in lines[2]
    assert lines[3].startswith("values: ")
