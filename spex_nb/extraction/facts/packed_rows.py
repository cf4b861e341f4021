"""Rows of a layer, packed as they come: the layer of a large scene takes a tenth of its size in memory."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.scene.open import EAGER_BYTES

LEVEL = 1
"""Of zlib. Doubt is none in most pixels, so that the fastest level packs it well."""


class PackedRows:
    """A uint8 layer [H, W] that grows from its first row on.

    Args:
        width: Of the layer.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._parts: list[bytes] = []
        self._heights: list[int] = []

    def add(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows [h, W]."""
        self._parts.append(zlib.compress(rows.tobytes(), LEVEL))
        self._heights.append(len(rows))

    def unpack(self) -> NDArray[np.uint8]:
        """Return the layer [H, W]."""
        layer = np.empty((sum(self._heights), self._width), np.uint8)
        top = 0
        for number, height in enumerate(self._heights):
            layer[top : top + height] = self._rows(number)
            top += height
        return layer

    def array(self) -> Any:
        """Return the layer [H, W]: unpacked where it is small, else as a dask array that unpacks what is asked for."""
        if sum(self._heights) * self._width <= EAGER_BYTES:
            return self.unpack()
        import dask.array as da

        chunks = (tuple(self._heights), (self._width,))
        return da.map_blocks(self._block, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))

    def _block(self, block_info: Any = None) -> NDArray[np.uint8]:
        return self._rows(block_info[None]["chunk-location"][0])

    def _rows(self, number: int) -> NDArray[np.uint8]:
        """Return the rows [h, W] that were added as this one, from 0 on."""
        rows = np.frombuffer(zlib.decompress(self._parts[number]), np.uint8)
        return rows.reshape(self._heights[number], self._width)
