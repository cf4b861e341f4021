"""Checks of a parsed instruction: the parser refuses what it does not know, and what has two meanings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product

from spex_nb.language.parsing.grammar import Everything, Fault, Mention, Statement, filters_in
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.paraphrase import describe_filter
from spex_nb.language.parsing.questions import require_one_question
from spex_nb.language.parsing.refusals import concept_refusal, refusal
from spex_nb.language.parsing.scope import shape_left
from spex_nb.language.parsing.tokens import Token, join_words
from spex_nb.types import (
    SQUARE_METRES,
    AdjacentFilter,
    AreaFilter,
    BetweenFilter,
    DirectionFilter,
    DrawnFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    NearFilter,
    PlaceFilter,
    RankFilter,
    Shape,
)

_SEPARATORS = frozenset({"and", "or", "comma"})
_BETWEEN_TARGETS = _SEPARATORS | {"of", "all", "but", "contrast"}
_LINKING = _SEPARATORS | {"of", "all", "article", "particle"}
_RELATIONS = (NearFilter, AdjacentFilter, EnclosedFilter, DirectionFilter, BetweenFilter)
_GROUNDED = frozenset({"bare_soil", "building", "built_up", "low_vegetation", "tree_cover", "vegetation"})
_EXCLUDING = frozenset({"except", "except_after", "not", "not_after"})
_FAULTS = {
    "unit": "bare_unit",
    "no amount": "amount",
    "no count": "no_count",
    "relation": "part",
    "except_after": "except",
    "shore": "links",
    "inverted range": "fit",
    "ordinal": "number",
    "about": "choice",
}
"""Faults of the grammar, and kinds of words that fit no pattern, that have a refusal of another name."""
_SAME_NAME = frozenset(
    {
        "asked_length",
        "change",
        "choice",
        "concept",
        "except",
        "far",
        "length",
        "minus",
        "near",
        "number",
        "place",
        "relative",
        "share",
        "time",
        "top",
        "vague",
    }
)
_FIRST = ("change", "concept", "time", "asked_length")
"""Problems that come before all others: the rest of such a sentence rarely fits a pattern."""


def require_known(reading: Reading, understood: str = "") -> None:
    """Refuse units and words that the language does not have.

    Args:
        reading: The text as it was read.
        understood: The meaning of all other words, if they have one.

    Raises:
        InstructionError: With these units or words.
    """
    concept = next((token for token in reading.tokens if token.sense.kind == "concept"), None)
    if concept is not None:
        raise concept_refusal(reading, concept)
    varying = [token.text for token in reading.tokens if token.sense.kind == "unclear_unit"]
    for problem, words in (("unit_varies", varying), ("unit", _unknown_units(reading)), ("unknown", reading.unknown)):
        if words:
            raise refusal(reading, problem, _quoted(words), understood=understood)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _unknown_units(reading: Reading) -> list[str]:
    """Return unknown words that stand where a unit would: after a number that a comparison or distance precedes."""
    kinds = [token.sense.kind for token in reading.tokens]
    places = range(2, len(kinds))
    return [
        reading.tokens[i].text
        for i in places
        if kinds[i] == "unknown" and kinds[i - 1] == "number" and kinds[i - 2] in ("compare", "within", "to", "between")
    ]


def require_clear(statements: Sequence[Statement], reading: Reading, *, needs_target: bool = True) -> None:
    """Refuse statements that are ambiguous, contradict each other, or ask for what no filter can do.

    Args:
        statements: The parts of the meaning.
        reading: The text as it was read.
        needs_target: Whether a land cover must be asked for; "what has changed?" names none.

    Raises:
        InstructionError: With the words that are at fault.
    """
    is_named = any(isinstance(s.meaning, Mention) for s in statements)
    for require in _REQUIREMENTS:
        if needs_target or is_named or require is not _require_targets:
            require(statements, reading)


def _wanted_places(statements: Sequence[Statement]) -> list[int]:
    """Return the places of the statements that ask for a target."""
    return [i for i, s in enumerate(statements) if isinstance(s.meaning, Mention) and not s.meaning.excluded]


def _require_sense(statements: Sequence[Statement], reading: Reading) -> None:
    faults = [s for s in statements if isinstance(s.meaning, Fault)]
    for statement in sorted(faults, key=lambda s: _FIRST.index(_problem(s)) if _problem(s) in _FIRST else len(_FIRST)):
        concepts = [token for token in statement.tokens if token.sense.kind == "concept"]
        if concepts:
            raise concept_refusal(reading, concepts[0])
        raise refusal(reading, _problem(statement), _words(statement), statements)


def _problem(statement: Statement) -> str:
    assert isinstance(statement.meaning, Fault)
    name = statement.meaning.problem
    return name if name in _SAME_NAME else _FAULTS.get(name, "fit")


def _require_one_scope(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse filters that may hold for some of the targets only."""
    for place, _ in filters_in(statements):
        if _has_unclear_scope(statements, place, bool(reading.language.instructions.get("relation first"))):
            raise refusal(reading, "scope", _words(statements[place]), statements)


def _has_unclear_scope(statements: Sequence[Statement], place: int, is_relation_first: bool) -> bool:
    """Say whether a filter stands right after an exclusion, or right after the other target of a relation."""
    wanted = _wanted_places(statements)
    is_before_noun = is_relation_first and _is_before_noun(statements, place)
    if _ends_with_goal(statements[place]) and any(other > place for other in wanted) and not is_before_noun:
        return True
    follows_goal = place > 0 and _ends_with_goal(statements[place - 1])
    if follows_goal and not is_before_noun and not isinstance(statements[place].meaning, _RELATIONS):
        return True
    before = [s.meaning for s in statements[:place] if isinstance(s.meaning, Mention | Everything)]
    follows_exclusion = bool(before) and isinstance(before[-1], Mention) and before[-1].excluded
    is_parted = any("comma" in _kinds(s) for s in statements[max(0, place - 2) : place])
    everything_follows = any(isinstance(s.meaning, Everything) for s in statements[place:])
    is_last = not everything_follows and all(other < place for other in wanted)
    return follows_exclusion and is_last and not is_parted


def _is_before_noun(statements: Sequence[Statement], place: int) -> bool:
    """Say whether nothing but filters stands between a relation and the land cover that it describes."""
    filters = {i for i, _ in filters_in(statements)}
    following = next((i for i in range(place + 1, len(statements)) if i not in filters), None)
    return following in _wanted_places(statements)


def _ends_with_goal(statement: Statement) -> bool:
    """Say whether the last word of a relation is the other land cover, which a list could go on from."""
    return isinstance(statement.meaning, _RELATIONS) and statement.tokens[-1].sense.kind in ("target", "shore")


def _require_parted_exclusions(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "forest next to water but not roads": are roads left out, or is it not next to them?"""
    spoken = [s for s in statements if not isinstance(s.meaning, Token) or "comma" in _kinds(s)]
    for relation, statement in pairwise(spoken):
        is_left_out = isinstance(statement.meaning, Mention) and statement.meaning.excluded
        if is_left_out and _ends_with_goal(relation):
            raise refusal(reading, "scope", _words(statement), statements)


def _require_links(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse land covers that are not simply listed, such as trees in the city, and filters to choose among."""
    wanted = _wanted_places(statements)
    for first, second in pairwise(wanted):
        links = [s for s in statements[first + 1 : second] if isinstance(s.meaning, Token)]
        between = [kind for link in links for kind in _kinds(link)]
        kinds = set(between) if "scene" not in between else _SEPARATORS & set(between)
        is_repeated = _target(statements[first]) == _target(statements[second])
        if not kinds <= _BETWEEN_TARGETS or not (is_repeated or kinds & _SEPARATORS):
            parts = [_words(statement) for statement in statements[first : second + 1]]
            raise refusal(reading, "links", join_words(parts), statements)
    for i, statement in enumerate(statements):
        if _kinds(statement) == ["or"] and not (any(place < i for place in wanted) and i + 1 in wanted):
            raise refusal(reading, "or", _words(statement), statements)


def _require_ground(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse snow on roads: only buildings, ground and plants that are on a river or on a road stand beside it."""
    wanted = {_target(statements[place]) for place in _wanted_places(statements)}
    for statement in statements:
        is_on = any(token.sense.kind == "in" and token.sense.value == "on" for token in statement.tokens)
        is_beside = isinstance(statement.meaning, AdjacentFilter) and "shore" not in _kinds(statement)
        if is_on and is_beside and not wanted <= _GROUNDED:
            raise refusal(reading, "links", _words(statement), statements)


def _require_targets(statements: Sequence[Statement], reading: Reading) -> None:
    mentions = [s.meaning for s in statements if isinstance(s.meaning, Mention)]
    wanted = {mention.token.sense.value for mention in mentions if not mention.excluded}
    excluded = {mention.token.sense.value for mention in mentions if mention.excluded}
    names_all = any("everything" in _kinds(s) for s in statements)
    both = {target for target in wanted & excluded if not shape_left(mentions, target)}
    if both:
        words = [m.token.text for m in mentions if m.token.sense.value in both]
        raise refusal(reading, "both", ", ".join(words), statements)
    if wanted and names_all:
        raise refusal(reading, "everything", _names(sorted(wanted), reading), statements)
    is_all_else = excluded and (_is_universal(statements, reading) or _is_any_ground(reading))
    if not wanted and not is_all_else:
        is_beside = any(isinstance(s.meaning, _RELATIONS) for s in statements)
        named = repr(join_words([_words(s) for s in statements]) or reading.text)
        raise refusal(reading, "beside" if is_beside else "none", named, statements)


def _is_universal(statements: Sequence[Statement], reading: Reading) -> bool:
    """Say whether a word such as everything, all or each is there."""
    return "every" in reading.dropped or any({"all", "everything"} & set(_kinds(s)) for s in statements)


def _is_any_ground(reading: Reading) -> bool:
    """Say whether a word for any ground is there: "areas without trees" are everything but trees."""
    return any(token.sense.kind == "head" for token in reading.tokens)


def _require_clear_ranks(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "lakes, but the largest": only after a word such as all it means "except"."""
    for statement in statements:
        is_rank_after_but = isinstance(statement.meaning, RankFilter) and _kinds(statement)[0] == "but"
        if is_rank_after_but and not _is_universal(statements, reading):
            raise refusal(reading, "contrast", _words(statement), statements)


def _require_kept_ranks(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse words beside a rank that might leave it out, in an order that no pattern reads."""
    linked = [s for s in statements if not isinstance(s.meaning, Token) or _kinds(s)[0] not in _LINKING]
    for first, second in pairwise(linked):
        rank, other = (first, second) if isinstance(first.meaning, RankFilter) else (second, first)
        is_left_out = isinstance(other.meaning, Fault) and set(_kinds(other)) <= _EXCLUDING
        is_after_but = other is first and _kinds(other) in (["but"], ["contrast"])
        if isinstance(rank.meaning, RankFilter) and (is_left_out or is_after_but):
            raise refusal(reading, "rank", _words(rank), statements)


def _require_clear_contrast(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse "but" where it may mean "except": the rest of the sentence must leave one meaning."""
    for i, statement in enumerate(statements):
        if _kinds(statement) in (["but"], ["contrast"]) and not _is_clear_contrast(statements, i, reading):
            following = [s for s in statements[i + 1 :] if not _is_link(s)][:1]
            raise refusal(reading, "contrast", join_words([_words(s) for s in (statement, *following)]), statements)


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
        if isinstance(rank.meaning, RankFilter) and several and _is_uncounted(rank):
            raise refusal(reading, "no_count", _words(rank), statements)


def _is_uncounted(statement: Statement) -> bool:
    rank = statement.meaning
    return isinstance(rank, RankFilter) and rank.inside and rank.first == 1 and "number" not in _kinds(statement)


_REQUIREMENTS = (
    _require_kept_ranks,
    _require_clear_ranks,
    _require_sense,
    require_one_question,
    _require_clear_contrast,
    _require_one_scope,
    _require_parted_exclusions,
    _require_links,
    _require_ground,
    _require_targets,
    _require_counts,
)
"""Checks of the statements, in the order in which an instruction is refused."""


def require_possible(
    targets: Sequence[str], filters: Sequence[Filter], reading: Reading, shapes: Mapping[str, Shape] | None = None
) -> None:
    """Refuse filters that contradict each other, or that decide nothing."""
    shapes = shapes or {}
    for kind in (RankFilter, PlaceFilter, DrawnFilter, EdgeFilter):
        same_kind = [wanted for wanted in filters if isinstance(wanted, kind)]
        if len(same_kind) > 1:
            meanings = "; ".join(_descriptions(same_kind, reading))
            raise refusal(reading, "twice", meanings)
    areas = [wanted for wanted in filters if isinstance(wanted, AreaFilter)]
    distances = [wanted for wanted in filters if isinstance(wanted, NearFilter)]
    if _areas_exclude(areas) or _distances_exclude(distances):
        meanings = ", ".join(_descriptions([*areas, *distances], reading))
        raise refusal(reading, "impossible", meanings)
    beside = [wanted for wanted in filters if isinstance(wanted, NearFilter | AdjacentFilter | EnclosedFilter)]
    if any(_is_itself(wanted.shape, shapes.get(wanted.target, ""), wanted.target in targets) for wanted in beside):
        raise refusal(reading, "itself", _names(targets, reading))


def _is_itself(shape: Shape, other: Shape, is_wanted: bool) -> bool:
    """Say whether a region may be what it is to lie beside: lakes are no rivers, but some water is."""
    return is_wanted and (not shape or not other or shape == other)


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


def _names(targets: Sequence[str], reading: Reading) -> str:
    """Return targets by their names in the language of the instruction."""
    return ", ".join(reading.language.targets.get(target, (target,))[0] for target in targets)


def _target_token(statement: Statement) -> Token:
    assert isinstance(statement.meaning, Mention)
    return statement.meaning.token


def _target(statement: Statement) -> object:
    return _target_token(statement).sense.value


def _kinds(statement: Statement) -> list[str]:
    return [token.sense.kind for token in statement.tokens]


def _words(statement: Statement) -> str:
    return join_words([token.text for token in statement.tokens])
