"""Answers: what they say, in nine languages, and that they vary."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from spex_nb.errors import LanguageError
from spex_nb.language.answers import write_answer
from spex_nb.language.languages import LANGUAGES, get_language, read_section
from spex_nb.regions.find import LOCATIONS, SIZE_WORDS
from spex_nb.types import Evidence, Region, Spread
from spex_nb.types.targets import TARGETS


def region(area_px: int, location: str = "top-left", size: str = "large", area_m2: float | None = None) -> Region:
    return Region(
        runs=np.zeros((1, 3), "int32"),
        shape=(512, 512),
        area_px=area_px,
        centroid_px=(100.0, 80.0),
        rectangle_px=((90.0, 70.0), (110.0, 70.0), (110.0, 90.0), (90.0, 90.0)),
        share_frac=area_px / 512**2,
        size=size,
        location=location,
        area_m2=area_m2,
    )


def lake(**changes: Any) -> Evidence:
    evidence = Evidence(
        target="water",
        shape=(512, 512),
        area_px=12_345,
        valid_px=262_000,
        share_frac=12_345 / 262_000,
        area_m2=1_234_500.0,
        number=5,
        regions=(
            region(8000, "top-left", "huge", 800_000.0),
            region(3000, "center", "small", 300_000.0),
        ),
        index_name="NDWI",
        inside=Spread(0.434, 0.052),
        outside=Spread(-0.213, 0.101),
        neighbours={"road": 0.05, "vegetation": 0.34},
    )
    return dataclasses.replace(evidence, **changes)


NOTHING: dict[str, Any] = {
    "area_px": 0,
    "share_frac": 0.0,
    "area_m2": 0.0,
    "number": 0,
    "regions": (),
    "neighbours": {},
    "inside": Spread(math.nan, math.nan),
}
NO_INDEX: dict[str, Any] = {"index_name": None, "inside": None, "outside": None}
ALONE: dict[str, Any] = {"number": 1, "regions": (region(12_345, "bottom-center", "tiny", 1_234_500.0),)}
KINDS: dict[str, dict[str, Any]] = {
    "several": {},
    "one": ALONE,
    "too small to count": {"number": 0, "regions": ()},
    "one and crumbs": {"number": 1, "regions": (region(12_000, area_m2=1_200_000.0),)},
    "nothing": NOTHING,
    "nothing, no index": {**NOTHING, **NO_INDEX},
    "pixels only": {"area_m2": None, "neighbours": {}, **NO_INDEX},
    "relative": {"is_relative": True},
    "everywhere": {"outside": Spread(math.nan, math.nan)},
}


def phrases(language: str) -> dict[str, Any]:
    return read_section(language, "answers")


def test_an_answer_says_every_figure_of_its_evidence() -> None:
    text = write_answer(lake(), "en", 1).text.replace("\xa0", " ")
    for words in ("water bodies: 123 ha", "4.7%", "5 separate", "80 ha", "huge", "in the top left", "vegetation (34%)"):
        assert words in text
    assert "0.43 ± 0.05 inside, −0.21 ± 0.10 outside" in text


def test_the_neighbour_with_the_longest_border_comes_first() -> None:
    assert "vegetation (34%) and roads (5.0%)" in write_answer(lake(), "en").text


def test_figures_are_written_as_the_language_does() -> None:
    pixels = lake(area_m2=None)
    assert "12,345 px" in write_answer(pixels, "en").text.replace("\xa0", " ")
    assert "12 345 px" in write_answer(pixels, "de").text.replace("\xa0", " ")
    assert "4,7 %" in write_answer(pixels, "fr").text.replace("\xa0", " ")
    assert "4,7%" in write_answer(pixels, "pt").text
    assert "\u200e−0.21" in write_answer(pixels, "ar").text


@pytest.mark.parametrize(
    ("area_m2", "says"),
    [
        (0.25, "0.25 m²"),
        (87.0, "87 m²"),
        (9_870.4, "9870 m²"),
        (12_345.0, "1.23 ha"),
        (30_001.0, "3.0 ha"),
        (31_002.0, "3.1 ha"),
        (100_000.0, "10 ha"),
        (9_999_000.0, "1000 ha"),
        (12_345_678.0, "12.3 km²"),
        (12_345_678_901.0, "12,346 km²"),
    ],
)
def test_areas_have_a_sensible_unit_and_three_digits(area_m2: float, says: str) -> None:
    text = write_answer(lake(area_m2=area_m2), "en").text.replace("\xa0", " ")
    assert f" {says}" in text


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (1.0, "100%"),
        (0.123, "12.3%"),
        (0.12, "12%"),
        (0.0504, "5.0%"),
        (0.005, "0.50%"),
        (0.0001234, "0.01%"),
        (1e-6, "less than 0.01%"),
    ],
)
def test_shares_have_sensible_digits(share: float, says: str) -> None:
    assert says in write_answer(lake(share_frac=share), "en").text.replace("Less", "less")


@pytest.mark.parametrize(
    ("number", "says"),
    [(2, "2 участка"), (5, "5 участков"), (11, "11 участков"), (21, "21 участок"), (112, "112 участков")],
)
def test_russian_nouns_follow_their_number(number: int, says: str) -> None:
    texts = [write_answer(lake(number=number), "ru", seed).text for seed in range(20)]
    assert any(says in text for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_answer_is_whole(language: str, kind: str, target: str) -> None:
    evidence = lake(target=target, neighbours={}) if kind == "several" else lake(target=target, **KINDS[kind])
    stops = "。" if language == "zh" else "।" if language == "hi" else "."
    for seed in range(8):
        answer = write_answer(evidence, language, seed)
        assert not set("{}[]|") & set(answer.text), answer.text
        assert "  " not in answer.text
        assert answer.text[-1] in stops
        assert 3 <= len(answer.template.split(".")) <= 5
        assert answer.text[0] == answer.text[0].upper()
        assert "nan" not in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_found_is_an_answer_that_names_the_target(language: str) -> None:
    evidence = lake(target="road", **NOTHING)
    texts = {write_answer(evidence, language, seed).text for seed in range(40)}
    assert len(texts) > 30
    forms = [form["name"] for form in [phrases(language)["targets"]["road"]]]
    assert any(forms[0].casefold() in text.casefold() for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_of_uncalibrated_bands_are_said_to_be_so(language: str) -> None:
    remarks = phrases(language)["sentences"]["relative"]
    relative = write_answer(lake(is_relative=True), language).text
    assert any(remark in relative for remark in remarks)
    assert not any(remark in write_answer(lake(), language).text for remark in remarks)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["several", "one", "nothing", "nothing, no index"])
def test_no_template_covers_more_than_two_percent(language: str, kind: str) -> None:
    evidence = lake(**KINDS[kind])
    templates = Counter(write_answer(evidence, language, seed).template for seed in range(1500))
    assert max(templates.values()) <= 0.02 * 1500


def test_the_seed_alone_decides() -> None:
    first, again, other = (write_answer(lake(), "en", seed) for seed in (7, 7, 8))
    assert first == again
    assert first.template != other.template
    assert write_answer(lake(), "en", 7).template == "found1.index3.count7.largest1.neighbours4"


@pytest.mark.parametrize("language", LANGUAGES)
def test_key_sentences_have_at_least_eight_variants_that_differ(language: str) -> None:
    sentences = phrases(language)["sentences"]
    for slot in ("found", "count", "largest", "absent"):
        assert len(set(sentences[slot])) >= 8
    assert sentences.keys() == phrases("en")["sentences"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_sizes_and_places_are_words_of_the_language(language: str) -> None:
    spoken, written = get_language(language), phrases(language)["sizes"]
    assert written.keys() == SIZE_WORDS.keys()
    plain = {size: [form.casefold() for form in forms] for size, forms in spoken.sizes.items()}
    for size, word in written.items():
        others = [form for other, forms in plain.items() if other != size for form in forms]
        assert word.casefold() not in others
    for place in LOCATIONS:
        texts = [write_answer(lake(regions=(region(9000, place),)), language, seed).text for seed in range(3)]
        assert all(spoken.places[place][0].casefold() in text.casefold() for text in texts)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(LanguageError, match=r"one of en, ar"):
        write_answer(lake(), "tlh")
