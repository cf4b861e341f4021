"""Areas by district in the workbench: a file of polygons is named or sent, measured, drawn, measured again, saved."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely.geometry
from spex_widgets import DistrictsPanel, InstructionPanel, Workbench, WorkbenchState, editor
from spex_widgets.jobs import ImmediateExecutor

from spex_nb import sample_scene, zonal_table

SENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def halves() -> gpd.GeoDataFrame:
    """Return two districts that part the sample lake_30m in a western and an eastern half."""
    left, bottom, right, top = sample_scene("lake_30m").rio.bounds()
    middle = (left + right) / 2
    boxes = [shapely.box(left, bottom, middle, top), shapely.box(middle, bottom, right, top)]
    frame = gpd.GeoDataFrame({"name": ["West <b>", "East"]}, geometry=boxes, crs=sample_scene("lake_30m").rio.crs)
    return frame.to_crs("EPSG:4326")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shapes").mkdir()
    halves().to_file(tmp_path / "shapes" / "halves.geojson")
    return tmp_path


@pytest.fixture
def panel(root: Path) -> DistrictsPanel:
    return DistrictsPanel(WorkbenchState(sample_scene("lake_30m"), "index", executor=ImmediateExecutor()), root)


def extract_water(state: WorkbenchState) -> None:
    asking = InstructionPanel(state)
    state.text = "water"
    asking.run.click()
    assert state.result is not None


def test_water_is_measured_in_each_district_and_again_after_an_edit(panel: DistrictsPanel) -> None:
    extract_water(panel.state)
    assert panel.file.options == (str(Path("shapes") / "halves.geojson"),)
    panel.file.value = panel.file.options[0]
    panel.measure.click()
    assert panel.error.value == ""
    expected = zonal_table(panel.state.result, halves())
    assert panel.state.districts["water_ha"].tolist() == pytest.approx(expected["water_ha"].tolist(), rel=1e-6)
    total_ha = panel.state.result.evidence["water"].area_m2 / 1e4
    assert panel.state.districts["water_ha"].sum() == pytest.approx(total_ha, rel=1e-3)
    assert "West &lt;b&gt;" in panel.figures.value
    west = panel.state.districts["water_frac"][0]
    assert f"{west:.1%}" in panel.figures.value
    panel.state.number = 1
    panel.state.tool, panel.state.brush_px = "paint", 20
    editor.click(panel.state, (30.5, 30.5))
    assert panel.state.districts["water_frac"][0] > west


def test_the_table_is_saved_once_and_replaced_on_request(panel: DistrictsPanel, root: Path) -> None:
    extract_water(panel.state)
    panel.measure_within(Path("shapes") / "halves.geojson")
    panel.path.value = str(root / "table.csv")
    panel.save.click()
    assert pd.read_csv(root / "table.csv")["name"].tolist() == ["West <b>", "East"]
    assert 'download="table.csv"' in panel.status.value
    (root / "table.csv").write_text("mine")
    panel.save.click()
    assert (root / "table.csv").read_text() == "mine"
    replace = panel.ways_out.offered[0]
    assert replace.label == "Replace table.csv"
    replace.act()
    assert len(pd.read_csv(root / "table.csv")) == 2


def test_polygons_are_sent_by_the_page(panel: DistrictsPanel, root: Path) -> None:
    extract_water(panel.state)
    for name, content in {
        "halves.geojson": (root / "shapes" / "halves.geojson").read_bytes(),
        "../../halves.geojson": (root / "shapes" / "halves.geojson").read_bytes(),
    }.items():
        panel.state.districts = None
        panel.upload.value = (sent(name, content),)
        assert panel.error.value == ""
        assert len(panel.state.districts) == 2
    panel.upload.value = (sent("points.csv", b"a,b\n1,2\n"),)
    assert "cannot be uploaded" in panel.error.value
    panel.close()


def sent(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": SENT}


def test_what_cannot_be_measured_is_said(panel: DistrictsPanel, root: Path) -> None:
    panel.measure_within("shapes/halves.geojson")
    assert "nothing to measure" in panel.error.value
    extract_water(panel.state)
    panel.measure_within("nowhere.gpkg")
    assert "There are no polygons" in panel.error.value
    panel.measure_within(root.parent)
    assert "There are no polygons" in panel.error.value
    (root / "bad.geojson").write_text("{}")
    panel.measure_within("bad.geojson")
    assert "bad.geojson" in panel.error.value
    for layer in ("north", "south"):
        halves().to_file(root / "several.gpkg", layer=layer)
    panel.measure_within("several.gpkg")
    assert "north, south" in panel.error.value
    panel.measure_within("several.gpkg", layer="south")
    assert panel.error.value == ""
    assert len(panel.state.districts) == 2


def test_districts_are_drawn_and_another_answer_lets_go_of_them(recording_map: Any, root: Path) -> None:
    bench = Workbench("lake_30m", "index", executor=ImmediateExecutor(), view=recording_map, root=root)
    bench.ask("water")
    bench.extract()
    bench.show("Districts").measure_within("shapes/halves.geojson")
    (frame,) = [arguments[0] for name, arguments in drawn(recording_map) if arguments[0] is not None]
    assert frame.crs == bench.state.scene.rio.crs
    bench.ask("vegetation")
    bench.extract()
    assert bench.state.districts is None
    assert drawn(recording_map)[-1][1] == (None,)
    bench.close()


def drawn(recording_map: Any) -> list[Any]:
    return [call for call in recording_map.calls if call[0] == "set_districts"]


def test_the_outlines_lie_on_the_map() -> None:
    bench = Workbench("lake_30m", "index", executor=ImmediateExecutor())
    frame = halves().to_crs(bench.state.scene.rio.crs)
    bench.view.set_districts(frame)
    (layer,) = [layer for layer in bench.map.layers if layer.name == "districts"]
    assert len(layer.data["features"]) == 2
    west = shapely.geometry.shape(layer.data["features"][0]["geometry"])
    assert west.bounds == pytest.approx(halves().geometry.iloc[0].bounds, abs=1e-3)
    bench.view.set_districts(None)
    assert "districts" not in [layer.name for layer in bench.map.layers]
    bench.close()
