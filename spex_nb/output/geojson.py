"""Polygons made ready for GeoJSON, which knows longitude and latitude only.

GDAL's RFC 7946 writer turns, cuts at the antimeridian and encloses the pole. This module gives it what it cannot know:
how many digits the pixels need, polygons about a pole in a polar projection, and edges short enough to bend.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from spex_nb.errors import GridError, OutputError

if TYPE_CHECKING:
    import geopandas as gpd

DEGREE_M = 111_320.0
"""Length of a degree along the equator."""
LONGEST_EDGE_M = 100_000.0
"""Longer edges get corners between their ends: a straight edge of a projection is curved in longitude and latitude."""
STEPS_PER_EDGE = 800
"""Steps of the last digit along the shortest edge: areas then keep about a thousandth."""
DIGITS = (7, 12)
"""Fewest digits, as RFC 7946 proposes (1 cm), and most: 0.1 µm."""
MOST_CORNERS = 1_000_000
"""GDAL, and so QGIS, refuses to read a longer polygon from GeoJSON (its limit is 200 MB of memory for each)."""
POLAR_EDGES = 200
"""Edges along the longer side of polygons about a pole, where even a short one passes many degrees of longitude."""
POLES = {90: 3995, -90: 3031}
"""Latitude of each pole, and the EPSG code of a polar stereographic projection about it."""


def prepare_geojson(frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, int]:
    """Return polygons that GDAL's RFC 7946 writer turns to longitude and latitude without loss.

    Args:
        frame: Polygons in any CRS of the Earth.

    Returns:
        The polygons, in their CRS or about a pole in a polar one, and the number of decimal digits that they need.

    Raises:
        GridError: If the polygons have no CRS, or one that no longitude and latitude belong to.
        OutputError: If a polygon has more corners than GeoJSON readers take.
    """
    unit_m = _require_earth(frame)
    corners = shapely.get_num_coordinates(frame.geometry.values)
    if corners.size and corners.max() > MOST_CORNERS:
        raise OutputError(
            "A polygon is too long for GeoJSON",
            found=f"{corners.max():,} corners",
            expected=f"{MOST_CORNERS:,} at most, since GDAL and QGIS read no more",
            fix="Write GeoParquet or a GeoPackage, which have no such limit.",
        )
    if frame.empty:
        return frame, DIGITS[0]
    digits = _digits(frame, unit_m)
    return _about_pole(frame.set_geometry(frame.geometry.segmentize(LONGEST_EDGE_M / unit_m))), digits


def _require_earth(frame: gpd.GeoDataFrame) -> float:
    """Return the length in metres of a unit of the CRS, which must lead to longitude and latitude."""
    if frame.crs is None:
        raise GridError(
            "GeoJSON needs longitude and latitude",
            found="polygons without a CRS",
            expected="polygons on the map",
            fix="Give the scene a CRS and transform, or write a GeoPackage, which takes pixels too.",
        )
    try:
        Transformer.from_crs(frame.crs, 4326)
    except ProjError as error:
        raise _not_on_earth(frame.crs) from error
    if frame.crs.is_geocentric:
        raise _not_on_earth(frame.crs)
    return DEGREE_M if frame.crs.is_geographic else float(frame.crs.axis_info[0].unit_conversion_factor)


def _not_on_earth(crs: CRS) -> GridError:
    return GridError(
        "GeoJSON needs longitude and latitude",
        found=f"the CRS {crs.name}",
        expected="a map projection, or longitude and latitude, of the Earth",
        fix="Write a GeoPackage, which takes any coordinates.",
    )


def _digits(frame: gpd.GeoDataFrame, unit_m: float) -> int:
    """Return the decimal digits of a degree that keep the shortest edge, which is a side of a pixel."""
    rings = shapely.get_rings(shapely.get_parts(frame.geometry.values))
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    edges = np.hypot(*np.diff(corners, axis=0).T)[ring[1:] == ring[:-1]]
    edges = edges[edges > 0]
    if not edges.size:
        return DIGITS[0]
    digits = math.ceil(math.log10(DEGREE_M * STEPS_PER_EDGE / (float(edges.min()) * unit_m)))
    return min(max(digits, DIGITS[0]), DIGITS[1])


def _about_pole(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return polygons that may hold one pole in a projection about it, where GDAL knows how to enclose it."""
    if frame.crs.is_geographic:  # the pole is an edge of it
        return frame
    poles = [latitude for latitude in POLES if _spans(frame, latitude)]
    if len(poles) != 1:
        return frame
    west, south, east, north = frame.total_bounds
    fine = frame.set_geometry(frame.geometry.segmentize(max(east - west, north - south) / POLAR_EDGES))
    return fine.to_crs(POLES[poles[0]])


def _spans(frame: gpd.GeoDataFrame, latitude: int) -> bool:
    """Whether a pole is a single point of the CRS, and lies within the bounds of the polygons."""
    transformer = Transformer.from_crs(4326, frame.crs, always_xy=True)
    (x, x_beside), (y, y_beside) = transformer.transform([0.0, 90.0], [float(latitude)] * 2)
    west, south, east, north = frame.total_bounds
    is_point = math.isclose(x, x_beside, abs_tol=1.0) and math.isclose(y, y_beside, abs_tol=1.0)
    return is_point and bool(west <= x <= east and south <= y <= north)
