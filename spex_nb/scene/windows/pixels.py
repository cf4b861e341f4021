"""Raw pixels to reflectance, and which of them count, a window at a time; from a file or from an array."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.windows import Window

from spex_nb.scene.band_source import BandSource
from spex_nb.scene.grid import Grid
from spex_nb.scene.margins import Margin
from spex_nb.scene.radiometry import Radiometry, to_reflectance
from spex_nb.scene.windows.rasters import Reading, lazy_bands, read_window
from spex_nb.scene.windows.tiling import sample_windows

READING = "spex_reading"
"""Key of the encoding of a lazy layer under which `LayerReading` or `ValidReading` stands."""


@dataclass(frozen=True)
class ArrayReading:
    """Reads windows of arrays [H, W] as a file would be read."""

    planes: tuple[Any, ...]

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [C, H, W] of a window."""
        rows, cols = window.toslices()
        return np.stack([np.asarray(plane[rows, cols]) for plane in self.planes])


@dataclass(frozen=True)
class PixelMask:
    """Reads where a file says that it has data: its mask, or its alpha band."""

    reading: Reading
    kind: str

    def __call__(self, window: Window) -> Any:
        """Return bool [1, H, W] of a window."""
        return self.reading(window) > 0 if self.kind == "alpha" else self.reading.mask(window)


@dataclass(frozen=True)
class BandGroup:
    """Bands that are read together and turned into reflectance."""

    names: tuple[str, ...]
    reading: Any
    settings: tuple[Radiometry, ...]
    nodata: tuple[float | None, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        bands: Mapping[str, BandSource],
        settings: Mapping[str, Radiometry],
        grid: Grid,
        nodata: Mapping[str, float | None],
    ) -> BandGroup:
        """Return the group of the named bands, brought onto a grid."""
        chosen = [bands[name] for name in names]
        numbers = tuple(nodata[name] for name in names)
        return cls(tuple(names), _reading_of(chosen, grid, numbers[0]), tuple(settings[n] for n in names), numbers)

    def thinned(self, numbers: Sequence[int], step: int) -> BandGroup:
        """Return some bands of a group that lies in a file, read at every step-th row and column.

        Args:
            numbers: Of the bands within the group, from 0.
            step: 1 reads every pixel.
        """
        return BandGroup(
            tuple(self.names[i] for i in numbers),
            self.reading.thinned(numbers, step),
            tuple(self.settings[i] for i in numbers),
            tuple(self.nodata[i] for i in numbers),
        )

    @property
    def has_overviews(self) -> bool:
        """Whether the file of the bands holds itself on fewer pixels too."""
        return bool(self.reading.has_overviews)

    def __call__(self, window: Window) -> Any:
        """Return float32 reflectance [C, H, W] of a window, NaN where there is no data."""
        return to_reflectance(self.reading(window), self.settings, self.nodata)


@dataclass(frozen=True)
class ResampledArray:
    """Reads windows of one array [H, W] on another grid, by the same warp as a file: it is kept as one in memory."""

    plane: Any
    own_grid: Grid
    reading: Reading

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [1, H, W] of a window."""
        return replace(self.reading, path=self._file.name)(window)

    @cached_property
    def _file(self) -> MemoryFile:
        """The array as a raster that GDAL reads; made once, and again in another process."""
        numbers, grid = np.asarray(self.plane), self.own_grid
        file = MemoryFile(ext=".tif")
        size = {"height": grid.height, "width": grid.width, "count": 1}
        with file.open(driver="GTiff", dtype=numbers.dtype, crs=grid.crs, transform=grid.transform, **size) as raster:
            raster.write(numbers, 1)
        weakref.finalize(self, file.close)
        return file

    def __getstate__(self) -> dict[str, Any]:
        """Leave the file in memory behind: another process makes its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_file"}


def _reading_of(bands: Sequence[BandSource], grid: Grid, nodata: float | None) -> Any:
    file = bands[0].file
    if file is None:
        first = bands[0]
        if not first.grid.matches(grid):
            return ResampledArray(first.array, first.grid, Reading("", (1,), grid, nodata))
        return ArrayReading(tuple(band.array for band in bands))
    return Reading(file.path, tuple(band.index for band in bands), file.onto(grid), nodata)


def stack_of(group: BandGroup, size: tuple[int, int], chunks: tuple[int, int] | None) -> Any:
    """Return the reflectance [C, H, W] of a group: read now, or lazily in chunks."""
    if chunks is None:
        return read_window(group, *size)
    planes = group.reading.planes if isinstance(group.reading, ArrayReading) else ()
    if any(hasattr(plane, "dask") for plane in planes):
        return _lazy_stack(group, planes)
    return lazy_bands(group, len(group.names), np.float32, size, chunks)


def _lazy_stack(group: BandGroup, planes: Sequence[Any]) -> Any:
    import dask.array as da

    raw = da.stack(planes).rechunk({0: len(planes)})
    return raw.map_blocks(to_reflectance, group.settings, group.nodata, dtype=np.float32)


def sample_of(groups: Sequence[BandGroup], grid: Grid) -> Any:
    """Return valid reflectance of nine small windows spread over the scene, as one flat array."""
    windows = [
        Window(left, top, width, height) for top, left, height, width in sample_windows((grid.height, grid.width))
    ]
    numbers = np.concatenate([group(window).ravel() for group in groups for window in windows])
    return numbers[np.isfinite(numbers)]


@dataclass(frozen=True)
class LayerReading:
    """How one lazy layer [H, W] is read from its file.

    It rides in the encoding of the layer, so that copies, selections of bands and pickles carry it. It holds only while
    the layer is the array that was opened. The name of the dask array tells that, since it stands for what is computed.
    """

    array_name: str
    group: Any
    """A `BandGroup`, or a `Reading` of numbers that stay as they are."""
    number: int


@dataclass(frozen=True)
class ValidReading:
    """How a lazy ``valid`` [H, W] is read: where all bands have data, and every mask says so too."""

    array_name: str
    bands: frozenset[str]
    masks: tuple[Any, ...]
    margin: Margin | None = None

    def masks_of(self, window: Window, step: int = 1) -> list[NDArray[np.bool_]]:
        """Return what each mask says of every step-th pixel of a window, bool [h, w]."""
        return [replace(mask, reading=replace(mask.reading, step=step))(window)[0] for mask in self.masks]


def paths_of(reading: Any) -> tuple[str, ...]:
    """Return the rasters that `LayerReading` or `ValidReading` reads; none of anything else."""
    if isinstance(reading, LayerReading):
        return (getattr(reading.group, "reading", reading.group).path,)
    return tuple(mask.reading.path for mask in reading.masks) if isinstance(reading, ValidReading) else ()


def reading_of(layer: xr.DataArray) -> Any:
    """Return how a lazy layer is read from its file; None of other layers, and of one that was changed since."""
    reading = layer.encoding.get(READING)
    if reading is None or layer.chunks is None or layer.data.name != reading.array_name:
        return None
    return reading
