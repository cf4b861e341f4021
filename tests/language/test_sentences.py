"""Sentences that are read as a whole: what is refused, with which words, and what can be asked instead."""

from __future__ import annotations

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import get_concept, refusal_text
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import get_language
from spex_nb.types import AdjacentFilter, ShapeFilter

FUTURE = {
    "en": "will there be water",
    "de": "wird es hier Wasser geben",
    "fr": "où y aura-t-il de l'eau",
    "es": "¿va a haber agua?",
    "pt": "vai ter água?",
    "ru": "где будет вода",
    "zh": "这里会有水吗",
    "ar": "سوف يكون هنا ماء",
    "hi": "यहाँ पानी होगा क्या",
}
SITES = {
    "en": "land for a house",
    "de": "Land für ein Haus",
    "fr": "terrain pour une maison",
    "es": "terreno para una casa",
    "pt": "terreno para um prédio",
    "ru": "место для дома",
    "zh": "盖房子的地方",
    "ar": "أرض لبناء منزل",
    "hi": "मकान के लिए ज़मीन",
}
ALONE = {
    "en": "not only water",
    "de": "nicht nur Wasser",
    "fr": "pas seulement l'eau",
    "es": "no solo agua",
    "pt": "não só água",
    "ru": "не только вода",
    "zh": "不只是水",
    "ar": "ليس الماء فقط",
    "hi": "केवल पानी नहीं",
}
FAR = {
    "en": "fields far from the road",
    "de": "Häuser weit entfernt von der Straße",
    "fr": "maisons loin de la route",
    "es": "casas lejos de la carretera",
    "pt": "pastagens longe das casas",
    "ru": "дома далеко от дороги",
    "zh": "离公路远的房子",
    "ar": "منازل بعيدة عن الطريق",
    "hi": "सड़क से दूर खेत",
}
EVENTS = {
    "en": "trees after the storm",
    "de": "Wald nach dem Sturm",
    "fr": "forêt après l'incendie",
    "es": "bosque después del incendio",
    "pt": "floresta depois do incêndio",
    "ru": "лес после пожара",
    "zh": "火灾后的森林",
    "ar": "غابة بعد الحريق",
    "hi": "आग के बाद जंगल",
}
BECAME = {
    "en": ("fields that became buildings", "houses where fields used to be"),
    "de": ("Felder, die zu Häusern wurden", "neue Häuser, wo früher Felder waren"),
    "fr": ("champs devenus maisons", "maisons là où il y avait des champs"),
    "es": ("cultivo convertido en casas", "casas donde antes había cultivos"),
    "pt": ("lavoura que virou casas", "casas onde antes havia lavoura"),
    "ru": ("поля, ставшие домами", "дома на месте полей"),
    "zh": ("农田变成房子", "以前是农田的房子"),
    "ar": ("حقول تحولت إلى مبان", "مبان حيث كانت الحقول"),
    "hi": ("खेत जो मकान बन गए", "मकान जहाँ पहले खेत थे"),
}
"""By language: what became something else, and what stands where something else was."""


def refused(text: str, scenes: int = 1) -> InstructionError:
    with pytest.raises(InstructionError) as error:
        parse_instruction(text, scenes=scenes)
    return error.value


def reason(code: str, name: str) -> str:
    """Return what a language says of a problem, without the words at fault."""
    text: str = get_language(code).instructions["refusals"][name]
    return text.partition("{words}")[2].strip(" :：")


@pytest.mark.parametrize("scenes", [1, 2])
@pytest.mark.parametrize("code", FUTURE)
def test_the_future_is_refused_like_next_year(code: str, scenes: int) -> None:
    assert refusal_text(get_concept("forecast"), code) in str(refused(FUTURE[code], scenes))


@pytest.mark.parametrize("code", SITES)
def test_land_to_build_on_is_no_building(code: str) -> None:
    assert refusal_text(get_concept("forecast"), code) in str(refused(SITES[code]))


@pytest.mark.parametrize(("texts", "name"), [(ALONE, "alone"), (FAR, "near"), (EVENTS, "time")])
def test_the_refusal_says_what_is_missing(texts: dict[str, str], name: str) -> None:
    for code, text in texts.items():
        assert reason(code, name) in str(refused(text)), text


@pytest.mark.parametrize("code", BECAME)
def test_what_became_something_else_can_be_asked_as_gain_and_loss(code: str) -> None:
    for text in BECAME[code]:
        error = refused(text, scenes=2)
        assert reason(code, "became") in str(error)
        asked = [parse_instruction(suggestion, scenes=2) for suggestion in error.suggestions]
        changes = [(one.targets, one.change.kind if one.change else "") for one in asked]
        assert changes == [(("building",), "gained"), (("vegetation",), "lost")], text


def test_far_from_something_suggests_a_distance() -> None:
    for code, text in FAR.items():
        first, second = (parse_instruction(suggestion) for suggestion in refused(text).suggestions)
        assert not first.filters[0].within, code  # type: ignore[union-attr]
        assert isinstance(second.filters[0], AdjacentFilter), code
        assert not second.filters[0].inside, code


def test_words_of_one_shape_that_are_left_out_leave_the_other_shape() -> None:
    cases = {"water, but no rivers": "compact", "water without lakes": "elongated", "no lakes but rivers": "elongated"}
    for text, shape in cases.items():
        parsed = parse_instruction(text)
        assert (parsed.targets, parsed.excluded) == (("water",), ())
        assert parsed.own_filters == {"water": (ShapeFilter(shape),)}  # type: ignore[arg-type]


def test_a_bank_keeps_the_shape_of_its_water() -> None:
    shapes = {"河边的树": "elongated", "湖边的房子": "compact", "岸边的树": "", "riverside houses": "elongated"}
    for text, shape in shapes.items():
        assert parse_instruction(text).filters == (AdjacentFilter("water", shape=shape),)  # type: ignore[arg-type]
