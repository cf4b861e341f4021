"""The part of a scene that a map shows: a view from bounds and zoom, and the zoom that shows given bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.output.web_mercator import RADIUS_M, View, WebGrid, from_mercator, mercator

Bounds = tuple[float, float, float, float]
"""(west, south, east, north), degrees."""
LONGEST_PX = 2048
"""No picture is drawn larger."""
TILE_PX = 256
"""Width and height of the world at zoom 0."""
GUESSED_PX = (500.0, 700.0)
"""Height and width of a map that no page has shown yet."""
DEEPEST_ZOOM = 24


class Viewport:
    """A map as a window on a scene.

    Args:
        map: A map with ``bounds``, ``zoom``, ``pixel_bounds`` and ``center``.
        shown: Called when a page shows the map for the first time.
        moved: Called when the map shows another part.
    """

    def __init__(self, map: Any, shown: Callable[[], None], moved: Callable[[], None]) -> None:  # noqa: A002 (its name)
        self._map, self._shown, self._moved = map, shown, moved
        self._was_shown = False
        self._guessed: Bounds | None = None
        """What was last moved to while the size of the map was not known."""
        map.observe(self._follow, ["bounds", "zoom"])
        map.observe(self._fit, "pixel_bounds")

    def close(self) -> None:
        """Follow the map no more."""
        self._map.unobserve(self._follow, ["bounds", "zoom"])
        self._map.unobserve(self._fit, "pixel_bounds")

    def view(self, place: WebGrid, margin_frac: float = 0.0) -> View | None:
        """Return the part of the map that a scene takes up.

        Args:
            place: The grid of the scene.
            margin_frac: Margin beyond each edge, as a share of the size of the map (default: none).

        Returns:
            The view; None where the map does not show the scene.
        """
        if not self._map.bounds:
            return None
        (south, west), (north, east) = self._map.bounds
        low, high = _in_mercator((west, south, east, north))
        if not (low < high).all():
            return None
        margin = margin_frac * (high - low)
        first, last = _in_mercator(place.bounds_lonlat)
        low, high = np.maximum(low - margin, first), np.minimum(high + margin, last)
        if not (low < high).all():
            return None
        width, height = np.clip(np.ceil((high - low) * _px_per_metre(self._map.zoom)), 1, LONGEST_PX)
        (west, east), (south, north) = from_mercator(*np.array([low, high]).T)
        return View((float(west), float(south), float(east), float(north)), (int(height), int(width)))

    def wiped(self, picture: NDArray[np.uint8], view: View, frac: float) -> NDArray[np.uint8]:
        """Return a picture, RGBA uint8 [H, W, 4], that is empty right of a part of the map's width."""
        if frac >= 1 or not self._map.bounds:
            return picture
        (_, west), (_, east) = self._map.bounds
        left, _, right, _ = view.bounds_lonlat
        edge = west + frac * (east - west)
        column = round((edge - left) / (right - left) * picture.shape[1])
        picture[:, max(column, 0) :] = 0
        return picture

    def show(self, bounds_lonlat: Bounds) -> None:
        """Move the map by itself: asking the browser to fit bounds takes many messages."""
        low, high = _in_mercator(bounds_lonlat)
        height, width = self._size_px
        metres_px = float(np.max((high - low) / (width, height)))
        self._guessed = None if self._map.pixel_bounds else bounds_lonlat
        step = float(getattr(self._map, "zoom_snap", 1.0)) or 1.0
        zoom = np.floor(-np.log2(_px_per_metre(0) * metres_px) / step) * step
        lon, lat = from_mercator(*(low + high) / 2)
        with self._map.hold_sync():
            self._map.center = [float(lat), float(lon)]
            self._map.zoom = float(np.clip(zoom, 0, self._map.max_zoom or DEEPEST_ZOOM))

    def _follow(self, change: Any) -> None:
        if change["name"] == "bounds" and not self._was_shown:
            self._was_shown = True
            self._shown()
        self._moved()

    def _fit(self, _change: Any) -> None:
        """Move the map once more as soon as its size is known, if it was moved before."""
        if self._guessed is not None and self._map.pixel_bounds:
            self.show(self._guessed)

    @property
    def _size_px(self) -> tuple[float, float]:
        bounds = self._map.pixel_bounds
        if bounds:
            (left, top), (right, bottom) = bounds
            if right > left and bottom > top:
                return bottom - top, right - left
        return GUESSED_PX


def _in_mercator(bounds_lonlat: Bounds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners (left, bottom) and (right, top) in metres of Web Mercator: two float64 [2]."""
    west, south, east, north = bounds_lonlat
    x, y = mercator(np.array([west, east]), np.array([south, north]))
    return np.array([x[0], y[0]]), np.array([x[1], y[1]])


def _px_per_metre(zoom: float) -> float:
    return float(TILE_PX * 2**zoom / (2 * np.pi * RADIUS_M))
