"""The panel that searches a catalogue: held against a real STAC API on this machine."""

from __future__ import annotations

import pytest
from spex_widgets import CataloguePanel, WorkbenchState
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.panels import catalogue

from spex_nb import open_scene, sample_scene
from spex_nb.scene.samples import sample_path
from tests.scene.test_catalogue_search import BANDS, api, files

__all__ = ["api", "files"]
pytestmark = pytest.mark.slow


@pytest.fixture
def panel(api: str) -> CataloguePanel:
    panel = CataloguePanel(WorkbenchState(open_scene(sample_path("river_10m")), "index", executor=ImmediateExecutor()))
    panel.catalogue.value, panel.dates.value = api, "2024-05/2024-08"
    panel.here.click()
    return panel


def test_the_place_of_the_open_scene_finds_scenes_that_open_with_its_pixels(panel: CataloguePanel) -> None:
    before = panel.state.scene
    panel.search.click()
    assert panel.error.value == ""
    assert [label.split(" · ")[0] for label, _ in panel.listed.options] == ["2024-08-01", "2024-05-01"]
    assert "11 % clouds" in panel.listed.options[0][0]
    assert "do not state their cloud cover: 1" in panel.status.value
    panel.listed.value = 1
    panel.open.click()
    assert panel.error.value == ""
    after = panel.state.scene
    assert not after.spex.is_lazy
    assert set(after.spex.bands) == {*BANDS}
    assert after.spex.shape == before.spex.shape
    assert abs(after["nir"] - before["nir"]).max() < 1e-6


def test_pictures_come_when_asked_and_hostile_ones_are_left_out(panel: CataloguePanel) -> None:
    panel.search.click()
    assert "<img" not in panel.picture.value
    panel.pictures.click()
    assert "1 of 2 scenes have a picture" in panel.status.value
    assert "<img" not in panel.picture.value  # the first one's is no picture
    panel.listed.value = 1
    assert '<img src="data:image/png;base64,' in panel.picture.value


def test_a_part_of_a_scene_is_opened_and_too_large_a_one_is_refused(
    panel: CataloguePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, south, east, north = (float(text) for text in panel.place.value.split(","))
    panel.place.value = f"{west} {(south + north) / 2} {(west + east) / 2} {north}"
    panel.search.click()
    whole = panel.state.scene.spex.shape
    panel.open.click()
    part = panel.state.scene.spex.shape
    assert all(0.45 < side / of < 0.6 for side, of in zip(part, whole, strict=True))
    monkeypatch.setattr(catalogue, "LARGEST_SIDE_PX", 10)
    panel.open.click()
    assert "too large to be fetched at once" in panel.error.value
    assert panel.state.scene.spex.shape == part


@pytest.mark.parametrize(
    ("place", "said"),
    [("", "The place is missing"), ("11 47 12", "no box in longitude"), ("a b c d", "no box in longitude")],
)
def test_a_place_that_is_none_is_refused(panel: CataloguePanel, place: str, said: str) -> None:
    panel.place.value = place
    panel.search.click()
    assert said in panel.error.value
    assert not panel.search.disabled


def test_nothing_found_says_what_to_do_and_opens_nothing(panel: CataloguePanel) -> None:
    panel.dates.value = "1999"
    panel.search.click()
    assert "No scene: allow more clouds or another time" in panel.status.value
    assert panel.open.disabled


def test_a_catalogue_that_is_not_there_is_an_error_and_the_panel_goes_on(panel: CataloguePanel) -> None:
    panel.catalogue.value = "http://127.0.0.1:9"
    panel.search.click()
    assert "does not answer" in panel.error.value
    assert not panel.search.disabled


def test_a_scene_without_a_place_gives_none() -> None:
    panel = CataloguePanel(WorkbenchState(sample_scene("river_10m").drop_vars("spatial_ref"), "index"))
    assert panel.here.disabled
