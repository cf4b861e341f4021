"""From tokens to their meaning together: land covers, exclusions and filters. One grammar serves all languages.

Languages differ in their words, and in whether a word such as "within" stands before or after its number. One pattern
for each order covers that. The grammar knows no word and no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from spex_nb.language.parsing.tokens import Token
from spex_nb.types import (
    SQUARE_METRES,
    AdjacentFilter,
    AreaFilter,
    AreaUnit,
    BetweenFilter,
    DirectionFilter,
    DrawnFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    NearFilter,
    PlaceFilter,
    Question,
    RankFilter,
    Shape,
)

CUSTOMARY_M2 = {
    "acre": 4046.8564224,
    "are": 100.0,
    "dunam": 1000.0,
    "feddan": 4200.833333,
    "mu": 2000 / 3,
    "qing": 200_000 / 3,
    "sqft": 0.09290304,
    "sqmi": 2_589_988.110336,
    "sqyd": 0.83612736,
}
"""Square metres of units of area: the international acre, square foot, yard and mile and the are exactly, the metric
dunam, the Egyptian feddan, the Chinese mu and qing."""
LENGTHS_M = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048, "yd": 0.9144, "li": 500.0}
"""Metres of the units of length, exactly."""
_BESIDE_WHEN_ON = ("water", "road")
ABOUT = {"both": (0.8, 1.2), "above": (1.0, 1.2), "below": (0.8, 1.0)}
"""The range that an approximate amount means, as parts of it."""
DIAGONAL = "-"
"""In the name of a quarter, such as ``north-west``."""
_HAN = re.compile(r"[\u3400-\u9fff]")
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
class QuestionPart:
    """What is asked of the regions."""

    question: Question | Literal["amount"]
    """``amount`` is how many or how much: the noun decides."""


@dataclass(frozen=True, slots=True)
class UnitPart:
    """The unit in which an area is wanted."""

    unit: AreaUnit | None
    """None for a percentage."""
    is_bare: bool
    """Whether no "in" stands before it: then only a question makes it clear."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Known words whose meaning together is nothing that a filter can do."""

    problem: str


Meaning = Mention | Everything | QuestionPart | UnitPart | Filter | Fault | Token
"""One part of what an instruction means. A Token is a word that only links others."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One part of the meaning, and the words that express it."""

    meaning: Meaning
    tokens: tuple[Token, ...]


def parse_tokens(
    tokens: Sequence[Token], relations: Sequence[str] = (), orders: Mapping[str, Sequence[str]] | None = None
) -> list[Statement]:
    """Find the meaning of tokens, from left to right. At each place the first pattern that fits holds.

    Args:
        tokens: As `lexicon.read_text` gives them.
        relations: Patterns of the language for places in a part of another land cover ("the north of the forest"). No
            filter can do these.
        orders: Patterns of the language for what it orders in its own_rules way, by the name of their meaning.

    Returns:
        Statements that hold all tokens, in order. Words that fit nowhere are Faults.
    """
    merged = _without_heads(tokens)
    kinds = "".join(_letter(token.sense.kind) for token in merged)
    own_rules = [(_pattern(text), _OWN_ORDERS[name]) for name, texts in (orders or {}).items() for text in texts]
    rules = [*own_rules, *((_pattern(relation), _relation) for relation in relations), *_RULES]
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
        if not isinstance(statement.meaning, Mention | Everything | QuestionPart | UnitPart | Fault | Token):
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

    @property
    def is_inverted(self) -> bool:
        """Whether a "not" belongs to the pattern; two of them deny once, as in "no tocan ninguna carretera"."""
        return any(self.has(name) for name in ("invert", "invert_after", "invert_goal"))

    def goal(self, name: str = "goal") -> tuple[str, Shape]:
        """Return the target that a relation is to, and the shape of its regions."""
        sense = self.token(name).sense
        return sense.value or "water", sense.shape

    def stated(self, amount: str, unit: str, part: float = 1) -> str:
        """Return a part of a quantity in its unit as typed, with its number in digits."""
        number = (self.value(amount) if self.has(amount) else 1.0) * part
        text = self.token(unit).text
        return f"{number:.6g}{'' if _HAN.match(text) else ' '}{text}"

    @property
    def preposition(self) -> str:
        """The kind of place that words such as in, on and at name; the most exact one counts."""
        tokens = self._tokens[self._match.start() : self._match.end()]
        if any(token.sense.kind in ("inside", "inside_after", "within", "within_after") for token in tokens):
            return "in"
        values = {token.sense.value for token in tokens if token.sense.kind == "in"}
        return next((value for value in ("at", "on") if value in values), "in")

    def targets(self) -> list[Token]:
        return [t for t in self._tokens[self._match.start() : self._match.end()] if t.sense.kind == "target"]


def _area(match: _PatternMatch) -> list[Meaning]:
    return [_area_filter(_turned(match.value("how"), match), match, "amount", "unit")]


def _about(match: _PatternMatch) -> list[Meaning]:
    """Read ``about 5 ha`` as a range."""
    low, high = ABOUT[match.value("about")]
    return [_area_filter(">=", match, "amount", "unit", low), _area_filter("<=", match, "amount", "unit", high)]


def _range(match: _PatternMatch) -> list[Meaning]:
    low = _area_filter(">=", match, "low", "low_unit" if match.has("low_unit") else "unit")
    high = _area_filter("<=", match, "high", "unit")
    is_odd = match.has("upper") and match.value("upper") != "<="  # from 2 up to 5, but not from 2 more than 5
    return [Fault("inverted range")] if match.has("invert") or is_odd else [low, high]


def _bounds(match: _PatternMatch) -> list[Meaning]:
    """Read two bounds of which one alone has a unit: ``over 12 ha but under 30``."""
    names = ("low_unit", "low_unit") if match.has("low_unit") else ("unit", "unit")
    return [
        _area_filter(match.value(how), match, amount, unit)
        for how, amount, unit in zip(("lower", "upper"), ("low", "high"), names, strict=True)
    ]


def _area_filter(comparison: Any, match: _PatternMatch, name: str, unit_name: str, part: float = 1) -> Meaning:
    amount = (match.value(name) if match.has(name) else 1.0) * part
    unit = match.value(unit_name)
    if amount <= 0:
        return Fault("no amount")
    if unit == "percent":
        return Fault("share")
    if unit in CUSTOMARY_M2:
        return AreaFilter(comparison, amount * CUSTOMARY_M2[unit], "m2", match.stated(name, unit_name, part))
    return AreaFilter(comparison, amount, unit)


def _up_to(match: _PatternMatch) -> list[Meaning]:
    """Read a bound without comparison: ``bis 2 ha``, ``от 2 га``; ``по 2 га`` is the size of each, and no bound."""
    if match.value("bound") == "each":
        return [Fault("unit")]
    comparison = ">=" if match.token("bound").sense.kind == "from" else "<="
    return [_area_filter(comparison, match, "amount", "unit")]


def _top(_: _PatternMatch) -> list[Meaning]:
    """Refuse ``top 5 lakes``: the largest, or those at the top?"""
    return [Fault("top")]


def _turned(comparison: str, match: _PatternMatch) -> str:
    return _OPPOSITE[comparison] if match.is_inverted else comparison


def _near(match: _PatternMatch) -> list[Meaning]:
    amount, unit = match.value("amount") if match.has("amount") else 1.0, match.value("unit")
    if amount <= 0:
        return [Fault("no amount")]
    target, shape = match.goal()
    stated = "" if unit in ("m", "km") else match.stated("amount", "unit")
    within = _turned(match.value("how"), match) in ("<", "<=")
    return [NearFilter(target, amount * LENGTHS_M[unit], within, stated, shape)]


def _adjacent(match: _PatternMatch) -> list[Meaning]:
    target, shape = match.goal() if match.has("goal") else match.goal("shore")
    is_apart = match.has("how") and match.value("how") != "touching"
    return [AdjacentFilter(target, match.is_inverted == is_apart, shape)]


def _enclosed(match: _PatternMatch) -> list[Meaning]:
    """Read "in the lake"; "at the lake" and "on the lake" are beside it, for nothing stands on water or on a road."""
    target, shape = match.goal()
    if match.preposition == "at" or (match.preposition == "on" and target in _BESIDE_WHEN_ON):
        return _adjacent(match)
    is_outside = match.has("out") or (match.has("how") and match.value("how") == ">")  # the Hindi के बाहर
    return [EnclosedFilter(target, match.is_inverted == is_outside, shape)]


def _direction(match: _PatternMatch) -> list[Meaning]:
    target, shape = match.goal()
    where = match.value("where")
    if where == "centre" or where in ("top-left", "top-right", "bottom-left", "bottom-right"):
        return [Fault("relation")]
    return [DirectionFilter(target, where, not match.is_inverted, shape)]


def _between_targets(match: _PatternMatch) -> list[Meaning]:
    (first, first_shape), (second, second_shape) = match.goal("first"), match.goal("second")
    return [BetweenFilter(first, second, not match.is_inverted, first_shape, second_shape)]


def _rank(match: _PatternMatch) -> list[Meaning]:
    order, *words = match.value("how").split()
    is_several = words == ["several"]
    first = int(words[0]) if words and not is_several else 1
    first = int(match.value("ordinal")) if match.has("ordinal") else first
    name = next((name for name in ("count", "count_after") if match.has(name)), None)
    mention: list[Meaning] = [Mention(match.token("goal"))] if match.has("goal") else []
    inside = not match.has("except")
    if name is None:
        return [*mention, Fault("no count") if is_several and first == 1 else RankFilter(order, 1, first, inside)]
    count = match.value(name)
    if count < 1 or count != int(count) or first > 1:
        return [*mention, Fault("no amount")]
    return [*mention, RankFilter(order, int(count), inside=inside)]


def _counted(match: _PatternMatch) -> list[Meaning]:
    """Read the Arabic ``كم`` without a number before it: it asks how many rather than being a kilometre."""
    return [QuestionPart("count"), Mention(match.token("goal"))]


def _asked_amount(_: _PatternMatch) -> list[Meaning]:
    """Read the Arabic ``كم من``: how much of something."""
    return [QuestionPart("amount")]


def _question(match: _PatternMatch) -> list[Meaning]:
    question = match.value("what")
    is_share = match.has("unit") and match.value("unit") == "percent"
    is_of_length = match.has("unit") and match.token("unit").sense.kind == "length"
    if question == "length" or is_of_length:
        return [Fault("asked_length")]
    if match.has("unit"):
        return [QuestionPart("share" if is_share else "area"), *_unit_asked(match)]
    return [QuestionPart(question)]


def _asked_in_unit(match: _PatternMatch) -> list[Meaning]:
    """Read the Arabic ``كم`` before a unit: how many of it."""
    return [QuestionPart("area"), *_unit_asked(match)]


def _unit_asked(match: _PatternMatch) -> list[Meaning]:
    """Read ``in acres``: the unit of the answer."""
    token = match.token("unit")
    name = token.sense.value
    if token.sense.kind == "length":
        return [Fault("asked_length")]
    if name == "px":
        return [Fault("unit")]
    is_bare = not (match.has("in") or match.has("in_after"))
    if name == "percent":
        return [UnitPart(None, is_bare)]
    unit = AreaUnit(token.text, CUSTOMARY_M2[name]) if name in CUSTOMARY_M2 else AreaUnit(name, SQUARE_METRES[name])
    return [UnitPart(unit, is_bare)]


def _place(match: _PatternMatch) -> list[Meaning]:
    place = match.value("where")
    wrong = "half" if DIAGONAL in place or place == "centre" else "quarter"
    if any(match.has(name) and match.token(name).sense.kind == wrong for name in ("part", "part_after")):
        return [Fault("place")]
    return [PlaceFilter(place, inside=not match.is_inverted)]


def _drawn(match: _PatternMatch) -> list[Meaning]:
    side = match.token("side").sense
    is_inside = side.kind not in ("outside", "outside_after") and side.value != ">"
    return [DrawnFilter(is_inside != match.is_inverted)]


def _edge(match: _PatternMatch) -> list[Meaning]:
    touching = not match.has("how") or match.value("how") == "touching"
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


def _far(_: _PatternMatch) -> list[Meaning]:
    """Refuse what is far from a land cover: how far?"""
    return [Fault("far")]


def _bad_amount(match: _PatternMatch) -> list[Meaning]:
    problems = {"minus": "minus", "length": "length"}
    return [Fault(next((problem for name, problem in problems.items() if match.has(name)), "number"))]


_Rule = tuple[re.Pattern[str], Callable[[_PatternMatch], list[Meaning]]]
_KINDS = (
    "about", "adjacent", "adjacent_after", "all", "and", "article", "as_unit", "bare_place", "between",
    "between_after", "but", "comma", "compare", "compare_after", "contrast", "direction", "direction_after",
    "drawn", "edge", "everything", "except", "except_after", "from", "half", "in", "inside", "inside_after",
    "length", "minus", "near", "not", "not_after", "number", "of", "or", "ordinal", "outside", "outside_after",
    "particle", "place", "place_adjective", "quarter", "question", "rank", "scene", "shore", "shore_adjacent",
    "target", "to", "touch", "unit", "vague", "within", "within_after",
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


_NOT, _NOT_AFTER = "invert:not|except?", "invert_after:not_after?"
_AREA = "amount:number|article unit:unit"
_DISTANCE = "amount:number|article unit:length"
_BEFORE = "how:within|compare"
_AFTER = "how:within_after|inside_after|outside_after"
_LIST = "target ((comma|and|or)+ of* not? all? target)*"
_LOW = "low:number|article low_unit:unit?"
_GOAL = "goal:target|shore"
_ANY_GOAL = f"(article|all)* {_GOAL}"
_NO_GOAL = f"(article|all)* invert_goal:not? (article|all)* {_GOAL}"
_LINK_OF_BOUNDS = "(and|but|contrast|comma)*"
_NOTHING_COUNTED = "(?!unit|length|number|target|rank|of)"
_SHORE_OF = "shore of (of|article)* goal:target"
_RANK = "count:number? how:rank of? count_after:number?"
_RULES: list[_Rule] = [
    (_pattern(text), build)
    for build, texts in {
        _bounds: (
            f"of? lower:compare of? low:number low_unit:unit {_LINK_OF_BOUNDS} upper:compare of? high:number"
            f" {_NOTHING_COUNTED}",
            f"of? lower:compare of? low:number {_LINK_OF_BOUNDS} upper:compare of? high:number unit:unit",
            f"low:number low_unit:unit lower:compare_after {_LINK_OF_BOUNDS} high:number upper:compare_after",
            f"low:number lower:compare_after {_LINK_OF_BOUNDS} high:number unit:unit upper:compare_after",
        ),
        _range: (
            f"{_NOT} between of? {_LOW} and|to|from high:number|article unit:unit between_after?",
            f"{_NOT} from|in|of? {_LOW} to|from high:number unit:unit between_after?",
            f"from {_LOW} upper:compare high:number unit:unit",
            f"{_LOW} and|to|from high:number unit:unit between_after",
        ),
        _near: (
            f"{_NOT} in? {_BEFORE} of? {_DISTANCE} (of|from|to)+ {_ANY_GOAL}",
            f"{_NOT} in? {_BEFORE} (of|in)? unit:length (of|from|to)+ {_ANY_GOAL}",
            f"{_NOT} to? {_DISTANCE} how:compare|compare_after (of|from|to)+ {_ANY_GOAL}",
            f"{_NOT} in? from+ of? {_GOAL} (of|from|in)* {_BEFORE} {_DISTANCE} in?",
            f"{_NOT} in? from+ of? {_GOAL} (of|from|in)* {_DISTANCE} of? {_AFTER}|compare_after {_NOT_AFTER}",
            f"{_GOAL} of? from+ {_DISTANCE} of? {_AFTER}|compare_after {_NOT_AFTER}",
            f"{_NOT} in? {_GOAL} (of|near)* {_DISTANCE} of? {_AFTER}",
            f"near (of|to|from)* {_ANY_GOAL} how:within of? {_DISTANCE}",
        ),
        _area: (
            f"{_NOT} of? how:compare|particle of? {_AREA} vague?",
            f"{_NOT} of? how:compare of? unit:unit",
            f"{_AREA} of? how:compare|compare_after vague? {_NOT_AFTER}",
        ),
        _about: (f"of? about:about in? {_AREA} vague?",),
        _up_to: (f"bound:from {_AREA} compare_after", f"bound:to|from {_AREA}", f"{_AREA} bound:between_after"),
        _question: ("what:question of* unit:unit|length?",),
        _unit_asked: (
            "comma? in:in|as_unit (of|article)* unit:unit|length as_unit?",
            "comma? unit:unit|length in_after:in|as_unit",
            "comma? (of|article)* unit:unit",
        ),
        _rank: (
            f"(but|contrast)* except:except (of|all|article)* {_RANK} goal:target outside_after",
            f"(but|contrast)* except:except|not (except|not|of|to|all|article)* {_RANK} except_after|outside_after?",
            f"except:but (of|all|article)* {_RANK}",
            f"{_RANK} goal:target? except:except_after|not_after",
            f"bare_place? {_RANK}",
            "ordinal:ordinal of? how:rank",
            "ordinal:ordinal goal:target how:rank",
            "count:number goal:target how:rank",
        ),
        _top: ("bare_place number|rank|target",),
        _exclusion: (
            f"everything|all but|contrast {_LIST}",
            f"(except|not)+ (of|to)* all? {_LIST} (except_after|outside_after)?",
            f"{_LIST} except_after|outside_after",
            f"but|contrast {_LIST} not_after",
            "target not_after",
        ),
        _drawn: (
            f"{_NOT} in? drawn of? side:inside_after|outside_after|within_after {_NOT_AFTER}",
            f"{_NOT} side:in|within|inside|outside of? drawn {_NOT_AFTER}",
        ),
        _edge: (
            f"{_NOT} how:touch invert_after:not? (in|of|to|from)* (scene of?)? edge",
            f"(scene of?)? edge (of|from|to|in)* {_NOT} how:touch {_NOT_AFTER}",
            f"{_NOT} (of|from|in)* (scene of?)? edge (of|from|to|in)* how:touch {_NOT_AFTER}",
            f"{_NOT} (in|adjacent|of)+ (scene of?)? edge (of scene)? adjacent_after? {_NOT_AFTER}",
            f"{_NOT} (scene of?)? edge (in|adjacent_after)+ {_NOT_AFTER}",
            f"{_NOT} in? adjacent (of|in)* scene",
        ),
        _link: ("(in|of|from|inside|within)* scene:scene (of|inside_after)*",),
        _between_targets: (
            f"{_NOT} in? between (of|to|article)* first:target and (of|to|article)* second:target between_after?",
            "in? first:target and second:target of? between_after",
        ),
        _adjacent: (
            f"{_NOT} in|adjacent (of|to|from|in|article)* {_SHORE_OF}",
            f"{_NOT} in (of|to|from|in|article)* goal:target shore",
            f"{_NOT} adjacent invert_after:not? (of|to|from|in|article)* {_GOAL} adjacent_after",
            f"{_NOT} in? adjacent (of|to|from|in)* {_NO_GOAL}",
            f"{_NOT} how:touch (of|to|from|in)* {_NO_GOAL}",
            f"{_NOT} in (article|of)* {_GOAL} adjacent_after",
            f"{_NOT} in article? goal:shore",
            f"{_GOAL} of? adjacent_after in? {_NOT_AFTER}",
            f"{_NOT} (in|of|from)* shore:shore_adjacent in?",
        ),
        _direction: (
            f"{_NOT} in? where:direction (of|from)* {_ANY_GOAL}",
            f"{_GOAL} of? where:direction_after in? {_NOT_AFTER}",
        ),
        _relation: ("in? place|place_adjective and|or in? direction",),  # north and south of the river
        _place: (
            "in? where:direction (of|from)* scene inside_after?",
            "invert:not|outside|except? (in|of|inside)* part:half|quarter? of? where:place|place_adjective|bare_place"
            f" part_after:half|quarter? (of|in)* inside_after? {_NOT_AFTER}",
        ),
        _enclosed: (
            f"{_NOT} in|inside|within (of|in)* (article|all)* invert_goal:not? (article|all)* goal:target"
            " inside_after?",
            f"out:outside (of|in|from)* {_ANY_GOAL}",
        ),
        _everything: ("everything",),
        _mention: ("goal:target",),
        _bad_amount: ("compare|within of? minus:minus? number length:length|unit?",),
    }.items()
    for text in texts
]
"""Patterns over kinds of tokens, in the order in which they are tried."""
_OWN_ORDERS = {
    "adjacent": _adjacent,
    "amount": _asked_amount,
    "count": _counted,
    "direction": _direction,
    "enclosed": _enclosed,
    "far": _far,
    "near": _near,
    "place": _place,
    "scene": _link,
    "unit": _asked_in_unit,
}
"""The meanings whose words stand in an order of the language's own."""
