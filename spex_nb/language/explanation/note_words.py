"""Notes of a result in the language of its instruction."""

from __future__ import annotations

from spex_nb.language.explanation.numerals import Numerals, read_wording
from spex_nb.language.languages import get_language, read_data
from spex_nb.targets import TARGETS


def read_notes(language: str) -> dict[str, str]:
    """Return the notes of a language, by key.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    return read_data(f"notes/{language}")


class NoteWriter:
    """Writes notes in one language.

    Args:
        language: ISO 639-1 code.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._notes, self._numerals = read_notes(language), Numerals(language)

    def write(self, key: str, **words: str) -> str:
        """Return a note with its words."""
        return self._notes[key].format_map(words)

    def noun(self, name: str) -> str:
        """Return a class in words; what is no target is everything else."""
        if name not in TARGETS:
            return self._notes["everything_else"]
        return TARGETS[name].word if self.language == "en" else get_language(self.language).targets[name][0]

    def decimal(self, number: float, form: str) -> str:
        """Return a number in a Python format, with the decimal mark of the language."""
        return f"{number:{form}}".replace(".", get_language(self.language).decimal)

    def regions(self, number: int) -> str:
        """Return a number of regions in words."""
        if self.language == "en":
            return f"{number:,} region{'' if number == 1 else 's'}"
        return self._numerals.counted(number, read_wording(self.language)["patch_plain"])

    def size(self, area_px: int, area_m2: float | None) -> str:
        """Return an area in hectares, or in pixels without a map position."""
        if self.language == "en":
            return f"{area_px:,} px" if area_m2 is None else f"{_three_digits(area_m2 / 1e4):,.15g} ha"
        return self._numerals.pixels(area_px) if area_m2 is None else self._numerals.area(area_m2)


def _three_digits(number: float) -> float:
    """Return a number rounded to three digits: written out, where ``.3g`` alone would write 5.01e+03."""
    return float(f"{number:.3g}")
