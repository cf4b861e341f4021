"""The points and boxes that a hand gave the model, as pins on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spex_nb.output.web_mercator import WebGrid
from spex_widgets.map.outlines import feature_collection

Click = tuple[float, float, bool]
"""(x, y) in pixels of the scene, and whether the target is there."""
Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the scene."""
_PIN = {"radius": 7, "color": "#ffffff", "weight": 2, "fillOpacity": 1.0}
PIN_STYLES: Mapping[str, Mapping[str, Any]] = {
    "there": {**_PIN, "fillColor": "#009e73"},
    "not there": {**_PIN, "fillColor": "#d55e00"},
}
BOX_STYLE = {"color": "#009e73", "weight": 3, "dashArray": "6", "fillOpacity": 0, "interactive": False}
RULER_STYLE = {"color": "#ffffff", "weight": 3, "dashArray": "2 6", "fillOpacity": 0, "interactive": False}


class Pins:
    """Points where a target is and where it is not, boxes about it, and the line that is measured.

    Args:
        layers: What shows ``there``, ``not there``, ``box`` and ``ruler``: has ``data``.
    """

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self._layers = layers

    @property
    def shown(self) -> list[Any]:
        """The layers that have something to show."""
        return [layer for layer in self._layers.values() if layer.data]

    def show(self, clicks: Sequence[Click], boxes: Sequence[Box], place: WebGrid) -> None:
        """Show points and boxes in place of those before."""
        for name, is_there in (("there", True), ("not there", False)):
            points = _lonlat([[(x, y)] for x, y, wanted in clicks if wanted == is_there], place)
            self._layers[name].data = _features("Point", [position for (position,) in points])
        corners = [[(x, y), (u, y), (u, v), (x, v), (x, y)] for x, y, u, v in boxes]
        self._layers["box"].data = _features("Polygon", [[ring] for ring in _lonlat(corners, place)])

    def show_ruler(self, points: Sequence[tuple[float, float]], place: WebGrid) -> None:
        """Show a line along points (x, y) in pixels of the scene; fewer than two show none."""
        lines = _lonlat([points], place) if len(points) > 1 else []
        self._layers["ruler"].data = _features("LineString", lines)

    def clear(self) -> None:
        """Show none."""
        for layer in self._layers.values():
            layer.data = {}


def _lonlat(rings: Sequence[Sequence[tuple[float, float]]], place: WebGrid) -> list[list[list[float]]]:
    """Return positions (x, y) in pixels as [longitude, latitude]."""
    placed = []
    for ring in rings:
        columns, rows = np.array(ring, float).T
        lons, lats = place.lonlat(columns, rows)
        placed.append(np.column_stack([lons, lats]).tolist())
    return placed


def _features(kind: str, coordinates: Sequence[Any]) -> dict[str, Any]:
    """Return features of one kind; nothing where there are none."""
    return feature_collection([{"type": kind, "coordinates": each} for each in coordinates]) if coordinates else {}
