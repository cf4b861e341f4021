"""Arrays, NetCDF and Zarr: dates, axes, masked numbers and stated scales, treated as the file that they came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rioxarray
import xarray as xr

from spex_nb import open_scene
from spex_nb.errors import BandError, DataTypeError

Writer = Callable[..., Path]
SIZE = 6
GRID = {
    "y": 5_500_000 - 10 * (np.arange(SIZE) + 0.5),
    "x": 500_000 + 10 * (np.arange(SIZE) + 0.5),
}
DATES = np.array(["2024-05-01", "2024-05-11", "2024-07-01"], "datetime64[ns]")


def plane(value: float) -> Any:
    return np.full((SIZE, SIZE), value, "float32")


def dated(dates: Any, axis: str = "time") -> xr.Dataset:
    """Return red and nir, whose red is 0.1 on the first date, 0.2 on the second and so on."""
    layers = {
        name: ((axis, "y", "x"), np.stack([plane(value + 0.1 * i) for i in range(len(dates))]))
        for name, value in (("red", 0.1), ("nir", 0.4))
    }
    return xr.Dataset(layers, coords={axis: dates, **GRID}).rio.write_crs(32632)


@pytest.mark.parametrize("axis", ["time", "t", "date"])
def test_the_only_date_is_taken(axis: str) -> None:
    scene = open_scene(dated(DATES[:1], axis))
    np.testing.assert_allclose(scene["red"], 0.1)
    assert scene.rio.crs.to_epsg() == 32632


@pytest.mark.parametrize(
    ("time", "red"), [(0, 0.1), (-1, 0.3), ("2024-07", 0.3), ("2024-05-11", 0.2), (np.datetime64("2024-05-01"), 0.1)]
)
def test_one_of_several_dates_is_chosen(time: Any, red: float) -> None:
    np.testing.assert_allclose(open_scene(dated(DATES), time=time)["red"], red, rtol=1e-6)


@pytest.mark.parametrize(
    ("time", "problem"),
    [(None, "several dates"), ("2024-05", "several dates"), ("2023", "no such date"), (7, "no such date")],
)
def test_dates_that_are_not_one_are_listed(time: Any, problem: str) -> None:
    message = rf"{problem}.*2024-05-01.*2024-07-01.*Pass time='2024-05-01T00:00:00'.*isel\(time=0\)"
    with pytest.raises(BandError, match=message):
        open_scene(dated(DATES), time=time)


def test_dates_of_a_netcdf_file_and_of_a_zarr_store(tmp_path: Path) -> None:
    dated(DATES).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    dated(DATES).to_zarr(tmp_path / "cube.zarr", zarr_format=2)
    for name in ("cube.nc", "cube.zarr"):
        with pytest.raises(BandError, match="several dates"):
            open_scene(tmp_path / name)
        np.testing.assert_allclose(open_scene(tmp_path / name, time=1)["red"], 0.2, rtol=1e-6)


def test_a_date_is_asked_only_of_what_has_dates(write_raster: Writer) -> None:
    path = write_raster(np.full((1, 3, 3), 0.2, "float32"), descriptions=["red"])
    for source in (path, [path], plane(0.2), xr.DataArray(plane(0.2), dims=("y", "x"), name="red")):
        with pytest.raises(BandError, match="no dates to choose from"):
            open_scene(source, time="2024")


def test_stacks_of_stackstac_and_odc() -> None:
    values = np.stack([plane(v) for v in (0.4, 0.1, 900.0)])[None]
    coords = {
        "time": DATES[:1],
        "band": ["B08", "B04", "SCL"],
        "common_name": ("band", ["nir", "red", None]),
        **GRID,
    }
    stack = xr.DataArray(values, dims=("time", "band", "y", "x"), coords=coords).rio.write_crs(32632)
    for sensor in ("sentinel2_l2a", None):
        scene = open_scene(stack, sensor=sensor)
        assert scene.spex.bands == ("nir", "red")
        np.testing.assert_allclose(scene["nir"], 0.4, rtol=1e-6)
        assert "SCL: scene classes" in scene.attrs["left_out"]
    one = stack.isel(band=[1])
    np.testing.assert_allclose(open_scene(one)["red"], 0.1, rtol=1e-6)
    stack_in_a_dataset = stack.isel(time=0, drop=True).to_dataset(name="data")
    np.testing.assert_allclose(open_scene(stack_in_a_dataset)["red"], 0.1, rtol=1e-6)


def test_axes_in_another_order_and_of_length_one() -> None:
    turned = dated(DATES[:1]).transpose("x", "time", "y")
    np.testing.assert_allclose(open_scene(turned)["nir"], 0.4, rtol=1e-6)
    levelled = dated(DATES[:1]).expand_dims("level")
    np.testing.assert_allclose(open_scene(levelled)["nir"], 0.4, rtol=1e-6)
    deep = xr.concat([levelled, levelled], "level")
    with pytest.raises(BandError, match=r"'level': 2.*isel\(\{'level': 0\}\)"):
        open_scene(deep)


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"band_as_variable": True}, {"chunks": 3}])
def test_what_rioxarray_reads_equals_the_path(write_raster: Writer, options: dict[str, Any]) -> None:
    raw = np.arange(1, 4 * 36 + 1).reshape(4, 6, 6).astype("uint16") * 20
    raw[:, 0, 0] = 0
    path = write_raster(raw, "s2.tif", ("blue", "green", "red", "nir"), nodata=0)
    by_path = open_scene(path, sensor="sentinel2_l2a")
    scene = open_scene(rioxarray.open_rasterio(path, **options), sensor="sentinel2_l2a")
    assert not scene.spex.is_relative
    for band in by_path.spex.bands:
        np.testing.assert_allclose(scene[band].values, by_path[band].values, rtol=2e-7)
    np.testing.assert_array_equal(scene["valid"].values, by_path["valid"].values)


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"mask_and_scale": True}])
def test_a_scale_that_the_file_states_is_applied_once(write_raster: Writer, options: dict[str, Any]) -> None:
    raw = np.full((2, 4, 4), 3000, "uint16")
    path = write_raster(raw, "scaled.tif", ("red", "nir"), scale=1e-4, offset=-0.1, nodata=0)
    scene = open_scene(rioxarray.open_rasterio(path, **options))
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-6)


def test_the_name_of_the_file_that_an_array_was_read_from_counts(write_raster: Writer) -> None:
    name = "S2A_MSIL2A_20230101T000000_N0509_R022_T32UQD_20230101T000000.tif"
    path = write_raster(np.full((1, 4, 4), 3000, "uint16"), name, ["red"])
    scene = open_scene(rioxarray.open_rasterio(path))
    np.testing.assert_array_equal(scene["red"].values, open_scene(path)["red"].values)
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-6)


def test_common_names_without_wavelengths_take_the_nominal_ones() -> None:
    scene = open_scene(dated(DATES[:1]))
    assert scene.spex.wavelengths_um == {"red": 0.66, "nir": 0.84}
    stack = xr.DataArray(np.stack([plane(0.1), plane(0.4)]), dims=("band", "y", "x"), coords={"band": ["red", "nir"]})
    assert open_scene(stack).spex.wavelengths_um == {"red": 0.66, "nir": 0.84}
    assert open_scene(stack)["nir"].attrs["width_um"] == 0.12


def test_quality_and_angle_variables_are_left_out() -> None:
    data = dated(DATES[:1]).isel(time=0)
    for name in ("QA_PIXEL", "sza", "SCL", "lwir11"):
        data[name] = (("y", "x"), np.ones((SIZE, SIZE), "uint16"))
    scene = open_scene(data)
    assert scene.spex.bands == ("red", "nir")
    assert "sza: angle" in scene.attrs["left_out"]


def test_a_dim_of_dates_is_found_by_its_coordinate() -> None:
    planes = np.stack([plane(0.1), plane(0.2), plane(0.3)])
    data = xr.Dataset(
        {"red": (("valid_time", "y", "x"), planes), "nir": (("valid_time", "y", "x"), planes + 0.2)},
        coords={"valid_time": DATES, **GRID},
    )
    with pytest.raises(BandError, match="several dates"):
        open_scene(data)
    scene = open_scene(data, time="2024-05-11")
    np.testing.assert_allclose(scene["nir"].values, 0.4, rtol=1e-6)


def test_a_fill_value_that_the_type_cannot_hold_marks_nothing() -> None:
    numbers = np.arange(1, SIZE * SIZE + 1, dtype="uint16").reshape(SIZE, SIZE) * 100
    data = xr.Dataset(
        {name: (("y", "x"), numbers, {"_FillValue": -9999}) for name in ("red", "nir")},
        coords=GRID,
    )
    scene = open_scene(data, sensor="sentinel2_l2a")
    assert scene["valid"].values.all()
    np.testing.assert_allclose(scene["red"].values, numbers * 1e-4, rtol=1e-6)


@pytest.mark.parametrize("axis", ["wavelength", "bands"])
@pytest.mark.parametrize("per_um", [1, 1000], ids=["µm", "nm"])
def test_a_coordinate_of_wavelengths_names_the_bands(axis: str, per_um: int) -> None:
    name = "wavelength" if axis == "wavelength" else "wavelengths"
    spectrum = [0.485, 0.49, 0.56, 0.665, 0.842]
    data = xr.DataArray(
        np.stack([plane(value) for value in (0.9, 0.1, 0.2, 0.3, 0.4)]),
        dims=(axis, "y", "x"),
        coords={**GRID, name: (axis, np.array(spectrum) * per_um)},
    )
    scene = open_scene(data)
    values = {band: float(scene[band].values[0, 0]) for band in scene.spex.bands}
    assert values == pytest.approx({"blue": 0.1, "green": 0.2, "red": 0.3, "nir": 0.4})


@pytest.mark.parametrize("stated", [{"wavelength": 665}, {"radiation_wavelength": 0.665}, {"wavelength": "665 nm"}])
def test_the_wavelength_of_a_variable_names_it(stated: dict[str, Any]) -> None:
    data = xr.Dataset({"a": (("y", "x"), plane(0.1), stated)}, coords=GRID)
    assert open_scene(data).spex.bands == ("red",)


def test_one_number_of_no_data_may_stand_in_a_list_but_not_several() -> None:
    numbers = np.arange(SIZE * SIZE, dtype="float32").reshape(SIZE, SIZE) / 100
    data = xr.Dataset({"red": (("y", "x"), numbers, {"_FillValue": np.array([0.0])})}, coords=GRID)
    assert int((~open_scene(data)["valid"]).sum()) == 1
    data["red"].attrs["_FillValue"] = [0, 1]
    with pytest.raises(DataTypeError, match="several numbers of no data"):
        open_scene(data)
