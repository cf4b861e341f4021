"""Instructions understood and refused: the table tests/language/instructions.csv, traps, and meanings read back."""

from __future__ import annotations

import contextlib
import csv
import itertools
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import InstructionError, LanguageError
from spex_nb.language.instructions import LONGEST, parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.language.parsing.lexicon import get_lexicon, read_text
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.types import (
    AdjacentFilter,
    AreaFilter,
    BetweenFilter,
    DirectionFilter,
    DrawnFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    Instruction,
    NearFilter,
    PlaceFilter,
    RankFilter,
    ShapeFilter,
)
from spex_nb.types.targets import TARGETS

with (Path(__file__).parent / "instructions.csv").open(encoding="utf-8", newline="") as file:
    TABLE = [(row["language"], row["text"], row["meaning"]) for row in csv.DictReader(file)]
with (Path(__file__).parent / "phrasings.csv").open(encoding="utf-8", newline="") as file:
    PHRASINGS = [(row["text"], row["target"]) for row in csv.DictReader(file)]
REFUSED = [row for row in TABLE if row[2].startswith("refused; ")]
UNDERSTOOD = [row for row in TABLE if row not in REFUSED]
PLACES = get_args(get_type_hints(PlaceFilter)["place"])
SIMPLE_FILTERS: list[Filter] = [
    *(AreaFilter(c, 2.5, u) for c in (">", ">=", "<", "<=") for u in ("m2", "ha", "km2", "px")),  # type: ignore[arg-type]
    *(PlaceFilter(place, inside) for place in PLACES for inside in (True, False)),
    *(RankFilter(order, count) for order in ("largest", "smallest") for count in (1, 3)),  # type: ignore[arg-type]
    *(kind(yes) for kind in (DrawnFilter, EdgeFilter) for yes in (True, False)),
]


def written(one: Filter) -> str:  # noqa: C901, PLR0911 (one case for each kind of filter)
    """Write a filter as the table does."""
    match one:
        case AreaFilter(comparison, amount, unit):
            return f"{comparison}{amount:.12g} {unit}"
        case RankFilter(order, count, first, inside):
            rank = f"{order} {count}" if first == 1 else f"{order} number {first}"
            return rank if inside else f"not {rank}"
        case PlaceFilter(place, inside):
            return place if inside else f"not {place}"
        case DrawnFilter(inside):
            return "drawn in" if inside else "drawn out"
        case EdgeFilter(touching):
            return "touching" if touching else "apart"
        case NearFilter(target, distance_m, within):
            return f"{'near' if within else 'far'} {target} {distance_m:g}"
        case AdjacentFilter(target, inside):
            return f"{'' if inside else 'not '}beside {target}"
        case EnclosedFilter(target, inside):
            return f"{'' if inside else 'not '}within {target}"
        case DirectionFilter(target, direction, inside):
            return f"{'' if inside else 'not '}{direction} of {target}"
        case BetweenFilter(first, second, inside):
            return f"{'' if inside else 'not '}between {first} and {second}"
        case ShapeFilter(shape):
            return shape


def meaning_of(understood: Instruction) -> str:
    """Write a meaning as the table does: targets, exclusions, filters, filters of one target. Shapes go unsaid."""
    excluded = "".join(f"{'+' if i else '-'}{name}" for i, name in enumerate(understood.excluded))
    parts = [("+".join(understood.targets) or "*") + excluded, *map(written, understood.filters)]
    for target, filters in understood.own_filters.items():
        own = [written(one) for one in filters if not isinstance(one, ShapeFilter)]
        parts += [f"{target} alone: {', '.join(own)}"] if own else []
    return "; ".join(parts)


def test_the_table_is_as_wide_as_promised() -> None:
    assert len(TABLE) >= 300
    assert sum(language != "en" for language, _, _ in TABLE) >= len(TABLE) / 3
    assert len(REFUSED) >= 40
    assert {language for language, _, _ in TABLE} == set(LANGUAGES)


def test_sixty_ways_to_ask_are_understood_or_refused_and_never_misunderstood() -> None:
    understood = 0
    for text, target in PHRASINGS:
        try:
            (asked,) = parse_instruction(text).targets
        except InstructionError:
            continue
        assert asked == target, text
        understood += 1
    assert len(PHRASINGS) == 60
    assert understood >= 56


@pytest.mark.slow
@pytest.mark.parametrize(("language", "text", "meaning"), UNDERSTOOD)
def test_instructions_of_the_table_are_understood(language: str, text: str, meaning: str) -> None:
    understood = parse_instruction(text)
    assert meaning_of(understood) == meaning
    assert (understood.language, understood.text) == (language, text)


@pytest.mark.parametrize(("language", "text", "words"), REFUSED)
def test_instructions_of_the_table_are_refused_with_their_reason(language: str, text: str, words: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    assert words.removeprefix("refused; ") in str(refused.value.args[0]), language
    assert "Ask for" in refused.value.fix or "instructions" in refused.value.fix
    if "no words" in words:
        return
    assert refused.value.message
    assert len(refused.value.suggestions) == 2
    for suggestion in refused.value.suggestions:
        assert parse_instruction(suggestion).meaning, suggestion


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_word_that_leaves_out_beside_a_rank_leaves_the_rank_out_or_is_refused(code: str) -> None:
    language = get_language(code)
    words = language.instructions["words"]
    noun, every = language.targets["water"][0], words["all"][0]
    ranks = [form for forms in words["rank"].values() for form in forms]
    before = [*words.get("except", ()), *words.get("not", ()), *words.get("but", ()), *words.get("contrast", ())]
    after = [*words.get("except_after", ()), *words.get("not_after", ())]
    space = "" if code == "zh" else " "
    pairs = {*itertools.product(before, ranks[:1]), *itertools.product(before[:1], ranks)}
    texts = [space.join([every, noun, word, rank]) for word, rank in pairs]
    texts += [space.join([every, noun, ranks[0], word]) for word in after]
    assert len(texts) > 10
    misread = {}
    for text in texts:
        with contextlib.suppress(InstructionError):
            understood = parse_instruction(text)
            if any(isinstance(one, RankFilter) and one.inside for one in understood.filters):
                misread[text] = understood.meaning
    assert misread == {}


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST + 1), None, 7, b"water", ["water"]])
def test_what_is_no_text_of_usable_length_is_no_instruction(text: Any) -> None:
    with pytest.raises(InstructionError, match="1 to 2,000 characters"):
        parse_instruction(text)


@pytest.mark.parametrize("text", ["水をください", "νερό", "물", "ทะเล", "מים"])
def test_languages_that_are_not_spoken_are_refused(text: str) -> None:
    with pytest.raises(InstructionError, match=r"Not understood|no words that can be read"):
        parse_instruction(text)


def meanings(_code: str) -> list[tuple[tuple[str, ...], tuple[str, ...], tuple[Filter, ...]]]:
    """Return everything that can be meant, one filter at a time, and some of it together."""
    pairs = list(itertools.permutations(TARGETS, 2))
    many = (AreaFilter(">=", 1, "ha"), PlaceFilter("north"), NearFilter("road", 300.0), RankFilter("largest", 5))
    return [
        *(((target,), (), (one,)) for target in ("water", "road") for one in SIMPLE_FILTERS),
        *((("vegetation",), (), (NearFilter("road", m, within),)) for m in (500.0, 1500.0) for within in (True, False)),
        *(((a,), (), (NearFilter(b, 500.0),)) for a, b in pairs[::3]),
        *(((a, b), (), ()) for a, b in pairs[::2]),
        *(((a,), (b,), ()) for a, b in pairs[1::2]),
        *(((), (target,), (one,)) for target, one in zip(TARGETS, SIMPLE_FILTERS[::6], strict=False)),
        ((), ("water", "road"), ()),
        (("water", "snow"), ("building", "burn"), (AreaFilter("<", 3, "km2"),)),
        (("water",), (), many),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_what_is_said_back_means_the_same_again(code: str) -> None:
    for targets, excluded, filters in meanings(code):
        sentence = describe(get_language(code), targets, excluded, filters)
        again = parse_instruction(sentence)
        assert (again.targets, again.excluded, again.filters) == (targets, excluded, filters), sentence
        assert again.language == code, sentence
        assert again.meaning == sentence


def test_the_meaning_reads_as_a_sentence_and_names_narrower_words_and_mended_ones() -> None:
    understood = parse_instruction("Show me the forrests larger than 2 ha in the north-west")
    assert understood.narrower == {"forest": "vegetation"}
    assert understood.meaning == (
        "vegetation larger than 2 ha, in the north-west; “forest” is treated as vegetation; "
        "“forrests” was read as “forests”"
    )
    assert parse_instruction("Wälder").meaning == "Vegetation; „Wald“ zählt hier als Vegetation"


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("water larger than 2 acres", "larger than 2 acres (0.809 ha)"),
        ("water from 10 to 50 acres", "between 10 and 50 acres (4.05–20.2 ha)"),
        ("buildings of at least 2,000 sq ft", "of at least 2000 sq ft (186 m²)"),
        ("пруды больше 50 соток", "больше 50 соток (0,5 га)"),
        ("十亩以上的鱼塘", "面积不小于10亩（0.667公顷）"),
        ("trees within half a mile of roads", "within 0.5 mile (804.7 m) of roads"),
    ],
)
def test_the_unit_of_the_user_is_said_back_beside_a_metric_one(text: str, quantity: str) -> None:
    assert quantity in parse_instruction(text).meaning


def test_a_narrower_word_in_a_distance_is_named_too() -> None:
    assert parse_instruction("buildings within 500 m of the river").narrower == {"river": "water"}


def test_a_refusal_is_also_said_in_the_language_of_the_instruction() -> None:
    with pytest.raises(InstructionError, match=r"^Nicht verstanden: 'Blorf'\. Verstanden: Gewässer\."):
        parse_instruction("Wasser und Blorf")
    with pytest.raises(InstructionError, match=r"^„Schiffe“: Fahrzeuge bewegen sich"):
        parse_instruction("Wasser und Schiffe")
    with pytest.raises(InstructionError, match=r"^“船”: 车辆"):
        parse_instruction("水和船")


LOOKALIKES = ["mouse", "mice", "later", "drops", "horse", "horses", "glass", "waiter", "march", "steam", "toads"]


@pytest.mark.parametrize(
    "word", [*LOOKALIKES, "flower", "lover", "loads", "cakes", "frees", "rooms", "crows", "panels"]
)
def test_ordinary_words_are_not_mended_into_land_covers(word: str) -> None:
    with pytest.raises(InstructionError, match=word):
        parse_instruction(f"show me the {word}")


@pytest.mark.parametrize(
    ("typed", "target"), [("buldings", "building"), ("vegetaton", "vegetation"), ("setlements", "built_up")]
)
def test_typing_errors_are_mended_and_said(typed: str, target: str) -> None:
    understood = parse_instruction(f"all {typed}")
    assert understood.targets == (target,)
    assert typed in understood.meaning


def test_short_words_and_first_letters_are_not_mended() -> None:
    lexicon = get_lexicon("en")
    assert lexicon.mend("lkae") is None
    assert lexicon.mend("xorest") is None
    assert lexicon.mend("foerst") == "forest"


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_usual_name_of_a_target_is_understood_as_it(code: str) -> None:
    for target, names in get_language(code).targets.items():
        for name in names:
            senses = [token.sense for token in read_text(name, code).tokens]
            assert [(s.kind, s.value) for s in senses] == [("target", target)], name


@pytest.mark.parametrize("code", LANGUAGES)
def test_all_languages_have_the_same_phrases(code: str) -> None:
    english, other = get_language("en").instructions, get_language(code).instructions
    assert english["phrases"].keys() == other["phrases"].keys()
    assert english["words"]["place"].keys() == other["words"]["place"].keys() == set(PLACES)


@given(st.text(max_size=80))
def test_any_text_is_understood_or_refused_and_never_breaks(text: str) -> None:
    try:
        understood = parse_instruction(text)
    except InstructionError:
        return
    assert understood.targets or understood.excluded


@pytest.mark.slow
@given(st.lists(st.sampled_from(sorted(get_lexicon("en").vocabulary)), min_size=1, max_size=9))
def test_any_english_words_are_understood_or_refused(words: list[str]) -> None:
    try:
        understood = parse_instruction(" ".join(words))
    except InstructionError:
        return
    again = describe(get_language(understood.language), understood.targets, understood.excluded, understood.filters)
    assert parse_instruction(again).filters == understood.filters


def test_an_unknown_language_has_no_lexicon() -> None:
    with pytest.raises(LanguageError, match="one of en"):
        get_lexicon("xx")


@pytest.mark.parametrize(
    ("text", "square_metres"),
    [
        ("面积大于5亩的湖泊", 5 * 2000 / 3),
        ("面积大于2平方英里的湖泊", 2 * 2_589_988.110336),
        ("lakes larger than 1 square mile", 2_589_988.110336),
        ("ponds of at least 500 sq ft", 500 * 0.09290304),
        ("Seen größer als 2 Quadratmeilen", 2 * 2_589_988.110336),
        ("lagos de más de 3 millas cuadradas", 3 * 2_589_988.110336),
    ],
)
def test_customary_units_of_areas(text: str, square_metres: float) -> None:
    (area,) = parse_instruction(text).filters
    assert area.unit == "m2"
    assert area.amount == pytest.approx(square_metres, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "metres"), [("lakes within 1 mile of roads", 1609.344), ("lakes within 300 feet of roads", 91.44)]
)
def test_customary_units_of_lengths(text: str, metres: float) -> None:
    (near,) = parse_instruction(text).filters
    assert near.distance_m == pytest.approx(metres, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["بحيرات أكبر من 5 قيراط", "lakes larger than 3 furlongs", "lakes larger than 4 bigha"]
)
def test_an_unknown_unit_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    assert refused.value.problem.startswith("The unit ")
    assert refused.value.suggestions


def test_an_unknown_word_after_a_mere_number_is_no_unit() -> None:
    with pytest.raises(InstructionError, match="Not understood: 'mauve'"):
        parse_instruction("3 mauve lakes")


@pytest.mark.parametrize(
    ("text", "hectares"),
    [
        ("lakes smaller than half a hectare", 0.5),
        ("lakes smaller than one half hectare", 0.5),
        ("lakes smaller than two and a half hectares", 2.5),
        ("lakes smaller than three quarters of a hectare", 0.75),
        ("lakes smaller than two hundred and fifty hectares", 250),
        ("lakes smaller than 2 thousand hectares", 2000),
        ("Seen unter einem halben Hektar", 0.5),
        ("Seen unter eineinhalb Hektar", 1.5),
        ("Seen unter zweihunderteinundzwanzig Hektar", 221),
        ("lacs de moins d'un demi-hectare", 0.5),
        ("lacs de moins d'un hectare et demi", 1.5),
        ("lacs de moins de quatre-vingt-dix-sept hectares", 97),
        ("lagos de menos de media hectárea", 0.5),
        ("lagos de menos de dos hectáreas y media", 2.5),
        ("lagos de menos de ciento veinticinco hectáreas", 125),
        ("lagos com menos de meio hectare", 0.5),
        ("lagos com menos de vinte e cinco hectares", 25),
        ("озёра меньше полгектара", 0.5),
        ("озёра меньше полутора гектаров", 1.5),
        ("озёра меньше двух с половиной гектаров", 2.5),
        ("озёра меньше трёхсот сорока га", 340),
        ("小于半公顷的湖", 0.5),
        ("小于两公顷半的湖", 2.5),
        ("小于三千五百公顷的湖", 3500),
        ("小于一万二千公顷的湖", 12000),
        ("بحيرات أصغر من نصف هكتار", 0.5),
        ("بحيرات أصغر من هكتار ونصف", 1.5),
        ("بحيرات أصغر من هكتارين", 2),
        ("بحيرات أصغر من خمسة وعشرين هكتارا", 25),
        ("आधे हेक्टेयर से छोटी झीलें", 0.5),
        ("डेढ़ हेक्टेयर से छोटी झीलें", 1.5),
        ("साढ़े तीन हेक्टेयर से छोटी झीलें", 3.5),
        ("एक लाख हेक्टेयर से छोटी झीलें", 100_000),
    ],
)
def test_numbers_are_read_in_words(text: str, hectares: float) -> None:
    assert parse_instruction(text).filters == (AreaFilter("<", hectares, "ha"),)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("lakes between one and five hectares", 1, 5),
        ("Seen zwischen einem und fünf Hektar", 1, 5),
        ("lagos entre una y veinte hectáreas", 1, 20),
        ("بحيرات بين خمسة وعشرين هكتارا", 5, 20),
        ("lakes of about 5 ha", 4, 6),
        ("Seen von gut 5 ha", 5, 6),
        ("5公顷左右的湖", 4, 6),
    ],
)
def test_ranges_and_approximate_amounts(text: str, low: float, high: float) -> None:
    assert parse_instruction(text).filters == (AreaFilter(">=", low, "ha"), AreaFilter("<=", high, "ha"))


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("How many lakes are there?", "count"),
        ("Wie groß ist der größte See?", "area"),
        ("quel pourcentage de l'image est de la neige ?", "share"),
        ("donde hay agua", "place"),
        ("há neve?", "presence"),
        ("Сколько гектаров леса?", "area"),
        ("图里有几个湖？", "count"),
        ("كم بحيرة في الصورة؟", "count"),
        ("जंगल कितने प्रतिशत है?", "share"),
        ("lakes", ""),
    ],
)
def test_questions_are_part_of_the_meaning(text: str, question: str) -> None:
    assert parse_instruction(text).question == question


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("forest west of the river", "vegetation; west of water"),
        ("le bois au nord de la route", "vegetation; north of road"),
        ("公路以南的农田", "vegetation; south of road"),
        ("नदी के उत्तर में जंगल", "vegetation; north of water"),
        ("meadows between the road and the lake", "vegetation; between road and water"),
        ("नदी और सड़क के बीच के खेत", "vegetation; between water and road"),
        ("árboles a lo largo del río", "vegetation; beside water"),
        ("прибрежная растительность", "vegetation; beside water"),
        ("houses not next to a road", "building; not beside road"),
        ("城市里的树", "vegetation; within built_up"),
        ("the second largest lake", "water; largest number 2"),
        ("der längste Fluss", "water; longest 1"),
        ("Wald am Fluss", "vegetation; beside water"),
        ("Häuser an der Straße", "building; beside road"),
        ("Wald an einem See", "vegetation; beside water"),
        ("Bäume in der Stadt", "vegetation; within built_up"),
        ("غابات عند البحيرة", "vegetation; beside water"),
        ("the longest road", "road; longest 1"),
        ("forests and the 3 largest lakes", "vegetation+water; water alone: largest 3"),
        ("lakes at the edge of the scene", "water; touching"),
    ],
)
def test_relations_and_parts(text: str, meaning: str) -> None:
    assert meaning_of(parse_instruction(text)) == meaning


def test_lakes_are_compact_rivers_are_elongated_and_water_is_any() -> None:
    shapes = {text: parse_instruction(text).own_filters for text in ("lakes", "rivers", "water", "lakes and rivers")}
    assert shapes["lakes"] == {"water": (ShapeFilter("compact"),)}
    for still_water in ("lagoons", "extrae las lagunas", "Lagunen", "étangs", "池塘"):
        assert parse_instruction(still_water).own_filters == shapes["lakes"], still_water
    assert shapes["rivers"] == {"water": (ShapeFilter("elongated"),)}
    assert shapes["water"] == shapes["lakes and rivers"] == {}
    assert "rivers, which are long" in parse_instruction("lakes").meaning


def test_words_without_a_part_in_the_meaning_are_set_aside_and_said() -> None:
    understood = parse_instruction("Hi, I'm a planner at the county and I need all the lakes larger than 2 ha")
    assert understood.set_aside == ("planner", "county")
    assert "“planner” was set aside; “county” was set aside" in understood.meaning
    for text in ("polluted lakes", "fish in the lakes", "the temperature of the lake", "lakes for swimming"):
        with pytest.raises(InstructionError):
            parse_instruction(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Was hat sich seit 2018 verändert?", "Für Veränderungen wird eine zweite Szene gebraucht"),
        ("forest lost since 2010", "change needs a second scene"),
        ("5 बीघा से बड़े तालाब", "हर राज्य में अलग"),
        ("nubes y sombras", "clouds=True"),
        ("count the cars in the parking lot", "Vehicles move"),
        ("lakes larger than 5 alqueires", "differs from place to place"),
    ],
)
def test_refusals_say_what_to_do_in_the_language_of_the_user(text: str, sentence: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    assert sentence in refused.value.message
    assert all(parse_instruction(suggestion) for suggestion in refused.value.suggestions)


def test_a_narrower_word_means_the_narrowest_target_that_a_model_answers() -> None:
    assert parse_instruction("forest").targets == ("vegetation",)
    assert parse_instruction("forest", targets=["tree_cover"]).targets == ("tree_cover",)
    assert parse_instruction("trees but not crops", targets=["tree_cover", "low_vegetation"]).excluded
    with pytest.raises(InstructionError, match="asked for and left out"):
        parse_instruction("trees but not crops")
