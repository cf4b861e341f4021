"""Prepositions by construction: on, at and along the river are beside it, in nine languages."""

from __future__ import annotations

from itertools import product

import pytest

from spex_nb.errors import InstructionError
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import LANGUAGES
from spex_nb.types import AdjacentFilter, EnclosedFilter

SUBJECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (("trees", "vegetation"), ("houses", "building"), ("villages", "built_up"), ("meadows", "vegetation")),
    "de": (("Bäume", "vegetation"), ("Häuser", "building"), ("Dörfer", "built_up"), ("Wiesen", "vegetation")),
    "fr": (("arbres", "vegetation"), ("maisons", "building"), ("villages", "built_up"), ("prairies", "vegetation")),
    "es": (("árboles", "vegetation"), ("casas", "building"), ("pueblos", "built_up"), ("prados", "vegetation")),
    "pt": (("árvores", "vegetation"), ("casas", "building"), ("aldeias", "built_up"), ("prados", "vegetation")),
    "ru": (("деревья", "vegetation"), ("дома", "building"), ("деревни", "built_up"), ("луга", "vegetation")),
    "zh": (("树木", "vegetation"), ("房屋", "building"), ("村庄", "built_up"), ("草地", "vegetation")),
    "ar": (("الأشجار", "vegetation"), ("المنازل", "building"), ("القرى", "built_up"), ("المروج", "vegetation")),
    "hi": (("पेड़", "vegetation"), ("घर", "building"), ("गाँव", "built_up"), ("घास के मैदान", "vegetation")),
}
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "water": (
            "{} on the river",
            "{} at the lake",
            "{} by the river",
            "{} on the lake shore",
            "{} on the banks of the river",
            "{} at the riverbank",
            "{} on both sides of the river",
        ),
        "road": ("{} on the road", "{} by the roadside", "{} at the side of the road"),
    },
    "de": {
        "water": (
            "{} an Flüssen",
            "{} am See",
            "{} an der Küste",
            "{} am Ufer des Flusses",
            "{} am Seeufer",
            "{} an den Ufern der Flüsse",
        ),
        "road": ("{} an Straßen", "{} am Straßenrand", "{} an der Autobahn"),
    },
    "fr": {
        "water": (
            "{} en bord de rivière",
            "{} en bordure de lac",
            "{} au bord du lac",
            "{} sur la rive du lac",
            "{} sur les berges de la rivière",
            "{} en bordure du fleuve",
            "{} sur le lac",
        ),
        "road": ("{} en bord de route", "{} en bordure de route", "{} au bord des routes"),
    },
    "es": {
        "water": (
            "{} a orillas del lago",
            "{} en la orilla del río",
            "{} sobre el río",
            "{} en las márgenes del río",
            "{} en la ribera del río",
            "{} a la vera del río",
        ),
        "road": ("{} al borde de la carretera", "{} en el borde de la carretera", "{} al pie de la carretera"),
    },
    "pt": {
        "water": (
            "{} na margem do rio",
            "{} nas margens do rio",
            "{} à beira do lago",
            "{} na orla do lago",
            "{} sobre o rio",
            "{} rente ao rio",
        ),
        "road": ("{} à beira da estrada", "{} na beira da estrada"),
    },
    "ru": {
        "water": ("{} на реке", "{} у озера", "{} на берегу реки", "{} на берегах озера", "{} по берегам рек"),
        "road": ("{} на дороге", "{} у дороги", "{} при дороге", "{} на обочине дороги", "{} по обе стороны дороги"),
    },
    "zh": {
        "water": ("河边的{}", "湖畔的{}", "沿河的{}", "河流两岸的{}", "紧邻湖泊的{}", "河岸的{}"),
        "road": ("路边的{}", "公路边的{}", "沿公路的{}", "公路两侧的{}"),
    },
    "ar": {
        "water": (
            "{} على النهر",
            "{} على البحيرة",
            "{} عند البحيرة",
            "{} على ضفة النهر",
            "{} على شاطئ البحيرة",
            "{} على ضفاف النهر",
        ),
        "road": ("{} على الطريق", "{} على جانب الطريق", "{} على جانبي الطريق"),
    },
    "hi": {
        "water": ("नदी पर {}", "झील के किनारे {}", "नदी किनारे {}", "झील के तट पर {}", "नदी के दोनों ओर {}"),
        "road": ("सड़क पर {}", "सड़क किनारे {}", "सड़क के किनारे के {}"),
    },
}
CASES = [
    (template.format(subject), target, goal)
    for code in LANGUAGES
    for goal, templates in PLACES[code].items()
    for template, (subject, target) in product(templates, SUBJECTS[code])
]


@pytest.mark.parametrize(("text", "target", "goal"), CASES)
def test_what_is_on_a_river_or_a_road_is_beside_it(text: str, target: str, goal: str) -> None:
    understood = parse_instruction(text)
    assert understood.targets == (target,)
    assert [(type(one), getattr(one, "target", "")) for one in understood.filters] == [(AdjacentFilter, goal)]


@pytest.mark.parametrize(
    "text",
    [
        "snow on the road",
        "roads on the river",
        "neige sur la route",
        "снег на дороге",
        "الثلج على الطريق",
        "सड़क पर बर्फ",
        "trees near the road",
        "деревья возле дороги",
    ],
)
def test_what_is_unclear_is_refused(text: str) -> None:
    with pytest.raises(InstructionError):
        parse_instruction(text)


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("trees in the city", "built_up"),
        ("houses in the forest", "vegetation"),
        ("дома на поле", "vegetation"),
        ("maisons dans la forêt", "vegetation"),
        ("खेत पर घर", "vegetation"),
    ],
)
def test_what_is_in_something_is_surrounded_by_it(text: str, goal: str) -> None:
    (only,) = parse_instruction(text).filters
    assert only == EnclosedFilter(goal)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("zeige alle Seen an", ("water",)),
        ("lakes on the satellite image", ("water",)),
        ("озёра на снимке", ("water",)),
        ("show me the lakes on the left", ("water",)),
        ("البحيرات على اليمين", ("water",)),
        ("lacs sur l'image", ("water",)),
    ],
)
def test_other_uses_of_these_words_are_no_relation(text: str, targets: tuple[str, ...]) -> None:
    understood = parse_instruction(text)
    assert understood.targets == targets
    assert not any(isinstance(one, AdjacentFilter | EnclosedFilter) for one in understood.filters)
