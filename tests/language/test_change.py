"""Instructions about two dates by construction: a meaning with two scenes, a refusal that names compare with one."""

from __future__ import annotations

from itertools import product

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import list_concepts, refusal_text
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.types import ChangeRequest, PlaceFilter

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
    assert understood.change == ChangeRequest("changed", ("2010",))
    assert (understood.targets, understood.filters) == ((), (PlaceFilter("north"),))


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_word_for_change_names_compare(code: str) -> None:
    assert "compare(before, after, targets)" in refusal_text(list_concepts()["deforestation"], code)


def test_an_amount_of_change_keeps_its_question_and_unit() -> None:
    understood = parse_instruction("how much forest was lost since 2009, in hectares?", scenes=2)
    assert (understood.question, understood.unit and understood.unit.name) == ("area", "ha")
    assert understood.change == ChangeRequest("lost", ("2009",))


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


def test_two_scenes_change_nothing_for_other_instructions() -> None:
    for text in ("lakes larger than 2 ha", "how many lakes?", "最大的3个湖"):
        assert parse_instruction(text, scenes=2) == parse_instruction(text)
