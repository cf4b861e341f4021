"""The source of a scene and the way it is read ride on the scene; one read serves tiles, map and workbench."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb.errors import SpexError, UnreadableSourceError
from spex_nb.extraction import extract
from spex_nb.scene.open import open_scene
from spex_nb.scene.samples import reopen, sample_scene, source_of
from spex_nb.scene.windows.pyramid import Pyramid
from spex_nb.scene.windows.rasters import Reading
from spex_nb.scene.windows.reader import SceneReader, fingerprint_scene, is_as_opened, read_layers, read_scene
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.scene.windows.tiling import SAMPLE_SIDE

SIZE = 96
NAMES = ("blue", "green", "red", "nir")
UTM = Affine(10, 0, 5e5, 0, -10, 5.5e6)
Change = Callable[[xr.Dataset], xr.Dataset]


@pytest.fixture(params=["pixel", "band"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Four bands in ten-thousandths; 0, which is no data, in the first two rows of red."""
    numbers = np.random.default_rng(3).integers(1, 6000, (4, SIZE, SIZE)).astype("uint16")
    numbers[2, :2] = 0
    target = tmp_path / f"{request.param}.tif"
    profile = {"driver": "GTiff", "count": 4, "height": SIZE, "width": SIZE, "dtype": "uint16", "nodata": 0}
    profile |= {"crs": "EPSG:32632", "transform": UTM, "interleave": request.param}
    with rasterio.open(target, "w", **profile, tiled=True, blockxsize=32, blockysize=32) as file:
        file.write(numbers)
        for number, name in enumerate(NAMES, 1):
            file.set_band_description(number, name)
    return target


def lazy(path: Path) -> xr.Dataset:
    return open_scene(path, scale=1e-4, chunks=32)


def expected(path: Path, rows: slice, columns: slice) -> dict[str, Any]:
    """Bands of a window, computed with rasterio and NumPy alone."""
    with rasterio.open(path) as file:
        numbers = file.read().astype(float)
    numbers[numbers == 0] = np.nan
    return dict(zip(NAMES, (numbers * 1e-4)[:, rows, columns], strict=True))


def record_reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that each window lands in which is read from a file."""
    windows: list[Any] = []
    plain = Reading.__call__

    def recorded(reading: Reading, window: Any) -> Any:
        windows.append(window)
        return plain(reading, window)

    monkeypatch.setattr(Reading, "__call__", recorded)
    return windows


UNCHANGED: dict[str, Change] = {
    "attributes": lambda scene: scene.assign_attrs(title="x"),
    "another layer": lambda scene: scene.assign(extra=scene["red"] * 2).drop_vars("extra"),
    "copy": lambda scene: scene.copy(),
    "selection": lambda scene: scene[[*NAMES, "valid"]],
    "coordinate": lambda scene: scene.assign_coords(time=0),
    "pickle": lambda scene: pickle.loads(pickle.dumps(scene)),  # noqa: S301 (made here)
}
CHANGED: dict[str, Change] = {
    "other numbers": lambda scene: scene.assign(red=scene["red"] * 2),
    "a part": lambda scene: scene.isel(y=slice(3, 40), x=slice(5, 50)),
    "another mask": lambda scene: scene.assign(valid=scene["valid"] & (scene["red"] > 0.3)),
    "fewer bands": lambda scene: scene[["red", "valid"]],
    "computed": lambda scene: scene.compute(),
    "turned": lambda scene: scene.isel(y=slice(None, None, -1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", UNCHANGED.values(), ids=UNCHANGED)
def test_a_scene_carries_how_it_is_read(path: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = change(lazy(path))
    assert is_as_opened(scene)
    assert source_of(scene).name == str(path)
    windows = record_reads(monkeypatch)
    tile = read_scene(scene, (0, 40, 10, 20))
    assert {(window.col_off, window.row_off, window.width, window.height) for window in windows} == {(40, 0, 20, 10)}
    for name, band in expected(path, slice(0, 10), slice(40, 60)).items():
        np.testing.assert_allclose(tile[name], band, atol=1e-6)
    assert not tile["valid"][:2].any()
    assert tile["valid"][2:].all()
    assert tile.spex.transform == Affine(10, 0, 5e5 + 400, 0, -10, 5.5e6)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_was_changed_is_read_as_it_is_now(path: Path, change: Change) -> None:
    scene = change(lazy(path))
    assert not is_as_opened(scene)
    assert source_of(scene).kind == "memory"
    read = read_layers(scene, [str(name) for name in scene.data_vars], (1, 2, 20, 30))
    computed = scene.isel(y=slice(1, 21), x=slice(2, 32)).compute()
    for name, layer in read.items():
        np.testing.assert_array_equal(layer, computed[name])


def test_tiles_and_the_map_read_the_same_pixels(path: Path) -> None:
    scene = lazy(path)
    tile = SceneReader(scene, (32, 32)).read((0, 16, 48, 48))
    seen = Pyramid(scene).read([*NAMES], (0, 16, 48, 48))
    for name in (*NAMES, "valid"):
        np.testing.assert_array_equal(tile[name], seen[name])
    assert read_layers(scene, ["nir"], (0, 0, SIZE, SIZE), 4)["nir"].shape == (24, 24)


def test_a_part_that_is_damaged_is_lost_alone(tmp_path: Path) -> None:
    target = tmp_path / "cut.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 1024, "width": 512, "dtype": "uint16", "compress": "deflate"}
    profile |= {"crs": "EPSG:32632", "transform": UTM}
    with rasterio.open(target, "w", **profile, tiled=True, blockxsize=256, blockysize=256) as file:
        file.write(np.random.default_rng(0).integers(1, 6000, (1, 1024, 512)).astype("uint16"))
    whole = open_scene(target, bands=["red"], scale=1e-4)["red"].values
    scene = open_scene(target, bands=["red"], scale=1e-4, chunks=(1024, 512))
    content = target.read_bytes()
    target.write_bytes(content[:-100_000])
    reader = SceneReader(scene, (1024, 512))
    with pytest.raises(UnreadableSourceError, match="Fetch the file again"):
        reader.read((0, 0, 1024, 512))
    tile = reader.read_what_is_there((0, 0, 1024, 512))
    np.testing.assert_array_equal(tile["red"][:512], whole[:512])
    assert tile["valid"][:512].all()
    assert not tile["valid"][-256:, 256:].any()
    np.testing.assert_array_equal(reader.read_again((0, 0, 256, 512))["red"], whole[:256])


@pytest.mark.slow
def test_readings_stay_out_of_files(path: Path, tmp_path: Path) -> None:
    scene = lazy(path)
    scene.to_netcdf(tmp_path / "scene.nc", engine="h5netcdf")
    scene.to_zarr(tmp_path / "scene.zarr", consolidated=False)
    scene["red"].rio.to_raster(tmp_path / "red.tif")
    with xr.open_dataset(tmp_path / "scene.nc", engine="h5netcdf") as written:
        np.testing.assert_array_equal(written["nir"], scene["nir"].compute())


@pytest.mark.slow
def test_a_scene_is_fingerprinted_by_a_few_pixels(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = lazy(path)
    source, computed = SceneSource(scene), scene.compute()
    windows = record_reads(monkeypatch)
    fingerprint = fingerprint_scene(source, scene)
    assert max(window.width * window.height for window in windows) == SAMPLE_SIDE**2  # no chunk, no whole file
    assert fingerprint == fingerprint_scene(SceneSource(computed), computed)
    assert fingerprint != fingerprint_scene(source, scene.assign(red=scene["red"] + 0.1))


def test_sources_survive_a_session(path: Path) -> None:
    source = source_of(path, {"scale": 1e-4})
    again = SceneSource.from_json(source.to_json())
    assert again == source
    xr.testing.assert_identical(reopen(again), open_scene(path, scale=1e-4))
    sample = sample_scene("lake_30m")
    assert sample.spex.source == SceneSource("lake_30m", {}, is_sample=True)
    xr.testing.assert_identical(reopen(sample.spex.source), sample)
    memory = source_of(np.zeros((2, 4, 4)))
    assert SceneSource.from_json(memory.to_json()) == SceneSource()
    assert str(memory) == "a scene in memory"


def test_a_store_that_is_damaged_after_it_was_opened_is_one_error(tmp_path: Path) -> None:
    store, layer = tmp_path / "scene.zarr", (("y", "x"), np.full((320, 320), 900, np.int16))
    grid = {"y": 5.5e6 - 10 * np.arange(320), "x": 5e5 + 10 * np.arange(320)}
    bands = xr.Dataset(dict.fromkeys(("green", "nir"), layer), grid).rio.write_crs("EPSG:32632")
    bands.to_zarr(store, encoding={name: {"chunks": (64, 64)} for name in bands.data_vars}, consolidated=False)
    scene = open_scene(store, scale=1e-4)
    (store / "green" / "c" / "2" / "2").write_bytes(b"no pixels")
    with pytest.raises(UnreadableSourceError, match="fetched completely"):
        read_layers(scene, ["green"], (130, 130, 20, 20))
    with pytest.raises(SpexError):
        extract(scene, "water", "index", progress=False, tile_px=64)
