"""The Check panel, headless: points without the mask, keys, figures, files, sessions, edits."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from spex_widgets import CheckPanel, WorkbenchState, editor, open_session, save_session
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.map.link import MapLink

from spex_nb import extract, sample_scene
from spex_nb.output.map_images import measure_stretch
from spex_nb.output.point_pictures import point_picture


@pytest.fixture
def state() -> WorkbenchState:
    scene = sample_scene("river_10m")
    state = WorkbenchState(scene, "index", executor=ImmediateExecutor())
    state.show_result(extract(scene, "water", "index", progress=False), (0, 0, *scene.spex.shape))
    return state


def drawn(state: WorkbenchState, n: int = 12) -> CheckPanel:
    panel = CheckPanel(state)
    panel.number.value = n
    panel.draw.click()
    assert panel.error.value == ""
    return panel


def type_keys(panel: CheckPanel, keys: str) -> None:
    for key in keys:
        panel.typed.value += key


def right_keys(panel: CheckPanel) -> str:
    return "".join(str(mapped + 1) for mapped in panel.state.check.mapped)


def test_without_a_result_there_is_nothing_to_draw() -> None:
    panel = CheckPanel(WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor()))
    assert "No result" in panel.progress.value
    panel.draw.click()
    assert "Extract something first" in panel.error.value
    panel.save.click()
    assert "Draw points first" in panel.error.value


def test_points_are_shown_at_two_scales_while_the_mask_is_wiped_off(state: WorkbenchState) -> None:
    panel = drawn(state)
    assert state.wipe == 0
    assert "Point 1 of 12" in panel.progress.value
    assert "map shows" not in panel.progress.value
    encoded = re.findall(r"base64,([^']+)'", panel.pictures.value)
    near, wide = (imread(io.BytesIO(base64.b64decode(text))) for text in encoded)
    assert near.shape == wide.shape == (300, 300, 3)
    assert not np.array_equal(near, wide)
    assert [control.description for control in panel.choices.children] == [
        "1 water bodies",
        "2 none of these",
        "0 unsure",
    ]


def test_outlines_leave_the_map_with_the_mask(state: WorkbenchState, recording_map: Any) -> None:
    link = MapLink(state, recording_map)
    panel = drawn(state)
    (wiped,) = recording_map.calls_of("set_regions")[-1]
    assert len(wiped) == 0
    type_keys(panel, right_keys(panel))
    (shown,) = recording_map.calls_of("set_regions")[-1]
    assert len(shown) == len(state.result.regions) > 0
    link.close()


def test_keys_answer_and_the_last_one_brings_figures_mask_and_area(state: WorkbenchState) -> None:
    panel = drawn(state)
    type_keys(panel, right_keys(panel)[:-1])
    assert panel.figures.value == ""
    assert state.check.answered == 11
    panel.choices.children[2].click()
    assert state.check.unsure == 1
    assert state.wipe == 1
    assert "Accuracy and area" in panel.figures.value
    assert "Left out as unsure: 1." in panel.figures.value
    area = state.result.evidence["water"].area_interval
    assert str(area) in panel.figures.value
    assert area.points == 11


def test_many_keys_at_once_and_backspace(state: WorkbenchState) -> None:
    panel = drawn(state)
    panel.typed.value = "121"
    assert state.check.answers[:3] == ("water", "other", "water")
    panel.typed.value = "12"
    assert "Point 3 of 12" in panel.progress.value
    assert "Answered: water bodies. The map shows" in panel.progress.value
    panel.typed.value = "122"
    assert state.check.answers[2] == "other"
    assert panel.point == 3
    panel.back.click()
    panel.back.click()
    assert panel.point == 1
    panel.forward.click()
    assert panel.point == 3
    panel.typed.value = "1227"
    assert "This key answers nothing" in panel.error.value
    panel.typed.value = "1227?"
    assert state.check.answers[3] == "unsure"


def test_an_edit_keeps_the_area_and_a_new_result_drops_the_points(state: WorkbenchState) -> None:
    panel = drawn(state)
    type_keys(panel, right_keys(panel))
    before = state.result.evidence["water"].area_interval
    state.tool = "paint"
    editor.draw(state, [(40.0, 40.0), (60.0, 60.0)])
    assert state.result.provenance["edited_px"] > 0
    assert state.result.evidence["water"].area_interval == before
    state.show_result(state.extraction, state.window)
    assert state.check is None
    assert "Draw points" in panel.progress.value


def test_points_are_saved_opened_and_answered_by_another_person(state: WorkbenchState, tmp_path: Path) -> None:
    panel = drawn(state)
    keys = right_keys(panel)
    type_keys(panel, keys[:5])
    panel.path.value = str(tmp_path / "check.gpkg")
    panel.save.click()
    assert "Written to" in panel.status.value
    again = CheckPanel(state)
    state.check = None
    again.path.value = panel.path.value
    again.load.click()
    assert again.error.value == ""
    assert again.point == 5
    assert state.check.answered == 5
    again.read.click()
    assert "agree on 100% of 5 points" in again.status.value
    again.path.value = str(tmp_path / "none.gpkg")
    again.load.click()
    assert "Check the path" in again.error.value


@pytest.mark.slow
def test_a_session_keeps_points_answers_and_areas(state: WorkbenchState, tmp_path: Path) -> None:
    panel = drawn(state)
    type_keys(panel, right_keys(panel))
    answers, area = state.check.answers, state.result.evidence["water"].area_interval
    save_session(state, tmp_path / "a.spex")
    again = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    shown = CheckPanel(again)
    open_session(again, tmp_path / "a.spex")
    assert again.check.answers == answers
    assert again.result.evidence["water"].area_interval == area
    assert "Accuracy and area" in shown.figures.value


def test_a_point_at_the_edge_is_in_the_middle_of_its_picture_and_grey_lies_outside() -> None:
    scene = sample_scene("river_10m")
    stretch = measure_stretch(scene, "true")
    encoded = point_picture(scene, "true", stretch, (0, 0), 5, 50)
    picture = np.round(imread(io.BytesIO(encoded)) * 255)
    assert (picture[5, 5] == 128).all()
    low, high = stretch["red"]
    red = int(255 * np.clip((float(scene["red"].values[0, 0]) - low) / (high - low), 0, 1))
    assert picture[25, 25, 0] == pytest.approx(red, abs=1)


@pytest.mark.parametrize("hostile", ["<img src=x>"])
def test_class_names_are_text(state: WorkbenchState, hostile: str) -> None:
    from dataclasses import replace

    result: Any = replace(state.extraction, class_names={"water": hostile})
    state.show_result(result, state.window)
    panel = drawn(state, 3)
    panel.typed.value = "111"
    panel.back.click()
    assert hostile not in panel.figures.value + panel.progress.value
