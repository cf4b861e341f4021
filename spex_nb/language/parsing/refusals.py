"""Refusals: sentences in the user's language, with instructions that would work. Programs read the English fields."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import get_concept, refusal_text
from spex_nb.language.languages import Language
from spex_nb.language.parsing.grammar import Mention, Statement
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.language.parsing.tokens import Token
from spex_nb.types import AdjacentFilter, AreaFilter, EnclosedFilter, Filter, NearFilter, PlaceFilter, RankFilter
from spex_nb.types.targets import TARGETS

ASK = "Ask for {targets}, as in 'lakes larger than 2 ha in the north-west' or 'everything except water'.".format(
    targets=", ".join(target.word for target in TARGETS.values())
)
_BY_SIZE: tuple[tuple[Filter, ...], ...] = ((AreaFilter(">", 2, "ha"),), (RankFilter("largest", 3),))
_IN_PLACE: tuple[tuple[Filter, ...], ...] = ((PlaceFilter("north"),), (PlaceFilter("top-left"),))
_AREA = "an area or a rank: 'larger than 2 ha', 'the 3 largest'"
_BESIDE = "a side of it, 'within 500 m of roads', or a place in the scene"
_ENGLISH = {
    "unknown": ("Not understood: {words}", "only words that the parser knows"),
    "unit": ("The unit is not known: {words}", "{units}"),
    "unit_varies": ("The unit differs from place to place: {words}", "{units}"),
    "vague": ("A size without a number has no exact meaning", _AREA),
    "far": ("Distance without a number has no exact meaning", "a distance: 'more than 500 m from roads'"),
    "alone": ("More than one land cover is asked for, and one is named", "the others as well"),
    "became": (
        "What became of one land cover is not compared",
        "two questions: what was gained of one, and what was lost of the other",
    ),
    "near": ("Nearness without a distance has no exact meaning", "a distance: 'within 500 m of roads', or 'next to'"),
    "number": ("A number stands alone", "a number with its unit or rank: 'larger than 2 ha', 'the 3 largest'"),
    "bare_unit": ("An area is compared with nothing", "a comparison: 'larger than 2 ha', 'at most 500 m2'"),
    "length": ("A length says nothing of an area", "an area, or a distance to another target: 'within 500 m of roads'"),
    "minus": ("An amount is negative", "an amount above zero"),
    "asked_length": (
        "Lengths and widths are not measured",
        "an area or a rank: 'how large is the lake?', 'the longest river'",
    ),
    "amount": ("An amount makes no sense", "an amount above zero, and whole where regions are counted"),
    "no_count": ("It is not clear how many are meant", "a number: 'the 3 largest lakes', or 'the largest lake'"),
    "share": ("A share of the scene is no filter", "an area in m2, ha, km2 or px"),
    "choice": ("It is not clear which of them are meant", "a size, a place or a rank: 'the 3 largest'"),
    "top": ("'top' may mean the place or the size", "'the 5 largest lakes', or 'lakes at the top'"),
    "place": ("Only sides have halves, only corners have quarters", "'northern half', 'north-west quarter', 'centre'"),
    "part": ("A part of another land cover, or a place beside it, is no filter", _BESIDE),
    "relative": ("A place behind or before another land cover is no filter", _BESIDE),
    "except": ("Only land covers can be left out", "'everything except water', or a filter with 'not'"),
    "scope": (
        "It is not clear which land covers this holds for",
        "filters that hold for all land covers, before the first or after the last of them",
    ),
    "links": ("It is not clear how these land covers belong together", "a list: 'water and vegetation'"),
    "both": (
        "The same land cover is asked for and left out (narrower words are answered by their land cover)",
        "different land covers",
    ),
    "everything": ("Everything is asked for, and something in particular", "one of both"),
    "none": ("No land cover is asked for", "one"),
    "beside": ("No land cover is asked for, only a place beside one", "one"),
    "contrast": (
        "{words} may mean 'except' or 'only'",
        "'everything except water', 'lakes, but not in the north', or 'lakes, but only in the north'",
    ),
    "or": ("Only land covers can be joined by 'or'", "filters that all hold"),
    "twice": ("Two filters of one kind", "one, such as 'in the north-west'"),
    "questions": ("Two questions are asked", "one question at a time"),
    "impossible": ("No region can meet these filters together", "a lower bound below the upper one"),
    "itself": ("A land cover is always near itself", "a distance to another one"),
    "rank": ("A rank cannot be left out like this", "'all lakes except the largest'"),
    "change": (
        "Change needs two scenes",
        "two scenes of different dates: compare(before, after, targets), or spex compare",
    ),
    "time": ("A scene shows one moment", "the scene of the date that is meant"),
    "fit": ("These words fit nowhere in the sentence", "one land cover or several, then what they must meet"),
}
"""By the name of a problem: what is wrong, and what is expected."""
_SAID_AS = {"far": "near", "minus": "amount", "or": "links", "questions": "twice", "rank": "except", "beside": "none"}
"""Problems that the user's language says in the words of another one."""
_QUOTATION = re.compile(r"(\S\s?)\{typed\}(\s?\S)")
"""The quotation marks of a language, as its sentence about typing errors has them."""
_FIX = {
    "scope": "Put it first ('in the north, everything except water'), or ask in two instructions.",
    "links": "Ask for one of them, or join them by 'and'.",
}


def refusal(
    reading: Reading,
    problem: str,
    words: str,
    statements: Sequence[Statement] = (),
    understood: str = "",
    instead: Sequence[str] = (),
) -> InstructionError:
    """Return the error for a problem.

    Args:
        reading: The text as it was read.
        problem: The name of the problem.
        words: The words at fault, as typed.
        statements: What was understood, for suggestions.
        understood: The meaning of all other words, if they have one.
        instead: Instructions to suggest; by default those nearest to what was understood.
    """
    units = known_units(reading.language)
    reason, expected = (text.format(words=words, units=units) for text in _ENGLISH[problem])
    suggestions = tuple(instead) or suggest(problem, statements, reading.language, understood)
    name = _SAID_AS.get(problem, problem)
    message = _message(
        reading.language, reading.language.instructions["refusals"][name], words, suggestions, understood
    )
    fix = _FIX.get(problem, ASK)
    return InstructionError(reason, found=words, expected=expected, fix=fix, message=message, suggestions=suggestions)


def concept_refusal(reading: Reading, token: Token) -> InstructionError:
    """Return the error for something that nothing can extract, such as cars: why, and what to ask for instead."""
    concept, language = get_concept(token.sense.value), reading.language
    suggestions = suggest("concept", (), language, instead=[name for name in concept.instead if name in TARGETS])
    reason = refusal_text(concept, language.code)
    message = _sentences(language, (f"{quoted(token.text, language)}: {reason}", _try(language, suggestions)))
    return InstructionError(
        f"This cannot be extracted: '{token.text}'",
        found=token.text,
        expected=refusal_text(concept, "en"),
        fix=ASK,
        message=message,
        suggestions=suggestions,
    )


def suggest(
    problem: str, statements: Sequence[Statement], language: Language, understood: str = "", instead: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return two instructions in a language that would work, nearest to what was asked for.

    Args:
        problem: The name of the problem.
        statements: What was understood.
        language: The language.
        understood: The meaning of all words but those at fault.
        instead: Targets to ask for instead.
    """
    wanted = [s.meaning.token.sense.value for s in statements if isinstance(s.meaning, Mention)]
    targets = list(dict.fromkeys((*instead, *wanted, "water", "vegetation")))
    first, second = targets[0], targets[1]
    options: list[tuple[list[str], tuple[Filter, ...]]] = [([first], filters) for filters in _filters(problem, second)]
    if problem in ("links", "both", "everything", "unknown", "concept", "or") and len(wanted) + len(instead) != 1:
        options = [([first, second], ()), ([first], (EnclosedFilter(second),))] if problem == "links" else []
        options = options or [([first], ()), ([second], ())]
    texts = [understood, *(describe(language, names, (), filters) for names, filters in options)]
    if problem == "asked_length":
        texts = [
            describe(language, [first], question="area"),
            describe(language, [first], (), (RankFilter("longest"),)),
        ]
    return tuple(dict.fromkeys(filter(None, texts)))[:2]


def known_units(language: Language) -> str:
    """Return the units of area and length that a language knows, by their first names."""
    words = language.instructions["words"]
    customary = [forms[0] for kind in ("unit", "length") for forms in words.get(kind, {}).values() if forms]
    metric = [forms[0] for name, forms in language.units.items() if name != "percent"]
    return ", ".join(dict.fromkeys((*metric, *customary)))


def _filters(problem: str, other: str) -> tuple[tuple[Filter, ...], ...]:
    if problem == "near":
        return (NearFilter(other, 500),), (AdjacentFilter(other),)
    if problem == "far":
        return (NearFilter(other, 500, within=False),), (AdjacentFilter(other, inside=False),)
    if problem in ("place", "part", "relative", "twice", "beside"):
        return _IN_PLACE
    if problem in ("unit", "unit_varies"):
        return (AreaFilter(">", 2, "ha"),), (AreaFilter(">", 5000, "m2"),)
    if problem in ("unknown", "change", "time", "none", "concept", "fit"):
        return (), (AreaFilter(">", 2, "ha"),)
    return _BY_SIZE


def _message(language: Language, sentence: str, words: str, suggestions: Sequence[str], understood: str) -> str:
    phrases = language.instructions["refusals"]
    parts = [
        sentence.format(words=quoted(words, language) if words else "", units=known_units(language)),
        _repeated(phrases["understood"], understood),
        _try(language, [suggestion for suggestion in suggestions if suggestion != understood]),
    ]
    return _sentences(language, parts)


def _repeated(sentence: str, understood: str) -> str:
    """Return what was understood as a sentence; a question needs no full stop."""
    if not understood:
        return ""
    text = sentence.format(understood)
    return text[:-1] if understood[-1] in "?？؟" else text


def _sentences(language: Language, parts: Sequence[str]) -> str:
    return ("" if language.code == "zh" else " ").join(filter(None, parts))


def _try(language: Language, suggestions: Sequence[str]) -> str:
    sentence: str = language.instructions["refusals"]["try"]
    return sentence.format(" / ".join(quoted(suggestion, language) for suggestion in suggestions))


def quoted(words: str, language: Language) -> str:
    """Put words into the quotation marks of a language, unless they are in quotation marks already."""
    if words.startswith("'"):
        return words
    marks = _QUOTATION.search(language.instructions["phrases"]["mended"])
    assert marks is not None
    return f"{marks[1]}{words}{marks[2]}"
