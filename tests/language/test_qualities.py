"""Qualities that no picture shows, owners and open choices are refused in nine languages, each with its reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.concepts import list_concepts, refusal_text
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.types.targets import TARGETS

with (Path(__file__).parent / "qualities.csv").open(encoding="utf-8", newline="") as file:
    ROWS = [(row["language"], row["reason"], row["text"]) for row in csv.DictReader(file)]


def _reason(reason: str, code: str) -> str:
    concept = next((one for one in list_concepts().values() if one.refusal == reason), None)
    if concept is not None:
        return refusal_text(concept, code)
    sentence: str = get_language(code).instructions["refusals"][reason]
    return sentence.removeprefix("{words}").strip(": ：")


@pytest.mark.slow
@pytest.mark.parametrize(("language", "reason", "text"), ROWS)
def test_qualities_that_no_picture_shows_are_refused_with_their_reason(language: str, reason: str, text: str) -> None:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text, tuple(TARGETS))
    assert _reason(reason, language) in str(refused.value)
    assert refused.value.suggestions


ORDINARY = {
    "en": "Map our town and the lakes in my picture",
    "de": "Karte unserer Stadt und der Seen auf meinem Bild",
    "fr": "notre ville et les lacs sur mon image",
    "es": "nuestra ciudad y los lagos en mi imagen",
    "pt": "nossa cidade e os lagos na minha imagem",
    "ru": "наш город и озёра на моём снимке",
    "zh": "我们的城市和我的图像中的湖",
    "hi": "हमारा शहर और मेरी छवि में झीलें",
}
"""What is mine without an owner: a picture, and the town that it shows."""


@pytest.mark.parametrize("language", ORDINARY)
def test_my_picture_and_our_town_have_no_owner(language: str) -> None:
    parsed = parse_instruction(ORDINARY[language])
    assert (parsed.language, parsed.targets) == (language, ("built_up", "water"))


def test_every_language_has_reasons_for_each_kind() -> None:
    kinds = {code: {reason for language, reason, _ in ROWS if language == code} for code in LANGUAGES}
    common = {"age", "choice", "depth", "height", "moisture", "owner", "thin", "use", "water_quality"}
    assert all(reasons >= common for reasons in kinds.values())
