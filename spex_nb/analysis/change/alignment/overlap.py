"""The ground that two scenes share, as one pixel grid: that of the scene with the larger pixels, cut to the overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from spex_nb.errors import GridError
from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import lonlat_of

SAME_SIZE = 1.05
"""Pixels whose sides differ by less than this factor count as equally large."""
SIDE_POINTS = 21
"""Points on each side of an outline that is brought to another CRS, where straight sides bend."""
EDGE_TOLERANCE_PX = 0.01
"""A grid that reaches this little into a pixel does not reach into it."""
LEAST_MOVE_PX = 0.02
"""Interpolation by less smooths nothing that shows."""


class Overlap(NamedTuple):
    """The shared grid of two scenes."""

    grid: Grid
    is_before: bool
    """Whether it is the grid of the scene before; else it is that of the scene after."""


def overlap_of(before: xr.Dataset, after: xr.Dataset) -> Overlap:
    """Return the grid on which two scenes are compared.

    It is the grid of the scene with the larger pixels, for smaller ones would invent detail. Of equal ones it is the
    scene before.

    Args:
        before: The scene before, bands [H, W].
        after: The scene after, bands [h, w].

    Raises:
        GridError: If they share no ground, if one lies on the map and the other does not, or if both lie off the map
            and differ in size.
    """
    first, second = grid_of(before), grid_of(after)
    _require_places(first, second)
    if first.crs is None:
        return Overlap(first._replace(transform=Affine.identity()), is_before=True)
    is_before = _side_m(after, first) <= _side_m(before, first) * SAME_SIZE
    reference, other = (first, second) if is_before else (second, first)
    rows, columns = _shared_pixels(reference, other)
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        raise GridError(
            "The scenes share no ground",
            found=f"before: {extent_text(first)}; after: {extent_text(second)}",
            expected="two scenes of one place",
            fix="Check that both are of the same place, and that their CRS are right.",
        )
    corner = reference.transform @ Affine.translation(columns[0], rows[0])
    return Overlap(Grid(rows[1] - rows[0], columns[1] - columns[0], corner, reference.crs), is_before)


def shared_grid(scenes: Sequence[xr.Dataset], names: Sequence[str]) -> tuple[Grid, int]:
    """Return the grid on which several scenes are compared, and the number of the scene that it comes from.

    It is the grid of the first scene with the largest pixels, cut to the ground that all scenes cover.

    Args:
        scenes: Bands [H, W] each.
        names: What each scene is called in errors.

    Raises:
        GridError: If they share no ground, if only some lie on the map, or if all lie off the map and differ in size.
    """
    grids = [grid_of(scene) for scene in scenes]
    sides = [_side_m(scene, grid) for scene, grid in zip(scenes, grids, strict=True)]
    number = next(i for i, side in enumerate(sides) if side * SAME_SIZE >= max(sides))
    reference = grids[number]
    for grid, name in zip(grids, names, strict=True):
        _require_places(reference, grid, (names[number], name))
    if reference.crs is None:
        return reference._replace(transform=Affine.identity()), number
    shared = [_shared_pixels(reference, grid) for grid in grids]
    rows, columns = ([ends[axis] for ends in shared] for axis in (0, 1))
    (top, bottom), (left, right) = _common_span(rows), _common_span(columns)
    if top >= bottom or left >= right:
        raise GridError(
            "The scenes share no ground",
            found="; ".join(f"{name}: {extent_text(grid)}" for name, grid in zip(names, grids, strict=True)),
            expected="scenes of one place, all of which show some of the same ground",
            fix="Leave out the scene that lies elsewhere, and check that the CRS of all are right.",
        )
    corner = reference.transform @ Affine.translation(left, top)
    return Grid(bottom - top, right - left, corner, reference.crs), number


def halfway_grid(grid: Grid, reference: Grid, other: Grid, shift_px: tuple[float, float]) -> Grid:
    """Return a grid moved by part of a pixel, so that both scenes are interpolated, by equally much.

    Interpolation smooths. If it smoothed one scene alone, small waters and shores would seem to change. Pixels of other
    sizes or directions are averaged or turned, and their grid stays.

    Args:
        grid: The shared grid, with the pixels of the reference.
        reference: The grid of the scene with the larger pixels.
        other: The grid of the other scene.
        shift_px: (x, y) by which the other scene is moved, in pixels of the grid.
    """
    if reference.crs != other.crs or not are_parallel(reference, other):
        return grid
    offset = np.array(~_on_pixels(other).transform @ (_on_pixels(reference).transform @ (0, 0)))
    steps = offset - np.array(shift_px)
    x, y = (np.rint(steps) - steps) / 2
    if max(abs(x), abs(y)) < LEAST_MOVE_PX:
        return grid
    return grid._replace(transform=grid.transform @ Affine.translation(x, y))


def whole_pixel_grid(grid: Grid, other: Grid, shift_px: tuple[float, float]) -> Grid | None:
    """Return the pixels of another grid that lie nearest to those of a grid, as many; None where they are turned.

    Nothing is interpolated on them: they lie within half a pixel of their place.

    Args:
        grid: The shared grid.
        other: The grid of a scene.
        shift_px: (x, y) by which the scene is to be moved, in pixels of the grid.
    """
    if grid.crs != other.crs or not are_parallel(grid, other):
        return None
    lattice = _on_pixels(other).transform
    column, row = ~lattice @ (grid.transform @ (-shift_px[0], -shift_px[1]))
    return grid._replace(transform=lattice @ Affine.translation(round(column), round(row)))


def _on_pixels(grid: Grid) -> Grid:
    """Return a grid; without a CRS its pixels are counted."""
    return grid if grid.crs is not None else grid._replace(transform=Affine.identity())


def are_parallel(first: Grid, second: Grid) -> bool:
    """Whether the pixels of two grids have the same size and direction, to a hundredth of a pixel over the grid."""
    turn = np.array((~first.transform @ second.transform)[:6])[[0, 1, 3, 4]] - (1, 0, 0, 1)
    longest = max(first.height, first.width, second.height, second.width)
    return bool(np.abs(turn).max() * longest < EDGE_TOLERANCE_PX or first.crs is None)


def grid_of(scene: xr.Dataset) -> Grid:
    """Return the pixel grid of a scene; its CRS is None where the scene lies off the map."""
    height, width = scene.spex.shape
    return Grid(height, width, scene.spex.transform, scene.spex.crs)


def outline(grid: Grid) -> NDArray[np.float64]:
    """Return points around a grid in its map coordinates: float64 [2, N], rows x and y."""
    steps = np.linspace(0, 1, SIDE_POINTS)
    x = np.concatenate([steps, np.ones_like(steps), steps[::-1], np.zeros_like(steps)]) * grid.width
    y = np.concatenate([np.zeros_like(steps), steps, np.ones_like(steps), steps[::-1]]) * grid.height
    transform: Any = grid.transform
    return np.stack(transform @ (x, y))


def pixels_under(points: NDArray[np.float64], crs: CRS | None, grid: Grid) -> NDArray[np.float64]:
    """Return where points of a CRS lie on a grid, in its pixels: float64 [2, N], not finite where they have no place.

    Args:
        points: float64 [2, N], x and y in the CRS.
        crs: Of the points.
        grid: The grid whose pixels are asked for.
    """
    x, y = points
    if crs is not None and crs != grid.crs:
        from rasterio.warp import transform

        x, y = map(np.asarray, transform(crs, grid.crs, x, y))
    inverse: Any = ~grid.transform
    return np.stack(inverse @ (x, y))


def extent_text(grid: Grid) -> str:
    """Return where a grid lies, in longitude and latitude and in its own coordinates."""
    corners = outline(grid)
    (left, bottom), (right, top) = corners.min(axis=1), corners.max(axis=1)
    if grid.crs is None:
        return f"{grid.height:,} x {grid.width:,} px, no CRS"
    lon, lat = map(np.asarray, lonlat_of(grid.crs.to_wkt())(*corners))
    return (
        f"longitude {lon.min():.4f} to {lon.max():.4f}, latitude {lat.min():.4f} to {lat.max():.4f} "
        f"({grid.crs.to_string()}, x {left:g} to {right:g}, y {bottom:g} to {top:g})"
    )


def _require_places(first: Grid, second: Grid, names: tuple[str, str] = ("before", "after")) -> None:
    """Raise unless both grids lie on the map, or both off it with as many pixels."""
    are_off_map = first.crs is None and second.crs is None
    if are_off_map and (first.height, first.width) == (second.height, second.width):
        return
    if first.crs is None or second.crs is None:
        raise GridError(
            "The scenes cannot be laid over each other",
            found=f"{names[0]}: {extent_text(first)}; {names[1]}: {extent_text(second)}",
            expected="two scenes with a CRS, or two without one that have the same pixels",
            fix="Give the scene a CRS and a transform, or cut both scenes to the same pixels.",
        )


def _side_m(scene: xr.Dataset, fallback: Grid) -> float:
    """Return the side of a pixel on the ground, m."""
    return float(scene.spex.gsd_m or math.sqrt(fallback.pixel_area))


def _shared_pixels(reference: Grid, other: Grid) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return first and end of the rows and of the columns of a grid that another one touches."""
    columns, rows = pixels_under(outline(other), other.crs, reference)
    finite = np.isfinite(columns) & np.isfinite(rows)
    if not finite.any():
        return (0, 0), (0, 0)
    return _whole(rows[finite], reference.height), _whole(columns[finite], reference.width)


def _common_span(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return what some spans (first, end) share; the end is not after the first where they share nothing."""
    return max(first for first, _ in spans), min(end for _, end in spans)


def _whole(places: NDArray[np.float64], size: int) -> tuple[int, int]:
    first = max(0, math.floor(places.min() + EDGE_TOLERANCE_PX))
    return first, min(size, math.ceil(places.max() - EDGE_TOLERANCE_PX))
