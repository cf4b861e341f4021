"""The state of a scene changes with every file behind it, whatever its name, place and time say."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import xarray as xr

from spex_nb import open_scene
from spex_nb.scene.reopen import hash_memory, open_identified
from spex_nb.scene.windows import scene_files
from spex_nb.scene.windows.scene_files import changes_of, states_of
from spex_nb.scene.windows.scene_source import SceneSource

TRANSFORM = rasterio.transform.from_origin(500000, 5000000, 10, 10)
PROFILE = {"driver": "GTiff", "height": 64, "width": 64, "dtype": "uint16", "crs": "EPSG:32633"}


def write_band(path: Path, seed: int = 0, count: int = 1) -> Path:
    numbers = np.random.default_rng(seed).integers(500, 3000, (count, 64, 64)).astype(np.uint16)
    with rasterio.open(path, "w", count=count, transform=TRANSFORM, **PROFILE) as file:
        file.write(numbers)
        file.descriptions = ("green", "red", "nir")[:count] if count > 1 else (path.stem,)
    return path


def rewrite_quietly(path: Path, write: Callable[[], object]) -> None:
    """Change a file so that its size, its time and its inode stay."""
    before = path.stat()
    write()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def vrt_over(path: Path, source: Path) -> Path:
    """Write a VRT of three bands over a file beside it."""
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><Description>{name}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{source.name}</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource>'
        "</VRTRasterBand>"
        for i, name in enumerate(("green", "red", "nir"), start=1)
    )
    path.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform>{bands}</VRTDataset>"
    )
    return path


def identity_of(scene: object, **options: object) -> dict[str, str]:
    return dict(open_identified(SceneSource(scene, {"scale": 0.0001} | options))[1].files)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_file_beneath_a_vrt_is_part_of_the_scene(depth: int, tmp_path: Path) -> None:
    source = write_band(tmp_path / "source.tif", count=3)
    scene = vrt_over(tmp_path / "scene.vrt", source)
    if depth == 2:
        scene = vrt_over(tmp_path / "outer.vrt", scene)
    before = identity_of(scene)
    rewrite_quietly(source, lambda: write_in_place(source))
    assert changes_of(before, identity_of(scene)) == [f"{source} (changed)"]


def write_in_place(path: Path) -> None:
    """Change one pixel of an uncompressed GeoTIFF, in place."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    scene = write_band(tmp_path / "scene.tif", count=3)
    before = identity_of(scene)
    rewrite_quietly(scene, lambda: write_in_place(scene))
    assert changes_of(before, identity_of(scene)) == [f"{scene} (changed)"]


def test_a_large_file_is_told_by_what_the_disk_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_files, "HASHED_BYTES", 100)
    scene = write_band(tmp_path / "scene.tif", count=3)
    before = identity_of(scene)
    assert "inode" in before[str(scene)]
    rewrite_quietly(scene, lambda: write_in_place(scene))
    assert changes_of(before, identity_of(scene)) == [f"{scene} (changed)"]


def test_a_copy_with_the_same_content_and_another_time_is_the_same(tmp_path: Path) -> None:
    scene = write_band(tmp_path / "scene.tif", count=3)
    before = identity_of(scene)
    content = scene.read_bytes()
    scene.unlink()
    scene.write_bytes(content)
    os.utime(scene, (0, 0))
    assert changes_of(before, identity_of(scene)) == []


@pytest.mark.parametrize("ending", [".msk", ".aux.xml", ".ovr"])
def test_a_file_beside_the_scene_that_gdal_reads_is_part_of_it(ending: str, tmp_path: Path) -> None:
    scene = write_band(tmp_path / "scene.tif", count=3)
    before = identity_of(scene)
    beside = scene.with_name(scene.name + ending)
    if ending == ".msk":
        with rasterio.open(beside, "w", count=1, transform=TRANSFORM, **(PROFILE | {"dtype": "uint8"})) as file:
            file.write(np.full((1, 64, 64), 255, np.uint8))
            file.update_tags(INTERNAL_MASK_FLAGS_1="2")
    elif ending == ".aux.xml":
        beside.write_text("<PAMDataset/>")
    else:
        shutil.copy(write_band(tmp_path / "other.tif", count=3), beside)
    assert changes_of(before, identity_of(scene)) == [f"{beside} (is new)"]
    with_it = identity_of(scene)
    beside.write_bytes(beside.read_bytes()[:-1] + b"\n")
    assert changes_of(with_it, identity_of(scene)) == [f"{beside} (changed)"]


def test_a_header_that_only_gdal_knows_of_is_part_of_it(tmp_path: Path) -> None:
    scene, header = tmp_path / "scene.img", tmp_path / "scene.hdr"
    source = write_band(tmp_path / "source.tif", count=3)
    rasterio.shutil.copy(source, scene, driver="ENVI")
    before = identity_of(scene)
    assert str(header) in before
    header.write_text(header.read_text() + "data ignore value = 777\n")
    assert f"{header} (changed)" in changes_of(before, identity_of(scene))


@pytest.mark.filterwarnings("ignore::spex_nb.errors.RadiometryWarning")
def test_the_metadata_of_a_product_are_part_of_it(tmp_path: Path) -> None:
    product = tmp_path / "LC08_L2SP_195025_20230607_20230614_02_T1"
    product.mkdir()
    for number in (3, 4, 5):
        write_band(product / f"{product.name}_SR_B{number}.TIF", number)
    metadata = product / f"{product.name}_MTL.txt"
    facts = {"SPACECRAFT_ID": "LANDSAT_8", "SENSOR_ID": "OLI_TIRS", "COLLECTION_NUMBER": "02"}
    facts |= {f"REFLECTANCE_{kind}_BAND_{n}": x for n in (3, 4, 5) for kind, x in (("MULT", "1e-4"), ("ADD", "0.01"))}
    text = "".join(f"{name} = {value}\n" for name, value in facts.items())
    metadata.write_text(f"GROUP = X\n{text}END_GROUP = X\nEND\n")
    before = dict(open_identified(SceneSource(product))[1].files)
    metadata.write_text(metadata.read_text().replace("0.01", "0.02"))
    now = dict(open_identified(SceneSource(product))[1].files)
    assert changes_of(before, now) == [f"{metadata} (changed)"]


def test_bands_of_a_list_assets_of_an_item_and_metadata_of_a_product_are_part_of_it(tmp_path: Path) -> None:
    bands = [write_band(tmp_path / f"{name}.tif", seed) for seed, name in enumerate(("green", "red", "nir"))]
    before = identity_of([str(band) for band in bands])
    assert sorted(before) == sorted(map(str, bands))
    item = tmp_path / "item.json"
    assets = {
        band.stem: {"href": f"./{band.name}", "eo:bands": [{"name": band.stem, "common_name": band.stem}]}
        for band in bands
    }
    item.write_text(json.dumps({"type": "Feature", "id": "a", "properties": {}, "assets": assets}))
    of_item = identity_of(item)
    assert set(of_item) == {str(item), *map(str, bands)}
    write_in_place(bands[1])
    assert changes_of(of_item, identity_of(item)) == [f"{bands[1]} (changed)"]


def test_a_table_of_a_sensor_is_part_of_the_scene(tmp_path: Path) -> None:
    scene, table = write_band(tmp_path / "scene.tif", count=3), tmp_path / "sensor.json"
    rows = [
        {"id": name, "name": name, "wavelength_um": 0.5, "width_um": 0.1, "gsd_m": 10}
        for name in ("green", "red", "nir")
    ]
    facts = {"id": "mine", "title": "Mine", "scale": 0.0001, "offset": 0.0, "gsd_m": 10, "bands": rows}
    table.write_text(json.dumps(facts))
    before = identity_of(scene, sensor=str(table))
    table.write_text(json.dumps(facts | {"scale": 0.0002}))
    assert changes_of(before, identity_of(scene, sensor=str(table))) == [f"{table} (changed)"]


def test_a_netcdf_file_and_each_chunk_of_a_zarr_store_are_part_of_it(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    data = xr.Dataset(dict.fromkeys(("green", "red", "nir"), (("y", "x"), numbers)))
    data.to_netcdf(tmp_path / "scene.nc", engine="h5netcdf")
    assert list(identity_of(tmp_path / "scene.nc", scale=1.0)) == [str(tmp_path / "scene.nc")]
    lazy = xr.open_dataset(tmp_path / "scene.nc", engine="h5netcdf", chunks={})
    assert str(tmp_path / "scene.nc") in identity_of(lazy, scale=1.0)
    data.to_zarr(tmp_path / "scene.zarr", zarr_format=2, consolidated=True)
    before = identity_of(tmp_path / "scene.zarr", scale=1.0)
    chunk = next(path for path in (tmp_path / "scene.zarr" / "red").rglob("*") if path.is_file() and path.name == "0.0")
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    assert changes_of(before, identity_of(tmp_path / "scene.zarr", scale=1.0)) == [f"{chunk} (changed)"]


def test_pixels_in_memory_are_hashed_one_by_one(tmp_path: Path) -> None:
    scene = open_scene(write_band(tmp_path / "scene.tif", count=3), scale=0.0001, chunks=None)
    before = hash_memory(scene)
    changed = scene.copy(deep=True)
    changed["red"].values[37, 41] += 0.001
    assert before != hash_memory(changed)
    assert hash_memory(open_scene(tmp_path / "scene.tif", scale=0.0001, chunks=32)) == ""


def test_many_files_have_one_state_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_files, "MOST_FILES", 2)
    for name in ("a/1", "a/2", "b/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = states_of([str(tmp_path)])
    assert list(before) == [str(tmp_path / "a"), str(tmp_path / "b")]
    (tmp_path / "b/3").write_text("b/4")
    assert changes_of(before, states_of([str(tmp_path)])) == [f"{tmp_path / 'b'} (changed)"]


def test_an_address_has_no_state_and_many_changes_are_counted() -> None:
    assert states_of(["https://example.com/a.tif", "/vsicurl/https://example.com/a.tif"]) == {}
    before = {str(number): "a" for number in range(9)}
    assert changes_of(before, {})[-1] == "4 more files"
    assert changes_of(None, before) == []
