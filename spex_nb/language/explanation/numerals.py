"""Numbers of an explanation in nine languages: digits, units, and the plural form that a number takes (CLDR)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spex_nb.language.languages import get_language, read_data, read_number, read_section

SIGNIFICANT = 3
_DIGITS = re.compile(r"\d[\d.,]*\s*")
GROUPED_FROM = 10_000
SMALLEST_FRAC = 0.001
"""Smaller shares are written as "less than" this."""
UNITS_M2 = {"m2": 1.0, "ha": 1e4, "km2": 1e6}
HECTARES_FROM_M2, SQUARE_KILOMETRES_FROM_M2 = 1e4, 1e7
PERCENT = 100
MINUS, LEFT_TO_RIGHT = "\N{MINUS SIGN}", "\N{LEFT-TO-RIGHT MARK}"
COARSE_FROM = 10
MOST_BELOW_ALL = 99.9
"""What is not all of it is never written as 100 %."""
DECIMAL_BELOW = 20
"""Percent below which one digit behind the mark is shown."""


def read_wording(language: str) -> dict[str, Any]:
    """Return the words and sentences of explanations in a language.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    return read_data(f"explanations/{language}")


def plural_category(number: float, language: str) -> str:
    """Return the plural category of a number above 0 in a language, by the rules of CLDR 44.

    Args:
        number: The number as it is written, rounded.
        language: ISO 639-1 code.
    """
    is_whole = float(number).is_integer()
    whole = int(number)
    match language:
        case "zh":
            return "other"
        case "ar":
            return _arabic(whole) if is_whole else "other"
        case "ru":
            return _russian(whole) if is_whole else "other"
        case "fr" | "pt":
            return "one" if whole in (0, 1) else "other"
        case "hi":
            return "one" if number <= 1 else "other"
    return "one" if number == 1 else "other"


def _arabic(number: int) -> str:
    if number < 3:  # noqa: PLR2004
        return ("zero", "one", "two")[number]
    last = number % 100
    if 3 <= last <= 10:  # noqa: PLR2004
        return "few"
    return "many" if last >= 11 else "other"  # noqa: PLR2004


def _russian(number: int) -> str:
    last, tens = number % 10, number % 100 // 10
    if tens == 1 or last not in (1, 2, 3, 4):
        return "many"
    return "one" if last == 1 else "few"


@dataclass(frozen=True)
class StatedUnit:
    """A unit of area that the user wrote and that is not metric, such as acres.

    Attributes:
        words: As it stands after a number, with the space between.
        square_metres: Of one of it.
    """

    words: str
    square_metres: float


def stated_unit(quantity: str, square_metres: float, language: str) -> StatedUnit | None:
    """Return the unit of a quantity such as ``100 acres``; None where its number is a word, or one.

    Args:
        quantity: As the user wrote it.
        square_metres: What it is.
        language: ISO 639-1 code.
    """
    digits = _DIGITS.match(quantity)
    if digits is None:
        return None
    number = read_number(digits[0].strip(), language)
    words = quantity[len(digits[0].rstrip()) :]
    # After one, the noun is in a form that suits no other number.
    return StatedUnit(words, square_metres / number) if number > 1 and words.strip() else None


class Numerals:
    """Writes numbers in one language.

    Args:
        language: ISO 639-1 code.
        unit: Unit of areas that the user wrote: ``m2``, ``ha``, ``km2`` or another one; what reads best if not given.
    """

    def __init__(self, language: str, unit: str | StatedUnit | None = None) -> None:
        self._language, self._unit = language, unit
        self._decimal_mark = get_language(language).decimal
        self._answers, self._wording = read_section(language, "answers"), read_wording(language)

    def area(self, square_metres: float, margin: float | None = None) -> str:
        """Return an area on the ground, with half of its interval where it has one."""
        if isinstance(self._unit, StatedUnit) and margin is None:
            return self.rounded(square_metres / self._unit.square_metres) + self._unit.words
        unit = self._unit if isinstance(self._unit, str) else _best_unit(square_metres)
        size = UNITS_M2[unit]
        return self._with_unit(square_metres / size, unit, None if margin is None else margin / size)

    def pixels(self, number: float, margin: float | None = None) -> str:
        """Return a number of pixels, with half of its interval where it has one."""
        return self._with_unit(round(number), "px", None if margin is None else round(margin))

    def percent(self, frac: float) -> str:
        """Return a share in percent: whole from 20 % on."""
        if 0 < frac < SMALLEST_FRAC:
            smallest = self._answers["percent"].format(self.decimal(SMALLEST_FRAC * PERCENT, 1))
            return str(self._answers["below"].format(smallest))
        percent = min(frac * PERCENT, MOST_BELOW_ALL) if frac < 1 else frac * PERCENT
        is_near_whole = frac > 1 - 0.5 / PERCENT and frac < 1
        return self._percent(percent, 1 if percent < DECIMAL_BELOW or is_near_whole else 0)

    def exact_percent(self, frac: float) -> str:
        """Return a share in percent with one digit behind the mark, as parts that are to add up need it."""
        if frac < DECIMAL_BELOW / PERCENT:
            return self.percent(frac)
        return self._percent(min(frac * PERCENT, MOST_BELOW_ALL) if frac < 1 else frac * PERCENT, 1)

    def coarse_percent(self, frac: float) -> str:
        """Return a reflectance or a probability in percent: whole from 10 % on."""
        return self._percent(frac * PERCENT, 1 if abs(frac * PERCENT) < COARSE_FROM else 0)

    def counted(self, number: float, forms: Mapping[str, str]) -> str:
        """Return a number with its noun, in the form that the number takes."""
        category = plural_category(number, self._language)
        form = forms.get(category, forms["other"])
        return form.format(self.integer(round(number)))

    def decimal(self, value: float, digits: int) -> str:
        """Return a number with so many digits after the mark."""
        if not math.isfinite(value):
            return {math.inf: "∞", -math.inf: f"{MINUS}∞"}.get(value, "?")
        text = f"{abs(value):.{digits}f}"
        whole, _, part = text.partition(".")
        minus = MINUS if self._language != "ar" else LEFT_TO_RIGHT + MINUS  # or it would stand behind the number
        is_negative = value < 0 and float(text) != 0
        grouped = self.integer(int(whole))
        return (minus if is_negative else "") + grouped + (self._decimal_mark + part if part else "")

    def rounded(self, value: float) -> str:
        """Return a positive number with three significant digits, without zeros behind the mark."""
        digits = SIGNIFICANT - 1 - math.floor(math.log10(value)) if value > 0 else 0
        text = self.decimal(value, max(digits, 0))
        return text.rstrip("0").removesuffix(self._decimal_mark) if self._decimal_mark in text else text

    def integer(self, number: int) -> str:
        """Return a whole number with its groups marked."""
        if number < GROUPED_FROM:
            return str(number)
        return f"{number:,}".replace(",", self._answers["group"])

    def _percent(self, value: float, digits: int) -> str:
        text = self.decimal(value, digits)
        if digits and text.endswith("0"):
            text = text[:-1].removesuffix(self._decimal_mark)
        return str(self._wording.get("percent", "{}").format(self._answers["percent"].format(text)))

    def _with_unit(self, number: float, unit: str, margin: float | None) -> str:
        if margin is not None:
            digits = max(0, -math.floor(math.log10(margin))) if margin > 0 else 0
            middle = self.decimal(number, digits)
            is_below_zero = margin > number
            spread = f"{middle} (0–{self.decimal(number + margin, digits)})"
            text = spread if is_below_zero else f"{middle} ± {self.decimal(margin, digits)}"
            return str(self._answers["units"][unit].format(text))
        text = self.rounded(number)
        forms = self._wording.get("units", {}).get(unit)
        if forms is None:
            return str(self._answers["units"][unit].format(text))
        shown = float(text.replace(self._answers["group"], "").replace(self._decimal_mark, ".") or 0)
        form: str = forms.get(plural_category(shown, self._language), forms["other"])
        return form.format(text)


def _best_unit(square_metres: float) -> str:
    if square_metres < HECTARES_FROM_M2:
        return "m2"
    return "ha" if square_metres < SQUARE_KILOMETRES_FROM_M2 else "km2"
