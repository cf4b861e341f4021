"""Regions that end only because nothing was examined beyond: what an answer says of them, in nine languages."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr

from spex_nb import Extraction
from spex_nb.extraction.facts.cut_regions import beside_gaps, cut_regions, edges_touched
from spex_nb.language.explanation.numerals import Numerals
from spex_nb.language.languages import LANGUAGES
from spex_nb.regions.find import find_regions
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares

WATER = {
    "en": "water", "de": "Wasser", "es": "agua", "fr": "eau", "pt": "água", "ru": "вода", "ar": "المياه", "hi": "पानी",
    "zh": "水体",
}  # fmt: skip


def lake_with_a_hole(columns: slice = slice(24, 60), clouds: bool = False) -> xr.Dataset:
    """Return a scene of 60 x 60 pixels with one lake, and no data in some columns; other ones are dark ground."""
    red = squares((60, 60), (20, 14, 20))
    red[:, columns] = np.nan
    scene = scene_of(red)
    reason = "data in every band" + (", no cloud or cloud shadow in the scl layer" if clouds else "")
    return scene.assign_attrs(valid_reason=reason, radiometry="reflectance")


def answer_of(scene: xr.Dataset, text: str = "water", **options: Any) -> Any:
    return quietly(scene, text, Brightness(), **options).explanations[0]


def words(explanation: Any) -> str:
    return str(explanation.answer).replace("\N{NO-BREAK SPACE}", " ")


def facts_of(result: Extraction) -> dict[str, Any]:
    return {fact.id: fact.value for fact in result.explanations[0].facts}


def test_shares_are_of_the_visible_part_and_the_hidden_part_is_said() -> None:
    answer = words(answer_of(lake_with_a_hole()))
    assert answer.startswith("Water covers 13.9% of the visible part of the scene, 2 ha. For 60% of the scene there")
    assert "It may go on where there are no data, so it is at least this large." in answer


def test_clouds_that_were_taken_out_hide_ground_too() -> None:
    answer = words(answer_of(lake_with_a_hole(clouds=True)))
    assert "60% of the scene cannot be seen, for cloud or want of data" in answer
    assert "It may go on where nothing can be seen" in answer


def test_a_lake_that_a_gap_cuts_in_two_may_be_one() -> None:
    answer = words(answer_of(lake_with_a_hole(slice(22, 24))))
    assert "2 patches reach the end of what was examined: they may go on or join there" in answer
    assert "visible part" in answer
    counted = words(answer_of(lake_with_a_hole(slice(22, 24)), "how many water bodies are there?"))
    assert "their number is not certain" in counted


def test_a_lake_beside_no_gap_is_all_there() -> None:
    explanation = answer_of(lake_with_a_hole(slice(40, 60)))
    assert "may go on" not in explanation.whole
    assert "33% of the scene" in explanation.whole.replace("\N{NO-BREAK SPACE}", " ")


def test_a_scene_without_gaps_says_nothing_of_them() -> None:
    whole = answer_of(scene_of(squares((60, 60), (20, 14, 20)))).whole
    assert "visible" not in whole
    assert "may go on" not in whole


@pytest.mark.parametrize("hole", [False, True])
def test_an_area_of_interest_cuts_as_a_gap_does(hole: bool) -> None:
    left = shapely.box(500_000, 5_499_400, 500_240, 5_500_000)  # the lake's left half
    scene = scene_of(squares((60, 60), (20, 14, 20)))
    if hole:
        scene["red"][0:30, 0:12] = np.nan
        scene["valid"][0:30, 0:12] = False
    answer = words(answer_of(scene, aoi=left))
    assert ("of the visible part of the area of interest" in answer) == hole
    assert ("For 25% of the area of interest there are no data" in answer) == hole
    gone_on = "where nothing was examined" if hole else "outside of the area of interest"
    assert f"It may go on {gone_on}, so it is at least this large." in answer


def test_an_edit_keeps_what_was_seen() -> None:
    from spex_nb.extraction.finish import correct_result

    scene = lake_with_a_hole()
    result = quietly(scene, "water", Brightness())
    mask = result.mask.values.copy()
    mask[20, 14] = 0
    edited = correct_result(result, mask, scene)
    assert "of the visible part of the scene" in edited.explanations[0].whole
    assert "may go on where there are no data" in edited.explanations[0].whole


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_what_is_hidden_and_what_is_cut(language: str) -> None:
    text = WATER[language]
    seen, hidden = answer_of(scene_of(squares((60, 60), (20, 14, 20))), text), answer_of(lake_with_a_hole(), text)
    assert hidden.language == language
    first, second = ([s for s in entry.statements if s.part == "answer"] for entry in (seen, hidden))
    assert len(second) == len(first) + 2  # how much is hidden, and that the lake may go on there
    assert {"hidden.share"} in [{*statement.facts} for statement in second]
    assert {"region.1.edges"} in [{*statement.facts} for statement in second]
    share_seen, share_hidden = first[0].text, second[0].text
    assert share_seen.split("%")[-1] != share_hidden.split("%")[-1] or share_seen.split("%")[0] != share_hidden
    nothing = scene_of(np.where(np.isnan(lake_with_a_hole()["red"]), np.nan, 0.1))
    absent = answer_of(nothing, text)
    assert {"hidden.share"} in [{*statement.facts} for statement in absent.statements if statement.is_brief]


@pytest.mark.parametrize("seed", range(5))
def test_cut_regions_are_those_with_a_pixel_beside_the_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((37, 41)) < 0.3).astype(np.uint8)
    mask[rng.random(mask.shape) < 0.03] = 255
    padded = np.pad(mask, 1, constant_values=0) == 255
    expected = np.zeros(mask.shape, bool)
    for down in range(3):
        for right in range(3):
            expected |= padded[down : down + 37, right : right + 41]
    parts = [beside_gaps(mask, rows) for rows in (slice(0, 10), slice(10, 11), slice(11, 37))]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    regions = find_regions(mask == 1, top=None, min_area_px=1)
    beside = np.array([any(expected[row, a:b].any() for row, a, b in region.runs) for region in regions])
    cut = cut_regions(regions, beside)
    edge = [bool(edges_touched(region)) for region in regions]
    assert [id(r) for r in cut] == [id(r) for r, b, e in zip(regions, beside, edge, strict=True) if b or e]


def test_small_regions_are_named_where_they_matter() -> None:
    many = [(row, column, 2) for row in range(2, 30, 4) for column in range(2, 58, 4)]
    few = answer_of(scene_of(squares((60, 60), *many, (40, 10, 15))))
    assert "98 patches with fewer than 10 pixels, 64% of the area, should not be relied on." in few.whole.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    large = [(row, column, 5) for row in range(2, 56, 7) for column in range(2, 56, 7)]
    lone = answer_of(scene_of(squares((60, 60), *large, (57, 57, 2))))
    assert "fewer than 10 pixels" not in lone.whole


@pytest.mark.parametrize(("dtype", "brightest"), [("uint8", 200), ("uint16", 2_000), ("uint16", 9_000)])
def test_raw_values_are_those_of_the_file(dtype: str, brightest: int) -> None:
    rng = np.random.default_rng(1)
    names = ("red", "green", "blue", "nir")
    bands = {name: rng.integers(brightest // 2, brightest, (40, 40)).astype(dtype) for name in names}
    for name, value in (("nir", brightest // 40), ("red", brightest // 40), ("green", brightest // 4)):
        bands[name][10:30, 10:30] = value
    scene = xr.Dataset({name: (("y", "x"), band) for name, band in bands.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = quietly(scene, "water")
    explanation = result.explanations[0]
    figures = {fact.id: fact for fact in explanation.facts}
    assert figures["band.nir.inside"].unit == "counts"
    inside = result.mask.values == 1
    assert figures["band.nir.inside"].value == pytest.approx(bands["nir"][inside].mean(), rel=1e-3)
    assert figures["band.nir.outside"].value == pytest.approx(bands["nir"][~inside].mean(), rel=1e-3)
    shown = Numerals("en").rounded(float(figures["band.nir.inside"].value))
    assert f"raw values are {shown} in the near infrared" in explanation.whole


def test_what_was_left_out_where_a_size_is_asked_for_may_be_larger() -> None:
    whole_lake = (20, 20, 15)
    cut_by = {
        "edge": scene_of(squares((60, 60), whole_lake, (50, 0, 5))),
        "gap": scene_of(np.where(np.indices((60, 60))[1] == 45, np.nan, squares((60, 60), whole_lake, (50, 40, 5)))),
        "nothing": scene_of(squares((60, 60), whole_lake, (50, 40, 5))),
    }
    for name, scene in cut_by.items():
        for text, asks in (("water larger than 1 ha", True), ("water smaller than 1 ha", False)):
            whole = answer_of(scene, text).whole
            assert ("may be larger than they look" in whole) == (asks and name != "nothing"), (name, text)
    nothing = answer_of(cut_by["edge"], "water larger than 100 ha").whole
    assert "may be larger than they look" in nothing
