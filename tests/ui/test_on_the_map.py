"""What lies on the map beside pictures: legend, scale, readout, ruler, hidden layers, the still picture."""

from __future__ import annotations

import base64
import io
from typing import Any

import ipyleaflet
import leafmap
import numpy as np
import pytest
from PIL import Image
from spex_widgets import MapView, Workbench, WorkbenchState
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.map.readout import Readout, pixel_text
from spex_widgets.measuring import ruler_text

from spex_nb import sample_scene, spectral_prior
from spex_nb.scene.samples import sample_path


def scales(map: Any) -> list[Any]:  # noqa: A002 (its name)
    return [control for control in map.controls if isinstance(control, ipyleaflet.ScaleControl)]


def shown(view: MapView) -> list[str]:
    return [layer.name for layer in view.map.layers]


def test_a_scale_bar_stands_only_where_a_scene_lies_on_the_earth() -> None:
    view = MapView(executor=ImmediateExecutor())
    view.set_scene(sample_scene("sentinel2_crop"))
    assert scales(view.map) == []
    assert view._furniture.readout.value == ""
    view.set_scene(sample_scene("river_10m"))
    assert len(scales(view.map)) == 1
    assert "North is up" in view._furniture.readout.value
    view.set_scene(sample_scene("sentinel2_crop"))
    assert scales(view.map) == []
    view.close()


def test_the_scale_bar_of_somebodys_map_comes_back() -> None:
    own = leafmap.Map(draw_control=False, toolbar_control=False)
    before = own.controls
    view = MapView(own, executor=ImmediateExecutor())
    view.set_scene(sample_scene("sentinel2_crop"))
    assert scales(own) == []
    view.close()
    assert set(own.controls) == set(before)


def test_layers_can_be_hidden_and_come_back() -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    bench.ask("water")
    bench.extract()
    bench.layers.eyes["result"].value = bench.layers.eyes["outlines"].value = False
    assert bench.state.hidden == ("outlines", "result")
    assert shown(bench.view) == ["scene", "footprint"]
    bench.layers.eyes["result"].value = True
    assert "mask" in shown(bench.view)
    bench.layers.strengths["scene"].value = 0.5
    assert next(layer for layer in bench.map.layers if layer.name == "scene").opacity == 0.5
    bench.close()


def test_the_legend_on_the_map_names_classes_with_their_areas(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    bench.ask("water")
    bench.extract()
    hectares = bench.result.evidence["water"].area_m2 / 1e4
    (legend,) = recording_map.calls_of("set_legend")[-1]
    assert "water bodies" in legend
    assert f"{hectares:,.2f} ha" in legend
    bench.layers.layer.value = "doubt"
    assert "doubt" in recording_map.calls_of("set_legend")[-1][0]
    bench.panels["Scene"].open_sample.click()
    assert recording_map.calls_of("set_legend")[-1] == ("",)
    bench.close()


def test_the_pointer_reads_place_bands_index_and_class() -> None:
    scene = sample_scene("river_10m")
    text = pixel_text(scene, 62, 230, ("red", "nir"), "NDWI", "water bodies")
    red, green, nir = (float(scene[name].values[62, 230]) for name in ("red", "green", "nir"))
    assert f"red {red:.3f} · nir {nir:.3f} · NDWI {(green - nir) / (green + nir):.3f} · water bodies" in text
    assert "° N, " in text
    assert text.count("° E") == 1
    corner = np.argwhere(~scene["valid"].values)[0]
    assert pixel_text(scene, *corner.tolist(), ("red",), "", "").endswith("no data")
    assert pixel_text(sample_scene("sentinel2_crop"), 3, 4, ("red",), "", "").startswith("row 3, column 4 · red 0.")


def test_the_readout_says_what_was_found_and_nothing_outside() -> None:
    state = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    said: list[str] = []
    readout = Readout(state, said.append)
    readout.follow(62, 230)
    readout.follow(-1, 5)
    assert "red" in said[0]
    assert said[1] == ""


def test_a_line_is_measured_on_the_ground() -> None:
    scene = sample_scene("river_10m")  # 10 m, UTM: its scale is true to 4 in 10,000
    assert ruler_text(scene, [(0, 0)]) == ""
    assert ruler_text(scene, [(0, 0), (50, 0)]) == "500 m"
    assert ruler_text(scene, [(0, 0), (30, 0), (30, 40), (0, 0)]).startswith("1.20 km; closed, it encloses 6.0")
    assert ruler_text(sample_scene("sentinel2_crop"), [(0, 0), (30, 40)]) == "50.0 px"


def test_clicks_measure_until_the_tool_is_left(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    bench.tools.tool.value = "measure"
    recording_map.click(0.0, 0.0, 0.0, 0.0)
    recording_map.click(0.0, 50.0, 0.0, 0.0)
    assert recording_map.calls_of("set_readout")[-1] == ("500 m",)
    assert recording_map.calls_of("set_ruler")[-1] == (((0.5, 0.5), (50.5, 0.5)),)
    bench._browser_side._handle_custom_msg({"kind": "escape"}, [])
    assert (bench.state.tool, bench.tools.tool.value, bench.state.ruler) == ("look", "look", ())
    assert recording_map.calls_of("set_ruler")[-1] == ((),)
    bench.close()


def test_keys_take_back_points_and_edits(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)

    def tell(kind: str) -> None:
        bench._browser_side._handle_custom_msg({"kind": kind}, [])

    tell("undo")  # nothing is there to take back
    bench.state.tool = "measure"
    recording_map.click(0.0, 0.0, 0.0, 0.0)
    recording_map.click(0.0, 50.0, 0.0, 0.0)
    tell("undo")
    assert bench.state.ruler == ((0.5, 0.5),)
    bench.state.tool = "spectrum"
    recording_map.click(0.0, 0.0, 0.0, 0.0)
    tell("undo")
    assert bench.state.points == {}
    bench.ask("water")
    bench.extract()
    before = bench.state.mask.values
    bench.state.tool = "paint"
    recording_map.brush([(5.5, 5.5)])
    tell("undo")
    assert np.array_equal(bench.state.mask.values, before)
    tell("redo")
    assert bench.state.mask.values[5, 5] == 1
    bench.close()


def test_a_file_that_is_dropped_becomes_the_scene(recording_map: Any) -> None:
    bench = Workbench("lake_30m", "index", executor=ImmediateExecutor(), view=recording_map)
    content = sample_path("river_10m").read_bytes()

    def drop(name: str, size: int, buffers: list[bytes]) -> None:
        bench._browser_side._handle_custom_msg({"kind": "file", "name": name, "size": size}, buffers)

    drop("../mine.tif", len(content), [content])
    assert bench.state.scene.spex.shape == sample_scene("river_10m").spex.shape
    assert "mine.tif (uploaded)" in bench.head.value
    assert "spex-scratch" not in bench.head.value + bench.panels["Scene"].facts.value
    drop("large.tif", 20_000_000, [])
    assert "20.0 MB" in bench.panels["Scene"].error.value
    drop("page.html", 6, [b"<html>"])
    assert "cannot be uploaded" in bench.panels["Scene"].error.value
    bench.close()


def test_a_sentence_about_a_region_leads_to_it(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    bench.ask("water")
    bench.extract()
    assert "data-region='0'" in bench.panels["Result"].explanation.value
    bench._browser_side._handle_custom_msg({"kind": "region", "row": 1}, [])
    assert recording_map.calls_of("zoom_to_region")[-1] == (1,)
    assert bench.panels["Result"].regions.value == 1
    bench._browser_side._handle_custom_msg({"kind": "region", "row": 99}, [])
    assert bench.state.region == 1
    bench.close()


def test_the_meaning_is_said_once(recording_map: Any) -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor(), view=recording_map)
    bench.ask("lakes larger than 2 ha")
    bench.extract()
    meaning = bench.result.instruction.meaning
    assert meaning in bench.panels["Ask"].meaning.value
    assert meaning not in bench.panels["Result"].head.value
    bench.state.text = "vegetation"
    assert meaning in bench.panels["Result"].head.value
    bench.close()


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["river_10m", "sentinel2_crop"])
def test_every_example_of_a_scene_is_answered_by_one_click(sample: str) -> None:
    bench = Workbench(sample, "index", executor=ImmediateExecutor())
    panel = bench.panels["Ask"]
    for example in panel.first_examples:
        example.click()
        assert panel.error.value == ""
        assert bench.result.instruction.text == example.description
    bench.close()


def test_where_no_widget_runs_there_is_a_picture_and_text() -> None:
    bench = Workbench("river_10m", "index", executor=ImmediateExecutor())
    before = bench._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in before
    bench.ask("water")
    bench.extract()
    after = bench._repr_mimebundle_()
    plain, masked = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one["image/png"]))).convert("RGB")).astype(int)
        for one in (before, after)
    )
    share = spectral_prior(bench.state.scene, "water").mask.values.mean()
    assert (np.abs(plain - masked).max(axis=-1) > 20).mean() == pytest.approx(share, abs=0.02)
    assert max(plain.shape) == 640
    assert "asked: water" in after["text/plain"]
    assert bench.result.explanation in after["text/plain"]
    bench.close()


def test_the_model_is_asked_once_before_anybody_asks(fake_model: Any) -> None:
    state = WorkbenchState(sample_scene("river_10m"), fake_model, executor=ImmediateExecutor())
    state.load_model_meanwhile()
    assert [targets for targets, *_ in fake_model.asked] == [("water",)]
    assert state.extraction is None
    fake_model.predict = lambda *_a, **_o: 1 / 0
    state.load_model_meanwhile()  # who asks later is told what is wrong
    assert state.error is None
