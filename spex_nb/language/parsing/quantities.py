"""Numbers in words, halves and approximate amounts: tokens of one quantity become one number and its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from spex_nb.language.parsing.tokens import Sense, Token, join_words

PARTS = {"half": 0.5, "quarter": 0.25}
"""Kinds of words for parts of a unit."""
HUNDRED, THOUSAND = 100, 1000
_UNITS = ("unit", "length")
_BOUNDS = ("compare", "within", "between", "to", "from", "and", "particle")
"""Kinds of words after which "about" adds nothing."""
_TEENS_AFTER = (60, 80)
"""French counts on to nineteen after sixty and eighty."""


def merge_quantities(tokens: Sequence[Token], code: str) -> list[Token]:
    """Return tokens with each quantity as a number and a unit.

    Args:
        tokens: As the lexicon reads them, without harmless words.
        code: The language: its order of digits differs in Arabic and Chinese.
    """
    unpacked = [part for token in tokens for part in _unpacked(token)]
    merged: list[Token] = []
    place = 0
    while place < len(unpacked):
        token, end = _quantity(unpacked, place, code)
        merged.append(token)
        place = end
    return _about(_near_amounts(_halves_after(_without_lone_pixels(merged))))


def compound_number(word: str, values: Mapping[str, float]) -> float | None:
    """Return the number that a German word such as ``einundzwanzig`` means; None if it means none.

    Args:
        word: One folded word.
        values: Folded number words and their values.
    """
    parts = _segments(word, values)
    if not parts:
        return None
    tokens = [Token(Sense("and") if part == "und" else Sense("numeral", values[part]), part) for part in parts]
    token, end = _run(tokens, 0, ones_first=True, by_digits=False)
    return float(token.sense.value) if end == len(tokens) else None


def _segments(word: str, values: Mapping[str, float]) -> list[str]:
    """Return a word as number words and ``und``, or nothing."""
    if not word:
        return []
    for length in range(len(word), 1, -1):
        head, rest = word[:length], word[length:]
        if head != "und" and head not in values:
            continue
        if not rest:
            return [head]
        if parts := _segments(rest, values):
            return [head, *parts]
    return []


def _unpacked(token: Token) -> list[Token]:
    """Return the number and the unit of a word that holds both, such as ``полгектара``."""
    if token.sense.kind != "packed":
        return [token]
    amount, unit = token.sense.value.split()
    kind = "length" if unit in ("m", "km", "mi") else "unit"
    return [Token(Sense("number", float(amount)), ""), Token(Sense(kind, unit), token.text)]


def _quantity(tokens: Sequence[Token], place: int, code: str) -> tuple[Token, int]:
    """Return the number that starts at a place, or the token itself, and where it ends."""
    token = tokens[place]
    kind, following = token.sense.kind, _kinds(tokens, place + 1)
    if kind in PARTS and (skipped := _skip(following)) < len(following) and following[skipped] in _UNITS:
        return _number(PARTS[kind], tokens[place : place + 1]), place + 1 + skipped
    if kind in PARTS and _is_lower_bound(tokens, place):
        return _number(PARTS[kind], tokens[place : place + 1]), place + 1
    if kind == "article" and following[:1] in (["half"], ["quarter"]):
        part, end = _quantity(tokens, place + 1, code)
        return (part, end) if part.sense.kind == "number" else (token, place + 1)
    if kind == "offset" and following[:1] and following[0] in ("number", "numeral"):
        whole, end = _quantity(tokens, place + 1, code)
        return _number(whole.sense.value + float(token.sense.value), tokens[place:end]), end
    is_article = kind == "article" and following[:1] == ["numeral"] and tokens[place + 1].sense.value >= 12  # noqa: PLR2004
    if kind not in ("number", "numeral") and not is_article:
        return token, place + 1
    number, end = _run(
        tokens, place + is_article, code == "ar", code == "zh", joins=not _is_bound_of_range(tokens, place)
    )
    return _with_part(tokens, number, end)


def _is_lower_bound(tokens: Sequence[Token], place: int) -> bool:
    """Say whether a part of a unit stands in "between half and one hectare"."""
    before = next((token.sense.kind for token in reversed(tokens[:place]) if token.sense.kind != "article"), "")
    kinds = _kinds(tokens, place + 1)
    is_joined = kinds[:1] in (["and"], ["to"], ["from"]) and kinds[1:2] in (["number"], ["numeral"], ["article"])
    return is_joined and before in ("between", "from", "of", "in") and kinds[2:3] in (["unit"], ["length"])


def _with_part(tokens: Sequence[Token], number: Token, end: int) -> tuple[Token, int]:
    """Add ``and a half`` to a number, or take ``quarters`` of it."""
    kinds = _kinds(tokens, end)
    joined = 1 if kinds[:1] == ["and"] else 0
    part = kinds[joined] if joined < len(kinds) else ""
    if part not in PARTS:
        return number, end
    after = end + joined + 1
    skipped = _skip(kinds[joined + 1 :])
    rest = kinds[joined + 1 + skipped :]
    is_lower_bound = joined and rest[:1] in (["and"], ["to"]) and rest[1:2] in (["number"], ["numeral"])
    is_before_unit = rest[:1] in (["unit"], ["length"]) or is_lower_bound  # between two and a half and ten hectares
    if not is_before_unit:
        return number, end
    is_more = bool(joined) or (part == "half" and number.sense.value > 1)  # "one half" is less than one
    value = number.sense.value + PARTS[part] if is_more else number.sense.value * PARTS[part]
    return _number(value, [number, *tokens[end:after]]), after + skipped


def _run(
    tokens: Sequence[Token], place: int, ones_first: bool, by_digits: bool, joins: bool = True
) -> tuple[Token, int]:
    """Read number words as one number as long as they fit: ``two hundred and fifty``, ``三千五百``."""
    count = _Count(ones_first, by_digits)
    end = place
    while end < len(tokens):
        step = 1 if end > place and joins and tokens[end].sense.kind == "and" else 0
        token = tokens[end + step] if end + step < len(tokens) else None
        is_word = token is not None and (token.sense.kind == "numeral" or end == place)
        if token is None or not is_word or not count.take(float(token.sense.value), is_joined=bool(step)):
            break
        end += step + 1
    return _number(count.value, tokens[place:end]), end


class _Count:
    """A number that grows by one word after the other."""

    def __init__(self, ones_first: bool, by_digits: bool) -> None:
        self._ones_first = ones_first
        self._by_digits = by_digits
        self._small = {HUNDRED, 10, THOUSAND} if by_digits else {HUNDRED}
        self._scale_before = self._idle = 0.0
        self._total = self._group = self._last = 0.0
        self._least = float("inf")
        self._is_empty = True

    @property
    def value(self) -> float:
        return self._total + self._group + self._idle

    def take(self, value: float, *, is_joined: bool) -> bool:
        """Add a word's value, if it fits."""
        is_taken = self._add(value, is_joined)
        if is_taken and self._by_digits:
            # A last digit behind a unit counts the next lower one: 一千二 is 1200, but 一千零二 is 1002.
            is_short = 0 < value < 10 and self._scale_before >= HUNDRED  # noqa: PLR2004
            self._idle = value * (self._scale_before / 10 - 1) if is_short else 0.0
            self._scale_before = value if value >= 10 else 0.0  # noqa: PLR2004
        return is_taken

    def _add(self, value: float, is_joined: bool) -> bool:
        if value == 0 and not self._is_empty:
            return self._by_digits
        if value in self._small and not self._is_empty and 0 < self._last < value:
            self._group += self._last * (value - 1)
            self._last = 0.0
            return True
        if value >= THOUSAND and value not in self._small:
            return self._scale(value)
        if not self._fits(value, is_joined):
            return False
        self._group += value
        self._last = value
        self._is_empty = False
        return True

    def _scale(self, value: float) -> bool:
        if value >= self._least:
            return False
        self._total += (self._group or 1) * value
        self._group = self._last = 0.0
        self._least, self._is_empty = value, False
        return True

    def _fits(self, value: float, is_joined: bool) -> bool:
        group = self._group
        if self._is_empty or (not group and value < self._least):
            return True
        if value != int(value) or group != int(group):
            return False
        is_ones_first = self._ones_first and is_joined and 0 < group % HUNDRED < 10 and value in range(20, 100, 10)  # noqa: PLR2004
        is_french = group % HUNDRED in _TEENS_AFTER and value < 20  # noqa: PLR2004
        return is_ones_first or is_french or (group > 0 and group % 10 ** len(str(int(value))) == 0)


def _is_bound_of_range(tokens: Sequence[Token], place: int) -> bool:
    """Say whether a number stands in "between A and B", with the one "and" that parts both."""
    for token in reversed(tokens[:place]):
        if token.sense.kind in _UNITS:
            return False
        if token.sense.kind == "between":
            kinds = _kinds(tokens, place)
            before_unit = kinds[: next((i for i, kind in enumerate(kinds) if kind in _UNITS), len(kinds))]
            return sum(kind in ("and", "to") for kind in before_unit) <= 1
    return False


def _without_lone_pixels(tokens: Sequence[Token]) -> list[Token]:
    """Drop pixels that are no unit of a number: ``the pixels of water``."""
    pairs = zip([None, *tokens], tokens, strict=False)
    return [
        token
        for before, token in pairs
        if token.sense.value != "px" or (before is not None and before.sense.kind in ("number", "article", "compare"))
    ]


def _halves_after(tokens: Sequence[Token]) -> list[Token]:
    """Add a half that follows the unit: ``dos hectáreas y media``, ``2公顷半``."""
    merged: list[Token] = []
    place = 0
    while place < len(tokens):
        token, kinds = tokens[place], _kinds(tokens, place + 1)
        step = 1 if kinds[:1] == ["and"] else 0
        has_half = kinds[step : step + 1] == ["half"] and not _belongs_to_place(kinds[step + 1 :], step)
        if token.sense.kind in _UNITS and merged and has_half:
            is_counted = merged[-1].sense.kind in ("number", "article")
            whole = merged.pop() if is_counted else Token(Sense("number", 1.0), "")
            merged.append(_number(float(whole.sense.value) + PARTS["half"], [whole]))
            place += step + 1
        merged.append(token)
        place += 1
    return merged


def _belongs_to_place(following: Sequence[str], is_joined: int) -> bool:
    """Say whether a half is one of the scene: ``2 ha, half of the picture``."""
    kinds = ("of", "place", "place_adjective", "scene", "in")
    return bool(following) and following[0] in kinds and not (is_joined and following[0] == "in")


def _near_amounts(tokens: Sequence[Token]) -> list[Token]:
    """Read "close to 5 ha" as about 5 ha."""
    kinds = [token.sense.kind for token in tokens]
    return [
        replace(token, sense=Sense("about", "both")) if kinds[i : i + 3] == ["near", "number", "unit"] else token
        for i, token in enumerate(tokens)
    ]


def _about(tokens: Sequence[Token]) -> list[Token]:
    """Put "about" before its number, or drop it where a bound or no number is beside it."""
    merged: list[Token] = []
    for place, token in enumerate(tokens):
        if token.sense.kind != "about":
            merged.append(token)
            continue
        before = [other.sense.kind for other in merged if other.sense.kind not in ("article", "of")]
        after = _kinds(tokens, place + 1)
        if after[:1] in (["number"], ["article"]) or after[:2] == ["in", "number"]:
            if not before or before[-1] not in _BOUNDS:
                merged.append(token)
        elif after[:1] and after[0] in _UNITS and (not before or before[-1] not in (*_BOUNDS, "number")):
            merged += [token, Token(Sense("number", 1.0), "")]  # about an acre
        elif before[-2:-1] == ["number"] and before[-1] in _UNITS and not {*before[-4:-2]} & {*_BOUNDS}:
            merged.insert(len(merged) - 2, token)
        elif _is_part_of_all(token, before, after):
            merged.append(token)
    return merged


def _is_part_of_all(about: Token, before: Sequence[str], after: Sequence[str]) -> bool:
    """Say whether "about" leaves some regions out: nearly all water, almost every lake."""
    is_before_target = after[:1] == ["target"] and about.sense.value == "below"
    return is_before_target or after[:1] == ["all"] or before[-2:] == ["all", "target"]


def _kinds(tokens: Sequence[Token], place: int) -> list[str]:
    return [token.sense.kind for token in tokens[place:]]


def _skip(kinds: Sequence[str]) -> int:
    """Return how many articles and prepositions come first."""
    return next((i for i, kind in enumerate(kinds) if kind not in ("of", "article")), len(kinds))


def _number(value: float, tokens: Sequence[Token]) -> Token:
    return replace(tokens[0], sense=Sense("number", value), text=join_words([t.text for t in tokens if t.text]))
