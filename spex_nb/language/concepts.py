"""What people ask for on a map, as data: the target that answers it, its names, or why nothing can extract it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from spex_nb.errors import LanguageError, nearest
from spex_nb.language.languages import LANGUAGES, fold, read_data

_WORD = re.compile(r"(\S*?)(?:\{([^}]*)\}|\+)")
"""A stem and its endings."""


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that people ask for, such as ponds, car parks or cars."""

    id: str
    target: str | None
    """Id of the target that answers it. None where nothing can extract it."""
    refusal: str | None
    """Reason in ``refusals.json`` why nothing can extract it."""
    instead: tuple[str, ...]
    """Ids of targets to suggest in its place, best first."""
    same_as: tuple[str, ...]
    """Ids of concepts that the same target answers, and that a mask cannot tell from this one."""
    confused_with: tuple[str, ...]
    """Ids of concepts that look alike in the bands."""
    shape: str
    """``compact`` or ``elongated`` where the shape of a region decides; empty elsewhere."""
    change: str = ""
    """``gained``, ``lost`` or ``changed`` where the name itself asks for two dates, as deforestation does."""
    changed: str = ""
    """Id of the concept that such a change is of: forest; empty for any."""

    @property
    def is_narrower(self) -> bool:
        """Whether its target answers more than it: a pond is not all water."""
        return self.target is not None and self.target != self.id


@dataclass(frozen=True, slots=True)
class ConceptName:
    """One written form of a name."""

    form: str
    concept: str
    """Id of the concept."""
    plural: bool | None
    """None where the form does not show it."""
    lemma: str
    """The usual form of the name, such as ``pond`` for ``ponds``."""


@cache
def list_concepts() -> Mapping[str, Concept]:
    """Return all concepts by their ids."""
    rows = csv.DictReader(_data("concepts.csv").splitlines(), restval="")
    return {row["id"]: _concept(row) for row in rows}


def get_concept(concept: str) -> Concept:
    """Return a concept by its id.

    Raises:
        LanguageError: If there is none.
    """
    concepts = list_concepts()
    if concept not in concepts:
        raise LanguageError(
            "There is no such concept",
            found=repr(concept),
            expected="an id of list_concepts(), such as 'pond'",
            fix=nearest(concept, concepts) or "Use one of these ids.",
        )
    return concepts[concept]


@cache
def concept_names(code: str) -> tuple[ConceptName, ...]:
    """Return every form of every name in a language. The first concept of a form counts.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    if code not in LANGUAGES:
        raise LanguageError(
            "This language has no names of concepts",
            found=repr(code),
            expected=f"one of {', '.join(LANGUAGES)}",
            fix=nearest(code, LANGUAGES) or "Use one of these codes.",
        )
    written = {row["id"]: row[code].split(";") for row in _written_names()}
    endings = written.pop("endings")
    entries = ((concept, entry) for concept, of_concept in written.items() for entry in of_concept)
    names: dict[str, ConceptName] = {}
    for concept, entry in entries:
        for name in _forms(entry, concept, endings):
            first = names.setdefault(name.form, name)
            if (first.concept, not first.plural) == (concept, bool(name.plural)):
                names[name.form] = replace(first, plural=None)
    return tuple(names.values())


@cache
def _written_names() -> list[dict[str, str]]:
    """Return the names of all languages as they are written: a row for each concept, the first for common endings."""
    return list(csv.DictReader(_data("names.tsv").split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


def concept_of(phrase: str, code: str) -> Concept | None:
    """Return what a name means in a language, or None. Capitals and accents do not count.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    concept = _by_folded_form(code).get(fold(phrase).strip())
    return list_concepts()[concept] if concept else None


def refusal_text(concept: Concept, code: str) -> str:
    """Return in a language why nothing can extract a concept, and what to ask for. Empty if a target answers it."""
    text: str = read_data("concepts/refusals")[concept.refusal][code] if concept.refusal else ""
    return text


def _concept(row: Mapping[str, str]) -> Concept:
    change, _, changed = row["change"].partition(" ")
    return Concept(
        id=row["id"],
        target=row["target"] or None,
        refusal=row["refusal"] or None,
        instead=tuple(row["instead"].split()),
        same_as=tuple(row["same_as"].split()),
        confused_with=tuple(row["confused_with"].split()),
        shape=row["shape"],
        change=change,
        changed=changed,
    )


@cache
def _by_folded_form(code: str) -> Mapping[str, str]:
    return {fold(name.form): name.concept for name in reversed(concept_names(code))}


def _data(name: str) -> str:
    return files("spex_nb.language").joinpath("data", "concepts", name).read_text(encoding="utf-8")


def _forms(entry: str, concept: str, endings: list[str]) -> Iterator[ConceptName]:
    """Yield the forms of an entry: words, of which some have endings in braces.

    ``big cit{y/ies}`` has a singular and a plural. Commas part the cases, in the same order in all words of
    the entry. A number in braces is a place in ``endings``, counted from 1, and a plus sign is the first of them. An
    entry that starts with a slash is a plural. A multiplication sign joins each beginning to each end.
    """
    if "×" in entry:
        starts, ends = (part.split(",") for part in entry.split("×"))
        for form in (start + end for start in starts for end in ends):
            yield ConceptName(form, concept, None, form)
        return
    words = [_word_forms(word, endings) for word in entry.removeprefix("/").split(" ")]
    has_plural = any(len(numbers) > 1 for numbers in words)
    plural_of_one = True if entry.startswith("/") else None
    lemma = ""
    for plural in (False, True) if has_plural else (False,):
        cases = [numbers[min(int(plural), len(numbers) - 1)] for numbers in words]
        for place in range(max(map(len, cases))):
            form = " ".join(forms[min(place, len(forms) - 1)] for forms in cases)
            lemma = lemma or form
            yield ConceptName(form, concept, plural if has_plural else plural_of_one, lemma)


def _word_forms(word: str, endings: list[str]) -> list[list[str]]:
    """Return the forms of a word: for the singular, then for the plural if it has one."""
    match: Any = _WORD.fullmatch(word)
    if match is None:
        return [[word]]
    stem, ends = match[1], match[2] if match[2] is not None else "1"
    written = endings[int(ends) - 1] if ends.isdigit() else ends
    return [[stem + end for end in number.split(",")] for number in written.split("/")]
