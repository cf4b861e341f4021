"""The panel of two dates, headless: another scene, gain and loss on the map, handle and blink, files, errors."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import ipyleaflet
import numpy as np
import pytest
import xarray as xr
from spex_widgets import ComparePanel, Workbench, WorkbenchState, open_session, save_session
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.map.swipe import Swipe

from spex_nb import load_change, sample_labels, sample_scene
from spex_nb.errors import SessionError, SourceNotFoundError
from spex_nb.scene.samples import source_of
from spex_nb.scene.windows.scene_source import SceneSource


@pytest.fixture(scope="module")
def flooded() -> xr.Dataset:
    """Return the river with a square of dry ground that became as water is."""
    scene = sample_scene("river_10m")
    water = sample_labels("river_10m").values == 1
    bands = {}
    for name in scene.spex.bands:
        pixels = scene[name].values.copy()
        pixels[30:60, 120:170] = np.median(pixels[water])
        bands[name] = scene[name].copy(data=pixels)
    flood: xr.Dataset = scene.assign(bands).assign_attrs(datetime="2021-06-04")
    return flood


@pytest.fixture
def panel() -> ComparePanel:
    scene = sample_scene("river_10m").assign_attrs(datetime="2020-06-01")
    return ComparePanel(WorkbenchState(scene, "index", executor=ImmediateExecutor()))


@pytest.fixture
def leaflet() -> Any:
    shown = ipyleaflet.Map()
    shown.layers = ()
    return shown


@pytest.mark.slow
def test_a_comparison_shows_one_sentence_colours_and_layers_and_is_saved_with_both_dates(
    panel: ComparePanel, leaflet: Any, flooded: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    panel.show_on(leaflet)
    panel.compare_with(flooded, "what water was gained")
    assert panel.error.value == ""
    change = panel.state.change
    assert 1300 <= change.targets["water"].gain.px <= 1500
    assert f"<strong>{change.statements[0].text}</strong>" in panel.answer.value
    assert "rgb(0, 114, 178)" in panel.answer.value
    assert "rgb(213, 94, 0)" in panel.answer.value
    assert [layer.name for layer in leaflet.layers] == ["before", "after", "change"]
    swipe = panel.layers.swipe
    assert swipe.labels == ["2020-06-01", "2021-06-04"]
    assert (swipe.left, swipe.right) == (
        [panel.layers.layers["before"].model_id],
        [panel.layers.layers["after"].model_id],
    )
    for look, mode, opacity in (("swipe", "swipe", 0), ("blink", "blink", 0), ("change over both", "both", 1)):
        panel.look.value = look
        assert (swipe.mode, panel.layers.layers["change"].opacity) == (mode, opacity)
    panel.save.click()
    assert load_change(tmp_path / "change_2020-06-01_2021-06-04").targets == change.targets
    panel.save.click()
    assert "The output exists" in panel.error.value
    panel.state.show_scene(sample_scene("lake_30m"), SceneSource())
    assert panel.state.change is None
    assert leaflet.layers == ()
    panel.close()


@pytest.mark.slow
def test_the_open_scene_may_be_the_later_one(panel: ComparePanel, flooded: xr.Dataset) -> None:
    panel.order.value = "the later one"
    panel.compare_with(flooded, "water")
    assert panel.state.change.date_after == "2020-06-01"
    assert panel.state.change.targets["water"].loss.px > 1300


def test_what_cannot_be_compared_is_said(panel: ComparePanel, tmp_path: Path) -> None:
    outside = tmp_path / "scene.tif"
    outside.touch()
    for text in ("", "nowhere.tif", str(outside)):
        panel.other.value = text
        panel.start.click()
        assert "There is no other scene" in panel.error.value
    panel.other.value = "town_1m"
    panel.start.click()
    assert "share no ground" in panel.error.value
    assert not panel.start.disabled
    panel.save.click()
    assert "Compare first" in panel.error.value
    with pytest.raises(SourceNotFoundError, match="Open a scene first"):
        ComparePanel(WorkbenchState(None, "index", executor=ImmediateExecutor())).compare_with("lake_30m")


def test_the_handle_works_between_any_two_layers(leaflet: Any) -> None:
    first, second = ipyleaflet.TileLayer(), ipyleaflet.ImageOverlay()
    swipe = Swipe(leaflet)
    swipe.between(first, second, labels=("map", "picture"))
    assert (swipe.map_id, swipe.left, swipe.right, swipe.front) == (
        leaflet.model_id,
        [first.model_id],
        [second.model_id],
        [],
    )


@pytest.mark.slow
def test_a_session_keeps_the_change_and_finds_the_other_scene_again(leaflet: Any, tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    state = WorkbenchState(scene, "index", source=source_of("river_10m"), executor=ImmediateExecutor())
    panel = ComparePanel(state)
    panel.compare_with("river_10m", "water")
    assert panel.error.value == ""
    save_session(state, tmp_path / "two.spex")
    again = WorkbenchState(scene, "index", source=source_of("river_10m"), executor=ImmediateExecutor())
    other = ComparePanel(again)
    other.show_on(leaflet)
    open_session(again, tmp_path / "two.spex")
    assert again.change.explanation == state.change.explanation
    assert again.other == state.other
    assert other.answer.value == panel.answer.value
    assert [layer.name for layer in leaflet.layers] == ["before", "after", "change"]
    with zipfile.ZipFile(tmp_path / "two.spex") as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["change/change.json"] = members["change/change.json"].replace(b'"doubts"', b'"run"')
    with zipfile.ZipFile(tmp_path / "bad.spex", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(SessionError, match="cannot be read"):
        open_session(again, tmp_path / "bad.spex")


@pytest.mark.slow
def test_the_workbench_has_it_and_lets_go_of_it(flooded: xr.Dataset) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    panel = bench.show("Two dates")
    panel.compare_with(flooded, "water")
    assert panel.error.value == ""
    assert [layer.name for layer in bench.map.layers][-3:] == ["before", "after", "change"]
    bench.close()
    assert bench.map.layers == ()
