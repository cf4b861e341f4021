"""Filters of an instruction about two dates choose among what was gained and lost; the user's language answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb import Change, compare, load_change
from spex_nb.analysis.change.doubts import ComparedScene, doubts_of
from spex_nb.analysis.change.wording import _one_mark
from spex_nb.errors import RegionError, TargetError
from spex_nb.language.explanation.change_words import ChangeWords

pytestmark = pytest.mark.slow

LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "pt", "ru", "zh")
PONDS_AFTER = ((50, 60, 24), (150, 80, 30), (30, 200, 14), (210, 120, 16), (100, 30, 6), (120, 130, 9))
"""A large new pond in the north-east, one in the south, a small one in the west; two of the old ones are gone."""


def ask(pair: tuple[xr.Dataset, xr.Dataset], text: str, **options: Any) -> Change:
    return compare(*pair, text, "index", progress=False, **options)


@pytest.fixture(scope="module")
def pair(landscape: Callable[..., Any]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return two dated scenes."""
    before, after = landscape().picture(), landscape(PONDS_AFTER).picture(noise_seed=9)
    return before.assign_attrs(datetime="2009-06-18"), after.assign_attrs(datetime="2019-06-30")


def matching(change: Change) -> list[tuple[str, int]]:
    """Return class and area of the regions that meet the instruction, largest first."""
    rows = change.regions[change.regions["matches"]]
    return sorted(zip(rows["change"], rows["area_px"], strict=True), key=lambda row: -row[1])


def test_a_size_means_what_was_gained_and_a_place_where_that_lies(pair: tuple[xr.Dataset, xr.Dataset]) -> None:
    change = ask(pair, "new water bodies larger than 2 ha in the north")
    ((name, area_px),) = matching(change)
    assert name == "gained"
    assert area_px == pytest.approx(np.pi * 14**2, rel=0.15)
    assert change.asked_classes == ("gained",)
    gained = (change.regions["change"] == "gained").sum()
    assert change.explanation.startswith(f"Asked for: {change.meaning} Matches: 1 of {gained} gained regions, with")
    whole = ask(pair, "water")
    assert change.targets == whole.targets
    assert whole.regions["matches"].all()
    assert not whole.meaning
    xr.testing.assert_equal(change.classes, whole.classes)


def test_what_was_lost_is_chosen_by_rank(pair: tuple[xr.Dataset, xr.Dataset]) -> None:
    lost = ask(pair, "the largest water body that disappeared")
    ((name, area_px),) = matching(lost)
    assert name == "lost"
    assert area_px == lost.regions.loc[lost.regions["change"] == "lost", "area_px"].max()


def test_a_filter_that_nothing_meets_is_said(pair: tuple[xr.Dataset, xr.Dataset], tmp_path: Any) -> None:
    change = ask(pair, "new water bodies larger than 500 ha")
    assert matching(change) == []
    assert change.explanation.startswith(f"Asked for: {change.meaning} No region matches.")
    again = load_change(change.save(tmp_path / "change"))
    assert again.explanation == change.explanation
    assert again.regions["matches"].tolist() == change.regions["matches"].tolist()


def test_the_answer_is_in_the_language_of_the_question(pair: tuple[xr.Dataset, xr.Dataset]) -> None:
    change = ask(pair, "¿qué agua se perdió desde 2012?")
    assert change.language == "es"
    assert change.asked_classes == ("lost",)
    water = change.targets["water"]
    assert water.loss.ha is not None
    loss = f"{water.loss.ha:,.1f}".replace(".", ",")
    assert f"perdido: {loss} ha" in change.explanation
    assert "entre 2009-06-18 y 2019-06-30" in change.explanation
    assert "La instrucción habla de 2012; las escenas son de 2009-06-18 y 2019-06-30." in change.explanation
    assert "subtracted" not in change.explanation


def test_what_cannot_be_filtered_is_refused_before_the_work(
    pair: tuple[xr.Dataset, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex_nb.analysis.change.compare_scenes.extract_masks", None)
    with pytest.raises(TargetError):
        ask(pair, "new water bodies within 100 m of a road")
    with pytest.raises(RegionError, match="drawn="):
        ask(pair, "new water bodies in the drawn area")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_written_in_every_language_and_states_only_figures(
    pair: tuple[xr.Dataset, xr.Dataset], english: Change, language: str
) -> None:
    words = ChangeWords(language)
    scenes = [
        ComparedScene(
            word=word,
            scene=scene.assign_attrs(sensor=f"sensor {word}", radiometry="relative"),
            bands=(*scene.spex.bands, word),
            date=None,
            gsd_m=gsd_m,
            answered_by={"water": "index", "vegetation": word},
            distrust=("?",),
            failures=3,
        )
        for word, scene, gsd_m in zip(("before", "after"), pair, (10.0, 20.0), strict=True)
    ]
    doubts = doubts_of(scenes[0], scenes[1], ["water", "vegetation"], ["water", "vegetation"], "tiny", words)
    change = replace(english, language=language, doubts=doubts)
    texts = [statement.text for statement in change.statements]
    assert len(texts) > 12
    assert all(text and not re.search(r"[{}\[\]]", text) for text in texts)
    if language != "en":
        assert not {text for text in texts if text != "?"} & {statement.text for statement in english.statements}
    water = change.targets["water"]
    for area in (water.before, water.after, water.gain, water.loss, water.unchanged):
        assert words.area(area.px, area.ha) in texts[0]
    assert all(statement.facts or statement.part == "confusion" for statement in change.statements)
    assert "2009-06-18" in texts[0]


@pytest.fixture(scope="module")
def english(pair: tuple[xr.Dataset, xr.Dataset]) -> Change:
    return ask(pair, "water")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Asked for: what was gained?; “lake” is water.", "Asked for: what was gained? “lake” is water."),
        ("Demandé : apparu (de plus de 1 ha) ?; « lac ».", "Demandé : apparu (de plus de 1 ha) ? « lac »."),
        ("要求：新增了什么？；“湖泊”按水体处理。", "要求：新增了什么？“湖泊”按水体处理。"),
        ("المطلوب: ما الذي ظهر؟؛ «بحيرة».", "المطلوب: ما الذي ظهر؟ «بحيرة»."),
        ("What was gained? Matches: 2.", "What was gained? Matches: 2."),
    ],
)
def test_a_question_within_a_statement_has_one_mark(text: str, written: str) -> None:
    assert _one_mark(text) == written
