"""Instructions by construction: templates, concepts, numbers and languages, each with the meaning it is built from.

A template says in one language what a meaning says in all of them. Every concept that a target answers stands in every
template, in its singular or plural as the template needs it. The quick tests take every thirteenth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import Concept, concept_names, list_concepts
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES
from spex_nb.types import AreaFilter, DirectionFilter, Filter, NearFilter, PlaceFilter, RankFilter, ShapeFilter
from spex_nb.types.targets import TARGETS

TEMPLATES: dict[str, dict[str, str]] = {
    "en": {
        "plain": "{all}",
        "polite": "show me all {all}, please",
        "more": "{all} larger than {n} ha",
        "most": "{all} of at most {n} km²",
        "range": "{all} between {n} and {m} hectares",
        "word": "{all} larger than twenty hectares",
        "rank": "the {k} largest {many}",
        "place": "{all} in the north-west",
        "near": "{all} within {d} m of snow",
        "without": "{all} but not snow",
        "count": "how many {many} are there?",
        "side": "{all} west of the snow",
    },
    "de": {
        "plain": "{all}",
        "polite": "zeige mir bitte alle {all}",
        "more": "{all} größer als {n} ha",
        "most": "{all} bis höchstens {n} km²",
        "range": "{all} zwischen {n} und {m} Hektar",
        "word": "{all} über zwanzig Hektar",
        "rank": "die {k} größten {many}",
        "place": "{all} im Nordwesten",
        "near": "{all} im Umkreis von {d} m um Schnee",
        "without": "{all}, aber ohne Schnee",
        "count": "Wie viele {many} gibt es?",
        "side": "{all} westlich vom Schnee",
    },
    "fr": {
        "plain": "{all}",
        "polite": "montre-moi {all} s'il te plaît",
        "more": "{all} de plus de {n} ha",
        "most": "{all} d'au plus {n} km²",
        "range": "{all} entre {n} et {m} hectares",
        "word": "{all} de plus de vingt hectares",
        "rank": "les {k} plus grands {many}",
        "place": "{all} au nord-ouest",
        "near": "{all} à moins de {d} m de la neige",
        "without": "{all} mais pas la neige",
        "count": "Combien de {many} y a-t-il ?",
        "side": "{all} à l'ouest de la neige",
    },
    "es": {
        "plain": "{all}",
        "polite": "muéstrame {all}, por favor",
        "more": "{all} de más de {n} ha",
        "most": "{all} de como máximo {n} km²",
        "range": "{all} entre {n} y {m} hectáreas",
        "word": "{all} de más de veinte hectáreas",
        "rank": "los {k} {many} más grandes",
        "place": "{all} en el noroeste",
        "near": "{all} a menos de {d} m de la nieve",
        "without": "{all}, pero no nieve",
        "count": "¿Cuántos {many} hay?",
        "side": "{all} al oeste de la nieve",
    },
    "pt": {
        "plain": "{all}",
        "polite": "mostre {all}, por favor",
        "more": "{all} com mais de {n} ha",
        "most": "{all} de no máximo {n} km²",
        "range": "{all} entre {n} e {m} hectares",
        "word": "{all} com mais de vinte hectares",
        "rank": "os {k} maiores {many}",
        "place": "{all} no noroeste",
        "near": "{all} a menos de {d} m da neve",
        "without": "{all}, mas sem neve",
        "count": "Quantos {many} existem?",
        "side": "{all} a oeste da neve",
    },
    "ru": {
        "plain": "{all}",
        "polite": "покажи, пожалуйста, {all}",
        "more": "{all} больше {n} га",
        "most": "{all} не более {n} км²",
        "range": "{all} от {n} до {m} гектаров",
        "word": "{all} больше двадцати гектаров",
        "rank": "{k} самых больших {of many}",
        "place": "{all} на северо-западе",
        "near": "{all} в пределах {d} м от снега",
        "without": "{all} без снега",
        "count": "Сколько {of many} на снимке?",
        "side": "{all} к западу от снега",
    },
    "zh": {
        "plain": "{all}",
        "polite": "请帮我把图里的{all}标出来",
        "more": "面积大于{n}公顷的{all}",
        "most": "不超过{n}平方公里的{all}",
        "range": "{n}到{m}公顷的{all}",
        "word": "大于二十公顷的{all}",
        "rank": "最大的{k}个{all}",
        "place": "西北部的{all}",
        "near": "距离雪{d}米以内的{all}",
        "without": "{all}，不要雪",
        "count": "图里有多少个{all}？",
        "side": "雪以西的{all}",
    },
    "ar": {
        "plain": "{all}",
        "polite": "أظهر {all} من فضلك",
        "more": "{all} أكبر من {n} هكتار",
        "most": "{all} لا تزيد عن {n} كم²",
        "range": "{all} بين {n} و {m} هكتار",
        "word": "{all} أكبر من عشرين هكتار",
        "rank": "أكبر {k} {many}",
        "place": "{all} في الشمال الغربي",
        "near": "{all} على بعد أقل من {d} متر من الثلج",
        "without": "{all} بدون الثلج",
        "count": "كم عدد {many}؟",
        "side": "{all} غرب الثلج",
    },
    "hi": {
        "plain": "{all}",
        "polite": "कृपया {all} दिखाइए",
        "more": "{n} हेक्टेयर से बड़े {all}",
        "most": "ज़्यादा से ज़्यादा {n} वर्ग किमी के {all}",
        "range": "{n} से {m} हेक्टेयर के {all}",
        "word": "बीस हेक्टेयर से बड़े {all}",
        "rank": "सबसे बड़े {k} {many}",
        "place": "उत्तर-पश्चिम में {all}",
        "near": "बर्फ़ से {d} मीटर के अंदर {all}",
        "without": "{all}, बर्फ़ नहीं",
        "count": "कितने {many} हैं?",
        "side": "बर्फ़ के पश्चिम में {all}",
    },
}
"""``{all}`` is a name in any number, ``{many}`` its plural, ``{of many}`` the genitive plural."""
BESIDE_SNOW = ("near", "without", "side")
"""Templates that name snow as another land cover."""
AMOUNTS = (2, 3, 5, 7, 9)
GENITIVE_CASES = 5
"""Forms of a plural that is given in all cases: the second is the genitive."""


@dataclass(frozen=True)
class Meaning:
    """What an instruction must mean."""

    targets: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    excluded: tuple[str, ...] = ()
    question: str = ""
    shape: str = ""
    """Of the regions of the target, where the concept has one."""
    text: str = field(default="", compare=False)


def named_forms(code: str) -> dict[str, dict[str, list[str]]]:
    """Return for each concept the forms of its first name: any, many, of many."""
    forms: dict[str, dict[str, list[str]]] = {}
    lemmas: dict[str, str] = {}
    for name in concept_names(code):
        lemma = lemmas.setdefault(name.concept, name.lemma)
        if name.lemma == lemma:
            number = "many" if name.plural else "any"
            forms.setdefault(name.concept, {"any": [], "many": []})[number].append(name.form)
    return forms


def filters_of(kind: str, n: int, m: int) -> tuple[Filter, ...]:
    """Return the filters that a template of a kind states."""
    return {
        "more": (AreaFilter(">", n, "ha"),),
        "most": (AreaFilter("<=", n, "km2"),),
        "range": (AreaFilter(">=", n, "ha"), AreaFilter("<=", m, "ha")),
        "word": (AreaFilter(">", 20, "ha"),),
        "rank": (RankFilter("largest", n),),
        "place": (PlaceFilter("north-west"),),
        "near": (NearFilter("snow", 100.0 * n),),
        "side": (DirectionFilter("snow", "west"),),
    }.get(kind, ())


def instructions(code: str) -> Iterator[Meaning]:
    """Yield every instruction of a language as the meaning that it is built from."""
    forms = named_forms(code)
    concepts = [concept for concept in list_concepts().values() if concept.target is not None]
    for place, concept in enumerate(concepts):
        n = AMOUNTS[place % len(AMOUNTS)]
        for kind, template in TEMPLATES[code].items():
            text = _written(template, forms[concept.id], n)
            if text and not (concept.target == "snow" and kind in BESIDE_SNOW):
                yield _meaning(concept, kind, n, text)


def _written(template: str, forms: dict[str, list[str]], n: int) -> str:
    """Return the instruction, or nothing where the name has no form that the template needs."""
    many = forms["many"]
    of_many = many[1] if len(many) >= GENITIVE_CASES else ""
    slots = {"{all}": (many or forms["any"])[0], "{many}": many[0] if many else "", "{of many}": of_many}
    for slot, form in slots.items():
        if slot in template and not form:
            return ""
        template = template.replace(slot, form)
    numbers = {"{n}": n, "{m}": 10 * n, "{k}": n, "{d}": 100 * n}
    for slot, number in numbers.items():
        template = template.replace(slot, str(number))
    return template


def _meaning(concept: Concept, kind: str, n: int, text: str) -> Meaning:
    excluded = ("snow",) if kind == "without" else ()
    question = "count" if kind == "count" else ""
    filters = filters_of(kind, n, 10 * n)
    return Meaning((str(concept.target),), filters, excluded, question, concept.shape, text)


def understood(text: str) -> Meaning | str:
    """Return what the parser makes of an instruction, or why it refuses."""
    try:
        parsed = parse_instruction(text, tuple(TARGETS))
    except InstructionError as error:
        return str(error)
    own = [one for filters in parsed.own_filters.values() for one in filters]
    shape = "".join(one.shape for one in own if isinstance(one, ShapeFilter))
    others = tuple(one for one in own if not isinstance(one, ShapeFilter))
    return Meaning(parsed.targets, (*parsed.filters, *others), parsed.excluded, parsed.question, shape, text)


QUICK_STEP = 13
"""It shares no divisor with the number of templates, so that the quick tests meet each of them."""


def misread(meanings: list[Meaning]) -> list[tuple[str, Meaning | str]]:
    """Return the instructions that come out with another meaning, and what they become."""
    results = ((meaning, understood(meaning.text)) for meaning in meanings)
    return [(meaning.text, result) for meaning, result in results if result != meaning]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_instructions_have_the_meaning_that_they_are_built_from(code: str) -> None:
    meanings = list(instructions(code))
    assert len(meanings) > 2000
    assert misread(meanings[::QUICK_STEP]) == []


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_all_instructions_have_the_meaning_that_they_are_built_from(code: str) -> None:
    assert misread(list(instructions(code))) == []


def test_another_meaning_is_noticed() -> None:
    ponds = next(meaning for meaning in instructions("en") if meaning.text == "ponds larger than 5 ha")
    assert misread([ponds]) == []
    others = [
        replace(ponds, targets=("road",)),
        replace(ponds, filters=(AreaFilter(">", 6, "ha"),)),
        replace(ponds, filters=(AreaFilter(">=", 5, "ha"),)),
        replace(ponds, excluded=("snow",)),
        replace(ponds, question="count"),
        replace(ponds, shape=""),
    ]
    assert [text for text, _ in misread(others)] == [ponds.text] * len(others)


@pytest.mark.parametrize(
    ("text", "target"),
    [("how many football fields are there?", "low_vegetation"), ("最大的9个足球场", "low_vegetation")],
)
def test_a_thing_that_measures_nothing_is_no_unit(text: str, target: str) -> None:
    assert parse_instruction(text, tuple(TARGETS)).targets == (target,)


@pytest.mark.parametrize(
    "text", ["lakes larger than a football field", "面积大于5个足球场的湖泊", "फुटबॉल मैदान से बड़ी झीलें"]
)
def test_a_thing_after_a_comparison_is_a_unit_that_varies(text: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    assert refused.value.problem.startswith("The unit differs")
