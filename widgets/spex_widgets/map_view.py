"""A scene and what was found in it, on a leafmap map. The only file that knows leafmap and ipyleaflet.

Every layer is one picture of what the map shows, drawn anew when the map moves and sent over the kernel's own channel:
no tile server, no port, no address. Drawing happens on an executor; only the latest view counts.
"""

from __future__ import annotations

import asyncio
import html
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ipyleaflet
import ipywidgets as ipw
import numpy as np
import shapely
import xarray as xr

from spex_nb import rendering
from spex_nb.errors import RegionError
from spex_nb.pyramids import Pyramid, raster_layer
from spex_nb.scene import on_grid
from spex_nb.web_grid import View, WebGrid, from_mercator, mercator

if TYPE_CHECKING:
    import geopandas as gpd
    import leafmap

Window = tuple[int, int, int, int]
MARGIN_FRAC = 0.25
"""Drawn beyond each edge of the map, so that a small move shows no gap."""
LONGEST_PX = 2048
MANY_REGIONS = 2000
"""A map freezes with more outlines; then only the largest and the selected are shown."""
LARGEST_SHOWN = 200
OUTLINE_STEP_PX = 0.75
"""Outlines keep to their region within this, on the screen at the zoom of the whole scene."""
TILE_PX = 256
BASEMAP_TIMEOUT_S = 5
ORDER = ("scene", "index", "probability", "mask", "live mask")
"""Of the layers, the lowest first."""
OUTLINE_STYLE = {"color": "#f0e442", "weight": 2, "fillOpacity": 0, "interactive": False}
SELECTED_STYLE = {"color": "#ffffff", "weight": 4, "fillOpacity": 0.1, "interactive": False}
FOOTPRINT_STYLE = {"color": "#999999", "weight": 1, "dashArray": "4", "fillOpacity": 0, "interactive": False}


@dataclass(eq=False)
class _Layer:
    """One picture on the map."""

    overlay: Any
    draw: Callable[[View], bytes]
    kind: str
    wanted: int = 0
    """Number of the latest view that was asked for; older drawings are thrown away."""


@dataclass
class _Drag:
    """What a drag of the mouse means now, and where it has been."""

    finish: Callable[[list[tuple[float, float]]], None]
    path: list[tuple[float, float]] = field(default_factory=list)
    is_down: bool = False


class MapView:
    """A scene, an index, a mask, a probability and regions on a map.

    Args:
        map: A ``leafmap.Map`` to draw on; a new one without basemap if not given.
        executor: Where pictures are drawn; a thread of its own if not given. A synchronous one makes all immediate.
    """

    def __init__(self, map: leafmap.Map | None = None, executor: Executor | None = None) -> None:  # noqa: A002 (its name)
        self.map: Any = _bare_map() if map is None else map
        """The ``leafmap.Map`` itself."""
        self.notice = ""
        """What one should know, such as that a basemap is not reachable; empty if nothing."""
        self.on_notice: Callable[[str], None] = lambda _text: None
        """Called when ``notice`` has been set."""
        self._own_executor = ThreadPoolExecutor(1, "map") if executor is None else None
        self._executor: Any = executor or self._own_executor
        self._loop = _running_loop()
        self._scene: Pyramid | None = None
        self._place: WebGrid | None = None
        self._layers: dict[str, _Layer] = {}
        self._opacity: dict[str, float] = {}
        self._outlines: dict[str, Any] = {}
        self._regions: Any = None
        self._stretch: dict[tuple[str, ...], Any] = {}
        self._wipe_frac = 1.0
        self._legend: Any = None
        self._click: Callable[[int, int, float, float], None] | None = None
        self._drag: _Drag | None = None
        self.is_closed = False
        self.map.observe(self._redraw_all, ["bounds", "zoom"])
        self.map.on_interaction(self._on_interaction)

    @property
    def widget(self) -> Any:
        """What a notebook displays."""
        return self.map

    def set_scene(self, scene: Any, **options: Any) -> None:
        """Show another scene, in true colour where it has the bands; what lay on the old one goes.

        Args:
            scene: A path, or a Dataset of bands [H, W].
            **options: For a path, as for `open_scene`.

        Raises:
            SpexError: As `open_scene`.
        """
        pyramid = Pyramid(scene, **options)
        self._clear()
        self._scene, self._place = pyramid, WebGrid(pyramid.grid)
        self._show_footprint()
        self.zoom_to_scene()
        bands = pyramid.layers.spex.bands
        true = all(name in bands for name in ("red", "green", "blue"))
        self.show_composite("true" if true else (bands * 3)[:3])

    def show_composite(self, bands: str | Sequence[str] = "true") -> None:
        """Show three bands of the scene, stretched alike wherever one looks.

        Raises:
            BandError: If they are not three bands of the scene.
        """
        scene, names = self._shown_scene, rendering.composite_bands(self._shown_scene, bands)
        self._drop("index")

        def draw(view: View) -> bytes:
            if names not in self._stretch:
                self._stretch[names] = rendering.measure_stretch(scene, names)
            return rendering.encode_webp(rendering.render_scene(scene, view, names, self._stretch[names]))

        self._set_layer("scene", draw, "webp")

    def show_index(self, name: str) -> None:
        """Show a spectral index over the scene, with its colours.

        Raises:
            IndexNameError, MissingBandError, FormulaError: As `compute_index`.
        """
        scene = self._shown_scene
        limits = rendering.measure_limits(scene, name)
        self._set_layer(
            "index", lambda view: rendering.encode_webp(rendering.render_index(scene, name, view, limits)), "webp"
        )
        self._show_legend(name, limits)

    def hide_index(self) -> None:
        """Show the scene again instead of an index."""
        self._drop("index")

    def set_mask(self, mask: Any, class_names: Sequence[str] | Mapping[str, str]) -> None:
        """Show a mask in the colours of its classes.

        Args:
            mask: bool or uint8 [H, W] on the scene's pixels: 0 none, 1 ... n the classes, 255 no data; a DataArray, an
                array, or the path of a file.
            class_names: Ids of the classes, in the order of their numbers.
        """
        pyramid = self._on_scene(mask)
        colors = _class_colors(class_names)
        self._drop("live mask")
        self._set_layer("mask", lambda view: self._mask_png(rendering.render_mask(pyramid, colors, view), view), "png")

    def set_live_mask(
        self, measure: Callable[[xr.Dataset], Any], class_names: Sequence[str], bands: Sequence[str] | None = None
    ) -> None:
        """Show a mask that is measured on what the map shows, such as a prior while its threshold is moved.

        Args:
            measure: Takes the scene as seen now (thinned), returns bool or uint8 [h, w]; called on the executor.
            class_names: As for ``set_mask``.
            bands: That it needs; all if not given.
        """
        scene, colors = self._shown_scene, _class_colors(class_names)

        def draw(view: View) -> bytes:
            return self._mask_png(rendering.render_live_mask(scene, measure, colors, view, bands), view)

        self._set_layer("live mask", draw, "png")

    def set_probability(self, probability: Any, class_name: str = "") -> None:
        """Show a probability, the more opaque the higher: float [H, W] in 0..1 on the scene's pixels."""
        pyramid, color = self._on_scene(probability), rendering.class_rgb(class_name)
        self._set_layer(
            "probability",
            lambda view: self._mask_png(rendering.render_probability(pyramid, view, color), view),
            "png",
        )

    def clear_mask(self) -> None:
        """Take mask, live mask and probability off the map."""
        for name in ("mask", "live mask", "probability"):
            self._drop(name)

    def set_opacity(self, name: str, value: float) -> None:
        """Let what lies below show through a layer: "scene", "index", "mask", "live mask" or "probability"."""
        self._opacity[name] = value
        if name in self._layers:
            self._layers[name].overlay.opacity = value

    def set_wipe(self, frac: float) -> None:
        """Show masks and probability only left of this part of the map's width: 1 shows all, 0 the bare scene."""
        self._wipe_frac = min(max(frac, 0.0), 1.0)
        for name in ("mask", "live mask", "probability"):
            self._redraw(name)

    def set_regions(self, frame: gpd.GeoDataFrame) -> None:
        """Show the outlines of regions; of more than 2,000 only the largest, and the one that is selected.

        Args:
            frame: Polygons in the scene's CRS (in pixels without one), with ``area_px``; its index holds their ids.
        """
        self._regions = frame
        largest = frame if len(frame) <= MANY_REGIONS else frame.nlargest(LARGEST_SHOWN, "area_px")
        self._draw_outlines("regions", largest, OUTLINE_STYLE)
        self._drop_outlines("selected")

    def select_region(self, region_id: Any) -> None:
        """Highlight a region; None highlights none.

        Raises:
            RegionError: If there is no such region.
        """
        if region_id is None:
            self._drop_outlines("selected")
        else:
            self._draw_outlines("selected", self._region(region_id), SELECTED_STYLE)

    def zoom_to_scene(self) -> None:
        """Show the whole scene."""
        self._zoom_to(self._known_place.bounds_lonlat)

    def zoom_to_region(self, region_id: Any) -> None:
        """Show one region.

        Raises:
            RegionError: If there is no such region.
        """
        (outline,) = self._in_lonlat(self._region(region_id).geometry)
        self._zoom_to(tuple(float(value) for value in shapely.bounds(outline)))

    def visible_window(self) -> Window | None:
        """Return the pixels of the scene that the map shows: (row, column, height, width); None for none."""
        view = self._view(margin=0.0)
        return None if view is None else self._known_place.window(view)

    def on_click(self, callback: Callable[[int, int, float, float], None] | None) -> None:
        """Call back with (row, column, x_crs, y_crs) when a pixel of the scene is clicked; None stops it."""
        self._click = callback

    def on_draw_box(self, callback: Callable[[tuple[int, int, int, int]], None] | None) -> None:
        """Call back with (row, column, height, width) when a box has been dragged; the map stays still meanwhile."""

        def finish(path: list[tuple[float, float]]) -> None:
            cols, rows = np.array(path).T
            window = _box(cols, rows, self._known_place.grid.width, self._known_place.grid.height)
            if window is not None and callback is not None:
                callback(window)

        self._start_drags(None if callback is None else _Drag(finish))

    def on_brush(self, callback: Callable[[list[tuple[float, float]]], None] | None) -> None:
        """Call back with the pixel positions (x, y) of a stroke when it ends; the map stays still meanwhile."""
        self._start_drags(None if callback is None else _Drag(callback))

    def set_basemap(self, name: str | None) -> None:
        """Lay one of leafmap's basemaps under the scene; None takes it away.

        ``notice`` says so if it is not reachable.
        """
        for layer in [layer for layer in self.map.layers if getattr(layer, "base", False)]:
            self.map.remove(layer)
        if name is None:
            return
        from leafmap.leafmap import get_basemap

        layer = get_basemap(name)
        layer.base = True
        self.map.layers = (layer, *self.map.layers)
        self._submit(_is_reachable, layer.url, then=lambda reached: None if reached else self._say_unreachable(name))

    def close(self) -> None:
        """Take everything off the map that was laid on it, and end the thread that drew; the map itself stays."""
        if self.is_closed:
            return
        self.is_closed = True
        self.map.unobserve(self._redraw_all, ["bounds", "zoom"])
        self.map.on_interaction(self._on_interaction, remove=True)
        self._start_drags(None)
        self._clear()
        self._scene = self._place = None
        if self._own_executor is not None:
            self._own_executor.shutdown(wait=False, cancel_futures=True)

    # -- layers

    @property
    def _shown_scene(self) -> Pyramid:
        if self._scene is None:
            raise RegionError(
                "The map shows no scene", found="no scene", expected="a scene", fix="Call set_scene(scene) first."
            )
        return self._scene

    @property
    def _known_place(self) -> WebGrid:
        _ = self._shown_scene
        return self._place  # type: ignore[return-value]

    def _on_scene(self, layer: Any) -> Pyramid:
        """Return a layer of the scene's pixels as it can be drawn."""
        scene = self._shown_scene
        if not isinstance(layer, np.ndarray | xr.DataArray):
            layer = raster_layer(layer)
        if layer.shape != (scene.grid.height, scene.grid.width):
            raise RegionError(
                "The layer does not lie on the pixels of the scene", found=f"{layer.shape}",
                expected=f"[H, W] = {(scene.grid.height, scene.grid.width)}", fix="Cut both by the same window.",
            )  # fmt: skip
        pixels = layer.data if isinstance(layer, xr.DataArray) else layer
        return Pyramid(on_grid(xr.DataArray(pixels, dims=("y", "x")), scene.grid))

    def _set_layer(self, name: str, draw: Callable[[View], bytes], kind: str) -> None:
        old = self._layers.get(name)
        if old is None:
            overlay = ipyleaflet.ImageOverlay(name=name, opacity=self._opacity.get(name, 1.0))
            self._layers[name] = _Layer(overlay, draw, kind)
            above = [self._layers[other].overlay for other in ORDER[ORDER.index(name) + 1 :] if other in self._layers]
            self._insert(overlay, above + list(self._outlines.values()))
        else:
            old.draw, old.kind = draw, kind
        self._redraw(name)

    def _insert(self, layer: Any, above: Sequence[Any]) -> None:
        """Put a layer on the map below some others: Leaflet draws in the order in which layers come."""
        raised = [other for other in self.map.layers if any(other is one for one in above)]
        self.map.layers = tuple(other for other in self.map.layers if other not in raised)
        self.map.layers = (*self.map.layers, layer, *raised)

    def _drop(self, name: str) -> None:
        layer = self._layers.pop(name, None)
        if layer is not None:
            layer.wanted += 1
            self._take_off(layer.overlay)
        if name == "index" and self._legend is not None:
            self.map.remove(self._legend)
            self._legend.close()
            self._legend = None

    def _take_off(self, layer: Any) -> None:
        if layer in self.map.layers:
            self.map.remove(layer)
        layer.close()

    def _clear(self) -> None:
        for name in list(self._layers):
            self._drop(name)
        for name in list(self._outlines):
            self._drop_outlines(name)
        self._regions = None
        self._stretch = {}

    # -- drawing

    def _redraw_all(self, _change: Any = None) -> None:
        for name in list(self._layers):
            self._redraw(name)

    def _redraw(self, name: str) -> None:
        layer, view = self._layers.get(name), self._view(MARGIN_FRAC)
        if layer is None or view is None:
            return
        layer.wanted += 1
        number = layer.wanted

        def draw() -> bytes | None:
            return layer.draw(view) if layer.wanted == number else None

        def show(picture: bytes | None) -> None:
            if picture is not None and layer.wanted == number:
                west, south, east, north = view.bounds_lonlat
                with layer.overlay.hold_sync():
                    layer.overlay.bounds = [[south, west], [north, east]]
                    layer.overlay.url = rendering.data_uri(picture, layer.kind)  # type: ignore[arg-type]

        self._submit(draw, then=show)

    def _submit(self, work: Callable[..., Any], *args: Any, then: Callable[[Any], None]) -> None:
        """Work on the executor, and hand the result back on the kernel's loop; what fails becomes the notice."""

        def run() -> None:
            try:
                result = work(*args)
            except Exception as error:  # noqa: BLE001 (shown to the user: nothing may be lost in a thread)
                self._hand_back(self._say, str(error))
            else:
                self._hand_back(then, result)

        self._executor.submit(run)

    def _hand_back(self, then: Callable[[Any], None], result: Any) -> None:
        if self._loop is None or threading.current_thread() is threading.main_thread():
            then(result)
        else:
            self._loop.call_soon_threadsafe(then, result)

    def _say(self, text: str) -> None:
        if text != self.notice and not self.is_closed:
            self.notice = text
            self.on_notice(text)

    def _say_unreachable(self, name: str) -> None:
        self._say(f"The basemap {name} cannot be reached from here; the map works without it.")

    def _mask_png(self, picture: Any, view: View) -> bytes:
        """Return a mask as a picture, without what is wiped away."""
        if self._wipe_frac < 1 and self.map.bounds:
            (_, west), (_, east) = self.map.bounds
            left, _, right, _ = view.bounds_lonlat
            edge = west + self._wipe_frac * (east - west)
            column = round((edge - left) / (right - left) * picture.shape[1])
            picture[:, max(column, 0) :] = 0
        return rendering.encode_png(picture)

    def _view(self, margin: float) -> View | None:
        """Return the part of the map that the scene takes up, a margin beyond the edges; None if they are apart."""
        if self._place is None or not self.map.bounds:
            return None
        (south, west), (north, east) = self.map.bounds
        if not (west < east and south < north):
            return None
        (left, right), (bottom, top) = mercator(np.array([west, east]), np.array([south, north]))
        around = np.array([left, bottom, right, top]) + margin * np.array(
            [left - right, bottom - top, right - left, top - bottom]
        )
        bounds = self._place.bounds_lonlat
        scene = np.array(mercator(np.array(bounds[::2]), np.array(bounds[1::2]))).T.ravel()
        low, high = np.maximum(around[:2], scene[:2]), np.minimum(around[2:], scene[2:])
        if (low >= high).any():
            return None
        per_metre = TILE_PX * 2**self.map.zoom / (2 * np.pi * 6_378_137.0)
        width, height = np.clip(np.ceil((high - low) * per_metre), 1, LONGEST_PX).astype(int).tolist()
        lons, lats = from_mercator(*np.array([low, high]).T)
        return View((float(lons[0]), float(lats[0]), float(lons[1]), float(lats[1])), (height, width))

    # -- outlines

    def _region(self, region_id: Any) -> Any:
        if self._regions is None or region_id not in self._regions.index:
            known = [] if self._regions is None else list(self._regions.index[:5])
            raise RegionError(
                "There is no such region", found=repr(region_id), expected=f"one of {known} …",
                fix="Ids are those of the table's index.",
            )  # fmt: skip
        return self._regions.loc[[region_id]]

    def _in_lonlat(self, geometries: Any) -> Any:
        place = self._known_place
        return shapely.transform(geometries.values, lambda xy: np.stack(place.lonlat_of_crs(*xy.T), 1))

    def _draw_outlines(self, name: str, frame: Any, style: Mapping[str, Any]) -> None:
        west, _, east, _ = self._known_place.bounds_lonlat
        tolerance = OUTLINE_STEP_PX * (east - west) / LONGEST_PX
        shapes = shapely.simplify(self._in_lonlat(frame.geometry), tolerance)
        self._lay_outlines(name, [shape.__geo_interface__ for shape in shapes], style)

    def _lay_outlines(self, name: str, geometries: Sequence[Any], style: Mapping[str, Any]) -> None:
        self._drop_outlines(name)
        features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
        collection = {"type": "FeatureCollection", "features": features}
        layer = ipyleaflet.GeoJSON(data=collection, style=dict(style), name=name)
        self._outlines[name] = layer
        self.map.add(layer)

    def _drop_outlines(self, name: str) -> None:
        layer = self._outlines.pop(name, None)
        if layer is not None:
            self._take_off(layer)

    def _show_footprint(self) -> None:
        ring = self._known_place.footprint_lonlat
        self._lay_outlines("footprint", [{"type": "Polygon", "coordinates": [ring]}], FOOTPRINT_STYLE)

    def _show_legend(self, name: str, limits: tuple[float, float]) -> None:
        colors = rendering.color_table(*limits)[:: 255 // 5]
        stops = ", ".join("#{:02x}{:02x}{:02x}".format(*color) for color in colors.tolist())
        text = (
            f"<div role='img' aria-label='colours of {html.escape(name, quote=True)}'><b>{html.escape(name)}</b>"
            f"<div style='width:160px;height:10px;background:linear-gradient(to right, {stops})'></div>"
            f"<span style='display:flex;justify-content:space-between'><span>{limits[0]:.2f}</span>"
            f"<span>{limits[1]:.2f}</span></span></div>"
        )
        if self._legend is None:
            self._legend = ipyleaflet.WidgetControl(widget=ipw.HTML(), position="bottomright")
            self.map.add(self._legend)
        self._legend.widget.value = text

    # -- moving and pointing

    def _zoom_to(self, bounds: tuple[float, ...]) -> None:
        """Move the map by itself: asking the browser to fit bounds takes many messages."""
        west, south, east, north = bounds
        (left, right), (bottom, top) = mercator(np.array([west, east]), np.array([south, north]))
        height, width = self._screen_px
        metres_px = max((right - left) / width, (top - bottom) / height)
        zoom = np.floor(np.log2(2 * np.pi * 6_378_137.0 / TILE_PX / metres_px))
        lon, lat = from_mercator((left + right) / 2, (bottom + top) / 2)
        with self.map.hold_sync():
            self.map.center = [float(lat), float(lon)]
            self.map.zoom = float(np.clip(zoom, 0, self.map.max_zoom or 24))

    @property
    def _screen_px(self) -> tuple[float, float]:
        """Height and width of the map; a guess until it has been shown."""
        bounds = self.map.pixel_bounds
        if bounds:
            (left, top), (right, bottom) = bounds
            if right > left and bottom > top:
                return bottom - top, right - left
        return 500.0, 700.0

    def _start_drags(self, drag: _Drag | None) -> None:
        self._drag = drag
        self.map.dragging = drag is None

    def _on_interaction(self, **event: Any) -> None:
        kind = event.get("type")
        if self._place is None or "coordinates" not in event:
            return
        lat, lon = event["coordinates"]
        if self._drag is not None:
            self._follow(self._drag, str(kind), lon, lat)
        elif kind == "click" and self._click is not None:
            cols, rows = self._place.pixels(np.array([lon]), np.array([lat]))
            col, row = float(cols[0]), float(rows[0])
            if 0 <= col < self._place.grid.width and 0 <= row < self._place.grid.height:
                self._click(int(row), int(col), *self._place.crs_position(col, row))

    def _follow(self, drag: _Drag, kind: str, lon: float, lat: float) -> None:
        if kind == "mousedown":
            drag.path, drag.is_down = [], True
        if drag.is_down and kind in ("mousedown", "mousemove", "mouseup"):
            cols, rows = self._known_place.pixels(np.array([lon]), np.array([lat]))
            drag.path.append((float(cols[0]), float(rows[0])))
        if drag.is_down and kind == "mouseup":
            drag.is_down = False
            drag.finish(drag.path)


def _bare_map() -> Any:
    """Return a leafmap map without basemap, for nothing is fetched unless asked for."""
    import leafmap

    bare = leafmap.Map(draw_control=False, toolbar_control=False, fullscreen_control=True)
    bare.layers = ()
    return bare


def _running_loop() -> Any:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _class_colors(class_names: Sequence[str] | Mapping[str, str]) -> dict[int, tuple[int, int, int]]:
    return {number: rendering.class_rgb(name) for number, name in enumerate(class_names, start=1)}


def _box(cols: Any, rows: Any, width: int, height: int) -> Window | None:
    """Return the pixels between the first and last position of a drag; None outside the scene."""
    left, right = np.clip(np.sort(cols[[0, -1]]), 0, width)
    top, bottom = np.clip(np.sort(rows[[0, -1]]), 0, height)
    first_row, first_col = int(top), int(left)
    last_row, last_col = int(np.ceil(bottom)), int(np.ceil(right))
    is_empty = last_row <= first_row or last_col <= first_col
    return None if is_empty else (first_row, first_col, last_row - first_row, last_col - first_col)


def _is_reachable(url: str) -> bool:
    """Return whether the first tile of a basemap can be had."""
    tile = url
    for key, value in {"{z}": "0", "{x}": "0", "{y}": "0", "{s}": "a", "{r}": ""}.items():
        tile = tile.replace(key, value)
    if not tile.startswith(("http://", "https://")):
        return False
    try:
        request = urllib.request.Request(tile, headers={"User-Agent": "spex_nb"})
        urllib.request.urlopen(request, timeout=BASEMAP_TIMEOUT_S).close()
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return True
