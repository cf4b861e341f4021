"""The part of a scene that a box of longitude and latitude covers."""

from __future__ import annotations

import numpy as np
import xarray as xr

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import GridError
from spex_nb.types import Window

Box = tuple[float, float, float, float]
"""West, south, east, north, degrees; west is larger than east where the box crosses the antimeridian."""
LONLAT = "EPSG:4326"
EDGE_POINTS = 21
"""Points on each side of a box, which is curved in most projections."""


def part_in_box(scene: xr.Dataset, box: Box) -> xr.Dataset:
    """Return the smallest pixel rectangle of a scene that holds all of a box which lies in it.

    Args:
        scene: Bands [H, W] with a CRS.
        box: West, south, east, north, degrees.

    Raises:
        GridError: If the scene has no CRS, or does not reach the box.
    """
    if scene.spex.crs is None:
        raise GridError(
            "The scene lies nowhere on the map", found="no CRS", expected="one", fix="Open the whole scene instead."
        )
    row, col, height, width = _window(scene, box)
    if height < 1 or width < 1:
        raise GridError(
            "The scene does not reach the place",
            found=f"no pixel in {', '.join(f'{degrees:g}' for degrees in box)} degrees",
            expected="a scene that covers some of it",
            fix="Choose another scene, or open the whole scene.",
        )
    part: xr.Dataset = scene.spex.window(row, col, height, width)
    return part


def _window(scene: xr.Dataset, box: Box) -> Window:
    """Return row, column, height and width, the last two below 1 where the scene does not reach the box."""
    from rasterio.warp import transform

    west, south, east, north = box
    across = np.linspace(west, east if east > west else east + 360, EDGE_POINTS)
    up = np.linspace(south, north, EDGE_POINTS)
    lon = np.concatenate([across, across, np.full(EDGE_POINTS, across[0]), np.full(EDGE_POINTS, across[-1])])
    lat = np.concatenate([np.full(EDGE_POINTS, south), np.full(EDGE_POINTS, north), up, up])
    x, y = transform(LONLAT, scene.spex.crs, lon, lat)
    cols, rows = ~scene.spex.transform * (np.array(x), np.array(y))
    inside = np.isfinite(cols) & np.isfinite(rows)
    if not inside.any():
        return 0, 0, 0, 0
    height, width = scene.spex.shape
    top, bottom = np.clip([np.floor(rows[inside].min()), np.ceil(rows[inside].max())], 0, height).astype(int)
    left, right = np.clip([np.floor(cols[inside].min()), np.ceil(cols[inside].max())], 0, width).astype(int)
    return int(top), int(left), int(bottom - top), int(right - left)
