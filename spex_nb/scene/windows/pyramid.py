"""Layers at any scale: windows of them at every step-th pixel for a map, tiles on a model's pixels and back.

From a file that has overviews a thinned window is read directly. What is slow to see from far away (a file without
overviews, an array that dask computes) is thinned once as a whole, and kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import BandError, nearest
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid, open_scene
from spex_nb.scene.placement import off_the_map
from spex_nb.scene.windows.pixels import READING, LayerReading, ValidReading, reading_of
from spex_nb.scene.windows.rasters import Reading, chunk_shape, lazy_bands, probe
from spex_nb.scene.windows.reader import file_window, read_layers
from spex_nb.types import ModelCard, Window

KEPT_PX = 2048
"""Longest side of what is kept of layers that are slow to see from far away."""
FILE_CHUNKS_PX = 1024
RESAMPLED_FROM = 1.5
"""Scenes whose pixels are so many times larger or smaller than the model's are resampled; others are not."""


class Pyramid:
    """A scene, a mask or other layers [H, W], to be read at any scale; safe to be read by several threads.

    Args:
        source: A path; a Dataset of layers; or one layer as a DataArray.
        **options: Where the source is the path of a scene, what else `open_scene` is to be told.

    Raises:
        SpexError: As `open_scene`.
    """

    def __init__(self, source: Any, **options: Any) -> None:
        if isinstance(source, xr.DataArray):
            source = source.to_dataset(name=source.name or "layer")
        self.layers: xr.Dataset = source if isinstance(source, xr.Dataset) else open_scene(source, **options)
        """As they were opened, on all pixels."""
        self.names: tuple[str, ...] = tuple(str(n) for n, v in self.layers.data_vars.items() if v.dims == ("y", "x"))
        grid = Grid(*self._shape, self.layers.rio.transform(), self.layers.rio.crs)
        self.grid: Grid = grid._replace(crs=None) if off_the_map(grid) else grid
        self._overviews: dict[str, Any] = {}
        self._keeping = threading.Lock()

    @property
    def _shape(self) -> tuple[int, int]:
        return self.layers.sizes["y"], self.layers.sizes["x"]

    @property
    def whole(self) -> Window:
        """The window of all pixels."""
        return 0, 0, *self._shape

    def step_for(self, longest_px: int) -> int:
        """Return the power of two that thins the longest side to this many pixels at most."""
        return 1 << max(0, (-(-max(self._shape) // longest_px) - 1).bit_length())

    def read(self, names: Sequence[str], window: Window, step: int = 1) -> xr.Dataset:
        """Return a window of some layers, thinned.

        Args:
            names: Of the layers. ``valid``, where there is one, comes along.
            window: Inside the grid; it begins at a multiple of ``step``.
            step: A power of two: every step-th row and column is read.

        Returns:
            The layers [ceil(height / step), ceil(width / step)], in memory, with their transform and CRS; ``valid``
            says where these have data.

        Raises:
            BandError: If there is no such layer.
            UnreadableSourceError: If a file is damaged.
        """
        self._require(names)
        shown = [name for name in dict.fromkeys(names) if name != "valid"]
        planes = self._planes(shown, window, step)
        variables = {name: (("y", "x"), planes[name], self.layers[name].attrs) for name in shown}
        if "valid" in self.names:
            variables["valid"] = (("y", "x"), self._valid(planes, window, step), {})
        row, col, height, width = window
        transform = self.grid.transform @ Affine.translation(col, row) @ Affine.scale(step)
        grid = Grid(-(-height // step), -(-width // step), transform, self.grid.crs)
        return on_grid(xr.Dataset(variables, attrs=self.layers.attrs), grid)

    def _require(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self.names]
        if missing:
            raise BandError(
                "The scene has no such layer",
                found=", ".join(missing),
                expected=", ".join(self.names),
                fix=nearest(missing[0], self.names) or "Choose among them.",
            )

    def _planes(self, names: Sequence[str], window: Window, step: int) -> dict[str, Any]:
        """Return each layer; what is slow to see from far away comes from what is kept."""
        far = [name for name in names if step >= self._overview_step and self._is_slow(name)]
        near = [name for name in names if name not in far]
        return read_layers(self.layers, near, window, step) | self._from_overviews(far, window, step)

    def _valid(self, planes: dict[str, Any], window: Window, step: int) -> NDArray[np.bool_]:
        """Return where the planes have data, and the masks of the file or the scene's own ``valid`` say so too."""
        shape = (-(-window[2] // step), -(-window[3] // step))
        finite = [np.isfinite(plane) for plane in planes.values() if plane.dtype.kind == "f"]
        reading = reading_of(self.layers["valid"])
        if isinstance(reading, ValidReading):
            masks = reading.masks_of(file_window(window), step)
            if reading.margin is not None and planes:
                masks.append(reading.margin.has_data(planes, *window[:2], step))
        else:
            masks = [self._planes(["valid"], window, step)["valid"].astype(bool)]
        has_data: NDArray[np.bool_] = np.logical_and.reduce([np.ones(shape, bool), *finite, *masks])
        return has_data

    def _reading(self, name: str) -> LayerReading | None:
        """Return how a layer is read from its file; None of other layers."""
        reading = reading_of(self.layers[name])
        return reading if isinstance(reading, LayerReading) else None

    @property
    def _overview_step(self) -> int:
        return max(2, self.step_for(KEPT_PX))

    def _is_slow(self, name: str) -> bool:
        if name in self._overviews:
            return True
        reading = self._reading(name)
        return self.layers[name].chunks is not None if reading is None else not reading.group.has_overviews

    def _from_overviews(self, names: Sequence[str], window: Window, step: int) -> dict[str, Any]:
        with self._keeping:
            missing = [name for name in names if name not in self._overviews]
            self._overviews |= read_layers(self.layers, missing, self.whole, self._overview_step)
        row, col, height, width = (-(-value // self._overview_step) for value in window)
        thinner = step // self._overview_step
        part = slice(row, row + height, thinner), slice(col, col + width, thinner)
        return {name: self._overviews[name][part] for name in names}


def raster_layer(path: str | Path, name: str = "layer") -> xr.DataArray:
    """Return the first band of a file as it is, lazily: a mask, or a probability.

    Raises:
        SpexError: As `probe`.
    """
    file = probe(path)
    reading = Reading(file.path, (1,), categories=True)
    size = (file.grid.height, file.grid.width)
    chunks = chunk_shape(file.grid, file.block_shape, FILE_CHUNKS_PX)
    pixels = lazy_bands(reading, 1, file.dtypes[0], size, chunks)[0]
    layer = on_grid(xr.DataArray(pixels, dims=("y", "x"), name=name), file.grid)
    layer.encoding[READING] = LayerReading(pixels.name, reading, 0)
    return layer


def zoom_to(gsd_m: float | None, card: ModelCard) -> float:
    """Return a model's pixels for each pixel of a scene; 1 where both are alike, or one is not known."""
    model_gsd_m = card.read_gsd_m(gsd_m)
    if gsd_m is None or model_gsd_m is None:
        return 1.0
    zoom = gsd_m / model_gsd_m
    return 1.0 if 1 / RESAMPLED_FROM <= zoom <= RESAMPLED_FROM else zoom


def zoom_tile(tile: xr.Dataset, zoom: float) -> xr.Dataset:
    """Return a tile with ``zoom`` pixels for each of its own, at least one: means where it shrinks, else bilinear.

    Args:
        tile: Bands [H, W] and ``valid``, in memory.
        zoom: Above 0.

    Returns:
        Bands float32 [h, w] with their attributes, NaN where all pixels beneath have no data; ``valid``; the transform.
    """
    if zoom == 1:
        return tile
    height, width = (max(1, round(side * zoom)) for side in tile.spex.shape)
    valid = tile.spex.valid.values
    bands = np.stack([np.where(valid, tile[band].values, np.nan).astype(np.float32) for band in tile.spex.bands])
    pixels = resample(bands, (height, width))
    variables: dict[str, Any] = {
        band: (("y", "x"), plane, tile[band].attrs) for band, plane in zip(tile.spex.bands, pixels, strict=True)
    }
    zoomed = xr.Dataset(variables | {"valid": (("y", "x"), np.isfinite(pixels).all(axis=0))}, attrs=tile.attrs)
    crs = tile.spex.crs
    if crs is None:
        return zoomed
    scale = Affine.scale(tile.spex.shape[1] / width, tile.spex.shape[0] / height)
    placed: xr.Dataset = zoomed.rio.write_crs(crs).rio.write_transform(tile.spex.transform @ scale)
    return placed


def resample(layers: Any, shape: tuple[int, int]) -> Any:
    """Return layers float32 [C, H, W] on another number of pixels, float32 [C, h, w]; NaN is no data.

    What shrinks becomes means of the pixels that have data, what grows is interpolated bilinearly.
    """
    from rasterio.warp import reproject

    height, width = layers.shape[1:]
    out = np.full((len(layers), *shape), np.nan, np.float32)
    shrinks = shape[0] * shape[1] < height * width
    reproject(
        np.ascontiguousarray(layers, np.float32),
        out,
        src_transform=Affine.identity(),
        dst_transform=Affine.scale(width / shape[1], height / shape[0]),
        src_crs="EPSG:3857",
        dst_crs="EPSG:3857",  # any one: the two grids share it
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average if shrinks else Resampling.bilinear,
    )
    return out
