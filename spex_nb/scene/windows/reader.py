"""A scene read window by window: from its file where it carries how, else by dask; neighbouring tiles share chunks.

`read_layers` is the one way in which windows are read: by extraction, by the map at any scale, by the workbench.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from dask import base, threaded
from dask.delayed import delayed
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import UnreadableSourceError, explain_malformed
from spex_nb.scene.windows.area_mask import AreaMask
from spex_nb.scene.windows.pixels import LayerReading, ValidReading, reading_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.scene.windows.tiling import sample_windows
from spex_nb.types import Window

CELL_PX = 256
"""Side of the piece that is lost around a block of a file that cannot be read."""
ROWS_BYTES = 16 * 2**20
"""Most that rows of the whole width take that are looked at together; at least one row."""


def fingerprint_scene(source: SceneSource, scene: xr.Dataset) -> str:
    """Return a hash that tells a scene from another one.

    Args:
        source: Of the scene.
        scene: What the source opens to, bands [H, W].

    Returns:
        32 hexadecimal digits, of the grid, the bands, and the files' size and time; of a Dataset, of the pixels of
        nine small windows.
    """
    facts: list[object] = [scene.spex.bands, scene.spex.shape, str(scene.spex.crs), tuple(scene.spex.transform)]
    if isinstance(source.scene, xr.Dataset):
        facts += [hash_bands(_pixels(scene, window)) for window in sample_windows(scene.spex.shape)]
    else:
        facts += [(str(path), _stamp(path)) for path in source.paths] + [sorted(map(str, source.options.items()))]
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _stamp(path: Any) -> tuple[int, int] | None:
    """Return size and time of a file or folder; None for what is no local path."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a URL is no Path)
    except (OSError, TypeError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def read_layers(scene: xr.Dataset, names: Sequence[str], window: Window, step: int = 1) -> dict[str, NDArray[Any]]:
    """Return layers of a scene, each from where it lies: bands of one file by one read, lazy arrays by one computation.

    Args:
        scene: Bands or other layers [H, W].
        names: Of the layers.
        window: (row, column, height, width) inside the scene.
        step: Every step-th row and column is read, from overviews where a file has them.

    Returns:
        Each layer [ceil(height / step), ceil(width / step)], in memory, in its own type: what computing the layer
        gives.

    Raises:
        UnreadableSourceError: If a file is damaged.
    """
    readings = {name: reading_of(scene[name]) for name in names}
    in_files = {name: reading for name, reading in readings.items() if isinstance(reading, LayerReading)}
    planes = _read_files(in_files, window, step)
    valid = readings.get("valid")
    if isinstance(valid, ValidReading) and valid.bands <= set(in_files):
        finite = [np.isfinite(planes[band]) for band in valid.bands]
        masks = valid.masks_of(file_window(window), step)
        if valid.margin is not None:
            masks.append(valid.margin.has_data({band: planes[band] for band in valid.bands}, *window[:2], step))
        planes["valid"] = np.logical_and.reduce([*finite, *masks])
    planes |= _computed(scene, [name for name in names if name not in planes], window, step)
    return {name: planes[name] for name in names}


def is_as_opened(scene: xr.Dataset) -> bool:
    """Say whether every band and ``valid`` is still the lazy layer that `open_scene` made of a file."""
    if scene.spex.source is None or "valid" not in scene:
        return False
    valid = reading_of(scene["valid"])
    are_read = all(reading_of(scene[band]) is not None for band in scene.spex.bands)
    return are_read and isinstance(valid, ValidReading) and valid.bands == set(scene.spex.bands)


def read_scene(scene: xr.Dataset, window: Window) -> xr.Dataset:
    """Return a window of a scene [height, width], in memory.

    Raises:
        GridError: If the window leaves the scene.
        UnreadableSourceError: If a file is damaged.
    """
    part: xr.Dataset = scene.spex.window(*window)
    return part.copy(data=read_layers(scene, [str(name) for name in part.data_vars], window))


def _pixels(scene: xr.Dataset, window: Window) -> xr.Dataset:
    """Return a window of a scene in memory, without a transform of its own."""
    row, column, height, width = window
    part = scene.isel(y=slice(row, row + height), x=slice(column, column + width))
    return part.copy(data=read_layers(scene, [str(name) for name in part.data_vars], window))


def _read_files(readings: Mapping[str, LayerReading], window: Window, step: int) -> dict[str, NDArray[Any]]:
    groups: dict[int, list[str]] = defaultdict(list)
    for name, reading in readings.items():
        groups[id(reading.group)].append(name)

    def read(names: Sequence[str]) -> Any:
        numbers = [readings[name].number for name in names]
        return readings[names[0]].group.thinned(numbers, step)(file_window(window))

    stacks = _compute([delayed(read, pure=False)(names) for names in groups.values()])
    planes: dict[str, NDArray[Any]] = {}
    for names, stack in zip(groups.values(), stacks, strict=True):
        planes |= dict(zip(names, stack, strict=True))
    return planes


def _computed(scene: xr.Dataset, names: Sequence[str], window: Window, step: int) -> dict[str, NDArray[Any]]:
    """Return layers that are arrays already or that dask computes, which may read them from a damaged store."""
    row, column, height, width = window
    parts = [scene[name].data[row : row + height : step, column : column + width : step] for name in names]
    with explain_malformed(
        UnreadableSourceError,
        "The pixels of the scene cannot be read",
        where=scene.attrs.get("source", "a lazy scene"),
        expected="layers that dask can compute",
        fix="Check that the source was fetched completely, and that scene.compute() works.",
    ):
        return dict(zip(names, _compute(parts), strict=True))


def _compute(parts: Sequence[Any]) -> Sequence[Any]:
    """Let dask compute several things at once, by threads of this process.

    The scheduler is given as a function. The default one would, in a worker of a cluster, be the cluster, which waits
    for this task. And for its name dask would load all of distributed.
    """
    results: Sequence[Any] = base.compute(*parts, scheduler=threaded.get)
    return results


def file_window(window: Window) -> FileWindow:
    """Return a window (row, column, height, width) as rasterio writes it."""
    row, column, height, width = window
    return FileWindow(column, row, width, height)


class BandHash:
    """A hash of all pixels of a scene, fed with consecutive rows; how many at a time does not matter."""

    def __init__(self, bands: Sequence[str]) -> None:
        self._hashes = {band: hashlib.blake2b(band.encode(), digest_size=16) for band in bands}

    def add(self, rows: xr.Dataset) -> None:
        """Add the next rows of all bands [h, W]; what is not valid counts as NaN."""
        valid = rows.spex.valid.values
        for band, digest in self._hashes.items():
            pixels = np.where(valid, rows[band].values.astype(np.float32), np.float32(np.nan))
            digest.update(np.ascontiguousarray(pixels).data)

    def hexdigest(self) -> str:
        """Return the hash of what was added so far."""
        return hashlib.blake2b(
            b"".join(digest.digest() for digest in self._hashes.values()), digest_size=16
        ).hexdigest()


def hash_bands(scene: xr.Dataset) -> str:
    """Return a hash of the pixels of a scene that is in memory."""
    digest = BandHash(scene.spex.bands)
    digest.add(scene)
    return digest.hexdigest()


class SceneReader:
    """Reads windows of one scene into memory.

    Args:
        scene: Bands and ``valid`` [H, W], in chunks of one size where it is lazy; see `open_source`.
        tile_px: (height, width) of the tiles that will be read: chunks under one of them are kept.
        area: The part that is asked for; all of the scene by default.
    """

    def __init__(self, scene: xr.Dataset, tile_px: tuple[int, int], area: AreaMask | None = None) -> None:
        self.scene = scene
        self.area = area
        self._names = [str(name) for name in scene.data_vars]
        self._tile_px = tile_px
        self._canvases: OrderedDict[tuple[int, int], Canvas] = OrderedDict()
        self._most = self._chunks_under_a_tile() if self.scene.spex.is_lazy else 0

    @property
    def held_bytes(self) -> int:
        """What is held at most: a tile, and the chunks under it."""
        tile = self._tile_px[0] * self._tile_px[1] * self._pixel_bytes
        if not self.scene.spex.is_lazy:
            return tile
        return tile + self._most * self._pixel_bytes * int(np.prod([max(ends) for ends in self._chunks]))

    def in_order(self, windows: Iterable[Window]) -> list[Window]:
        """Return windows so that those over the same chunks follow each other."""
        if not self.scene.spex.is_lazy:
            return list(windows)
        side = max(self._chunks[1])
        return sorted(windows, key=lambda window: (window[1] // side, window[0], window[1]))

    def read(self, window: Window, canvas: Canvas | None = None) -> xr.Dataset:
        """Return a window of the scene, in memory.

        Args:
            window: Which.
            canvas: Arrays that a lazy scene is read into, in place of new ones.

        Raises:
            UnreadableSourceError: If a file under it is damaged.
        """
        part: xr.Dataset = self.scene.spex.window(*window)
        if not self.scene.spex.is_lazy:
            return part
        keys = [key for key in self._under(window) if canvas is None or self._is_asked_for(key)]
        return _filled(part, window, ((self._at(key), self._chunk(key)) for key in keys), canvas)

    def read_again(self, window: Window) -> xr.Dataset:
        """Return a window that could not be read, by itself: no chunk around it is read."""
        self.forget()
        return read_scene(self.scene, window)

    def read_what_is_there(self, window: Window, canvas: Canvas | None = None) -> xr.Dataset:
        """Return a window, with no data where its file is damaged."""
        try:
            return self.read(window, canvas)
        except UnreadableSourceError:
            return _filled(self.scene.spex.window(*window), window, self._readable_cells(window), canvas)

    def rows(self) -> Iterator[tuple[int, xr.Dataset]]:
        """Yield the scene in rows of its whole width, each with its first row; no data where a file is damaged.

        Outside of the area that is asked for there is no data either, and chunks that it does not meet are not read.
        Of a lazy scene all pieces share their arrays, so that no piece outlives the next: copy what is to be kept.
        """
        width, bounds = self.scene.spex.shape[1], self._row_bounds
        self.forget()
        self._most = 1  # a chunk is of no use once its rows are copied
        canvas = _canvas(self.scene, (self._tallest, width)) if self.scene.spex.is_lazy else None
        for top, bottom in pairwise(bounds):
            window = (top, 0, bottom - top, width)
            part = self.read_what_is_there(window, canvas)
            part = part if self.area is None else self.area.cut(part, window, in_place=canvas is not None)
            for row in range(0, bottom - top, self.row_step):
                yield top + row, part.isel(y=slice(row, row + self.row_step))
        self.forget()

    def forget(self) -> None:
        """Let go of what was kept for the next window."""
        self._canvases.clear()

    @property
    def row_step(self) -> int:
        """How many rows `rows` gives at most: no more than a chunk has."""
        fitting = max(1, ROWS_BYTES // (self.scene.spex.shape[1] * self._pixel_bytes))
        in_blocks = 1 << (fitting.bit_length() - 1)  # so that a block of a file, of 2 or 64 or 512 rows, is read once
        return int(min(in_blocks, self._tallest))

    @property
    def rows_bytes(self) -> int:
        """What `rows` holds at most: the rows of a chunk, and a chunk; nothing of its own for a scene in memory."""
        if not self.scene.spex.is_lazy:
            return 0
        width = self.scene.spex.shape[1] + int(max(self._chunks[1]))
        return int(self._tallest * width * self._pixel_bytes)

    @property
    def _pixel_bytes(self) -> int:
        return 4 * len(self.scene.spex.bands) + 1

    @property
    def _row_bounds(self) -> Sequence[int]:
        """First row of each row of chunks, and the end of the last."""
        return [*map(int, self._starts[0])] if self.scene.spex.is_lazy else [0, self.scene.spex.shape[0]]

    @property
    def _tallest(self) -> int:
        return int(max(np.diff(self._row_bounds)))

    @cached_property
    def _chunks(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.scene.chunksizes["y"], self.scene.chunksizes["x"]

    @cached_property
    def _starts(self) -> tuple[Any, Any]:
        y, x = self._chunks
        return np.cumsum([0, *y]), np.cumsum([0, *x])

    def _chunks_under_a_tile(self) -> int:
        steps = (-(-tile // max(ends)) + 1 for tile, ends in zip(self._tile_px, self._chunks, strict=True))
        return int(np.prod([*steps]))

    def _under(self, window: Window) -> Iterator[tuple[int, int]]:
        row, col, height, width = window
        first, last = (np.searchsorted(self._starts[0], at, "right") - 1 for at in (row, row + height - 1))
        left, right = (np.searchsorted(self._starts[1], at, "right") - 1 for at in (col, col + width - 1))
        return ((i, j) for i in range(first, last + 1) for j in range(left, right + 1))

    def _is_asked_for(self, key: tuple[int, int]) -> bool:
        """Whether a chunk shares ground with the area."""
        size = self._chunks[0][key[0]], self._chunks[1][key[1]]
        return self.area is None or self.area.meets((*self._at(key), *size))

    def _at(self, key: tuple[int, int]) -> tuple[int, int]:
        return int(self._starts[0][key[0]]), int(self._starts[1][key[1]])

    def _chunk(self, key: tuple[int, int]) -> Canvas:
        if key not in self._canvases:
            window = (*self._at(key), self._chunks[0][key[0]], self._chunks[1][key[1]])
            self._canvases[key] = read_layers(self.scene, self._names, window)
        self._canvases.move_to_end(key)
        while len(self._canvases) > self._most:
            self._canvases.popitem(last=False)
        return self._canvases[key]

    def _readable_cells(self, window: Window) -> Iterator[tuple[tuple[int, int], Canvas]]:
        row, col, height, width = window
        rows, columns = self.scene.spex.shape
        for top in range(row // CELL_PX * CELL_PX, row + height, CELL_PX):
            for left in range(col // CELL_PX * CELL_PX, col + width, CELL_PX):
                cell = (top, left, min(CELL_PX, rows - top), min(CELL_PX, columns - left))
                try:
                    yield (top, left), read_layers(self.scene, self._names, cell)
                except UnreadableSourceError:  # it was reported when its tile failed
                    continue


Canvas = Mapping[str, NDArray[Any]]
"""An array [H, W] for each variable of a scene."""


def _canvas(scene: xr.Dataset, shape: tuple[int, int]) -> Canvas:
    return {str(name): np.empty(shape, layer.dtype) for name, layer in scene.data_vars.items()}


def _filled(
    part: xr.Dataset, window: Window, pieces: Iterable[tuple[tuple[int, int], Canvas]], canvas: Canvas | None
) -> xr.Dataset:
    """Return a part of a scene with its pixels from pieces that may reach beyond it; no data where there is none."""
    row, col, height, width = window
    pixels = {name: array[:height] for name, array in (canvas or _canvas(part, (height, width))).items()}
    for array in pixels.values():
        array[...] = np.nan if array.dtype.kind == "f" else 0
    for (top, left), piece in pieces:
        rows, columns = next(iter(piece.values())).shape
        bottom, right = min(row + height, top + rows), min(col + width, left + columns)
        first, start = max(row, top), max(col, left)
        here = slice(first - row, bottom - row), slice(start - col, right - col)
        there = slice(first - top, bottom - top), slice(start - left, right - left)
        for name, array in pixels.items():
            array[here] = piece[name][there]
    return part.copy(data=pixels)
