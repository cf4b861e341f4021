"""What lies under the pointer, in words: the place, the bands that are shown, the index, the class that was found."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
import xarray as xr

from spex_nb.errors import SpexError
from spex_nb.output.web_mercator import WebGrid
from spex_nb.spectral.indices import compute_index
from spex_nb.types import MASK_NODATA
from spex_widgets.state import WorkbenchState


class Readout:
    """Follows the pointer; while one pixel is read, only the latest of those that follow is remembered.

    Args:
        state: Of the workbench.
        show: Takes the line as HTML; empty for none.
    """

    def __init__(self, state: WorkbenchState, show: Callable[[str], None]) -> None:
        self._state, self._show = state, show
        self._is_reading = False
        self._next: tuple[int, int] | None = None

    def follow(self, row: int, column: int) -> None:
        """Say what a pixel of the scene holds; nothing outside of it."""
        scene = self._state.scene
        height, width = (0, 0) if scene is None else scene.spex.shape
        if not (0 <= row < height and 0 <= column < width):
            self._next = None
            self._show("")
            return
        self._next = (row, column)
        if not self._is_reading:
            self._read()

    def _read(self) -> None:
        if self._next is None:
            return
        pixel, self._next, state = self._next, None, self._state
        scene, bands, index = state.scene, tuple(dict.fromkeys(state.bands)), state.index
        class_text = _class_at(state, *pixel)
        self._is_reading = True
        state.jobs.start(lambda _job: pixel_text(scene, *pixel, bands, index, class_text), self._done, self._failed)

    def _done(self, text: str) -> None:
        self._is_reading = False
        self._show(text)
        self._read()

    def _failed(self, _error: BaseException) -> None:
        """Say nothing of a pixel that cannot be read: the map itself says why."""
        self._is_reading = False
        self._show("")


def pixel_text(scene: xr.Dataset, row: int, column: int, bands: tuple[str, ...], index: str, class_text: str) -> str:
    """Return what a pixel holds, as HTML.

    Args:
        scene: Bands [H, W].
        row: Of the pixel.
        column: Of the pixel.
        bands: That are shown.
        index: Name of the index that is shown; empty for none.
        class_text: What was found there, in words; empty for nothing.
    """
    pixel = scene.spex.window(row, column, 1, 1).load()
    parts = [place_text(scene, row, column)]
    if "valid" in pixel and not bool(pixel["valid"].values[0, 0]):
        return " · ".join([*map(escape, parts), "no data"])
    parts += [f"{band} {_number(float(pixel[band].values[0, 0]))}" for band in bands]
    if index:
        parts += [_index_text(pixel, index)]
    return " · ".join(map(escape, [part for part in (*parts, class_text) if part]))


def place_text(scene: xr.Dataset, row: int, column: int) -> str:
    """Return longitude and latitude of the middle of a pixel; row and column where the scene has no CRS."""
    if scene.spex.crs is None:
        return f"row {row}, column {column}"
    height, width = scene.spex.shape
    from spex_nb.scene.grid import Grid

    place = WebGrid(Grid(height, width, scene.spex.transform, scene.spex.crs))
    lons, lats = place.lonlat([column + 0.5], [row + 0.5])
    lon, lat = float(lons[0]), float(lats[0])
    return f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.5f}° {'E' if lon >= 0 else 'W'}"


def _index_text(pixel: xr.Dataset, index: str) -> str:
    try:
        value = float(compute_index(pixel, index).values[0, 0])
    except SpexError:
        return ""
    return f"{index} {value:.3f}" if np.isfinite(value) else f"{index} undefined"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"  # noqa: PLR2004 (reflectance, or raw numbers)


def _class_at(state: WorkbenchState, row: int, column: int) -> str:
    """Return what the edited mask holds at a pixel, in words."""
    if state.mask is None or state.extraction is None:
        return ""
    top, left, height, width = state.window
    if not (top <= row < top + height and left <= column < left + width):
        return "outside of what was searched"
    number = int(state.mask.values[row - top, column - left])
    labels = [*state.extraction.class_names.values()]
    if not 0 < number < MASK_NODATA or number > len(labels):
        return ""
    counts = state.result is None or int(state.result.mask.values[row - top, column - left]) == number
    return labels[number - 1] if counts else f"{labels[number - 1]}, not counted"
