"""What hands do on a map, as pixels of the scene: clicks, boxes, strokes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spex_nb.output.web_mercator import WebGrid
from spex_nb.types import Window

Path = list[tuple[float, float]]
"""Pixel positions (x, y)."""
OnClick = Callable[[int, int, float, float], None]
OnDrag = Callable[[Path], None]


class Pointer:
    """Listens to a map.

    Args:
        map: Tells its interactions, and whether a drag moves it: ``on_interaction``, ``dragging``.
    """

    def __init__(self, map: Any) -> None:  # noqa: A002 (its name)
        self._map = map
        self.place: WebGrid | None = None
        """Where the scene lies; without one nothing is heard."""
        self.on_click: OnClick | None = None
        """Called with (row, column, x_crs, y_crs) of a clicked pixel."""
        self.on_move: Callable[[int, int], None] | None = None
        """Called with (row, column) under the pointer, which may lie outside of the scene."""
        self._on_drag: OnDrag | None = None
        self._path: Path | None = None
        map.on_interaction(self._hear)

    def take_drags(self, finish: OnDrag | None) -> None:
        """Call back with the path of each drag, while the map stays still; None lets drags move the map again."""
        self._on_drag, self._path = finish, None
        self._map.dragging = finish is None

    def close(self) -> None:
        """Listen no more."""
        self._map.on_interaction(self._hear, remove=True)
        self.take_drags(None)
        self.on_click = self.on_move = self.place = None

    def _hear(self, **event: Any) -> None:
        if self.place is None or "coordinates" not in event:
            return
        lat, lon = event["coordinates"]
        cols, rows = self.place.pixels(np.array([lon]), np.array([lat]))
        position = float(cols[0]), float(rows[0])
        if event.get("type") == "mousemove" and self.on_move is not None and np.isfinite(position).all():
            self.on_move(int(np.floor(position[1])), int(np.floor(position[0])))
        if self._on_drag is not None:
            self._follow(self._on_drag, event.get("type"), position)
        elif event.get("type") == "click":
            self._click(self.place, *position)

    def _click(self, place: WebGrid, col: float, row: float) -> None:
        is_inside = 0 <= col < place.grid.width and 0 <= row < place.grid.height
        if is_inside and self.on_click is not None:
            self.on_click(int(row), int(col), *place.crs_position(col, row))

    def _follow(self, finish: OnDrag, kind: Any, position: tuple[float, float]) -> None:
        if kind == "mousedown":
            self._path = []
        if self._path is None or kind not in ("mousedown", "mousemove", "mouseup"):
            return
        self._path.append(position)
        if kind == "mouseup":
            path, self._path = self._path, None
            finish(path)


def box_window(path: Path, height: int, width: int) -> Window | None:
    """Return the pixels (row, column, height, width) between the ends of a drag.

    Args:
        path: Of the drag.
        height: Of the scene.
        width: Of the scene.

    Returns:
        The window within the scene; None where the drag misses it.
    """
    cols, rows = np.array(path).T
    left, right = np.clip(np.sort(cols[[0, -1]]), 0, width)
    top, bottom = np.clip(np.sort(rows[[0, -1]]), 0, height)
    first_row, first_col = int(top), int(left)
    last_row, last_col = int(np.ceil(bottom)), int(np.ceil(right))
    is_empty = last_row <= first_row or last_col <= first_col
    return None if is_empty else (first_row, first_col, last_row - first_row, last_col - first_col)
