"""The panel that teaches a class: clicks of + and −, an estimate after each, the next place, and its instruction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spex_widgets import InstructionPanel, TeachPanel, Workbench, WorkbenchState, editor
from spex_widgets.jobs import ImmediateExecutor

from spex_nb import extract
from spex_nb.analysis.teaching import load_taught
from tests.analysis.teaching.conftest import centres, covers_of, scene_of


@pytest.fixture
def state() -> WorkbenchState:
    return WorkbenchState(scene_of(covers_of()), "index", executor=ImmediateExecutor())


def click(state: WorkbenchState, panel: TeachPanel, sign: str, positions: list[tuple[int, int]]) -> None:
    panel.sign.value = sign
    for x, y in positions:
        editor.click(state, (x + 0.5, y + 0.5))


def taught_panel(state: WorkbenchState) -> TeachPanel:
    covers, panel = covers_of(), TeachPanel(state)
    panel.name.value = "reeds"
    click(state, panel, "+", centres(covers, 0, 6))
    click(state, panel, "−", [position for number in (1, 2, 3) for position in centres(covers, number, 2)])
    return panel


@pytest.mark.slow
def test_clicks_teach_a_class_that_the_instruction_panel_extracts(state: WorkbenchState) -> None:
    panel = taught_panel(state)
    assert panel.error.value == ""
    assert (len(panel.clicks("+")), len(panel.clicks("−"))) == (6, 6)
    assert "Estimated IoU" in panel.status.value
    assert "overlap" in panel.figures.value
    instruction = InstructionPanel(state)
    state.text = "the reeds larger than 20 pixels"
    instruction.run.click()
    assert instruction.error.value == ""
    mask, truth = state.mask.values == 1, covers_of() == 0
    assert (mask & truth).sum() / (mask | truth).sum() > 0.6
    assert state.extraction.provenance["answered_by"] == {"reeds": "taught: reeds"}


def test_the_map_goes_to_the_next_place(state: WorkbenchState) -> None:
    panel = taught_panel(state)
    panel.ask.click()
    _, _, height, width = state.spot
    assert (height, width) == (96, 96)
    assert "is it reeds?" in panel.status.value


@pytest.mark.slow
def test_a_class_is_written_and_opened_again(state: WorkbenchState, tmp_path: Path) -> None:
    panel = taught_panel(state)
    panel.path.value = str(tmp_path / "reeds.spex-class")
    panel.save.click()
    assert np.array_equal(load_taught(panel.path.value).solution, panel.taught.solution)
    other = WorkbenchState(scene_of(covers_of(3), 3), "index", executor=ImmediateExecutor())
    opened = TeachPanel(other)
    opened.path.value = panel.path.value
    opened.load.click()
    assert [taught.name for taught in other.taught] == ["reeds"]


def test_clicks_can_be_forgotten_and_another_scene_has_none(state: WorkbenchState) -> None:
    panel = taught_panel(state)
    panel.clear.click()
    assert state.points == {}
    assert panel.taught is None
    assert panel.save.disabled
    click(state, panel, "+", [(4, 4)])
    assert "1 × +, 0 × −" in panel.status.value
    panel.close()


def test_mistakes_are_shown_under_the_panel(state: WorkbenchState, tmp_path: Path) -> None:
    panel = TeachPanel(state)
    panel.sign.value = "+"
    assert "Write it above" in panel.error.value
    assert panel.sign.value == ""
    panel.name.value = "water"
    click(state, panel, "+", [(4, 4)])
    click(state, panel, "−", [(40, 40)])
    assert "Say how it differs" in panel.error.value
    panel.path.value = str(tmp_path / "none.spex-class")
    panel.load.click()
    assert "Check the path" in panel.error.value


@pytest.mark.slow
def test_a_taught_class_has_its_colour_and_its_name_in_the_workbench_and_in_a_session(
    tmp_path: Path, recording_map: Any
) -> None:
    scene = scene_of(covers_of())
    bench = Workbench(scene, "index", executor=ImmediateExecutor(), view=recording_map)
    covers, panel = covers_of(), bench.panels["Teach"]
    panel.name.value = "reeds"
    click(bench.state, panel, "+", centres(covers, 0, 6))
    click(bench.state, panel, "−", [position for number in (1, 2, 3) for position in centres(covers, number, 2)])
    bench.ask("reeds")
    bench.extract()
    assert bench.panels["Result"].error.value == ""
    assert bench.result.class_colors == {"reeds": (0x88, 0x22, 0x55)}
    assert recording_map.colors == bench.result.class_colors
    assert "background: #882255" in recording_map.calls_of("set_legend")[-1][0]
    assert "<td>reeds</td>" in bench.panels["Result"].evidence.value
    path = bench.save(tmp_path / "a.spex")
    again = Workbench(scene, "index", executor=ImmediateExecutor(), view=type(recording_map)())
    again.reopen(path)
    assert [taught.name for taught in again.state.taught] == ["reeds"]
    assert again.state.instruction.targets == ("reeds",)
    again.extract()
    assert np.array_equal(again.result.mask.values, bench.result.mask.values)
    again.panels["Teach"].name.value = "mud"
    assert again.panels["Teach"]._color("mud") != "#882255"
    bench.close()
    again.close()


@pytest.mark.slow
def test_a_result_believes_no_colour_of_a_stranger(state: WorkbenchState) -> None:
    panel = taught_panel(state)
    result = extract(state.scene, "reeds", "index", taught=[panel.taught], progress=False)
    hostile = replace(result, provenance={**result.provenance, "colors": {"reeds": "red;url(x)"}})
    assert hostile.class_colors == {"reeds": (0xF0, 0xE4, 0x42)}


def test_clicks_that_are_forgotten_while_they_teach_leave_no_class(monkeypatch: pytest.MonkeyPatch) -> None:
    state = WorkbenchState(scene_of(covers_of()), "index")
    held: list[tuple[Any, Any]] = []
    monkeypatch.setattr(state.jobs, "start", lambda work, done, _failed: held.append((work, done)))
    panel = taught_panel(state)
    ((work, done),) = held
    panel.clear.click()
    done(work(None))
    assert panel.taught is None
    assert state.taught == ()
    assert "0 × +, 0 × −." in panel.status.value
    state.jobs.close()
