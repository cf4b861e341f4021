"""Polygons of a user on the pixels of a scene: mended, measured, brought to its CRS, cut to its surroundings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import GridError
from spex_nb.regions.ground import LATITUDES, zone_area_m2
from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import off_the_map

if TYPE_CHECKING:
    import geopandas as gpd

LONGEST_EDGE_PX = 32
"""Longer edges are parted before they are projected: a straight line on one map is bent on another."""
LONGEST_EDGE_M = 10_000.0
"""The same, on the ground. A parallel at 60° is 3 m off its chord of 10 km."""
METRES_PER_DEGREE = 111_320.0
MARGIN_FRAC = 0.05
"""Polygons are kept so far beyond the scene when they are cut, as a share of its size."""
OUTLINE_POINTS = 41
"""Points along each side of a scene that its outline on another map is made of."""
POLYGONAL = (3, 6)
"""Numbers of the types polygon and multipolygon in shapely."""


@dataclass(frozen=True)
class PlacedPolygons:
    """Polygons in pixels of a grid, x to the right and y down.

    Attributes:
        shapes: object [N], valid polygons or multipolygons; empty where there is nothing on or near the grid.
        areas_m2: float64 [N], of each whole polygon on the ellipsoid WGS 84; NaN where its CRS does not reach. In
            pixels where the grid has no CRS of the Earth.
        problems: For each polygon what was wrong with it, as a clause; an empty text where nothing was.
        is_inside: bool [N], whether no part of it lies outside of the grid.
    """

    shapes: NDArray[Any]
    areas_m2: NDArray[np.float64]
    problems: tuple[str, ...]
    is_inside: NDArray[np.bool_]


def place_polygons(frame: gpd.GeoDataFrame, grid: Grid) -> PlacedPolygons:
    """Bring polygons onto the pixels of a grid.

    Args:
        frame: Geometries with a CRS; without any they are in pixels, y down, if the grid has none either, and in the
            CRS of the grid otherwise.
        grid: Of the scene.

    Raises:
        GridError: If the polygons have a CRS and the grid has none, or no way leads from one CRS to the other.
    """
    import shapely

    if frame.crs is not None and grid.crs is None:
        raise GridError(
            "The polygons lie on the map, and the scene does not",
            found=f"polygons in {frame.crs.name}, and a scene without CRS",
            expected="both on the map, or polygons in pixels, y down",
            fix="Give the scene a CRS and transform, or the polygons without CRS, in pixels.",
        )
    shapes, problems = mended_polygons(frame.geometry.to_numpy())
    target = None if grid.crs is None else _pyproj(grid.crs)
    source = target if frame.crs is None else frame.crs
    is_on_map = target is not None and not off_the_map(grid)
    near = shapes if source == target else _projected(shapes, source, target, grid)
    near = _turned(near, grid) if target is not None and target.is_geographic else near
    in_pixels = _in_pixels(near, grid)
    areas = areas_on_ellipsoid(shapes, source) if is_on_map else np.asarray(shapely.area(in_pixels), float)
    bounds = _bounds(in_pixels)
    low, high = np.zeros(2) - ROUNDING_PX, np.array([grid.width, grid.height]) + ROUNDING_PX
    is_inside: NDArray[np.bool_] = np.all((bounds[:, :2] >= low) & (bounds[:, 2:] <= high), axis=1)
    return PlacedPolygons(in_pixels, areas, problems, is_inside)


ROUNDING_PX = 1e-6
"""By so much may a polygon reach beyond a grid that it was cut to."""


def mended_polygons(shapes: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return valid polygons, and what was wrong with each as a clause.

    Args:
        shapes: object [N], any shapely geometries, or None.

    Returns:
        object [N], polygons or multipolygons, empty where there is none; and N texts.
    """
    pairs = [_mended(shape) for shape in shapes]
    mended = np.empty(len(pairs), object)
    mended[:] = [shape for shape, _ in pairs]
    return mended, tuple(problem for _, problem in pairs)


def _mended(shape: Any) -> tuple[Any, str]:
    import shapely

    nothing = shapely.MultiPolygon()
    if shape is None or shape.is_empty:
        return nothing, "it has no geometry"
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        return nothing, "its coordinates are no numbers"
    polygons = _polygonal(shapely.force_2d(shape))
    if polygons.is_empty:
        return nothing, f"it is a {shape.geom_type} and no polygon"
    if polygons.is_valid:
        return polygons, ""
    reason = shapely.is_valid_reason(polygons).partition("[")[0].lower()
    return _polygonal(shapely.make_valid(polygons, method="structure")), f"it was invalid and was mended: {reason}"


def _polygonal(shape: Any) -> Any:
    """Return the polygons of any geometry as one; those of a collection too."""
    import shapely

    if shapely.get_type_id(shape) in POLYGONAL:
        return shape
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.multipolygons(shapely.get_parts(parts[np.isin(shapely.get_type_id(parts), POLYGONAL)]))


def areas_on_ellipsoid(shapes: NDArray[Any], crs: Any) -> NDArray[np.float64]:
    """Return the area of polygons on the ellipsoid WGS 84.

    Args:
        shapes: object [N], polygons or multipolygons.
        crs: Of the polygons.

    Returns:
        float64 [N], square metres; NaN where the CRS does not reach.
    """
    import shapely
    from pyproj import Geod, Transformer

    fine = shapely.segmentize(shapely.orient_polygons(shapes), LONGEST_EDGE_M / _metres_per_unit(crs))
    if crs.is_geographic:
        return np.asarray(shapely.area(shapely.transform(fine, partial(_equal_area, wkt=crs.to_wkt()))), float)
    to_lonlat = Transformer.from_crs(crs, 4326, always_xy=True).transform
    lonlat = shapely.transform(fine, lambda xy: np.stack(to_lonlat(*xy.T), axis=1))
    geod = Geod(ellps="WGS84")
    is_reached = np.isfinite(_bounds(lonlat)).all(axis=1) | shapely.is_empty(shapes)
    pairs = zip(lonlat, is_reached, strict=True)
    return np.array([abs(geod.geometry_area_perimeter(shape)[0]) if does else np.nan for shape, does in pairs])


def ground_areas(shapes: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """Return the areas of polygons in pixels of a grid as `PlacedPolygons` gives them, float64 [N]."""
    import shapely

    if grid.crs is None or off_the_map(grid):
        return np.asarray(shapely.area(shapes), float)
    to_map: Any = grid.transform
    placed = shapely.transform(shapes, lambda xy: np.stack(to_map @ (xy[:, 0], xy[:, 1]), axis=1))
    return areas_on_ellipsoid(np.array([*map(_polygonal, placed)], object), _pyproj(grid.crs))


def _equal_area(lonlat: NDArray[np.float64], wkt: str) -> NDArray[np.float64]:
    """Return points in degrees on a plane whose areas are those of the ellipsoid, float64 [N, 2]."""
    return np.stack([np.radians(lonlat[:, 0]), zone_area_m2(lonlat[:, 1].clip(*LATITUDES), wkt)], axis=1)


def _projected(shapes: NDArray[Any], source: Any, target: Any, grid: Grid) -> NDArray[Any]:
    """Return polygons in the CRS of a grid, cut to its surroundings; empty where the CRS does not reach."""
    import shapely
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        way = Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        raise GridError(
            "No way leads from the CRS of the polygons to that of the scene",
            found=f"{source.name} and {target.name}",
            expected="two CRS of the Earth",
            fix="Reproject the polygons to the CRS of the scene.",
        ) from error
    cut = _cut_to_surroundings(shapes, way, grid)
    pixel_m = np.sqrt(grid.pixel_area) * _metres_per_unit(target)
    longest_m = min(LONGEST_EDGE_M, LONGEST_EDGE_PX * pixel_m)
    fine = shapely.segmentize(cut, longest_m / _metres_per_unit(source))
    projected = shapely.transform(fine, lambda xy: np.stack(way.transform(*xy.T), axis=1))
    projected[~np.isfinite(_bounds(projected)).all(axis=1)] = shapely.MultiPolygon()
    return np.asarray(projected)


def _cut_to_surroundings(shapes: NDArray[Any], way: Any, grid: Grid) -> NDArray[Any]:
    """Return polygons without what lies far from a grid, where no map may reach."""
    import shapely

    x, y = _outline(grid)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        xy = np.stack(way.transform(x, y, direction="INVERSE"), axis=1)
    if not np.isfinite(xy).all() or _wraps(xy, way):
        return shapes
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = MARGIN_FRAC * (high - low)
    surroundings = shapely.box(*(low - margin), *(high + margin))
    bounds = _bounds(shapes)
    reaches_out = ((bounds[:, :2] < low - margin) | (bounds[:, 2:] > high + margin)).any(axis=1)
    cut = shapes.copy()
    cut[reaches_out] = [_polygonal(shapely.intersection(shape, surroundings)) for shape in shapes[reaches_out]]
    return cut


def _wraps(xy: NDArray[np.float64], way: Any) -> bool:
    """Whether the outline of a scene crosses the antimeridian or goes around a pole, in degrees."""
    steps = np.abs(np.diff(xy[:, 0]))
    return bool(way.source_crs.is_geographic and steps.max() > HALF_TURN)


HALF_TURN, TURN = 180.0, 360.0


def _outline(grid: Grid) -> tuple[Any, Any]:
    """Return points around a grid, in its CRS."""
    side = np.linspace(0, 1, OUTLINE_POINTS)
    x = np.concatenate([side, np.ones_like(side), side[::-1], np.zeros_like(side)]) * grid.width
    y = np.concatenate([np.zeros_like(side), side, np.ones_like(side), side[::-1]]) * grid.height
    to_map: Any = grid.transform
    around: tuple[Any, Any] = to_map @ (x, y)
    return around


def _turned(shapes: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Return polygons in degrees where a grid counts them, which may be a whole turn east or west, or both."""
    import shapely

    edge = shapely.box(*grid_bounds(grid))
    copies = [
        shapely.transform(shapes, lambda xy, turn=turn: xy + np.array([turn, 0.0])) for turn in (-TURN, 0.0, TURN)
    ]
    meets = np.stack([shapely.intersects(copy, edge) for copy in copies])
    turned = shapes.copy()
    for number in np.flatnonzero(meets[[0, 2]].any(axis=0)):
        parts = [copy[number] for copy, does in zip(copies, meets[:, number], strict=True) if does]
        turned[number] = shapely.multipolygons(shapely.get_parts(parts))
    return turned


def grid_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of a grid in its CRS."""
    x, y = _outline(grid)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _in_pixels(shapes: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Return polygons in the CRS of a grid as polygons in pixels."""
    import shapely

    if grid.crs is None:
        return shapes
    to_pixels = ~grid.transform
    in_pixels = shapely.transform(shapes, lambda xy: np.stack(to_pixels @ (xy[:, 0], xy[:, 1]), axis=1))
    return np.asarray(in_pixels)


def _bounds(shapes: NDArray[Any]) -> NDArray[np.float64]:
    import shapely

    return np.asarray(shapely.bounds(shapes), float).reshape(-1, RECTANGLE)


RECTANGLE = 4


def _pyproj(crs: Any) -> Any:
    from pyproj import CRS

    return CRS.from_wkt(crs.to_wkt())


def _metres_per_unit(crs: Any) -> float:
    if crs.is_geographic:
        return METRES_PER_DEGREE
    return float(crs.axis_info[0].unit_conversion_factor or 1.0) if crs.axis_info else 1.0
