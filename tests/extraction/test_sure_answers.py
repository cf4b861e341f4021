"""What an answer says of its limits: the rule's bounds, what is in neither part, the nearest size, checked points."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb.extraction.finish import correct_result
from spex_nb.language.explanation.outline import Outline
from spex_nb.language.explanation.wording import explain_facts
from spex_nb.language.languages import LANGUAGES
from spex_nb.types import Fact
from tests.extraction.test_extract_scene import UTM, Brightness, quietly, scene_of, squares
from tests.language.test_explanation import facts, keys, plain


def lake_scene(inside: float, shore: float) -> xr.Dataset:
    """Return reflectance of 60 x 60 pixels with a lake and a shore, given by their NDWI; the rule asks for -0.05."""
    ndwi = np.full((60, 60), -0.6, np.float32)
    ndwi[8:52, 8:52] = shore
    ndwi[10:50, 10:50] = inside
    green = np.full_like(ndwi, 0.06)
    nir = green * (1 - ndwi) / (1 + ndwi)
    scene = xr.Dataset({name: (("y", "x"), band) for name, band in (("green", green), ("nir", nir))})
    scene = scene.assign(valid=(("y", "x"), np.ones((60, 60), bool))).assign_attrs(radiometry="reflectance")
    return scene.rio.write_crs("EPSG:32632").rio.write_transform(UTM)


def whole_of(scene: xr.Dataset, text: str = "water", model: Any = "index") -> str:
    return str(quietly(scene, text, model).explanations[0].whole).replace("\N{NO-BREAK SPACE}", " ")


def test_a_rule_says_what_lies_near_its_bounds() -> None:
    sure, doubtful = whole_of(lake_scene(0.5, -0.6)), whole_of(lake_scene(-0.04, -0.06))
    assert "rule" in sure
    assert "only just" not in sure
    assert "a hint" not in sure
    assert "Many pixels lie at the limits of the rule: 16 ha (100% of it) only just meet it" in doubtful
    assert "another 3.36 ha only just miss it" in doubtful
    assert "Take this as a hint" in doubtful
    assert "16 ha of it (100%) only just meet the rule" in whole_of(lake_scene(-0.04, -0.6))
    assert "Another 3.36 ha only just miss the rule" in whole_of(lake_scene(0.5, -0.06))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_what_lies_near_the_bounds_of_a_rule(language: str) -> None:
    near = [
        Fact("near.above", 300_000.0, "m2", "mask", "rule"),
        Fact("near.above_frac", 0.3, "frac", "mask", "rule"),
        Fact("near.below", 200_000.0, "m2", "outside", "rule"),
        Fact("near.frac", 0.2, "frac", "outside", "rule"),
    ]
    (statement,) = [s for s in explain_facts(facts(*near, decided_by="rule"), language) if "near.above" in s.facts]
    assert statement.is_brief
    assert "30" in statement.text
    assert "20" in statement.text
    by_model = [s for s in explain_facts(facts(*near), language) if "near.above" in s.facts]
    assert not by_model


def test_the_parts_of_everything_but_and_what_is_in_neither_add_up() -> None:
    red = squares((60, 60), (5, 5, 20), (40, 40, 1), (45, 10, 1))  # a lake, and two specks of water
    red[50:55, 50:55] = 0.9
    red[52, 52] = 0.1  # a speck of land
    result = quietly(scene_of(red), "everything except water", Brightness())
    figures = {fact.id: fact.value for fact in result.explanations[0].facts}
    assert figures["rest.share"] + figures["share"] + figures["rest.neither_share"] == pytest.approx(1)
    assert figures["rest.neither_share"] == pytest.approx(3 / 3600)
    whole = result.explanations[0].whole.replace("\N{NO-BREAK SPACE}", " ")
    assert "Another 300 m², less than 0.1% of the scene, is in neither part: it lies in specks" in whole
    complete = quietly(scene_of(squares((60, 60), (5, 5, 20))), "everything except water", Brightness())
    assert "neither" not in complete.explanations[0].whole


def test_two_parts_that_are_left_out_are_counted_once() -> None:
    red, green = squares((60, 60), (5, 5, 20)), squares((60, 60), (15, 15, 20))
    result = quietly(scene_of(red, green), "everything except water and vegetation", Brightness())
    figures = {fact.id: fact.value for fact in result.explanations[0].facts}
    assert "rest.neither" not in figures
    assert figures["rest.left_out_px"] == 2 * 400 - 100


def test_an_edit_of_everything_but_says_what_hands_took_out() -> None:
    scene = scene_of(squares((60, 60), (5, 5, 20)))
    result = quietly(scene, "everything except water", Brightness())
    mask = result.mask.values.copy()
    mask[50:60, 50:60] = 0
    edited = correct_result(result, mask, scene)
    assert "1 ha, 2.8% of the scene, is in neither part: it was taken out by hand" in edited.explanations[
        0
    ].whole.replace("\N{NO-BREAK SPACE}", " ")
    again = correct_result(edited, result.mask.values, scene)
    assert "neither" not in again.explanations[0].whole


def test_the_nearest_in_size_meets_what_else_is_asked_for() -> None:
    scene = scene_of(squares((60, 60), (5, 5, 10), (40, 40, 15)))  # a small one in the north, a larger one in the south
    north = quietly(scene, "water larger than 5 ha in the north", Brightness()).explanations[0].answer
    assert "The patch nearest to that in size has 1\N{NO-BREAK SPACE}ha." in north
    only_south = scene_of(squares((60, 60), (40, 40, 15)))
    none = quietly(only_south, "water larger than 5 ha in the north", Brightness()).explanations[0].answer
    assert "has 2.25\N{NO-BREAK SPACE}ha, but neither it nor any other patch meets the rest" in none
    elsewhere = quietly(only_south, "water larger than 1 ha in the north", Brightness()).explanations[0].answer
    assert "nearest" not in elsewhere  # its size is not what it lacks


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_that_the_nearest_fails_another_condition(language: str) -> None:
    more = (
        Fact("candidates.number", 2.0, "patch", "candidates", "mask"),
        Fact("candidates.area", 30_000.0, "m2", "candidates", "mask"),
        Fact("candidates.share", 0.1, "frac", "candidates", "mask"),
        Fact("asked", "water bodies", "text", "mask", "instruction"),
    )
    texts = []
    for name in ("nearest", "nearest_other"):
        nearest = Fact(f"candidates.{name}", 22_500.0, "m2", "candidates", "mask")
        empty = facts(*more, nearest, area_px=0.0, area=0.0, number=0.0)
        (said,) = [s.text for s in explain_facts(empty, language) if f"candidates.{name}" in s.facts]
        texts.append(said)
    assert len(texts[1]) > len(texts[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_impossible_numbers_are_followed_by_no_test_place_and_no_agreement(language: str) -> None:
    more = (
        Fact("trust", "numbers", "name", "scene", "scene"),
        Fact("near.below", 300_000.0, "m2", "outside", "model"),
        Fact("near.frac", 0.3, "frac", "outside", "model"),
        Fact("rival.target", "vegetation", "target", "mask", "rule"),
        Fact("rival.share", 0.4, "frac", "mask", "rule"),
        Fact("rival.area", 300_000.0, "m2", "mask", "rule"),
        Fact("beside.target", "vegetation", "target", "border", "rule"),
        Fact("beside.share", 0.4, "frac", "border", "rule"),
        Fact("doubt.place", "center", "place", "scene", "rule"),
        Fact("doubt.share", 0.4, "frac", "scene", "rule"),
    )
    for decided_by in ("model", "rule"):
        some = facts(*more, quality__precision=0.9, decided_by=decided_by)
        assert not [s for s in explain_facts(some, language) if s.part == "sureness"]
        said = {name for s in explain_facts(some, language) for name in s.facts}
        assert not {"quality.precision", "rule.agreement", "rule.iou", "rival.share", "beside.share"} & said
    absent = facts(*more, area_px=0.0, area=0.0, number=0.0)
    assert "rule.area" not in {name for s in explain_facts(absent, language) for name in s.facts}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_area_beyond_the_interval_of_checked_points_is_said(language: str) -> None:
    def checked(low: float, high: float) -> list[Fact]:
        return facts(
            Fact("estimate.area", 500_000.0, "m2", "scene", "points", "", 100_000.0),
            Fact("estimate.points", 100.0, "points", "scene", "points"),
            Fact("estimate.low", low, "frac", "scene", "points"),
            Fact("estimate.high", high, "frac", "scene", "points"),
        )

    for low, high, key in ((0.04, 0.06, "estimate_high"), (0.2, 0.3, "estimate_low")):
        some = checked(low, high)
        assert key in keys(Outline(some).points())
        assert key.replace("_", ".") in {name for s in explain_facts(some, language) if s.is_brief for name in s.facts}
    assert not {"estimate_high", "estimate_low"} & {*keys(Outline(checked(0.08, 0.12)).points())}
    before = Fact(
        "candidates.share", 0.25, "frac", "candidates", "mask"
    )  # points show all water, not what filters keep
    assert not {"estimate_high", "estimate_low"} & {*keys(Outline([*checked(0.2, 0.3), before]).points())}


def test_the_checked_area_contradicts_in_words() -> None:
    some = facts(
        Fact("estimate.area", 500_000.0, "m2", "scene", "points", "", 100_000.0),
        Fact("estimate.points", 100.0, "points", "scene", "points"),
        Fact("estimate.low", 0.04, "frac", "scene", "points"),
        Fact("estimate.high", 0.06, "frac", "scene", "points"),
    )
    first, second, *_ = (plain(statement) for statement in explain_facts(some))
    assert first.startswith("By 100 checked points, the true area is 50 ± 10 ha")
    assert second == "The mapped area lies above that interval: the mask takes in too much."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_parent_that_answers_is_said_before_its_figures(language: str) -> None:
    stand_in = Fact("stand_in.1", "A pixel of 10 m shows no single road.", "text", "mask", "instruction")
    assert explain_facts(facts(stand_in), language)[0].facts == ("stand_in.1",)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_alone_is_called_so_and_an_index_that_shows_nothing_is_no_reason(language: str) -> None:
    no_bands = [f for f in facts(target="building") if not f.id.startswith(("band.", "rule", "index."))]
    index = [
        Fact("index.name", "BCC", "name", "scene", "bands"),
        Fact("index.inside", 0.34, "index", "mask", "bands", "BCC"),
        Fact("index.outside", 0.29, "index", "outside", "bands", "BCC"),
    ]
    (why,) = [s for s in explain_facts([*no_bands, *index], language) if s.part == "why"]
    assert why.facts == ("target",)
    assert why.support == "none"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_model_finds_is_said_beside_what_is_right(language: str) -> None:
    recall = Fact("quality.recall", 0.29, "frac", "mask", "table")
    (quality,) = [s for s in explain_facts(facts(recall, quality__precision=0.64), language) if recall.id in s.facts]
    assert "29" in quality.text
    assert "64" in quality.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_that_rest_on_the_same_index_confirm_little(language: str) -> None:
    labels = Fact("rule.labels", "NDVI", "name", "scene", "table")
    (measured,) = [s for s in explain_facts(facts(labels, decided_by="rule"), language) if "rule.iou" in s.facts]
    assert "NDVI" in measured.text
    assert measured.text != next(
        s.text for s in explain_facts(facts(decided_by="rule"), language) if "rule.iou" in s.facts
    )


def test_vegetation_by_a_rule_says_on_which_labels_it_was_measured() -> None:
    scene = lake_scene(0.5, -0.6)
    scene = scene.assign(red=scene["green"] * 0.5)
    figures = {f.id: f.value for f in quietly(scene, "vegetation", "index").explanations[0].facts}
    assert figures["rule.labels"] == "NDVI"
    assert "rule.labels" not in {f.id for f in quietly(scene, "water", "index").explanations[0].facts}


def test_parts_are_written_so_exactly_that_they_add_up() -> None:
    red = squares((60, 60), (5, 5, 21))  # 12.25 % and 87.75 %
    answer = quietly(scene_of(red), "everything except water", Brightness()).explanations[0].answer
    shares = [float(share) for share in re.findall(r"([\d.]+)%", answer)][:2]
    assert shares == [87.8, 12.2] or sum(shares) == pytest.approx(100, abs=0.11)
    half = quietly(scene_of(squares((60, 60), (0, 0, 37))), "everything except water", Brightness())
    assert "62%" in half.explanations[0].answer
    assert "38%" in half.explanations[0].answer


@pytest.mark.parametrize(
    ("target", "gsd", "nir", "key"),
    [
        ("building", 0.3, False, "check_border"),
        ("building", 10.0, False, "check_finer"),
        ("water", 0.3, True, "check_nir"),
    ],
)
def test_what_to_check_fits_the_picture(target: str, gsd: float, nir: bool, key: str) -> None:
    some = facts(target=target, gsd=gsd, bands="green red nir" if nir else "blue green red", date=None)
    said = keys(Outline(some).points())
    assert key in said
    assert ("date_unknown_still" in said) == (target == "building")


def test_a_rival_on_much_of_the_mask_makes_a_rule_a_hint_too() -> None:
    for share, is_hint in ((0.3, True), (0.2, False)):
        rival = Fact("rival.share", share, "frac", "mask", "rule")
        assert ("hint" in keys(Outline(facts(rival, decided_by="rule")).points())) == is_hint


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("low", "advice", "is_hint"), [(0.14, "more examples", True), (0.7, "good enough", False)])
def test_a_taught_class_is_as_sure_as_its_interval(language: str, low: float, advice: str, is_hint: bool) -> None:
    taught = (
        Fact("taught.yes", 5.0, "points", "scene", "instruction"),
        Fact("taught.no", 5.0, "points", "scene", "instruction"),
        Fact("taught.iou", 0.72, "number", "mask", "points"),
        Fact("taught.low", low, "number", "mask", "points"),
        Fact("taught.high", 0.98, "number", "mask", "points"),
        Fact("taught.advice", advice, "name", "mask", "points"),
    )
    some = [fact for fact in facts(*taught, target="reeds") if not fact.id.startswith("rule")]
    said = keys(Outline(some).points())
    assert ("hint" in said) == is_hint
    assert ("taught_more" in said) == is_hint
    (measured,) = [s for s in explain_facts(some, language) if "taught.iou" in s.facts]
    assert "72" in measured.text
    assert "%" in measured.text


@pytest.mark.parametrize(("share", "iou", "is_hint"), [(0.6, None, True), (0.6, 0.9, False), (0.4, None, False)])
def test_a_rule_that_nobody_measured_and_that_takes_most_of_a_scene_is_a_hint(
    share: float, iou: float | None, is_hint: bool
) -> None:
    changed = {"share": share, "rule.iou": iou}
    some = [replace(fact, value=changed.get(fact.id, fact.value)) for fact in facts(decided_by="rule")]
    assert {"share", "rule.iou"} <= {fact.id for fact in some}
    assert ("hint" in keys(Outline(some).points())) == is_hint
