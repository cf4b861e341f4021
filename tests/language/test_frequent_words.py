"""Frequent words: the filters know them, and a land cover among them is one that somebody has read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spex_nb.errors import InstructionError, LanguageError
from spex_nb.language.concepts import concept_of
from spex_nb.language.frequent_words import build_filter, is_frequent
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES

LAND_COVERS: dict[str, str] = json.loads((Path(__file__).parent / "frequent_land_covers.json").read_text("utf-8"))
"""Language -> those of its 30,000 most frequent words that are land covers, as recipes/language writes them."""


@pytest.mark.parametrize("code", LANGUAGES)
def test_frequent_land_covers_are_frequent_and_are_answered(code: str) -> None:
    words = LAND_COVERS[code].split(" ")
    assert len(words) > 200
    assert all(is_frequent(word, code) for word in words)
    unanswered = [word for word in words if (concept := concept_of(word, code)) is None or concept.target is None]
    assert unanswered == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", "forecast seeds waiter horse glass proofs roads green"),
        ("de", "wissen Straße gut ferner Brüder"),
        ("fr", "forêt porter grève vivre"),
        ("es", "porque agua quinta cerrado"),
        ("pt", "porque forte cheia fundo"),
        ("ru", "потому чаще парковка ещё"),
        ("zh", "我们 因为 变化"),
        ("ar", "الذي دور الرياض"),
        ("hi", "चारों क्योंकि मिल"),
    ],
)
def test_frequent_words_are_known_whatever_their_accents(code: str, words: str) -> None:
    assert [word for word in words.split(" ") if not is_frequent(word, code)] == []


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("en", "commercial"), ("en", "mine"), ("de", "gut"), ("de", "ferner"), ("fr", "grève"), ("fr", "cours"),
        ("es", "quinta"), ("es", "cerrado"), ("pt", "forte"), ("pt", "fundo"), ("ru", "чаще"), ("ru", "пара"),
        ("ar", "دور"), ("hi", "चारों"), ("zh", "变化"),
    ],
)  # fmt: skip
def test_everyday_words_with_another_meaning_are_no_land_cover(code: str, word: str) -> None:
    concept = concept_of(word, code)
    assert concept is None or concept.target is None


@pytest.mark.parametrize(("code", "typed"), [("en", "vegetaton"), ("de", "Gebeude"), ("ru", "расстительность")])
def test_typing_errors_are_not_frequent(code: str, typed: str) -> None:
    assert not is_frequent(typed, code)


def test_a_filter_misses_no_word_and_takes_few_others() -> None:
    words = [f"word{i}" for i in range(3000)]
    bits = build_filter(words)
    assert len(bits) == 2346  # 3,128 rows of 6 columns
    assert build_filter([*words, *words]) == bits
    taken = sum(is_frequent(f"xq{i}z", "en") for i in range(3000))
    assert 20 < taken < 80  # one in 64 is 47


def test_an_unknown_language_has_no_filter() -> None:
    with pytest.raises(LanguageError, match="one of en"):
        is_frequent("water", "xx")


@pytest.mark.parametrize(
    "word", ["forecast", "seeds", "newer", "parting", "resta", "wissen", "porque", "البرتغال", "الخريجين"]
)
def test_frequent_words_alone_are_never_mended_into_a_land_cover(word: str) -> None:
    with pytest.raises(InstructionError):
        parse_instruction(word)
