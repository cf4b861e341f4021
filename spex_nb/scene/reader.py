"""A scene read window by window: chunks of a lazy one are computed once and kept while neighbouring tiles need them."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from dask import threaded

from spex_nb.errors import UnreadableSourceError
from spex_nb.scene.open import open_scene
from spex_nb.scene.pixels import spread_starts
from spex_nb.types import Window

CHUNKS_PX = (512, 2048)
"""Of scenes that are opened here: whole blocks of most files, and few rows, so that neighbouring tiles fit memory."""
CELL_PX = 256
"""What is lost around a block of a file that cannot be read."""
ROWS_BYTES = 16 * 2**20
"""Rows of the whole width that are looked at together take no more, and no fewer than one row."""
SAMPLE_PX = 64


@dataclass(frozen=True)
class SceneSource:
    """Where a scene comes from: a Dataset, or what `open_scene` is to be called with. Travels to workers."""

    scene: Any
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Path of the scene, or what it says of its source."""
        if isinstance(self.scene, xr.Dataset):
            return str(self.scene.attrs.get("source", "a Dataset"))
        return ", ".join(map(str, self._paths))

    @property
    def _paths(self) -> Sequence[Any]:
        return [self.scene] if isinstance(self.scene, str | Path) else list(self.scene)

    def open(self, chunks: tuple[int, int] = CHUNKS_PX) -> xr.Dataset:
        """Return the bands and ``valid``, and nothing else; lazily where they come from files."""
        if isinstance(self.scene, xr.Dataset):
            scene = self.scene.assign(valid=self.scene.spex.valid)
        else:
            scene = open_scene(self.scene, **({"chunks": chunks} | self.options))
        kept = scene[[*scene.spex.bands, "valid"]]
        return kept.unify_chunks() if kept.spex.is_lazy else kept

    def fingerprint(self, scene: xr.Dataset) -> str:
        """Return what tells this scene from another one: grid, bands, and the files' size and time or some pixels."""
        known: list[object] = [scene.spex.bands, scene.spex.shape, str(scene.spex.crs), tuple(scene.spex.transform)]
        if isinstance(self.scene, xr.Dataset):
            windows = [window.compute() for window in _spread_windows(scene)]
            known += [hash_bands(window) for window in windows]
        else:
            known += [(str(path), _stamp(path)) for path in self._paths] + [sorted(map(str, self.options.items()))]
        return hashlib.blake2b(repr(known).encode(), digest_size=16).hexdigest()


def _stamp(path: Any) -> tuple[int, int] | None:
    """Return size and time of a file or folder; None for what is no local path."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a URL is no Path)
    except (OSError, TypeError):
        return None
    return found.st_size, found.st_mtime_ns


def _spread_windows(scene: xr.Dataset) -> Iterator[xr.Dataset]:
    height, width = (min(SAMPLE_PX, side) for side in scene.spex.shape)
    for top in spread_starts(scene.spex.shape[0], SAMPLE_PX):
        for left in spread_starts(scene.spex.shape[1], SAMPLE_PX):
            yield scene.spex.window(top, left, height, width)


class BandHash:
    """A hash of all pixels of a scene, fed with consecutive rows; how many at a time does not matter."""

    def __init__(self, bands: Sequence[str]) -> None:
        self._hashes = {band: hashlib.blake2b(band.encode(), digest_size=16) for band in bands}

    def add(self, rows: xr.Dataset) -> None:
        """Add the next rows of all bands [h, W]; what is not valid counts as NaN."""
        valid = rows.spex.valid.values
        for band, one in self._hashes.items():
            pixels = np.where(valid, rows[band].values.astype(np.float32), np.float32(np.nan))
            one.update(np.ascontiguousarray(pixels).data)

    def hexdigest(self) -> str:
        """Return the hash of what was added so far."""
        return hashlib.blake2b(b"".join(one.digest() for one in self._hashes.values()), digest_size=16).hexdigest()


def hash_bands(scene: xr.Dataset) -> str:
    """Return a hash of the pixels of a scene that is in memory."""
    made = BandHash(scene.spex.bands)
    made.add(scene)
    return made.hexdigest()


class SceneReader:
    """Reads windows of one scene into memory.

    Args:
        source: The scene.
        tile_px: (height, width) of the tiles that will be asked for: chunks under one of them are kept.
        scene: The same, where it is open already.
    """

    def __init__(self, source: SceneSource, tile_px: tuple[int, int], scene: xr.Dataset | None = None) -> None:
        self._source = source
        self.scene = source.open() if scene is None else scene
        self._tile_px = tile_px
        self._kept: OrderedDict[tuple[int, int], xr.Dataset] = OrderedDict()
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
        return _filled(part, window, ((self._at(key), self._chunk(key)) for key in self._under(window)), canvas)

    def read_again(self, window: Window) -> xr.Dataset:
        """Return a window that could not be read, from the scene opened anew in small pieces."""
        self.forget()
        part: xr.Dataset = self._in_cells.spex.window(*window)
        return part.compute(scheduler=threaded.get)

    def read_what_is_there(self, window: Window, canvas: Canvas | None = None) -> xr.Dataset:
        """Return a window, with no data where its file is damaged."""
        try:
            return self.read(window, canvas)
        except UnreadableSourceError:
            return _filled(self._in_cells.spex.window(*window), window, self._readable_cells(window), canvas)

    def rows(self) -> Iterator[tuple[int, xr.Dataset]]:
        """Yield the scene in rows of its whole width, each with its first row; no data where a file is damaged.

        Of a lazy scene all pieces share their arrays, so that no piece outlives the next: copy what is to be kept.
        """
        width, bounds = self.scene.spex.shape[1], self._row_bounds
        self.forget()
        self._most = 1  # a chunk is of no use once its rows are copied
        canvas = _canvas(self.scene, (self._tallest, width)) if self.scene.spex.is_lazy else None
        for top, bottom in pairwise(bounds):
            part = self.read_what_is_there((top, 0, bottom - top, width), canvas)
            for row in range(0, bottom - top, self.row_step):
                yield top + row, part.isel(y=slice(row, row + self.row_step))
        self.forget()

    def forget(self) -> None:
        """Let go of what was kept for the next window."""
        self._kept.clear()

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

    @cached_property
    def _in_cells(self) -> xr.Dataset:
        return self._source.open((CELL_PX, CELL_PX))

    def _under(self, window: Window) -> Iterator[tuple[int, int]]:
        row, col, height, width = window
        first, last = (np.searchsorted(self._starts[0], at, "right") - 1 for at in (row, row + height - 1))
        left, right = (np.searchsorted(self._starts[1], at, "right") - 1 for at in (col, col + width - 1))
        return ((i, j) for i in range(first, last + 1) for j in range(left, right + 1))

    def _at(self, key: tuple[int, int]) -> tuple[int, int]:
        return int(self._starts[0][key[0]]), int(self._starts[1][key[1]])

    def _chunk(self, key: tuple[int, int]) -> xr.Dataset:
        if key not in self._kept:
            top, left = self._at(key)
            rows, columns = slice(top, top + self._chunks[0][key[0]]), slice(left, left + self._chunks[1][key[1]])
            # Not by the default scheduler: in a cluster's worker that would be the cluster, which waits for this task.
            # And not by the name of this one, for which dask would load all of distributed.
            self._kept[key] = self.scene.isel(y=rows, x=columns).compute(scheduler=threaded.get)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _readable_cells(self, window: Window) -> Iterator[tuple[tuple[int, int], xr.Dataset]]:
        row, col, height, width = window
        for top in range(row // CELL_PX * CELL_PX, row + height, CELL_PX):
            for left in range(col // CELL_PX * CELL_PX, col + width, CELL_PX):
                cell = self._in_cells.isel(y=slice(top, top + CELL_PX), x=slice(left, left + CELL_PX))
                try:
                    yield (top, left), cell.compute(scheduler=threaded.get)
                except UnreadableSourceError:  # it was reported when its tile failed
                    continue


Canvas = Mapping[str, Any]
"""An array [H, W] for each variable of a scene."""


def _canvas(scene: xr.Dataset, shape: tuple[int, int]) -> Canvas:
    return {str(name): np.empty(shape, layer.dtype) for name, layer in scene.data_vars.items()}


def _filled(
    part: xr.Dataset, window: Window, pieces: Iterable[tuple[tuple[int, int], xr.Dataset]], canvas: Canvas | None
) -> xr.Dataset:
    """Return a part of a scene with its pixels from pieces that may reach beyond it; no data where there is none."""
    row, col, height, width = window
    pixels = {name: array[:height] for name, array in (canvas or _canvas(part, (height, width))).items()}
    for array in pixels.values():
        array[...] = np.nan if array.dtype.kind == "f" else 0
    for (top, left), piece in pieces:
        bottom, right = min(row + height, top + piece.sizes["y"]), min(col + width, left + piece.sizes["x"])
        first, start = max(row, top), max(col, left)
        here = slice(first - row, bottom - row), slice(start - col, right - col)
        there = slice(first - top, bottom - top), slice(start - left, right - left)
        for name, array in pixels.items():
            array[here] = piece[name].values[there]
    return part.copy(data=pixels)
