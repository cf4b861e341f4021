"""Checks of a map: points drawn by three designs, answers from hands and files, two persons, two maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio

from spex_nb import Extraction, check_map, compare_maps, extract, load_check, load_extraction, sample_scene
from spex_nb.errors import (
    DatasetError,
    EmptySceneError,
    ExtractionError,
    RegionError,
    SourceNotFoundError,
    UnreadableSourceError,
)
from spex_nb.evaluation import MapCheck, read_answers
from spex_nb.evaluation.agreement import compare_correctness, measure_agreement
from spex_nb.evaluation.map_check import OTHER_NAME, UNSURE
from spex_nb.evaluation.sampling import OTHER, allocate_points, stratum_table
from spex_nb.extraction import correct_result


@pytest.fixture(scope="module")
def result() -> Extraction:
    return extract(sample_scene("river_10m"), "water and vegetation", "index", progress=False)


def answered(result: Extraction, wrong: int = 7, **options: Any) -> MapCheck:
    """Return a check whose answers agree with the map, but for every so many points."""
    check = check_map(result, **options)
    names = [*check.classes]
    for point, mapped in enumerate(check.mapped):
        check = check.answer(point, names[(mapped + ((point + 1) % wrong == 0)) % len(names)])
    return check


@pytest.mark.parametrize("design", ["stratified", "random", "systematic"])
def test_points_lie_on_pixels_of_their_stratum_and_the_seed_draws_them_again(result: Extraction, design: Any) -> None:
    check = check_map(result, 60, design, seed=3)
    labels, strata = stratum_table(result)
    points = check.points
    assert len(points) == pytest.approx(60, abs=0 if design != "systematic" else 12)
    assert not points.duplicated(["row", "column"]).any()
    np.testing.assert_array_equal(labels[points["row"], points["column"]], points["stratum"])
    assert points.equals(check_map(result, 60, design, seed=3).points)
    assert not points.equals(check_map(result, 60, design, seed=4).points)
    assert strata["pixels"].sum() == (result.mask.to_numpy() != 255).sum()


@pytest.mark.parametrize("has_doubt", [True, False])
def test_strata_are_the_classes_of_the_mask_parted_by_doubt(result: Extraction, has_doubt: bool) -> None:
    judged = result if has_doubt else replace(result, doubt=None)  # as in results of earlier versions
    labels, strata = stratum_table(judged)
    for row in strata.itertuples():
        number = [OTHER, *result.class_names].index(row.target)
        assert (result.mask.to_numpy()[labels == row.stratum] == number).all()
    doubtful = strata.loc[strata["is_doubtful"], "pixels"].sum() / strata["pixels"].sum()
    assert 0 < doubtful <= 0.11
    certainty = -result.doubt.to_numpy().astype(float) if has_doubt else result.probability[1].to_numpy()  # type: ignore[union-attr]
    in_doubt, clear = (
        strata.index[(strata["target"] == "vegetation") & (strata["is_doubtful"] == is_so)] for is_so in (True, False)
    )
    assert certainty[labels == in_doubt[0]].max() <= certainty[labels == clear[0]].min()


def test_points_are_spread_half_evenly_and_never_more_than_there_are_pixels() -> None:
    assert allocate_points(np.array([900, 100]), 100).tolist() == [70, 30]
    assert allocate_points(np.array([9_990, 3, 7]), 100).sum() == 100
    assert (allocate_points(np.array([9_990, 3, 7]), 100) <= [9_990, 3, 7]).all()
    assert allocate_points(np.array([5, 5]), 100).tolist() == [5, 5]
    assert allocate_points(np.array([1_000, 10, 10, 10]), 3).sum() == 3


@pytest.mark.parametrize(("n", "design"), [(0, "random"), (10, "by eye")])
def test_designs_that_make_no_sense_are_refused(result: Extraction, n: int, design: Any) -> None:
    with pytest.raises(ExtractionError, match="Change n= or design="):
        check_map(result, n, design)


def test_a_map_without_data_cannot_be_checked(result: Extraction) -> None:
    empty = replace(result, mask=result.mask.copy(data=np.full(result.mask.shape, 255, np.uint8)))
    with pytest.raises(EmptySceneError, match="nothing to check"):
        check_map(empty)


def test_without_errors_the_area_is_that_of_the_map_and_the_interval_holds_it(result: Extraction) -> None:
    check = answered(result, wrong=10**9)
    areas = check.areas
    for name, evidence in result.evidence.items():
        assert areas[name].share_frac == pytest.approx(evidence.share_frac, abs=0.01)
        assert areas[name].low_frac < areas[name].share_frac < areas[name].high_frac
    assert check.estimates.overall.value == pytest.approx(1.0)
    assert check.estimates.overall.low < 1
    assert areas["water"].valid_m2 == pytest.approx(101_580 * 100, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["stratified", "random", "systematic"])
def test_the_area_is_unbiased_whatever_the_map_says(result: Extraction, design: Any) -> None:
    truth = np.roll(result.mask.to_numpy(), 5, axis=1)  # a ground that the map misses by five pixels
    truth[truth == 255] = 0
    names = [OTHER, *result.class_names]
    areas = []
    for seed in range(60):
        check = check_map(result, 200, design, seed)
        values = truth[check.points["row"], check.points["column"]]
        areas.append(replace(check, answers=tuple(names[value] for value in values)).areas["water"])
    true_share = (truth[result.mask.to_numpy() != 255] == 1).mean()
    shares = np.array([area.share_frac for area in areas])
    assert shares.mean() == pytest.approx(true_share, abs=3 * shares.std() / np.sqrt(len(areas)))
    assert np.mean([area.low_frac <= true_share <= area.high_frac for area in areas]) >= 0.9


def test_unsure_points_are_left_out_and_counted(result: Extraction) -> None:
    check = check_map(result, 20)
    assert (check.first_unanswered, check.areas) == (0, {})
    assert "none answered" in check._repr_html_()
    check = check.answer(0, UNSURE).answer(1, "water").answer(2, OTHER)
    assert (check.answered, check.unsure, check.first_unanswered) == (2, 1, 3)
    assert check.areas["water"].points == 2
    assert check.answer(1, "").first_unanswered == 1
    assert "1 unsure" in check.sentence
    assert "±" in check._repr_html_() or "between" in check._repr_html_()


@pytest.mark.parametrize(("point", "answer"), [(0, "lava"), (99, "water"), (-1, "water")])
def test_answers_that_are_none_are_refused(result: Extraction, point: int, answer: str) -> None:
    with pytest.raises(DatasetError, match="Give one of these answers"):
        check_map(result, 5).answer(point, answer)


def test_a_check_without_answers_says_what_to_do(result: Extraction) -> None:
    with pytest.raises(DatasetError, match="Answer some points"):
        check_map(result, 5).apply()


def test_what_was_saved_is_read_again(result: Extraction, tmp_path: Path) -> None:
    check = answered(result).answer(0, UNSURE).answer(1, "")
    again = load_check(check.save(tmp_path / "check.gpkg"), result)
    assert (again.answers, again.design, again.seed, again.person) == (check.answers, "stratified", 0, "")
    assert again.sentence == check.sentence
    pd.testing.assert_frame_equal(again.strata, check.strata, check_dtype=False)
    points = gpd.read_file(tmp_path / "check.gpkg", layer="points")
    assert points.crs == result.mask.rio.crs
    row, column = check.points.loc[5, ["row", "column"]]
    x, y = result.mask.rio.transform() @ (column + 0.5, row + 0.5)
    assert (points.geometry[5].x, points.geometry[5].y) == (x, y)
    assert "mapped" not in points.columns  # whoever answers does not see the map


def test_answers_come_from_a_file_by_number_or_by_place(result: Extraction, tmp_path: Path) -> None:
    check = answered(result, n=30)
    blank = check_map(result, 30)
    frame = check.to_geodataframe()
    frame["cover"] = [{"water": "Water bodies", "vegetation": "2", OTHER: OTHER_NAME}[name] for name in check.answers]
    by_place = frame[["cover", "geometry"]].to_crs(4326).iloc[::-1]
    by_place.to_file(tmp_path / "field.geojson", driver="GeoJSON")
    assert read_answers(blank, tmp_path / "field.geojson", "cover", "Ana").answers == check.answers
    frame[["point", "cover"]].iloc[:10].to_csv(tmp_path / "field.csv", index=False)
    some = read_answers(blank, tmp_path / "field.csv", "cover")
    assert some.answers[:10] == check.answers[:10]
    assert some.first_unanswered == 10
    check.save(tmp_path / "other.gpkg")
    assert read_answers(blank, tmp_path / "other.gpkg").answers == check.answers


def test_files_that_do_not_fit_are_refused(result: Extraction, tmp_path: Path) -> None:
    check = check_map(result, 10)
    path = tmp_path / "field.csv"
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        read_answers(check, path)
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        load_check(path, result)
    pd.DataFrame({"point": [1], "answer": ["lava"]}).to_csv(path, index=False)
    with pytest.raises(DatasetError, match="Rename the answers"):
        read_answers(check, path)
    with pytest.raises(DatasetError, match="Name the column"):
        read_answers(check, path, "cover")
    pd.DataFrame({"point": [11], "answer": ["water"]}).to_csv(path, index=False)
    with pytest.raises(DatasetError, match="answers no point of the sample"):
        read_answers(check, path)
    with pytest.raises(UnreadableSourceError, match="Draw points with check_map"):
        load_check(path, result)
    (tmp_path / "none.csv").write_bytes(b"\x00\x01")
    with pytest.raises((UnreadableSourceError, DatasetError)):
        read_answers(check, tmp_path / "none.csv")
    link = '{"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": "http://127.0.0.1:1/"}}}'
    for text in (link, "<OGRWFSDataSource><URL>http://127.0.0.1:1/</URL></OGRWFSDataSource>"):
        path.write_text(text)
        with pytest.raises(UnreadableSourceError, match="answers cannot be read"):
            read_answers(check, path)
    small = extract(sample_scene("river_10m").spex.window(0, 0, 40, 40), "water", "index", progress=False)
    saved = check.save(tmp_path / "check.gpkg")
    with pytest.raises(DatasetError, match="not of this map"):
        load_check(saved, small)


def test_a_checked_area_enters_evidence_notes_report_and_exports(result: Extraction, tmp_path: Path) -> None:
    check = answered(result)
    checked = check.apply()
    text = str(check.areas["water"])
    assert checked.evidence["water"].area_interval == check.areas["water"]
    assert sum(text in note for note in checked.notes) == 1
    (estimate,) = (fact for fact in checked.explanations[0].facts if fact.id == "estimate.area")
    assert estimate.value == pytest.approx(check.areas["water"].share_frac * (check.areas["water"].valid_m2 or 0))
    assert "By 100 checked points, the true area is" in checked.explanation
    assert "±" in checked.explanation
    twice = check.against(checked).apply()
    assert twice.explanation == checked.explanation
    assert sum("were checked" in note for note in twice.notes) == 1
    assert text in checked.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    with rasterio.open(checked.to_cog(tmp_path / "mask.tif")) as file:
        assert file.tags(1)["checked_area_water"] == text
    package = checked.to_geopackage(tmp_path / "regions.gpkg")
    table = pyogrio.read_dataframe(package, layer="checked_areas", read_geometry=False)
    assert table["text"].tolist() == [str(check.areas[name]) for name in ("water", "vegetation")]
    again = load_extraction(checked.save(tmp_path / "saved"))
    assert again.evidence == checked.evidence
    assert again.provenance["map_check"]["answered"] == 100


def test_with_filters_the_area_of_the_whole_cover_stands_in_the_notes_alone() -> None:
    largest = extract(sample_scene("river_10m"), "the 2 largest lakes", "index", progress=False)
    checked = answered(largest, n=20).apply()
    assert checked.evidence["water"].area_interval is None
    assert "checked points" not in checked.explanation
    assert "filters of the instruction leave out" in checked.notes[-1]


def test_without_a_crs_areas_and_margins_are_in_pixels(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    bare = scene.drop_vars("spatial_ref").drop_vars(["x", "y"])
    check = answered(extract(bare, "water", "index", progress=False), n=30)
    assert check.areas["water"].valid_m2 is None
    assert " px" in str(check.areas["water"])
    again = load_check(check.save(tmp_path / "check.gpkg"), check.result)
    assert again.answers == check.answers
    assert "± " in check.apply().explanation.split(";")[0]


def test_when_every_pixel_is_looked_at_the_area_is_known() -> None:
    small = extract(sample_scene("river_10m").spex.window(0, 0, 12, 12), "vegetation", "index", progress=False)
    check = answered(small, wrong=10**9, n=500)
    assert len(check.answers) == 144
    assert str(check.areas["vegetation"]) == "1.4408 ± 0.0000 ha, from 144 points"


def test_the_checked_area_survives_an_edit_of_the_mask(result: Extraction) -> None:
    check = answered(result)
    mask = result.mask.to_numpy().copy()
    mask[:10, :10] = 1
    edited = correct_result(check.apply(), mask, sample_scene("river_10m"))
    assert edited.evidence["water"].area_interval == check.areas["water"]
    assert "By 100 checked points" in edited.explanation
    assert check.against(edited).areas == check.areas  # what points show of the ground does not depend on the mask


def test_points_of_another_place_are_refused(result: Extraction, tmp_path: Path) -> None:
    file = answered(result).save(tmp_path / "check.gpkg")
    scene = sample_scene("river_10m")
    moved = scene.assign_coords(x=scene["x"] + 3000.0)
    elsewhere = extract(moved, "water and vegetation", "index", progress=False)
    with pytest.raises(DatasetError, match="The check is of another place"):
        load_check(file, elsewhere)


def test_two_persons_agree_so_far(result: Extraction) -> None:
    # Worked out by hand: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: share 0.7, kappa 0.4.
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    agreement = measure_agreement([first for first, _ in pairs], [second for _, second in pairs])
    assert (agreement.points, agreement.share_frac) == (50, pytest.approx(0.7))
    assert agreement.kappa == pytest.approx(0.4)
    assert "kappa is 0.40" in str(agreement)
    assert "one class only" in str(measure_agreement(["a"], ["a"]))
    first, second = answered(result), answered(result).answer(0, UNSURE).answer(2, "")
    assert first.agreement(second).points == 98
    with pytest.raises(DatasetError, match="answer the file that save"):
        first.agreement(answered(result, seed=1))
    with pytest.raises(DatasetError, match="Let both answer the same points"):
        first.agreement(check_map(result))


def test_the_better_map_is_told_by_an_exact_paired_test(result: Extraction) -> None:
    check = answered(result, wrong=10**9)
    worse = np.where(result.mask.to_numpy() == 255, 255, 0).astype(np.uint8)
    other = correct_result(result, worse, sample_scene("river_10m"))
    comparison = compare_maps(check, other)
    assert comparison.better == "first"
    assert str(comparison).startswith("The first map is better.")
    assert comparison.first_only == (check.mapped < 2).sum()
    assert comparison.difference_frac == pytest.approx(0.83, abs=0.01)
    assert compare_maps(check.against(other), check).better == "second"
    assert compare_maps(check, result).better == ""
    with pytest.raises(RegionError, match="one scene and one instruction"):
        compare_maps(check, extract(sample_scene("river_10m"), "water", "index", progress=False))


def test_the_paired_test_is_the_binomial_one() -> None:
    first = [True] * 9 + [False] + [True] * 20
    second = [False] * 9 + [True] + [True] * 20
    comparison = compare_correctness(first, second, np.full(30, 1 / 30))
    assert comparison.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert (comparison.first_only, comparison.second_only, comparison.better) == (9, 1, "first")
    even = compare_correctness([True, False], [False, True], [0.5, 0.5])
    assert (even.p_value, even.better) == (1.0, "")
    assert "do not show" in str(even)
