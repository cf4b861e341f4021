"""Readers of the public datasets, on small folders in the layout of each publisher."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spex_nb.errors import DatasetError, TargetError
from spex_nb.scene.windows.rasters import open_raster
from spex_nb.spie.sources.readers import read_chesapeake, read_gid15, read_globe230k, read_segmunich, read_spacenet2
from tests.spie.small_sets import SIDE, first


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
