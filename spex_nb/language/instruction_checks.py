"""Checks of a parsed instruction: the parser refuses what it does not know, and what has two meanings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

from spex_nb.errors import InstructionError
from spex_nb.language.grammar import Everything, Fault, Mention, Statement, filters_in
from spex_nb.language.lexicon import Reading, Token, join_words
from spex_nb.language.paraphrase import describe_filter, refuse
from spex_nb.targets import TARGETS
from spex_nb.types import (
    SQUARE_METRES,
    AreaFilter,
    DrawnFilter,
    EdgeFilter,
    Filter,
    NearFilter,
    PlaceFilter,
    RankFilter,
)

_SEPARATORS = frozenset({"and", "or", "comma"})
_BETWEEN_TARGETS = _SEPARATORS | {"of", "all", "but", "contrast"}
_LINKING = _SEPARATORS | {"of", "all", "article", "particle"}
_EXCLUDING = frozenset({"except", "except_after", "not", "not_after"})
ASK = "Ask for {targets}, as in 'lakes larger than 2 ha in the north-west' or 'everything except water'.".format(
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
    "no count": ("It is not clear how many are meant", "a number: 'the 3 largest lakes', or 'the largest lake'"),
    "share": ("A share of the scene is no filter", "an area in m2, ha, km2 or px"),
    "top": ("'top' may mean the place or the size", "'the 5 largest lakes', or 'lakes at the top'"),
    "place": ("Only sides have halves, only corners have quarters", "'northern half', 'north-west quarter', 'centre'"),
    "relative": ("A place beside another land cover is no filter", "a place in the scene, or 'within 500 m of roads'"),
    "except": ("Only land covers can be left out", "'everything except water', or a filter with 'not'"),
    "except_after": ("Only land covers can be left out", "'everything except water', or a filter with 'not'"),
    "relation": ("A place beside another land cover is no filter", "a place in the scene, or 'within 500 m of roads'"),
}
_NO_FIT = ("These words fit nowhere in the sentence", "one land cover or several, then what they must meet")
KNOWN_UNITS = (
    "m², ha, km², acres, square miles, square feet, mu (亩) or px for areas; m, km, miles or feet for distances"
)


def require_known(reading: Reading) -> None:
    """Refuse units and words that the language does not have.

    Raises:
        InstructionError: With these units or words.
    """
    units = _unknown_units(reading)
    if units:
        words = ", ".join(f"'{unit}'" for unit in units)
        raise _refusal(reading, f"The unit is not known: {words}", words, KNOWN_UNITS)
    if reading.unknown:
        words = ", ".join(f"'{word}'" for word in reading.unknown)
        raise _refusal(reading, f"Not understood: {words}", words, "only words that the parser knows")


def _unknown_units(reading: Reading) -> list[str]:
    """Return unknown words that stand where a unit would: after a number that a comparison or distance precedes."""
    kinds = [token.sense.kind for token in reading.tokens]
    places = range(2, len(kinds))
    return [
        reading.tokens[i].text
        for i in places
        if kinds[i] == "unknown" and kinds[i - 1] == "number" and kinds[i - 2] in ("compare", "within", "to", "between")
    ]


def require_clear(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse statements that are ambiguous, contradict each other, or ask for what no filter can do.

    Raises:
        InstructionError: With the words that are at fault.
    """
    for require in _REQUIREMENTS:
        require(statements, reading)


def _wanted_places(statements: Sequence[Statement]) -> list[int]:
    """Return the places of the statements that ask for a target."""
    return [i for i, s in enumerate(statements) if isinstance(s.meaning, Mention) and not s.meaning.excluded]


def _require_sense(statements: Sequence[Statement], reading: Reading) -> None:
    for statement in statements:
        if isinstance(statement.meaning, Fault):
            problem, expected = _FAULTS.get(statement.meaning.problem, _NO_FIT)
            raise _refusal(reading, problem, _words(statement), expected)


def _require_one_scope(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse filters that may hold for some of the targets only."""
    for place, _ in filters_in(statements):
        if _has_unclear_scope(statements, place):
            raise _refusal(
                reading,
                "It is not clear which land covers this holds for",
                _words(statements[place]),
                "filters that hold for all land covers, before the first or after the last of them",
                "Put it first ('in the north, everything except water'), or ask in two instructions.",
            )


def _has_unclear_scope(statements: Sequence[Statement], place: int) -> bool:
    """Say whether a filter stands between targets, right after an exclusion, or after the goal of a distance."""
    wanted = _wanted_places(statements)
    if wanted and wanted[0] < place < wanted[-1]:
        return True
    follows_goal = place > 0 and isinstance(statements[place - 1].meaning, NearFilter)
    if follows_goal and not isinstance(statements[place].meaning, NearFilter):
        return True
    before = [s.meaning for s in statements[:place] if isinstance(s.meaning, Mention | Everything)]
    follows_exclusion = bool(before) and isinstance(before[-1], Mention) and before[-1].excluded
    is_parted = any("comma" in _kinds(s) for s in statements[max(0, place - 2) : place])
    everything_follows = any(isinstance(s.meaning, Everything) for s in statements[place:])
    is_last = not everything_follows and all(other < place for other in wanted)
    return follows_exclusion and is_last and not is_parted


def _require_links(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse land covers that are not simply listed, such as trees in the city, and filters to choose among."""
    wanted = _wanted_places(statements)
    for first, second in pairwise(wanted):
        links = [s for s in statements[first + 1 : second] if isinstance(s.meaning, Token)]
        between = [kind for link in links for kind in _kinds(link)]
        kinds = set(between) if "scene" not in between else _SEPARATORS & set(between)
        is_repeated = _target(statements[first]) == _target(statements[second])
        if not kinds <= _BETWEEN_TARGETS or not (is_repeated or kinds & _SEPARATORS):
            raise _refusal(
                reading,
                "It is not clear how these land covers belong together",
                join_words([_words(statements[first]), *between, _words(statements[second])]),
                "a list: 'water and vegetation'",
                "Ask for one of them, or join them by 'and'.",
            )
    for i, statement in enumerate(statements):
        if _kinds(statement) == ["or"] and not (any(place < i for place in wanted) and i + 1 in wanted):
            raise _refusal(
                reading, "Only land covers can be joined by 'or'", _words(statement), "filters that all hold"
            )


def _require_targets(statements: Sequence[Statement], reading: Reading) -> None:
    mentions = [s.meaning for s in statements if isinstance(s.meaning, Mention)]
    wanted = {mention.token.sense.value for mention in mentions if not mention.excluded}
    excluded = {mention.token.sense.value for mention in mentions if mention.excluded}
    names_all = any("everything" in _kinds(s) for s in statements)
    if wanted & excluded:
        problem = "The same land cover is asked for and left out (narrower words are answered by their land cover)"
        raise _refusal(reading, problem, ", ".join(sorted(wanted & excluded)), "different land covers")
    if wanted and names_all:
        words = ", ".join(wanted)
        raise _refusal(reading, "Everything is asked for, and something in particular", words, "one of both")
    if not wanted and not (excluded and _is_universal(statements, reading)):
        raise _refusal(reading, "No land cover is asked for", repr(join_words([_words(s) for s in statements])), "one")


def _is_universal(statements: Sequence[Statement], reading: Reading) -> bool:
    """Say whether a word such as everything, all or each is there."""
    return "every" in reading.dropped or any({"all", "everything"} & set(_kinds(s)) for s in statements)


def _require_kept_ranks(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "all but the largest": no filter leaves out a rank."""
    linked = [s for s in statements if not isinstance(s.meaning, Token) or _kinds(s)[0] not in _LINKING]
    for first, second in pairwise(linked):
        rank, other = (first, second) if isinstance(first.meaning, RankFilter) else (second, first)
        is_left_out = isinstance(other.meaning, Fault) and set(_kinds(other)) <= _EXCLUDING
        is_after_but = other is first and _kinds(other) in (["but"], ["contrast"])
        if isinstance(rank.meaning, RankFilter) and (is_left_out or is_after_but):
            fix = "Ask for the ranks that you want, as in 'the 3 largest lakes' or 'only the largest lake'."
            raise _refusal(reading, "A rank cannot be left out", _words(rank), "'the 3 largest lakes'", fix)


def _require_clear_contrast(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "but" where it may mean "except": the rest of the sentence must leave one meaning."""
    for i, statement in enumerate(statements):
        if _kinds(statement) in (["but"], ["contrast"]) and not _is_clear_contrast(statements, i, reading):
            following = [s for s in statements[i + 1 :] if not _is_link(s)][:1]
            raise _refusal(
                reading,
                f"'{_words(statement)}' may mean 'except' or 'only'",
                join_words([_words(s) for s in (statement, *following)]),
                "'everything except water', 'lakes, but not in the north', or 'lakes, but only in the north'",
            )


def _is_clear_contrast(statements: Sequence[Statement], place: int, reading: Reading) -> bool:
    """Say whether a "but" outside all patterns can only mean a contrast.

    It can before an exclusion, between an exclusion and a target, and before a filter. It cannot where a word before it
    means everything, or a word after it means some of it ("every lake but those in the north").
    """
    before = [s for s in statements[:place] if not _is_link(s)]
    following = next((s.meaning for s in statements[place + 1 :] if not _is_link(s)), None)
    is_ambiguous = _kinds(statements[place]) == ["but"]
    is_universal = _is_universal(statements, reading)
    if isinstance(following, Mention):
        mentions = [s.meaning for s in before if isinstance(s.meaning, Mention)]
        is_answer = bool(mentions) and mentions[-1].excluded
        return following.excluded or is_answer or not (is_ambiguous or is_universal or not mentions)
    if following is None or isinstance(following, Everything):
        return False
    return not is_ambiguous or not (is_universal or "those" in reading.dropped)


def _is_link(statement: Statement) -> bool:
    return isinstance(statement.meaning, Token) and set(_kinds(statement)) <= _LINKING


def _require_counts(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "the largest lakes": how many?"""
    spoken = [s for s in statements if _kinds(s) != ["of"]]
    for rank, other in [*pairwise(spoken), *pairwise(reversed(spoken))]:
        several = isinstance(other.meaning, Mention) and other.meaning.token.sense.plural
        if isinstance(rank.meaning, RankFilter) and several and "number" not in _kinds(rank):
            problem, expected = _FAULTS["no count"]
            raise _refusal(reading, problem, _words(rank), expected)


_REQUIREMENTS = (
    _require_kept_ranks,
    _require_sense,
    _require_clear_contrast,
    _require_one_scope,
    _require_links,
    _require_targets,
    _require_counts,
)
"""Checks of the statements, in the order in which an instruction is refused."""


def require_possible(targets: Sequence[str], filters: Sequence[Filter], reading: Reading) -> None:
    """Refuse filters that contradict each other, or that decide nothing."""
    for kind in (RankFilter, PlaceFilter, DrawnFilter, EdgeFilter):
        same_kind = [wanted for wanted in filters if isinstance(wanted, kind)]
        if len(same_kind) > 1:
            meanings = "; ".join(_descriptions(same_kind, reading))
            raise _refusal(reading, "Two filters of one kind", meanings, "one, such as 'in the north-west'")
    areas = [wanted for wanted in filters if isinstance(wanted, AreaFilter)]
    distances = [wanted for wanted in filters if isinstance(wanted, NearFilter)]
    if _areas_exclude(areas) or _distances_exclude(distances):
        meanings = ", ".join(_descriptions([*areas, *distances], reading))
        problem = "No region can meet these filters together"
        raise _refusal(reading, problem, meanings, "a lower bound below the upper one")
    if any(distance.target in targets for distance in distances):
        raise _refusal(reading, "A land cover is always near itself", ", ".join(targets), "a distance to another one")


def _areas_exclude(areas: Sequence[AreaFilter]) -> bool:
    return any(_exclude(low, high) for low, high in product(areas, repeat=2))


def _distances_exclude(distances: Sequence[NearFilter]) -> bool:
    """Say whether a region would have to be both within a distance of a target and farther than that from it."""
    return any(
        near.target == far.target and near.within and not far.within and near.distance_m <= far.distance_m
        for near, far in product(distances, repeat=2)
    )


def _exclude(low: AreaFilter, high: AreaFilter) -> bool:
    """Say whether no area is above one bound and below the other."""
    if low.comparison[0] != ">" or high.comparison[0] != "<" or (low.unit == "px") != (high.unit == "px"):
        return False
    least, most = (bound.amount * SQUARE_METRES.get(bound.unit, 1) for bound in (low, high))
    return least > most or (least == most and low.comparison + high.comparison != ">=<=")


def _descriptions(filters: Sequence[Filter], reading: Reading) -> list[str]:
    return [describe_filter(wanted, reading.language) for wanted in filters]


def _target_token(statement: Statement) -> Token:
    assert isinstance(statement.meaning, Mention)
    return statement.meaning.token


def _target(statement: Statement) -> object:
    return _target_token(statement).sense.value


def _kinds(statement: Statement) -> list[str]:
    return [token.sense.kind for token in statement.tokens]


def _words(statement: Statement) -> str:
    return join_words([token.text for token in statement.tokens])


def _refusal(reading: Reading, problem: str, words: str, expected: str, fix: str = ASK) -> InstructionError:
    """Return the error in English, with a sentence in the user's language where that is another one."""
    language = reading.language
    is_recognised = any(token.sense.kind not in ("unknown", "number", "comma") for token in reading.tokens)
    also = "" if language.code == "en" or not is_recognised else f" {refuse(language, words)}"
    return InstructionError(problem, found=words, expected=expected, fix=fix + also)
