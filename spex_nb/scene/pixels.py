"""Raw pixels to reflectance, a window at a time, whether they lie in a file or in an array."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.windows import Window

from spex_nb.scene.band_source import BandSource
from spex_nb.scene.radiometry import Radiometry, to_reflectance
from spex_nb.scene.rasters import Grid, Reading, lazy_bands, read_window

SAMPLE_SIDE = 64
"""Side of the nine windows whose values are judged."""
REMEMBERED = 4096
"""Lazy arrays whose reading is remembered: the last ones that were opened."""
_readings: OrderedDict[str, Any] = OrderedDict()


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


def _reading_of(bands: Sequence[BandSource], grid: Grid, nodata: float | None) -> Any:
    file = bands[0].file
    if file is None:
        return ArrayReading(tuple(band.array for band in bands))
    onto = None if file.grid.matches(grid) else grid
    return Reading(file.path, tuple(band.index for band in bands), onto, nodata)


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
        Window(left, top, min(SAMPLE_SIDE, grid.width), min(SAMPLE_SIDE, grid.height))
        for top in spread_starts(grid.height, SAMPLE_SIDE)
        for left in spread_starts(grid.width, SAMPLE_SIDE)
    ]
    numbers = np.concatenate([group(window).ravel() for group in groups for window in windows])
    return numbers[np.isfinite(numbers)]


def spread_starts(size: int, side: int) -> list[int]:
    """Return where windows of a side begin that lie at both ends and in the middle."""
    room = max(0, size - side)
    return sorted({0, room // 2, room})


def remember_reading(array: Any, reading: Any) -> None:
    """Remember what a lazy array is read by, so that it can be read on fewer pixels without being computed first."""
    if hasattr(array, "dask"):
        _readings[array.name] = reading
        while len(_readings) > REMEMBERED:
            _readings.popitem(last=False)


def reading_of(array: Any) -> Any:
    """Return what was remembered of a lazy array as it was opened; None of any other, or one that was changed since.

    The name of a dask array stands for what is computed, so that no other array bears it.
    """
    return _readings.get(array.name) if hasattr(array, "dask") else None
