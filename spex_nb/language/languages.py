"""Nine languages as data: their words for numbers, units, sizes, places and land covers."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from spex_nb.errors import LanguageError, nearest

LANGUAGES = ("en", "ar", "de", "es", "fr", "hi", "pt", "ru", "zh")
"""ISO 639-1 codes. English, the language of errors, comes first."""
NUMBER = r"\d+(?: \d{3}(?!\d)|[.,٫٬'’]\d+)*"
"""Regular expression of a number in digits of any script, after `fold`."""
GROUP_MARKS = " ٬'’"
ARABIC_DECIMAL = "٫"
FULL_WIDTH_STOPS = ("。", "？", "！")

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Language:
    """One language. Answers use the first form of each list."""

    code: str
    endonym: str
    """Its own name for itself."""
    decimal: str
    """``.`` or ``,``."""
    numbers: Words = field(repr=False)
    """``"1"`` ... ``"12"`` -> number words, in every inflection."""
    units: Words = field(repr=False)
    """``m2 ha km2 px m km percent`` -> abbreviations and names."""
    sizes: Words = field(repr=False)
    """The size words of ``regions.SIZE_WORDS`` -> theirs."""
    places: Words = field(repr=False)
    """The cells of ``regions.LOCATIONS`` -> an adverbial phrase, then other words for the cell."""
    targets: Words = field(repr=False)
    """Ids of targets -> nouns, the usual plural or collective name first."""
    instructions: Mapping[str, Any] = field(repr=False)
    """Further words for `lexicon`, and the phrases of `paraphrase`."""


@cache
def get_language(code: str) -> Language:
    """Return a language by its ISO 639-1 code.

    Raises:
        LanguageError: If it is not among `LANGUAGES`.
    """
    if code not in LANGUAGES:
        raise LanguageError(
            "This language is not spoken here",
            found=repr(code),
            expected=f"one of {', '.join(LANGUAGES)}",
            fix=nearest(str(code), LANGUAGES) or "Use one of these codes.",
        )
    data = read_section(code, "words")
    sections = ("numbers", "units", "sizes", "places", "targets")
    words = {name: {key: tuple(forms) for key, forms in data[name].items()} for name in sections}
    return Language(code, data["endonym"], data["decimal"], instructions=read_data(f"instructions/{code}"), **words)


def read_section(code: str, section: Literal["words", "answers", "claims"]) -> dict[str, Any]:
    """Return what a language's file holds for one purpose: its words, its answers or the claims of its texts."""
    sections: dict[str, Any] = read_data(code)[section]
    return sections


def sentence_gap(sentence: str, code: str) -> str:
    """Return what parts a sentence from the next one: nothing after a Chinese full stop, a blank after a mark."""
    space: str = read_section(code, "answers")["space"]
    return space if sentence.endswith(FULL_WIDTH_STOPS) else " "


def join_sentences(sentences: Sequence[str], code: str) -> str:
    """Return sentences as one text, parted as a language parts them."""
    return "".join(sentence + sentence_gap(sentence, code) for sentence in sentences[:-1]) + "".join(sentences[-1:])


@cache
def read_data(name: str) -> dict[str, Any]:
    """Return what a JSON file of the package's language data holds; it is read once, and must not be changed.

    Args:
        name: Below the folder of the data, without suffix, such as ``notes/en``.
    """
    text = files("spex_nb.language").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def fold(text: str) -> str:
    """Return text in the form that is compared: NFKC (² is 2), casefolded, without marks that typists leave out.

    Latin accents, Arabic vowel signs, the Hindi nukta and invisible characters go; ё is е, й is и, the forms of alef,
    yeh and teh marbuta are one each, and traditional Chinese characters are simplified.
    """
    wide = unicodedata.normalize("NFKC", text).casefold()
    letters = (
        char
        for char in unicodedata.normalize("NFKD", wide).translate(_ALIKE)
        if unicodedata.category(char) not in ("Mn", "Cf") or "\u0900" <= char <= "\u097f"  # Devanagari's are vowels
    )
    return unicodedata.normalize("NFC", "".join(letters))


_ALIKE = str.maketrans(
    {"ـ": None, "ى": "ي", "ة": "ه", "ی": "ي", "ک": "ك", "ँ": "ं", "़": None, "ʼ": "'", "’": "'", "‘": "'", "−": "-"}
) | str.maketrans(
    "於體頃積區園圖這個請顯給們裡裏為過離東邊內與別總條塊處築樓農樹叢灘灣淺溝濕綠蓋闊針鹽鹼鐵車線橋機場凍燒毀跡災識檢測標記畫選擇劃圍範緣觸鄰遠較約畝萬兩幾種類對應該沒無讓幫煩謝衛遙"
    "張數據將從間後發現見計長寬廣狀級當點還樣實夠問題嗎麼設許積單級邨廠庫壩",
    "于体顷积区园图这个请显给们里里为过离东边内与别总条块处筑楼农树丛滩湾浅沟湿绿盖阔针盐碱铁车线桥机场冻烧毁迹灾识检测标记画选择划围范缘触邻远较约亩万两几种类对应该没无让帮烦谢卫遥"
    "张数据将从间后发现见计长宽广状级当点还样实够问题吗么设许积单级村厂库坝",
)
"""Characters that typists mix, and the traditional Chinese ones that instructions use."""


def read_number(text: str, language: Language | str) -> float:
    """Read a number of a text in a language.

    Args:
        text: Digits of any script with the language's decimal mark and thousands separators, or a number word.
        language: The language or its code.

    Returns:
        The number. A mark that cannot separate thousands at its place is the decimal mark: ``2,5`` is 2.5 in English
        too.

    Raises:
        LanguageError: If the text is no number.
    """
    tongue = get_language(language) if isinstance(language, str) else language
    plain = fold(text).strip()
    if (word := _number_words(tongue.code).get(plain)) is not None:
        return word
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain)
    if not re.fullmatch(NUMBER, digits):
        raise _no_number(text, tongue)
    ascii_digits = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in digits)
    return sign * _read_digits(ascii_digits, text, tongue)


@cache
def _number_words(code: str) -> dict[str, float]:
    numbers = get_language(code).numbers
    return {fold(form): float(value) for value, forms in numbers.items() for form in forms}


def _read_digits(digits: str, text: str, language: Language) -> float:
    mark = _decimal_mark(digits, language.decimal)
    whole, _, part = digits.rpartition(mark) if mark else (digits, "", "")
    groups = re.split(r"\D", whole)
    # Groups of three; of two before the last three in India (1,00,000).
    if len(groups) > 1 and (len(groups[-1]) != 3 or any(len(g) not in (2, 3) for g in groups[1:])):  # noqa: PLR2004
        raise _no_number(text, language)
    return float(f"{''.join(groups)}.{part or 0}")


def _decimal_mark(digits: str, usual: str) -> str:
    """Return the mark before the decimals, or an empty string."""
    marks = re.findall(r"\D", digits)
    last = marks[-1] if marks else ""
    if last == ARABIC_DECIMAL:
        return last
    if not last or last in GROUP_MARKS or marks.count(last) > 1:
        return ""
    if len(set(marks)) > 1 or last == usual:
        return last
    before, _, after = digits.partition(last)
    can_group = len(after) == 3 and before != "0"  # noqa: PLR2004 (a group of thousands)
    return "" if can_group else last


def _no_number(text: str, language: Language) -> LanguageError:
    return LanguageError(
        f"This is no number in {language.endonym}",
        found=repr(text),
        expected=f"digits such as 1250{language.decimal}5, or a word from {language.numbers['1'][0]} to "
        f"{language.numbers['12'][0]}",
        fix="Write it in digits.",
    )
