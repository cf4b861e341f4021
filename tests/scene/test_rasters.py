"""Files that are missing, damaged, of another kind or absurd: each says what is wrong and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import (
    BandError,
    DataTypeError,
    GridError,
    SourceNotFoundError,
    SpexError,
    UnreadableSourceError,
)

Writer = Callable[..., Path]


def noise(height: int = 64, width: int = 64) -> Any:
    return np.random.default_rng(0).integers(1, 9999, (1, height, width)).astype("uint16")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        open_scene(tmp_path / "nowhere.tif")
    with pytest.raises(FileNotFoundError):
        open_scene(tmp_path / "nowhere.nc")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.tif", b"", "Fetch the file again"),
        ("text.tif", b"this is no raster at all", "cannot be read as a raster"),
        ("text.docx", b"PK\x03\x04 not a raster either", "cannot be read as a raster"),
        ("broken.nc", b"CDF?", "dataset cannot be opened"),
    ],
)
def test_files_that_are_no_raster(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableSourceError, match=message):
        open_scene(path)


@pytest.mark.parametrize("chunks", [None, 16])
def test_truncated_file(write_raster: Writer, chunks: int | None) -> None:
    path = write_raster(noise(), descriptions=["red"], tiled=True, blockxsize=16, blockysize=16)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UnreadableSourceError, match=r"Fetch the file again|fetched completely"):
        open_scene(path, scale=1e-4, chunks=chunks)


def test_a_wrong_extension_does_not_matter(write_raster: Writer, tmp_path: Path) -> None:
    path = shutil.copy(write_raster(noise(), descriptions=["red"]), tmp_path / "scene.dat")
    assert open_scene(path, scale=1e-4).spex.bands == ("red",)


def test_a_container_without_bands_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "container.hdf"
    import xarray as xr

    data = {name: (("y", "x"), np.ones((3, 3))) for name in "ab"}
    xr.Dataset(data).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(BandError, match="one of its subdatasets"):
        open_scene(path)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_pixels(write_raster: Writer, dtype: str) -> None:
    with pytest.raises(DataTypeError, match="amplitude or intensity"):
        open_scene(write_raster(np.ones((1, 3, 3), dtype)))
    with pytest.raises(DataTypeError, match="astype"):
        open_scene(np.ones((1, 3, 3), dtype), bands=["red"])


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
def test_64_bit_pixels_open(write_raster: Writer, dtype: str) -> None:
    scene = open_scene(write_raster(np.full((1, 3, 3), 5, dtype), descriptions=["red"]), scale=0.1)
    np.testing.assert_allclose(scene["red"], 0.5)


def test_arrays_that_are_no_scene() -> None:
    with pytest.raises(BandError, match="moveaxis"):
        open_scene(np.ones((1, 2, 3, 4)))
    with pytest.raises(DataTypeError, match="integer or real"):
        open_scene(np.full((1, 2, 2), "a"))


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (Affine(0, 0, 500_000, 0, 0, 5_500_000), "EPSG:32632"),
        (Affine(float("nan"), 0, 0, 0, -10, 0), "EPSG:32632"),
        (Affine(10, 0, 500_000, 0, -10, 5_500_000), "EPSG:4326"),
        (Affine(10, 0, 1e12, 0, -10, 5_500_000), "EPSG:32632"),
    ],
)
def test_absurd_geotransforms(write_raster: Writer, transform: Affine, crs: str) -> None:
    path = write_raster(noise(), descriptions=["red"], transform=transform, crs=crs)
    with pytest.raises(GridError, match="Assign the right geotransform"):
        open_scene(path, scale=1e-4)


def test_several_bands_in_a_list(write_raster: Writer) -> None:
    with pytest.raises(BandError, match="Open that file alone"):
        open_scene([write_raster(np.ones((2, 3, 3), "uint8"))])
    with pytest.raises(BandError, match="one file a band"):
        open_scene([])


def test_errors_survive_pickling() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(GridError("a", found=1, expected=2, fix="c")))  # noqa: S301
    assert isinstance(error, SpexError)
    assert str(error) == "a. Found: 1. Expected: 2. c"


def test_nothing_is_left_open(write_raster: Writer) -> None:
    path = write_raster(noise(), descriptions=["red"])
    open_scene(path, scale=1e-4)
    path.unlink()
    with rasterio.open(write_raster(noise(8, 8), descriptions=["red"])) as file:
        assert file.width == 8
