"""Files that hold others: each subdataset opens by the name that GDAL gives it, and all together where names tell."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import SourceNotFoundError, UnknownLayoutError
from spex_nb.scene.windows.locations import gdal_file

Writer = Callable[..., Path]


def write_hdf5(folder: Path, names: dict[str, float]) -> Path:
    path = folder / "scene.h5"
    with h5py.File(path, "w") as file:
        for name, value in names.items():
            file[f"bands/{name}"] = np.full((5, 5), value, "float32")
    return path


def write_netcdf(folder: Path) -> Path:
    path = folder / "scene file.nc"
    data = {name: (("y", "x"), np.full((5, 5), value)) for name, value in (("red", 0.1), ("nir", 0.4))}
    grid = {"y": 5_500_000 - 10 * (np.arange(5) + 0.5), "x": 500_000 + 10 * (np.arange(5) + 0.5)}
    xr.Dataset(data, coords=grid).to_netcdf(path, engine="h5netcdf")
    return path


def test_bands_of_an_hdf5_file_open_together_and_one_by_one(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path, {"red": 0.1, "nir": 0.4, "quality": 1.0})
    scene = open_scene(path)
    assert set(scene.spex.bands) == {"red", "nir"}
    np.testing.assert_allclose(scene["nir"], 0.4, rtol=1e-6)
    assert scene.attrs["layout"] == "subdatasets of one file"
    one = open_scene(f'HDF5:"{path}"://bands/red', bands=["red"])
    np.testing.assert_allclose(one["red"], 0.1, rtol=1e-6)


def test_a_variable_of_a_netcdf_file_opens_by_the_name_that_gdal_gives_it(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path)
    for name in (f'NETCDF:"{path}":nir', f"NETCDF:{path}:nir", f'HDF5:"{path}"://nir'):
        np.testing.assert_allclose(open_scene(name, bands=["nir"])["nir"], 0.4, rtol=1e-6)


def test_a_subdataset_is_named_by_its_variable_where_that_is_a_band(tmp_path: Path) -> None:
    path = write_netcdf(tmp_path)
    for name in (f'NETCDF:"{path}":nir', f'HDF5:"{path}"://nir'):
        scene = open_scene(name)
        assert scene.spex.bands == ("nir",)
        np.testing.assert_allclose(scene["nir"], 0.4, rtol=1e-6)
    other = open_scene(f'HDF5:"{write_hdf5(tmp_path, {"layer7": 0.2})}"://bands/layer7', bands=["red"])
    np.testing.assert_allclose(other["red"], 0.2, rtol=1e-6)


def test_pages_of_a_tiff_open_by_number(write_raster: Writer) -> None:
    path = write_raster(np.full((1, 4, 4), 0.3, "float32"), descriptions=["red"])
    np.testing.assert_allclose(open_scene(f"GTIFF_DIR:1:{path}")["red"], 0.3, rtol=1e-6)


def test_a_grib_file_opens_with_names(tmp_path: Path, write_raster: Writer) -> None:
    source = write_raster(
        np.full((2, 4, 4), 0.25, "float64"), "a.tif", crs="EPSG:4326", transform=Affine(0.1, 0, 8, 0, -0.1, 50)
    )
    path = tmp_path / "scene.grib2"
    with rasterio.open(source) as file:
        profile = file.profile | {"driver": "GRIB"}
        profile = {key: profile[key] for key in ("driver", "width", "height", "count", "dtype", "crs", "transform")}
        pixels = file.read()
    try:
        with rasterio.open(path, "w", **profile) as file:
            file.write(pixels)
    except rasterio.errors.RasterioError:
        from rasterio.shutil import copy

        copy(str(source), str(path), driver="GRIB")
    scene = open_scene(path, bands={"red": 1, "nir": 2})
    np.testing.assert_allclose(scene["red"], 0.25, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ('NETCDF:"{}":red', "{}"),
        ("HDF5:{}://bands/red", "{}"),
        ("GTIFF_DIR:2:{}", "{}"),
        ("SENTINEL2_L2A:{}:10m:EPSG_32632", "{}"),
        ('ZARR:"{}":/measurements/b04', "{}"),
        ("{}", ""),
        ("C:/data/scene.tif", ""),
        ("https://example.invalid/a.tif", ""),
    ],
)
def test_the_file_within_a_name(tmp_path: Path, name: str, file: str) -> None:
    path = tmp_path / "a scene.tif"
    path.write_bytes(b"x")
    assert gdal_file(name.format(path)) == file.format(path)


@pytest.mark.parametrize("name", ["NETCDF:gone.nc:red", 'HDF5:"gone/x.h5"://red', "GTIFF_DIR:1:gone.tif"])
def test_a_missing_file_within_a_name_is_named(name: str) -> None:
    with pytest.raises(SourceNotFoundError, match="gone") as problem:
        open_scene(name)
    assert "NETCDF" not in problem.value.found


def test_a_zip_of_one_raster_and_of_band_files(write_raster: Writer, tmp_path: Path) -> None:
    path = write_raster(np.full((2, 4, 4), 0.3, "float32"), "scene.tif", ("red", "nir"))
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(path, "inner/scene.tif")
    np.testing.assert_allclose(open_scene(tmp_path / "one.zip")["nir"], 0.3, rtol=1e-6)
    stem = "HLS.S30.T32UQD.2024001T101010.v2.0"
    with zipfile.ZipFile(tmp_path / "granule.zip", "w") as archive:
        for band, value in (("B04", 400), ("B8A", 3800)):
            archive.write(write_raster(np.full((1, 4, 4), value, "int16"), f"{stem}.{band}.tif"), f"{stem}.{band}.tif")
    scene = open_scene(tmp_path / "granule.zip")
    assert scene.spex.bands == ("red", "nir")
    np.testing.assert_allclose(scene["nir"], 0.38, rtol=1e-5)


def test_an_archive_without_a_product_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UnknownLayoutError, match=r"a\.txt.*list of band files"):
        open_scene(tmp_path / "texts.zip")


def test_gdals_own_view_of_a_safe_has_the_offset_too(write_raster: Writer) -> None:
    name = "S2B_MSIL2A_20240101T101010_N0510_R022_T32UQD_20240101T120000.SAFE"
    path = write_raster(
        np.full((2, 4, 4), 3000, "uint16"), f"{name}/stack.tif", ["B4, central wavelength 665 nm", "B8"]
    )
    scene = open_scene(f"GTIFF_DIR:1:{path}")
    assert scene.spex.bands == ("red", "nir")
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-5)


def test_a_folder_with_one_safe_inside_is_that_safe(write_raster: Writer, tmp_path: Path) -> None:
    from tests.scene.test_products import write_safe

    folder = write_safe(write_raster)
    outer = tmp_path / "download"
    outer.mkdir()
    shutil.move(folder, outer / folder.name)
    scene: Any = open_scene(outer)
    np.testing.assert_allclose(scene["red"], 0.04, rtol=1e-5)
