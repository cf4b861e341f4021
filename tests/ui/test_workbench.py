"""The workbench whole: state and map agree, sessions come back, two stay apart, closing leaves nothing."""

from __future__ import annotations

import gc
import threading
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from spex_widgets import Workbench, WorkbenchState, open_session, save_session
from spex_widgets.jobs import ImmediateExecutor, Job
from spex_widgets.map.images import FAINT

from spex_nb import open_scene, sample_scene
from spex_nb.errors import (
    EmptySceneError,
    ExtractionError,
    InstructionError,
    SessionError,
    SourceNotFoundError,
)

pytestmark = pytest.mark.slow


def extract(bench: Workbench, text: str = "water") -> None:
    bench.state.text = text
    bench.panels["Ask"].run.click()
    assert bench.panels["Ask"].error.value == ""


def test_what_the_state_says_is_on_the_map(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    recording_map.window = (0, 0, 320, 320)
    assert recording_map.calls_of("show_composite")[-1] == (("red", "green", "blue"),)
    assert len(recording_map.calls_of("set_scene")) == 1
    bench.panels["Scene"].index.value = "NDVI"
    assert recording_map.calls_of("show_index")[-1] == ("NDVI",)
    extract(bench)
    mask, names = recording_map.calls_of("set_mask")[-1]
    assert mask is bench.state.mask
    assert names == {"water": "water bodies"}
    assert recording_map.calls_of("set_regions")[-1][0] is bench.result.regions
    assert bench.tabs.value == "Ask"
    bench.panels["Result"].regions.value = 0
    assert recording_map.calls_of("zoom_to_region")[-1] == (0,)
    bench.panels["Index"].target.value = "vegetation"
    measure, names = recording_map.calls_of("set_live_mask")[-1]
    assert names == ["vegetation"]
    assert np.array_equal(measure(bench.state.scene), bench.panels["Index"].prior.mask)
    bench.panels["Index"].stop.click()
    assert recording_map.calls_of("set_mask")[-1][0] is bench.state.mask
    bench.layers.layer.value = "probability"
    assert recording_map.calls_of("set_probability")[-1][1] == "water"
    bench.layers.wipe.value = 0.5
    assert recording_map.calls_of("set_wipe")[-1] == (0.5,)
    bench.close()


def test_three_tabs_show_what_is_needed_most_and_more_shows_the_rest(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    pages = {"Ask": 0, "Result": 0, "Correct": 1, "Save": 2}
    for title, panel in bench.panels.items():
        assert bench.show(title) is panel
        assert panel in bench.shown.children[bench.shown.selected_index].children
        assert bench.shown.selected_index == pages.get(title, bench.shown.selected_index)
        assert bool(bench.tabs.value) != bool(bench.more.value)
    bench.more.value = "Train"
    bench.tabs.value = "Save"
    assert (bench.more.value, bench.shown.selected_index) == ("", 2)
    bench.tools.home.click()
    assert recording_map.calls_of("zoom_to_scene") == [()]
    bench.close()


def test_a_result_of_a_part_is_laid_on_the_whole_scene(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    recording_map.window = (40, 150, 100, 120)
    bench.panels["Ask"].scope.value = "what the map shows"
    extract(bench)
    shown = recording_map.calls_of("set_mask")[-1][0]
    assert shown.shape == (320, 320)
    assert np.array_equal(shown[40:140, 150:270], bench.state.mask)
    assert (shown[:40] == 255).all()
    bench.close()


def test_hands_on_the_map_change_the_state(recording_map: Any, fake_model: Any) -> None:
    bench = Workbench("river_10m", fake_model, executor=ImmediateExecutor(), view=recording_map)
    recording_map.window = (0, 0, 320, 320)
    extract(bench)
    state = bench.state
    row, column = np.argwhere(state.mask.values == 1)[0]
    recording_map.click(float(row), float(column), 0.0, 0.0)
    assert state.region >= 0
    assert recording_map.calls_of("zoom_to_region") == []  # one sees where one clicks
    state.tool = "paint"
    recording_map.brush([(300.5, 20.5), (310.5, 20.5)])
    assert state.mask.values[20, 305] == 1
    state.tool = "erase"
    recording_map.brush([(300.5, 20.5), (310.5, 20.5)])
    assert state.mask.values[20, 305] == 0
    state.tool = "box"
    assert recording_map.brush is None
    recording_map.draw_box((10, 290, 20, 20))
    assert state.mask.values[20, 300] == 1
    assert state.user_prompts.boxes == ((290, 10, 310, 30),)
    assert recording_map.calls_of("set_pins")[-1] == ((), ((290, 10, 310, 30),))
    bench.panels["Correct"].undo.click()
    assert recording_map.calls_of("set_pins")[-1] == ((), ())
    bench.panels["Correct"].redo.click()
    assert recording_map.calls_of("set_pins")[-1] == ((), ((290, 10, 310, 30),))
    state.tool = "delete"
    assert (recording_map.draw_box, recording_map.brush) == (None, None)
    recording_map.click(5, 3, 0.0, 0.0)
    assert "Click into a coloured area" in bench.panels["Correct"].problem.value
    bench.close()


def test_the_first_scene_of_an_empty_workbench_is_shown_and_home_waits_for_it() -> None:
    bench = Workbench(None, "index", executor=ImmediateExecutor())
    bench.tools.home.click()
    assert bench.tools.error.value == ""
    panel = bench.panels["Scene"]
    panel.sample.value = "lake_30m"
    panel.open_sample.click()
    assert panel.error.value == ""
    assert "scene" in {layer.name for layer in bench.map.layers}
    extract(bench)
    bench.panels["Scene"].sample.value = "town_1m"  # with other bands than those that are shown
    bench.state.bands = ("nir", "swir16", "red")
    panel.open_sample.click()
    assert panel.error.value == ""
    assert bench.view.notice == ""
    bench.close()


def test_an_answer_about_a_scene_that_was_left_is_dropped(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    waiting: list[Any] = []

    def wait(work: Any, done: Any, failed: Any, progress: Any = None) -> Any:
        waiting.append((work, done, failed))
        return Job(lambda function, *given: function(*given), progress)

    bench.state.jobs.start = wait  # type: ignore[method-assign]
    bench.ask("water")
    job = bench.extract()
    bench.state.show_scene(sample_scene("lake_30m"), bench.state.source)
    assert job.is_cancelled()
    work, done, failed = waiting[0]
    outcome = work(Job(lambda function, *given: function(*given), None))
    assert outcome[0].mask.shape == sample_scene("river_10m").spex.shape  # the scene that was asked about
    done(outcome)
    assert bench.result is None
    assert "Another scene was opened meanwhile" in bench.panels["Ask"].progress.value
    failed(OSError("disk"))
    assert bench.panels["Ask"].error.value == ""
    assert bench.state.busy == ""
    bench.close()


def test_what_the_instruction_does_not_ask_for_is_faint_and_said(recording_map: Any) -> None:
    bench = Workbench("lake_30m", "index", executor=ImmediateExecutor(), view=recording_map)
    extract(bench, "lakes larger than 2 ha")
    state, before = bench.state, len(bench.result.regions)
    row, column = np.argwhere(state.mask.values == 0)[0]
    state.tool, state.brush_px = "paint", 1
    recording_map.brush([(column + 0.5, row + 0.5)])  # 0.09 ha
    shown, _ = recording_map.calls_of("set_mask")[-1]
    assert shown[row, column] == 1 + FAINT
    assert (bench.result.mask.values[row, column], state.mask.values[row, column]) == (0, 1)
    assert len(bench.result.regions) == before
    assert "left out of the mask and of all figures" in bench.panels["Correct"].status.value
    state.brush_px = 8
    recording_map.brush([(column + 0.5, row + 0.5)])  # a quarter of a disc of 8 px is larger than 2 ha
    shown, _ = recording_map.calls_of("set_mask")[-1]
    assert shown[row, column] == 1 == bench.result.mask.values[row, column]
    assert "left out" not in bench.panels["Correct"].status.value
    bench.close()


def test_undo_takes_back_points_also_where_they_changed_no_pixel(recording_map: Any, fake_model: Any) -> None:
    bench = Workbench("river_10m", fake_model, executor=ImmediateExecutor(), view=recording_map)
    extract(bench)
    state, panel = bench.state, bench.panels["Correct"]
    state.tool = "add"
    row, column = np.argwhere(state.mask.values == 1)[0]
    for _ in range(2):  # the second point is where the answer to the first one is already
        recording_map.click(float(row), float(column), 0.0, 0.0)
    assert len(state.user_prompts.clicks) == len(state.history.done) == 2
    panel.forget.click()
    assert not state.user_prompts
    panel.undo.click()
    assert len(state.user_prompts.clicks) == 2
    panel.undo.click()
    assert len(state.user_prompts.clicks) == 1
    panel.undo.click()
    assert not state.user_prompts
    assert panel.undo.disabled
    panel.redo.click()
    assert len(state.user_prompts.clicks) == 1
    bench.close()


def test_undo_of_another_class_brings_back_the_class_of_its_points(recording_map: Any, fake_model: Any) -> None:
    bench = Workbench("river_10m", fake_model, executor=ImmediateExecutor(), view=recording_map)
    extract(bench, "water and vegetation")
    state, panel = bench.state, bench.panels["Correct"]
    state.tool = "add"
    recording_map.click(5.0, 5.0, 0.0, 0.0)
    recording_map.click(40.0, 40.0, 0.0, 0.0)
    panel.target.value = 2
    assert not state.user_prompts
    panel.undo.click()
    assert (state.number, len(state.user_prompts.clicks)) == (1, 1)
    assert panel.target.value == 1
    bench.close()


def test_undo_takes_back_a_question_that_the_model_still_thinks_about(recording_map: Any, fake_model: Any) -> None:
    bench = Workbench("river_10m", fake_model, executor=ImmediateExecutor(), view=recording_map)
    extract(bench)
    state, waiting = bench.state, []
    bench.state.jobs.start = lambda work, done, _failed: waiting.append((work, done))  # type: ignore[method-assign]
    state.tool, before = "add", state.mask.values.copy()
    recording_map.click(5.0, 5.0, 0.0, 0.0)
    assert state.busy
    bench.panels["Correct"].undo.click()
    assert (state.busy, len(state.user_prompts.clicks)) == ("", 0)
    (work, done), *_ = waiting
    done(work(None))
    assert np.array_equal(state.mask.values, before)
    assert not state.history.done
    bench.close()


def test_a_session_comes_back_with_edits_that_can_be_taken_back(tmp_path: Path, recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    recording_map.window = (0, 0, 320, 320)
    extract(bench, "lakes larger than 2 ha")
    extracted = bench.state.mask.values.copy()
    bench.state.tool, bench.state.point_name = "paint", "shore"
    recording_map.brush([(10.5, 10.5)])
    bench.state.add_point(3, 4)
    bench.state.bands = ("nir", "red", "green")
    panel = bench.panels["Save"]
    panel.folder.value = str(tmp_path)
    panel.save.click()
    assert "Session saved" in panel.status.value
    again = WorkbenchState(None, "index", executor=ImmediateExecutor())
    open_session(again, tmp_path / "session.spex")
    assert np.array_equal(again.mask.values, bench.state.mask.values)
    assert again.text == "lakes larger than 2 ha"
    assert again.bands == ("nir", "red", "green")
    assert again.points == {"shore": (3, 4)}
    assert len(again.result.regions) == len(bench.result.regions)
    assert again.result.notes[-1] == bench.result.notes[-1]
    assert again.extraction.explanation == bench.state.extraction.explanation
    from spex_widgets import editor

    editor.undo(again)
    assert np.array_equal(again.mask.values, extracted)
    panel.save.click()
    assert "allow overwriting" in panel.error.value
    bench.close()
    again.close()


def test_a_session_of_a_scene_in_memory_needs_that_scene(tmp_path: Path) -> None:
    state = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    save_session(state, tmp_path / "a.spex")
    with pytest.raises(SourceNotFoundError, match="Make a workbench with the same scene"):
        open_session(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path / "a.spex")
    same = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    open_session(same, tmp_path / "a.spex")


def test_a_session_says_where_its_scene_was(tmp_path: Path, write_raster: Any, recording_map: Any) -> None:
    path = write_raster(np.full((4, 8, 8), 0.2, np.float32), descriptions=["blue", "green", "red", "nir"])
    bench = Workbench(path, "index", executor=ImmediateExecutor(), view=recording_map)
    bench.save(tmp_path / "a.spex")
    bench.close()
    path.rename(tmp_path / "moved.tif")
    with pytest.raises(SourceNotFoundError, match="open it in the workbench first"):
        open_session(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path / "a.spex")
    again = WorkbenchState(open_scene(tmp_path / "moved.tif"), "index", executor=ImmediateExecutor())
    open_session(again, tmp_path / "a.spex")
    assert again.source.name == str(path)


def test_damaged_and_strange_sessions_are_refused(tmp_path: Path) -> None:
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        open_session(state, tmp_path / "none.spex")
    (tmp_path / "broken.spex").write_bytes(b"PK")
    with pytest.raises(SessionError, match="session cannot be read"):
        open_session(state, tmp_path / "broken.spex")
    with zipfile.ZipFile(tmp_path / "later.spex", "w") as file:
        file.writestr("session.json", '{"format": 99}')
        file.writestr("../../escaped.txt", "x")
    with pytest.raises(SessionError, match="Update spex-nb"):
        open_session(state, tmp_path / "later.spex")
    assert not [*tmp_path.parent.glob("escaped.txt")]
    with pytest.raises(SourceNotFoundError, match="Open a scene first"):
        save_session(state, tmp_path / "empty.spex")
    assert not (tmp_path / "empty.spex").exists()


def test_two_workbenches_do_not_disturb_each_other(recording_map: Any) -> None:
    other_map = type(recording_map)()
    one = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    other = Workbench("town_1m", "index", executor=ImmediateExecutor(), view=other_map)
    before = len(other_map.calls)
    extract(one)
    one.panels["Scene"].index.value = "NDVI"
    assert len(other_map.calls) == before
    assert other.state.extraction is None
    one.close()
    extract(other)
    assert other.result is not None
    other.close()


def test_closing_frees_scene_state_widgets_and_threads(recording_map: Any) -> None:
    before = len(_instances)
    threads = {thread.name for thread in threading.enumerate()}
    bench = Workbench("river_10m", "index", view=recording_map)
    bench.state.jobs.start(lambda _job: None, lambda _made: None, print)
    held = [weakref.ref(one) for one in (bench, bench.state, bench.state.scene, *bench.panels.values())]
    bench.close()
    del bench
    recording_map.calls.clear()
    gc.collect()
    assert [one() for one in held] == [None] * len(held)
    for thread in threading.enumerate():
        if thread.name.startswith("spex") and thread.name not in threads:
            thread.join(60)
            assert not thread.is_alive()
    assert len(_instances) <= before


def test_working_neither_makes_nor_closes_a_widget() -> None:
    # A page that is still loading waits for ever for a widget that is closed meanwhile.
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    before = set(_instances)
    extract(bench)
    for layer in ("probability", "mask"):
        bench.layers.layer.value = layer
    bench.panels["Result"].regions.value = 0
    bench.panels["Scene"].index.value = "NDVI"
    bench.panels["Index"].target.value = "vegetation"
    bench.panels["Index"].stop.click()
    bench.panels["Correct"].delete.click()
    bench.panels["Correct"].undo.click()
    extract(bench, "vegetation")
    bench.panels["Scene"].open_sample.click()
    assert set(_instances) == before
    bench.close()


def test_when_a_page_shows_the_map_all_is_said_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    said: list[Any] = []
    monkeypatch.setattr("ipywidgets.Widget.send_state", lambda one, key=None: said.append((one, key)))
    for name, value in {"west": 9.0, "south": 49.6, "east": 9.1, "north": 49.7}.items():
        bench.map.set_trait(name, value)
    again = [one for one, key in said if key is None or "layout" in key]
    for shown in (bench.head, bench.panels["Result"].head, bench.panels["Result"].regions, bench.layers.layer):
        assert again.count(shown) == 1
    assert [name for name in ("scene", "mask", "regions") for one in again if getattr(one, "name", "") == name] == [
        "scene",
        "mask",
        "regions",
    ]
    assert (bench.map, ["layers", "controls"]) in said
    bench.close()


def test_what_a_user_types_while_the_page_loads_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    bench.state.opacity = 0.4
    said: dict[Any, Any] = {}
    monkeypatch.setattr("ipywidgets.Widget.send_state", lambda one, key=None: said.update({one: key}))
    for name, value in {"west": 9.0, "south": 49.6, "east": 9.1, "north": 49.7}.items():
        bench.map.set_trait(name, value)
    for typed, name in ((bench.panels["Ask"].text, "value"), (bench.tools.tool, "index")):
        assert name not in said[typed]
        assert "layout" in said[typed]
    assert said[bench.layers.opacity] is None
    bench.close()


def test_the_model_that_ships_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import spex_widgets.state as home

    monkeypatch.setattr(home, "usual_model", lambda: "tiny")
    assert WorkbenchState(executor=ImmediateExecutor()).model == "tiny"
    assert WorkbenchState(model="index", executor=ImmediateExecutor()).model == "index"


def test_an_instruction_is_asked_and_extracted_in_code(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    assert bench.ask("las zonas de agua al norte").language == "es"
    assert bench.panels["Ask"].text.value == "las zonas de agua al norte"
    assert bench.extract().is_over
    assert bench.result.instruction.text == "las zonas de agua al norte"
    recording_map.window = (40, 150, 100, 120)
    bench.ask("water")
    bench.extract(visible_only=True)
    assert bench.state.window == (40, 150, 100, 120)
    bench.extract(visible_only=False)
    assert bench.state.window == (0, 0, *bench.state.scene.spex.shape)
    bench.close()


def test_an_instruction_that_is_not_understood_extracts_nothing(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    with pytest.raises(InstructionError, match="big"):
        bench.ask("the big lakes")
    with pytest.raises(InstructionError):
        bench.extract()
    assert bench.result is None
    bench.close()


def test_without_a_scene_nothing_is_extracted(recording_map: Any) -> None:
    empty = Workbench(None, "index", executor=ImmediateExecutor(), view=recording_map)
    empty.ask("water")
    with pytest.raises(EmptySceneError, match="Open one"):
        empty.extract()
    empty.close()


def test_a_second_extraction_waits_for_the_first(recording_map: Any, fake_model: Any) -> None:
    started, finish = threading.Event(), threading.Event()
    predict = fake_model.predict

    def slow(*arguments: Any, **options: Any) -> Any:
        started.set()
        finish.wait(60)
        return predict(*arguments, **options)

    fake_model.predict = slow
    bench = Workbench("river_10m", fake_model, view=recording_map)
    bench.ask("water")
    job = bench.extract()
    assert started.wait(60)
    with pytest.raises(ExtractionError, match="Wait until it is done"):
        bench.extract()
    job.cancel()
    finish.set()
    bench.close()


def test_a_panel_that_is_shown_is_returned_for_the_cell(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    assert bench.show("Correct") is bench.panels["Correct"]
    assert bench.tabs.value == "Correct"
    with pytest.raises(KeyError):
        bench.show("Nowhere")
    assert bench.tabs.value == "Correct"
    bench.close()


def test_a_scene_with_a_question_is_shown_in_its_panel_first(recording_map: Any) -> None:
    scene = sample_scene("river_10m")
    scene.attrs["question"] = "Is this reflectance?"
    bench = Workbench(scene, "index", executor=ImmediateExecutor(), view=recording_map)
    assert bench.more.value == "Scene"
    assert "see the tab 'Scene'" in bench.head.value
    bench.panels["Scene"].open_sample.click()
    assert "see the tab 'Scene'" not in bench.head.value
    bench.close()
