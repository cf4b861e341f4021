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

    @cached_property
    def _pixel_area(self) -> Any:
        from scipy.interpolate import RegularGridInterpolator

        height, width = self.shape
        rows, cols = np.linspace(0, height, NODES), np.linspace(0, width, NODES)
        y, x = (axis.ravel() for axis in np.meshgrid(rows, cols, indexing="ij"))
        left, right = (x - 0.5).clip(0), (x + 0.5).clip(max=width)
        up, down = (y - 0.5).clip(0), (y + 0.5).clip(max=height)
        a, b = ((self.metres(np.stack([right, y], 1)) - self.metres(np.stack([left, y], 1))).T) / (right - left)
        c, d = ((self.metres(np.stack([x, down], 1)) - self.metres(np.stack([x, up], 1))).T) / (down - up)
        return RegularGridInterpolator((rows, cols), np.abs(a * d - b * c).reshape(NODES, NODES))


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
