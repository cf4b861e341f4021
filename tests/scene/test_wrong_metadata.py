"""Metadata of a wrong type are one family of errors: STAC, Landsat, SAFE, NetCDF and Zarr."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from spex_nb import open_scene
from spex_nb.errors import SceneError

PIXELS = np.full((1, 8, 8), 9000, np.uint16)


def opens_or_says(source: Any, **options: Any) -> None:
    with warnings.catch_warnings(action="ignore"):
        try:
            scene = open_scene(source, **options)
        except SceneError:
            return
    assert scene.spex.bands


WRONG: list[Any] = [None, 3, -1.5, "x", [], {}, [[]], [1], {"a": 1}, True, "9" * 400, float("nan")]
FIELDS = [
    *(("type",), ("id",), ("properties",), ("properties", "platform"), ("properties", "eo:bands"), ("links",)),
    *(
        ("assets",),
        ("assets", "red"),
        ("assets", "red", "href"),
        ("assets", "red", "eo:bands"),
        ("assets", "red", "roles"),
    ),
    *(("assets", "red", "eo:bands", 0), ("assets", "red", "eo:bands", 0, "common_name"), ("assets", "red", "type")),
    *(("assets", "red", "eo:bands", 0, "center_wavelength"), ("assets", "red", "raster:bands", 0, "scale")),
    *(("assets", "red", "raster:bands"), ("assets", "red", "raster:bands", 0, "nodata"), ("stac_version",)),
]


@pytest.mark.slow
@pytest.mark.parametrize("path", FIELDS, ids=str)
def test_items_with_other_types(path: tuple[Any, ...], write_raster: Any, tmp_path: Path) -> None:
    files = {name: write_raster(PIXELS, f"{name}.tif") for name in ("red", "nir")}
    for value in WRONG:
        item: Any = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": "scene",
            "properties": {"platform": "sentinel-2a", "eo:bands": []},
            "links": [],
            "assets": {
                name: {
                    "href": str(file),
                    "type": "image/tiff",
                    "roles": ["data"],
                    "eo:bands": [{"name": name, "common_name": name, "center_wavelength": 0.6}],
                    "raster:bands": [{"scale": 1e-4, "offset": 0, "nodata": 0}],
                }
                for name, file in files.items()
            },
        }
        place = item
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        opens_or_says(item)
        (tmp_path / "item.json").write_text(json.dumps(item))
        opens_or_says(tmp_path / "item.json")


@pytest.mark.parametrize("value", ["x", "", "nan", "1e999", "-1", "0", "[]", "\x00"])
@pytest.mark.parametrize(
    "key", ["SUN_ELEVATION", "REFLECTANCE_MULT_BAND_4", "REFLECTANCE_ADD_BAND_4", "SPACECRAFT_ID", "COLLECTION_NUMBER"]
)
def test_landsat_metadata_with_other_types(key: str, value: str, write_raster: Any, tmp_path: Path) -> None:
    facts = {
        "SPACECRAFT_ID": "LANDSAT_8",
        "SENSOR_ID": "OLI_TIRS",
        "COLLECTION_NUMBER": "02",
        "SUN_ELEVATION": "40",
        **{f"REFLECTANCE_{what}_BAND_{band}": "1e-5" for what in ("MULT", "ADD") for band in (4, 5)},
    }
    name = "LC08_L1TP_193027_20200101_20200113_02_T1"
    for band in (4, 5):
        write_raster(PIXELS, f"product/{name}_B{band}.TIF")
    lines = "".join(f"{fact} = {text}\n" for fact, text in (facts | {key: value}).items())
    (tmp_path / "product" / f"{name}_MTL.txt").write_text(f"GROUP = X\n{lines}END_GROUP = X\nEND\n")
    opens_or_says(tmp_path / "product")


@pytest.mark.parametrize("text", ["x", "", "nan", "0", "1e999", "-1"])
@pytest.mark.parametrize("tag", ["BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET", "PROCESSING_BASELINE", "band_id"])
def test_safe_metadata_with_other_types(tag: str, text: str, write_raster: Any, tmp_path: Path) -> None:
    folder = "S2A_MSIL2A_20240101T101010_N0510_R022_T32UQD_20240101T101010.SAFE"
    for band in ("B04", "B08"):
        write_raster(PIXELS, f"{folder}/GRANULE/L2A/IMG_DATA/R10m/T32UQD_20240101T101010_{band}_10m.tif")
    facts = {
        "BOA_QUANTIFICATION_VALUE": "10000",
        "BOA_ADD_OFFSET": "-1000",
        "PROCESSING_BASELINE": "05.10",
        "band_id": "3",
    }
    facts[tag] = text
    number = facts.pop("band_id")
    body = "".join(f"<{name} band_id='{number}'>{value}</{name}>" for name, value in facts.items())
    (tmp_path / folder / "MTD_MSIL2A.xml").write_text(f"<root>{body}</root>")
    opens_or_says(tmp_path / folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["scale_factor", "add_offset", "_FillValue", "wavelength", "grid_mapping", "coordinates"]
)
@pytest.mark.parametrize("value", ["x", [1.0, 2.0], np.float64("nan"), np.int8(0), b"\xff", ""], ids=repr)
def test_netcdf_attributes_with_other_types(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "scene.nc"
    layers = {band: (("y", "x"), PIXELS[0].astype(np.int16)) for band in ("red", "nir")}
    xr.Dataset(layers, {"y": np.arange(8.0), "x": np.arange(8.0)}).to_netcdf(path, engine="h5netcdf")
    with h5py.File(path, "a") as file:
        for band in ("red", "nir"):
            file[band].attrs.pop(name, None)
            file[band].attrs[name] = value
    opens_or_says(path)


@pytest.mark.parametrize("key", ["shape", "chunks", "dtype", "fill_value", "compressor", "zarr_format", "order"])
@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [[1]], "9" * 400], ids=repr)
def test_zarr_metadata_with_other_types(key: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "scene.zarr"
    layers = dict.fromkeys(("red", "nir"), (("y", "x"), PIXELS[0]))
    with warnings.catch_warnings(action="ignore"):
        xr.Dataset(layers).to_zarr(path, zarr_format=2, consolidated=False)
    metadata = json.loads((path / "red" / ".zarray").read_text())
    (path / "red" / ".zarray").write_text(json.dumps(metadata | {key: value}))
    opens_or_says(path)
