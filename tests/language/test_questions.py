"""Questions by construction: templates, things and units in nine languages, each with the question it is built from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import concept_names, list_concepts
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.types import SQUARE_METRES, AreaUnit, Question, RankFilter
from spex_nb.types.targets import TARGETS

QUESTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "area": (
            "how much {all} is there, in {unit}?",
            "area of {all} in {unit}",
            "how many {unit} of {all} are there?",
        ),
        "presence": ("is there any {all}?", "{all}?", "are {all} visible here?", "do you see {all}"),
        "largest": ("which {one} is the largest?", "what is the biggest {one}"),
        "length": ("how long is the {one}?", "what is the width of the {one}", "how many km of {all} are there?"),
    },
    "de": {
        "area": ("Wie viel {all} gibt es, in {unit}?", "Fläche der {all} in {unit}", "Wie viele {unit} {all} sind da?"),
        "presence": ("Gibt es {all}?", "{all}?", "Sind {all} zu sehen?", "gibt es hier {all}"),
        "largest": ("welcher {one} ist am größten?", "Was ist der größte {one}?"),
        "length": ("Wie lang ist der {one}?", "Länge der {all}", "Wie viele Kilometer {all} gibt es?"),
    },
    "fr": {
        "area": (
            "Combien de {all} y a-t-il, en {unit} ?",
            "surface de {all} en {unit}",
            "combien de {unit} de {all} ?",
        ),
        "presence": ("Y a-t-il des {all} ?", "{all} ?", "est-ce qu'on voit des {all} ?", "y a-t-il de la {all}"),
        "largest": ("quel {one} est le plus grand ?", "quelle {one} est la plus grande ?"),
        "length": ("quelle est la longueur de la {one} ?", "combien de kilomètres de {all} ?"),
    },
    "es": {
        "area": ("¿Cuánta {all} hay, en {unit}?", "superficie de {all} en {unit}", "¿cuántas {unit} de {all} hay?"),
        "presence": ("¿Hay {all}?", "¿{all}?", "¿se ven {all} en la imagen?", "hay {all}"),
        "largest": ("¿qué {one} es el más grande?", "¿cuál es la mayor {one}?"),
        "length": ("¿cuánto mide de largo la {one}?", "longitud de {all}", "¿cuántos kilómetros de {all} hay?"),
    },
    "pt": {
        "area": ("Quanta {all} há, em {unit}?", "área de {all} em {unit}", "quantos {unit} de {all} existem?"),
        "presence": ("Tem {all} na imagem?", "{all}?", "há {all}?", "existem {all} aqui"),
        "largest": ("qual {one} é o maior?", "qual é a maior {one}?"),
        "length": ("qual é o comprimento da {one}?", "quantos quilômetros de {all} existem?"),
    },
    "ru": {
        "area": ("Сколько {all} на снимке, в {unit}?", "какова площадь {all} в {unit}", "сколько {unit} {all}?"),
        "presence": ("Есть ли {all}?", "{all}?", "есть {all} на снимке?", "видны ли здесь {all}"),
        "largest": ("какой {one} самый большой?", "какая {one} самая большая"),
        "length": ("какова длина {one}?", "ширина {one}", "сколько километров {all}?"),
    },
    "zh": {
        "area": ("图上有多少{all}，用{unit}表示", "{all}面积是多少{unit}", "有多少{unit}{all}？"),
        "presence": ("图上有{all}吗？", "图上有{all}吗", "有没有{all}？", "{all}？"),
        "largest": ("哪个{one}最大？", "哪一个{one}最大"),
        "length": ("{one}有多长？", "{one}的宽度是多少？"),
    },
    "ar": {
        "area": ("كم مساحة {all} بوحدة {unit}؟", "ما مساحة {all} في {unit}", "كم {unit} من {all}؟"),
        "presence": ("هل يوجد {all}؟", "{all}؟", "هل {all} ظاهرة؟", "هل هناك {all}"),
        "largest": ("أي {one} هي الأكبر؟", "ما هي أكبر {one}؟"),
        "length": ("ما طول {one}؟", "كم يبلغ عرض {one}؟"),
    },
    "hi": {
        "area": ("{unit} में {all} का क्षेत्रफल कितना है?", "कितने {unit} {all} हैं?", "{all} कितना है, {unit} में?"),
        "presence": ("क्या यहाँ {all} हैं?", "{all}?", "{all} हैं क्या", "क्या तस्वीर में {all} हैं?"),
        "largest": ("कौन सी {one} सबसे बड़ी है?", "सबसे बड़ा {one} कौन सा है"),
        "length": ("{one} कितनी लंबी है?", "{one} की चौड़ाई क्या है?"),
    },
}
"""``{all}`` is a plural or a mass, ``{one}`` the usual form of a name."""
UNITS = ("m2", "ha", "km2", "acre", "sqft")
QUICK_STEP = 17


def names(code: str) -> Iterator[tuple[str, str, str]]:
    """Yield the singular, the plural and the target of everything that a target answers.

    The singular is empty where the usual form is a plural, as of mangroves in Russian.
    """
    seen: dict[str, list[str]] = {}
    for name in concept_names(code):
        target = list_concepts()[name.concept].target
        if target is not None:
            forms = seen.setdefault(name.concept, ["" if name.plural else name.form, name.form, str(target)])
            if name.plural and forms[0] == forms[1]:
                forms[1] = name.form
    yield from ((forms[0], forms[1], forms[2]) for forms in seen.values())


def units(code: str) -> list[tuple[str, str]]:
    """Return a word for each unit of area, and the unit."""
    language = get_language(code)
    words = {**language.units, **language.instructions["words"]["unit"]}
    return [(words[unit][-1], unit) for unit in UNITS]


def built(code: str, question: str) -> list[tuple[str, str, str]]:
    """Return every question of a kind, with its target and unit."""
    questions = []
    for place, (one, many, target) in enumerate(names(code)):
        unit, name = units(code)[place % len(UNITS)]
        templates = [template for template in QUESTIONS[code][question] if one or "{one}" not in template]
        questions += [(template.format(one=one, all=many, unit=unit), target, name) for template in templates]
    return questions


def parsed(text: str, target: str) -> object:
    """Return a parsed question if its target and language are right, else what it became."""
    try:
        understood = parse_instruction(text, tuple(TARGETS))
    except InstructionError as error:
        return error
    return understood if understood.targets == (target,) else understood.targets


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_area_is_asked_for_in_the_unit_of_the_user(code: str) -> None:
    wrong = {}
    for text, target, unit in built(code, "area")[::QUICK_STEP]:
        understood = parsed(text, target)
        asked = getattr(understood, "unit", None)
        is_right = isinstance(asked, AreaUnit) and (unit not in SQUARE_METRES or asked.name == unit)
        if not is_right or getattr(understood, "question", "") != "area":
            wrong[text] = understood
    assert wrong == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_whether_there_is_any_stays_a_question(code: str) -> None:
    wrong = {}
    for text, target, _ in built(code, "presence")[::QUICK_STEP]:
        understood = parsed(text, target)
        if getattr(understood, "question", "") != "presence":
            wrong[text] = understood
    assert wrong == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_which_is_the_largest_is_a_rank(code: str) -> None:
    wrong = {}
    for text, target, _ in built(code, "largest")[::QUICK_STEP]:
        understood = parsed(text, target)
        if getattr(understood, "filters", ()) != (RankFilter("largest"),):
            wrong[text] = understood
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_length_is_refused_with_what_can_be_asked(code: str) -> None:
    sentence = get_language(code).instructions["refusals"]["asked_length"].partition("{words}")[2].strip(" :：")
    for text, target, _ in built(code, "length")[::QUICK_STEP]:
        with pytest.raises(InstructionError) as refused:
            parse_instruction(text, tuple(TARGETS))
        assert sentence in refused.value.message, text
        area, longest = (parse_instruction(suggestion) for suggestion in refused.value.suggestions)
        assert (area.question, longest.filters) == ("area", (RankFilter("longest"),)), text
        assert target in (*area.targets, "tree_cover", "low_vegetation"), text


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Combien d'eau y a-t-il ?", "area"),
        ("Combien de lacs y a-t-il ?", "count"),
        ("сколько воды на снимке?", "area"),
        ("сколько озёр на снимке?", "count"),
        ("图上有多少水？", "area"),
        ("图上有多少湖？", "count"),
        ("यहाँ कितनी इमारतें हैं?", "count"),
        ("यहाँ कितनी बर्फ है?", "area"),
        ("wieviel Schnee liegt hier?", "area"),
        ("how much water is there in percent?", "share"),
        ("can you show me the lakes?", ""),
        ("Kannst du mir die Seen zeigen?", ""),
        ("能帮我标出湖吗？", ""),
        ("क्या आप झीलें दिखा सकते हैं?", ""),
        ("which lakes are larger than 2 ha?", ""),
        ("Sieht man irgendwo Seen?", "presence"),
        ("does this scene contain water?", "presence"),
        ("¿Se ve algún edificio?", "presence"),
        ("Tem prédios nesta imagem?", "presence"),
    ],
)
def test_the_noun_and_the_first_words_decide_what_is_asked(text: str, question: str) -> None:
    assert parse_instruction(text).question == question


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("how much water, in acres", "water bodies – how large (acres)?"),
        ("surface de la forêt en km2", "végétation : quelle superficie (km²) ?"),
        ("有多少亩森林？", "植被——面积多大（亩）？"),
    ],
)
def test_the_unit_is_said_back(text: str, meaning: str) -> None:
    assert parse_instruction(text).meaning.startswith(meaning)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("question", ["count", "area", "share", "place", "presence"])
def test_a_question_that_is_said_back_is_the_same_question(code: str, question: Question) -> None:
    unit = AreaUnit("ha", 1e4) if question == "area" else None
    for target in ("water", "vegetation", "building", "snow"):
        sentence = describe(get_language(code), [target], question=question, unit=unit)
        again = parse_instruction(sentence)
        assert (again.targets, again.question, again.unit) == ((target,), question, unit), sentence


def test_the_unit_of_an_answer_has_its_size() -> None:
    assert parse_instruction("how much water, in acres").unit == AreaUnit("acres", 4046.8564224)
    assert parse_instruction("area of the river in km2").unit == AreaUnit("km2", 1e6)
    assert parse_instruction("lakes larger than 2 ha").unit is None


@pytest.mark.parametrize("text", ["lakes ha", "how many lakes, in hectares", "where is water, in acres"])
def test_a_unit_that_belongs_to_no_question_is_refused(text: str) -> None:
    with pytest.raises(InstructionError):
        parse_instruction(text)
