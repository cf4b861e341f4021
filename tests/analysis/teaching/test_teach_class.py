"""A few examples teach a class: it is found again, by any form of example, and bad input says what is wrong."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine

from spex_nb.analysis.teaching import next_places, sample_scene_features, teach
from spex_nb.errors import (
    GridError,
    MissingBandError,
    RegionError,
    SpexError,
    TargetError,
    TeachingError,
)
from spex_nb.types import MaskModel, TaughtClass
from tests.analysis.teaching.conftest import centres, covers_of, scene_of

Clicks = dict[str, list[tuple[int, int]]]


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def test_twelve_clicks_find_the_class_again_and_on_another_scene(
    scene: xr.Dataset, covers: np.ndarray, clicks: Clicks
) -> None:
    reeds = teach(scene, "reeds", **clicks)
    assert isinstance(reeds, MaskModel)
    assert isinstance(reeds, TaughtClass)
    assert iou(reeds.logits(scene) > 0, covers == 0) > 0.7
    others = covers_of(7)
    assert iou(reeds.logits(scene_of(others, 7)) > 0, others == 0) > 0.6


def test_points_boxes_masks_and_geometries_are_the_same_examples(scene: xr.Dataset, clicks: Clicks) -> None:
    placed = scene.rio.write_crs("EPSG:32633").rio.write_transform(Affine(30, 0, 500_000, 0, -30, 5_000_000))

    def as_mask(points: list[tuple[int, int]]) -> np.ndarray:
        mask = np.zeros(scene.spex.shape, bool)
        for x, y in points:
            mask[y, x] = True
        return mask

    def on_the_map(points: list[tuple[int, int]]) -> gpd.GeoDataFrame:
        positions = [(500_000 + 30 * (x + 0.5), 5_000_000 - 30 * (y + 0.5)) for x, y in points]
        return gpd.GeoDataFrame(geometry=[shapely.Point(*p) for p in positions], crs="EPSG:32633").to_crs("EPSG:4326")

    by_points = teach(scene, "reeds", **clicks)
    boxes = {side: [(x, y, x + 1, y + 1) for x, y in points] for side, points in clicks.items()}
    forms: list[tuple[xr.Dataset, dict[str, Any]]] = [
        (scene, boxes),
        (scene, {side: as_mask(points) for side, points in clicks.items()}),
        (placed, {side: on_the_map(points) for side, points in clicks.items()}),
    ]
    for where, examples in forms:
        assert np.allclose(teach(where, "reeds", **examples).solution, by_points.solution, atol=1e-6)


def test_a_vector_file_teaches(tmp_path: Any, scene: xr.Dataset, clicks: Clicks) -> None:
    placed = scene.rio.write_crs("EPSG:32633").rio.write_transform(Affine(30, 0, 500_000, 0, -30, 5_000_000))
    for side, points in clicks.items():
        squares = [
            shapely.box(500_000 + 30 * x, 5_000_000 - 30 * y - 60, 500_000 + 30 * x + 60, 5_000_000 - 30 * y)
            for x, y in points
        ]
        gpd.GeoDataFrame(geometry=squares, crs="EPSG:32633").to_file(tmp_path / f"{side}.gpkg")
    reeds = teach(placed, "reeds", yes=tmp_path / "yes.gpkg", no=str(tmp_path / "no.gpkg"))
    assert len(reeds.examples) == 4 * 12


def test_logits_of_a_window_are_those_of_the_whole_within_its_halo(scene: xr.Dataset, clicks: Clicks) -> None:
    reeds = teach(scene, "reeds", **clicks)
    whole = reeds.logits(scene)
    part = reeds.logits(scene.isel(y=slice(10, 90), x=slice(5, 95)))
    assert np.allclose(part[15:-15, 15:-15], whole[25:75, 20:80], atol=1e-3)


def test_pixels_without_data_teach_nothing_and_are_no_class(
    scene: xr.Dataset, covers: np.ndarray, clicks: Clicks
) -> None:
    holed = scene.copy(deep=True)
    for band in holed.spex.bands:
        holed[band].values[:, 40:56] = np.nan
    reeds = teach(holed, "reeds", **clicks)
    logits = reeds.logits(holed)
    assert np.isneginf(logits[:, 40:56]).all()
    assert np.isfinite(np.delete(logits, np.s_[40:56], axis=1)).all()
    truth = np.delete(covers == 0, np.s_[40:56], axis=1)
    assert iou(np.delete(logits > 0, np.s_[40:56], axis=1), truth) > 0.7


def test_a_target_gives_negatives_where_the_user_gives_none(scene: xr.Dataset, covers: np.ndarray) -> None:
    wet = teach(scene, "reeds", yes=centres(covers, 0, 5), other_than=["water"])
    assert not wet.examples.is_clicked[~wet.examples.truth].any()
    assert ((wet.logits(scene) > 0) & (covers == 3)).sum() / (covers == 3).sum() < 0.05
    assert wet.assessment.iou is None  # a rule is no evidence


def test_several_scenes_teach_one_class(scene: xr.Dataset, clicks: Clicks) -> None:
    others = covers_of(3)
    reeds = teach(
        [scene, scene_of(others, 3)], "reeds", yes=[clicks["yes"], centres(others, 0, 4)], no=[clicks["no"], None]
    )
    assert set(reeds.examples.scenes.tolist()) == {0, 1}
    assert reeds.assessment.yes_places == 10


def test_the_estimate_holds_the_truth_and_says_which_band_tells(
    scene: xr.Dataset, covers: np.ndarray, clicks: Clicks
) -> None:
    assessment = teach(scene, "reeds", **clicks).assessment
    assert assessment.low is not None
    assert assessment.high is not None
    assert assessment.low <= iou(teach(scene, "reeds", **clicks).logits(scene) > 0, covers == 0) <= assessment.high
    assert assessment.overlaps[0].overlap_frac < 0.1


def test_a_class_that_no_band_shows_does_not_work_and_says_why(scene: xr.Dataset) -> None:
    generator = np.random.default_rng(5)
    columns, rows = generator.permutation(96)[:48].tolist(), generator.permutation(96)[:48].tolist()
    positions = [*zip(columns, rows, strict=True)]
    noise = scene.copy(deep=True)
    for band in noise.spex.bands:
        noise[band].values[:] = 0.2 + generator.normal(0, 0.02, noise.spex.shape).astype(np.float32)
    assessment = teach(noise, "reeds", yes=positions[:24], no=positions[24:]).assessment
    assert assessment.advice == "does not work"
    assert "overlaps by" in str(assessment)


def test_one_click_each_gives_no_estimate(scene: xr.Dataset, clicks: Clicks) -> None:
    assessment = teach(scene, "reeds", yes=clicks["yes"][:1], no=clicks["no"][:1]).assessment
    assert assessment.iou is None
    assert "at least 2 of each" in str(assessment)


def test_the_next_places_are_new_and_apart_and_of_both_sides(scene: xr.Dataset, clicks: Clicks) -> None:
    reeds = teach(scene, "reeds", yes=clicks["yes"][:1], no=clicks["no"][:1])
    places = next_places(reeds, scene, 4)
    positions = np.array([(place.x_px, place.y_px) for place in places])
    taught = reeds.examples.positions[:, ::-1] + 0.5
    apart = np.linalg.norm(positions[:, None] - np.concatenate([positions, taught])[None], axis=2)
    assert (np.sort(apart, axis=1)[:, 1] > 8).all()
    assert {place.probability > 0.5 for place in places} == {True, False}


def test_a_sample_that_is_there_already_changes_nothing(scene: xr.Dataset, clicks: Clicks) -> None:
    reeds = teach(scene, "reeds", **clicks)
    sample = sample_scene_features(scene, reeds.space.kind, reeds.space.bands)
    assert np.array_equal(teach(scene, "reeds", **clicks, samples=[sample]).solution, reeds.solution)
    assert next_places(reeds, scene, 2, sample) == next_places(reeds, scene, 2)


def test_three_bands_without_calibration_teach_too(scene: xr.Dataset, covers: np.ndarray, clicks: Clicks) -> None:
    picture = scene[["red", "green", "blue"]].assign_attrs(radiometry="relative (8 bit)", gsd_m=0.6)
    soil = teach(picture, "dry ground", yes=centres(covers, 2, 6), no=clicks["yes"][:3] + centres(covers, 3, 3))
    assert soil.space.kind == "pixels"
    assert iou(soil.logits(picture) > 0, covers == 2) > 0.7


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"yes": []}, TeachingError, "Mark a place where the class is"),
        ({"no": None}, TeachingError, "name a target that it is not"),
        ({"yes": [(200, 5)]}, RegionError, "within 96 columns and 96 rows"),
        ({"yes": [(float("nan"), 5)]}, RegionError, "within 96 columns"),
        ({"yes": np.zeros((5, 5), bool)}, RegionError, "Brush it on the same scene"),
        ({"yes": "nowhere.geojson"}, SpexError, "Check the path"),
        ({"yes": gpd.GeoSeries([shapely.Point(1, 2)], crs="EPSG:4326")}, GridError, "positions .x, y. in pixels"),
        ({"yes": [shapely.Point()]}, RegionError, "an empty geometry"),
        ({"yes": {"type": "nothing"}}, SpexError, "no GeoJSON"),
        ({"no": "SAME"}, RegionError, "out of one of the two"),
        ({"name": ""}, TeachingError, "Name what is seen"),
        ({"name": "x" * 61}, TeachingError, "up to 60 characters"),
        ({"name": "<script>"}, TeachingError, "letters and digits"),
        ({"name": 7}, TeachingError, "letters and digits"),
        ({"name": "Water"}, TeachingError, "Say how it differs"),
        ({"names": {"xx": "Schilf"}}, TeachingError, "not spoken here"),
        ({"names": {"de": "#"}}, TeachingError, "letters and digits"),
        ({"color": "red"}, TeachingError, "six hexadecimal digits"),
        ({"other_than": ["moon"]}, TargetError, "Unknown target"),
        ({"other_than": ["road"]}, TargetError, "road"),
    ],
)
def test_bad_input_says_what_to_do(
    scene: xr.Dataset, clicks: Clicks, change: dict[str, Any], error: type[SpexError], message: str
) -> None:
    arguments: dict[str, Any] = {"name": "reeds", **clicks, **change}
    if arguments["no"] == "SAME":
        arguments["no"] = clicks["yes"][:1]
    with pytest.raises(error, match=message):
        teach(scene, arguments.pop("name"), **arguments)


def test_scenes_that_do_not_fit_are_refused(scene: xr.Dataset, clicks: Clicks) -> None:
    relative = scene.assign_attrs(radiometry="relative (8 bit)")
    with pytest.raises(TeachingError, match="Teach on scenes of one sensor"):
        teach([scene, relative], "reeds", yes=[clicks["yes"]] * 2, no=[clicks["no"]] * 2)
    with pytest.raises(TeachingError, match="one entry for each scene"):
        teach([scene, scene], "reeds", yes=clicks["yes"], no=clicks["no"])
    with pytest.raises(TeachingError, match="Pass a scene"):
        teach([], "reeds", yes=clicks["yes"], no=clicks["no"])
    reeds = teach(scene, "reeds", **clicks)
    with pytest.raises(MissingBandError, match="swir22"):
        reeds.require_scene(scene.drop_vars("swir22"))
    with pytest.raises(TeachingError, match="numbers of another kind"):
        reeds.require_scene(relative)
    with pytest.raises(RegionError, match="at least 1"):
        next_places(reeds, scene, 0)
    with pytest.raises(TargetError, match="Ask for this name"):
        reeds.predict(scene, ["lakes"], [""])
    with pytest.raises(ValueError, match="one prompt for each"):
        reeds.predict(scene, ["reeds"], [])
