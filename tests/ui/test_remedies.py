"""An error comes with a button where a button can help, and the button does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from spex_widgets import Workbench, WorkbenchState
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.panels.export import ExportPanel
from spex_widgets.panels.instruction import InstructionPanel
from spex_widgets.panels.panel import Panel
from spex_widgets.panels.scene import ScenePanel

from spex_nb import sample_scene
from spex_nb.errors import CheckpointError, DeviceMemoryError, SceneError

pytestmark = pytest.mark.slow


def make_state(scene: Any = "lake_30m", model: Any = "index") -> WorkbenchState:
    opened = sample_scene(scene) if isinstance(scene, str) else scene
    return WorkbenchState(opened, model, executor=ImmediateExecutor())


def labels(panel: Panel) -> list[str]:
    """Return what the buttons say that can be seen."""
    return [button.description for button in panel.ways_out.children if button.layout.display is None]


def press(panel: Panel, label: str) -> None:
    next(button for button in panel.ways_out.children if button.description == label).click()


@pytest.mark.parametrize("kind", [CheckpointError, DeviceMemoryError])
def test_the_index_answers_where_the_model_cannot(fake_model: Any, kind: Any) -> None:
    state = make_state(model=fake_model)
    panel = InstructionPanel(state)

    def fail(*_: Any, **__: Any) -> None:
        raise kind("It does not work", found="a", expected="b", fix="c")

    fake_model.predict = fail
    state.text = "water"
    panel.run.click()
    assert labels(panel)[0] == "Use the index instead"
    press(panel, "Use the index instead")
    assert state.result.provenance["model"] == "index"
    assert (labels(panel), panel.error.value) == ([], "")


def test_a_model_that_is_not_there_gives_way_to_the_index() -> None:
    state = make_state(model="no/such/model")
    panel = InstructionPanel(state)
    state.text = "water"
    panel.run.click()
    assert "Use the index instead" in labels(panel)


def test_hectares_without_a_crs_give_way_to_the_words_without_a_size() -> None:
    pixels = {name: (("y", "x"), sample_scene("lake_30m")[name].values) for name in ("green", "red", "nir")}
    state = make_state(xr.Dataset(pixels))
    panel = InstructionPanel(state)
    state.text = "vegetation larger than 2 ha"
    panel.run.click()
    assert "cannot be measured" in panel.error.value
    assert labels(panel) == ["Ask for: vegetation"]
    press(panel, "Ask for: vegetation")
    assert state.result.instruction.filters == ()
    assert panel.error.value == ""


def test_words_that_nobody_knows_lead_to_examples() -> None:
    panel = InstructionPanel(make_state())
    panel.text.value = "qwertz"
    assert panel.suggestions.children or labels(panel) == ["Show what I can ask"]
    if labels(panel):
        press(panel, "Show what I can ask")
        assert panel.choices.selected_index == 0


def test_a_scene_that_cannot_be_opened_gives_way_to_a_sample(tmp_path: Path) -> None:
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    panel = ScenePanel(state, tmp_path)
    (tmp_path / "broken.tif").write_text("no raster")
    panel.open_path(tmp_path / "broken.tif")
    (label,) = labels(panel)
    assert label.startswith("Open the sample")
    press(panel, label)
    assert state.scene is not None
    assert (labels(panel), panel.error.value) == ([], "")


def test_an_index_that_cannot_be_gives_way_to_the_picture(recording_map: Any) -> None:
    bench = Workbench("town_1m", "index", executor=ImmediateExecutor(), view=recording_map)

    def refuse(name: str) -> None:
        from spex_nb.spectral.indices import compute_index

        compute_index(bench.state.scene, name)

    recording_map.show_index = refuse
    panel = bench.panels["Scene"]
    panel.index.value = "NDSI"
    assert labels(panel) == ["Show the picture again"]
    press(panel, "Show the picture again")
    assert (bench.state.index, panel.error.value) == ("", "")
    bench.close()


def test_a_button_leads_to_the_panel_that_helps(recording_map: Any) -> None:
    bench = Workbench("lake_30m", "index", executor=ImmediateExecutor(), view=recording_map)
    bench.show("Correct")
    bench.state.tool = "delete"
    recording_map.click(5, 5, 0.0, 0.0)
    assert labels(bench.panels["Correct"]) == ["Ask for something first"]
    press(bench.panels["Correct"], "Ask for something first")
    assert bench.tabs.value == "Ask"
    bench.close()


def test_a_file_in_the_way_is_replaced_and_a_folder_is_made(tmp_path: Path) -> None:
    state = make_state()
    ask = InstructionPanel(state)
    state.text = "water"
    ask.run.click()
    panel = ExportPanel(state)
    panel.folder.value = str(tmp_path / "new" / "folder")
    panel.buttons["GeoJSON"].click()
    press(panel, "Make the folder folder")
    assert (tmp_path / "new" / "folder" / "result.geojson").is_file()
    panel.save.click()
    panel.save.click()
    assert labels(panel) == ["Replace session.spex"]
    press(panel, "Replace session.spex")
    assert "Session saved" in panel.status.value
    assert labels(panel) == []


def test_what_failed_for_a_reason_of_the_machine_is_tried_again_and_buttons_are_used_again() -> None:
    panel, failures = Panel(make_state()), [OSError("disk"), OSError("disk")]

    def work() -> None:
        if failures:
            raise failures.pop()

    panel.lay_out()
    panel.trying(work)()
    assert labels(panel) == ["Try again"]
    (button,) = panel.ways_out.children
    press(panel, "Try again")
    assert labels(panel) == ["Try again"]
    press(panel, "Try again")
    assert (labels(panel), panel.ways_out.children) == ([], (button,))
    panel.fail(SceneError("a", found="b", expected="c", fix="d"))
    assert labels(panel) == []  # a panel alone leads nowhere
    assert np.all([one.layout.display == "none" for one in panel.ways_out.children])
