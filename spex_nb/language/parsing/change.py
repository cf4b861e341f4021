"""Instructions about two dates: what was gained, lost or changed, and since when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import concept_names
from spex_nb.language.languages import LANGUAGES, fold
from spex_nb.language.parsing.grammar import Mention, Statement
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.refusals import refusal
from spex_nb.language.parsing.tokens import Token, join_words
from spex_nb.types import ChangeRequest, EnclosedFilter

EVENTS = frozenset(
    {"burn", "burned_field", "burned_forest", "clear_cut", "construction_site", "erosion", "flood", "landslide"}
)
"""Concepts that happen: since a year means that they were not there before."""
_YEAR = r"(?:19|20)\d\d"
YEARS = (1950, 2100)
"""The first and the last year that a number may be."""
_KINDS: dict[frozenset[str], Literal["gained", "lost"]] = {frozenset({"new"}): "gained", frozenset({"lost"}): "lost"}
_LINKS = frozenset({"and", "between", "between_after", "bound", "compare", "from", "in", "to", "within"})
"""Kinds of words that belong to a year beside them: between 2009 and 2018."""
_DATING = _LINKS - {"compare", "within"} | {"time"}
"""Kinds of words after which a number is a year whatever follows."""
_MEASURED = frozenset({"length", "target", "unit"})
"""Kinds of words after which a number is no year."""


def split_change(reading: Reading) -> tuple[ChangeRequest | None, Reading]:
    """Return what is asked of two dates, and the reading without the words that ask it.

    "Flooding since 2010" asks for a change without a word for it: of an event it means what was gained. A text that
    asks for no change is returned as it is.
    """
    words = frozenset(str(token.sense.value) for token in reading.tokens if token.sense.kind == "change")
    if not words and not _is_since(reading):
        return None, reading
    words = words or _words_of_events(reading.tokens)
    years = _places_of_years(reading.tokens)
    idle = {place for place, token in enumerate(reading.tokens) if token.sense.kind in ("change", "time")}
    dates = tuple(reading.tokens[place].text for place in sorted(years))
    left_out = years | idle | _linked(reading.tokens, years)
    tokens = tuple(token for place, token in enumerate(reading.tokens) if place not in left_out)
    is_open = len(dates) == 1 and _is_since(reading)
    return ChangeRequest(_KINDS.get(words, "changed"), dates, is_open), replace(reading, tokens=tokens)


def _is_since(reading: Reading) -> bool:
    """Say whether a text speaks of the time since a year, in the words of its language."""
    pattern = reading.language.instructions["since"].replace("{}", _YEAR)
    return re.search(pattern, fold(reading.text)) is not None


def _words_of_events(tokens: Sequence[Token]) -> frozenset[str]:
    """Return the words for change that land covers stand for: floods and fires come, and all else may come or go."""
    named = [token for token in tokens if token.sense.kind == "target"]
    return frozenset({"new" if named and all(token.sense.lemma in _events() for token in named) else "any"})


@cache
def _events() -> frozenset[str]:
    """Return the usual forms of what happens rather than is, in all languages."""
    names = (name for code in LANGUAGES for name in concept_names(code))
    return frozenset(name.lemma for name in names if name.concept in EVENTS)


def with_changed_targets(statements: Sequence[Statement]) -> list[Statement]:
    """Return statements where "changes in the forest", without another land cover, are those of the forest."""
    if any(isinstance(statement.meaning, Mention) for statement in statements):
        return list(statements)
    return [_changed_target(statement) for statement in statements]


def _changed_target(statement: Statement) -> Statement:
    named = [token for token in statement.tokens if token.sense.kind == "target"]
    is_inside = isinstance(statement.meaning, EnclosedFilter) and statement.meaning.inside
    return replace(statement, meaning=Mention(named[0])) if is_inside and named else statement


def change_refusal(reading: Reading) -> InstructionError:
    """Return the error for a change that is asked of one scene: it needs a second one."""
    kind = "change" if any(token.sense.kind == "change" for token in reading.tokens) else "time"
    words = join_words([token.text for token in reading.tokens if token.sense.kind == kind])
    return refusal(reading, "change", words)


def _places_of_years(tokens: Sequence[Token]) -> set[int]:
    kinds = ["", *(token.sense.kind for token in tokens), ""]
    return {
        place
        for place, token in enumerate(tokens)
        if token.sense.kind == "number"
        and _is_year(token.sense.value)
        and (kinds[place + 2] not in _MEASURED or kinds[place] in _DATING)
    }


def _is_year(value: float) -> bool:
    return value == int(value) and YEARS[0] <= value <= YEARS[1]


def _linked(tokens: Sequence[Token], years: set[int]) -> set[int]:
    """Return the places of words that only link years to the sentence."""
    linked: set[int] = set()
    for year in years:
        for step in (-1, 1):
            place = year + step
            while 0 <= place < len(tokens) and tokens[place].sense.kind in _LINKS:
                linked.add(place)
                place += step
    return linked
