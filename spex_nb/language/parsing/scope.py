"""Which filters hold for which land covers: for all of them, or for one alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import concept_names
from spex_nb.language.languages import LANGUAGES
from spex_nb.language.parsing.grammar import Mention, Statement, filters_in
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.refusals import refusal
from spex_nb.language.parsing.tokens import Token, join_words
from spex_nb.types import Filter, Shape, ShapeFilter

_SEPARATORS = frozenset({"and", "comma", "or"})
OwnFilters = Mapping[str, tuple[Filter, ...]]


@dataclass
class _Group:
    """Land covers between two separators, and the filters beside them."""

    targets: list[str] = field(default_factory=list)
    before: list[Filter] = field(default_factory=list)
    after: list[Filter] = field(default_factory=list)

    @property
    def filters(self) -> list[Filter]:
        return [*self.before, *self.after]


def assign_filters(statements: Sequence[Statement], reading: Reading) -> tuple[tuple[Filter, ...], OwnFilters]:
    """Return the filters that hold for all land covers, and those that hold for one.

    "Lakes over 2 ha and forests over 5 ha" has its own filters for each, "lakes and forests over 2 ha" one filter
    for both, and so has "in the north, lakes and forests".

    Raises:
        InstructionError: If it is not clear which land covers a filter holds for.
    """
    every = tuple(dict.fromkeys(wanted for _, wanted in filters_in(statements)))
    groups, shared = _groups(statements)
    names = {target for group in groups for target in group.targets}
    if len(groups) < 2 or _is_shared(groups):  # noqa: PLR2004
        return every, {}
    if len(names) < 2:  # noqa: PLR2004 (lakes over 5 ha and rivers over 2 ha: one mask answers both)
        raise _unclear(statements, reading)
    own_filters: dict[str, tuple[Filter, ...]] = {}
    for number, group in enumerate(groups):
        is_doubtful = group.before and number == 0 and not group.after and groups[-1].after
        is_listed = number > 0 and len(groups) > 2 and not groups[number - 1].filters and group.filters  # noqa: PLR2004
        if is_listed or is_doubtful or any(target in own_filters for target in group.targets):
            raise _unclear(statements, reading)
        own_filters |= {target: tuple(dict.fromkeys(group.filters)) for target in group.targets}
    return tuple(dict.fromkeys(shared)), {target: filters for target, filters in own_filters.items() if filters}


def shape_left(mentions: Sequence[Mention], target: str) -> Shape:
    """Return the shape that remains of a target where words of one shape are left out: water, but no rivers.

    Only lakes and rivers are all that there is of their shape: water without swimming pools still has lakes.

    Args:
        mentions: Of all land covers.
        target: One that is asked for and left out.

    Returns:
        ``compact`` or ``elongated``; empty where nothing tells what is wanted from what is not.
    """
    shapes: dict[bool, set[Shape]] = {False: set(), True: set()}
    for mention in mentions:
        if mention.token.sense.value == target:
            shapes[mention.excluded].add(mention.token.sense.shape)
    whole = {m.token.sense.shape for m in mentions if m.excluded and m.token.sense.lemma in _words_for_whole_shapes()}
    left_out = shapes[True].pop() if len(shapes[True]) == 1 and shapes[True] == whole else ""
    other = _OTHER_SHAPE[left_out]
    return other if shapes[False] <= {"", other} else ""


@cache
def _words_for_whole_shapes() -> frozenset[str]:
    """Return the usual forms of the names of lakes and rivers in all languages."""
    names = (name for code in LANGUAGES for name in concept_names(code))
    return frozenset(name.lemma for name in names if name.concept in _WHOLE_SHAPES)


_WHOLE_SHAPES = frozenset({"lake", "river"})
_OTHER_SHAPE: dict[Shape, Shape] = {"compact": "elongated", "elongated": "compact", "": ""}


def shapes_of(mentions: Sequence[Mention]) -> dict[str, Shape]:
    """Return the shape that all words for a target share: "lakes" are compact, "lakes and rivers" are any water.

    A shape that is left out decides as well: "water, but no rivers" is compact.
    """
    excluded = {mention.token.sense.value for mention in mentions if mention.excluded}
    shapes: dict[str, set[Shape]] = {}
    for mention in mentions:
        if not mention.excluded:
            shapes.setdefault(mention.token.sense.value, set()).add(mention.token.sense.shape)
    shared = {target: next(iter(words)) for target, words in shapes.items() if len(words) == 1}
    return shared | {target: shape_left(mentions, target) for target in shapes.keys() & excluded}


def add_shapes(own_filters: OwnFilters, shapes: Mapping[str, Shape]) -> dict[str, tuple[Filter, ...]]:
    """Return the filters of each target, its shape first."""
    filters: dict[str, tuple[Filter, ...]] = {name: (ShapeFilter(shape),) for name, shape in shapes.items() if shape}
    names = dict.fromkeys((*filters, *own_filters))
    return {name: (*filters.get(name, ()), *own_filters.get(name, ())) for name in names}


def _groups(statements: Sequence[Statement]) -> tuple[list[_Group], list[Filter]]:
    """Return the wanted land covers in groups, and the filters that stand alone behind a comma."""
    groups: list[_Group] = []
    waiting: list[Filter] = []
    is_new = True
    alone: list[Filter] = []
    for place, statement in enumerate(statements):
        meaning = statement.meaning
        if isinstance(meaning, Mention) and not meaning.excluded:
            if is_new or waiting:
                groups.append(_Group(before=waiting))
                waiting, is_new = [], False
            groups[-1].targets.append(meaning.token.sense.value)
        elif isinstance(meaning, Token):
            kinds = {token.sense.kind for token in statement.tokens}
            is_new = is_new or bool(kinds & _SEPARATORS)
            if "comma" in kinds and not groups:
                alone, waiting = [*alone, *waiting], []
        elif any(wanted is meaning for _, wanted in filters_in([statement])):
            follows = _has_wanted(statements[place + 1 :])
            if is_new or not groups:
                (waiting if follows else alone).append(meaning)  # type: ignore[arg-type]
            else:
                groups[-1].after.append(meaning)  # type: ignore[arg-type]
    return groups, [*alone, *waiting]


def _has_wanted(statements: Sequence[Statement]) -> bool:
    return any(isinstance(s.meaning, Mention) and not s.meaning.excluded for s in statements)


def _is_shared(groups: Sequence[_Group]) -> bool:
    """Say whether the only filters stand before the first land cover, or behind the last."""
    between = any(group.after for group in groups[:-1]) or any(group.before for group in groups[1:])
    return not between and not (groups[0].before and groups[-1].after)


def _unclear(statements: Sequence[Statement], reading: Reading) -> InstructionError:
    places = [place for place, _ in filters_in(statements)]
    words = join_words([token.text for token in statements[places[0]].tokens])
    return refusal(reading, "scope", words, statements)
