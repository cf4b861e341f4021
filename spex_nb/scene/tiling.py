"""A scene cut into overlapping tiles, and their logits blended into one map again, rows of tiles at a time.

It knows no file, no model and no band. The weight of a tile rises from its inner edges as the square of a sine over the
overlap, so that two neighbours always add up to one; edges of the scene itself are not faded. A pixel that one tile
alone knows keeps that tile's logit, whatever its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spex_nb.errors import GridError
from spex_nb.types import Window

FEWEST_PX = 8
"""Nothing can be seen on a smaller tile."""


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


def blend(tiling: Tiling, logits_of: Callable[[Window], Any], layers: int) -> Iterator[tuple[int, Any]]:
    """Blend the logits of overlapping tiles, and give rows of the scene as soon as no later tile touches them.

    Held are the rows of one row of tiles, whatever the height of the scene. Tiles are added in reading order, so that
    the same tiles always give the same bits.

    Args:
        tiling: How the scene is cut.
        logits_of: Gives the logits float32 [T, h, w] of a window, NaN where there is no data; None if it has none.
        layers: T.

    Yields:
        First row, and mask logits float32 [T, rows, W], NaN where no tile says anything.
    """
    rows = _OpenRows(layers, tiling.size[0], tiling.shape[1])
    ends = [*tiling.tops[1:], tiling.shape[0]]
    for top, end in zip(tiling.tops, ends, strict=True):
        for left in tiling.lefts:
            window = (top, left, *tiling.size)
            logits = logits_of(window)
            if logits is not None:
                rows.add(left, logits, tiling.weights(window))
        yield top, rows.close(end - top)


class _OpenRows:
    """Weighted sums of the rows that later tiles may still touch."""

    def __init__(self, layers: int, height: int, width: int) -> None:
        self._sums = np.zeros((layers, height, width), np.float32)
        self._weights = np.zeros((height, width), np.float32)

    def add(self, left: int, logits: Any, weights: Any) -> None:
        columns = slice(left, left + logits.shape[2])
        known = ~np.isnan(logits).any(axis=0)
        counted = np.where(known, weights, np.float32(0))
        self._sums[:, :, columns] += np.where(known, logits, np.float32(0)) * counted
        self._weights[:, columns] += counted

    def close(self, count: int) -> Any:
        """Return the first rows, blended, and forget them."""
        weights = self._weights[:count]
        blended = np.divide(
            self._sums[:, :count], weights, out=np.full_like(self._sums[:, :count], np.nan), where=weights > 0
        )
        for sums in (self._sums, self._weights):
            kept = sums.shape[-2] - count
            sums[..., :kept, :] = sums[..., count:, :].copy()
            sums[..., kept:, :] = 0
        return blended


def in_steps(pieces: Iterable[tuple[int, Any]], step: int) -> Iterator[tuple[int, Any]]:
    """Cut consecutive rows anew, so that each piece [T, rows, W] but the last has ``step`` rows: whole file blocks."""
    waiting: list[Any] = []
    top = held = 0
    for _, piece in pieces:
        waiting.append(piece)
        held += piece.shape[1]
        while held >= step:
            joined = np.concatenate(waiting, axis=1)
            yield top, joined[:, :step]
            top, held, waiting = top + step, held - step, [joined[:, step:]]
    if held:
        yield top, np.concatenate(waiting, axis=1)
