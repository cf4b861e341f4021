"""A result from someone else is data: it reads no other file, asks nobody, and promises no more than it holds."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_nb import Extraction, load_extraction
from spex_nb.errors import ExtractionError
from spex_nb.extraction.storage import FILES
from spex_nb.types import Instruction, typed_json
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares

SECRET = b"a secret of this machine " * 400


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("saved") / "result"
    quietly(scene_of(squares((64, 64), (5, 5, 9), (40, 40, 6))), "water larger than 5 px", Brightness(), out=out)
    return out


@pytest.fixture
def hostile(saved: Path, tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(SECRET)
    return Path(shutil.copytree(saved, tmp_path / "result"))


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ExtractionError, match=match):
        load_extraction(folder)


def raw_vrt(folder: Path) -> None:
    (folder / "mask.tif").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="1">../secret</SourceFilename></VRTRasterBand>'
        "</VRTDataset>"
    )


def plain_vrt(folder: Path) -> None:
    (folder / "mask.tif").rename(folder.parent / "other.tif")
    rasterio.shutil.copy(folder.parent / "other.tif", folder.parent / "mask.vrt", driver="VRT")
    text = (folder.parent / "mask.vrt").read_text().replace('relativeToVRT="1">other', 'relativeToVRT="1">../other')
    (folder / "mask.tif").write_text(text)
    with rasterio.open(folder / "mask.tif") as file:
        assert file.read().any()  # GDAL itself follows it


def external_storage(folder: Path) -> None:
    with h5py.File(folder / "overview.nc", "a") as file:
        del file["green"]
        file.create_dataset("green", (64, 64), "u1", external=[(str(folder.parent / "secret"), 0, 4096)])


def external_link(folder: Path) -> None:
    with h5py.File(folder.parent / "other.h5", "w") as file:
        file["x"] = np.zeros((64, 64), np.float32)
    with h5py.File(folder / "overview.nc", "a") as file:
        del file["green"]
        file["green"] = h5py.ExternalLink(str(folder.parent / "other.h5"), "x")


def virtual_layer(folder: Path) -> None:
    with h5py.File(folder.parent / "other.h5", "w") as file:
        file["x"] = np.zeros((64, 64), np.float32)
    with h5py.File(folder / "overview.nc", "a") as file:
        del file["green"]
        layout = h5py.VirtualLayout((64, 64), "f4")
        layout[:] = h5py.VirtualSource(str(folder.parent / "other.h5"), "x", (64, 64))
        file.create_virtual_dataset("green", layout)


def large_overview(folder: Path) -> None:
    with h5py.File(folder / "overview.nc", "a") as file:
        file.create_dataset("bomb", (200_000, 200_000), "f8", chunks=(100, 100), compression="gzip")


def ogr_vrt(folder: Path) -> None:
    (folder / "regions.gpkg").write_text(
        "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>"
        "</OGRVRTDataSource>"
    )


def view_in_geopackage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "regions.gpkg")) as file, file:
        file.execute("CREATE VIEW other AS SELECT * FROM regions")


def program_in_geopackage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "regions.gpkg")) as file, file:
        file.execute("PRAGMA writable_schema=ON")
        sql = 'CREATE VIRTUAL TABLE x USING VirtualText("/etc/passwd")'
        file.execute("INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, ?)", [sql])


def link_out(folder: Path) -> None:
    (folder / "mask.tif").rename(folder.parent / "mask.tif")
    (folder / "mask.tif").symlink_to(folder.parent / "mask.tif")


def pipe(folder: Path) -> None:
    (folder / "mask.tif").unlink()
    os.mkfifo(folder / "mask.tif")


def mask_of(folder: Path, side: int) -> None:
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(folder / "mask.tif", "w", tiled=True, transform=rasterio.Affine(1, 0, 1, 0, -1, 1), **profile):
        pass


def large_mask(folder: Path) -> None:
    mask_of(folder, 150_000)
    change(folder, lambda payload: payload["evidence"]["water"].update(shape=[150_000, 150_000]))


def bomb_of_runs(folder: Path) -> None:
    with zipfile.ZipFile(folder / "runs.npz", "w", zipfile.ZIP_DEFLATED) as file, file.open("water 0.npy", "w") as part:
        np.lib.format.write_array_header_1_0(part, {"descr": "<i8", "fortran_order": False, "shape": (10**12, 3)})
        part.write(bytes(10**6))


def half_a_character_in_the_overview(folder: Path) -> None:
    with h5py.File(folder / "overview.nc", "a") as file:
        file["spatial_ref"].attrs["crs_wkt"] = np.bytes_(b'PROJCS["a\xa1"]')


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    payload = json.loads((folder / "extraction.json").read_text())
    edit(payload)
    (folder / "extraction.json").write_text(json.dumps(payload))


@pytest.mark.parametrize(
    ("attack", "match"),
    [
        (raw_vrt, "cannot be read"),
        (plain_vrt, "cannot be read"),
        (external_storage, "lie in other files"),
        (external_link, "is a link"),
        (virtual_layer, "lie in other files"),
        (large_overview, "no layer of an overview"),
        (ogr_vrt, "no GeoPackage"),
        (view_in_geopackage, "the view other"),
        (program_in_geopackage, "no plain table|malformed"),
        (link_out, "link out of its folder"),
        (pipe, "is no file"),
        (lambda folder: mask_of(folder, 65), "another size"),
        (bomb_of_runs, "promises"),
        (lambda folder: change(folder, lambda payload: payload.update(command="x")), "unknown command"),
        (lambda folder: change(folder, lambda payload: payload["notes"].append(1)), r"notes\[\d\] is 1, not str"),
        (lambda folder: change(folder, lambda payload: payload["evidence"]["water"].update(area_px="9")), "not int"),
        (lambda folder: change(folder, lambda payload: payload["instruction"].update(filters=[{"kind": "X"}])), "X"),
        (lambda folder: change(folder, lambda payload: payload["provenance"].pop("model")), "provenance.model"),
        (lambda folder: change(folder, lambda payload: payload["columns"].update(target="datetime64[ns]")), "columns"),
        (half_a_character_in_the_overview, "spatial_ref.crs_wkt holds half a character"),
        (lambda folder: change(folder, lambda payload: payload["notes"].append("\ud83d")), "half a character"),
        (lambda folder: change(folder, lambda payload: payload["failures"].update({"\udca1": "x"})), "half a char"),
        (lambda folder: (folder / "extraction.json").write_text("[" * 200_000), "cannot be read"),
        (lambda folder: (folder / "extraction.json").write_text('{"format": ' + "9" * 5000 + "}"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused(attack: Callable[[Path], Any], match: str, hostile: Path) -> None:
    attack(hostile)
    refused(hostile, match)


def test_a_mask_larger_than_memory_is_refused_from_its_header(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 10**9

    monkeypatch.setattr(typed_json.psutil, "virtual_memory", Memory)
    large_mask(hostile)
    refused(hostile, r"mask\.tif takes 22,500 MB")


def test_a_layer_name_is_no_html_on_a_map(saved: Path) -> None:
    class Map:
        layers: tuple[Any, ...] = ()

        def add_layer(self, layer: Any) -> None:
            self.layers = (*self.layers, layer)

    result = replace(load_extraction(saved), instruction=Instruction("x", "en", ("water",), meaning="<b>x</b>"))
    shown, named = result.add_to(Map()), result.add_to(Map(), "<img src=x onerror=alert(1)> & co")
    assert shown.layers[0].name == "&lt;b&gt;x&lt;/b&gt;"
    assert named.layers[0].name == "&lt;img src=x onerror=alert(1)&gt; &amp; co"


def test_sidecars_of_a_result_are_not_read(hostile: Path) -> None:
    before = load_extraction(hostile).mask
    moved = "<PAMDataset><GeoTransform>0, 99, 0, 0, 0, -99</GeoTransform></PAMDataset>"
    (hostile / "mask.tif.aux.xml").write_text(moved)
    assert load_extraction(hostile).mask.rio.transform() == before.rio.transform()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(FILES), data=st.data())
def test_any_damage_is_one_error(saved: Path, tmp_path_factory: pytest.TempPathFactory, name: str, data: Any) -> None:
    folder = Path(shutil.copytree(saved, tmp_path_factory.mktemp("damaged") / "result"))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        result: Extraction = load_extraction(folder)
    except ExtractionError:
        return
    assert result._repr_html_()
