"""Runs of pixels, and the regions that they make: a scene of any size with many regions takes little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spex_nb.types import Rectangle

BLOCK_PX = 2**20
"""Pixels whose runs are looked for, joined and painted at a time."""


def label_runs(pixels: Any, connectivity: int) -> tuple[Any, Any]:
    """Return the runs of a mask, int32 [N, 3] in reading order, and the number of the region of each, from 0.

    Regions are numbered by their first pixel in reading order. Blocks of rows are labelled one by one and joined at
    their seams: beside the mask, memory goes with the number of runs, a few bytes each.
    """
    height, width = pixels.shape
    rows = max(1, BLOCK_PX // (width + 1))
    tops = range(0, max(height, 1), rows)
    blocks = [_runs(pixels[top : top + rows], top) for top in tops]
    reach = 1 if connectivity == 8 else 0  # noqa: PLR2004
    numbers, count = [], 0
    for runs in blocks:
        own = joined(len(runs), *touching(runs, reach)) + np.int32(count)
        numbers.append(own)
        count = int(own.max(initial=count - 1)) + 1
    runs, parts = np.concatenate(blocks), np.concatenate(numbers)
    return runs, joined(count, *parts[_seams(runs, tops[1:], reach)])[parts]


def _runs(pixels: Any, top: int) -> Any:
    """Return the runs of some rows, the first of which is ``top``."""
    height, width = pixels.shape
    edges = np.zeros((height, width + 1), bool)  # where a run begins or ends
    if width:
        edges[:, 0], edges[:, -1] = pixels[:, 0], pixels[:, -1]
        np.not_equal(pixels[:, 1:], pixels[:, :-1], out=edges[:, 1:-1])
    at = np.flatnonzero(edges)
    rows, columns = at // (width + 1), at % (width + 1)
    return np.stack([rows[::2] + top, columns[::2], columns[1::2]], 1).astype(np.int32)


def touching(runs: Any, reach: int) -> Any:
    """Return pairs of runs of neighbouring rows, int [2, M], that meet or pass each other by ``reach``."""
    row, first, end = runs.astype(np.int64).T
    span = end.max(initial=0) + 2  # no run of one row reaches into the keys of the next
    begin = np.searchsorted(row * span + end, (row + 1) * span + first - reach, side="right")
    stop = np.searchsorted(row * span + first, (row + 1) * span + end + reach, side="left")
    counts = np.maximum(stop - begin, 0)
    starts = np.cumsum(counts) - counts
    below = np.arange(counts.sum()) + np.repeat(begin - starts, counts)
    return np.stack([np.repeat(np.arange(len(runs)), counts), below])


def _seams(runs: Any, tops: Sequence[int], reach: int) -> Any:
    """Return the pairs of runs, int [2, M], that touch each other over the upper edges of blocks."""
    pairs = [np.empty((2, 0), np.int64)]
    for top in tops:
        here = slice(*np.searchsorted(runs[:, 0], (top - 1, top + 1)))
        pairs.append(touching(runs[here], reach) + here.start)
    return np.concatenate(pairs, axis=1)


def joined(count: int, one: Any, other: Any) -> Any:
    """Number what hangs together among ``count`` things, int32 [count], by its first one."""
    from scipy import sparse

    graph = sparse.coo_array((np.ones(len(one), bool), (one, other)), shape=(count, count))
    return sparse.csgraph.connected_components(graph, directed=False)[1]


def pixel_positions(runs: Any, width: int) -> Any:
    """Return the positions of all pixels of some runs in the flattened [H, W]."""
    first, lengths = runs[:, 0].astype(np.int64) * width + runs[:, 1], (runs[:, 2] - runs[:, 1]).astype(np.int64)
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)


def paint_runs(runs: Any, values: Any, shape: tuple[int, int]) -> Any:
    """Return uint8 [H, W] that holds a value on the pixels of each run, and 0 elsewhere; runs do not overlap.

    Args:
        runs: int [N, 3], in any order.
        values: Of each run 0..255, or one for all.
        shape: (height, width).
    """
    painted = np.empty(shape, np.uint8)
    for top, rows in painted_rows(runs, values, shape):
        painted[top : top + len(rows)] = rows
    return painted


def painted_rows(runs: Any, values: Any, shape: tuple[int, int]) -> Iterator[tuple[int, Any]]:
    """Yield what `paint_runs` returns, some rows at a time, each with the first of them."""
    height, width = shape
    order = np.argsort(runs[:, 0], kind="stable")
    row, first, end = runs[order].T
    steps = np.broadcast_to(np.asarray(values, np.int16), len(runs))[order]
    rows = max(1, BLOCK_PX // (width + 1))
    for top in range(0, height, rows):
        here = slice(*np.searchsorted(row, (top, top + rows)))
        edges = np.zeros((min(rows, height - top), width + 1), np.int16)
        edges[row[here] - top, first[here]] += steps[here]
        edges[row[here] - top, end[here]] -= steps[here]
        yield top, np.cumsum(edges, axis=1, dtype=np.int16, out=edges)[:, :-1].astype(np.uint8)


class RegionSums:
    """Means and spreads of layers of values inside regions, gathered from rows that are never in memory together.

    Args:
        runs: Of each region, int [N, 3].
        names: Of the layers.
    """

    def __init__(self, runs: Sequence[Any], names: Sequence[str]) -> None:
        joined = np.concatenate([np.empty((0, 3), np.int32), *runs])
        numbers = np.repeat(np.arange(len(runs), dtype=np.int32), [len(own) for own in runs])
        order = np.argsort(joined[:, 0], kind="stable")
        self._runs, self._numbers = joined[order], numbers[order]
        self._sums = {name: np.zeros((3, len(runs))) for name in names}

    def add(self, top: int, layers: Mapping[str, Any]) -> None:
        """Add the rows from ``top`` on: float [h, W] of each layer, NaN where undefined."""
        if not self._sums:
            return
        height, width = layers[next(iter(self._sums))].shape
        here = slice(*np.searchsorted(self._runs[:, 0], (top, top + height)))
        runs, numbers = self._runs[here] - np.array([top, 0, 0], np.int32), self._numbers[here]
        if not len(runs):
            return
        positions = pixel_positions(runs, width)
        starts = np.concatenate([[0], np.cumsum(runs[:-1, 2] - runs[:-1, 1])])
        for name, sums in self._sums.items():
            inside = layers[name].ravel()[positions].astype(np.float64)
            known = np.isfinite(inside)
            inside[~known] = 0
            for i, one in enumerate((known, inside, inside**2)):
                of_runs = np.add.reduceat(one, starts, dtype=np.float64)
                sums[i] += np.bincount(numbers, weights=of_runs, minlength=len(sums[i]))

    def means(self, name: str) -> Any:
        """Return the mean of a layer in each region: float64 [N], NaN where nothing is known."""
        count, total, _ = self._sums[name]
        with np.errstate(invalid="ignore"):
            return total / count

    def spreads(self, name: str) -> Any:
        """Return the standard deviation of a layer in each region: float64 [N], NaN where nothing is known."""
        count, _, squares = self._sums[name]
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.maximum(squares / count - self.means(name) ** 2, 0))


@dataclass(frozen=True)
class Components:
    """The runs of the chosen regions, one region after the other."""

    runs: Any
    starts: Any
    """First run of each region."""

    @classmethod
    def of(cls, runs: Any, numbers: Any, chosen: Any) -> Components:
        """Gather the runs of the chosen numbers, in that order."""
        rank = np.full(numbers.max(initial=-1) + 1, -1)
        rank[chosen] = np.arange(len(chosen))
        ranks = rank[numbers]
        kept = np.flatnonzero(ranks >= 0)
        kept = kept[np.argsort(ranks[kept], kind="stable")]
        return cls(runs[kept], np.searchsorted(ranks[kept], np.arange(len(chosen))))

    def sum(self, values: Any) -> Any:
        """Return the sum over the runs of each region of one value a run."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.empty(0)

    def spread(self, index: Any, width: int) -> tuple[Any, Any]:
        """Return mean and standard deviation of the index in each region, NaN left out; None without an index."""
        if index is None or not len(self.starts):
            return None, None
        values = np.asarray(index).ravel()[pixel_positions(self.runs, width)].astype(np.float64)
        lengths = (self.runs[:, 2] - self.runs[:, 1]).astype(np.int64)
        first = (np.cumsum(lengths) - lengths)[self.starts]  # first pixel of each region
        known = np.isfinite(values)
        counts = np.add.reduceat(known, first, dtype=np.int64)
        with np.errstate(invalid="ignore"):  # a region where the index is nowhere defined: NaN
            means = np.add.reduceat(np.where(known, values, 0), first) / counts
            away = np.where(known, values - np.repeat(means, np.diff([*first, len(values)])), 0)
            return means, np.sqrt(np.add.reduceat(away**2, first) / counts)

    def rectangles(self) -> list[Rectangle]:
        """Return the rotated rectangle of least area about each region, from the outermost runs of its rows."""
        import shapely

        if not len(self.starts):
            return []
        regions = np.repeat(np.arange(len(self.starts)), np.diff([*self.starts, len(self.runs)]))
        new_row = np.ones(len(self.runs), bool)
        new_row[1:] = (np.diff(self.runs[:, 0]) != 0) | (np.diff(regions) != 0)
        at = np.flatnonzero(new_row)
        row, left = self.runs[at, 0], self.runs[at, 1]
        right = self.runs[np.append(at[1:], len(self.runs)) - 1, 2]
        x, y = np.stack([left, right, left, right], 1), np.stack([row, row, row + 1, row + 1], 1)
        corners = np.stack([x.ravel(), y.ravel()], 1).astype(float)
        outlines = shapely.oriented_envelope(shapely.linestrings(corners, indices=np.repeat(regions[at], 4)))
        return [_from_upper_left(shapely.get_coordinates(outline)[:4]) for outline in outlines]


def _from_upper_left(corners: Any) -> Rectangle:
    """Return the corners clockwise as seen on the picture, from the one nearest to its upper left."""
    (a, b), (c, d) = corners[1] - corners[0], corners[2] - corners[1]
    clockwise = corners if a * d - b * c > 0 else corners[::-1]  # y points down
    start = min(range(4), key=lambda i: (round(clockwise[i].sum(), 9), clockwise[i][1]))
    first, second, third, fourth = ((float(x), float(y)) for x, y in np.roll(clockwise, -start, axis=0))
    return first, second, third, fourth
