"""Claims of explanations: found in free text of nine languages, and judged by the evidence."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spex_nb.errors import LanguageError
from spex_nb.language.answers import write_answer
from spex_nb.language.claim_tokens import read_sentences
from spex_nb.language.claims import check_explanation, same_figures
from spex_nb.language.languages import LANGUAGES
from spex_nb.regions.find import LOCATIONS, SIZE_WORDS, size_word
from spex_nb.types import Claim, Evidence, Region, Spread
from spex_nb.types.targets import TARGETS

H, C, U = "holds", "contradicts", "cannot be checked"


def region(area_px: int, location: str, size: str, area_m2: float | None, mean: float | None = None) -> Region:
    row, column = next((i // 3, i % 3) for i, name in enumerate(LOCATIONS) if name == location)
    x, y = 100 * (column + 0.5), 100 * (row + 0.5)
    return Region(
        runs=np.zeros((1, 3), "int32"),
        shape=(300, 300),
        area_px=area_px,
        centroid_px=(x, y),
        rectangle_px=((x - 20, y - 20), (x + 20, y - 20), (x + 20, y + 20), (x - 20, y + 20)),
        share_frac=area_px / 90_000,
        size=size,
        location=location,
        area_m2=area_m2,
        mean_index=mean,
        spread_index=None if mean is None else 0.03,
    )


LAKES = Evidence(
    target="water",
    shape=(300, 300),
    area_px=4500,
    valid_px=90_000,
    share_frac=0.05,
    area_m2=450_000.0,
    number=3,
    regions=(
        region(3000, "top-left", "huge", 300_000.0, 0.5),
        region(1000, "center", "large", 100_000.0, 0.3),
        region(500, "bottom-right", "medium", 50_000.0, 0.2),
    ),
    index_name="NDWI",
    inside=Spread(0.43, 0.05),
    outside=Spread(-0.21, 0.10),
    neighbours={"vegetation": 0.34},
)
DRY = dataclasses.replace(
    LAKES,
    area_px=0,
    share_frac=0.0,
    area_m2=0.0,
    number=0,
    regions=(),
    inside=Spread(math.nan, math.nan),
    neighbours={},
)
POND = dataclasses.replace(
    LAKES, number=1, area_px=3000, area_m2=300_000.0, share_frac=1 / 30, regions=LAKES.regions[:1]
)

# language, evidence, text, and every claim in it: its words, kind and verdict
FREE_TEXTS: list[tuple[str, Evidence, str, list[tuple[str, str, str]]]] = [
    (
        "en",
        LAKES,
        "There are three lakes in this image, and together they occupy roughly 45 hectares.",
        [("three", "number", H), ("lakes", "presence", H), ("45 hectares", "area", H)],
    ),
    (
        "en",
        LAKES,
        "I can see 4 lakes; the biggest of them sits in the upper left corner.",
        [("4", "number", C), ("upper left", "place", U)],
    ),
    (
        "en",
        LAKES,
        "Water makes up about 5 percent of the picture.",
        [("Water", "presence", H), ("5 percent", "share", H)],
    ),
    ("en", LAKES, "Water makes up 12 percent of the picture.", [("Water", "presence", U), ("12 percent", "share", C)]),
    ("en", LAKES, "There is no water in this scene.", [("water", "presence", C)]),
    (
        "en",
        LAKES,
        "No water bodies are visible in the north-east, but there are some in the north-west.",
        [("north-east", "place", H), ("north-west", "place", H)],
    ),
    ("en", LAKES, "None of the lakes lies in the bottom left.", [("in the bottom left", "place", H)]),
    (
        "en",
        LAKES,
        "The second largest lake covers 10 ha and lies in the middle of the scene.",
        [("lake", "presence", H), ("10 ha", "area", H), ("in the middle", "place", H)],
    ),
    ("en", LAKES, "The largest lake is tiny.", [("tiny", "size", C)]),
    (
        "en",
        LAKES,
        "The largest lake covers 30 ha, that is two thirds of the water; the others are in the bottom right and the centre.",  # noqa: E501
        [
            ("lake", "presence", H),
            ("30 ha", "area", H),
            ("two thirds", "share", H),
            ("in the bottom right", "place", H),
            ("the centre", "place", H),
        ],
    ),
    ("en", LAKES, "Two ships cross the lake, which is 3 m deep.", [("Two", "other", U), ("3 m", "other", U)]),
    (
        "en",
        LAKES,
        "The image was taken on 12 May 2021 by Landsat 8.",
        [("12", "other", U), ("2021", "other", U), ("8", "other", U)],
    ),
    (
        "en",
        LAKES,
        "Mean NDWI is 0.43 within the mask (std 0.05). Outside it drops to -0.21.",
        [("0.43", "index", H), ("0.05", "index", H), ("-0.21", "index", H)],
    ),
    ("en", LAKES, "The NDWI inside is -0.21, the NDWI outside is 0.43.", [("-0.21", "index", C), ("0.43", "index", C)]),
    ("en", LAKES, "NDVI averages 0.43 over the lakes.", [("0.43", "index", U)]),
    ("en", LAKES, "A large part of the lake shore borders on vegetation.", [("vegetation", "neighbour", H)]),
    (
        "en",
        LAKES,
        "About 34% of the border is shared with vegetation, and 10% with roads.",
        [("34%", "neighbour", H), ("10%", "neighbour", U)],
    ),
    (
        "en",
        LAKES,
        "More than 40 ha of water were found, but less than 50 ha.",
        [("40 ha", "area", H), ("water", "presence", H), ("50 ha", "area", H)],
    ),
    ("en", LAKES, "More than 50 ha of water were found.", [("50 ha", "area", C), ("water", "presence", U)]),
    ("en", LAKES, "The centroid of the largest lake is at (0.167, 0.167).", [("(0.167, 0.167)", "position", H)]),
    ("en", LAKES, "The centroid of the largest lake is at (0.9, 0.9).", [("(0.9, 0.9)", "position", C)]),
    (
        "en",
        DRY,
        "A large lake covers 5 ha in the centre.",
        [("large", "size", C), ("lake", "presence", C), ("5 ha", "area", C), ("in the centre", "place", C)],
    ),
    ("en", DRY, "There is no water here.", [("water", "presence", H)]),
    ("en", DRY, "Water is absent; the mean NDWI is -0.21.", [("Water", "presence", H), ("-0.21", "index", H)]),
    (
        "en",
        POND,
        "There is only one lake, which covers 3.3 % of the scene.",
        [("only one", "number", H), ("lake", "presence", H), ("3.3 %", "share", H)],
    ),
    ("en", LAKES, "There is only one lake.", [("only one", "number", C), ("lake", "presence", U)]),
    (
        "en",
        LAKES,
        "Clouds hide 5 % of the scene, with a confidence of 5 %.",
        [("5 %", "share", U), ("5 %", "share", U)],
    ),
    (
        "de",
        LAKES,
        "Im Bild sind drei Seen zu sehen, zusammen etwa 45 Hektar groß.",
        [("drei", "number", H), ("Seen", "presence", H), ("45 Hektar", "area", H)],
    ),
    ("de", LAKES, "Der größte See liegt im Südosten.", [("See", "presence", U), ("Südosten", "place", C)]),
    (
        "de",
        LAKES,
        "Wasser gibt es hier nicht im Norden, sondern im Süden.",
        [("Norden", "place", C), ("Süden", "place", U)],
    ),
    ("de", LAKES, "Es gibt hier kein Wasser.", [("Wasser", "presence", C)]),
    (
        "de",
        LAKES,
        "Rund 5,0 Prozent der Szene sind Wasser; der NDWI beträgt im Mittel 0,43.",
        [("5,0 Prozent", "share", H), ("Wasser", "presence", H), ("0,43", "index", H)],
    ),
    ("de", LAKES, "Zwei Boote fahren auf dem See.", [("Zwei", "other", U)]),
    (
        "fr",
        LAKES,
        "On distingue trois lacs, dont le plus grand couvre 30 hectares en haut à gauche.",
        [("trois", "number", H), ("lacs", "presence", H), ("30 hectares", "area", H), ("en haut à gauche", "place", H)],
    ),
    ("fr", LAKES, "Aucun lac n'est visible dans cette image.", [("lac", "presence", C)]),
    ("fr", LAKES, "L'eau représente 15 % de l'image.", [("eau", "presence", U), ("15 %", "share", C)]),
    ("fr", LAKES, "Le plus grand lac n'est pas au nord.", [("nord", "place", C)]),
    ("fr", LAKES, "L'écart type du NDWI est de 0,05 dans le masque.", [("0,05", "index", H)]),
    (
        "es",
        LAKES,
        "Hay 3 lagos que suman 0,45 km² de agua.",
        [("3", "number", H), ("lagos", "presence", H), ("0,45 km²", "area", H)],
    ),
    ("es", LAKES, "No hay agua en la imagen.", [("agua", "presence", C)]),
    (
        "es",
        LAKES,
        "El lago más grande está en el sureste y mide 30 ha.",
        [("lago", "presence", U), ("sureste", "place", C), ("30 ha", "area", U)],
    ),
    (
        "es",
        LAKES,
        "El agua ocupa el 7,5 por ciento de la escena.",
        [("agua", "presence", U), ("7,5 por ciento", "share", C)],
    ),
    ("es", LAKES, "Dos barcos navegan por el lago.", [("Dos", "other", U)]),
    (
        "pt",
        LAKES,
        "Existem três lagos e a água ocupa cerca de 5% da imagem.",
        [("três", "number", H), ("lagos", "presence", H), ("5%", "share", H)],
    ),
    ("pt", LAKES, "Não há água nesta imagem.", [("água", "presence", C)]),
    (
        "pt",
        LAKES,
        "O maior lago mede 30 hectares e fica no noroeste.",
        [("lago", "presence", H), ("30 hectares", "area", H), ("noroeste", "place", H)],
    ),
    ("pt", LAKES, "O NDWI médio é 0,60 dentro da máscara.", [("0,60", "index", C)]),
    (
        "ru",
        LAKES,
        "На снимке видны три озера общей площадью около 45 га.",
        [("три", "number", H), ("озера", "presence", H), ("45 га", "area", H)],
    ),
    ("ru", LAKES, "Воды на снимке нет.", [("Воды", "presence", C)]),
    (
        "ru",
        LAKES,
        "Самое большое озеро находится на юго-востоке.",
        [("озеро", "presence", U), ("юго-востоке", "place", C)],
    ),
    (
        "ru",
        LAKES,
        "Вода занимает 5 процентов снимка, а в маске 4500 пикселей.",
        [("Вода", "presence", H), ("5 процентов", "share", H), ("4500 пикселей", "area", H)],
    ),
    ("ru", LAKES, "По озеру плывут два корабля.", [("два", "other", U)]),
    (
        "ar",
        LAKES,
        "توجد ثلاث بحيرات في الصورة بمساحة إجمالية تبلغ 45 هكتارا.",
        [("ثلاث", "number", H), ("بحيرات", "presence", H), ("45 هكتارا", "area", H)],
    ),
    ("ar", LAKES, "لا توجد مياه في هذه الصورة.", [("مياه", "presence", C)]),
    (
        "ar",
        LAKES,
        "تقع أكبر بحيرة في الشمال الغربي وتغطي ٣٠ هكتارا.",
        [("بحيرة", "presence", H), ("الشمال الغربي", "place", H), ("٣٠ هكتارا", "area", H)],
    ),
    ("ar", LAKES, "تغطي المياه ٢٠٪ من الصورة.", [("المياه", "presence", U), ("٢٠٪", "share", C)]),
    (
        "hi",
        LAKES,
        "चित्र में तीन झीलें हैं जो 45 हेक्टेयर में फैली हैं।",
        [("तीन", "number", H), ("झीलें", "presence", H), ("45 हेक्टेयर", "area", H)],
    ),
    ("hi", LAKES, "इस चित्र में पानी नहीं है।", [("पानी", "presence", C)]),
    ("hi", LAKES, "सबसे बड़ी झील दक्षिण-पूर्व में है।", [("झील", "presence", U), ("दक्षिण-पूर्व", "place", C)]),
    ("hi", LAKES, "पानी चित्र का ५ प्रतिशत है।", [("पानी", "presence", H), ("५ प्रतिशत", "share", H)]),
    (
        "zh",
        LAKES,
        "图中有三个湖泊，水域总面积约为45公顷。",
        [("三", "number", H), ("湖泊", "presence", H), ("水域", "presence", H), ("45公顷", "area", H)],
    ),
    ("zh", LAKES, "图像中没有水体。", [("水体", "presence", C)]),
    (
        "zh",
        LAKES,
        "最大的湖位于东南，面积30公顷。",
        [("湖", "presence", U), ("东南", "place", C), ("30公顷", "area", U)],
    ),
    (
        "zh",
        LAKES,
        "水体占图像的百分之5，西北部也有分布。",
        [("水体", "presence", H), ("百分之5", "share", H), ("西北", "place", H)],
    ),
    ("zh", LAKES, "湖面上有两艘船。", [("湖", "presence", U), ("两", "other", U)]),
    (
        "zh",
        LAKES,
        "水体面积约0.45万像素，NDWI均值为0.43。",
        [("水体", "presence", H), ("0.45万像素", "area", H), ("0.43", "index", H)],
    ),
    ("en", LAKES, "Accuracy: 5 %.", [("5 %", "share", U)]),
    ("en", LAKES, "The pond count is 3, and 45 ha are flooded.", [("3", "number", H), ("45 ha", "area", H)]),
    ("en", LAKES, "Three ponds, 4.5 ha in all.", [("Three", "number", U), ("4.5 ha", "area", C)]),
    ("en", LAKES, "A patch of 10 ha lies in the centre.", [("10 ha", "area", H), ("in the centre", "place", H)]),
    ("en", LAKES, "A patch of 20 ha lies in the centre.", [("20 ha", "area", C), ("in the centre", "place", U)]),
    ("de", LAKES, "Die Gewässer nehmen 4.500 Pixel ein.", [("Gewässer", "presence", H), ("4.500 Pixel", "area", H)]),
    ("de", LAKES, "Es liegt kein See in der Mitte.", [("in der Mitte", "place", C)]),
    ("fr", DRY, "Il n'y a pas d'eau.", [("eau", "presence", H)]),
    ("ru", DRY, "Водоёмы отсутствуют.", [("Водоёмы", "presence", H)]),
    ("zh", DRY, "未发现水体。", [("水体", "presence", H)]),
    ("en", LAKES, "The scene measures 300 × 300 px.", [("300", "other", H), ("300", "other", H)]),
]


def told(claims: list[Claim]) -> list[tuple[str, str, str]]:
    return [(claim.text, claim.kind, claim.verdict) for claim in claims]


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Draw figures that agree with each other as those of a mask do."""
    has_ground = draw(st.booleans())
    pixel_m2 = draw(st.sampled_from([0.25, 1.0, 100.0, 900.0]))

    def area(px: int) -> float | None:
        return px * pixel_m2 if has_ground else None

    height, width = draw(st.integers(64, 3000)), draw(st.integers(64, 3000))
    shape = height, width
    sizes = sorted(draw(st.lists(st.integers(1, height * width // 12), max_size=10)), reverse=True)
    regions = tuple(
        Region(
            runs=np.zeros((1, 3), "int32"),
            shape=shape,
            area_px=px,
            centroid_px=(1.0, 1.0),
            rectangle_px=((0.0, 0.0),) * 4,
            share_frac=px / (height * width),
            size=size_word(px / (height * width)),
            location=draw(st.sampled_from(LOCATIONS)),
            area_m2=area(px),
        )
        for px in sizes
    )
    more = draw(st.integers(0, 300)) if len(regions) == 10 else 0
    crumbs = draw(st.integers(0, 50)) + more
    area_px = sum(sizes) + crumbs
    valid_px = max(area_px, height * width - draw(st.integers(0, 1000)))
    target, *others = draw(st.permutations(list(TARGETS)))
    spread = st.builds(Spread, st.floats(-1, 1), st.floats(0, 0.5))
    shares = draw(st.lists(st.floats(1e-5, 0.3), max_size=3))
    has_index = draw(st.booleans())
    return Evidence(
        target=target,
        shape=shape,
        area_px=area_px,
        valid_px=valid_px,
        share_frac=area_px / valid_px,
        area_m2=area(area_px),
        number=len(regions) + more,
        regions=regions,
        index_name=draw(st.sampled_from(TARGETS[target].indices)) if has_index else None,
        inside=(draw(spread) if area_px else Spread(math.nan, math.nan)) if has_index else None,
        outside=draw(spread) if has_index else None,
        neighbours=dict(zip(others, shares, strict=False)) if area_px else {},
        is_relative=draw(st.booleans()),
    )


languages, seeds = st.sampled_from(LANGUAGES), st.integers(0, 10**6)


@pytest.mark.slow
@settings(max_examples=400)
@given(evidences(), languages, seeds)
def test_every_claim_of_a_written_answer_holds_and_every_figure_is_one(
    evidence: Evidence, language: str, seed: int
) -> None:
    text = write_answer(evidence, language, seed).text
    claims = check_explanation(text, evidence, language)
    assert {claim.verdict for claim in claims} == {H}, (text, claims)
    for figure in re.finditer(r"\d+", text):
        assert any(c.start <= figure.start() and figure.end() <= c.start + len(c.text) for c in claims), text
    kinds = {claim.kind for claim in claims}
    if evidence.number > 1:
        assert kinds >= {"presence", "number", "size", "place", "share", "area"}
    elif not evidence.area_px:
        assert kinds >= {"presence", "area"}


def change_number(evidence: Evidence) -> Evidence:
    return dataclasses.replace(evidence, number=evidence.number + 1)


def change_share(evidence: Evidence) -> Evidence:
    return dataclasses.replace(evidence, share_frac=evidence.share_frac * 1.3 + 0.02)


def change_area(evidence: Evidence) -> Evidence:
    area_m2 = None if evidence.area_m2 is None else evidence.area_m2 * 1.5
    return dataclasses.replace(evidence, area_px=evidence.area_px * 2, area_m2=area_m2)


def change_largest(evidence: Evidence, **changes: Any) -> Evidence:
    largest = dataclasses.replace(evidence.regions[0], **changes)
    return dataclasses.replace(evidence, regions=(largest, *evidence.regions[1:]))


def change_size(evidence: Evidence) -> Evidence:
    other = next(size for size in SIZE_WORDS if size != evidence.regions[0].size)
    return change_largest(evidence, size=other)


def change_place(evidence: Evidence) -> Evidence:
    place = LOCATIONS[(LOCATIONS.index(evidence.regions[0].location) + 4) % 9]
    return change_largest(evidence, location=place)


def change_area_of_largest(evidence: Evidence) -> Evidence:
    largest = evidence.regions[0]
    area_m2 = None if largest.area_m2 is None else largest.area_m2 * 1.2 + 1  # more than rounding can hide
    return change_largest(evidence, area_px=largest.area_px * 2, area_m2=area_m2)


def change_index_inside(evidence: Evidence) -> Evidence:
    assert evidence.inside is not None
    return dataclasses.replace(evidence, inside=Spread(evidence.inside.mean + 0.1, evidence.inside.std))


def change_index_outside(evidence: Evidence) -> Evidence:
    assert evidence.outside is not None
    return dataclasses.replace(evidence, outside=Spread(evidence.outside.mean - 0.1, evidence.outside.std))


def change_spread(evidence: Evidence) -> Evidence:
    assert evidence.inside is not None
    return dataclasses.replace(evidence, inside=Spread(evidence.inside.mean, evidence.inside.std + 0.1))


def change_neighbour(evidence: Evidence) -> Evidence:
    return dataclasses.replace(evidence, neighbours={k: v + 0.2 for k, v in evidence.neighbours.items()})


CHANGES = (
    change_number,
    change_share,
    change_area,
    change_size,
    change_place,
    change_area_of_largest,
    change_index_inside,
    change_index_outside,
    change_spread,
    change_neighbour,
)


@pytest.mark.slow
@settings(max_examples=60)
@pytest.mark.parametrize("change", CHANGES)
@given(st.data(), languages, seeds)
def test_one_wrong_figure_in_an_answer_is_a_contradiction(
    change: Any, data: st.DataObject, language: str, seed: int
) -> None:
    evidence = data.draw(evidences().filter(lambda e: e.number > 1 and e.index_name is not None and bool(e.neighbours)))
    wrong = write_answer(change(evidence), language, seed).text
    claims = check_explanation(wrong, evidence, language)
    assert any(claim.verdict == C for claim in claims), (wrong, claims)


def verdicts_of(kind: str, written_of: Evidence, measured: Evidence, language: str, seed: int) -> set[str]:
    text = write_answer(written_of, language, seed).text
    return {claim.verdict for claim in check_explanation(text, measured, language) if claim.kind == kind}


PLAIN = dataclasses.replace(LAKES, number=0, regions=(), neighbours={})
"""Water with no areas but the whole of it."""
MORE = 1.12
"""By what a figure is changed: beyond what it may be off, and what rounding to two digits hides."""


@pytest.mark.slow
@given(st.floats(0.25, 1e11), languages, seeds)
@example(25_000.0, "en", 0)
@example(30_001 / MORE, "en", 0)
@example(10_001.0, "de", 0)
@example(1.0, "ru", 0)
def test_an_area_is_written_exactly_enough_to_hold_only_where_it_is_right(
    area_m2: float, language: str, seed: int
) -> None:
    less, more = (dataclasses.replace(PLAIN, area_m2=area) for area in (area_m2, MORE * area_m2))
    assert verdicts_of("area", less, less, language, seed) == {H}
    assert verdicts_of("area", more, less, language, seed) == {C}
    assert verdicts_of("area", less, more, language, seed) == {C}


@pytest.mark.slow
@given(st.floats(0.01, 0.89), languages, seeds)
@example(0.0096 * MORE, "en", 0)
@example(0.0304 / MORE, "fr", 0)
def test_a_share_is_written_exactly_enough_to_hold_only_where_it_is_right(
    share: float, language: str, seed: int
) -> None:
    less, more = (dataclasses.replace(PLAIN, share_frac=frac) for frac in (share, MORE * share))
    assert verdicts_of("share", less, less, language, seed) == {H}
    assert verdicts_of("share", more, less, language, seed) == {C}
    assert verdicts_of("share", less, more, language, seed) == {C}


def test_an_area_of_30001_square_metres_is_not_one_of_25000() -> None:
    smaller, larger = (dataclasses.replace(PLAIN, area_m2=area) for area in (25_000.0, 30_001.0))
    assert verdicts_of("area", larger, smaller, "en", 0) == {C}
    assert verdicts_of("area", larger, larger, "en", 0) == {H}


@pytest.mark.slow
@settings(max_examples=60)
@given(evidences(), languages, seeds)
def test_swapping_presence_and_absence_is_a_contradiction(evidence: Evidence, language: str, seed: int) -> None:
    empty = dataclasses.replace(evidence, area_px=0, share_frac=0.0, area_m2=0.0, number=0, regions=(), neighbours={})
    if evidence.area_px:
        denied = check_explanation(write_answer(empty, language, seed).text, evidence, language)
        claimed = check_explanation(write_answer(evidence, language, seed).text, empty, language)
        assert C in {claim.verdict for claim in denied if claim.kind == "presence"}
        assert C in {claim.verdict for claim in claimed}


@pytest.mark.parametrize(("language", "evidence", "text", "expected"), FREE_TEXTS)
def test_free_text_is_read_and_judged(
    language: str, evidence: Evidence, text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert told(check_explanation(text, evidence, language)) == expected


def test_claims_say_where_they_stand_and_what_was_measured() -> None:
    text = "In all, 9 lakes."
    (claim,) = check_explanation(text, LAKES)
    assert claim == Claim("9", 8, "number", "9", "regions: 3", C)


@pytest.mark.parametrize(
    ("language", "text", "verdicts"),
    [
        ("en", "The lakes do not cover 45 ha.", {U}),
        ("es", "Los lagos no cubren 45 ha.", {U}),
        ("ru", "Озёра не занимают 45 га.", {U}),
        ("en", "<p>The lakes cover <b>20 ha</b>.</p>", {C}),
        ("en", "All the lakes lie in the north.", {C}),
        ("de", "Alle Seen liegen im Norden.", {C}),
        ("ru", "Все озёра лежат на севере.", {C}),
        ("zh", "所有湖泊都位于北部。", {C}),
        ("en", "All lakes are huge.", {C}),
        ("en", "Not all of the lakes are huge.", {H}),
        ("en", "The lake in the top left covers 10 ha.", {U}),
        ("en", "The lake in the bottom right is huge.", {H, U}),
        ("es", "El segundo lago más grande cubre 30 ha.", {C}),
        ("es", "El segundo lago más grande cubre 10 ha.", {H}),
        ("fr", "La deuxième zone la plus grande couvre 10 ha.", {H}),
        ("en", "The three regions measure 30 ha, 10 ha and 5 ha.", {H}),
        ("en", "No lake exceeds 50 ha.", {H}),
        ("de", "Der größte See ist 30 ha groß.", {H}),
        ("es", "Más del 3 % de la escena es agua.", {H}),
        ("en", "There is one lake in the centre.", {U, C}),
    ],
)
def test_what_is_denied_said_of_all_or_said_of_another_region_is_not_mistaken(
    language: str, text: str, verdicts: set[str]
) -> None:
    claims = [claim for claim in check_explanation(text, LAKES, language) if claim.kind != "presence"]
    assert {claim.verdict for claim in claims} == verdicts, claims


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        ("at the top left", H),
        ("on the upper-left", H),
        ("in the north west", H),
        ("in the top left corner", H),
        ("at the top right", C),
        ("on the lower left", C),
        ("in the south west", C),
    ],
)
def test_a_corner_is_one_place_and_not_its_row_alone(place: str, verdict: str) -> None:
    (claim,) = (c for c in check_explanation(f"The largest region lies {place}.", LAKES) if c.kind == "place")
    assert (claim.verdict, claim.stated in LOCATIONS) == (verdict, True)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Water covers 47.2 ha.", H),
        ("Water covers 47.4 ha.", C),
        ("Water covers about 49 ha.", H),
        ("Water covers about 50 ha.", C),
        ("Water covers 0.5 km².", H),
        ("Water covers 0.6 km².", C),
        ("Water covers 4,500 px.", H),
        ("Water covers 5 thousand px.", H),
        ("Water covers 6 thousand px.", C),
        ("Water covers at least 45 ha.", H),
        ("Water covers under 45 m².", C),
        ("The mean NDWI is 0.4.", H),
        ("The mean NDWI is 0.45.", C),
        ("The mean NDWI is 0.44.", H),
        ("The mean NDWI is 0.444.", C),
        ("The mean NDWI is above 0.4.", U),
        ("The NDWI threshold is 0.43.", U),
    ],
)
def test_tolerances_are_as_documented(text: str, verdict: str) -> None:
    figures = [c for c in check_explanation(text, LAKES) if c.kind in ("area", "index")]
    assert [claim.verdict for claim in figures] == [verdict]


def test_areas_on_the_ground_cannot_be_checked_without_a_crs() -> None:
    flat = dataclasses.replace(LAKES, area_m2=None, regions=())
    assert told(check_explanation("Water covers 45 ha.", flat))[-1] == ("45 ha", "area", U)


def test_what_is_not_listed_is_not_denied() -> None:
    many = dataclasses.replace(LAKES, number=80)
    assert told(check_explanation("One lies in the bottom left.", many)) == [("in the bottom left", "place", U)]
    assert told(check_explanation("None of the lakes lies in the bottom left.", many))[-1][2] == U


def test_invisible_characters_and_markup_hide_nothing() -> None:
    text = "<p><b>There are</b> \u200b9\u200b la\u200dkes</p> and *no* wa\u00adter."
    assert [claim.verdict for claim in check_explanation(text, LAKES)].count(C) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "NaN ha, inf %, -inf, nan lakes",
        "1e400 ha of water, 9e999999999 lakes",
        "9" * 100_000 + " ha",
        "1," * 50_000,
        "1 234 " * 16_000,
        "(" * 100_000,
        "[(1," * 25_000,
        "<b>" * 33_000,
        "no water " * 11_000,
        "the largest " * 8_000,
        "NDWI 0.4 ± inside " * 5_000,
        "a\u0301\u200b" * 33_000,
        "水体" * 50_000,
        "\ud800 \x00 water",
    ],
)
@pytest.mark.parametrize("language", ["en", "zh", "ar"])
def test_hostile_text_never_holds_a_wrong_figure(text: str, language: str) -> None:
    claims = check_explanation(text, LAKES, language)
    figures = [claim for claim in claims if claim.kind in ("area", "share", "number")]
    assert all(claim.verdict != H for claim in figures if claim.text != "3")


class CountedText(str):
    """A text that counts the characters that are copied out of it."""

    __slots__ = ("copied",)
    copied: int

    def __getitem__(self, part: Any) -> str:
        piece = super().__getitem__(part)
        self.copied += len(piece)
        return piece


def steps_to_check(text: str) -> int:
    """Count the lines and calls that a check takes within the package, and the characters that it copies."""
    counted, steps = CountedText(text), 0
    counted.copied = 0

    def count(frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal steps
        if "spex_nb" not in frame.f_globals.get("__name__", ""):
            return None
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        check_explanation(counted, LAKES)
    finally:
        sys.settrace(before)
    return steps + counted.copied


ANSWER = write_answer(LAKES, "en", 1).text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        f"{ANSWER} ",
        ANSWER.replace(".", ";"),  # one sentence of many clauses
        ANSWER.replace(".", " "),  # one clause
        "lakes: 3; ",
        "3, ",
        "water covers 45 ha ",
        "3 large lakes in the center ",
        "the largest lake of 30 ha in the top left ",
        "5% of the border with vegetation ",
        "5% of the border with vegetation, ",
        "border of water with vegetation ",
        "NDWI inside 0.43 ± 0.05 outside -0.21 ",
        "0.4 ± 0.05 NDWI ± 0.05 ",
        "no water ",
        "lake at (0.1, 0.1) ",
    ],
)
def test_twice_the_text_takes_twice_the_steps(text: str) -> None:
    steps_to_check(text)  # what is kept for the next check is made
    once, twice = (steps_to_check(text * times) for times in (60, 120))
    assert twice < 2.2 * once


@pytest.mark.slow
@settings(max_examples=200)
@given(st.text(max_size=300), languages)
def test_any_text_is_read_without_an_error_and_claims_quote_it(text: str, language: str) -> None:
    for claim in check_explanation(text, LAKES, language):
        assert text[claim.start : claim.start + len(claim.text)] == claim.text


def test_a_rewritten_answer_keeps_its_figures_in_any_order_and_unit() -> None:
    original = "There are 3 lakes. They cover 45 ha of water in total."
    assert same_figures(original, "In total, 0.45 km² of water are found, spread over 3 lakes.", LAKES)
    assert same_figures(original, original, LAKES)


@pytest.mark.parametrize(
    "rewritten",
    [
        "There are 3 lakes.",
        "There are 4 lakes. They cover 45 ha of water in total.",
        "There are 3 lakes. They cover 54 ha of water in total.",
        "There are 3 lakes. They cover 45 ha of water in total. Two ships are on them.",
        "There are 3 lakes. They cover 45 ha of water in total. In 2019 it was the same.",
        "There are 3 lakes. They do not cover anything.",
    ],
)
def test_a_rewritten_answer_that_drops_changes_or_adds_a_figure_is_refused(rewritten: str) -> None:
    original = "There are 3 lakes. They cover 45 ha of water in total."
    assert not same_figures(original, rewritten, LAKES)


@settings(max_examples=60)
@given(evidences(), languages, seeds, seeds)
def test_an_answer_is_no_worse_for_another_choice_of_sentences(
    evidence: Evidence, language: str, seed: int, other: int
) -> None:
    one, two = (write_answer(evidence, language, s).text for s in (seed, other))
    assert same_figures(one, two, evidence, language)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZE_WORDS)
def test_a_size_word_behind_the_largest_is_about_the_largest(language: str, size: str) -> None:
    places = ("bottom-center", "top-left", "bottom-left")
    regions = tuple(region(px, place, size, None) for px, place in zip((9, 3, 2), places, strict=True))
    figures = {"area_px": 14, "valid_px": 4096, "share_frac": 14 / 4096, "area_m2": None, "number": 3}
    few = dataclasses.replace(LAKES, **figures, regions=regions, index_name=None, inside=None, outside=None)
    answers = [write_answer(few, language, seed).text for seed in range(15)]
    assert all(same_figures(answers[0], answer, few, language) for answer in answers)


@pytest.mark.parametrize(
    ("text", "are_others"),
    [
        ("المناطق الصغيرة تقع في أعلى اليسار.", True),
        ("وبالصغيرة.", True),
        ("أكبر منطقة صغيرة.", False),
        ("وهي صغيرة.", False),
    ],
)
def test_the_article_makes_an_arabic_adjective_name_others(text: str, are_others: bool) -> None:
    words = [token for sentence in read_sentences(text, "ar") for clause in sentence for token in clause]
    assert any("others" in token for token in words) == are_others


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(LanguageError, match=r"one of en, ar"):
        check_explanation("water", LAKES, "tlh")


LAKE_30M = dataclasses.replace(
    LAKES,
    area_px=9444,
    valid_px=65_025,
    share_frac=0.1452,
    area_m2=8_500_000.0,
    number=4,
    regions=(
        region(7511, "center", "huge", 6_760_000.0),
        region(1089, "top-left", "large", 980_000.0),
        region(633, "bottom-right", "somewhat large", 570_000.0),
        region(211, "top-right", "small", 190_000.0),
    ),
    inside=Spread(0.45, 0.13),
    outside=Spread(-0.57, 0.13),
    neighbours={"vegetation": 0.87},
)
"""The figures that the sentences of ``claim_sentences.csv`` are about."""
SENTENCES = list(csv.DictReader((Path(__file__).parent / "claim_sentences.csv").read_text("utf-8").splitlines()))


def sentence_verdicts(truth: str) -> dict[str, set[str]]:
    rows = [row for row in SENTENCES if row["truth"] == truth]
    return {row["text"]: {c.verdict for c in check_explanation(row["text"], LAKE_30M, row["language"])} for row in rows}


def test_no_wrong_sentence_carries_a_tick_and_nearly_all_are_contradicted() -> None:
    verdicts = sentence_verdicts("F")
    assert [text for text, judged in verdicts.items() if H in judged] == []
    assert sum(C in judged for judged in verdicts.values()) > 0.95 * len(verdicts) > 70


def test_no_right_sentence_is_contradicted_and_most_are_confirmed() -> None:
    verdicts = sentence_verdicts("T")
    assert [text for text, judged in verdicts.items() if C in judged] == []
    assert sum(H in judged for judged in verdicts.values()) > 0.9 * len(verdicts) > 50


@pytest.mark.parametrize("target", ["vegetation", "built_up", "snow"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_figures_of_another_land_cover_are_contradicted(language: str, target: str) -> None:
    text = write_answer(dataclasses.replace(LAKE_30M, target=target, neighbours={}), language).text
    claims = check_explanation(text, LAKE_30M, language)
    assert C in {claim.verdict for claim in claims}
    of_area = [claim for claim in claims if claim.kind in ("share", "area") and "850" in claim.text]
    assert not any(claim.verdict == H for claim in of_area)


def test_a_sentence_longer_than_anyone_writes_is_not_read_for_quantities() -> None:
    claims = check_explanation("The lakes are half, " * 400, LAKE_30M)
    assert not any(claim.kind == "share" for claim in claims)
    assert H not in {claim.verdict for claim in claims}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_region_of_medium_size_is_no_average(language: str) -> None:
    evidence = change_largest(LAKES, size="medium")
    for seed in range(30):
        claims = check_explanation(write_answer(evidence, language, seed).text, evidence, language)
        assert C not in {claim.verdict for claim in claims}
