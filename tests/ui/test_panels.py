"""Every panel, headless: clicks, traits, error texts, cancel; with a model without weights and no map."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from spex_widgets import (
    EditingPanel,
    ExportPanel,
    IndexPanel,
    InstructionPanel,
    ResultPanel,
    ScenePanel,
    SpectraPanel,
    WorkbenchState,
    editor,
)
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.panels.panel import Panel

from spex_nb import open_scene, sample_scene, spectral_prior
from spex_nb.errors import ReflectanceWarning
from spex_nb.scene.samples import sample_path
from spex_nb.scene.windows.scene_source import SceneSource

SENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOSTILE = '<img src=x onerror="alert(1)">'


def make_state(model: Any = "index", sample: str = "river_10m") -> WorkbenchState:
    return WorkbenchState(sample_scene(sample), model, executor=ImmediateExecutor())


def extracted(model: Any = "index", text: str = "water") -> WorkbenchState:
    state = make_state(model)
    panel = InstructionPanel(state)
    state.text = text
    panel.run.click()
    assert panel.error.value == ""
    assert state.extraction is not None
    return state


# Scene


def test_a_sample_is_opened_and_says_what_it_is_and_why() -> None:
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    panel = ScenePanel(state)
    assert "No scene yet" in panel.facts.value
    panel.sample.value = "town_1m"
    panel.open_sample.click()
    assert state.source.name == "town_1m"
    assert state.scene.spex.is_relative
    assert "naip" in panel.facts.value
    assert "not calibrated" in panel.facts.value


def test_a_file_is_opened_below_the_root_only(tmp_path: Path, write_raster: Any) -> None:
    path = write_raster(np.full((4, 8, 8), 0.2, np.float32), descriptions=["blue", "green", "red", "nir"])
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    panel = ScenePanel(state, tmp_path)
    panel.open_file.click()
    assert "No file is chosen" in panel.error.value
    panel.open_path(path)
    assert state.scene.spex.shape == (8, 8)
    ScenePanel(state, tmp_path / "..").open_path(path)
    inner = tmp_path / "inner"
    inner.mkdir()
    strict = ScenePanel(state, inner)
    strict.trying(lambda: strict.open_path(path))()
    assert "outside the folder" in strict.error.value
    strict.trying(lambda: strict.open_path(inner / ".." / path.name))()
    assert "outside the folder" in strict.error.value


def test_a_file_or_a_folder_is_opened_by_its_name(tmp_path: Path, write_raster: Any) -> None:
    path = write_raster(np.full((4, 8, 8), 0.2, np.float32), descriptions=["blue", "green", "red", "nir"])
    (tmp_path / "granule.SAFE").mkdir()
    (tmp_path / "notes").mkdir()
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path)
    assert panel.path.options == ("granule.SAFE", path.name)
    panel.path.value = path.name
    panel.open_file.click()
    assert panel.state.scene.spex.shape == (8, 8)
    panel.path.value = "../elsewhere.tif"
    panel.open_file.click()
    assert "outside the folder" in panel.error.value


def test_bands_without_names_are_asked_for_and_the_answer_opens_the_file(tmp_path: Path, write_raster: Any) -> None:
    path = write_raster(np.full((6, 8, 8), 0.2, np.float32))
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path)
    assert panel.looks.layout.display == panel.band_question.layout.display == "none"
    panel.open_path(path)
    assert "cannot be told apart" in panel.error.value
    question = panel.band_question
    assert question.layout.display == ""
    assert "Choose the sensor below" in panel.error.value
    assert "Use the index instead" not in [way.label for way in panel.ways_out.offered]
    offered = [name for _, name in question.sensor.options if name]
    assert "landsat5" in offered
    assert "naip" not in offered  # it has four bands
    question.open.click()
    assert "Choose a sensor" in panel.error.value
    question.names.value = "blue green, red; nir swir16 swir22"
    question.open.click()
    assert panel.error.value == ""
    assert panel.state.scene.spex.bands == ("blue", "green", "red", "nir", "swir16", "swir22")
    assert question.layout.display == "none"
    assert panel.looks.layout.display == ""
    panel.open_path(write_raster(np.full((6, 8, 8), 9000, np.uint16), "raw.tif"))
    question.sensor.value = "landsat5"
    question.open.click()
    assert panel.state.scene.attrs["sensor"] == "landsat5"


def test_what_cannot_be_opened_is_said_with_the_way_out(tmp_path: Path) -> None:
    broken = tmp_path / f"{HOSTILE.replace('/', '')}.tif"
    broken.write_text("no raster")
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path)
    panel.open_path(broken)
    assert "cannot be read" in panel.error.value or "no raster" in panel.error.value.lower()
    assert "<img" not in panel.error.value
    assert not panel.open_file.disabled
    panel.file.reset(str(tmp_path), broken.name)
    panel.file._apply_selection()
    assert "&lt;img" in panel.file._label.value


def test_warnings_of_a_file_appear_as_text(tmp_path: Path, write_raster: Any) -> None:
    pixels = np.random.default_rng(0).integers(1000, 5000, (4, 16, 16)).astype(np.uint16)
    path = write_raster(pixels, descriptions=["blue", "green", "red", "nir"])
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path)
    panel.open_path(path)
    assert "scale" in panel.warnings.value


def test_bands_and_indices_are_chosen_by_name() -> None:
    state = make_state()
    panel = ScenePanel(state)
    assert state.bands == ("red", "green", "blue")
    panel.view.value = "false colour (near infrared)"
    assert state.bands == ("nir", "red", "green")
    panel.bands[0].value = "swir16"
    assert state.bands == ("swir16", "red", "green")
    panel.index.value = "NDVI"
    assert state.index == "NDVI"
    panel.view.value = "true colour"
    assert (state.index, state.bands) == ("", ("red", "green", "blue"))
    assert "NDVI" in panel.index.options


# Spectra


def test_spectra_of_points_are_drawn_side_by_side_and_saved(tmp_path: Path) -> None:
    state = make_state()
    panel = SpectraPanel(state)
    panel.pick.value = True
    assert state.tool == "spectrum"
    panel.label.value = "water"
    editor.click(state, (230.7, 62.2))
    editor.click(state, (231, 62))
    assert state.points == {"water": (230, 62), "water 2": (231, 62)}
    assert panel.picture.value.count("<polyline") == 2
    panel.path.value = str(tmp_path / "spectra.csv")
    panel.save.click()
    table = pd.read_csv(tmp_path / "spectra.csv")
    assert [*table.columns] == ["band", "wavelength_um", "water", "water 2"]
    assert table["wavelength_um"].is_monotonic_increasing
    nir = table.set_index("band").loc["nir", "water"]
    assert nir == pytest.approx(float(state.scene["nir"][62, 230]))
    panel.path.value = str(tmp_path / "missing" / "spectra.csv")
    panel.save.click()
    assert "Create it, or choose another" in panel.error.value
    panel.clear.click()
    assert panel.save.disabled


def test_a_point_may_be_called_anything() -> None:
    state = make_state()
    panel = SpectraPanel(state)
    panel.label.value = "$\\frac{<script>$"
    editor.click(state, (5, 5))
    assert panel.error.value == ""
    assert "<script" not in panel.picture.value


# Index


def test_a_prior_follows_its_slider_and_goes_when_it_is_hidden() -> None:
    state = make_state()
    panel = IndexPanel(state)
    assert panel.target.options[0] == ("choose …", "")
    panel.target.value = "water"
    expected = spectral_prior(state.scene, "water")
    assert np.array_equal(panel.prior.mask, expected.mask)
    assert state.preview == ("water", None)
    assert "MuWIR" in panel.reason.value
    assert "<pre>" in panel.words.value
    first = int(panel.prior.mask.sum())
    panel.slider.value = panel.slider.max
    assert int(panel.prior.mask.sum()) < first
    assert state.preview == ("water", pytest.approx(panel.slider.max, abs=1e-4))
    assert "set by hand" in panel.reason.value
    panel.reset.click()
    assert int(panel.prior.mask.sum()) == first
    panel.stop.click()
    assert state.preview is None


def test_the_prior_is_of_the_visible_window_and_large_ones_are_thinned() -> None:
    state = make_state()
    state.visible_window = lambda: (10, 20, 64, 48)
    panel = IndexPanel(state)
    panel.target.value = "vegetation"
    assert panel.prior.mask.shape == (64, 48)
    state.visible_window = lambda: None
    panel.again.click()
    assert panel.prior.mask.shape == (320, 320)


def test_targets_without_an_index_in_these_bands_are_not_offered() -> None:
    state = make_state(sample="town_1m")
    offered = {value for _, value in IndexPanel(state).target.options}
    assert "water" in offered
    assert "burn" not in offered


# Instruction


def test_the_meaning_is_said_back_while_typing_and_errors_say_what_can_be_asked() -> None:
    state = make_state()
    panel = InstructionPanel(state)
    assert panel.run.disabled
    panel.text.value = "los 3 lagos más grandes"
    assert "solo las 3 mayores" in panel.meaning.value
    assert not panel.run.disabled
    panel.text.value = f"water {HOSTILE}"
    assert "<img" not in panel.meaning.value
    assert panel.run.disabled
    assert "Try: " in panel.meaning.value


def test_a_refusal_offers_instructions_that_work_as_buttons() -> None:
    panel = InstructionPanel(make_state())
    panel.text.value = "große Seen"
    assert "Wie groß ist das?" in panel.meaning.value
    assert "no exact meaning" not in panel.meaning.value
    first, second = panel.suggestions.children
    assert (first.description, second.description) == ("Gewässer über 2 ha", "Gewässer, nur die 3 größten")
    first.click()
    assert panel.state.instruction.targets == ("water",)
    assert panel.suggestions.children == ()


def test_numbers_whose_scale_is_not_known_are_asked_about(tmp_path: Path, write_raster: Any) -> None:
    path = write_raster(np.full((4, 8, 8), 1500, np.int16), descriptions=["blue", "green", "red", "nir"])
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), tmp_path)
    assert panel.calibration.layout.display == "none"
    panel.open_path(path)
    assert panel.state.scene.spex.is_relative
    assert panel.calibration.layout.display == ""
    panel.numbers.value = (1e-4, 0.0)
    assert panel.error.value == ""
    assert not panel.state.scene.spex.is_relative
    assert float(panel.state.scene["red"].mean()) == pytest.approx(0.15)
    assert panel.calibration.layout.display == "none"
    panel.sample.value = "town_1m"
    panel.open_sample.click()
    assert panel.state.scene.spex.is_relative
    assert panel.calibration.layout.display == "none"  # a sample is what it is


def test_an_instruction_without_a_scene_leads_to_one() -> None:
    state, shown = WorkbenchState(None, "index", executor=ImmediateExecutor()), list[str]()
    state.turn_to = shown.append
    panel = InstructionPanel(state)
    assert panel.ways_out.offered == ()
    state.text = "water"
    assert "There is no scene yet" in panel.meaning.value
    panel.ways_out.offered[0].act()
    assert shown == ["Scene"]
    state.show_scene(sample_scene("river_10m"), SceneSource("river_10m", is_sample=True))
    assert panel.ways_out.offered == ()
    assert "There is no scene yet" not in panel.meaning.value


def test_a_refusal_waits_until_the_user_stops_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex_widgets.panels.instruction.QUIET_S", 0.02)

    async def typing() -> None:
        panel = InstructionPanel(make_state())
        panel.text.value = "wate"
        assert panel.meaning.value == ""
        panel.text.value = "water"
        await asyncio.sleep(0.1)
        assert "water bodies" in panel.meaning.value
        panel.text.value = "wather"
        await asyncio.sleep(0.1)
        assert "Not understood" in panel.meaning.value

    asyncio.run(typing())


def test_an_instruction_is_carried_out_and_remembered() -> None:
    state = extracted(text="lakes larger than 2 ha")
    assert state.mask.shape == state.scene.spex.shape
    assert state.window == (0, 0, 320, 320)
    assert state.past == ("lakes larger than 2 ha",)
    assert state.busy == ""
    assert ("↺ lakes larger than 2 ha", "lakes larger than 2 ha") in InstructionPanel(state).examples.options


def test_only_what_the_map_shows_is_extracted_on_request() -> None:
    state = make_state()
    state.visible_window = lambda: (40, 150, 100, 120)
    panel = InstructionPanel(state)
    panel.scope.value = "what the map shows"
    state.text = "water"
    panel.run.click()
    assert state.mask.shape == (100, 120)
    assert state.result_scene.spex.transform == state.extraction.mask.rio.transform()


def test_the_explanation_streams_in_escaped(fake_model: Any) -> None:
    state = make_state(fake_model)
    panel = InstructionPanel(state)
    state.text = "water"
    panel.run.click()
    assert "Water covers 99 % of the scene. It is &lt;b&gt;bold&lt;/b&gt;." in panel.words.value


def test_a_model_that_only_fills_in_figures_is_not_asked(fake_model: Any) -> None:
    fake_model.card = replace(fake_model.card, explains_evidence=True)
    fake_model.explain = lambda *_: pytest.fail("facts say more than it can")
    state = make_state(fake_model)
    panel = InstructionPanel(state)
    state.text = "water"
    panel.run.click()
    share = f"{state.result.evidence['water'].share_frac:.1%}"
    assert state.result.explanation.startswith(f"Water covers {share} of the scene, ")


def test_a_slow_run_can_be_cancelled(fake_model: Any) -> None:
    begun, go = threading.Event(), threading.Event()
    predict = fake_model.predict

    def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        assert go.wait(30)
        return predict(*args, **options)

    fake_model.predict = slow
    state = WorkbenchState(sample_scene("river_10m"), fake_model)
    panel, over = InstructionPanel(state), threading.Event()
    state.text = "water"
    panel.run.click()
    assert begun.wait(30)
    assert state.busy == "extracting"
    assert not panel.cancel.disabled
    state.observe(lambda _change: over.set(), "busy")
    panel.cancel.click()
    go.set()
    assert over.wait(30)
    assert len(fake_model.asked) == 1
    assert state.extraction is None
    state.jobs.close()


def test_what_fails_appears_below_the_button(fake_model: Any) -> None:
    state = make_state(fake_model)
    panel = InstructionPanel(state)
    fake_model.predict = lambda *_a, **_o: 1 / 0
    state.text = "water"
    panel.run.click()
    assert "Every tile failed" in panel.error.value
    assert not panel.run.disabled
    panel.model.value = str(Path("no") / "such" / "model")
    assert state.model == str(Path("no") / "such" / "model")


# Result


def test_a_result_shows_marks_evidence_and_regions_to_go_to(fake_model: Any) -> None:
    state = extracted(fake_model)
    panel = ResultPanel(state)
    assert "✗ [" in panel.explanation.value
    assert "class='contradicts'" in panel.explanation.value
    assert "<b>bold" not in panel.explanation.value
    assert "water bodies" in panel.evidence.value
    assert [row["row"] for row in panel.regions.rows] == [*range(len(state.result.regions))]
    assert panel.regions.total == len(state.result.regions)
    panel.regions.value = 1
    assert state.region == 1
    state.region = 0
    assert panel.regions.value == 0
    panel.claims.value = 0
    assert "chosen" in panel.explanation.value


def test_what_the_user_typed_is_text(fake_model: Any) -> None:
    from dataclasses import replace

    state = extracted(fake_model)
    panel = ResultPanel(state)
    evil = replace(
        state.result,
        instruction=replace(state.result.instruction, text=HOSTILE, meaning=HOSTILE),
        notes=(HOSTILE,),
        class_names={"water": HOSTILE},
    )
    state.result = evil
    assert "<img" not in panel.head.value + panel.notes.value + panel.explanation.value
    assert "&lt;img" in panel.head.value


# Editing


def test_tools_change_the_mask_and_its_figures_and_can_be_taken_back() -> None:
    state = extracted()
    panel = EditingPanel(state)
    before, areas = state.mask.data.copy(), state.result.evidence["water"].area_px
    panel.tool.value = "paint"
    panel.radius.value = 5
    editor.click(state, (10.5, 10.5))
    painted = int((state.mask.data == 1).sum() - (before == 1).sum())
    assert painted == 81
    assert state.result.evidence["water"].area_px == areas + painted
    assert "edited by hand" in state.result.notes[-1]
    panel.undo.click()
    assert np.array_equal(state.mask.data, before)
    assert state.result is state.extraction
    assert panel.undo.disabled
    panel.redo.click()
    assert int((state.mask.data == 1).sum() - (before == 1).sum()) == painted
    panel.tool.value = "delete"
    editor.click(state, (10.5, 10.5))
    assert np.array_equal(state.mask.data, before)


def test_two_clicks_split_and_a_missed_one_is_explained() -> None:
    state = extracted()
    panel = EditingPanel(state)
    number = len(state.result.regions)
    region = state.result.regions.iloc[0]
    x, y = ~state.scene.spex.transform @ (region.centroid_x_crs, region.centroid_y_crs)
    panel.tool.value = "split"
    editor.click(state, (0.5, y))
    assert "first click is set" in panel.help.value
    editor.click(state, (319.5, y))
    assert len(state.result.regions) > number
    panel.tool.value = "delete"
    editor.click(state, (x, y + 0.0))
    assert "Click into a coloured area" in panel.problem.value


def test_the_chosen_region_is_deleted_and_nothing_without_one() -> None:
    state = extracted()
    panel = EditingPanel(state)
    panel.delete.click()
    assert "Choose a region first" in panel.problem.value
    number = len(state.result.regions)
    state.region = 0
    panel.delete.click()
    assert len(state.result.regions) == number - 1
    assert state.region == -1


def test_clicks_ask_the_model_again_and_replace_the_window(fake_model: Any) -> None:
    state = extracted(fake_model)
    panel = EditingPanel(state)
    dry = (300.5, 20.5)
    assert state.mask.data[20, 300] == 0
    panel.tool.value = "add"
    editor.click(state, dry)
    assert state.mask.data[20, 300] == 1
    assert len(fake_model.asked[-1][1][0]) == 1
    panel.tool.value = "remove"
    editor.click(state, dry)
    assert state.mask.data[20, 300] == 0
    assert len(fake_model.asked[-1][1][0]) == 2
    assert "2 points" in panel.status.value
    panel.undo.click()
    assert state.mask.data[20, 300] == 1
    panel.forget.click()
    assert not state.user_prompts


def test_the_index_says_that_it_uses_no_click() -> None:
    state = extracted("index")
    panel = EditingPanel(state)
    panel.tool.value = "add"
    editor.click(state, (300.5, 20.5))
    assert "does not use clicks" in panel.problem.value
    assert "brush" in panel.problem.value
    assert not state.user_prompts


def test_tools_without_a_result_ask_for_one() -> None:
    state = make_state()
    panel = EditingPanel(state)
    panel.tool.value = "paint"
    editor.click(state, (3, 3))
    assert "extract first" in panel.problem.value


# Export


def test_every_format_is_written_of_the_edited_mask(tmp_path: Path) -> None:
    import geopandas as gpd
    import rasterio

    state = extracted()
    state.tool, state.brush_px = "paint", 3
    editor.click(state, (8.5, 8.5))
    panel = ExportPanel(state)
    panel.folder.value = str(tmp_path)
    for one in panel.buttons.values():
        one.click()
        assert panel.error.value == ""
        assert "Written to" in panel.status.value
    frames = [gpd.read_file(tmp_path / "result.gpkg", layer="regions"), gpd.read_parquet(tmp_path / "result.parquet")]
    assert [len(frame) for frame in frames] == [len(state.result.regions)] * 2
    assert gpd.read_file(tmp_path / "result.geojson").crs.to_epsg() == 4326
    with rasterio.open(tmp_path / "result.tif") as file:
        assert np.array_equal(file.read(1), state.mask.data)
    assert "Evidence" in (tmp_path / "result.html").read_text(encoding="utf-8")
    whole = (tmp_path / "result.gpkg").read_bytes()
    panel.buttons["GeoPackage"].click()
    assert "result_2.gpkg" in panel.status.value
    assert (tmp_path / "result.gpkg").read_bytes() == whole
    assert len(gpd.read_file(tmp_path / "result_2.gpkg", layer="regions")) == len(state.result.regions)
    panel.name.value = "../evil"
    panel.buttons["GeoPackage"].click()
    assert "a name without folders" in panel.error.value


def test_a_geotiff_can_be_uploaded_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ScenePanel(WorkbenchState(None, "index", executor=ImmediateExecutor()))

    def send(name: str, content: bytes) -> None:
        panel.upload.value = (
            {"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": SENT},
        )

    pointer = b'<VRTDataset rasterXSize="1" rasterYSize="1"/>'
    send("picture.tif", pointer)
    assert "a GeoTIFF of at most 9 MB" in panel.error.value
    assert panel.state.scene is None
    send("../../mine.tif", sample_path("river_10m").read_bytes())
    assert panel.error.value == ""
    assert panel.state.scene.spex.shape == (320, 320)
    place = Path(panel.state.source.scene)
    assert place.name == "mine.tif"
    assert place.is_file()
    monkeypatch.setattr("spex_widgets.panels.scene.UPLOAD_BYTES", 10)
    send("large.tif", sample_path("river_10m").read_bytes())
    assert "cannot be uploaded" in panel.error.value
    panel.close()
    assert not place.exists()


def test_what_was_written_can_be_downloaded_unless_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = ExportPanel(extracted())
    panel.folder.value, panel.name.value = str(tmp_path), "a&b"
    panel.buttons["GeoJSON"].click()
    assert 'download="a&amp;b.geojson"' in panel.status.value
    data = panel.status.value.split("base64,")[1].split('"')[0]
    assert base64.b64decode(data) == (tmp_path / "a&b.geojson").read_bytes()
    monkeypatch.setattr("spex_widgets.panels.export.DOWNLOAD_BYTES", 10)
    panel.buttons["GeoJSON"].click()
    assert "too large to be downloaded" in panel.status.value
    assert "base64" not in panel.status.value


def test_enter_runs_what_is_understood_and_nothing_else() -> None:
    panel = InstructionPanel(make_state())
    for text, is_run in (("xyzzy", False), ("water", True)):
        panel.text.value = text
        panel.text._handle_custom_msg({"event": "submit"}, [])
        assert (panel.state.extraction is not None) == is_run


def test_an_example_is_one_click() -> None:
    panel = InstructionPanel(make_state())
    for example in panel.first_examples:
        example.click()
        assert panel.state.instruction is not None
        assert panel.text.value == example.description


def test_without_a_result_nothing_can_be_exported() -> None:
    panel = ExportPanel(make_state())
    assert all(one.disabled for one in panel.buttons.values())


def test_every_control_has_a_name_and_every_button_a_tooltip(fake_model: Any) -> None:
    import ipywidgets as ipw

    def below(widget: Any) -> list[Any]:
        return [widget, *(one for child in getattr(widget, "children", ()) for one in below(child))]

    state = extracted(fake_model)
    for kind in (ScenePanel, SpectraPanel, IndexPanel, InstructionPanel, ResultPanel, EditingPanel, ExportPanel):
        panel: Panel = kind(state)
        own = [one for one in below(panel) if type(one).__module__.startswith("ipywidgets")]
        for one in own:
            if isinstance(one, ipw.Button) and one.description not in ("Choose", "Cancel"):
                assert one.tooltip, one.description
            if isinstance(one, ipw.Dropdown | ipw.Text | ipw.Combobox | ipw.FloatSlider) and kind is not ScenePanel:
                assert one.description


def test_a_click_without_a_result_asks_for_one_and_the_newest_click_is_answered(fake_model: Any) -> None:
    state = make_state(fake_model)
    state.tool = "add"
    editor.click(state, (300.5, 20.5))
    assert "extract first" in str(state.error)
    assert not state.user_prompts
    state = extracted(fake_model)
    state.tool = "add"
    predict, inner = fake_model.predict, iter([(200.5, 20.5)])

    def clicked_meanwhile(*args: Any, **options: Any) -> Any:
        for point in inner:
            editor.click(state, point)
        return predict(*args, **options)

    fake_model.predict = clicked_meanwhile
    state.model_lock = threading.RLock()
    editor.click(state, (300.5, 20.5))
    assert state.mask.data[20, 200] == 1
    assert len(state.history.done) == 1
    assert state.busy == ""


# The question that a scene carries


def level_1_file(write_raster: Any) -> Path:
    """Write digital numbers of Landsat Level-1: reflectance of soil, with a lake, as raw * 2e-5 - 0.1."""
    reflectance = np.empty((4, 48, 48))
    reflectance[:] = np.array([0.10, 0.14, 0.19, 0.29])[:, None, None]
    reflectance[:, :12] = np.array([0.055, 0.05, 0.03, 0.015])[:, None, None]
    raw = np.rint((reflectance + 0.1) / 2e-5).astype(np.uint16)
    path: Path = write_raster(raw, descriptions=["blue", "green", "red", "nir"])
    return path


def test_a_question_about_the_numbers_is_shown_and_settled_by_its_button(tmp_path: Path, write_raster: Any) -> None:
    with pytest.warns(ReflectanceWarning, match="Level-1"):
        scene = open_scene(level_1_file(write_raster), sensor="landsat8")
    state = WorkbenchState(scene, "index", executor=ImmediateExecutor())
    panel = ScenePanel(state, tmp_path)
    assert "Level-1 top-of-atmosphere" in panel.question.value
    assert panel.settle.layout.display == ""
    assert panel.settle.description == "Open with scale=2e-05, offset=-0.1"
    panel.settle.click()
    assert panel.error.value == panel.question.value == ""
    assert panel.settle.layout.display == "none"
    assert state.source.options == {"sensor": "landsat8", "scale": 2e-5, "offset": -0.1}
    np.testing.assert_allclose(state.scene["red"].isel(y=[0, -1], x=0), [0.03, 0.19], atol=1e-4)


def test_a_question_is_shown_once_beside_the_warnings(tmp_path: Path, write_raster: Any) -> None:
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    panel = ScenePanel(state, tmp_path)
    panel._open(SceneSource(str(level_1_file(write_raster)), {"sensor": "landsat8"}))
    assert "cannot be reflectance" in panel.question.value
    assert "cannot be reflectance" not in panel.warnings.value
    panel.sample.value = "river_10m"
    panel.open_sample.click()
    assert panel.question.value == ""
    assert panel.settle.layout.display == "none"


def test_a_question_about_a_scene_in_memory_is_shown_without_a_button(write_raster: Any) -> None:
    with pytest.warns(ReflectanceWarning):
        scene = open_scene(level_1_file(write_raster), sensor="landsat8").load()
    in_memory = xr.Dataset(scene.data_vars, scene.coords, scene.attrs)
    panel = ScenePanel(WorkbenchState(in_memory, "index", executor=ImmediateExecutor()))
    assert "cannot be reflectance" in panel.question.value
    assert panel.settle.layout.display == "none"


def test_a_question_is_text_and_not_markup() -> None:
    scene = sample_scene("river_10m")
    scene.attrs["question"] = f"What is {HOSTILE}?"
    panel = ScenePanel(WorkbenchState(scene, "index", executor=ImmediateExecutor()))
    assert "<img" not in panel.question.value
    assert "&lt;img" in panel.question.value
