"""From tokens to their meaning together: land covers, exclusions and filters. One grammar serves all languages.

Languages differ in their words, and in whether a word such as "within" stands before or after its number. One pattern
for each order covers that. The grammar knows no word and no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spex_nb.language.lexicon import Token
from spex_nb.types import AreaFilter, DrawnFilter, EdgeFilter, Filter, NearFilter, PlaceFilter, RankFilter

CUSTOMARY_M2 = {"acre": 4046.8564224, "sqmi": 2_589_988.110336, "sqft": 0.09290304, "mu": 2000 / 3}
"""Square metres of the international acre, square mile and square foot, exactly, and of the Chinese mu."""
LENGTHS_M = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048}
"""Metres of the units of length, exactly."""
DIAGONAL = "-"
"""In the name of a quarter, such as ``north-west``."""
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_LINKS = frozenset(
    {"all", "and", "article", "but", "comma", "contrast", "from", "in", "of", "or", "particle", "scene", "to"}
)
"""Kinds of words that may be left over: they only link others."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A land cover that is asked for or left out."""

    token: Token
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Everything:
    """A word that asks for all land covers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Known words whose meaning together is nothing that a filter can do."""

    problem: str


Meaning = Mention | Everything | Filter | Fault | Token
"""One part of what an instruction means. A Token is a word that only links others."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One part of the meaning, and the words that express it."""

    meaning: Meaning
    tokens: tuple[Token, ...]


def parse_tokens(tokens: Sequence[Token], relations: Sequence[str] = ()) -> list[Statement]:
    """Find the meaning of tokens, from left to right. At each place the first pattern that fits holds.

    Args:
        tokens: As `lexicon.read_text` gives them.
        relations: Patterns of the language for places beside another land cover ("north of the river"). No filter
            can do these.

    Returns:
        Statements that hold all tokens, in order. Words that fit nowhere are Faults.
    """
    merged = _without_heads(tokens)
    kinds = "".join(_letter(token.sense.kind) for token in merged)
    rules = [*((_pattern(relation), _relation) for relation in relations), *_RULES]
    statements = []
    start = 0
    while start < len(merged):
        meanings, end = next(_matches(rules, kinds, merged, start))
        statements += [Statement(meaning, tuple(merged[start:end])) for meaning in meanings]
        start = end
    return statements


def filters_in(statements: Sequence[Statement]) -> Iterator[tuple[int, Filter]]:
    """Yield each filter and the place of its statement."""
    for i, statement in enumerate(statements):
        if not isinstance(statement.meaning, Mention | Everything | Fault | Token):
            yield i, statement.meaning


def _matches(
    rules: Sequence[_Rule], kinds: str, tokens: list[Token], start: int
) -> Iterator[tuple[list[Meaning], int]]:
    for pattern, build in rules:
        match = pattern.match(kinds, start)
        if match and match.end() > start:
            yield build(_PatternMatch(match, tokens)), match.end()
    yield [_single(tokens[start])], start + 1


def _single(token: Token) -> Meaning:
    """Return the meaning of a word that fits no pattern."""
    return token if token.sense.kind in _LINKS else Fault(token.sense.kind)


def _without_heads(tokens: Sequence[Token]) -> list[Token]:
    """Drop words such as area and body. The land cover beside such a word takes over whether it is plural."""
    merged: list[Token] = []
    for i, token in enumerate(tokens):
        if token.sense.kind == "head":
            continue
        neighbours = [*tokens[i + 1 : i + 2], *tokens[max(0, i - 1) : i]]
        heads = [neighbour.sense for neighbour in neighbours if neighbour.sense.kind == "head"]
        plurals = [head.plural for head in heads if head.plural is not None]
        is_headed = token.sense.kind == "target" and plurals
        merged.append(replace(token, sense=replace(token.sense, plural=plurals[0])) if is_headed else token)
    return merged


class _PatternMatch:
    """A match of a pattern, read by the names in it."""

    def __init__(self, match: re.Match[str], tokens: list[Token]) -> None:
        self._match, self._tokens = match, tokens

    def has(self, name: str) -> bool:
        return self._match.groupdict().get(name) is not None

    def token(self, name: str) -> Token:
        return self._tokens[self._match.start(name)]

    def value(self, name: str) -> Any:
        return self.token(name).sense.value

    def targets(self) -> list[Token]:
        return [t for t in self._tokens[self._match.start() : self._match.end()] if t.sense.kind == "target"]


def _area(match: _PatternMatch) -> list[Meaning]:
    comparison = match.value("how")
    return [_area_filter(_turned(comparison, match), match.value("amount"), match.value("unit"))]


def _range(match: _PatternMatch) -> list[Meaning]:
    unit = match.value("unit")
    low_unit = match.value("low_unit") if match.has("low_unit") else unit
    low = _area_filter(">=", match.value("low"), low_unit)
    high = _area_filter("<=", match.value("high"), unit)
    return [Fault("inverted range")] if match.has("invert") else [low, high]


def _area_filter(comparison: Any, amount: float, unit: Any) -> AreaFilter | Fault:
    if amount <= 0:
        return Fault("no amount")
    if unit == "percent":
        return Fault("share")
    if unit in CUSTOMARY_M2:
        return AreaFilter(comparison, amount * CUSTOMARY_M2[unit], "m2")
    return AreaFilter(comparison, amount, unit)


def _up_to(match: _PatternMatch) -> list[Meaning]:
    """Read a bound without comparison: ``bis 2 ha``, ``от 2 га``."""
    comparison = "<=" if match.token("bound").sense.kind == "to" else ">="
    return [_area_filter(comparison, match.value("amount"), match.value("unit"))]


def _top(_: _PatternMatch) -> list[Meaning]:
    """Refuse ``top 5 lakes``: the largest, or those at the top?"""
    return [Fault("top")]


def _turned(comparison: str, match: _PatternMatch) -> str:
    return _OPPOSITE[comparison] if match.has("invert") != match.has("invert_after") else comparison


def _near(match: _PatternMatch) -> list[Meaning]:
    amount = match.value("amount")
    if amount <= 0:
        return [Fault("no amount")]
    metres = amount * LENGTHS_M[match.value("unit")]
    return [NearFilter(match.value("goal"), metres, within=_turned(match.value("how"), match) in ("<", "<="))]


def _rank(match: _PatternMatch) -> list[Meaning]:
    order, several = match.value("how").split()[0], match.value("how").endswith("several")
    name = next((name for name in ("count", "count_after") if match.has(name)), None)
    mention: list[Meaning] = [Mention(match.token("goal"))] if match.has("goal") else []
    if name is None:
        return [*mention, Fault("no count") if several else RankFilter(order)]
    count = match.value(name)
    return [*mention, RankFilter(order, int(count)) if count >= 1 and count == int(count) else Fault("no amount")]


def _place(match: _PatternMatch) -> list[Meaning]:
    place = match.value("where")
    wrong = "half" if DIAGONAL in place or place == "centre" else "quarter"
    if any(match.has(name) and match.token(name).sense.kind == wrong for name in ("part", "part_after")):
        return [Fault("place")]
    return [PlaceFilter(place, inside=match.has("invert") == match.has("invert_after"))]


def _drawn(match: _PatternMatch) -> list[Meaning]:
    side = match.token("side").sense
    is_inside = side.kind not in ("outside", "outside_after") and side.value != ">"
    return [DrawnFilter(is_inside == (match.has("invert") == match.has("invert_after")))]


def _edge(match: _PatternMatch) -> list[Meaning]:
    touching = match.value("how") == "touching"
    return [EdgeFilter(touching != (match.has("invert") or match.has("invert_after")))]


def _exclusion(match: _PatternMatch) -> list[Meaning]:
    return [Mention(token, excluded=True) for token in match.targets()]


def _mention(match: _PatternMatch) -> list[Meaning]:
    return [Mention(match.token("goal"))]


def _everything(_: _PatternMatch) -> list[Meaning]:
    return [Everything()]


def _link(match: _PatternMatch) -> list[Meaning]:
    return [match.token("scene")]


def _relation(_: _PatternMatch) -> list[Meaning]:
    return [Fault("relation")]


def _bad_amount(match: _PatternMatch) -> list[Meaning]:
    problems = {"minus": "minus", "length": "length"}
    return [Fault(next((problem for name, problem in problems.items() if match.has(name)), "number"))]


_Rule = tuple[re.Pattern[str], Callable[[_PatternMatch], list[Meaning]]]
_KINDS = (
    "all", "and", "article", "bare_place", "between", "between_after", "but", "comma", "compare", "compare_after",
    "contrast", "drawn", "edge", "everything", "except", "except_after", "from", "half", "in", "inside",
    "inside_after", "length", "minus", "not", "not_after", "number", "of", "or", "outside", "outside_after",
    "particle", "place", "place_adjective", "quarter", "rank", "scene", "target", "to", "touch", "unit", "vague",
    "within", "within_after",
)  # fmt: skip
"""Kinds of tokens that patterns speak of. All others fit nowhere."""


def _letter(kind: str) -> str:
    """Return the one character that stands for a kind of token, so that patterns can be regular expressions."""
    return chr(0xE000 + (_KINDS.index(kind) if kind in _KINDS else len(_KINDS)))


def _pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression over kinds of tokens, in which ``name:kind`` names a group."""

    def letter(match: re.Match[str]) -> str:
        kinds = f"[{''.join(map(_letter, match['kind'].split('|')))}]"
        return f"(?P<{match['name']}>{kinds})" if match["name"] else kinds

    return re.compile(re.sub(r"(?:(?P<name>\w+):)?(?P<kind>\w+(?:\|\w+)*)", letter, text).replace(" ", ""))


_NOT, _NOT_AFTER = "invert:not?", "invert_after:not_after?"
_AREA = "amount:number|article unit:unit"
_DISTANCE = "amount:number|article unit:length"
_BEFORE = "how:within|compare"
_AFTER = "how:within_after|inside_after|outside_after"
_LIST = "target ((comma|and|or)+ of* not? all? target)*"
_LOW = "low:number low_unit:unit?"
_RULES: list[_Rule] = [
    (_pattern(text), build)
    for build, texts in {
        _range: (
            f"{_NOT} between of? {_LOW} and|to|from high:number unit:unit between_after?",
            f"{_NOT} from|in|of? {_LOW} to|from high:number unit:unit between_after?",
            f"{_LOW} and|to|from high:number unit:unit between_after",
        ),
        _near: (
            f"{_NOT} in? {_BEFORE} of? {_DISTANCE} (of|from|to)+ article? goal:target",
            f"{_NOT} {_DISTANCE} how:compare_after (of|from|to)+ article? goal:target",
            f"{_NOT} in? from+ of? goal:target (of|from|in)* {_BEFORE} {_DISTANCE} in?",
            f"{_NOT} in? from+ of? goal:target (of|from|in)* {_DISTANCE} of? {_AFTER}|compare_after {_NOT_AFTER}",
            f"goal:target of? from+ {_DISTANCE} of? {_AFTER}|compare_after {_NOT_AFTER}",
            f"{_NOT} in? goal:target {_DISTANCE} of? {_AFTER}",
        ),
        _area: (
            f"{_NOT} of? how:compare|particle of? {_AREA} vague?",
            f"{_AREA} of? how:compare|compare_after vague? {_NOT_AFTER}",
        ),
        _up_to: (f"bound:to|from {_AREA}",),
        _top: ("bare_place number|rank|target",),
        _rank: ("count:number? how:rank of? count_after:number?", "count:number goal:target how:rank"),
        _exclusion: (
            f"everything|all but|contrast {_LIST}",
            f"(except|not) of* all? {_LIST} (except_after|outside_after)?",
            f"{_LIST} except_after|outside_after",
            f"but|contrast {_LIST} not_after",
            "target not_after",
        ),
        _drawn: (
            f"{_NOT} in? drawn of? side:inside_after|outside_after|within_after {_NOT_AFTER}",
            f"{_NOT} side:in|within|inside|outside of? drawn {_NOT_AFTER}",
        ),
        _link: ("(in|of|from|inside|within)* scene:scene (of|inside_after)*",),
        _place: (
            "invert:not|outside? (in|of|inside)* part:half|quarter? of? where:place|place_adjective|bare_place"
            f" part_after:half|quarter? (of|in)* inside_after? {_NOT_AFTER}",
        ),
        _edge: (
            f"{_NOT} how:touch invert_after:not? (in|of|to|from)* (scene of?)? edge",
            f"(scene of?)? edge (of|from|to|in)* {_NOT} how:touch {_NOT_AFTER}",
            f"{_NOT} (scene of?)? edge (of|from|to|in)* how:touch {_NOT_AFTER}",
        ),
        _everything: ("everything",),
        _mention: ("goal:target",),
        _bad_amount: ("compare|within of? minus:minus? number length:length|unit?",),
    }.items()
    for text in texts
]
"""Patterns over kinds of tokens, in the order in which they are tried."""
