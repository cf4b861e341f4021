"""Invented forms of real words, such as mouses, are no typing errors of land covers; those of land covers are."""

from __future__ import annotations

import pytest

from spex_nb.language.concepts import concept_names, list_concepts
from spex_nb.language.languages import LANGUAGES, fold, get_language
from spex_nb.language.parsing.lexicon import SHORTEST_LEMMA, get_lexicon

OBJECTS = {
    "en": "mouse goose child wolf knife begin damn month bench hotel train horse doctor teacher camel begin",
    "de": "Wagen Hund Katze Lehrer Monat Stuhl Tisch Sachsen Freitag Nachricht Schritt Flasche",
    "fr": "souris cheval enfant parfois lampe chaise rideau voiture travail partout rapidement",
    "es": "gato perro mesa silla junio comienzo mayor lector viaje pasar camisa fuego",
    "pt": "gato cachorro mesa cadeira junho comprar silva cuidado viagem camisa livro",
    "ru": "кошка собака стол стул против поток учитель месяц воин карман",
    "ar": "كتاب معلم مدير ولد مجلس رجال سبب",
    "hi": "कुर्सी किताब अध्यापक बिल्ली",
    "zh": "",
}
STEP = 40
"""Of the things that are refused, the tests take each of this number."""


def invented(code: str) -> list[str]:
    """Return things that are no land covers, with every ending of the language."""
    refused = [name.form for name in concept_names(code) if list_concepts()[name.concept].target is None]
    words = [*OBJECTS[code].split(), *[form for form in refused if " " not in form][::STEP]]
    endings = get_language(code).instructions["endings"]
    return [fold(word) + fold(end) for word in words for end in endings if len(fold(word)) >= SHORTEST_LEMMA]


@pytest.mark.slow
@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "zh"])
def test_an_invented_form_of_another_word_is_not_mended_into_a_land_cover(code: str) -> None:
    lexicon = get_lexicon(code)
    forms = [form for form in invented(code) if form not in lexicon.vocabulary]
    assert len(forms) > 15
    wrong = {}
    for form in forms:
        word = lexicon.mend(form)
        meanings = lexicon.vocabulary[word] if word else frozenset()
        stems = [form.removesuffix(fold(end)) for end in get_language(code).instructions["endings"]]
        is_of_stem = any(word and word.startswith(stem[:-1]) for stem in stems if stem != form)
        if any(sense.kind == "target" for sense in meanings) and not is_of_stem:
            wrong[form] = word
    assert wrong == {}


@pytest.mark.parametrize(
    ("code", "typed", "word"),
    [
        ("en", "forrests", "forests"),
        ("en", "buldings", "buildings"),
        ("en", "resevoirs", "reservoirs"),
        ("en", "setlements", "settlements"),
        ("en", "vegetaton", "vegetation"),
        ("de", "gebeude", "gebaude"),
        ("fr", "vegetaton", "vegetation"),
        ("es", "edifficios", "edificios"),
        ("pt", "florrestas", "florestas"),
        ("ru", "растителность", "растительность"),
    ],
)
def test_a_typing_error_in_a_land_cover_is_still_mended(code: str, typed: str, word: str) -> None:
    assert get_lexicon(code).mend(typed) == word
