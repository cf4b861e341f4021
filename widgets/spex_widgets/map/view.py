"""A scene and what was found in it, on a leafmap map. The only file that knows leafmap and ipyleaflet.

Every layer is one picture of what the map shows, drawn anew when the map moves and sent over the kernel's own channel:
no tile server, no port, no address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import ipyleaflet
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.output import map_images
from spex_nb.output.web_mercator import View, WebGrid, mercator
from spex_nb.scene.open import on_grid
from spex_nb.scene.windows.pyramid import Pyramid, raster_layer
from spex_nb.types import Point, Window
from spex_widgets.charts import color_bar
from spex_widgets.jobs import Jobs
from spex_widgets.map.basemaps import is_reachable
from spex_widgets.map.furniture import Furniture
from spex_widgets.map.images import FAINT, Draw, Kind, MapImages
from spex_widgets.map.outlines import Outlines
from spex_widgets.map.pins import BOX_STYLE, PIN_STYLES, RULER_STYLE, Box, Click, Pins
from spex_widgets.map.pointer import OnClick, OnDrag, Path, Pointer, box_window
from spex_widgets.map.viewport import Viewport

if TYPE_CHECKING:
    import geopandas as gpd
    import leafmap

FAINT_ALPHA = 90
ZOOM_STEP = 0.25
"""A scene fills the frame better by quarters of a step than by whole ones."""
ORDER = ("scene", "index", "probability", "mask", "live mask")
"""Of the pictures, the lowest first; outlines lie above them."""
OVER_SCENE = ("probability", "mask", "live mask")
"""What is found in the scene: it can be wiped aside."""
HIDEABLE: Mapping[str, Sequence[str]] = {
    "points": ("there", "not there", "box", "ruler"),
    "outlines": ("districts", "regions", "selected"),
    "result": OVER_SCENE,
    "index": ("index",),
    "scene": ("scene",),
}
"""Names of what the user calls one layer."""
STYLES = {
    "footprint": {"color": "#999999", "weight": 1, "dashArray": "4", "fillOpacity": 0, "interactive": False},
    "districts": {"color": "#000000", "weight": 2, "dashArray": "6 4", "fillOpacity": 0, "interactive": False},
    "regions": {"color": "#f0e442", "weight": 1, "fillOpacity": 0, "interactive": False},
    "selected": {"color": "#ffffff", "weight": 4, "fillOpacity": 0.1, "interactive": False},
}


class MapView:
    """A scene, an index, a mask, a probability and regions on a map.

    Args:
        map: A ``leafmap.Map`` to draw on; a new one without basemap if not given.
        executor: Where pictures are drawn; a separate thread if not given. A synchronous one makes all immediate.
    """

    def __init__(self, map: leafmap.Map | None = None, executor: Executor | None = None) -> None:  # noqa: A002 (its name)
        self.map: Any = _bare_map() if map is None else map
        """The ``leafmap.Map`` itself."""
        self.notice = ""
        """What one should know, such as that a basemap is not reachable; empty if nothing."""
        self.on_notice: Callable[[str], None] = lambda _text: None
        """Called when ``notice`` has been set."""
        self.on_shown: Callable[[], None] = lambda: None
        """Called when a page shows the map for the first time."""
        self.colors: Mapping[str, map_images.Color] = {}
        """Red, green and blue of classes, 0..255, by name; those of the targets where a name is missing."""
        self.is_closed = False
        self._jobs = Jobs(executor, threads=1)
        self._overlays = {name: ipyleaflet.ImageOverlay(name=name) for name in ORDER}
        vectors = {name: ipyleaflet.GeoJSON(name=name, style=style) for name, style in STYLES.items()}
        pins = {name: ipyleaflet.GeoJSON(name=name, point_style=dict(style)) for name, style in PIN_STYLES.items()}
        pins["box"] = ipyleaflet.GeoJSON(name="box", style=BOX_STYLE)
        pins["ruler"] = ipyleaflet.GeoJSON(name="ruler", style=RULER_STYLE)
        self._layers_of_view = [*self._overlays.values(), *vectors.values(), *pins.values()]
        self._hidden: frozenset[str] = frozenset()
        self._furniture = Furniture(self.map)
        self._images = MapImages(self._overlays, self._view, self._jobs, self._failed)
        self._outlines = Outlines(vectors)
        self._pins = Pins(pins)
        self._pointer = Pointer(self.map)
        self._scene: Pyramid | None = None
        self._stretches: dict[tuple[str, ...], Any] = {}
        self._wipe_frac = 1.0
        self._viewport = Viewport(self.map, self._resend, self._follow_move)

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
        self._scene, self._pointer.place = pyramid, WebGrid(pyramid.grid)
        self._outlines.show_scene(self._place)
        self._furniture.show_place(self._place.has_crs)
        self.zoom_to_scene()
        bands = pyramid.layers.spex.bands
        true = all(name in bands for name in ("red", "green", "blue"))
        self.show_composite("true" if true else (bands * 3)[:3])

    def show_composite(self, bands: str | Sequence[str] = "true") -> None:
        """Show three bands of the scene, stretched alike wherever one looks.

        Raises:
            BandError: If they are not three bands of the scene.
        """
        scene, stretches = self._shown_scene, self._stretches
        names = map_images.composite_bands(scene, bands)

        def draw(view: View) -> bytes:
            if names not in stretches:
                stretches[names] = map_images.measure_stretch(scene, names)
            return map_images.encode_webp(map_images.render_scene(scene, view, names, stretches[names]))

        self.hide_index()
        self._put("scene", draw, "webp")

    def show_index(self, name: str) -> None:
        """Show a spectral index over the scene, with its colours.

        Raises:
            IndexNameError, MissingBandError, FormulaError: As `compute_index`.
        """
        scene = self._shown_scene
        limits = map_images.measure_limits(scene, name)
        self._put(
            "index", lambda view: map_images.encode_webp(map_images.render_index(scene, name, view, limits)), "webp"
        )
        bar = color_bar(name, map_images.color_table(*limits)[:: 255 // 5], limits)
        self._furniture.show_legend("index", bar)

    def hide_index(self) -> None:
        """Show the scene again instead of an index."""
        self._drop("index")
        self._furniture.show_legend("index", "")

    def set_mask(self, mask: Any, class_names: Sequence[str] | Mapping[str, str], hatched: bool = False) -> None:
        """Show a mask in the colours of its classes.

        Args:
            mask: bool or uint8 [H, W] on the scene's pixels: 0 none, 1 ... n the classes, 255 no data; a DataArray, an
                array, or the path of a file. Numbers that are larger by `FAINT` are drawn faintly.
            class_names: Ids of the classes, in the order of their numbers.
            hatched: Whether stripes show that the mask cannot be trusted.
        """
        pyramid = self._on_scene(mask)
        colors = self._class_colors(class_names)

        def draw(view: View) -> bytes:
            picture = map_images.render_mask(pyramid, colors, view)
            return self._mask_png(map_images.hatch_picture(picture) if hatched else picture, view)

        self._drop("live mask")
        self._put("mask", draw, "png")

    def set_live_mask(
        self, measure: Callable[[xr.Dataset], Any], class_names: Sequence[str], bands: Sequence[str] | None = None
    ) -> None:
        """Show a mask that is measured on what the map shows, such as a prior while its threshold is moved.

        Args:
            measure: Takes the scene as seen now (thinned), returns bool or uint8 [h, w]; called on the executor.
            class_names: Names of the classes, as for ``set_mask``.
            bands: That it needs; all if not given.
        """
        scene, colors = self._shown_scene, self._class_colors(class_names)

        def draw(view: View) -> bytes:
            return self._mask_png(map_images.render_live_mask(scene, measure, colors, view, bands), view)

        self._put("live mask", draw, "png")

    def set_probability(self, probability: Any, class_name: str = "") -> None:
        """Show a probability, the more opaque the higher: float [H, W] in 0..1 on the scene's pixels."""
        pyramid, color = self._on_scene(probability), self._color(class_name)
        self._put(
            "probability",
            lambda view: self._mask_png(map_images.render_probability(pyramid, view, color), view),
            "png",
        )

    def clear_mask(self) -> None:
        """Take mask, live mask and probability off the map."""
        for name in OVER_SCENE:
            self._drop(name)

    def set_opacity(self, name: str, value: float) -> None:
        """Let what lies below show through a layer: "scene", "index", "mask", "live mask" or "probability"."""
        self._overlays[name].opacity = value

    def set_wipe(self, frac: float) -> None:
        """Show masks and probability only left of this part of the map's width: 1 shows all, 0 the bare scene."""
        self._wipe_frac = min(max(frac, 0.0), 1.0)
        self._images.redraw(*OVER_SCENE)

    def set_regions(self, frame: gpd.GeoDataFrame) -> None:
        """Show the outlines of regions; of more than 2,000 only the largest, and the one that is selected.

        Args:
            frame: Polygons in the scene's CRS (in pixels without one), with ``area_px``; its index holds their ids.
        """
        self._outlines.show_regions(frame, self._place)
        self._lay()

    def set_districts(self, frame: gpd.GeoDataFrame | None) -> None:
        """Show the outlines of polygons in the CRS of the scene, such as districts; None shows none."""
        self._outlines.show_districts(frame, self._place)
        self._lay()

    def select_region(self, region_id: Any) -> None:
        """Highlight a region; None highlights none.

        Raises:
            RegionError: If there is no such region.
        """
        self._outlines.select(region_id, self._place)
        self._lay()

    def set_pins(self, clicks: Sequence[Click], boxes: Sequence[Box]) -> None:
        """Show the points and boxes that the model was given, in pixels of the scene, in place of those before."""
        self._pins.show(clicks, boxes, self._place)
        self._lay()

    def set_ruler(self, points: Sequence[Point]) -> None:
        """Show the line that is measured along points (x, y), in pixels of the scene; fewer than two show none."""
        self._pins.show_ruler(points, self._place)
        self._lay()

    def set_legend(self, classes: str) -> None:
        """Say on the map what was found, as HTML; empty for nothing."""
        self._furniture.show_legend("classes", classes)

    def set_readout(self, inner: str) -> None:
        """Say on the map what lies under the pointer, as HTML; empty for nothing."""
        self._furniture.show_readout(inner)

    def set_hidden(self, names: Sequence[str]) -> None:
        """Hide layers, and show all others: ``points``, ``outlines``, ``result``, ``index``, ``scene``."""
        self._hidden = frozenset(part for name in names for part in HIDEABLE[name])
        self._lay()

    def zoom_to_scene(self) -> None:
        """Show the whole scene."""
        self._viewport.show(self._place.bounds_lonlat)

    def zoom_to_region(self, region_id: Any) -> None:
        """Show one region.

        Raises:
            RegionError: If there is no such region.
        """
        self._viewport.show(self._outlines.bounds(region_id, self._place))

    def zoom_to_window(self, window: Window) -> None:
        """Show some pixels of the scene with what surrounds them: (row, column, height, width)."""
        row, column, height, width = window
        lons, lats = self._place.lonlat(
            [column - width, column + 2 * width] * 2, [row - height] * 2 + [row + 2 * height] * 2
        )
        self._viewport.show((float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max())))

    def visible_window(self) -> Window | None:
        """Return the pixels of the scene that the map shows: (row, column, height, width); None for none."""
        view = self._view()
        return None if view is None else self._place.window(view)

    def on_click(self, callback: OnClick | None) -> None:
        """Call back with (row, column, x_crs, y_crs) when a pixel of the scene is clicked; None stops it."""
        self._pointer.on_click = callback

    def on_move(self, callback: Callable[[int, int], None] | None) -> None:
        """Call back with (row, column) under the pointer, also outside of the scene; None stops it."""
        self._pointer.on_move = callback

    def pixel_m(self) -> float:
        """Return the width of a pixel in the middle of the scene, in metres of Web Mercator."""
        grid = self._place.grid
        lons, lats = self._place.lonlat([grid.width / 2, grid.width / 2 + 1], [grid.height / 2] * 2)
        x, y = mercator(lons, lats)
        return float(np.hypot(x[1] - x[0], y[1] - y[0]))

    def on_draw_box(self, callback: Callable[[Window], None] | None) -> None:
        """Call back with (row, column, height, width) when a box has been dragged; the map stays still meanwhile."""

        def finish(path: Path) -> None:
            window = box_window(path, self._place.grid.height, self._place.grid.width)
            if window is not None and callback is not None:
                callback(window)

        self._pointer.take_drags(None if callback is None else finish)

    def on_brush(self, callback: OnDrag | None) -> None:
        """Call back with the pixel positions (x, y) of a stroke when it ends; the map stays still meanwhile."""
        self._pointer.take_drags(callback)

    def set_basemap(self, name: str | None) -> None:
        """Lay one of leafmap's basemaps under the scene; None takes it away.

        ``notice`` says so if it is not reachable.
        """
        self.map.layers = tuple(layer for layer in self.map.layers if not getattr(layer, "base", False))
        if name is None:
            return
        from leafmap.leafmap import get_basemap

        layer = get_basemap(name)
        layer.base = True
        self.map.layers = (layer, *self.map.layers)

        def done(reached: bool) -> None:
            if not reached:
                self._notify(f"The basemap {name} cannot be reached from here; the map works without it.")

        self._jobs.start(lambda _job: is_reachable(layer.url), done, self._failed)

    def close(self) -> None:
        """Take everything off the map that was laid on it, and end the thread that drew; the map itself stays."""
        if self.is_closed:
            return
        self.is_closed = True
        self._viewport.close()
        self._images.close()
        self._clear()
        self._pointer.close()
        self._jobs.close()
        self._scene = None
        self._furniture.close()
        for widget in self._layers_of_view:
            widget.close()

    # -- layers

    @property
    def _shown_scene(self) -> Pyramid:
        if self._scene is None:
            raise RegionError(
                "The map shows no scene", found="no scene", expected="a scene", fix="Call set_scene(scene) first."
            )
        return self._scene

    @property
    def _place(self) -> WebGrid:
        _ = self._shown_scene
        return self._pointer.place  # type: ignore[return-value]  # it comes with the scene

    def _on_scene(self, layer: Any) -> Pyramid:
        """Return a layer of the scene's pixels as it can be drawn."""
        scene = self._shown_scene
        if not isinstance(layer, np.ndarray | xr.DataArray):
            layer = raster_layer(layer)
        if layer.shape != (scene.grid.height, scene.grid.width):
            raise RegionError(
                "The layer does not lie on the pixels of the scene",
                found=f"{layer.shape}",
                expected=f"[H, W] = {(scene.grid.height, scene.grid.width)}",
                fix="Cut both by the same window.",
            )
        pixels = layer.data if isinstance(layer, xr.DataArray) else layer
        return Pyramid(on_grid(xr.DataArray(pixels, dims=("y", "x")), scene.grid))

    def _color(self, name: str) -> map_images.Color:
        return self.colors.get(name) or map_images.class_rgb(name)

    def _class_colors(self, names: Sequence[str] | Mapping[str, str]) -> dict[int, tuple[int, ...]]:
        """Return the colour of each class, and a faint one for what of it does not count."""
        colors = {number: self._color(name) for number, name in enumerate(names, start=1)}
        faint = {number + FAINT: (*color, FAINT_ALPHA) for number, color in colors.items()}
        return {**colors, **faint}

    def _put(self, name: str, draw: Draw, kind: Kind) -> None:
        self._images.put(name, draw, kind)
        self._lay()

    def _drop(self, name: str) -> None:
        self._images.drop(name)
        self._lay()

    def _clear(self) -> None:
        self.clear_mask()
        self.hide_index()
        self._outlines.clear()
        self._pins.clear()
        self._drop("scene")
        self._stretches = {}

    def _lay(self) -> None:
        """Lay what there is to see on the map, above the layers of others."""
        has_something = [*self._images.shown, *self._outlines.shown, *self._pins.shown]
        layers = [layer for layer in has_something if layer.name not in self._hidden]
        self.map.layers = (*(layer for layer in self.map.layers if layer not in self._layers_of_view), *layers)

    def _resend(self) -> None:
        """Send all layers once more: what changed while a page was loading its widgets never arrived there."""
        for widget in (*self._layers_of_view, *self._furniture.widgets):
            widget.send_state()
        self.map.send_state(["layers", "controls"])
        self.on_shown()

    # -- drawing

    def _follow_move(self) -> None:
        """Draw what the map shows now; the edge of the wipe moves with the map."""
        if self._wipe_frac < 1:
            self._images.redraw(*OVER_SCENE)
        else:
            self._images.follow_move()

    def _view(self, margin_frac: float = 0.0) -> View | None:
        return None if self._scene is None else self._viewport.view(self._place, margin_frac)

    def _mask_png(self, picture: NDArray[np.uint8], view: View) -> bytes:
        return map_images.encode_png(self._viewport.wiped(picture, view, self._wipe_frac))

    def _failed(self, error: BaseException) -> None:
        self._notify(str(error))

    def _notify(self, text: str) -> None:
        if text != self.notice:
            self.notice = text
            self.on_notice(text)


def _bare_map() -> Any:
    """Return a leafmap map without basemap, for nothing is fetched unless asked for."""
    from leafmap.leafmap import Map  # leafmap itself takes folium in pages such as marimo, which hears no click

    bare = Map(
        draw_control=False, toolbar_control=False, fullscreen_control=False, scale_control=False, zoom_snap=ZOOM_STEP
    )
    bare.layers = ()
    return bare
