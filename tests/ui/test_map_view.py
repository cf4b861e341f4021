"""The map without a browser: moved by its traits, drawn by a synchronous executor."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import leafmap
import numpy as np
import pytest
from PIL import Image
from shapely.geometry import shape
from spex_widgets import MapView

from spex_nb.errors import RegionError
from spex_nb.regions.find import find_regions, regions_frame
from spex_nb.scene.samples import sample_labels, sample_scene

WATER = (0, 114, 178, 255)


class Now(Executor):
    """Does everything at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Later(Executor):
    """Keeps everything for later."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.waiting.append(lambda: fn(*args, **kwargs))
        return Future()


def move(view: MapView, bounds: tuple[float, float, float, float], zoom: float) -> None:
    """Move the map as the browser would say it."""
    west, south, east, north = bounds
    with view.map.hold_trait_notifications():
        view.map.zoom = zoom
        for name, value in {"west": west, "south": south, "east": east, "north": north}.items():
            view.map.set_trait(name, value)


def interact(view: MapView, kind: str, lat: float, lon: float) -> None:
    """Tell what a hand did, as the browser would say it."""
    view.map._handle_leaflet_event(view.map, {"event": "interaction", "type": kind, "coordinates": [lat, lon]}, [])


def layer(view: MapView, name: str) -> Any:
    return next(layer for layer in view.map.layers if layer.name == name)


def names(view: MapView) -> list[str]:
    return [layer.name for layer in view.map.layers]


def picture(view: MapView, name: str) -> Any:
    encoded = layer(view, name).url.split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA"))


@pytest.fixture
def view() -> MapView:
    """Return a map of a plain grid of 300 x 300 pixels: it lies between 0 and 0.02695 degrees."""
    shown = MapView(executor=Now())
    shown.set_scene(sample_scene("sentinel2_crop"))
    move(shown, (0, -0.0269, 0.0269, 0), 14)
    return shown


def test_a_map_of_ones_own_is_taken_and_given_back() -> None:
    own = leafmap.Map(draw_control=False, toolbar_control=False)
    view = MapView(own, executor=Now())
    assert view.map is own
    assert view.widget is own
    assert len(own.layers) == 1
    view.close()
    assert len(own.layers) == 1


def test_a_new_map_asks_nobody_for_a_basemap() -> None:
    assert MapView(executor=Now()).map.layers == ()


def test_the_scene_is_one_picture_within_its_bounds(view: MapView) -> None:
    assert names(view) == ["scene", "footprint"]
    seen = picture(view, "scene")
    assert (seen[..., 3] == 255).mean() > 0.99
    (south, west), (north, east) = layer(view, "scene").bounds
    assert (west, north) == pytest.approx((0, 0))
    assert (south, east) == pytest.approx((-0.02695, 0.02695), abs=1e-4)


def test_a_move_shows_other_pixels_and_says_so(view: MapView) -> None:
    before = layer(view, "scene").url
    move(view, (0, -0.01, 0.01, 0), 16)
    assert layer(view, "scene").url != before
    row, col, height, width = view.visible_window() or (-1,) * 4
    assert (row, col) == (0, 0)
    assert height == pytest.approx(0.01 / 0.0269 * 300, abs=1)
    assert width == height
    move(view, (10, 10, 11, 11), 16)
    assert view.visible_window() is None


def test_the_scene_can_be_seen_whole(view: MapView) -> None:
    view.zoom_to_scene()
    assert view.map.center == pytest.approx([-0.01347, 0.01347], abs=1e-4)


def test_a_mask_has_exactly_the_colour_of_its_class(view: MapView) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[:, :150] = 1
    view.set_mask(mask, ["water"])
    seen = picture(view, "mask")
    colors, counts = np.unique(seen.reshape(-1, 4), axis=0, return_counts=True)
    assert [tuple(color) for color in colors.tolist()] == [(0, 0, 0, 0), WATER]
    assert counts[1] / counts.sum() == pytest.approx(0.5, abs=0.01)
    assert names(view) == ["scene", "mask", "footprint"]


def test_a_mask_may_be_wiped_aside(view: MapView) -> None:
    view.set_mask(np.ones((300, 300), bool), ["water"])
    view.set_wipe(0.25)
    assert (picture(view, "mask")[..., 3] > 0).mean() == pytest.approx(0.25, abs=0.01)
    view.set_wipe(1)
    assert (picture(view, "mask")[..., 3] > 0).all()


def test_a_mask_of_another_grid_is_refused(view: MapView) -> None:
    with pytest.raises(RegionError, match="Cut both by the same window"):
        view.set_mask(np.ones((10, 10), bool), ["water"])


def test_layers_lie_in_their_order_however_they_came(view: MapView) -> None:
    view.set_mask(np.ones((300, 300), bool), ["water"])
    view.set_probability(np.full((300, 300), 0.5, np.float32), "water")
    view.show_index("NDVI")
    assert names(view) == ["scene", "index", "probability", "mask", "footprint"]
    assert picture(view, "probability")[5, 5].tolist() == [0, 114, 178, 128]
    view.clear_mask()
    assert names(view) == ["scene", "index", "footprint"]
    view.show_composite("false")
    assert names(view) == ["scene", "footprint"]


def test_an_index_comes_with_its_legend(view: MapView) -> None:
    legend = next(
        one.widget for one in view.map.controls if hasattr(one, "widget") and "spex-legend" in one.widget._dom_classes
    )
    assert legend.layout.display == "none"
    view.show_index("NDVI")
    assert "<b>NDVI</b>" in legend.value
    assert legend.layout.display is None
    view.hide_index()
    assert (legend.value, legend.layout.display) == ("", "none")


def test_a_live_mask_is_measured_on_what_is_seen(view: MapView) -> None:
    view.set_live_mask(lambda seen: seen["nir"].values > -1, ["vegetation"], ["nir"])
    assert (picture(view, "live mask")[..., 3] == 255).mean() > 0.99


def test_what_fails_while_drawing_is_said(view: MapView) -> None:
    said: list[str] = []
    view.on_notice = said.append

    def broken(_seen: Any) -> Any:
        raise ValueError("the threshold is no number")

    view.set_live_mask(broken, ["water"])
    assert view.notice == "the threshold is no number"
    assert said == [view.notice]


def test_opacity_stays_when_a_layer_comes_back(view: MapView) -> None:
    view.set_opacity("mask", 0.4)
    view.set_mask(np.ones((300, 300), bool), ["water"])
    assert layer(view, "mask").opacity == 0.4


def test_only_the_latest_view_is_drawn() -> None:
    later = Later()
    view = MapView(executor=later)
    view.set_scene(sample_scene("sentinel2_crop"))
    move(view, (0, -0.0269, 0.0269, 0), 14)
    move(view, (0, -0.01, 0.01, 0), 15)
    for work in later.waiting[:-1]:
        work()
    assert layer(view, "scene").url == ""
    later.waiting[-1]()
    assert layer(view, "scene").url.startswith("data:image/webp;base64,")


def test_a_click_tells_the_pixel(view: MapView) -> None:
    clicks: list[Any] = []
    view.on_click(lambda *position: clicks.append(position))
    degrees = np.degrees(10 / 6_378_137.0)  # a pixel of a scene without CRS is ten metres of Web Mercator
    interact(view, "click", -20.5 * degrees, 7.25 * degrees)
    (row, col, x, y), *_ = clicks
    assert (row, col) == (20, 7)
    assert (x, y) == pytest.approx((7.25, 20.5), abs=1e-3)
    interact(view, "click", 5, 5)
    assert len(clicks) == 1


def drag(view: MapView, *pixels: tuple[float, float]) -> None:
    degrees = np.degrees(10 / 6_378_137.0)
    kinds = ["mousedown", *["mousemove"] * (len(pixels) - 2), "mouseup"]
    for kind, (col, row) in zip(kinds, pixels, strict=True):
        interact(view, kind, -row * degrees, col * degrees)


def test_a_dragged_box_is_a_window(view: MapView) -> None:
    boxes: list[Any] = []
    view.on_draw_box(boxes.append)
    assert view.map.dragging is False
    drag(view, (30.5, 40.5), (20.2, 10.2), (10.5, 20.5))
    assert boxes == [(20, 10, 21, 21)]
    view.on_draw_box(None)
    assert view.map.dragging is True


def test_a_stroke_is_a_line_of_pixels(view: MapView) -> None:
    strokes: list[Any] = []
    view.on_brush(strokes.append)
    drag(view, (1, 2), (3, 4), (5, 6))
    assert np.allclose(strokes[0], [(1, 2), (3, 4), (5, 6)], atol=1e-3)


def test_regions_are_outlined_selected_and_found() -> None:
    scene, labels = sample_scene("river_10m"), sample_labels("river_10m")
    view = MapView(executor=Now())
    view.set_scene(scene)
    frame = regions_frame(find_regions(labels.values == 1), scene)
    view.set_regions(frame)
    view.select_region(0)
    assert names(view)[-2:] == ["regions", "selected"]
    west, south, east, north = frame.to_crs(4326).geometry[0].bounds
    (feature,) = layer(view, "selected").data["features"]
    assert shape(feature["geometry"]).bounds[0] == pytest.approx(west, abs=1e-4)
    view.zoom_to_region(0)
    assert view.map.center == pytest.approx([(south + north) / 2, (west + east) / 2], abs=1e-3)
    view.select_region(None)
    assert "selected" not in names(view)
    with pytest.raises(RegionError, match="Ids are those of the table's index"):
        view.select_region(999)


def test_of_very_many_regions_the_largest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex_widgets.map.outlines.MANY_REGIONS", 3)
    monkeypatch.setattr("spex_widgets.map.outlines.LARGEST_SHOWN", 2)
    scene = sample_scene("sentinel2_crop")
    mask = np.zeros((300, 300), bool)
    for i in range(5):
        mask[20 * i : 20 * i + i + 1, :10] = True
    view = MapView(executor=Now())
    view.set_scene(scene)
    view.set_regions(regions_frame(find_regions(mask), scene))
    assert len(layer(view, "regions").data["features"]) == 2
    view.select_region(4)
    assert len(layer(view, "selected").data["features"]) == 1


def test_what_the_model_was_given_lies_on_the_map_as_pins(view: MapView) -> None:
    view.set_pins([(10.0, 20.0, True), (30.0, 40.0, False), (50.0, 60.0, True)], [(0.0, 0.0, 300.0, 300.0)])
    there, not_there, box = (layer(view, name).data["features"] for name in ("there", "not there", "box"))
    assert [len(features) for features in (there, not_there, box)] == [2, 1, 1]
    lon, lat = there[0]["geometry"]["coordinates"]
    assert (lon, lat) == pytest.approx((0.02695 * 10 / 300, -0.02695 * 20 / 300), abs=1e-5)
    assert shape(box[0]["geometry"]).bounds == pytest.approx((0, -0.02695, 0.02695, 0), abs=1e-4)
    view.set_pins([], [])
    assert names(view) == ["scene", "footprint"]


def test_a_scene_fills_the_map_as_soon_as_its_size_is_known(view: MapView) -> None:
    view.zoom_to_scene()
    guessed = view.map.zoom
    view.map.set_trait("pixel_bounds", ((0, 0), (1400, 1400)))
    assert view.map.zoom >= guessed + 1
    assert view.map.zoom % 1 in (0, 0.25, 0.5, 0.75)
    view.map.zoom = 3
    view.map.set_trait("pixel_bounds", ((0, 0), (700, 700)))
    assert view.map.zoom == 3  # a hand moved it since


def test_a_basemap_out_of_reach_is_said_once(view: MapView, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    view.on_notice = said.append
    monkeypatch.setattr("spex_widgets.map.view.is_reachable", lambda _url: False)
    view.set_basemap("OpenStreetMap")
    view.set_basemap("OpenStreetMap")
    assert said == ["The basemap OpenStreetMap cannot be reached from here; the map works without it."]
    assert view.map.layers[0].base
    view.set_basemap(None)
    assert names(view) == ["scene", "footprint"]


def test_a_path_is_shown_too(write_raster: Callable[..., Path]) -> None:
    pixels = np.full((3, 40, 60), 1000, np.uint16)
    path = write_raster(pixels, descriptions=("red", "green", "blue"))
    view = MapView(executor=Now())
    view.set_scene(path, scale=1e-4)
    west, south, east, north = 9.0, 49.6, 9.01, 49.66
    move(view, (west, south, east, north), 14)
    assert names(view) == ["scene", "footprint"]
    assert (picture(view, "scene")[..., 3] > 0).any()


def test_a_closed_map_draws_no_more(view: MapView) -> None:
    view.set_mask(np.ones((300, 300), bool), ["water"])
    view.close()
    view.close()
    assert view.map.layers == ()
    move(view, (0, -0.01, 0.01, 0), 15)
    assert view.map.layers == ()
    with pytest.raises(RegionError, match=r"Call set_scene\(scene\) first"):
        view.zoom_to_scene()


def test_two_maps_do_not_disturb_each_other(view: MapView) -> None:
    other = MapView(executor=Now())
    other.set_scene(sample_scene("river_10m"))
    other.close()
    view.set_mask(np.ones((300, 300), bool), ["water"])
    assert names(view) == ["scene", "mask", "footprint"]
