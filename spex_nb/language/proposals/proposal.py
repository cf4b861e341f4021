"""What a language model proposes, as parts of an instruction, held against the words of the text.

A proposal counts only if its parts are of the kinds that the parser knows, quote words of the text, and state numbers
that stand there. The text must have no number that no part uses: a number left out is a condition left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spex_nb.language.languages import fold
from spex_nb.language.parsing.grammar import CUSTOMARY_M2, LENGTHS_M
from spex_nb.language.parsing.lexicon import read_text, words_in
from spex_nb.types import (
    SQUARE_METRES,
    AdjacentFilter,
    AreaFilter,
    BetweenFilter,
    DirectionFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    NearFilter,
    PlaceFilter,
    Question,
    RankFilter,
)
from spex_nb.types.targets import TARGETS
from spex_nb.types.typed_json import decode

KINDS: Mapping[str, type[Filter]] = {
    "adjacent": AdjacentFilter,
    "area": AreaFilter,
    "between": BetweenFilter,
    "direction": DirectionFilter,
    "edge": EdgeFilter,
    "enclosed": EnclosedFilter,
    "near": NearFilter,
    "place": PlaceFilter,
    "rank": RankFilter,
}
"""By the name that a model uses, the filters that it may propose."""
MOST_PARTS = 12
_NEVER = ("stated", "shape", "first_shape", "second_shape")
"""Fields of filters that the parser alone fills."""
_CLOSE = 1e-6
_AREAS_M2 = {**SQUARE_METRES, **CUSTOMARY_M2}


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A land cover, and the words of the text that mean it."""

    id: str
    span: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answers: the parts of an instruction, each with the words that it comes from."""

    targets: tuple[NamedPart, ...]
    excluded: tuple[NamedPart, ...] = ()
    filters: tuple[dict[str, Any], ...] = ()
    question: Question = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a text may mean, as far as every part of it stands in the text."""

    targets: tuple[str, ...]
    excluded: tuple[str, ...]
    filters: tuple[Filter, ...]
    question: Question
    spans: tuple[str, ...]
    """The words of the text that the parts come from, in the order of the parts."""
    unused: tuple[str, ...]
    """The words of the text that no part comes from."""


def read_proposal(answer: Any, text: str, code: str) -> Proposal:
    """Return what a model proposes.

    Args:
        answer: Its answer, as JSON.
        text: What the user typed.
        code: Language that the text is read in.

    Raises:
        TypeError: If the answer has another form.
        ValueError: If a part is not in the text.
    """
    parts = decode(Answer, answer)
    if len(parts.targets) + len(parts.excluded) + len(parts.filters) > MOST_PARTS or not parts.targets:
        raise ValueError("the answer has no target, or too many parts")
    named = [*parts.targets, *parts.excluded]
    spans = [part.span for part in named]
    filters = []
    for entry in parts.filters:
        span = entry.get("span")
        spans.append(decode(str, span, "span"))
        filters.append(_filter(entry, code, spans[-1]))
    _require_targets([*(part.id for part in named), *_targets_of(filters)])
    _require_quoted(spans, text)
    _require_all_numbers(text, spans[len(named) :], code)
    return Proposal(
        tuple(dict.fromkeys(part.id for part in parts.targets)),
        tuple(dict.fromkeys(part.id for part in parts.excluded)),
        tuple(filters),
        parts.question,
        tuple(spans),
        tuple(_unused(text, spans)),
    )


def _filter(entry: Mapping[str, Any], code: str, span: str) -> Filter:
    """Return a filter whose numbers stand in its words."""
    kind = KINDS.get(str(entry.get("kind")))
    if kind is None or any(name in entry for name in _NEVER):
        raise ValueError("a filter is of no known kind")
    wanted: Filter = decode(kind, {name: value for name, value in entry.items() if name not in ("kind", "span")})
    if not _is_stated(wanted, code, span):
        raise ValueError(f"a number of {entry['kind']} is not that of the text")
    return wanted


def _is_stated(wanted: Filter, code: str, span: str) -> bool:
    """Say whether the quantity of a filter is what its words say, read by the reader of the package."""
    numbers, units = _quantities(span, code)
    match wanted:
        case AreaFilter(_, amount, unit):
            if unit == "px":
                return "px" in units and _has(numbers, amount)
            areas = [number * _AREAS_M2[name] for number in numbers for name in units if name in _AREAS_M2]
            return _has(areas, amount * SQUARE_METRES[unit])
        case NearFilter(distance_m=distance_m):
            return _has(
                [number * LENGTHS_M[name] for number in numbers for name in units if name in LENGTHS_M], distance_m
            )
        case RankFilter(count=count, first=first):
            return all(value == 1 or _has(numbers, value) for value in (count, first))
    return True


def _quantities(span: str, code: str) -> tuple[list[float], list[str]]:
    senses = [token.sense for token in read_text(span, code).tokens]
    numbers = [float(sense.value) for sense in senses if sense.kind in ("number", "ordinal")]
    units = [str(sense.value) for sense in senses if sense.kind in ("unit", "length")]
    return numbers, units


def _has(numbers: Sequence[float], wanted: float) -> bool:
    return any(abs(number - wanted) <= _CLOSE * abs(wanted) for number in numbers)


def _targets_of(filters: Sequence[Filter]) -> Iterator[str]:
    for wanted in filters:
        if isinstance(wanted, BetweenFilter):
            yield from (wanted.first, wanted.second)
        elif hasattr(wanted, "target"):
            yield wanted.target


def _require_targets(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no target")


def _require_quoted(spans: Sequence[str], text: str) -> None:
    """Raise unless each part quotes words of the text: none, or other words, were made up."""
    whole = fold(text)
    if not all(span.strip() and fold(span) in whole for span in spans):
        raise ValueError("a part quotes words that are not in the text")


def _require_all_numbers(text: str, spans: Sequence[str], code: str) -> None:
    """Raise if a number of the text is in no part."""
    in_text = sorted(_quantities(text, code)[0])
    in_parts = sorted(number for span in dict.fromkeys(spans) for number in _quantities(span, code)[0])
    if in_text != in_parts:
        raise ValueError("a number of the text is in no part")


def _unused(text: str, spans: Sequence[str]) -> Iterator[str]:
    quoted = {key for span in spans for _, key in words_in(span)}
    return (typed for typed, key in words_in(text) if key not in quoted)
