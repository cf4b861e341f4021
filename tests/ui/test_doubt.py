"""Doubt in the workbench: a layer of the map, places to step through, stripes over what cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from spex_widgets import MapView, ResultPanel, WorkbenchState
from spex_widgets.jobs import ImmediateExecutor
from spex_widgets.map.link import MapLink
from spex_widgets.panels.layers import LayersPanel

from spex_nb import Extraction, extract, sample_scene
from spex_nb.extraction.facts.doubt import doubtful_windows
from spex_nb.output.map_images import hatch_picture
from spex_nb.types import Fact


@pytest.fixture(scope="module")
def result() -> Extraction:
    return extract(sample_scene("river_10m"), "water", "index", progress=False)


def showing(result: Extraction) -> WorkbenchState:
    scene = sample_scene("river_10m")
    state = WorkbenchState(scene, "index", executor=ImmediateExecutor())
    state.show_result(result, (0, 0, *scene.spex.shape))
    return state


def test_the_result_panel_steps_through_the_places_of_most_doubt(result: Extraction, recording_map: Any) -> None:
    state = showing(result)
    panel, link = ResultPanel(state), MapLink(state, recording_map)
    places = doubtful_windows(result.doubt.to_numpy())  # type: ignore[union-attr]
    assert f"{len(places)} places of most doubt" in panel.doubt.value
    panel.next.click()
    assert recording_map.calls_of("zoom_to_window") == [(places[0],)]
    panel.next.click()
    assert state.spot == places[1]
    assert f"Place 2 of {len(places)}" in panel.doubt.value
    panel.previous.click()
    assert state.spot == places[0]
    for _ in places:
        panel.next.click()
    assert state.spot == places[0]  # going round
    link.close()


def test_a_result_without_doubt_offers_no_places(result: Extraction) -> None:
    panel = ResultPanel(showing(replace(result, doubt=None)))
    assert panel.doubts.layout.display == "none"
    panel.next.click()
    assert panel.error.value == ""


def test_the_map_shows_doubt_as_a_strength(result: Extraction, recording_map: Any) -> None:
    state = showing(result)
    link, layers = MapLink(state, recording_map), LayersPanel(state)
    layers.layer.value = "doubt"
    ((shares, name),) = recording_map.calls_of("set_probability")
    assert name == ""
    doubt = result.doubt.to_numpy()  # type: ignore[union-attr]
    np.testing.assert_array_equal(np.isnan(shares), doubt == 255)
    assert float(np.nanmax(shares)) == pytest.approx(doubt[doubt < 255].max() / 250)
    link.close()


def test_what_cannot_be_trusted_is_drawn_in_stripes(result: Extraction, recording_map: Any) -> None:
    link = MapLink(showing(result), recording_map)
    assert len(recording_map.calls_of("set_mask")[-1]) == 2
    link.close()
    trust = Fact("trust", "numbers", "name", "scene", "scene")
    explanations = tuple(replace(text, facts=(*text.facts, trust)) for text in result.explanations)
    broken = replace(result, explanations=explanations)
    link = MapLink(showing(broken), recording_map)
    assert recording_map.calls_of("set_mask")[-1][2] is True
    link.close()
    plain, striped = (item.plot().axes[0].images[1].get_array() for item in (result, broken))
    assert 0.3 < (striped[..., 3] > 0).sum() / (plain[..., 3] > 0).sum() < 0.7


def test_stripes_take_half_of_a_picture_and_change_no_colour() -> None:
    picture = np.full((40, 40, 4), 200, np.uint8)
    striped = hatch_picture(picture)
    assert (striped[..., 3] > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert set(np.unique(striped)) == {0, 200}
    assert (picture == 200).all()


def test_the_map_goes_to_a_window_and_draws_stripes() -> None:
    view = MapView(executor=ImmediateExecutor())
    scene = sample_scene("river_10m")
    view.set_scene(scene)
    before = view.map.zoom
    view.zoom_to_window((32, 64, 32, 32))
    assert view.map.zoom > before
    lons, lats = view._place.lonlat([64, 80, 96], [32, 48, 64])
    assert view.map.center == pytest.approx([lats[1], lons[1]], abs=1e-4)
    view.set_mask(np.ones(scene.spex.shape, np.uint8), ["water"], True)
    view.close()
