"""Refusals: wholly in the user's language, each thing once, and in English for texts in other languages."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.types.targets import TARGETS

with (Path(__file__).parent / "instructions.csv").open(encoding="utf-8", newline="") as file:
    REFUSED = [
        (row["language"], row["text"])
        for row in csv.DictReader(file)
        if row["meaning"].startswith("refused; ") and "no words" not in row["meaning"]
    ]
PROBLEMS: dict[str, tuple[str, ...]] = {
    "en": ("lakes of five", "large lakes", "trees near roads", "water and blorf", "water but not water", "cars"),
    "de": (
        "große Seen",
        "Wald nahe der Straße",
        "Wasser und Blorf",
        "Wald größer als 2 Morgen",
        "Fahrzeuge",
        "alles Wasser",
    ),
    "fr": ("grands lacs", "forêt près de la route", "eau et blorf", "forêt à moins de 500 m de la forêt", "voitures"),
    "es": (
        "lagos grandes",
        "bosque cerca de la carretera",
        "agua y blorf",
        "bosque a menos de 500 m del bosque",
        "coches",
    ),
    "pt": ("lagos grandes", "mata perto da estrada", "água e blorf", "mata a menos de 500 m da mata", "carros"),
    "ru": ("большие озёра", "лес недалеко от дороги", "вода и блорф", "лес в пределах 500 м от леса", "машины"),
    "zh": ("大湖", "公路附近的森林", "水和麒麟", "距离森林500米以内的森林", "汽车"),
    "ar": ("بحيرات كبيرة", "غابات قرب الطريق", "ماء وبلورف", "غابات على بعد أقل من 500 متر من الغابات", "سيارات"),
    "hi": ("बड़ी झीलें", "सड़क के पास जंगल", "पानी और ब्लोर्फ", "जंगल से 500 मीटर के अंदर जंगल", "गाड़ियाँ"),
}
SCRIPTS = {"ru": "\u0400-\u04ff", "zh": "\u3400-\u9fff", "ar": "\u0600-\u06ff", "hi": "\u0900-\u097f"}
UNITS = "m² m ha km² km px clouds True NDVI"
ENGLISH = re.compile(r"\b(Found|Expected|Ask for|Try|Not understood|larger than|water bodies|the)\b")
OTHERS = (
    "mostrami tutti i laghi più grandi di 2 ettari",
    "dove sono le strade a nord del fiume?",
    "c'è neve nell'immagine?",
    "acqua",
    "laat alle meren groter dan 2 hectare zien",
    "hoeveel water is er?",
    "pokaż wszystkie jeziora większe niż 2 ha",
    "visa alla sjöar större än 2 hektar",
    "vis mig alle søer",
    "mostra'm tots els llacs més grans de 2 hectàrees",
    "arată-mi toate lacurile mai mari de 2 hectare",
    "2 hektardan büyük gölleri göster",
    "hutan di utara",
    "hiển thị tất cả các hồ lớn hơn 2 ha",
    "ukaž všechna jezera větší než 2 ha",
    "näytä kaikki järvet",
    "покажи всі озера більші за 2 га",
    "прикажи сва језера",
    "همه دریاچه‌ها را نشان بده",
    "شمال میں جنگلات",
    "सर्व तलाव दाखवा",
    "湖を見せてください",
    "호수를 보여줘",
    "δείξε μου τις λίμνες",
)


def refusal_of(text: str) -> InstructionError:
    """Return the error for an instruction that is refused."""
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    return refused.value


@pytest.mark.parametrize(("code", "text"), [*REFUSED, *((code, text) for code in LANGUAGES for text in PROBLEMS[code])])
def test_a_refusal_is_in_one_language(code: str, text: str) -> None:
    sentence = str(refusal_of(text))
    if code == "en":
        assert "Found:" not in sentence
        return
    rest = sentence
    for typed in text.split():
        rest = rest.replace(typed.strip(".,?!"), "")
    assert not ENGLISH.search(rest), sentence
    assert not any(re.search(rf"\b{target}\b", rest) for target in TARGETS if "_" in target), sentence
    if code in SCRIPTS:
        letters = [word for word in re.findall(r"[A-Za-z]{2,}", rest) if word not in UNITS]
        assert letters == [], sentence


@pytest.mark.parametrize(("code", "text"), [*REFUSED, *((code, text) for code in LANGUAGES for text in PROBLEMS[code])])
def test_a_refusal_says_a_thing_once(code: str, text: str) -> None:
    refused = refusal_of(text)
    sentences = re.split(r"(?<=[.!?。।؟]) ?", str(refused))
    assert len(sentences) == len(set(sentences))
    understood = get_language(code).instructions["refusals"]["understood"].partition("{}")[0]
    if understood in str(refused):
        meaning = refused.suggestions[0]
        assert str(refused).count(meaning) == 1, str(refused)


@pytest.mark.parametrize("text", OTHERS)
def test_a_text_in_another_language_is_answered_in_english(text: str) -> None:
    refused = refusal_of(text)
    assert re.match(r"Not understood|There are no words", str(refused))
    assert "English" in refused.expected


def test_an_unknown_word_is_refused_in_the_language_that_uses_it() -> None:
    for code, word in (("fr", "rideaux"), ("es", "zapatos"), ("pt", "sapatos"), ("de", "Schuhe")):
        refused = refusal_of(word)
        assert str(refused).startswith(get_language(code).instructions["refusals"]["unknown"].partition("{")[0]), word


def test_a_notebook_shows_the_sentences_once() -> None:
    refused = refusal_of("Wasser und Blorf")
    first, *rest = refused._render_traceback_()
    assert first == f"InstructionError: {refused.message}"
    assert not any("Expected" in line or "Found" in line for line in rest)


def test_programs_read_what_is_wrong_in_english() -> None:
    refused = refusal_of("Wasser und Blorf")
    assert (refused.problem, refused.found) == ("Not understood: 'Blorf'", "'Blorf'")
    assert refused.args[0].startswith("Not understood: 'Blorf'. Found: 'Blorf'. Expected: only words")
