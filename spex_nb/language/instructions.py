"""What a user types, understood: targets, exclusions and filters, in nine languages. Nothing is guessed silently."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from spex_nb.errors import InstructionError
from spex_nb.language.grammar import Everything, Fault, Mention, Statement, parse_tokens
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.language.lexicon import Reading, Token, join_words, read_text
from spex_nb.language.paraphrase import describe, describe_filter, refuse
from spex_nb.targets import TARGETS
from spex_nb.types import (
    SQUARE_METRES,
    AreaFilter,
    DrawnFilter,
    EdgeFilter,
    Filter,
    Instruction,
    NearFilter,
    PlaceFilter,
    RankFilter,
)

LONGEST = 2_000
"""Characters: far above any instruction, and below what takes long to read."""
_SCRIPTS = {"ar": "ARABIC", "hi": "DEVANAGARI", "ru": "CYRILLIC", "zh": "CJK"}
_SEPARATORS = frozenset({"and", "or", "comma"})
_BETWEEN_TARGETS = _SEPARATORS | {"of", "all", "but"}
_ASK = "Ask for {targets}, as in 'lakes larger than 2 ha in the north-west' or 'everything except water'.".format(
    targets=", ".join(target.word for target in TARGETS.values())
)
_FAULTS = {
    "vague": ("A size without a number has no exact meaning", "an area or a rank: 'larger than 2 ha', 'the 3 largest'"),
    "near": ("Nearness without a distance has no exact meaning", "a distance: 'within 500 m of roads'"),
    "number": ("A number stands alone", "a number with its unit or rank: 'larger than 2 ha', 'the 3 largest'"),
    "unit": ("An area is compared with nothing", "a comparison: 'larger than 2 ha', 'at most 500 m2'"),
    "length": ("A length says nothing of an area", "an area, or a distance to another target: 'within 500 m of roads'"),
    "minus": ("An amount is negative", "an amount above zero"),
    "no amount": ("An amount makes no sense", "an amount above zero, and whole where regions are counted"),
    "no count": ("It is not said how many", "a number: 'the 3 largest lakes', or 'the largest lake'"),
    "share": ("A share of the scene is no filter", "an area in m2, ha, km2 or px"),
    "top": ("Is it the place or the size that is meant?", "'the 5 largest lakes', or 'lakes at the top'"),
    "place": ("Only sides have halves, only corners have quarters", "'northern half', 'north-west quarter', 'centre'"),
    "relative": ("A place beside another land cover is no filter", "a place in the scene, or 'within 500 m of roads'"),
    "relation": ("A place beside another land cover is no filter", "a place in the scene, or 'within 500 m of roads'"),
}
_NO_FIT = ("These words fit nowhere in the sentence", "one land cover or several, then what they must meet")


def parse_instruction(text: str) -> Instruction:
    """Understand what a user typed.

    The language is the one whose words fit best. Words of a closed list say nothing ("please", "show me"); every
    other word must have its place in the meaning, or the instruction is refused. Filters hold for all targets
    together. Distances include their bound: "closer than 500 m" is "within 500 m".

    Args:
        text: An instruction in Arabic, Chinese, English, French, German, Hindi, Portuguese, Russian or Spanish.

    Returns:
        Its meaning; `Instruction.meaning` says it back, with narrower words and mended typing errors.

    Raises:
        InstructionError: If any of it is not understood, contradicts itself, or asks for what cannot be extracted.
    """
    _require_text(text)
    reading = min(_readings(text), key=lambda reading: reading.cost)
    _require_known(reading)
    statements = parse_tokens(reading.tokens, reading.language.instructions["relations"])
    for check in (_require_sense, _require_one_scope, _require_links, _require_targets, _require_counts):
        check(statements, reading)
    return _instruction(text, statements, reading)


def _readings(text: str) -> list[Reading]:
    """Read a text in every language of its scripts."""
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in unicodedata.normalize("NFKC", text)}
    codes = [code for code in LANGUAGES if _SCRIPTS.get(code, "LATIN") in scripts]
    if not codes:
        raise InstructionError(
            "There are no words that can be read",
            found=repr(text),
            expected=f"an instruction in {', '.join(get_language(code).endonym for code in LANGUAGES)}",
            fix=_ASK,
        )
    return [read_text(text, code) for code in codes]


def _instruction(text: str, statements: Sequence[Statement], reading: Reading) -> Instruction:
    mentions = [s.said for s in statements if isinstance(s.said, Mention)]
    targets = tuple(dict.fromkeys(m.token.sense.value for m in mentions if not m.excluded))
    excluded = tuple(dict.fromkeys(m.token.sense.value for m in mentions if m.excluded))
    filters = tuple(dict.fromkeys(one for _, one in _filters(statements)))
    _require_possible(targets, filters, reading)
    senses = [token.sense for token in reading.tokens]
    narrower = {sense.lemma: sense.value for sense in senses if sense.lemma}
    meaning = describe(reading.language, targets, excluded, filters, narrower=narrower, mended=reading.mended)
    return Instruction(text, reading.language.code, targets, excluded, filters, narrower, meaning)


def _filters(statements: Sequence[Statement]) -> Iterator[tuple[int, Filter]]:
    """Yield each filter and the place of its statement."""
    for i, statement in enumerate(statements):
        if not isinstance(statement.said, Mention | Everything | Fault | Token):
            yield i, statement.said


def _asked(statements: Sequence[Statement]) -> list[int]:
    """Return the places of the targets asked for."""
    return [i for i, s in enumerate(statements) if isinstance(s.said, Mention) and not s.said.excluded]


def _require_text(text: object) -> None:
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise InstructionError(
            "This is no instruction",
            found=f"{len(text)} characters" if isinstance(text, str) else type(text).__name__,
            expected=f"a text of 1 to {LONGEST:,} characters",
            fix=_ASK,
        )


def _require_known(reading: Reading) -> None:
    if reading.unknown:
        words = ", ".join(f"'{word}'" for word in reading.unknown)
        raise _refusal(reading, f"Not understood: {words}", words, "only words that are known here")


def _require_sense(statements: Sequence[Statement], reading: Reading) -> None:
    for statement in statements:
        if isinstance(statement.said, Fault):
            problem, expected = _FAULTS.get(statement.said.problem, _NO_FIT)
            raise _refusal(reading, problem, _words(statement), expected)


def _require_one_scope(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse filters that may hold for some of the targets only."""
    asked = _asked(statements)
    for i, said in _filters(statements):
        before = [s.said for s in statements[:i] if isinstance(s.said, Mention | Everything)]
        after = [s.said for s in statements[i:] if isinstance(s.said, Everything)]
        follows_exclusion = bool(before) and isinstance(before[-1], Mention) and before[-1].excluded
        is_parted = any("comma" in _kinds(s) for s in statements[max(0, i - 2) : i])
        is_last = not after and all(place < i for place in asked)
        follows_goal = i > 0 and isinstance(statements[i - 1].said, NearFilter) and not isinstance(said, NearFilter)
        is_between = bool(asked) and asked[0] < i < asked[-1]
        if is_between or (follows_exclusion and is_last and not is_parted) or follows_goal:
            raise _refusal(
                reading,
                "It is not clear which land covers this holds for",
                _words(statements[i]),
                "filters that hold for all land covers, before the first or after the last of them",
                "Put it first ('in the north, everything except water'), or ask in two instructions.",
            )


def _require_links(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse land covers that are not simply listed, such as trees in the city, and filters to choose among."""
    asked = _asked(statements)
    for first, second in pairwise(asked):
        between = [kind for s in statements[first + 1 : second] if isinstance(s.said, Token) for kind in _kinds(s)]
        kinds = set(between) if "scene" not in between else _SEPARATORS & set(between)
        same = _target(statements[first]) == _target(statements[second])
        if not kinds <= _BETWEEN_TARGETS or not (same or kinds & _SEPARATORS):
            raise _refusal(
                reading,
                "It is not clear how these land covers belong together",
                join_words([_words(statements[first]), *between, _words(statements[second])]),
                "a list: 'water and vegetation'",
                "Ask for one of them, or join them by 'and'.",
            )
    for i, statement in enumerate(statements):
        if _kinds(statement) == ["or"] and not (any(place < i for place in asked) and i + 1 in asked):
            raise _refusal(
                reading, "Only land covers can be joined by 'or'", _words(statement), "filters that all hold"
            )


def _require_targets(statements: Sequence[Statement], reading: Reading) -> None:
    said = [s.said for s in statements]
    asked = {m.token.sense.value for m in said if isinstance(m, Mention) and not m.excluded}
    excluded = {m.token.sense.value for m in said if isinstance(m, Mention) and m.excluded}
    names_all = any("everything" in _kinds(s) for s in statements)
    weak = names_all or any("all" in _kinds(s) for s in statements)
    if asked & excluded:
        problem = "The same land cover is asked for and left out (narrower words are answered by their land cover)"
        raise _refusal(reading, problem, ", ".join(sorted(asked & excluded)), "different land covers")
    if asked and names_all:
        raise _refusal(reading, "Everything is asked for, and something in particular", ", ".join(asked), "one of both")
    if not asked and not (excluded and weak):
        raise _refusal(reading, "No land cover is asked for", repr(join_words([_words(s) for s in statements])), "one")


def _require_counts(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "the largest lakes": how many?"""
    kept = [s for s in statements if _kinds(s) != ["of"]]
    names_all = any({"all", "everything"} & set(_kinds(s)) for s in statements)
    for but, rank in pairwise(kept):
        if names_all and _kinds(but) == ["but"] and isinstance(rank.said, RankFilter):
            raise _refusal(reading, "A rank cannot be left out", _words(rank), "'the 3 largest lakes'")
    for rank, other in [*pairwise(kept), *pairwise(reversed(kept))]:
        several = isinstance(other.said, Mention) and other.said.token.sense.plural
        if isinstance(rank.said, RankFilter) and several and "number" not in _kinds(rank):
            problem, expected = _FAULTS["no count"]
            raise _refusal(reading, problem, _words(rank), expected)


def _require_possible(targets: Sequence[str], filters: Sequence[Filter], reading: Reading) -> None:
    """Refuse filters that contradict each other, or that one alone can decide."""
    for kind in (RankFilter, PlaceFilter, DrawnFilter, EdgeFilter):
        if sum(isinstance(one, kind) for one in filters) > 1:
            meant = "; ".join(_said_back([one for one in filters if isinstance(one, kind)], reading))
            raise _refusal(reading, "Two filters of one kind", meant, "one, such as 'in the north-west'")
    areas = [one for one in filters if isinstance(one, AreaFilter)]
    near = [one for one in filters if isinstance(one, NearFilter)]
    if any(_exclude(low, high) for low in areas for high in areas) or any(
        a.target == b.target and a.within and not b.within and a.distance_m <= b.distance_m for a in near for b in near
    ):
        meant = ", ".join(_said_back([*areas, *near], reading))
        raise _refusal(reading, "No region can meet these filters together", meant, "a lower bound below the upper one")
    if any(one.target in targets for one in near):
        raise _refusal(reading, "A land cover is always near itself", ", ".join(targets), "a distance to another one")


def _exclude(low: AreaFilter, high: AreaFilter) -> bool:
    """Say whether nothing is above one bound and below the other."""
    if low.comparison[0] != ">" or high.comparison[0] != "<" or (low.unit == "px") != (high.unit == "px"):
        return False
    least, most = (one.amount * SQUARE_METRES.get(one.unit, 1) for one in (low, high))
    return least > most or (least == most and low.comparison + high.comparison != ">=<=")


def _said_back(filters: Sequence[Filter], reading: Reading) -> list[str]:
    return [describe_filter(one, reading.language) for one in filters]


def _target_token(statement: Statement) -> Token:
    assert isinstance(statement.said, Mention)
    return statement.said.token


def _target(statement: Statement) -> object:
    return _target_token(statement).sense.value


def _kinds(statement: Statement) -> list[str]:
    return [token.sense.kind for token in statement.tokens]


def _words(statement: Statement) -> str:
    return join_words([token.text for token in statement.tokens])


def _refusal(reading: Reading, problem: str, words: str, expected: str, fix: str = _ASK) -> InstructionError:
    """Return the error in English, with a sentence in the user's language where that is another one."""
    language = reading.language
    is_recognised = any(token.sense.kind not in ("unknown", "number", "comma") for token in reading.tokens)
    also = "" if language.code == "en" or not is_recognised else f" {refuse(language, words)}"
    return InstructionError(problem, found=words, expected=expected, fix=fix + also)
