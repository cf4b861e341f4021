"""From a text in any of the nine languages to the words and figures that describe regions."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from spex_nb.language.languages import ARABIC_DECIMAL, Language, fold, get_language, read_data, read_section
from spex_nb.types.targets import TARGETS

LONGEST_NUMBER = 40
"""Characters of the longest number that is read; longer ones are noise."""
OTHER_INDICES = ("EVI", "SAVI", "MSAVI", "NDMI", "NDRE", "AWEI", "UI", "NBR2")
"""Names of indices beside those of `targets.TARGETS`."""
_LETTER = r"[^\W\d_]|[\u0900-\u0963\u0970-\u097f]"
_CJK = r"\u3400-\u9fff"
_NUMBER = (
    rf"(?<![a-z0-9_])(?<![^\W\d_{_CJK}]-)"  # neither H2O nor Sentinel-2 holds a figure
    rf"(?P<sign>(?<![^\W{_CJK}])(?<![)\]%])[-–])?"  # people write dashes for minus
    r"(?P<digits>\d+(?:[ ]\d{3}(?!\d)|[.,٫٬']\d+)*(?:e[-+]?\d+)?)"
)
_PAIR = r"[\[(]\s{0,9}(-?\d{1,9}(?:\.\d{1,9})?)\s{0,9},\s{0,9}(-?\d{1,9}(?:\.\d{1,9})?)\s{0,9}[\])]"
_PAIR_WITH_SPACE = _PAIR.replace(r",\s{0,9}", r",\s{1,9}")
"""Where the comma is the decimal mark, ``(0,45)`` is a number in brackets."""
_QUOTIENT = r"(?<![\d/⁄.,])(?P<top>\d{1,2})[/⁄](?P<bottom>\d{1,2})(?![\d/⁄])"
LARGEST_DENOMINATOR = 12
_MARKS = (
    r"(?P<pm>±|\+/-)",
    r"(?P<times>×)",
    r"(?P<stop>[.!?。！？।؟۔\n]+)",
    r"(?P<comma>[,;:，；：،؛])",
)
_GROUP = 3
_ARTICLE = re.compile("[وف]?[بك]?ال|[وف]?لل")
"""The Arabic article, with what is written together with it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the text."""

    value: float
    """NaN where it is too long or too large to mean anything."""
    half_unit: float
    """Half a unit of its last digit: the error of its rounding."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a figure or a mark of punctuation."""

    start: int
    """In characters of the original text."""
    end: int
    senses: Mapping[str, str]
    """Its possible meanings: kind -> value; empty for words without a meaning here."""
    figure: Figure | None = None
    pair: tuple[float, float] | None = None

    def __contains__(self, kind: str) -> bool:
        return kind in self.senses


Sentence = list[list[Token]]
"""Its clauses."""


def read_sentences(text: str, language: str, index_name: str = "") -> list[Sentence]:
    """Split a text into sentences of clauses of tokens, in one pass and in time that grows with its length.

    Args:
        text: Anything.
        language: ISO 639-1 code.
        index_name: Name of an index to look for, beside the well-known ones.
    """
    plain, places = _fold_with_places(text)
    sentences: list[Sentence] = [[[]]]
    for token in _tokens(plain, places, text, language, index_name):
        clauses = sentences[-1]
        if "stop" in token:
            sentences.append([[]])
        elif "comma" in token:
            clauses.append([])
        elif "contrast" in token:
            clauses.append([token])
        elif clauses[-1] and (corner := _corner(clauses[-1][-1], token, text)):
            clauses[-1][-1] = corner
        else:
            clauses[-1].append(token)
    spoken = ([clause for clause in sentence if clause] for sentence in sentences)
    return [sentence for sentence in spoken if sentence]


def _corner(first: Token, second: Token, text: str) -> Token | None:
    """Return two words side by side as one place, if they name a row and a column: ``north west`` is top left."""
    if "place" not in first or "place" not in second or text[first.end : second.start].strip(" -\u00a0"):
        return None
    named = {first.senses["place"], second.senses["place"]}
    row, column = named & {"top", "bottom"}, named & {"left", "right"}
    return Token(first.start, second.end, {"place": f"{row.pop()}-{column.pop()}"}) if row and column else None


def _fold_with_places(text: str) -> tuple[str, list[int]]:
    """Return the folded text, and the position of the source of each of its characters."""
    folded, places = [], []
    for place, char in enumerate(text):
        for plain in _fold_char(char):
            folded.append(plain)
            places.append(place)
    return "".join(folded), places


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    digit = unicodedata.digit(char, None) if unicodedata.category(char) == "Nd" else None
    return fold(char) if digit is None else str(digit)


def _tokens(plain: str, places: list[int], text: str, language: str, index_name: str) -> Iterator[Token]:
    pattern, meanings = _lexer(language, index_name)
    decimal = get_language(language).decimal
    for match in pattern.finditer(plain):
        start, end = places[match.start()], places[match.end() - 1] + 1
        if match["digits"]:
            yield _number_token(match, start, end, decimal)
        elif match["top"]:
            yield _quotient_token(int(match["top"]), int(match["bottom"]), start, end)
        elif match["pair"]:
            x, y = re.findall(r"-?\d+(?:\.\d+)?", match["pair"])
            yield Token(start, end, {"pair": ""}, pair=(float(x), float(y)))
        else:
            senses = meanings.get(match.lastgroup or "", {})
            yield Token(start, end, _sure_senses(senses, text[start:end], index_name))


def _quotient_token(top: int, bottom: int, start: int, end: int) -> Token:
    """Return ``4/5`` as a fraction; other pairs of numbers, such as a day and a month, mean nothing here."""
    is_fraction = 0 < top < bottom <= LARGEST_DENOMINATOR
    return Token(start, end, {"fraction": str(top / bottom)} if is_fraction else {})


def _number_token(match: re.Match[str], start: int, end: int, decimal: str) -> Token:
    figure = read_figure(match["digits"], decimal)
    sign = -1 if match["sign"] else 1
    return Token(start, end, {"number": ""}, Figure(sign * figure.value, figure.half_unit))


def _sure_senses(senses: Mapping[str, str], written: str, index_name: str) -> Mapping[str, str]:
    """Drop an index's name in small letters, for ``bi`` and ``ui`` are words too, and "the small ones" without "the".

    An Arabic adjective with its article names others than the largest; without it, it says how large a region is.
    """
    if "index" in senses and not written.isupper() and written != index_name:
        return {}
    is_arabic = "\u0600" <= written[0] <= "\u06ff"
    if is_arabic and "others" in senses and "size" in senses and not _ARTICLE.match(written):
        return {kind: value for kind, value in senses.items() if kind != "others"}
    return senses


def read_figure(digits: str, decimal: str) -> Figure:
    """Read a number in ASCII digits. Its marks mean what they mean in the language, unless that is impossible.

    ``1.234`` is 1234 where the comma is the decimal mark, while ``0.43`` is 0.43 there too.

    Args:
        digits: Digits with decimal mark, thousands separators and exponent, as `read_sentences` cuts them out.
        decimal: The language's decimal mark.
    """
    if len(digits) > LONGEST_NUMBER:
        return Figure(math.nan, math.nan)
    mantissa, _, exponent = digits.partition("e")
    marks = re.findall(r"[.,٫]", mantissa)
    mark = marks[-1] if marks and _is_decimal(mantissa, marks, decimal) else ""
    whole, _, part = mantissa.rpartition(mark) if mark else (mantissa, "", "")
    plain = f"{re.sub(r'[^0-9]', '', whole) or 0}.{part or 0}e{exponent or 0}"
    value = float(plain)
    if not math.isfinite(value):
        return Figure(math.nan, math.nan)
    return Figure(value, 0.5 * 10.0 ** (int(exponent or 0) - len(part)))


def _is_decimal(digits: str, marks: list[str], usual: str) -> bool:
    """Say whether the last mark stands before decimals."""
    last = marks[-1]
    if last == ARABIC_DECIMAL or len(set(marks)) > 1:
        return True
    if len(marks) > 1:
        return False
    before, _, after = digits.partition(last)
    is_group = len(after) == _GROUP and before != "0" and len(before) <= _GROUP
    return last == usual or not is_group


@lru_cache(maxsize=64)
def _lexer(language: str, index_name: str) -> tuple[re.Pattern[str], Mapping[str, Mapping[str, str]]]:
    """Return one expression for all tokens, and the meanings of the words of each of its groups."""
    senses = {form: dict(meanings) for form, meanings in _vocabulary(language).items()}
    index_names = {index for target in TARGETS.values() for index in target.indices}
    for name in filter(None, {*OTHER_INDICES, *index_names, index_name}):
        senses[fold(name)] = {"index": name}
    meanings: dict[str, Mapping[str, str]] = {kind: {kind: ""} for kind in ("stop", "comma", "pm", "times")}
    by_first: dict[str, list[str]] = {}
    for number, form in enumerate(sorted(senses, key=lambda form: (-len(form), form))):
        meanings[f"w{number}"] = senses[form]
        by_first.setdefault(form[0], []).append(f"(?P<w{number}>{_word(form, language)})")
    # Hundreds of words are tried only where their first letter stands: a tenth of the time.
    prefix = "[وفبكلا]{0,4}" if language == "ar" else ""
    branches = [f"(?={prefix}{re.escape(first)})(?:{'|'.join(words)})" for first, words in by_first.items()]
    repeat = "" if language == "zh" else "+"
    other = rf"(?P<other>[^\W\d\u0900-\u097f]{repeat}|[\u0900-\u0963\u0970-\u097f]+)"
    pair = _PAIR_WITH_SPACE if get_language(language).decimal == "," else _PAIR
    return re.compile("|".join([f"(?P<pair>{pair})", _QUOTIENT, _NUMBER, *branches, *_MARKS, other])), meanings


def _word(form: str, language: str) -> str:
    """Return the expression of a word; ``*`` stands for any ending."""
    if language == "zh":
        return re.escape(form)
    body = r"\s+".join(_one_word(part, language) for part in form.split())
    first, last = form[0], form[-1]
    before = rf"(?<!{_negated(first)})" if first.isalnum() else ""
    after = rf"(?!{_LETTER})" if last.isalnum() else ""
    after = rf"(?![\d])(?!{_LETTER})" if last.isalpha() or _is_sign(last) else after
    return before + body + after


def _negated(first: str) -> str:
    return r"[^\W\d_]" if not "\u0900" <= first <= "\u097f" else r"[\u0900-\u0963\u0970-\u097f]"


def _is_sign(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Mc")


def _one_word(word: str, language: str) -> str:
    stem, any_ending = word.rstrip("*"), word.endswith("*")
    body = re.escape(stem) + (rf"(?:{_LETTER}){{0,12}}" if any_ending else "")
    if language == "ar":  # articles and one-letter prepositions are written together with the word
        body = rf"(?:[وف]?[بكل]?(?:ال)?|[وف]?لل){body}"
    return body


@cache
def _vocabulary(language: str) -> Mapping[str, Mapping[str, str]]:
    """Return every form with a meaning, and its meanings: kind -> value."""
    senses: dict[str, dict[str, str]] = {}
    for kind, value, form in _meanings(get_language(language), _words(language)):
        senses.setdefault(_stem(fold(form), language), {}).setdefault(kind, value)
    return senses


def _meanings(language: Language, words: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, value and form of each word; of two meanings of the same kind the first one counts."""
    for kind, claim_words, common_words in (
        ("size", words["sizes"], language.sizes),
        ("place", words["places"], language.places),
        ("target", words["targets"], language.targets),
    ):
        for value, form in (*_pairs(claim_words), *_pairs(common_words)):
            if kind != "size" or len(form) > 1:  # the Chinese for large and small is part of too many other words
                yield kind, value, form
    yield from (("unit", unit, form) for unit, forms in language.units.items() for form in forms)
    # In most languages one is the article too.
    yield from (("numeral", n, form) for n, forms in language.numbers.items() if n != "1" for form in forms)
    yield from (("scale", str(factor), form) for form, factor in words["scales"].items())
    for kind in words.keys() - {"sizes", "places", "targets", "scales"}:
        has_values = isinstance(words[kind], Mapping)
        yield from (
            ((kind, value, form) for value, form in _pairs(words[kind]))
            if has_values
            else ((kind, "", form) for form in words[kind])
        )


def _pairs(forms_of: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((value, form) for value, forms in forms_of.items() for form in forms)


def _stem(form: str, language: str) -> str:
    """Drop the Arabic article, which `_one_word` allows before any word."""
    if language != "ar":
        return form
    return " ".join(word[2:] if word.startswith("ال") and len(word) > 4 else word for word in form.split())  # noqa: PLR2004


def _words(language: str) -> Mapping[str, Any]:
    """Return the words of claims, those of quantities among them."""
    words = dict(read_section(language, "claims"))
    for kind, more in read_data(f"claims/{language}").items():
        if kind == "targets":
            words[kind] = {name: [*words[kind].get(name, []), *more.get(name, [])] for name in words[kind] | more}
        else:
            words[kind] = more if isinstance(more, Mapping) else [*words.get(kind, []), *more]
    return words
