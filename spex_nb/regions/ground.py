"""Metres and square metres of pixels, on an equal-area projection around the centre of the scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import ArrayLike, NDArray

from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import lonlat_of, off_the_map
from spex_nb.types import Window

NODES = 33
"""Side of the grid of points at which pixel areas are measured; areas between them are interpolated."""
LATITUDES = (-90, 90)
"""Grids whose pixels have their centres on a pole reach half a pixel beyond: there is no ground there."""
CENTRE_STEP_DEGREES = 0.1
"""Step of the centres of projections: neighbouring tiles share a projection, which takes milliseconds to make."""


@dataclass(frozen=True)
class EqualAreaGrid:
    """A georeferenced pixel grid, measured on the ground.

    The projection is Lambert's azimuthal equal-area around the grid's centre. Areas are exact everywhere on the
    ellipsoid. Distances are within 0.01 % up to 90 km from the centre.
    """

    crs: str
    """As WKT."""
    transform: Affine
    shape: tuple[int, int]

    @classmethod
    def of(cls, data: xr.Dataset | xr.DataArray) -> EqualAreaGrid | None:
        """Return the grid of a scene, index or mask with dims (y, x); None where it lies off the map."""
        import rioxarray  # noqa: F401  (registers .rio)

        shape = (data.sizes["y"], data.sizes["x"])
        if data.rio.crs is None or off_the_map(Grid(*shape, data.rio.transform(), data.rio.crs)):
            return None
        return _cached_grid(data.rio.crs.to_wkt(), data.rio.transform(), shape)

    @cached_property
    def _project(self) -> Any:
        """Return the function from map coordinates to metres on the projection."""
        height, width = self.shape
        lon, lat = lonlat_of(self.crs)(*(self.transform @ (width / 2, height / 2)))
        return _equal_area(self.crs, *(round(degrees / CENTRE_STEP_DEGREES) for degrees in (lon, lat)))

    @cached_property
    def _centre(self) -> NDArray[np.float64]:
        height, width = self.shape
        return np.array(self._project(*(self.transform @ (width / 2, height / 2))))

    @cached_property
    def _is_in_degrees(self) -> bool:
        from pyproj import CRS

        return bool(CRS.from_wkt(self.crs).is_geographic)

    def metres(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Return points on the ground.

        Args:
            points_px: [N, 2], (x, y) in pixels from the grid's upper left corner.

        Returns:
            float64 [N, 2], metres east and north of the grid's centre.
        """
        x, y = np.asarray(points_px, float).T
        x, y = self.transform @ (x, y)
        if self._is_in_degrees:
            y = np.clip(y, *LATITUDES)
        metres: NDArray[np.float64] = np.stack(self._project(x, y), axis=1) - self._centre
        return metres

    def polygon(self, geometry_px: Any) -> Any:
        """Return a shapely geometry in pixel coordinates as one in metres east and north of the grid's centre."""
        import shapely

        return shapely.transform(geometry_px, self.metres)

    def run_areas_m2(self, runs: ArrayLike) -> NDArray[np.float64]:
        """Return the area of runs of pixels.

        Args:
            runs: int [N, 3], rows of (row, first column, column after the last).

        Returns:
            float64 [N], square metres.
        """
        row, first, end = np.asarray(runs).T
        areas: NDArray[np.float64] = (end - first) * self._pixel_area(np.stack([row + 0.5, (first + end) / 2], 1))
        return areas

    def window_areas_m2(self, window: Window) -> NDArray[np.float64]:
        """Return the area of each pixel of a window.

        Args:
            window: (row, column, height, width) inside the grid.

        Returns:
            float64 [height, width], square metres.
        """
        top, left, height, width = window
        if self._has_rows_of_latitude:
            return np.repeat(self._areas_by_latitude(top + np.arange(height) + 0.5)[:, None], width, axis=1)
        first_row, by_row = _node_weights(top, height, self.shape[0])
        first_column, by_column = _node_weights(left, width, self.shape[1])
        rows, columns = by_row.shape[1], by_column.shape[1]
        at_nodes = self._pixel_area.values[first_row : first_row + rows, first_column : first_column + columns]
        areas: NDArray[np.float64] = by_row @ at_nodes @ by_column.T
        return areas

    @cached_property
    def _has_rows_of_latitude(self) -> bool:
        """Whether all pixels of a row lie between the same two latitudes, so that a formula gives their area."""
        return self._is_in_degrees and self.transform.b == 0 == self.transform.d

    def _areas_by_latitude(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Return the area of a pixel about each row, float64 [N], m²; rows are those of the centres."""
        row = np.asarray(rows, float)
        edges = self.transform.f + self.transform.e * np.stack([row - 0.5, row + 0.5])
        zones = zone_area_m2(edges.clip(*LATITUDES), self.crs)
        areas: NDArray[np.float64] = np.abs((zones[1] - zones[0]) * np.radians(self.transform.a))
        return areas

    @cached_property
    def _pixel_area(self) -> Any:
        if self._has_rows_of_latitude:
            return lambda points: self._areas_by_latitude(points[:, 0])
        from scipy.interpolate import RegularGridInterpolator

        height, width = self.shape
        rows, cols = np.linspace(0, height, NODES), np.linspace(0, width, NODES)
        y, x = (axis.ravel() for axis in np.meshgrid(rows, cols, indexing="ij"))
        left, right = (x - 0.5).clip(0), (x + 0.5).clip(max=width)
        up, down = (y - 0.5).clip(0), (y + 0.5).clip(max=height)
        a, b = ((self.metres(np.stack([right, y], 1)) - self.metres(np.stack([left, y], 1))).T) / (right - left)
        c, d = ((self.metres(np.stack([x, down], 1)) - self.metres(np.stack([x, up], 1))).T) / (down - up)
        return RegularGridInterpolator((rows, cols), np.abs(a * d - b * c).reshape(NODES, NODES))


def zone_area_m2(latitudes: ArrayLike, crs: str) -> NDArray[np.float64]:
    """Return the area between the equator and latitudes on an ellipsoid, for each radian of longitude.

    Args:
        latitudes: float [...], degrees.
        crs: In degrees, as WKT; its ellipsoid counts.

    Returns:
        float64 [...], square metres, negative in the south.

    Source: Snyder 1987, Map Projections, equation 3-12 (doi 10.3133/pp1395).
    """
    ellipsoid = _ellipsoid(crs)
    sine, e2 = np.sin(np.radians(np.asarray(latitudes, float))), ellipsoid.es
    root = np.sqrt(e2)
    second = np.arctanh(root * sine) / root if e2 else sine
    area: NDArray[np.float64] = ellipsoid.a**2 * (1 - e2) / 2 * (sine / (1 - e2 * sine**2) + second)
    return area


@lru_cache(maxsize=64)
def _ellipsoid(crs: str) -> Any:
    from pyproj import CRS

    return CRS.from_wkt(crs).get_geod()


def _node_weights(start: int, count: int, size: int) -> tuple[int, NDArray[np.float64]]:
    """Return the first node near some pixels of an axis, and the weight of each node for each pixel, [count, nodes]."""
    at = (start + np.arange(count) + 0.5) * ((NODES - 1) / size)
    first, last = int(at[0]), int(np.ceil(at[-1]))
    return first, (1 - np.abs(at[:, None] - np.arange(first, last + 1))).clip(0)


@lru_cache(maxsize=256)
def _cached_grid(crs: str, transform: Affine, shape: tuple[int, int]) -> EqualAreaGrid:
    """Return the same object for the same grid, so that its pixel areas are measured once."""
    return EqualAreaGrid(crs, transform, shape)


@lru_cache(maxsize=64)
def from_lonlat(crs: str) -> Any:
    """Return the function from longitudes and latitudes to x and y of a CRS; inf where the CRS does not reach."""
    from pyproj import Transformer

    return Transformer.from_crs(4326, crs, always_xy=True).transform


@lru_cache(maxsize=256)
def _equal_area(crs: str, lon_steps: int, lat_steps: int) -> Any:
    from pyproj import Transformer

    lon, lat = lon_steps * CENTRE_STEP_DEGREES, lat_steps * CENTRE_STEP_DEGREES
    centred = f"+proj=laea +lat_0={lat:.4f} +lon_0={lon:.4f} +datum=WGS84 +units=m"
    return Transformer.from_crs(crs, centred, always_xy=True).transform
