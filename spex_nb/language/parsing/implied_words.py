"""What a word says beside its own meaning: deforestation is forest lost, and an Arabic dual counts two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from spex_nb.language.concepts import ConceptName, concept_names, concept_of, get_concept
from spex_nb.language.languages import fold
from spex_nb.language.parsing.tokens import Sense, Token
from spex_nb.types import Shape
from spex_nb.types.targets import TARGETS

COARSER = "vegetation"
"""Answers the kinds of vegetation that are no targets of their own."""
_DUAL_ENDINGS = ("ين", "ان")
_BEFORE_OWNED = frozenset({"all", "article", "numeral", "number", "of", "ordinal", "rank", "vague"})
"""Kinds of words that may stand between "my" and what is mine."""
_FEMININE, _FEMININE_BEFORE_ENDING = "ة", "ت"
_ARTICLE = "ال"


def with_implied_words(tokens: Sequence[Token], code: str) -> list[Token]:
    """Return the tokens of a text with what its words imply as tokens of their own.

    Args:
        tokens: As they stand in the text.
        code: The language.
    """
    read = _without_idle_units(_with_changes(_with_duals(tokens) if code == "ar" else tokens, code), code)
    return [_owned(read, place) if token.sense.kind == "owner" else token for place, token in enumerate(read)]


def sense_of(name: ConceptName) -> Sense:
    """Return what a name of a concept means: a target, or a concept that nothing can extract."""
    concept = get_concept(name.concept)
    if concept.target is None:
        return Sense("concept", concept.id, name.plural)
    target = concept.target if concept.target in TARGETS else COARSER
    shape: Shape = concept.shape  # type: ignore[assignment]
    return Sense("target", target, name.plural, lemma=name.lemma if concept.is_narrower else "", shape=shape)


def _owned(tokens: Sequence[Token], place: int) -> Token:
    """Return what a word such as "my" means: an owner before a field, and nothing before a picture or a town."""
    following = (token.sense for token in tokens[place + 1 :] if token.sense.kind not in _BEFORE_OWNED)
    thing = next(following, Sense(""))
    is_owned = thing.kind == "target" and thing.value != "built_up"
    return replace(tokens[place], sense=Sense("concept", "owner") if is_owned else Sense("filler"))


def _with_duals(tokens: Iterable[Token]) -> list[Token]:
    """Read the Arabic dual as the number two and what it counts."""
    read: list[Token] = []
    for token in tokens:
        if token.sense.kind == "target" and fold(token.text).removeprefix(_ARTICLE) in _duals():
            read += [Token(Sense("number", 2.0), ""), replace(token, sense=replace(token.sense, plural=True))]
        else:
            read.append(token)
    return read


@cache
def _duals() -> frozenset[str]:
    """Return the folded duals among the Arabic names: the usual form with one of the two endings."""
    duals: set[str] = set()
    for name in concept_names("ar"):
        stem = name.lemma.removesuffix(_FEMININE)
        stem += _FEMININE_BEFORE_ENDING if stem != name.lemma else ""
        if name.form in {stem + ending for ending in _DUAL_ENDINGS}:
            duals.add(fold(name.form))
    return frozenset(duals)


def _with_changes(tokens: Iterable[Token], code: str) -> list[Token]:
    """Read a word such as deforestation as what it says: forest, lost."""
    read: list[Token] = []
    for token in tokens:
        concept = get_concept(token.sense.value) if token.sense.kind == "concept" else None
        if concept is None or not concept.change:
            read.append(token)
            continue
        read.append(replace(token, sense=Sense("change", _CHANGE_WORDS[concept.change])))
        if concept.changed:
            name = next(name for name in concept_names(code) if name.concept == concept.changed)
            read.append(replace(token, sense=sense_of(name)))
    return read


_CHANGE_WORDS = {"gained": "new", "lost": "lost", "changed": "any"}
"""By the change that a concept names, the words of the grammar that ask for it."""
_MEASURING = frozenset({"compare", "within", "between"})
"""Kinds of words after which a thing such as a football field is a unit."""
_MEASURING_AFTER = frozenset({"compare_after", "within_after", "between_after"})
"""The same, where the language puts the comparison after the unit."""
_BEFORE_UNIT = 3
"""Words between a comparison and its unit, at most: of about one."""


def _without_idle_units(tokens: list[Token], code: str) -> list[Token]:
    """Read a varying unit that measures nothing as the thing itself: football fields, not their area."""
    kinds = [token.sense.kind for token in tokens]
    read = list(tokens)
    for place, token in enumerate(tokens):
        before, after = kinds[max(0, place - 1 - _BEFORE_UNIT) : place], kinds[place + 1 : place + 2]
        is_measured = bool({"unit", "length"} & {*before})  # the comparison has its unit already
        measures = (not is_measured and _MEASURING & {*before}) or _MEASURING_AFTER & {*after}
        if kinds[place] == "unclear_unit" and not measures and concept_of(token.text, code):
            key = fold(token.text)
            name = next(name for name in concept_names(code) if fold(name.form) == key)
            read[place] = replace(token, sense=sense_of(name))
    return read
