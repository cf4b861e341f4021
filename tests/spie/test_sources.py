from __future__ import annotations

import csv
import json
import pickle
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from spex_nb.errors import DatasetError, GridError, SpexError, TargetError, UnreadableSourceError
from spex_nb.scene.rasters import open_raster
from spex_nb.scene.sensors import COMMON_BANDS, get_sensor
from spex_nb.spie.sources.catalogue import Imagery, list_facts
from spex_nb.spie.sources.label_layers import ClassLayer, FootprintLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.readers import (
    READERS,
    read_chesapeake,
    read_chesapeake_naip,
    read_gid15,
    read_globe230k,
    read_hls,
    read_labelled,
    read_landsat7_cloud_shadow,
    read_landsat8_zion,
    read_segmunich,
    read_spacenet2,
    read_spie,
)
from spex_nb.targets import TARGETS

SIDE = 64
VEGAS = Affine(2.7e-6, 0, -115.3, 0, -2.7e-6, 36.2)
NO_GEOREFERENCE: dict[str, Any] = {"crs": None, "transform": None}
Write = Callable[..., Path]


def picture(bands: int, dtype: str = "uint8", low: int = 10, high: int = 250) -> Any:
    return np.random.default_rng(bands).integers(low, high, (bands, SIDE, SIDE)).astype(dtype)


def columns(*codes: int) -> Any:
    """Return a label [1, H, W] whose first columns hold the codes, one column each, and all others the last code."""
    label = np.full((1, SIDE, SIDE), codes[-1], "uint8")
    label[0, :, : len(codes)] = codes
    return label


def row(flags: Any) -> list[bool]:
    """Return one row of flags [H, W] whose rows are all the same."""
    assert (flags == flags[0]).all()
    return [bool(flag) for flag in flags[0]]


def first(flags: Any, count: int) -> list[bool]:
    return row(flags)[:count]


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


def footprint(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """Return the feature of a rectangle given in pixels of the Vegas grid, with heights as SpaceNet writes them."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    ring = [[*(VEGAS @ corner), 0.0] for corner in corners]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def write_footprints(path: Path, features: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))


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


COLORS = [(0, 0, 0), (200, 0, 0), (250, 0, 150), (200, 150, 150), (250, 150, 150), (0, 200, 0), (150, 250, 0),
          (150, 200, 150), (200, 0, 200), (150, 0, 250), (150, 150, 250), (250, 200, 0), (200, 200, 0), (0, 0, 200),
          (0, 150, 200), (0, 200, 250)]  # fmt: skip


def gid_label() -> Any:
    return columns(*range(16), 0)


def gid_colors() -> Any:
    return np.moveaxis(np.array(COLORS, "uint8")[gid_label()[0]], -1, 0)


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
        pixels = picture(7, "int16", -200, 5000)
        pixels[3, 0, 0] = -9999
        write_raster(pixels, f"hls/images/{name}.tif", interleave="pixel", **NO_GEOREFERENCE)
        write_raster(columns(1, 1, 0, 0, 0, 0, 0, 0), f"hls/water/{name}.tif", **NO_GEOREFERENCE)
        write_raster(columns(10, 80, 80, 40, 50, 60, 7, 90), f"hls/worldcover/{name}.tif", **NO_GEOREFERENCE)
    (tmp_path / "hls/places.csv").write_text("tile,place\n000,4\n017,4\n")
    return tmp_path / "hls"


# --- what is known of the datasets


@pytest.mark.parametrize("dataset", list(list_facts()))
def test_facts_name_bands_sensors_and_targets_that_exist(dataset: str) -> None:
    facts = list_facts()[dataset]
    for imagery in facts.images.values():
        assert set(imagery.bands) <= set(get_sensor(imagery.sensor or "").names) & set(COMMON_BANDS)
    for coding in facts.codings.values():
        assert set(coding.targets) <= set(TARGETS)
        codes = [code for known in coding.classes for code in known.codes]
        assert len(codes) == len(set(codes))
        for known in coding.classes:
            assert set(known.targets) | set(known.open) <= set(coding.targets)
            assert not set(known.targets) & set(known.open)
    assert facts.licence
    assert facts.citation
    assert facts.url.startswith("https://")


def test_every_dataset_has_a_reader_and_a_section_in_the_docs() -> None:
    assert list(READERS) == list(list_facts())
    docs = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for dataset, facts in list_facts().items():
        assert f"## `{dataset}`" in docs
        assert facts.url in docs
        assert facts.licence.removeprefix("not confirmed: ") in docs


def test_colours_of_gid_are_all_different() -> None:
    coding = list_facts()["gid15"].codings["classes"]
    assert [known.color for known in coding.classes] == COLORS[1:]
    assert len(set(COLORS)) == 16


# --- Chesapeake Land Cover


def test_chesapeake_has_the_official_split_and_each_tile_is_a_place(chesapeake: Path) -> None:
    scenes = read_chesapeake(chesapeake)
    assert [(s.name, s.place, s.split) for s in scenes] == [
        ("de-m_3807515_ne_18_1", "de-m_3807515_ne_18_1", "train"),
        ("de-m_3807513_ne_18_1", "de-m_3807513_ne_18_1", "val"),
    ]


def test_chesapeake_built_up_is_footprints_roads_and_other_impervious(chesapeake: Path) -> None:
    scene = read_chesapeake(chesapeake)[0]
    assert scene.targets == ("water", "vegetation", "building", "built_up", "bare_soil", "road")
    mask, known = scene.label("built_up")
    # land cover 1 2 3 4 5 6 15 0, footprints 0 1 0 0 1 0 1 0
    assert first(mask, 8) == [False, True, False, False, True, True, True, False]
    assert first(known, 8) == [True, True, True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("target", "codes"), [("water", [1]), ("vegetation", [2, 3]), ("bare_soil", [4]), ("road", [6])]
)
def test_chesapeake_land_cover_is_unknown_where_it_has_no_data(chesapeake: Path, target: str, codes: list[int]) -> None:
    mask, known = read_chesapeake(chesapeake)[0].label(target)
    assert first(mask, 8) == [code in codes for code in (1, 2, 3, 4, 5, 6, 15, 0)]
    assert first(known, 8) == [True] * 6 + [False] * 2


def test_chesapeake_buildings_are_known_only_where_there_are_footprints(chesapeake: Path) -> None:
    with_footprints, without = read_chesapeake(chesapeake)
    mask, known = with_footprints.label("building")
    assert first(mask, 8) == [False, True, False, False, True, False, True, False]
    assert known.all()
    assert "building" not in without.targets
    with pytest.raises(TargetError, match=r"building.*chesapeake.*one of water, vegetation, built_up"):
        without.label("building")


def test_chesapeake_opens_as_relative_reflectance_with_its_crs(chesapeake: Path) -> None:
    scene = read_chesapeake(chesapeake)[0].open()
    assert list(scene.data_vars)[:5] == ["red", "green", "blue", "nir", "valid"]
    assert scene.attrs["radiometry"] == "relative reflectance"
    assert scene["nir"].dtype == "float32"
    assert scene.rio.crs.to_epsg() == 26918


# --- Globe230k


def test_globe230k_takes_its_split_from_the_lists(globe230k: Path) -> None:
    scenes = read_globe230k(globe230k)
    assert [(s.name, s.split) for s in scenes] == [("data_1", "val"), ("data_2", ""), ("data_30", "train")]
    assert len({s.place for s in scenes}) == 3


def test_globe230k_is_found_one_folder_deeper(globe230k: Path) -> None:
    globe230k.rename(globe230k.parent / "Globe230k_v3")
    assert len(read_globe230k(globe230k.parent)) == 3


def test_globe230k_leaves_wetland_and_tundra_open(globe230k: Path) -> None:
    scene = read_globe230k(globe230k)[0]
    water, water_known = scene.label("water")
    assert first(water, 11) == [code == 6 for code in range(11)]
    assert first(water_known, 11) == [code not in (0, 5) for code in range(11)]
    vegetation, vegetation_known = scene.label("vegetation")
    assert first(vegetation, 11) == [code in (1, 2, 3, 4) for code in range(11)]
    assert first(vegetation_known, 11) == [code not in (0, 5, 7) for code in range(11)]
    assert first(scene.label("snow")[0], 11) == [code == 10 for code in range(11)]
    assert first(scene.label("bare_soil")[1], 11) == [code not in (0, 1, 5, 7) for code in range(11)]


def test_globe230k_opens_as_a_picture(globe230k: Path) -> None:
    scene = read_globe230k(globe230k)[0].open()
    assert scene.attrs["sensor"] == "rgb"
    assert {"red", "green", "blue"} <= set(scene.data_vars)


def test_globe230k_list_of_a_missing_image_is_refused(globe230k: Path) -> None:
    (globe230k / "test_num.txt").write_text("data_1\ndata_99\n")
    with pytest.raises(DatasetError, match=r"test_num\.txt: 1 of 2, the first is data_99"):
        read_globe230k(globe230k)


# --- SegMunich


def test_segmunich_reads_its_lists_and_is_one_place(segmunich: Path) -> None:
    scenes = read_segmunich(segmunich)
    assert [(s.name, s.split, s.place) for s in scenes] == [
        ("train-7", "train", "munich"),
        ("val-7", "val", "munich"),
    ]


@pytest.mark.parametrize("target", ["water", "vegetation", "built_up"])
def test_segmunich_raw_and_counted_codes_mean_the_same(segmunich: Path, target: str) -> None:
    raw, counted = (scene.label(target) for scene in read_segmunich(segmunich))
    np.testing.assert_array_equal(raw, counted)
    assert raw[0].any()
    assert not raw[1][:, 0].any()


def test_segmunich_arable_land_is_vegetation_and_wetland_no_sure_water(segmunich: Path) -> None:
    scene = read_segmunich(segmunich)[0]
    assert first(scene.label("vegetation")[0], 13) == [i in (1, 2, 3, 4, 6, 8, 10) for i in range(13)]
    assert first(scene.label("vegetation")[1], 13) == [i not in (0, 7, 9, 11, 12) for i in range(13)]
    assert first(scene.label("water")[1], 13) == [i not in (0, 8, 9) for i in range(13)]
    assert first(scene.label("built_up")[0], 13) == [i in (11, 12) for i in range(13)]


def test_segmunich_bands_are_reflectance_by_name(segmunich: Path) -> None:
    labelled = read_segmunich(segmunich)[0]
    scene = labelled.open()
    with open_raster(labelled.path) as file:
        raw = file.read()
    np.testing.assert_allclose(scene["nir08"], raw[7] * 1e-4, rtol=1e-5)
    np.testing.assert_allclose(scene["swir22"], raw[9] * 1e-4, rtol=1e-5)
    assert scene.attrs["radiometry"] == "reflectance"
    assert scene["nir08"].attrs["wavelength_um"] == pytest.approx(0.8647)


# --- SpaceNet-2


def test_spacenet2_reads_the_labelled_cities_by_place(spacenet2: Path) -> None:
    scenes = read_spacenet2(spacenet2)
    assert [(s.name, s.place, s.split) for s in scenes] == [
        ("AOI_2_Vegas_img1", "AOI_2_Vegas", "train"),
        ("AOI_2_Vegas_img2", "AOI_2_Vegas", "train"),
        ("AOI_5_Khartoum_img1", "AOI_5_Khartoum", "train"),
    ]
    assert [s.name for s in read_spacenet2(spacenet2 / "AOI_5_Khartoum_Train")] == ["AOI_5_Khartoum_img1"]


def test_spacenet2_footprints_lie_on_the_grid_of_the_image(spacenet2: Path) -> None:
    scene = read_spacenet2(spacenet2)[0]
    expected = np.zeros((SIDE, SIDE), bool)
    expected[20:25, 10:30] = True
    mask, known = scene.label("building")
    np.testing.assert_array_equal(mask, expected)
    assert known.all()
    built_up, built_up_known = scene.label("built_up")
    np.testing.assert_array_equal(built_up, expected)
    np.testing.assert_array_equal(built_up_known, expected)


def test_spacenet2_tile_without_buildings_is_known_to_have_none(spacenet2: Path) -> None:
    mask, known = read_spacenet2(spacenet2)[1].label("building")
    assert not mask.any()
    assert known.all()


def test_spacenet2_opens_as_worldview_with_eight_bands(spacenet2: Path) -> None:
    scene = read_spacenet2(spacenet2)[0].open()
    assert scene.attrs["sensor"] == "wv3"
    assert len(scene.data_vars) == 9
    assert scene.attrs["radiometry"] == "relative reflectance"


def test_footprints_follow_the_image_into_another_crs(write_raster: Write, tmp_path: Path) -> None:
    place = Affine(10, 0, 500_000, 0, -10, 5_500_000)
    image = write_raster(picture(1), "a.tif", transform=place)
    ring = [
        [500_100, 5_499_900],
        [500_300, 5_499_900],
        [500_300, 5_499_800],
        [500_100, 5_499_800],
        [500_100, 5_499_900],
    ]
    square = {"type": "Polygon", "coordinates": [ring]}
    degrees = rasterio.warp.transform_geom("EPSG:32632", "EPSG:4326", square, precision=9)
    write_footprints(tmp_path / "a.geojson", [{"type": "Feature", "properties": {}, "geometry": degrees}])
    layers = (FootprintLayer(str(tmp_path / "a.geojson"), ("building",)),)
    mask, _ = LabelledScene("x", "a", "a", "", str(image), Imagery("rgb", ("red",)), layers).label("building")
    expected = np.zeros((SIDE, SIDE), bool)
    expected[10:20, 10:30] = True
    np.testing.assert_array_equal(mask, expected)


def test_footprints_need_an_image_with_crs(spacenet2: Path, write_raster: Write) -> None:
    scene = read_spacenet2(spacenet2)[0]
    name = str(Path(scene.path).relative_to(spacenet2.parent))
    write_raster(picture(8, "uint16"), name, **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=r"buildings_AOI_2_Vegas_img1\.geojson: an image without CRS"):
        scene.label("building")


@pytest.mark.parametrize(("text", "says"), [("{", "a GeoJSON file"), ("[1]", "list of features")])
def test_broken_footprints_are_named(spacenet2: Path, text: str, says: str) -> None:
    scene = read_spacenet2(spacenet2)[0]
    Path(scene.layers[0].path).write_text(text)
    with pytest.raises(DatasetError, match=rf"buildings_AOI_2_Vegas_img1\.geojson.*{says}"):
        scene.label("building")


# --- GID-15


def test_gid15_reads_splits_and_leaves_out_the_unlabelled_test_part(gid15: Path) -> None:
    scenes = read_gid15(gid15)
    assert [(s.name, s.split) for s in scenes] == [
        ("GF2_PMS1__L1A0000647767-MSS1", "train"),
        ("GF2_PMS2__L1A0000718813-MSS2", "val"),
    ]
    assert [s.layers[0].path[-4:] for s in scenes] == [".png", ".tif"]


@pytest.mark.parametrize("target", ["water", "vegetation", "built_up"])
def test_gid15_codes_and_colours_mean_the_same(gid15: Path, target: str) -> None:
    codes, colours = (scene.label(target) for scene in read_gid15(gid15))
    np.testing.assert_array_equal(codes, colours)
    assert codes[0].any()
    assert not codes[1][:, 0].any()


def test_gid15_paddy_is_vegetation_and_no_sure_water(gid15: Path) -> None:
    scene = read_gid15(gid15)[0]
    assert first(scene.label("water")[0], 16) == [code in (13, 14, 15) for code in range(16)]
    assert first(scene.label("water")[1], 16) == [code not in (0, 5) for code in range(16)]
    assert first(scene.label("vegetation")[0], 16) == [5 <= code <= 12 for code in range(16)]
    assert first(scene.label("vegetation")[1], 16) == [code not in (0, 2, 3) for code in range(16)]
    assert first(scene.label("built_up")[0], 16) == [1 <= code <= 4 for code in range(16)]


def test_gid15_dark_pixels_are_data(gid15: Path) -> None:
    labelled = read_gid15(gid15)[0]
    with open_raster(labelled.path) as file:
        assert (file.read() == 0).any()
    assert labelled.open()["valid"].all()


def test_gid15_fine_set_prefers_near_infrared_in_front(gid15_fine: Path) -> None:
    (labelled,) = read_gid15(gid15_fine)
    scene = labelled.open()
    with open_raster(labelled.path) as file:
        raw = file.read()
    for number, name in enumerate(("nir", "red", "green", "blue")):
        np.testing.assert_allclose(scene[name], raw[number] / 255, rtol=1e-5)
    assert first(labelled.label("water")[0], 16) == [code in (13, 14, 15) for code in range(16)]


def test_gid15_fine_set_without_near_infrared_is_a_picture(gid15_fine: Path) -> None:
    shutil.rmtree(gid15_fine / "Fine Land-cover Classification_15classes" / "image_NirRGB")
    (labelled,) = read_gid15(gid15_fine)
    assert labelled.imagery.bands == ("red", "green", "blue")
    assert "nir" not in labelled.open()


# --- the sets this project is developed on


def test_hls_water_wins_and_worldcover_speaks_of_the_rest(hls: Path) -> None:
    scene = read_hls(hls)[0]
    assert scene.targets == ("water", "vegetation", "built_up", "bare_soil")
    # water 1 1 0 0 0 0 0 0, WorldCover 10 80 80 40 50 60 7 90
    water, known = scene.label("water")
    assert first(water, 8) == [True, True] + [False] * 6
    assert known.all()
    vegetation, known = scene.label("vegetation")
    assert first(vegetation, 8) == [False, False, False, True, False, False, False, True]
    assert first(known, 8) == [True, True, False, True, True, True, False, True]
    bare, known = scene.label("bare_soil")
    assert first(bare, 8) == [False] * 5 + [True] + [False] * 2
    assert first(known, 8) == [True, True, False, False, True, True, False, True]


def test_hls_scales_masks_and_names_its_bands(hls: Path) -> None:
    labelled = read_hls(hls)[0]
    scene = labelled.open()
    with open_raster(labelled.path) as file:
        raw = file.read()
    np.testing.assert_allclose(scene["swir22"], raw[6] * 1e-4, atol=1e-6)
    assert not scene["valid"][0, 0]
    assert scene["valid"].sum() == SIDE * SIDE - 1
    assert scene["nir"].attrs["wavelength_um"] == pytest.approx(0.8647)


def test_hls_tiles_of_one_place_share_it(hls: Path) -> None:
    assert [(s.name, s.place, s.split) for s in read_hls(hls)] == [("000", "4", ""), ("017", "4", "")]


@pytest.mark.parametrize(
    ("table", "says"),
    [("tile,place\n000,4\n", r"017, not in .*places\.csv"), ("", r"places\.csv without rows of tile and place")],
)
def test_hls_places_must_be_complete(hls: Path, table: str, says: str) -> None:
    (hls / "places.csv").write_text(table)
    with pytest.raises(DatasetError, match=says):
        read_hls(hls)


# --- any labelled scene


def test_window_is_a_part_of_the_whole_label(chesapeake: Path, spacenet2: Path) -> None:
    for scene in (read_chesapeake(chesapeake)[0], read_spacenet2(spacenet2)[0]):
        for target in scene.targets:
            whole = np.array(scene.label(target))
            part = np.array(scene.label(target, (17, 5, 30, 40)))
            assert part.shape == (2, 30, 40)
            np.testing.assert_array_equal(part, whole[:, 17:47, 5:45])


def test_only_the_window_is_read(chesapeake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    read = rasterio.io.DatasetReader.read

    def spy(self: Any, *arguments: Any, window: Any = None, **others: Any) -> Any:
        seen.append((window.width, window.height))
        return read(self, *arguments, window=window, **others)

    monkeypatch.setattr("spex_nb.spie.sources.label_layers.open_raster", lambda path: Spied(path, spy))
    read_chesapeake(chesapeake)[0].label("built_up", (0, 0, 8, 4))
    assert seen == [(4, 8), (4, 8)]


class Spied:
    """A raster whose reads are seen."""

    def __init__(self, path: str, read: Any) -> None:
        self.file, self.spy = open_raster(path), read

    def __enter__(self) -> Spied:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, *arguments: Any, **others: Any) -> Any:
        return self.spy(self.file, *arguments, **others)


@pytest.mark.parametrize("window", [(-1, 0, 4, 4), (0, 0, 65, 4), (60, 60, 4, 5), (0, 0, 0, 4)])
def test_window_outside_the_image_is_refused(hls: Path, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(GridError, match=r"000\.tif.*a part of 64 x 64 px"):
        read_hls(hls)[0].label("water", window)


def test_words_of_prompts_name_targets_too(hls: Path) -> None:
    scene = read_hls(hls)[0]
    np.testing.assert_array_equal(scene.label("water bodies"), scene.label("water"))
    with pytest.raises(TargetError, match=r"Unknown target.*wetter"):
        scene.label("wetter")


@pytest.mark.parametrize("dataset", ["hls", "chesapeake", "globe230k", "segmunich", "spacenet2", "gid15"])
def test_scenes_travel_to_workers_and_have_plain_unique_names(dataset: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(dataset)
    scenes = read_labelled(dataset, folder)
    assert scenes == read_labelled(dataset, str(folder))
    assert len({scene.name for scene in scenes}) == len(scenes)
    for scene in scenes:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", scene.name)
        assert scene.dataset == dataset
        travelled = pickle.loads(pickle.dumps(scene))  # noqa: S301 (made in this line)
        assert travelled == scene
        for target in scene.targets:
            mask, known = travelled.label(target)
            assert mask.dtype == known.dtype == bool
            assert mask.shape == known.shape == (SIDE, SIDE)
            assert not (mask & ~known).any()


# --- what does not fit


def test_unknown_dataset_is_offered_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"'globe230'.*Did you mean globe230k"):
        read_labelled("globe230", ".")


@pytest.mark.parametrize("dataset", list(READERS))
def test_missing_and_empty_folders_say_what_they_should_hold(dataset: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing there.*docs/data\.md"):
        read_labelled(dataset, tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"(Expected: .*(tif|img|image|AOI_2|places|tiles))"):
        read_labelled(dataset, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"a file"):
        read_labelled(dataset, tmp_path / "file")


LABELS = [
    ("hls", "water/017.tif"),
    ("hls", "worldcover/000.tif"),
    ("chesapeake", "de_1m_2013_extended-debuffered-val_tiles/m_3807513_ne_18_1_lc.tif"),
    ("globe230k", "label_patch/data_2.png"),
    ("segmunich", "train/label/7.tif"),
    ("spacenet2", "AOI_2_Vegas_Train/geojson/buildings/buildings_AOI_2_Vegas_img2.geojson"),
    ("gid15", "GID/ann_dir/val/GF2_PMS2__L1A0000718813-MSS2_15label.tif"),
    ("gid15_fine", "Fine Land-cover Classification_15classes/label_15classes/GF2_PMS1__L1A1-MSS1_label.tif"),
]


@pytest.mark.parametrize(("dataset", "label"), LABELS)
def test_image_without_label_is_named(dataset: str, label: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(dataset)
    (folder / label).unlink()
    with pytest.raises(DatasetError, match=rf"An image has no label.*{re.escape(Path(label).name)}"):
        read_labelled(dataset.removesuffix("_fine"), folder)


@pytest.mark.parametrize(("dataset", "bands"), [("hls", 6), ("globe230k", 1), ("segmunich", 12), ("spacenet2", 3)])
def test_image_of_other_bands_is_named(
    dataset: str, bands: int, request: pytest.FixtureRequest, write_raster: Write
) -> None:
    scene = read_labelled(dataset, request.getfixturevalue(dataset))[0]
    write_raster(picture(bands), "other.tif")
    shutil.copy(request.getfixturevalue("tmp_path") / "other.tif", scene.path)
    says = rf"bands of {dataset}.*{re.escape(Path(scene.path).name)}: {bands} band"
    with pytest.raises(DatasetError, match=says):
        scene.open()
    with pytest.raises(DatasetError, match=says):
        scene.label(scene.targets[0])


def test_label_of_another_size_is_named(hls: Path, write_raster: Write) -> None:
    write_raster(np.zeros((1, 64, 32), "uint8"), "hls/water/000.tif", **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=r"water/000\.tif: 64 x 32 px.*64 x 64 px, as its image"):
        read_hls(hls)[0].label("water")


def test_label_on_other_ground_is_named(chesapeake: Path, write_raster: Write) -> None:
    scene = read_chesapeake(chesapeake)[0]
    name = str(Path(scene.layers[1].path).relative_to(chesapeake.parent))
    write_raster(columns(1), name, crs="EPSG:26918", transform=Affine(10, 0, 500_640, 0, -10, 5_500_000))
    with pytest.raises(DatasetError, match=r"_lc\.tif: origin \(500640.*as its image"):
        scene.label("water")


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((3, SIDE, SIDE), "uint8"), r"3 band\(s\) of uint8.*one band of class codes"),
        (np.zeros((1, SIDE, SIDE), "float32"), r"1 band\(s\) of float32.*integers"),
    ],
)
def test_label_that_holds_no_codes_is_named(hls: Path, write_raster: Write, pixels: Any, says: str) -> None:
    write_raster(pixels, "hls/worldcover/000.tif", **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=rf"worldcover/000\.tif: {says}"):
        read_hls(hls)[0].label("vegetation")


def test_label_in_colour_needs_three_bands(gid15_fine: Path) -> None:
    (scene,) = read_gid15(gid15_fine)
    with rasterio.open(scene.layers[0].path, "w", driver="GTiff", dtype="uint8", count=1, height=SIDE, width=SIDE,
                       crs="EPSG:32632", transform=Affine(4, 0, 0, 0, -4, 0)) as file:  # fmt: skip
        file.write(gid_label())
    with pytest.raises(DatasetError, match=r"_label\.tif: 1 band\(s\).*three bands of colours"):
        scene.label("water")


def test_damaged_label_is_named(hls: Path) -> None:
    (hls / "water/000.tif").write_bytes(b"no raster")
    with pytest.raises(UnreadableSourceError, match=r"water/000\.tif"):
        read_hls(hls)[0].label("water")


def test_label_cut_short_is_named(hls: Path, write_raster: Write) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1, SIDE, SIDE)).astype("uint8")
    path = write_raster(noise, "hls/water/000.tif", compress="deflate", **NO_GEOREFERENCE)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(SpexError, match=r"water/000\.tif"):
        read_hls(hls)[0].label("water")


# --- the released form


@pytest.fixture
def released(tmp_path: Path) -> Path:
    folder = tmp_path / "released"
    for name in ("images/1.png", "masks/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    turns = [{"from": "human", "value": "<image>\nBased on"}, {"from": "gpt", "value": "A lake."}]
    record = {"id": 7, "image": "images/1.png", "gt_image": "masks/1.png", "conversations": turns}
    for name in ("b", "a"):
        (folder / f"{name}.json").write_text(json.dumps([record | {"id": name}]))
    return folder


def test_released_records_are_read_in_order_with_their_files(released: Path) -> None:
    assert [record.id for record in read_spie(released)] == ["a", "b"]
    (record,) = read_spie(released / "b.json")
    assert record.image == str(released / "images/1.png")
    assert record.gt_image == str(released / "masks/1.png")
    assert (record.prompt, record.answer) == ("<image>\nBased on", "A lake.")
    assert record.conversations == (("human", "<image>\nBased on"), ("gpt", "A lake."))


def test_released_paths_can_start_elsewhere(released: Path, tmp_path: Path) -> None:
    moved = shutil.copy(released / "a.json", tmp_path / "moved.json")
    assert read_spie(moved, images=released)[0].image == str(released / "images/1.png")
    with pytest.raises(DatasetError, match=r"images/1\.png in .*moved\.json, record 0.*images="):
        read_spie(moved)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", r"a\.json"),
        ("{}", r"a\.json: a dict"),
        ("[3]", r"record 0: a int"),
        ('[{"id": 1, "image": "x"}]', r"record 0: no gt_image, conversations"),
    ],
)
def test_what_is_no_released_file_is_named(released: Path, text: str, says: str) -> None:
    (released / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=rf"not of the released form.*{says}"):
        read_spie(released)


@pytest.mark.parametrize("turns", [[], "text", [{"from": "human"}]])
def test_released_conversations_must_be_turns(released: Path, turns: Any) -> None:
    record = json.loads((released / "a.json").read_text())[0] | {"conversations": turns}
    (released / "a.json").write_text(json.dumps([record]))
    with pytest.raises(DatasetError, match=r"record 0: conversations that are no list"):
        read_spie(released)


def test_released_folder_without_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no JSON file"):
        read_spie(tmp_path)


# --- real scenes


@pytest.mark.data
def test_real_hls_has_210_tiles_at_their_places(real_data: Path) -> None:
    scenes = read_hls(real_data / "hls")
    with (real_data / "hls" / "places.csv").open() as file:
        places = {line["tile"]: line["place"] for line in csv.DictReader(file)}
    assert len(scenes) == 210
    assert {scene.name: scene.place for scene in scenes} == places
    assert max(list(places.values()).count(place) for place in places.values()) == 14


@pytest.mark.data
def test_real_hls_is_reflectance_and_water_wins_over_worldcover(real_data: Path) -> None:
    scenes = read_hls(real_data / "hls")[::30]
    for labelled in scenes:
        scene = labelled.open()
        assert -0.2 < float(scene["green"].min()) < float(scene["green"].median()) < 0.5
        water, known = labelled.label("water")
        assert known.all()
        layer = labelled.layers[0]
        assert isinstance(layer, ClassLayer)
        with open_raster(layer.path) as file:
            np.testing.assert_array_equal(water, file.read(1) == 1)
        for other in ("vegetation", "built_up", "bare_soil"):
            mask, other_known = labelled.label(other)
            assert not mask[water].any()
            assert other_known[water].all()
    assert any(labelled.label("vegetation")[0].any() for labelled in scenes)


@pytest.mark.data
def test_real_chesapeake_clips_have_two_places(real_data: Path) -> None:
    scenes = read_chesapeake_naip(real_data / "chesapeake_naip")
    assert len(scenes) == 16
    assert {scene.place for scene in scenes} == {"m_3708020_sw_17_1", "m_3708035_ne_17_1"}
    assert scenes[0].open().attrs["radiometry"] == "relative reflectance"
    for scene in scenes:
        building, built_up = scene.label("building")[0], scene.label("built_up")[0]
        assert not (building & ~built_up).any()
        assert not (scene.label("road")[0] & ~built_up).any()


@pytest.mark.data
def test_real_zion_is_top_of_atmosphere_reflectance(real_data: Path) -> None:
    (labelled,) = read_landsat8_zion(real_data / "landsat8_zion")
    scene = labelled.open()
    assert 0.1 < float(scene["nir"].median()) < 0.5
    assert [int(labelled.label(target)[0].sum()) for target in ("water", "built_up", "bare_soil")] == [
        1334,
        19473,
        117179,
    ]
    assert int((~labelled.label("water")[1]).sum()) == 7172


@pytest.mark.data
def test_real_cloud_is_unknown_and_shadow_is_no_water(real_data: Path) -> None:
    (labelled,) = read_landsat7_cloud_shadow(real_data / "landsat7_cloud_shadow")
    mask, known = labelled.label("water")
    assert int(mask.sum()) == 6176
    assert int((~known).sum()) == 94451
    assert 0 < float(labelled.open()["nir"].median()) < 1
