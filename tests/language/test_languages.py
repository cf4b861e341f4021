"""The nine languages as data: complete, and numbers read as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import LanguageError
from spex_nb.language.languages import LANGUAGES, fold, get_language, join_sentences, read_number
from spex_nb.regions.find import LOCATIONS, SIZE_WORDS
from spex_nb.types.targets import TARGETS

UNITS = {"m2", "ha", "km2", "px", "m", "km", "percent"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_words_for_everything(code: str) -> None:
    language = get_language(code)
    assert set(language.sizes) == set(SIZE_WORDS)
    assert set(language.places) == set(LOCATIONS)
    assert set(language.targets) == set(TARGETS)
    assert set(language.units) == UNITS
    assert set(language.numbers) == {str(n) for n in range(1, 13)}
    for words in (language.sizes, language.places, language.targets, language.units, language.numbers):
        assert all(forms and all(form.strip() == form != "" for form in forms) for forms in words.values())


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_word_for_a_size_or_a_target_has_two_meanings(code: str) -> None:
    language = get_language(code)
    for words in (language.sizes, language.targets, language.numbers):
        forms = [(fold(form), value) for value, found in words.items() for form in found]
        assert len({form for form, _ in forms}) == len(set(forms))


@pytest.mark.parametrize("code", ["xx", "", "EN", None])
def test_other_languages_are_refused_with_those_that_are_spoken(code: str) -> None:
    with pytest.raises(LanguageError, match="en, ar, de"):
        get_language(code)


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("12", "en", 12),
        ("1,250.5", "en", 1250.5),
        ("1.250,5", "de", 1250.5),
        ("1 250,5", "fr", 1250.5),
        ("1\u202f250,5", "fr", 1250.5),
        ("2,5", "en", 2.5),
        ("2.5", "de", 2.5),
        ("1.250", "de", 1250),
        ("1.250", "en", 1.25),
        ("0.125", "de", 0.125),
        ("1,00,000", "hi", 100_000),
        ("१२,५००", "hi", 12_500),
        ("١٢٫٥", "ar", 12.5),
        ("٢٬٥٠٠", "ar", 2500),
        ("１２", "zh", 12),
        ("三", "zh", 3),
        ("trois", "fr", 3),
        ("-4", "en", -4),
        ("−4", "en", -4),
        ("TWELVE", "en", 12),
    ],
)
def test_numbers_are_read_as_the_language_writes_them(text: str, code: str, number: float) -> None:
    assert read_number(text, code) == number


@pytest.mark.parametrize("text", ["", "two lakes", "1.2.3", "1,2,3", "--4", "1e5", "NaN", "½"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match="no number in English"):
        read_number(text, "en")


@given(st.integers(0, 10**12), st.sampled_from(LANGUAGES))
def test_grouped_whole_numbers_are_read_back(number: int, code: str) -> None:
    mark = "," if get_language(code).decimal == "." else "."
    assert read_number(f"{number:,}".replace(",", mark), code) == number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Forêt", "foret"),
        ("ÉTANG", "etang"),
        ("озёра", "озера"),
        ("الغابة", "الغابه"),
        ("مَاء", "ماء"),
        ("km²", "km2"),
        ("大於", "大于"),
        ("水體", "水体"),
        ("Straße", "STRASSE"),
        ("ज़मीन", "जमीन"),
    ],
)
def test_what_typists_leave_out_does_not_tell_words_apart(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_vowel_signs_of_devanagari_do_tell_words_apart() -> None:
    assert fold("पानी") != fold("पन")


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_sentences_are_parted_as_the_language_parts_them() -> None:
    assert join_sentences(["Eins.", "Zwei."], "de") == "Eins. Zwei."
    assert (
        join_sentences(["水体有三处。", "最大的在北部。 ✓", "边缘不确定。"], "zh")
        == "水体有三处。最大的在北部。 ✓ 边缘不确定。"
    )
    assert join_sentences([], "zh") == ""
