"""Notes of a result in the language of its instruction."""

from __future__ import annotations

from spex_nb.language.languages import get_language, read_data
from spex_nb.types.targets import EVERYTHING_ELSE, TARGETS


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
        self._notes = read_notes(language)

    def write(self, key: str, **words: str) -> str:
        """Return a note with its words."""
        return self._notes[key].format_map(words)

    def noun(self, name: str) -> str:
        """Return a class in words; what is no target is everything else."""
        if name == EVERYTHING_ELSE:
            return self._notes[EVERYTHING_ELSE]
        if name not in TARGETS:
            return name
        return TARGETS[name].word if self.language == "en" else get_language(self.language).targets[name][0]

    def decimal(self, number: float, form: str) -> str:
        """Return a number in a Python format, with the decimal mark of the language."""
        return f"{number:{form}}".replace(".", get_language(self.language).decimal)
