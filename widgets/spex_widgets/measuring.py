"""The length of a line that was clicked on the map, and the area that it encloses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import xarray as xr
from pyproj import Geod

from spex_nb.output.web_mercator import WebGrid
from spex_nb.scene.grid import Grid
from spex_nb.types import Point
from spex_widgets.explanations import area_text

ELLIPSOID = Geod(ellps="WGS84")
ENCLOSING = 3
"""Points from which on a line encloses an area."""


def ruler_text(scene: xr.Dataset, points: Sequence[Point]) -> str:
    """Return the length along points, and the area within them, in words.

    Both are geodesic, on the WGS 84 ellipsoid. A scene without CRS has lengths in pixels.

    Args:
        scene: Bands [H, W].
        points: (x, y) in pixels of the scene.

    Returns:
        Such as ``1.24 km; closed, it encloses 3.20 ha``; empty for fewer than two points.
    """
    if len(points) < 2:  # noqa: PLR2004 (a line)
        return ""
    columns, rows = zip(*points, strict=True)
    if scene.spex.crs is None:
        return f"{sum(math.dist(start, end) for start, end in pairwise(points)):,.1f} px"
    height, width = scene.spex.shape
    place = WebGrid(Grid(height, width, scene.spex.transform, scene.spex.crs))
    lons, lats = place.lonlat(columns, rows)
    text = _length_text(float(ELLIPSOID.line_length(lons, lats)))
    if len(points) < ENCLOSING:
        return text
    area_m2 = abs(float(ELLIPSOID.polygon_area_perimeter(lons, lats)[0]))
    return f"{text}; closed, it encloses {area_text(area_m2)}"


def _length_text(metres: float) -> str:
    return f"{metres / 1000:,.2f} km" if metres >= 1000 else f"{metres:,.0f} m"  # noqa: PLR2004 (metres a kilometre)
