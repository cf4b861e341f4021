"""Concepts: what answers each, its names in nine languages, and the reasons of those that nothing can extract."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

import pytest

from spex_nb.errors import LanguageError
from spex_nb.language.concepts import concept_names, concept_of, get_concept, list_concepts, refusal_text
from spex_nb.language.languages import LANGUAGES, fold
from spex_nb.types.targets import TARGETS, overlap

LONGEST_REFUSAL = 300
"""Characters that a reader takes in at a glance."""
MOST_BYTES = 1_500_000
"""Of the language data together, but for the sentences about two dates."""


def test_every_concept_has_a_target_or_a_reason_and_suggestions() -> None:
    concepts = list_concepts()
    assert len(concepts) >= 220
    for concept in concepts.values():
        assert (concept.target is None) != (concept.refusal is None), concept.id
        assert {concept.target} <= {None, *TARGETS}, concept.id
        assert bool(concept.instead) == (concept.target is None), concept.id
        assert set(concept.instead) <= set(TARGETS), concept.id
        assert concept.shape in ("", "compact", "elongated"), concept.id


def test_every_target_is_a_concept_of_its_own() -> None:
    for target in TARGETS:
        assert get_concept(target).target == target
        assert not get_concept(target).is_narrower
    assert get_concept("pond").is_narrower
    assert not get_concept("car").is_narrower


def test_concepts_that_cannot_be_told_apart_share_ground() -> None:
    for concept in list_concepts().values():
        for other in concept.same_as:
            assert overlap(str(concept.target), str(get_concept(other).target)), (concept.id, other)
        assert all(get_concept(other) for other in concept.confused_with)
        assert concept.id not in (*concept.same_as, *concept.confused_with)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_concept_has_names_in_every_language(code: str) -> None:
    names = concept_names(code)
    assert {name.concept for name in names} == set(list_concepts())
    assert len({name.form for name in names}) == len(names)
    assert all(name.form == name.form.strip() and not re.search(r"[{}|;/]|  ", name.form) for name in names)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_refusal_speaks_every_language(code: str) -> None:
    texts = {concept.id: refusal_text(concept, code) for concept in list_concepts().values()}
    assert all(bool(text) == (get_concept(concept).target is None) for concept, text in texts.items())
    assert all(len(text) <= LONGEST_REFUSAL for text in texts.values())
    english = {concept: refusal_text(get_concept(concept), "en") for concept in texts}
    assert code == "en" or all(text != english[concept] for concept, text in texts.items() if text)


@pytest.mark.parametrize(
    ("phrase", "code", "concept"),
    [
        ("rice paddies", "en", "rice_paddy"),
        ("Car Parks", "en", "car_park"),
        ("Gewächshäusern", "de", "greenhouse"),
        ("überschwemmten Äckern", "de", "flood"),
        ("offenen Bodens", "de", "bare_soil"),
        ("prairies inondées", "fr", "flood"),
        ("BATIMENTS", "fr", "building"),
        ("caminos sin asfaltar", "es", "unpaved_road"),
        ("áreas úmidas", "pt", "wetland"),
        ("cafezais", "pt", "coffee"),
        ("рисовых полях", "ru", "rice_paddy"),
        ("солнечными электростанциями", "ru", "solar_farm"),
        ("大棚", "zh", "greenhouse"),
        ("被淹的农田", "zh", "flood"),
        ("مواقف سيارات", "ar", "car_park"),
        ("بحيرتين", "ar", "lake"),
        ("जले हुए क्षेत्रों", "hi", "burn"),
        ("talab", "hi", "pond"),
        ("машинами", "ru", "car"),
        ("घनत्व", "hi", None),
        ("forecast", "en", "weather"),
        ("porque", "es", None),
    ],
)
def test_names_in_any_form_are_found(phrase: str, code: str, concept: str | None) -> None:
    found = concept_of(phrase, code)
    assert (found.id if found else None) == concept


def test_forms_show_their_number_and_their_lemma() -> None:
    names = {name.form: name for name in concept_names("en")}
    assert (names["pond"].plural, names["ponds"].plural, names["ponds"].lemma) == (False, True, "pond")
    assert names["greenery"].plural is None
    russian = {name.form: name for name in concept_names("ru")}
    assert (russian["пруда"].plural, russian["прудов"].plural) == (False, True)
    assert russian["здания"].plural is None  # of the building, or buildings


SHARED = {
    "arenas", "balsa", "balsas", "barranco", "barrancos", "bois", "cano", "canos", "mata", "matas", "pisos", "prédio",
    "roca", "roça", "rocas", "roças",
}  # fmt: skip
"""Forms that mean one land cover in one language and something else in another, of which a reader knows."""


def test_words_alone_mean_the_same_in_all_languages_that_share_their_letters() -> None:
    meanings: dict[str, set[str | None]] = defaultdict(set)
    for code in ("en", "de", "es", "fr", "pt"):
        for name in concept_names(code):
            target = get_concept(name.concept).target
            meanings[fold(name.form)].add((TARGETS[target].parent or target) if target else None)
    both = {form for form, targets in meanings.items() if len(targets - {None}) > 1}
    assert both <= {fold(form) for form in SHARED}


def test_unknown_ids_and_languages_are_errors() -> None:
    with pytest.raises(LanguageError, match="pond"):
        get_concept("ponds")
    with pytest.raises(LanguageError, match="one of en"):
        concept_names("xx")


def test_the_data_of_all_languages_stay_small() -> None:
    folder = Path(str(files("spex_nb.language")))
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyi", ".pyc")]
    assert sum(path.stat().st_size for path in paths) < MOST_BYTES
