"""Instructions about two dates by construction: a meaning with two scenes, a refusal that names compare with one."""

from __future__ import annotations

from itertools import product

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.change_requests import parse_change
from spex_nb.language.concepts import concept_names, list_concepts, refusal_text
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.types import AreaFilter, ChangeRequest, PlaceFilter, RankFilter
from spex_nb.types.targets import TARGETS

THINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("forest", "vegetation"),
        ("buildings", "building"),
        ("water", "water"),
        ("snow", "snow"),
        ("roads", "road"),
    ),
    "de": (
        ("Wald", "vegetation"),
        ("Gebäude", "building"),
        ("Wasser", "water"),
        ("Schnee", "snow"),
        ("Straßen", "road"),
    ),
    "fr": (("forêt", "vegetation"), ("bâtiments", "building"), ("eau", "water"), ("neige", "snow"), ("routes", "road")),
    "es": (
        ("bosque", "vegetation"),
        ("edificios", "building"),
        ("agua", "water"),
        ("nieve", "snow"),
        ("lagos", "water"),
    ),
    "pt": (("mata", "vegetation"), ("edifícios", "building"), ("água", "water"), ("neve", "snow"), ("lagos", "water")),
    "ru": (("леса", "vegetation"), ("здания", "building"), ("воды", "water"), ("снега", "snow"), ("дороги", "road")),
    "zh": (("森林", "vegetation"), ("建筑物", "building"), ("水体", "water"), ("积雪", "snow"), ("道路", "road")),
    "ar": (
        ("الغابات", "vegetation"),
        ("المباني", "building"),
        ("المياه", "water"),
        ("الثلوج", "snow"),
        ("الطرق", "road"),
    ),
    "hi": (("जंगल", "vegetation"), ("इमारतें", "building"), ("पानी", "water"), ("बर्फ", "snow"), ("सड़कें", "road")),
}
CHANGES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "en": (
        ("new {}", "gained", ()),
        ("what {} was gained between 2009 and 2018?", "gained", ("2009", "2018")),
        ("{} lost since 2009", "lost", ("2009",)),
        ("which {} disappeared?", "lost", ()),
        ("how has the {} changed from 2001 to 2020", "changed", ("2001", "2020")),
        ("{} gained and lost", "changed", ()),
        ("changes in the {}", "changed", ()),
    ),
    "de": (
        ("neue {}", "gained", ()),
        ("welche {} sind seit 2010 hinzugekommen?", "gained", ("2010",)),
        ("{} verschwunden zwischen 2009 und 2018", "lost", ("2009", "2018")),
        ("verlorene {}", "lost", ()),
        ("wie hat sich {} verändert?", "changed", ()),
    ),
    "fr": (
        ("nouveaux {}", "gained", ()),
        ("{} apparus entre 2009 et 2018", "gained", ("2009", "2018")),
        ("{} perdue depuis 2009", "lost", ("2009",)),
        ("quels {} ont disparu ?", "lost", ()),
        ("comment la {} a changé", "changed", ()),
    ),
    "es": (
        ("nuevos {}", "gained", ()),
        ("¿qué {} se ha ganado desde 2010?", "gained", ("2010",)),
        ("¿qué se perdió de {} desde 2009?", "lost", ("2009",)),
        ("{} perdidos entre 2009 y 2018", "lost", ("2009", "2018")),
        ("cambios de {}", "changed", ()),
    ),
    "pt": (
        ("novos {}", "gained", ()),
        ("{} que apareceram desde 2010", "gained", ("2010",)),
        ("quanta {} se perdeu desde 2009?", "lost", ("2009",)),
        ("{} perdida entre 2009 e 2018", "lost", ("2009", "2018")),
        ("mudanças de {}", "changed", ()),
    ),
    "ru": (
        ("новые {}", "gained", ()),
        ("где прибавилось {} с 2010 года?", "gained", ("2010",)),
        ("потеря {} между 2009 и 2018 годами", "lost", ("2009", "2018")),
        ("исчезнувшие {}", "lost", ()),
        ("изменения {}", "changed", ()),
    ),
    "zh": (
        ("新增的{}", "gained", ()),
        ("2009年到2018年增加的{}", "gained", ("2009", "2018")),
        ("2009年以来消失的{}", "lost", ("2009",)),
        ("减少的{}", "lost", ()),
        ("{}有什么变化？", "changed", ()),
    ),
    "ar": (
        ("{} الجديدة", "gained", ()),
        ("{} التي ظهرت منذ عام 2010", "gained", ("2010",)),
        ("{} المفقودة منذ 2009", "lost", ("2009",)),
        ("{} التي فقدت بين 2009 و 2018", "lost", ("2009", "2018")),
        ("تغيرات {}", "changed", ()),
    ),
    "hi": (
        ("नए {}", "gained", ()),
        ("2010 के बाद से बढ़े {}", "gained", ("2010",)),
        ("2009 से खोया {}", "lost", ("2009",)),
        ("गायब {}", "lost", ()),
        ("{} में बदलाव", "changed", ()),
    ),
}
CASES = [
    (template.format(thing), target, kind, dates)
    for code in LANGUAGES
    for (thing, target), (template, kind, dates) in product(THINGS[code], CHANGES[code])
]
NOTHING_NAMED = {
    "en": "what has changed in the north since 2010?",
    "de": "was hat sich seit 2010 im Norden verändert?",
    "fr": "qu'est-ce qui a changé au nord depuis 2010 ?",
    "es": "¿qué ha cambiado en el norte desde 2010?",
    "pt": "o que mudou no norte desde 2010?",
    "ru": "что изменилось на севере с 2010 года?",
    "zh": "2010年以来北部有什么变化？",
    "ar": "ما الذي تغير في الشمال منذ 2010؟",
    "hi": "2010 के बाद से उत्तर में क्या बदला?",
}


@pytest.mark.parametrize(("text", "target", "kind", "dates"), CASES)
def test_change_is_a_meaning_with_two_scenes(text: str, target: str, kind: str, dates: tuple[str, ...]) -> None:
    understood = parse_instruction(text, scenes=2)
    assert understood.targets == (target,)
    assert understood.change is not None
    assert (understood.change.kind, understood.change.dates) == (kind, dates)
    assert understood.filters == ()
    sentence = get_language(understood.language).instructions["phrases"]["change"][kind]
    assert sentence.strip(" –—:：?？؟\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}") in understood.meaning
    assert all(date in understood.meaning for date in dates)


@pytest.mark.parametrize("text", [text for text, *_ in CASES])
def test_one_scene_refuses_a_change_and_names_compare(text: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    assert "compare(before, after, targets)" in refused.value.message
    assert refused.value.problem == "Change needs two scenes"
    for suggestion in refused.value.suggestions:
        assert parse_instruction(suggestion).change is None


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_has_changed_names_no_land_cover(code: str) -> None:
    understood = parse_instruction(NOTHING_NAMED[code], scenes=2)
    assert understood.change == ChangeRequest("changed", ("2010",), is_open=True)
    assert (understood.targets, understood.filters) == ((), (PlaceFilter("north"),))


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_word_for_change_names_compare(code: str) -> None:
    assert "compare(before, after, targets)" in refusal_text(list_concepts()["land_degradation"], code)


def test_an_amount_of_change_keeps_its_question_and_unit() -> None:
    understood = parse_instruction("how much forest was lost since 2009, in hectares?", scenes=2)
    assert (understood.question, understood.unit and understood.unit.name) == ("area", "ha")
    assert understood.change == ChangeRequest("lost", ("2009",), is_open=True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Wo ist seit 2005 Wald verloren gegangen?", "lost"),
        ("Welche Seen sind größer geworden?", "gained"),
        ("has the lake got smaller?", "lost"),
        ("Quais lagos encolheram?", "lost"),
        ("湖泊变小了吗？", "lost"),
        ("झील छोटी हो गई?", "lost"),
        ("did the city grow?", "gained"),
        ("2010年以后新建的房屋", "gained"),
        ("Combien de forêt a-t-on perdu entre 2000 et 2010 ?", "lost"),
    ],
)
def test_verbs_of_growing_and_shrinking_are_changes(text: str, kind: str) -> None:
    understood = parse_instruction(text, scenes=2)
    assert understood.change is not None
    assert understood.change.kind == kind
    assert len(understood.targets) == 1
    with pytest.raises(InstructionError, match="compare"):
        parse_instruction(text)


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_of_changes_mean_what_came_or_went(code: str) -> None:
    changing = {name.form: list_concepts()[name.concept] for name in concept_names(code)}
    changing = {form: concept for form, concept in changing.items() if concept.change}
    assert {concept.id for concept in changing.values()} >= {"deforestation", "reforestation", "urban_growth"}
    for form, concept in changing.items():
        understood = parse_instruction(form, tuple(TARGETS), scenes=2)
        assert understood.change == ChangeRequest(concept.change), form
        changed = (list_concepts()[concept.changed].target,) if concept.changed else ()
        assert understood.targets == changed, form
        with pytest.raises(InstructionError, match="compare"):
            parse_instruction(form)


SINCE = {
    "en": ("flooding since 2015", "forest since 2015", "2015"),
    "de": ("Überschwemmung seit 2015", "Wald seit 2015", "seit 2015"),
    "fr": ("inondations depuis 2015", "forêt depuis 2015", "depuis 2015"),
    "es": ("inundaciones desde 2015", "bosque desde 2015", "desde 2015"),
    "pt": ("inundação desde 2015", "floresta desde 2015", "desde 2015"),
    "ru": ("наводнение с 2015 года", "лес с 2015 года", "с 2015 года"),
    "zh": ("2015年以来的洪水", "2015年以来的森林", "2015年以来"),
    "ar": ("الفيضانات منذ 2015", "الغابات منذ 2015", "منذ 2015"),
    "hi": ("2015 के बाद से बाढ़", "2015 के बाद से जंगल", "2015 से"),
}
"""By language: an event and a state since a year, and how the meaning says that year."""


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_is_since_a_year_is_a_change(code: str) -> None:
    event, state, year = SINCE[code]
    assert parse_instruction(event, scenes=2).change == ChangeRequest("gained", ("2015",), is_open=True)
    understood = parse_instruction(state, scenes=2)
    assert understood.change == ChangeRequest("changed", ("2015",), is_open=True)
    assert year in understood.meaning
    with pytest.raises(InstructionError):
        parse_instruction(event)


@pytest.mark.parametrize("text", ["forest in 2010", "bosque en 2010", "снимок леса 2010 года", "2010年的森林"])
def test_a_year_alone_is_no_change(text: str) -> None:
    with pytest.raises(InstructionError):
        parse_instruction(text, scenes=2)


def test_filters_of_a_change_hold_for_what_was_gained_or_lost() -> None:
    understood = parse_change("the 3 largest lakes lost since 2010 in the north, larger than 2 ha", with_filters=True)
    assert set(understood.filters) == {RankFilter("largest", 3), PlaceFilter("north"), AreaFilter(">", 2, "ha")}
    assert understood.own_filters == {}  # the part of a lake that dries up has no shape of a lake
    question = understood.meaning.partition(";")[0]
    assert question.startswith("water bodies – what was lost (")
    assert "larger than 2 ha" in question
    with pytest.raises(InstructionError, match="Leave the filters out"):
        parse_change("lakes lost, larger than 2 ha")


FILTERED_SERIES = {
    "en": "lakes over 2 ha in each year",
    "de": "Seen über 2 ha für jedes Jahr",
    "fr": "lacs de plus de 2 ha chaque année",
    "es": "lagos de más de 2 ha cada año",
    "pt": "lagos com mais de 2 ha cada ano",
    "ru": "озёра больше 2 га каждый год",
    "zh": "每年大于2公顷的湖泊",
    "ar": "البحيرات الأكبر من 2 هكتار كل عام",
    "hi": "हर साल 2 हेक्टेयर से बड़ी झीलें",
}


@pytest.mark.parametrize("code", LANGUAGES)
def test_filters_of_a_series_are_refused_with_what_to_do(code: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_change(FILTERED_SERIES[code])
    language = get_language(code)
    sentence = ChangeWords(code).sentence("series_filters", meaning="")
    assert refused.value.message.endswith(sentence[-20:])
    assert describe(language, ["water"]) in refused.value.suggestions
    assert describe(language, ["water"], (), (AreaFilter(">", 2, "ha"),)) in refused.value.message


def test_a_change_says_its_further_question_in_a_sentence_of_its_own() -> None:
    understood = parse_instruction("how much deforestation was there?", scenes=2)
    assert understood.question == "area"
    assert "what was lost? How large?" in understood.meaning


def test_two_scenes_change_nothing_for_other_instructions() -> None:
    for text in ("lakes larger than 2 ha", "how many lakes?", "最大的3个湖"):
        assert parse_instruction(text, scenes=2) == parse_instruction(text)
