"""Sentences about two dates in nine languages: the words of a language, filled with figures as it writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from spex_nb.language.explanation.numerals import read_wording
from spex_nb.language.languages import get_language, read_data, read_section

ONE_DIGIT_FROM_HA = 1.0
SIGNIFICANT = 2
NO_BREAK = "\N{NO-BREAK SPACE}"
_CHOICE = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


class ChangeWords:
    """Writes sentences about two dates in one language.

    Args:
        language: ISO 639-1 code.

    Raises:
        LanguageError: If the language is not spoken here.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._spoken = get_language(language)
        self._sentences: dict[str, str] = read_data(f"changes/{language}")
        self._answers, self._wording = read_section(language, "answers"), read_wording(language)

    def sentence(self, key: str, **slots: str) -> str:
        """Return a sentence.

        Args:
            key: Which one; a key of the files ``changes``.
            slots: What its slots hold, as written.
        """
        return self._sentences[key].format(**slots)

    def counted(self, key: str, number: int, **slots: str) -> str:
        """Return a sentence about a number of regions, with their noun as the number needs it.

        Args:
            key: Which one.
            number: Chooses between ``[region|regions]``: 1 takes the first form.
            slots: What its slots hold, as written.
        """
        template = _CHOICE.sub(lambda choice: choice[1 if number == 1 else 2], self._sentences[key])
        return template.format(**slots)

    def area(self, px: float, ha: float | None) -> str:
        """Return an area in hectares, or in pixels where it has no place on the map."""
        if ha is None:
            return self._unit(self._grouped(f"{px:,.0f}"), "px")
        text = f"{ha:,.1f}" if ha >= ONE_DIGIT_FROM_HA or ha == 0 else f"{ha:.{SIGNIFICANT}g}"
        return self._unit(self._grouped(text), "ha")

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with so many digits behind the mark."""
        return self._grouped(f"{value:,.{digits}f}")

    def short(self, value: float) -> str:
        """Return a number with no more than three digits that count."""
        return self._grouped(f"{value:.3g}")

    def percent(self, frac: float, digits: int = 0) -> str:
        """Return a share in percent."""
        return str(self._answers["percent"].format(self._grouped(f"{100 * frac:.{digits}f}"))).replace(NO_BREAK, " ")

    def noun(self, target: str, *, begins: bool = False) -> str:
        """Return what a target is called, with a capital where it begins a sentence."""
        name = self._spoken.targets[target][0]
        return name[:1].upper() + name[1:] if begins else name

    def season(self, season: str) -> str:
        """Return what a season is called."""
        return str(self._wording["seasons"][season])

    def listed(self, words: Sequence[str]) -> str:
        """Return words with commas between them."""
        return str(self._answers["comma"]).join(words)

    def joined(self, sentences: Iterable[str]) -> str:
        """Return sentences as one text: with spaces between them, but for Chinese."""
        return ("" if self.language == "zh" else " ").join(sentences)

    def _unit(self, number: str, unit: str) -> str:
        return str(self._answers["units"][unit].format(number)).replace(NO_BREAK, " ")

    def _grouped(self, text: str) -> str:
        """Return a number with the marks of the language in place of those of Python."""
        whole, mark, part = text.partition(".")
        grouped = whole.replace(",", str(self._answers["group"]))
        return grouped + (self._spoken.decimal if mark else "") + part
