"""Instructions that were written after the grammar, with the meaning that was read and found right by a person."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.instructions import parse_instruction
from spex_nb.types import AdjacentFilter, EdgeFilter
from spex_nb.types.targets import TARGETS

with (Path(__file__).parent / "fresh_instructions.csv").open(encoding="utf-8", newline="") as file:
    ROWS = [(row["language"], row["text"], int(row["scenes"] or 1), row["meaning"]) for row in csv.DictReader(file)]
SEPARATORS = {"zh": "；", "ar": "؛"}


@pytest.mark.parametrize(("language", "text", "scenes", "meaning"), ROWS)
def test_fresh_instructions_mean_what_they_say(language: str, text: str, scenes: int, meaning: str) -> None:
    if meaning == "refused":
        with pytest.raises(InstructionError):
            parse_instruction(text, tuple(TARGETS), scenes=scenes)
        return
    parsed = parse_instruction(text, tuple(TARGETS), scenes=scenes)
    assert parsed.language == language
    assert parsed.meaning.partition(SEPARATORS.get(language, ";"))[0] == meaning


TOUCHING = {
    "en": ("ponds that touch a road", "ponds that do not touch a road", "ponds that touch the edge"),
    "de": (
        "Teiche, die eine Straße berühren",
        "Teiche, die die Straße nicht berühren",
        "Teiche, die den Rand berühren",
    ),
    "fr": ("étangs qui touchent une route", "étangs ne touchant pas une route", "étangs qui touchent le bord"),
    "es": ("lagunas que tocan una carretera", "lagunas que no tocan una carretera", "lagunas que tocan el borde"),
    "pt": ("lagoas que tocam a estrada", "lagoas que não tocam a estrada", "lagoas que tocam a borda"),
    "ru": ("пруды, которые касаются дороги", "пруды, которые не касаются дороги", "пруды, которые касаются края"),
    "zh": ("与道路接触的池塘", "不接触道路的池塘", "接触边缘的池塘"),
    "ar": ("البرك التي تلامس الطريق", "البرك التي لا تلامس الطريق", "البرك التي تلامس الحافة"),
    "hi": ("सड़क को छूने वाले तालाब", "सड़क को न छूने वाले तालाब", "किनारे को छूने वाले तालाब"),
}
"""By language: touching a road, not touching it, touching the edge of the scene."""


@pytest.mark.parametrize("code", TOUCHING)
def test_touching_a_land_cover_is_being_next_to_it(code: str) -> None:
    near, apart, edge = (parse_instruction(text) for text in TOUCHING[code])
    assert [one.targets for one in (near, apart, edge)] == [("water",)] * 3
    assert near.filters == (AdjacentFilter("road"),)
    assert apart.filters == (AdjacentFilter("road", inside=False),)
    assert edge.filters == (EdgeFilter(True),)
