"""Logits of overlapping tiles blended into one map, rows of tiles at a time.

A pixel is the weighted mean of the tiles that know it. A pixel that only one tile knows keeps the logit of that tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from spex_nb.scene.windows.tiling import Tiling
from spex_nb.types import Window


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
        has_data = ~np.isnan(logits).any(axis=0)
        counted = np.where(has_data, weights, np.float32(0))
        self._sums[:, :, columns] += np.where(has_data, logits, np.float32(0)) * counted
        self._weights[:, columns] += counted

    def close(self, count: int) -> Any:
        """Return the first rows, blended, and forget them."""
        weights = self._weights[:count]
        blended = np.divide(
            self._sums[:, :count], weights, out=np.full_like(self._sums[:, :count], np.nan), where=weights > 0
        )
        for sums in (self._sums, self._weights):
            rows_left = sums.shape[-2] - count
            sums[..., :rows_left, :] = sums[..., count:, :].copy()
            sums[..., rows_left:, :] = 0
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
