"""Small datasets in the folder layout of each publisher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spie.small_sets import (
    NO_GEOREFERENCE,
    VEGAS,
    Write,
    columns,
    footprint,
    gid_colors,
    gid_label,
    picture,
    write_footprints,
)


@pytest.fixture
def chesapeake(write_raster: Write, tmp_path: Path) -> Path:
    for split in ("train", "val"):
        folder = f"chesapeake/de_1m_2013_extended-debuffered-{split}_tiles"
        tile, crs = f"m_380751{len(split)}_ne_18_1", {"crs": "EPSG:26918"}
        write_raster(picture(4), f"{folder}/{tile}_naip-new.tif", **crs)
        write_raster(picture(4), f"{folder}/{tile}_naip-old.tif", **crs)
        write_raster(columns(1, 2, 3, 4, 5, 6, 15, 0, 2), f"{folder}/{tile}_lc.tif", **crs)
        if split == "train":
            write_raster(columns(0, 1, 0, 0, 1, 0, 1, 0, 0), f"{folder}/{tile}_buildings.tif", **crs)
    (tmp_path / "chesapeake/spatial_index.geojson").write_text("{}")
    return tmp_path / "chesapeake"


@pytest.fixture
def globe230k(write_raster: Write, tmp_path: Path) -> Path:
    for name in ("data_1", "data_2", "data_30"):
        write_raster(picture(3), f"globe/image_patch/{name}.jpg", driver="JPEG", **NO_GEOREFERENCE)
        codes = columns(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 6)
        write_raster(codes, f"globe/label_patch/{name}.png", driver="PNG", **NO_GEOREFERENCE)
    for split, names in {"train": "data_30\n", "val": "data_1\n\n", "test": ""}.items():
        (tmp_path / f"globe/{split}_num.txt").write_text(names)
    return tmp_path / "globe"


@pytest.fixture
def segmunich(write_raster: Write, tmp_path: Path) -> Path:
    raw = columns(0, 21, 22, 23, 31, 5, 32, 33, 41, 13, 14, 11, 12, 5)
    counted = columns(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 5)
    for split, name, codes in (("train", "7", raw), ("train", "8", raw), ("val", "7", counted)):
        image = picture(10, "float32", 100, 6000)
        write_raster(image, f"munich/{split}/img/{name}.tif", interleave="pixel", **NO_GEOREFERENCE)
        write_raster(codes, f"munich/{split}/label/{name}.tif", **NO_GEOREFERENCE)
    (tmp_path / "munich/dataset").mkdir()
    (tmp_path / "munich/dataset/train.txt").write_text("7\n")
    return tmp_path / "munich"


@pytest.fixture
def spacenet2(write_raster: Write, tmp_path: Path) -> Path:
    placed = {"crs": "EPSG:4326", "transform": VEGAS}
    nothing: dict[str, Any] = {"type": "Feature", "properties": {}, "geometry": None}
    for city, tile, features in (
        ("AOI_2_Vegas", "img1", [footprint(10, 20, 30, 25), nothing]),
        ("AOI_2_Vegas", "img2", []),
        ("AOI_5_Khartoum", "img1", [footprint(0, 0, 64, 64)]),
    ):
        part, image = f"sn2/{city}_Train", picture(8, "uint16", 100, 1500)
        write_raster(image, f"{part}/MUL-PanSharpen/MUL-PanSharpen_{city}_{tile}.tif", **placed)
        write_footprints(tmp_path / f"{part}/geojson/buildings/buildings_{city}_{tile}.geojson", features)
    write_raster(
        picture(8, "uint16"), "sn2/AOI_2_Vegas_Test_public/MUL-PanSharpen/MUL-PanSharpen_AOI_2_Vegas_img9.tif", **placed
    )
    return tmp_path / "sn2"


@pytest.fixture
def gid15(write_raster: Write, tmp_path: Path) -> Path:
    for split, name in (("train", "GF2_PMS1__L1A0000647767-MSS1"), ("val", "GF2_PMS2__L1A0000718813-MSS2")):
        write_raster(picture(3, low=0), f"gid/GID/img_dir/{split}/{name}.tif", **NO_GEOREFERENCE)
        label = f"gid/GID/ann_dir/{split}/{name}_15label"
        if split == "train":
            write_raster(gid_label(), f"{label}.png", driver="PNG", **NO_GEOREFERENCE)
        write_raster(gid_colors(), f"{label}.tif", **NO_GEOREFERENCE)
    write_raster(picture(3), "gid/GID/img_dir/test/GF2_PMS1__L1A0001.tif", **NO_GEOREFERENCE)
    return tmp_path / "gid"


@pytest.fixture
def gid15_fine(write_raster: Write, tmp_path: Path) -> Path:
    root = "fine/Fine Land-cover Classification_15classes"
    for kind, bands in (("NirRGB", 4), ("RGB", 3)):
        write_raster(picture(bands, low=0), f"{root}/image_{kind}/GF2_PMS1__L1A1-MSS1.tif", **NO_GEOREFERENCE)
    write_raster(gid_colors(), f"{root}/label_15classes/GF2_PMS1__L1A1-MSS1_label.tif", **NO_GEOREFERENCE)
    return tmp_path / "fine"


@pytest.fixture
def hls(write_raster: Write, tmp_path: Path) -> Path:
    for name in ("000", "017"):
        pixels = picture(7, "int16", -50, 5000)
        pixels[3, 0, 0] = -9999
        write_raster(pixels, f"hls/images/{name}.tif", interleave="pixel", **NO_GEOREFERENCE)
        write_raster(columns(1, 1, 0, 0, 0, 0, 0, 0), f"hls/water/{name}.tif", **NO_GEOREFERENCE)
        write_raster(columns(10, 80, 80, 40, 50, 60, 7, 90), f"hls/worldcover/{name}.tif", **NO_GEOREFERENCE)
    (tmp_path / "hls/places.csv").write_text("tile,place\n000,4\n017,4\n")
    return tmp_path / "hls"
