"""Which language an instruction is in: how many of its words a language has, and whether it is in none of the nine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten

from spex_nb.errors import InstructionError
from spex_nb.language.frequent_words import foreign_words, is_frequent
from spex_nb.language.languages import LANGUAGES, fold, get_language
from spex_nb.language.parsing.lexicon import Reading, get_lexicon, words_in
from spex_nb.language.parsing.refusals import ASK, suggest

LEAST_FAMILIAR = 0.5
"""Share of the words that a language must have or use often. Instructions in it have 0.75 and more."""
LONGEST_SHOWN = 100
"""Characters of the text that a refusal repeats."""
_FOREIGN_LETTERS = re.compile(
    "[ąćęłńśźżğşıčšžřěůďťňőűåøșțăđơưìòĉĝĥĵŝŭ"  # of European languages in Latin script
    "іїєґўјљњћђџ"  # of Cyrillic ones
    "پچژگٹڈڑںےھہ"  # of Persian and Urdu
    "\u1ea0-\u1ef9\u3040-\u30ff\uac00-\ud7af]"  # Vietnamese, Japanese, Korean
)
"""Letters that none of the nine languages has."""


def familiarity(reading: Reading) -> float:
    """Return the share of the words of a text that a language has in its lexicon, or among its frequent ones."""
    words = words_in(reading.text)
    code = reading.language.code
    vocabulary = get_lexicon(code).vocabulary
    typed_wrong = {typed for typed, _ in reading.mended}
    familiar_words = [typed in typed_wrong or key in vocabulary or is_frequent(typed, code) for typed, key in words]
    return sum(familiar_words) / len(words) if words else 0.0


def is_foreign(readings: Sequence[Reading]) -> bool:
    """Say whether a text that the parser does not understand is in none of the nine languages."""
    text = readings[0].text.casefold()
    unknown = {fold(typed) for words in readings[0].unknown for typed, _ in words_in(words)}
    is_marked = bool(_FOREIGN_LETTERS.search(text)) or not unknown.isdisjoint(foreign_words())
    return is_marked or max(map(familiarity, readings)) < LEAST_FAMILIAR


def foreign_refusal(text: str) -> InstructionError:
    """Return the English error for a text in another language."""
    english = get_language("en")
    names = ", ".join(get_language(code).endonym for code in LANGUAGES)
    suggestions = suggest("unknown", (), english)
    examples = " / ".join(f"“{suggestion}”" for suggestion in suggestions)
    words = shorten(text, LONGEST_SHOWN, placeholder="…")
    return InstructionError(
        f"Not understood: '{words}'",
        found=words,
        expected=f"an instruction in {names}",
        fix=ASK,
        message=f"Not understood: “{words}”. Instructions may be in {names}. Try: {examples}",
        suggestions=suggestions,
    )
