"""The exact share of each pixel that a polygon covers, a block of pixels at a time.

Each edge is cut where it crosses the lines of the pixel grid. A piece then lies in one pixel. It covers that pixel in
part, and all pixels to its right as high as it is, with the sign of its direction. The sum along each row is the share.
Source of the method: the signed areas of R. Levien's font-rs (2016) and of stb_truetype, there for letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.types import Window

BLOCK_CELLS = 2**20
"""Pixels of a block at most, but for one row."""


@dataclass(frozen=True)
class CoverageBlock:
    """The share of each pixel of a window that a polygon covers.

    Attributes:
        window: (row, column, height, width).
        shares: float64 [height, width], from 0 to 1.
    """

    window: Window
    shares: NDArray[np.float64]


def pixel_coverage(polygon: Any, shape: tuple[int, int]) -> Iterator[CoverageBlock]:
    """Yield the share of each pixel that a polygon covers, block after block from the top.

    Memory grows with the outline of the polygon and with `BLOCK_CELLS`, not with its area.

    Args:
        polygon: A valid shapely polygon or multipolygon in pixels, x to the right and y down.
        shape: (height, width) of the grid; what lies outside of it is left out.
    """
    import shapely

    window = _window_of(shapely.bounds(polygon), shape)
    if window is None:
        return
    top, left, height, width = window
    pieces = _Pieces.of(_edges(polygon) - np.array([left, top, left, top]), height, width)
    step = max(1, BLOCK_CELLS // width)
    for row in range(0, height, step):
        rows = min(step, height - row)
        yield CoverageBlock((top + row, left, rows, width), pieces.shares(row, rows, width))


def _window_of(bounds: NDArray[np.float64], shape: tuple[int, int]) -> Window | None:
    """Return the pixels within some bounds; None if there are none."""
    if not np.isfinite(bounds).all():
        return None
    height, width = shape
    left, top = (int(max(0, np.floor(low))) for low in bounds[:2])
    right, bottom = (int(min(size, np.ceil(high))) for size, high in zip((width, height), bounds[2:], strict=True))
    return (top, left, bottom - top, right - left) if top < bottom and left < right else None


def _edges(polygon: Any) -> NDArray[np.float64]:
    """Return the edges of a polygon, float64 [N, 4] of (x, y) to (x, y), with the polygon on one side of all."""
    import shapely

    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(polygon)))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges: NDArray[np.float64] = np.concatenate([points[:-1], points[1:]], axis=1)[ring[:-1] == ring[1:]]
    return edges


@dataclass(frozen=True)
class _Pieces:
    """Pieces of edges that lie in one pixel each, row by row.

    Attributes:
        row, column: int64 [N], the pixel.
        cover: float64 [N], height of the piece, with the sign of its direction.
        right: float64 [N], share of the pixel's width that lies left of the middle of the piece.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    cover: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, edges: NDArray[np.float64], height: int, width: int) -> _Pieces:
        """Cut edges at the lines of a grid. What lies left of it counts as its left side."""
        x, y = _cut(edges, height, width)
        x = x.clip(0, width)
        middle_x, middle_y = x.mean(axis=1), y.mean(axis=1)
        cover = y[:, 0] - y[:, 1]
        counts = (cover != 0) & (middle_y > 0) & (middle_y < height) & (middle_x < width)
        order = np.flatnonzero(counts)[np.argsort(middle_y[counts], kind="stable")]
        column = np.floor(middle_x[order])
        return cls(
            np.floor(middle_y[order]).astype(np.int64),
            column.astype(np.int64),
            cover[order],
            middle_x[order] - column,
        )

    def shares(self, top: int, height: int, width: int) -> NDArray[np.float64]:
        """Return the share of each pixel in some rows, float64 [height, width]."""
        here = slice(*np.searchsorted(self.row, (top, top + height)))
        place = (self.row[here] - top) * (width + 1) + self.column[here]
        cover = self.cover[here]
        beyond = cover * self.right[here]
        places, weights = np.concatenate([place, place + 1]), np.concatenate([cover - beyond, beyond])
        sums = np.asarray(np.bincount(places, weights, height * (width + 1)), np.float64)
        changes = sums.reshape(height, width + 1)
        shares: NDArray[np.float64] = np.cumsum(changes, axis=1, out=changes)[:, :-1]
        return shares


def _cut(edges: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the x and the y of both ends of all pieces, float64 [N, 2] each."""
    x0, y0, x1, y1 = edges.T
    by_x, line_x = _lines_between(x0, x1, width)
    by_y, line_y = _lines_between(y0, y1, height)
    at_x, at_y = (line_x - x0[by_x]) / (x1 - x0)[by_x], (line_y - y0[by_y]) / (y1 - y0)[by_y]
    every = np.arange(len(edges))
    number = np.concatenate([every, by_x, by_y, every])
    along = np.concatenate([np.zeros(len(edges)), at_x, at_y, np.ones(len(edges))])
    x = np.concatenate([x0, line_x, x0[by_y] + at_y * (x1 - x0)[by_y], x1])
    y = np.concatenate([y0, y0[by_x] + at_x * (y1 - y0)[by_x], line_y, y1])
    order = np.lexsort((along, number))
    goes_on = number[order[:-1]] == number[order[1:]]
    ends = np.stack([order[:-1][goes_on], order[1:][goes_on]], axis=1)
    return x[ends], y[ends]


def _lines_between(
    start: NDArray[np.float64], end: NDArray[np.float64], last: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the whole numbers from 0 to ``last`` that lie between two ends, and the number of the edge of each."""
    lowest = (np.floor(np.minimum(start, end)) + 1).clip(0, last + 1).astype(np.int64)
    highest = (np.ceil(np.maximum(start, end)) - 1).clip(-1, last).astype(np.int64)
    counts = (highest - lowest + 1).clip(0)
    edge = np.repeat(np.arange(len(start)), counts)
    first = np.cumsum(counts) - counts
    return edge, (lowest[edge] + np.arange(len(edge)) - first[edge]).astype(np.float64)
