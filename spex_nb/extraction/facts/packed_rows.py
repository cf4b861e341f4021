"""Rows of a layer, packed as they come: while strips of a large scene are in memory, the layer takes a tenth of it."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

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
        for part, height in zip(self._parts, self._heights, strict=True):
            layer[top : top + height] = np.frombuffer(zlib.decompress(part), np.uint8).reshape(height, self._width)
            top += height
        return layer
