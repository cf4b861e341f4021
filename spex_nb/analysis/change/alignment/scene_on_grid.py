"""A scene read on the pixels of another grid, window by window, so that memory does not grow with the scene."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import dask
import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window as FileWindow

from spex_nb.analysis.change.alignment.overlap import grid_of, outline, pixels_under
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import EAGER_BYTES, on_grid
from spex_nb.scene.reopen import CHUNKS_PX
from spex_nb.scene.windows.rasters import lazy_bands
from spex_nb.scene.windows.reader import read_layers
from spex_nb.types import Window

SHRINKS_FROM = 1.5
"""A pixel whose side is so many times that of the scene's becomes the mean of what lies under it."""
KERNEL_PX = 3
"""Pixels around a window that its interpolation reads."""
WHOLLY_VALID = 0.999
"""Share of valid ground under a pixel that counts as all of it."""
TOLERANCE_PX = 0.01
"""Places are exact to this, also where the CRS differ; grids that differ by less are the same."""
ANY_CRS = "EPSG:3857"
"""Of two grids without a CRS, which share it."""


@dataclass(frozen=True, eq=False)
class SceneOnGrid:
    """Bands of a scene on another pixel grid.

    Smaller pixels are averaged, others interpolated by cubic convolution (Keys 1981,
    https://doi.org/10.1109/TASSP.1981.1163711). A pixel is valid where all of the scene that it is made of is valid.

    Attributes:
        scene: Bands [H, W] and ``valid``, lazy or not.
        grid: The pixels that are wanted.
        bands: Names of the bands.
        shift_px: (x, y) by which the picture is moved, in pixels of the grid, to the right and down.
    """

    scene: xr.Dataset
    grid: Grid
    bands: Sequence[str]
    shift_px: tuple[float, float] = (0.0, 0.0)
    _token: str = field(default_factory=lambda: uuid.uuid4().hex, init=False, repr=False)

    def __dask_tokenize__(self) -> str:
        return self._token

    def __call__(self, window: FileWindow) -> NDArray[np.float32]:
        """Return the bands of a window, and then where they are valid, as 0 and 1.

        Args:
            window: Of the grid.

        Returns:
            float32 [number of bands + 1, h, w]; bands are NaN where they are not valid.

        Raises:
            UnreadableSourceError: If a file of the scene is damaged.
        """
        shape = int(window.height), int(window.width)
        place = self.grid.transform @ Affine.translation(
            window.col_off - self.shift_px[0], window.row_off - self.shift_px[1]
        )
        target = Grid(*shape, place, self.grid.crs)
        source = self._window_under(target)
        layers = np.full((len(self.bands) + 1, *shape), np.nan, np.float32)
        layers[-1] = 0
        if source is None:
            return layers
        pixels = self._read(source)
        if self._has_same_pixels:
            top, left = source[0] - self._offset(target)[0], source[1] - self._offset(target)[1]
            layers[:, top : top + source[2], left : left + source[3]] = pixels
            return layers
        self._warp(pixels, source, target, layers)
        return layers

    def dataset(self) -> xr.Dataset:
        """Return the bands and ``valid`` on the grid, with the attributes of the scene; lazy where it is large."""
        if self.grid.matches(grid_of(self.scene)) and self._has_same_pixels:
            return self.scene[[*self.bands, "valid"]]
        size, count = (self.grid.height, self.grid.width), len(self.bands) + 1
        chunks = min(size[0], CHUNKS_PX[0]), min(size[1], CHUNKS_PX[1])
        stack = lazy_bands(self, count, np.float32, size, chunks)
        variables = {
            name: xr.DataArray(stack[number], dims=("y", "x"), attrs=self.scene[name].attrs)
            for number, name in enumerate(self.bands)
        }
        valid = xr.DataArray(stack[-1] > 0, dims=("y", "x"), attrs=self.scene["valid"].attrs)
        scene = xr.Dataset(variables | {"valid": valid}, attrs=dict(self.scene.attrs))
        return loaded_if_small(on_grid(scene, self.grid))

    @property
    def is_interpolated(self) -> bool:
        """Whether pixels are made between those of the scene, which smooths it; means of smaller pixels are sharp."""
        return not self._has_same_pixels and self._scale <= SHRINKS_FROM

    @cached_property
    def _source(self) -> Grid:
        grid = grid_of(self.scene)
        return grid if grid.crs is not None else grid._replace(transform=Affine.identity())

    @cached_property
    def _scale(self) -> float:
        """Return how many pixels of the scene lie along the side of a pixel of the grid."""
        columns, rows = pixels_under(outline(self.grid), self.grid.crs, self._source)
        finite = np.isfinite(columns) & np.isfinite(rows)
        spans = np.ptp(columns[finite]) * np.ptp(rows[finite])
        return math.sqrt(float(spans) / (self.grid.width * self.grid.height))

    @cached_property
    def _has_same_pixels(self) -> bool:
        """Whether the pixels of both grids are the same, but for a number of whole rows and columns."""
        if self.grid.crs != self._source.crs or self.shift_px != (0.0, 0.0):
            return False
        inverse = ~self._source.transform
        corners = [(0, 0), (self.grid.width, 0), (0, self.grid.height)]
        places = np.array([inverse @ (self.grid.transform @ corner) for corner in corners])
        steps = places - np.array(corners)
        is_whole = np.abs(steps - np.rint(steps[0])).max() < TOLERANCE_PX
        return bool(is_whole)

    def _offset(self, target: Grid) -> tuple[int, int]:
        """Return row and column of the scene under the first pixel of a window that has the same pixels."""
        column, row = ~self._source.transform @ (target.transform @ (0, 0))
        return round(row), round(column)

    def _window_under(self, target: Grid) -> Window | None:
        """Return the part of the scene that a window is made of; None where the scene does not reach."""
        height, width = self._source.height, self._source.width
        if self._has_same_pixels:
            top, left = self._offset(target)
            bottom, right = top + target.height, left + target.width
        else:
            columns, rows = pixels_under(outline(target), target.crs, self._source)
            finite = np.isfinite(columns) & np.isfinite(rows)
            if not finite.any():
                return None
            margin = KERNEL_PX * max(1.0, self._scale) + 1
            top, left = (math.floor(places[finite].min() - margin) for places in (rows, columns))
            bottom, right = (math.ceil(places[finite].max() + margin) for places in (rows, columns))
        top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
        return (top, left, bottom - top, right - left) if top < bottom and left < right else None

    def _read(self, window: Window) -> NDArray[np.float32]:
        """Return bands and ``valid`` of a window of the scene: float32 [C + 1, h, w], NaN where there is no data."""
        layers = read_layers(self.scene, [*self.bands, "valid"], window)
        bands = [np.asarray(layers[name], np.float32) for name in self.bands]
        valid = np.logical_and.reduce([np.asarray(layers["valid"], bool), *map(np.isfinite, bands)])
        return np.stack([*(np.where(valid, band, np.float32(np.nan)) for band in bands), valid.astype(np.float32)])

    def _warp(self, pixels: NDArray[np.float32], source: Window, target: Grid, layers: NDArray[np.float32]) -> None:
        """Fill the layers of a window."""
        shrinks = self._scale > SHRINKS_FROM
        corner = self._source.transform @ Affine.translation(source[1], source[0])
        places = {
            "src_transform": corner,
            "src_crs": self._source.crs or ANY_CRS,
            "dst_transform": target.transform,
            "dst_crs": target.crs or ANY_CRS,
            "tolerance": TOLERANCE_PX,
        }
        interpolation = Resampling.average if shrinks else Resampling.cubic
        reproject(pixels[:-1], layers[:-1], src_nodata=np.nan, dst_nodata=np.nan, resampling=interpolation, **places)
        reproject(pixels[-1], layers[-1], resampling=Resampling.average if shrinks else Resampling.bilinear, **places)
        valid = (layers[-1] > WHOLLY_VALID) & np.isfinite(layers[:-1]).all(axis=0)
        layers[-1] = valid
        layers[:-1][:, ~valid] = np.nan


def loaded_if_small(scene: xr.Dataset) -> xr.Dataset:
    """Return a scene in memory where it is small; a large one stays as it is."""
    height, width = scene.spex.shape
    if not scene.spex.is_lazy or 4 * (len(scene.spex.bands) + 1) * height * width > EAGER_BYTES:
        return scene
    with dask.config.set(scheduler="threads"):
        return scene.load()
