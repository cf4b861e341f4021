"""Explanations from typed facts: what is said and in which order, what it rests on, and its words in nine languages."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from spex_nb.language.explanation.note_words import NoteWriter, read_notes
from spex_nb.language.explanation.numerals import Numerals, StatedUnit, plural_category, read_wording, stated_unit
from spex_nb.language.explanation.outline import Outline
from spex_nb.language.explanation.points import Point
from spex_nb.language.explanation.wording import Realiser, explain_facts
from spex_nb.language.languages import LANGUAGES
from spex_nb.types import Fact, Question, Statement
from spex_nb.types.targets import TARGETS


def facts(*more: Fact, **values: Any) -> list[Fact]:
    """Return the facts of a lake that a model found and a good rule confirms; ``values`` replace some by id."""
    base = [
        Fact("target", "water", "target", "mask", "instruction"),
        Fact("area", 1_000_000.0, "m2", "mask", "mask"),
        Fact("area_px", 10_000.0, "px", "mask", "mask"),
        Fact("valid_px", 100_000.0, "px", "scene", "scene"),
        Fact("share", 0.1, "frac", "mask", "mask"),
        Fact("number", 2.0, "patch", "mask", "mask"),
        Fact("region.1.area", 900_000.0, "m2", "region 1", "mask"),
        Fact("region.1.share", 0.9, "frac", "region 1", "mask"),
        Fact("region.1.place", "top-left", "place", "region 1", "mask"),
        Fact("band.nir.inside", 0.05, "reflectance", "mask", "bands"),
        Fact("band.nir.outside", 0.24, "reflectance", "outside", "bands"),
        Fact("index.name", "NDWI", "name", "scene", "bands"),
        Fact("index.inside", 0.4, "index", "mask", "bands", "NDWI"),
        Fact("index.outside", -0.5, "index", "outside", "bands", "NDWI"),
        Fact("decided_by", "model", "name", "mask", "instruction"),
        Fact("rule", "NDWI > -0.05; nir < 0.2", "rule", "scene", "rule"),
        Fact("rule.threshold", -0.05, "index", "scene", "rule"),
        Fact("rule.iou", 0.87, "number", "scene", "table"),
        Fact("rule.area", 1_000_000.0, "m2", "scene", "rule"),
        Fact("rule.inside", 0.97, "frac", "mask", "rule"),
        Fact("rule.agreement", 0.95, "frac", "scene", "rule"),
        Fact("probability.mean", 0.98, "probability", "mask", "model"),
        Fact("probability.median", 1.0, "probability", "mask", "model"),
        Fact("threshold", 0.5, "probability", "scene", "instruction"),
        Fact("quality.precision", None, "frac", "mask", "table"),
        Fact("gsd", 10.0, "m", "scene", "scene"),
        Fact("relative", "no", "name", "scene", "scene"),
        Fact("bands", "green red nir", "bands", "scene", "scene"),
        Fact("clouds_masked", "no", "name", "scene", "scene"),
        Fact("date", "2009-08-18", "date", "scene", "scene", "name"),
        Fact("season", "summer", "season", "scene", "scene"),
    ]
    by_id = {fact.id: fact for fact in (*base, *more)}
    for name, value in values.items():
        key = name.replace("__", ".")
        old = by_id[key]
        by_id[key] = Fact(old.id, value, old.unit, old.region, old.source, old.rule)
    return list(by_id.values())


def plain(statement: Statement) -> str:
    return statement.text.replace("\N{NO-BREAK SPACE}", " ")


def keys(points: Sequence[Point]) -> list[str]:
    return [point.key for point in points]


def support_of(statements: Sequence[Statement], words: str) -> str:
    return next(statement.support for statement in statements if words in statement.text)


def test_the_answer_comes_first_then_why_how_sure_what_else_and_what_to_check() -> None:
    order = ["answer", "why", "sureness", "confusion", "next"]
    parts = [point.part for point in Outline(facts()).points()]
    assert parts == sorted(parts, key=order.index)
    assert set(parts) == set(order)


def test_the_short_explanation_has_four_sentences() -> None:
    brief = [plain(statement) for statement in explain_facts(facts()) if statement.is_brief]
    assert brief == [
        "Water covers 10% of the scene, 100 ha.",
        "It lies in 2 separate patches; the largest, in the top left, has 90 ha, or 90% of the whole.",
        "Water swallows infrared light: it reflects 5% in the near infrared, the rest 24%.",
        "The rule NDWI > −0.05 and nir < 0.2, which learns nothing, draws nearly the same outline: they share 95%.",
    ]


def test_a_question_is_answered_first() -> None:
    assert explain_facts(facts(), question="count")[0].text == "There are 2 patches of water."
    assert "separate" not in " ".join(s.text for s in explain_facts(facts(), question="count"))  # the number once
    place = explain_facts(facts(), question="place")[0]
    assert plain(place) == "The largest patch lies in the top left and measures 90 ha."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [1.0, 2.0])
def test_the_answer_to_where_says_the_place_once(language: str, number: float) -> None:
    answer = [s for s in explain_facts(facts(number=number), language, question="place") if s.part == "answer"]
    assert sum("region.1.place" in statement.facts for statement in answer) == 1
    assert sum("region.1.area" in statement.facts for statement in answer) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_except_water_counts_no_patches_of_water(language: str) -> None:
    rest = (
        Fact("rest.asked", "everything except water bodies", "text", "mask", "instruction"),
        Fact("rest.area", 9_000_000.0, "m2", "mask", "mask"),
        Fact("rest.share", 0.9, "frac", "mask", "mask"),
        Fact("rest.number", 3.0, "patch", "mask", "mask"),
    )
    statements = explain_facts(facts(*rest), language)
    assert not any({"number", "region.1.area", "region.1.place"} & {*s.facts} for s in statements if s.part == "answer")


@pytest.mark.parametrize("question", [*get_args(Question)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_its_answer_in_every_language(language: str, question: str) -> None:
    for some in (facts(), facts(area_px=0.0, area=0.0, number=0.0)):
        assert explain_facts(some, language, question=question)[0].text


def test_only_what_the_mask_did_not_decide_confirms_it() -> None:
    by_model = explain_facts(facts())
    assert support_of(by_model, "covers") == "mask"
    assert support_of(by_model, "infrared") == "independent"
    assert support_of(by_model, "which learns nothing") == "independent"
    by_rule = explain_facts(facts(decided_by="rule"))
    assert {statement.support for statement in by_rule} == {"mask", "none"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"index__inside": 1.16}, "impossible_index"),
        ({"band__nir__inside": -0.2}, "impossible_bands"),
        ({"band__nir__inside": 1.9}, "impossible_bands"),
    ],
)
def test_what_cannot_be_true_is_said_and_confirms_nothing(change: dict[str, float], key: str) -> None:
    points = Outline(facts(**change)).points()
    assert key in keys(points)
    name = key.removeprefix("impossible_")
    assert all(point.support == "none" for point in points if point.key.startswith((name, "impossible")))


def test_a_spread_that_cannot_be_is_no_figure() -> None:
    spread = Fact("index.inside.spread", 22.0, "index", "mask", "bands", "NDWI")
    points = Outline(facts(spread)).points()
    assert "impossible_index" in keys(points)
    assert "index" not in keys(points)


def test_bands_that_speak_against_the_target_are_said() -> None:
    green = [Fact(f"band.green.{side}", 0.1, "reflectance", "mask", "bands") for side in ("inside", "outside")]
    statement = next(s for s in explain_facts(facts(*green, band__nir__inside=0.4)) if s.part == "why")
    assert statement.text == (
        "The bands speak against water: the mask reflects 40% in the near infrared and 10% in green, "
        "the rest 24% and 10%."
    )
    assert statement.support == "none"


@pytest.mark.parametrize(
    ("name", "doubtful", "sure"),
    [("probability.mean", 0.55, 0.65), ("near.frac", 0.7, 0.5), ("rival.share", 0.3, 0.2)],
)
def test_an_unsure_model_pixels_near_the_threshold_and_a_rival_make_a_hint(
    name: str, doubtful: float, sure: float
) -> None:
    hint = "Take this as a hint, not as a map."
    assert explain_facts(facts(Fact(name, doubtful, "frac", "mask", "model")))[1].text == hint
    assert hint not in [statement.text for statement in explain_facts(facts(Fact(name, sure, "frac", "mask", "model")))]


@pytest.mark.parametrize(
    ("precision", "recall", "is_hint"),
    [(0.70, 0.72, True), (0.76, 0.80, False), (0.95, 0.45, True), (0.45, None, True), (0.0, 0.5, True)],
)
def test_masks_that_shared_less_than_six_tenths_with_labels_elsewhere_are_a_hint(
    precision: float, recall: float | None, is_hint: bool
) -> None:
    measured = [
        Fact(f"quality.{name}", value, "frac", "mask", "table")
        for name, value in (("precision", precision), ("recall", recall))
    ]
    assert ("hint" in keys(Outline(facts(*measured)).points())) == is_hint


def test_a_mask_that_rule_and_model_dispute_is_a_hint() -> None:
    statements = explain_facts(facts(rule__agreement=0.3, rule__inside=0.4))
    assert statements[1].text == "Take this as a hint, not as a map."
    assert support_of(statements, "sees something else") == "none"


def test_filters_say_what_there_was_before_and_what_is_left() -> None:
    before = (
        Fact("candidates.number", 138.0, "patch", "candidates", "mask"),
        Fact("candidates.area", 1_920_000.0, "m2", "candidates", "mask"),
        Fact("candidates.share", 0.113, "frac", "candidates", "mask"),
        Fact("candidates.kept", 0.42, "frac", "mask", "mask"),
        Fact("asked", "water bodies, only the 3 largest", "text", "mask", "instruction"),
    )
    first, second, *_ = explain_facts(facts(*before, number=3.0, area=806_000.0), "en", question="count")
    assert plain(first) == "Water bodies, only the 3 largest: 3 patches with 80.6 ha, 42% of all water."
    assert plain(second) == "In all, water takes up 11.3% of the scene: 192 ha, in 138 separate patches."


def test_filters_that_leave_out_nothing_are_said_too() -> None:
    asked = Fact("asked", "water bodies larger than 1 ha", "text", "mask", "instruction")
    first = explain_facts(facts(asked))[0]
    assert plain(first) == "Water bodies larger than 1 ha: 2 patches with 100 ha, 10% of the scene."


def test_everything_but_is_said_before_what_it_leaves_out() -> None:
    rest = (
        Fact("rest.asked", "everything except water bodies", "text", "mask", "instruction"),
        Fact("rest.area", 9_000_000.0, "m2", "mask", "mask"),
        Fact("rest.share", 0.9, "frac", "mask", "mask"),
        Fact("rest.number", 1.0, "patch", "mask", "mask"),
    )
    first, second, *_ = explain_facts(facts(*rest))
    assert plain(first) == "Everything except water bodies: 900 ha, 90% of the scene, one patch."
    assert plain(second) == "Left out: water, 10% of the scene, 100 ha."


def test_a_narrower_word_and_a_parent_that_answers_are_in_every_short_explanation() -> None:
    said = (
        Fact("word.1", "“forest” is treated as vegetation", "text", "mask", "instruction"),
        Fact("stand_in.1", "A pixel of 10 m shows no single building.", "text", "mask", "instruction"),
    )
    for some in (facts(*said), facts(*said, area_px=0.0, area=0.0, number=0.0)):
        brief = [statement.text for statement in explain_facts(some) if statement.is_brief]
        assert "“forest” is treated as vegetation." in brief
        assert "A pixel of 10 m shows no single building." in brief


def test_numbers_that_are_no_reflectance_are_not_called_so() -> None:
    bands = {f"band__nir__{side}": value for side, value in (("inside", 0.05), ("outside", 0.24))}
    raw = [
        Fact(fact.id, fact.value, "counts", fact.region, fact.source) if fact.unit == "reflectance" else fact
        for fact in facts(relative="yes", **bands)
    ]
    why = next(statement for statement in explain_facts(raw) if statement.part == "why")
    assert "raw values are 0.05 in the near infrared; in the rest, 0.24" in why.text
    assert "reflect" not in why.text


def test_impossible_numbers_confirm_nothing() -> None:
    trust = Fact("trust", "numbers", "name", "scene", "scene")
    assert {s.support for s in explain_facts(facts(trust)) if s.part == "why"} == {"none"}


def test_what_is_too_small_to_count_is_said() -> None:
    specks = (
        Fact("specks.limit", 4.0, "px", "candidates", "instruction"),
        Fact("specks.area", 10_900.0, "m2", "candidates", "mask"),
    )
    assert "small_left_out" in keys(Outline(facts(*specks)).points())
    first = explain_facts(facts(*specks, area_px=0.0, area=0.0, number=0.0))[0]
    assert plain(first) == "No patch of water reaches 4 px; smaller specks have 1.09 ha in all."


def test_an_empty_mask_says_why() -> None:
    nearest = Fact("extreme.index", 0.42, "index", "scene", "bands")
    empty = facts(nearest, area_px=0.0, area=0.0, decided_by="rule", rule__area=0.0, rule__threshold=0.4)
    empty = [f for f in empty if f.id != "rule"] + [Fact("rule", "NDSI > 0.4; nir > 0.11", "rule", "scene", "rule")]
    assert keys(Outline(empty).points())[:3] == ["absent", "miss_rule", "miss_guard"]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("target", TARGETS)
def test_every_sentence_of_every_language_can_be_written_of_every_target(language: str, target: str) -> None:
    ours = facts(target=target)
    by_id = {fact.id: fact for fact in ours}
    numbers = {"number": by_id["number"], "threshold": by_id["threshold"], "value": by_id["index.inside"]}
    places = {"place": by_id["region.1.place"], "other_place": by_id["region.1.place"]}
    shares = dict.fromkeys(("share", "other_share", "mean", "median", "precision"), by_id["share"])
    areas = dict.fromkeys(("area", "other_area", "largest", "met", "missed"), by_id["area"]) | {
        "valid": by_id["valid_px"]
    }
    words: dict[str, Any] = {
        "name": by_id["target"],
        "other": Fact("rival.target", target, "target", "mask", "rule"),
        "rule": by_id["rule"],
        "iou": by_id["rule.iou"],
        "index": by_id["index.name"],
        "date": by_id["date"],
        "season": by_id["season"],
        "times": Fact("region.1.elongation", 3.4, "times", "region 1", "mask"),
        "sides": Fact("region.1.edges", "top left", "sides", "region 1", "mask"),
        "asked": Fact("asked", "water bodies larger than 2 ha", "text", "mask", "instruction"),
        "words": Fact("word.1", "Water.", "text", "mask", "instruction"),
        "smallest": Fact("specks.limit", 4.0, "px", "candidates", "instruction"),
        "labels": Fact("rule.labels", "NDVI", "name", "scene", "table"),
        "recall": by_id["share"],
        "points": Fact("estimate.points", 100.0, "count", "scene", "points"),
        "yes": Fact("taught.yes", 12.0, "count", "scene", "points"),
        "no": Fact("taught.no", 9.0, "count", "scene", "points"),
        "low": by_id["share"],
        "high": by_id["share"],
        "size": Fact("taught.gsd", 10.0, "m", "scene", "points"),
    }
    slots = numbers | places | shares | areas | words
    bands = {side: [by_id[f"band.nir.{side}"]] for side in ("inside", "outside")}
    realiser = Realiser(language, ours)
    for key in read_wording(language)["sentences"]:
        figures = (
            bands
            if key.startswith(("because", "raw", "against", "impossible_bands"))
            else {side: by_id[f"index.{side}"] for side in ("inside", "outside")}
        )
        sentence = realiser.sentence(Point(key, "answer", slots | figures))
        assert not re.search(r"[{}\[\]|]", sentence), (key, sentence)
        assert sentence[-1] in ".。।", (key, sentence)


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_have_the_same_sentences(language: str) -> None:
    english, other = read_wording("en"), read_wording(language)
    assert english["sentences"].keys() == other["sentences"].keys()
    for section in ("parts", "legend", "bands", "sides", "seasons"):
        assert english[section].keys() == other[section].keys()


@pytest.mark.parametrize(
    ("language", "number", "category"),
    [
        ("en", 1, "one"), ("en", 0, "other"), ("en", 1.5, "other"),
        ("fr", 0, "one"), ("fr", 1.9, "one"), ("fr", 2, "other"),
        ("ru", 1, "one"), ("ru", 21, "one"), ("ru", 11, "many"), ("ru", 3, "few"), ("ru", 13, "many"),
        ("ru", 112, "many"), ("ru", 1.5, "other"),
        ("ar", 1, "one"), ("ar", 2, "two"), ("ar", 3, "few"), ("ar", 110, "few"), ("ar", 11, "many"),
        ("ar", 118, "many"), ("ar", 100, "other"), ("ar", 102, "other"),
        ("hi", 0.5, "one"), ("hi", 2, "other"), ("zh", 1, "other"),
    ],
)  # fmt: skip
def test_plural_categories_are_those_of_cldr(language: str, number: float, category: str) -> None:
    assert plural_category(number, language) == category


@pytest.mark.parametrize(
    ("language", "pixels", "text"),
    [
        ("ar", 1, "بكسل واحد"), ("ar", 2, "بكسلين"), ("ar", 5, "5 بكسلات"), ("ar", 4580, "4580 بكسلًا"),
        ("ru", 22, "22 пикс."), ("en", 16384, "16,384\N{NO-BREAK SPACE}px"), ("zh", 7, "7像素"),
    ],
)  # fmt: skip
def test_pixels_agree_with_their_number(language: str, pixels: int, text: str) -> None:
    assert Numerals(language).pixels(pixels) == text


def test_areas_are_in_the_unit_that_the_user_wrote() -> None:
    assert Numerals("en").area(806_000.0) == "80.6\N{NO-BREAK SPACE}ha"
    assert Numerals("en", "km2").area(806_000.0) == "0.806\N{NO-BREAK SPACE}km²"
    assert Numerals("en").area(810_000.0, 1_100_000.0) == "81 (0–191)\N{NO-BREAK SPACE}ha"  # no area is below zero
    assert Numerals("de").area(12_400_000.0, 900_000.0) == "12,4 ± 0,9\N{NO-BREAK SPACE}km²"
    assert Numerals("es").percent(0.0004) == "menos del 0,1\N{NO-BREAK SPACE}%"


def test_the_ratio_of_dark_bands_speaks_against_nothing() -> None:
    green = Fact("band.green.inside", 0.009, "reflectance", "mask", "bands")
    around = Fact("band.green.outside", 0.06, "reflectance", "outside", "bands")
    for nir, is_against in ((0.016, False), (0.16, True)):
        outline = Outline([*facts(**{"band.nir.inside": nir}), green, around])
        assert ("against" in [point.key for point in outline.points()]) == is_against


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_figure_that_is_not_finite_ends_no_explanation(language: str, value: float) -> None:
    figures = [fact.id.replace(".", "__") for fact in facts() if isinstance(fact.value, float)]
    for name in figures:
        sentences = explain_facts(facts(**{name: value}), language)
        assert not any("nan" in statement.text.lower().split() for statement in sentences), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_have_the_same_notes_with_the_same_words(language: str) -> None:
    def gaps(notes: dict[str, str]) -> dict[str, list[str]]:
        return {key: sorted(re.findall(r"{(\w+)}", note)) for key, note in notes.items()}

    assert gaps(read_notes(language)) == gaps(read_notes("en"))


def test_notes_write_numbers_with_the_decimal_mark_of_their_language() -> None:
    assert NoteWriter("de").decimal(0.5, "g") == "0,5"


def test_a_unit_that_is_not_metric_is_the_one_that_the_user_wrote() -> None:
    acres = stated_unit("100 acres", 404_685.64, "en")
    assert acres == StatedUnit(" acres", pytest.approx(4046.8564))
    assert Numerals("en", acres).area(820_000.0) == "203 acres"
    assert stated_unit("100亩", 66_666.7, "zh") == StatedUnit("亩", pytest.approx(666.667))
    assert stated_unit("an acre", 4046.9, "en") is None
    assert stated_unit("1 acre", 4046.9, "en") is None


def points_of_nothing(**values: Any) -> list[str]:
    """Return the points of an answer that found nothing, with some values changed."""
    given = {"area_px": 0.0, "rule.area": 0.0, "extreme.probability": 0.2, "extreme.index": -0.4} | values
    some = [fact for fact in facts() if fact.id not in given]
    changed = [Fact(name, value, "number", "scene", "rule") for name, value in given.items()]
    return [f"{point.key} {point.support}" for point in Outline([*some, *changed]).points()]


def test_a_value_that_passes_a_condition_of_the_rule_says_nothing_for_its_absence() -> None:
    assert "miss_index independent" in points_of_nothing()
    assert not [key for key in points_of_nothing(**{"extreme.index": 0.3}) if key.startswith("miss_index")]


def test_impossible_numbers_confirm_no_absence() -> None:
    assert "miss_index none" in points_of_nothing(trust="numbers")


def test_a_probability_that_reads_like_the_threshold_is_not_held_against_it() -> None:
    assert "miss_model mask" in points_of_nothing(**{"extreme.probability": 0.49})
    assert "miss_model mask" not in points_of_nothing(**{"extreme.probability": 0.49996})


def test_an_index_on_the_wrong_side_of_zero_confirms_nothing() -> None:
    assert support_of(explain_facts(facts(index__inside=0.2, index__outside=-0.5)), "NDWI averages") == "independent"
    assert support_of(explain_facts(facts(index__inside=-0.2, index__outside=-0.5)), "NDWI averages") == "mask"


SCALED = {
    "en": "uncalibrated values", "de": "unkalibrierten Werte", "es": "valores sin calibrar",
    "fr": "valeurs non étalonnées", "pt": "valores não calibrados", "ru": "некалиброванные значения",
    "ar": "القيم غير المعايرة", "hi": "अंशांकन रहित मान", "zh": "未定标的数值",
}  # fmt: skip
RAW = {
    "en": "raw values", "de": "Rohwerte", "es": "valores brutos", "fr": "valeurs brutes", "pt": "valores brutos",
    "ru": "исходные значения", "ar": "القيم الخام", "hi": "कच्चे मान", "zh": "原始数值",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("target", ["water", "vegetation", "bare_soil", "snow", "burn", "built_up"])
def test_only_numbers_of_the_file_are_called_raw(language: str, target: str) -> None:
    sides = [
        (f"band.{band}.{side}", 25.0 if (side == "inside") == (target not in ("water", "burn", "built_up")) else 61.3)
        for band in ("nir", "red", "green", "swir16")
        for side in ("inside", "outside")
    ]
    for unit, is_raw in (("counts", True), ("relative", False)):
        numbers = [Fact(name, value, unit, "mask", "bands") for name, value in sides]
        if target == "vegetation":  # low red beside high near infrared
            numbers = [n for n in numbers if ".red" not in n.id]
        flipped = [Fact(n.id, 86.3 - float(n.value or 0), unit, "mask", "bands") for n in numbers]
        some = [fact for fact in facts(target=target, relative="yes") if not fact.id.startswith("band.")]
        for figures in (numbers, flipped):
            whole = " ".join(plain(statement) for statement in explain_facts([*some, *figures], language))
            said = [words for words in (RAW[language], SCALED[language]) if words.lower() in whole.lower()]
            assert said in ([], [RAW[language] if is_raw else SCALED[language]])
            if said:
                assert ("25" if is_raw else Numerals(language).decimal(25, 2)) in whole
                break
        else:
            raise AssertionError("no sentence names the bands")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_that_ends_with_a_unit_has_one_stop(language: str) -> None:
    specks = (
        Fact("specks.limit", 4.0, "px", "candidates", "instruction"),
        Fact("specks.area", 5.0, "px", "candidates", "mask"),
    )
    texts = [statement.text for statement in explain_facts(facts(*specks), language)]
    assert not [text for text in texts if text.endswith("..")]
    assert all(text[-1] in ".。।" for text in texts)
