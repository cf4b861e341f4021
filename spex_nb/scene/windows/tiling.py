"""A scene cut into overlapping tiles, and the weight of each pixel of a tile.

The module knows no file, no model and no band. The weight of a tile rises from its inner edges as the square of a sine
over the overlap, so that two neighbours always add up to one. Edges of the scene itself are not faded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spex_nb.errors import GridError
from spex_nb.types import Window

FEWEST_PX = 8
"""Nothing can be seen on a smaller tile."""
SAMPLE_SIDE = 64
"""Side of the nine windows whose values are judged."""


@dataclass(frozen=True)
class Tiling:
    """How a scene is cut.

    Attributes:
        shape: (height, width) of the scene, in pixels.
        tile_px: Side of a tile; a scene that is smaller is one tile.
        overlap_px: How far neighbours overlap at least. The last tile of a row or column is moved inwards to end at the
            edge, so that all tiles are whole.

    Raises:
        GridError: If the numbers make no sense together.
    """

    shape: tuple[int, int]
    tile_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.tile_px < FEWEST_PX or not 0 <= self.overlap_px <= self.tile_px // 2:
            raise GridError(
                "The scene cannot be cut into tiles like this",
                found=f"a scene of {self.shape} px, tile_px={self.tile_px}, overlap_px={self.overlap_px}",
                expected=f"tiles of {FEWEST_PX} px or more that overlap by half their side at most",
                fix="Correct tile_px or overlap_px, or leave them out.",
            )

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of every tile."""
        return min(self.tile_px, self.shape[0]), min(self.tile_px, self.shape[1])

    @cached_property
    def tops(self) -> list[int]:
        """First row of each row of tiles."""
        return self._starts(0)

    @cached_property
    def lefts(self) -> list[int]:
        """First column of each column of tiles."""
        return self._starts(1)

    @cached_property
    def windows(self) -> list[Window]:
        """Every tile, in reading order."""
        return [(top, left, *self.size) for top in self.tops for left in self.lefts]

    def weights(self, window: Window) -> Any:
        """Return how much each pixel of a tile counts: float32 [h, w], above 0 and up to 1."""
        row, col, height, width = window
        down = self._fade(row, height, self.shape[0])
        across = self._fade(col, width, self.shape[1])
        return down[:, None] * across

    def _starts(self, axis: int) -> list[int]:
        last = self.shape[axis] - self.size[axis]
        return sorted({*range(0, last, self.tile_px - self.overlap_px), last})

    def _fade(self, start: int, length: int, end: int) -> Any:
        """Return the weights along one side: rising from an inner edge, falling to one."""
        weights = np.ones(length, np.float32)
        steps = min(self.overlap_px, length)
        rising = np.sin(np.pi / 2 * (np.arange(steps) + 0.5) / max(steps, 1)).astype(np.float32) ** 2
        if start > 0:
            weights[:steps] *= rising
        if start + length < end:
            weights[length - steps :] *= rising[::-1]
        return weights


def sample_windows(size: tuple[int, int]) -> list[Window]:
    """Return the nine small windows of a scene (height, width) whose values are judged; fewer where they coincide."""
    height, width = size
    rows, columns = min(SAMPLE_SIDE, height), min(SAMPLE_SIDE, width)
    return [
        (top, left, rows, columns)
        for top in spread_starts(height, SAMPLE_SIDE)
        for left in spread_starts(width, SAMPLE_SIDE)
    ]


def spread_starts(size: int, side: int) -> list[int]:
    """Return where windows of a side begin that lie at both ends and in the middle."""
    room = max(0, size - side)
    return sorted({0, room // 2, room})
