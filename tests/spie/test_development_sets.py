"""Readers of the recipe's own datasets, on small folders and on the real ones."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from development_sets import read_chesapeake_naip, read_hls, read_landsat7_cloud_shadow, read_landsat8_zion

from spex_nb.errors import DatasetError
from spex_nb.scene.windows.rasters import open_raster
from spex_nb.spie.sources.label_layers import ClassLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene
from tests.spie.small_sets import SIDE, first


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


@pytest.mark.parametrize("read", [read_hls, read_chesapeake_naip, read_landsat8_zion, read_landsat7_cloud_shadow])
def test_missing_and_empty_folders_say_what_they_should_hold(
    read: Callable[[Path], list[LabelledScene]], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"nothing there.*docs/data\.md"):
        read(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"(Expected: .*(tif|images|places))"):
        read(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"a file"):
        read(tmp_path / "file")
