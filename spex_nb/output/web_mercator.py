"""Where the pixels of a scene lie on a web map, and what of a scene a view of the map shows.

A scene without CRS is laid out as a plain grid of square pixels, south-east of the point where the equator meets the
meridian of Greenwich: there, in Web Mercator, nothing bends it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from rasterio.crs import CRS

from spex_nb.errors import GridError
from spex_nb.scene.grid import Grid
from spex_nb.types import Window

WEB_MERCATOR = CRS.from_epsg(3857)
LONLAT = CRS.from_epsg(4326)
PLAIN = Affine(10, 0, 0, 0, -10, 0)
"""Pixels without CRS are drawn ten metres wide, so that the zoom levels of a map reach from all to one of them."""
RADIUS_M = 6_378_137.0
LATITUDE_LIMIT = 85.0511
EDGE_POINTS = 9
"""Points along each edge of a view, which is curved in the scene's CRS."""
Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
"""First and second coordinates, float64 of one shape."""


@dataclass(frozen=True)
class View:
    """What a map shows.

    Attributes:
        bounds_lonlat: (west, south, east, north); beyond 180 degrees where it crosses the antimeridian.
        size_px: (height, width) on the screen.

    Raises:
        GridError: If it is empty.
    """

    bounds_lonlat: tuple[float, float, float, float]
    size_px: tuple[int, int]

    def __post_init__(self) -> None:
        west, south, east, north = self.bounds_lonlat
        if not (west < east and south < north) or min(self.size_px) < 1:
            raise GridError(
                "The view shows nothing",
                found=f"bounds {self.bounds_lonlat}, {self.size_px} px",
                expected="west < east, south < north, and a height and width of 1 px or more",
                fix="Check the order: (west, south, east, north), and (height, width).",
            )

    @property
    def transform(self) -> Affine:
        """Affine from (column, row) of a screen pixel's corner to Web Mercator."""
        west, south, east, north = self.bounds_lonlat
        (left, right), (bottom, top) = mercator(np.array([west, east]), np.array([south, north]))
        height, width = self.size_px
        return Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)


def mercator(lons: ArrayLike, lats: ArrayLike) -> Positions:
    """Return x and y in Web Mercator, metres, of longitudes and latitudes; beyond 180 degrees it goes on."""
    lats = np.clip(lats, -LATITUDE_LIMIT, LATITUDE_LIMIT)
    return RADIUS_M * np.radians(lons), RADIUS_M * np.log(np.tan(math.pi / 4 + np.radians(lats) / 2))


def from_mercator(x: ArrayLike, y: ArrayLike) -> Positions:
    """Return longitudes and latitudes of Web Mercator x and y, in metres."""
    lats = 2 * np.arctan(np.exp(np.asarray(y) / RADIUS_M)) - math.pi / 2
    return np.degrees(np.asarray(x) / RADIUS_M), np.degrees(lats)


class WebGrid:
    """The pixel grid of a scene, as a web map sees it."""

    def __init__(self, grid: Grid) -> None:
        self.has_crs = grid.crs is not None
        """Whether the scene lies on the Earth; else its coordinates are those of pixels."""
        self.grid = grid if self.has_crs else grid._replace(transform=PLAIN, crs=WEB_MERCATOR)

    def lonlat(self, cols: ArrayLike, rows: ArrayLike) -> Positions:
        """Return longitudes and latitudes of pixel positions; pixel (row r, column c) has its middle at + 0.5."""
        x, y = _apply(self.grid.transform, cols, rows)
        return from_mercator(*_to_crs(x, y, self.grid.crs, WEB_MERCATOR))

    def lonlat_of_crs(self, x: ArrayLike, y: ArrayLike) -> Positions:
        """Return longitudes and latitudes of positions in the scene's CRS: in pixels where it has none."""
        inverse = ~self.grid.transform if self.has_crs else Affine.identity()
        return self.lonlat(*_apply(inverse, x, y))

    def pixels(self, lons: ArrayLike, lats: ArrayLike) -> Positions:
        """Return columns and rows, with fractions, of longitudes and latitudes; NaN where there is no such place."""
        return _apply(~self.grid.transform, *_to_crs(*mercator(lons, lats), WEB_MERCATOR, self.grid.crs))

    def crs_position(self, col: float, row: float) -> tuple[float, float]:
        """Return x and y of a pixel position in the scene's CRS: the position itself where it has none."""
        return self.grid.transform @ (col, row) if self.has_crs else (col, row)

    @property
    def footprint_lonlat(self) -> list[tuple[float, float]]:
        """The outline of the scene: (longitude, latitude) of points along its edges, closed."""
        height, width = self.grid.height, self.grid.width
        cols, rows = _outline(0, 0, width, height)
        lons, lats = self.lonlat(cols, rows)
        lons = np.degrees(np.unwrap(np.radians(lons)))
        return list(zip(lons.tolist(), lats.tolist(), strict=True))

    @property
    def bounds_lonlat(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the scene."""
        lons, lats = np.array(self.footprint_lonlat).T
        return float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max())

    def window(self, view: View, step: int = 1) -> Window | None:
        """Return the pixels that a view shows, begun and (but at the edge) ended at multiples of ``step``.

        Returns:
            (row, column, height, width); None where the view misses the scene.
        """
        height, width = view.size_px
        cols, rows = self._of_screen(view, *_outline(0, 0, width, height))
        if not np.isfinite(cols).any():
            return None
        left, right = _clip(cols, self.grid.width, step)
        top, bottom = _clip(rows, self.grid.height, step)
        return (top, left, bottom - top, right - left) if top < bottom and left < right else None

    def step(self, view: View) -> int:
        """Return the power of two by which the pixels of the scene can be thinned before the screen would show it."""
        height, width = view.size_px
        x, y = width / 2, height / 2
        cols, rows = self._of_screen(view, np.array([x, x + 1, x]), np.array([y, y, y + 1]))
        area = abs((cols[1] - cols[0]) * (rows[2] - rows[0]) - (cols[2] - cols[0]) * (rows[1] - rows[0]))
        return 1 << max(0, math.floor(math.log2(math.sqrt(area)) + 1e-6)) if np.isfinite(area) and area > 0 else 1

    def _of_screen(self, view: View, x: ArrayLike, y: ArrayLike) -> Positions:
        moved = _to_crs(*_apply(view.transform, x, y), WEB_MERCATOR, self.grid.crs)
        return _apply(~self.grid.transform, *moved)


def _apply(transform: Affine, x: ArrayLike, y: ArrayLike) -> Positions:
    """Return positions [N] moved by an affine, which itself takes single ones only."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def _to_crs(x: ArrayLike, y: ArrayLike, source: CRS | None, target: CRS | None) -> Positions:
    """Return positions in another CRS; NaN where it does not reach."""
    if source == target:
        return np.asarray(x, float), np.asarray(y, float)
    from rasterio.warp import transform

    moved = np.array(transform(source, target, np.atleast_1d(x).ravel(), np.atleast_1d(y).ravel()), float)
    moved[~np.isfinite(moved)] = np.nan
    return moved[0].reshape(np.shape(x)), moved[1].reshape(np.shape(y))


def _outline(left: float, top: float, right: float, bottom: float) -> Positions:
    """Return x and y of points along the four edges, closed."""
    along = np.linspace(0, 1, EDGE_POINTS)
    x = np.concatenate([along, np.ones(EDGE_POINTS), along[::-1], np.zeros(EDGE_POINTS)])
    y = np.concatenate([np.zeros(EDGE_POINTS), along, np.ones(EDGE_POINTS), along[::-1]])
    return left + x * (right - left), top + y * (bottom - top)


def _clip(positions: NDArray[np.float64], size: int, step: int) -> tuple[int, int]:
    """Return the first and last + 1 whole pixel among positions, within the grid."""
    first = max(0, math.floor(np.nanmin(positions) + 1e-6))
    last = min(size, math.ceil(np.nanmax(positions) - 1e-6))
    return first // step * step, min(size, -(-last // step) * step)
