"""Why a spectral rule holds and how good it was measured, in the language of the instruction."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spex_nb.language.explanation.note_words import NoteWriter
from spex_nb.language.languages import get_language, read_data
from spex_nb.types import Prior

_SEPARATORS = re.compile(r"(; |(?<=\w): |(?<=[\d\w])\. (?=[A-Z]))")
"""What parts the clauses of a reason."""
_NUMBER = re.compile(r"(?<![\w/.])\d+(?:\.\d+)?|-\d+\.\d+")
_JOINTS = {
    "ar": {"; ": "؛ "},
    "fr": {"; ": " ; ", ": ": " : "},
    "hi": {". ": "। "},
    "zh": {"; ": "；", ": ": "：", ". ": "。"},
}
"""How a language writes the separators that differ from those of English."""


def rule_in_words(prior: Prior, language: str) -> str:
    """Return what the rule of a prior is, how good it was measured, and which better rules do not fit the scene.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    if language == "en":
        return prior.reason
    words = read_data("rules")[language]
    cut = f"{prior.index_name} {'>' if prior.side == 'above' else '<'} {prior.threshold:g}"
    joint = _JOINTS.get(language, {}).get("; ", "; ")
    rule = _localized(joint.join([cut, *filter(None, prior.guard.split(" and "))]), language)
    why = "".join(_translated(prior.why, language))
    sentences = [words["where"].format(word=NoteWriter(language).noun(prior.target), rule=rule, why=why)]
    if prior.better_indices:
        sentences.append(words["fallback"].format(indices=", ".join(prior.better_indices)))
    return ("" if language == "zh" else " ").join(sentences)


def _translated(why: str, language: str) -> Iterator[str]:
    """Yield the clauses of a reason in a language, with its numbers and separators between them."""
    joints = _JOINTS.get(language, {})
    for place, part in enumerate(_SEPARATORS.split(why)):
        yield joints.get(part, part) if place % 2 else _clause(part, language)


def _clause(clause: str, language: str) -> str:
    """Return a clause in a language; the figures are those of the English one."""
    data = read_data("rules")
    pattern, numbers = clause_pattern(clause)
    wording: str = data[language]["clauses"][data["clauses"].index(pattern)]
    return wording.format(*(_localized(number, language) for number in numbers))


def _localized(text: str, language: str) -> str:
    """Write the numbers of a text with the decimal mark of a language, and with minus signs."""
    text = re.sub(r"(?<=\d)\.(?=\d)", get_language(language).decimal, text)
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", text)


def clause_pattern(clause: str) -> tuple[str, list[str]]:
    """Return a clause with ``#`` for each number, and the numbers; what stands in brackets is kept as it is."""
    start, bracket, rest = clause.partition(" (")
    return _NUMBER.sub("#", start) + bracket + rest, _NUMBER.findall(start)
