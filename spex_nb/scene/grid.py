"""Pixel grids: size, affine and CRS as one value, and the finest grid of several bands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from spex_nb.errors import (
    GridError,
)


class Grid(NamedTuple):
    """A pixel grid: size, affine of (column, row) corners to map coordinates, CRS or None."""

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared map units."""
        return abs(float(self.transform.determinant))

    def matches(self, other: Grid) -> bool:
        """Whether both grids have the same pixels, to a hundredth of one."""
        tolerance = 0.01 * math.sqrt(self.pixel_area)
        same_place = self.transform.almost_equals(other.transform, tolerance)
        return (self.height, self.width, self.crs) == (other.height, other.width, other.crs) and same_place


def common_grid(grids: Mapping[str, Grid]) -> Grid:
    """Return the finest of the grids of some bands, onto which all others are brought.

    Args:
        grids: The grid of each band, by its name.

    Raises:
        GridError: If the bands have different CRS, or cover different ground.
    """
    finest = min(grids.values(), key=lambda grid: grid.pixel_area)
    for name, grid in grids.items():
        if not grid.matches(finest):
            _require_same_ground(name, grid, finest)
    return finest


def _require_same_ground(name: str, other: Grid, grid: Grid) -> None:
    if other.crs != grid.crs or grid.crs is None:
        problem, fix = "The bands have different CRS", "Reproject them first, for example with `rio warp`."
        if other.crs == grid.crs:
            problem, fix = "The bands have different grids and no CRS", "Resample them to one size first."
        raise GridError(
            problem, found=f"{name}: {_grid_text(other)}", expected=f"{_grid_text(grid)} as the finest band", fix=fix
        )
    apart = np.subtract(_corners(other), _corners(grid))
    if np.abs(apart).max() > max(other.pixel_area, grid.pixel_area) ** 0.5:
        raise GridError(
            "The bands cover different ground",
            found=f"{name}: {_grid_text(other)}",
            expected=f"{_grid_text(grid)}, to a pixel",
            fix="Cut them to the same bounds first, for example with `rio clip --like`.",
        )


def _corners(grid: Grid) -> tuple[Any, Any]:
    return grid.transform @ (0, 0), grid.transform @ (grid.width, grid.height)


def _grid_text(grid: Grid) -> str:
    crs = grid.crs.to_string() if grid.crs else None
    return f"{grid.height} x {grid.width} px, origin ({grid.transform.c:g}, {grid.transform.f:g}), CRS {crs}"
