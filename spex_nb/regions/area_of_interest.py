"""The area of interest that a user gives, on the pixels of a scene."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import RegionError
from spex_nb.regions.placed_polygons import PlacedPolygons, grid_bounds, ground_areas, place_polygons
from spex_nb.regions.polygon_sources import read_polygons
from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.area_mask import AreaMask

if TYPE_CHECKING:
    import geopandas as gpd

LONLAT = "EPSG:4326"


def area_of_interest(source: Any, scene: xr.Dataset, crs: Any = None) -> AreaMask:
    """Return the area that a user asks for, on the pixels of a scene.

    Args:
        source: A path of a vector file; a GeoDataFrame; one shapely geometry or several; or a rectangle (left, bottom,
            right, top). All polygons together are the area.
        scene: Bands [H, W].
        crs: Of ``source`` where it states none. Without it geometries in memory are in the CRS of the scene, and in
            pixels, y down, where it has none; a file must state it.

    Raises:
        SourceNotFoundError, UnreadableSourceError: If the file is missing or no vector file.
        GridError: If a file states no CRS and none is given, or the area cannot be brought to that of the scene.
        RegionError: If there is no polygon, or the area covers no pixel of the scene.
    """
    import shapely

    height, width = scene.spex.shape
    grid = Grid(height, width, scene.spex.transform, scene.spex.crs)
    frame = read_polygons(source, crs, scene_crs=grid.crs, option="aoi_crs")
    placed = place_polygons(frame, grid)
    _require_polygons(placed)
    parts = shapely.get_parts(shapely.union_all(placed.shapes))
    area = AreaMask((height, width), parts, _fingerprint(frame), _outside_frac(placed, grid))
    if not area.meets((0, 0, height, width)):
        raise _outside(frame, grid)
    if not any(area.inside((row, 0, 1, width)).any() for row in _rows_of(area)):
        raise _too_small(frame, grid)
    return area


def _require_polygons(placed: PlacedPolygons) -> None:
    if not (placed.areas_m2 != 0).any():  # NaN where the CRS does not reach
        first = placed.problems[0] if placed.problems else "there is none"
        raise RegionError(
            "The area of interest has no polygon",
            found=f"{len(placed.problems)} geometries; of the first: {first}",
            expected="at least one polygon",
            fix="Give polygons, or (left, bottom, right, top).",
        )


def _fingerprint(frame: gpd.GeoDataFrame) -> str:
    """Return a hash of polygons and their CRS, 32 hexadecimal digits."""
    import shapely

    digest = hashlib.blake2b(digest_size=16)
    digest.update((frame.crs.to_wkt() if frame.crs is not None else "").encode())
    for shape in shapely.to_wkb(frame.geometry.to_numpy(), byte_order=1):
        digest.update(shape or b"")
    return digest.hexdigest()


def _outside_frac(placed: PlacedPolygons, grid: Grid) -> float:
    """Return the share of an area on the ground that lies outside of a scene."""
    import shapely

    if placed.is_inside.all():
        return 0.0
    inside = shapely.intersection(placed.shapes, shapely.box(0, 0, grid.width, grid.height))
    share = ground_areas(inside, grid).sum() / placed.areas_m2.sum()
    return float(np.clip(1 - share, 0, 1)) if np.isfinite(share) else 1.0


def _rows_of(area: AreaMask) -> range:
    import shapely

    _, top, _, bottom = shapely.total_bounds(area.polygons)
    return range(max(0, int(np.floor(top))), min(area.shape[0], int(np.ceil(bottom))))


def _outside(frame: gpd.GeoDataFrame, grid: Grid) -> RegionError:
    left, bottom, right, top = frame.total_bounds
    looks_like_degrees = max(abs(left), abs(right)) <= 360 and max(abs(bottom), abs(top)) <= 90  # noqa: PLR2004
    is_in_metres = frame.crs is not None and not frame.crs.is_geographic
    advice = f"If it is in longitude and latitude, give aoi_crs='{LONLAT}' (--aoi-crs {LONLAT})."
    return RegionError(
        "The area of interest lies outside of the scene",
        found=_extent((left, bottom, right, top), frame.crs),
        expected=f"a part of the scene, which is {_extents(grid, frame)}",
        fix=advice if looks_like_degrees and is_in_metres else "Check the area and its CRS, or choose another scene.",
    )


def _extents(grid: Grid, frame: gpd.GeoDataFrame) -> str:
    """Return the extent of a scene in its CRS, and in that of the area."""
    import geopandas as gpd
    import shapely

    bounds = grid_bounds(grid)
    text = _extent(bounds, grid.crs)
    if frame.crs is None or grid.crs is None or frame.crs == grid.crs:
        return text
    outline = gpd.GeoSeries([shapely.segmentize(shapely.box(*bounds), (bounds[2] - bounds[0]) / 8)], crs=grid.crs)
    return f"{text}, or {_extent(outline.to_crs(frame.crs).total_bounds, frame.crs)}"


def _extent(bounds: Any, crs: Any) -> str:
    left, bottom, right, top = bounds
    name = "pixels" if crs is None else crs.to_string() if len(crs.to_string()) < LONGEST_NAME else "its CRS"
    return f"x {left:.6g} to {right:.6g}, y {bottom:.6g} to {top:.6g} in {name}"


LONGEST_NAME = 40


def _too_small(frame: gpd.GeoDataFrame, grid: Grid) -> RegionError:
    return RegionError(
        "The area of interest holds the centre of no pixel",
        found=_extent(frame.total_bounds, frame.crs),
        expected=f"at least one pixel of {abs(grid.transform.a):g} x {abs(grid.transform.e):g} in units of the scene",
        fix="Give a larger area.",
    )
