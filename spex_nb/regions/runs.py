"""Runs of pixels, and the regions that they form. Memory grows with the number of runs, not with the scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spex_nb.types import Rectangle, Runs

Numbers = NDArray[np.int32]
"""[N]: the number of the region of each run."""
BLOCK_PX = 2**20
"""Pixels that one step works on."""


def row_blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield consecutive rows of a grid, few enough to work on at a time."""
    step = max(1, BLOCK_PX // max(1, shape[1]))
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


def label_runs(pixels: NDArray[np.bool_], connectivity: int) -> tuple[Runs, Numbers]:
    """Return the runs of a mask [H, W], int32 [N, 3] in reading order, and the region number of each, int32 [N].

    Numbers start at 0 and follow the first pixels of regions in reading order. Blocks of rows are labelled one by one,
    then joined at their seams.
    """
    height, width = pixels.shape
    rows = max(1, BLOCK_PX // (width + 1))
    tops = range(0, max(height, 1), rows)
    blocks = [_runs(pixels[top : top + rows], top) for top in tops]
    reach = 1 if connectivity == 8 else 0  # noqa: PLR2004
    numbers, count = [], 0
    for runs in blocks:
        block_numbers = number_groups(len(runs), *touching(runs, reach)) + np.int32(count)
        numbers.append(block_numbers)
        count = int(block_numbers.max(initial=count - 1)) + 1
    runs, parts = np.concatenate(blocks), np.concatenate(numbers)
    return runs, number_groups(count, *parts[_seams(runs, tops[1:], reach)])[parts]


def _runs(pixels: NDArray[np.bool_], top: int) -> Runs:
    """Return the runs of a block of rows whose first row is ``top``."""
    height, width = pixels.shape
    edges = np.zeros((height, width + 1), bool)  # where a run begins or ends
    if width:
        edges[:, 0], edges[:, -1] = pixels[:, 0], pixels[:, -1]
        np.not_equal(pixels[:, 1:], pixels[:, :-1], out=edges[:, 1:-1])
    positions = np.flatnonzero(edges)
    rows, columns = positions // (width + 1), positions % (width + 1)
    return np.stack([rows[::2] + top, columns[::2], columns[1::2]], 1).astype(np.int32)


def touching(runs: NDArray[Any], reach: int) -> NDArray[np.int64]:
    """Return pairs of runs of neighbouring rows, int [2, M], that meet or pass each other by ``reach``."""
    row, first, end = runs.astype(np.int64).T
    span = end.max(initial=0) + 2  # no run of one row reaches into the keys of the next
    begin = np.searchsorted(row * span + end, (row + 1) * span + first - reach, side="right")
    stop = np.searchsorted(row * span + first, (row + 1) * span + end + reach, side="left")
    counts = np.maximum(stop - begin, 0)
    starts = np.cumsum(counts) - counts
    below = np.arange(counts.sum()) + np.repeat(begin - starts, counts)
    return np.stack([np.repeat(np.arange(len(runs)), counts), below])


def _seams(runs: Runs, tops: Sequence[int], reach: int) -> NDArray[np.int64]:
    """Return the pairs of runs, int [2, M], that touch each other across the upper edges of blocks."""
    pairs = [np.empty((2, 0), np.int64)]
    for top in tops:
        here = slice(*np.searchsorted(runs[:, 0], (top - 1, top + 1)))
        pairs.append(touching(runs[here], reach) + here.start)
    return np.concatenate(pairs, axis=1)


def number_groups(count: int, first: NDArray[Any], second: NDArray[Any]) -> Numbers:
    """Number the connected groups of a graph of ``count`` nodes, in the order of their first nodes.

    Args:
        count: Nodes, numbered from 0.
        first: int [M], one end of each edge.
        second: int [M], the other end.

    Returns:
        int32 [count], the group of each node.
    """
    from scipy import sparse

    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    numbers: Numbers = sparse.csgraph.connected_components(graph, directed=False)[1]
    return numbers


def pixel_positions(runs: NDArray[Any], width: int) -> NDArray[np.int64]:
    """Return the positions of all pixels of runs [N, 3] in the flattened [H, W]."""
    first, lengths = runs[:, 0].astype(np.int64) * width + runs[:, 1], (runs[:, 2] - runs[:, 1]).astype(np.int64)
    ends = np.cumsum(lengths)
    positions: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)
    return positions


def paint_runs(runs: NDArray[Any], values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return uint8 [H, W] with a value on the pixels of each run, and 0 elsewhere.

    Args:
        runs: int [N, 3], in any order, without overlaps.
        values: 0..255 for each run [N], or one value for all.
        shape: (height, width).
    """
    painted = np.empty(shape, np.uint8)
    for top, rows in painted_rows(runs, values, shape):
        painted[top : top + len(rows)] = rows
    return painted


def painted_rows(
    runs: NDArray[Any], values: ArrayLike, shape: tuple[int, int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the result of `paint_runs` in blocks of rows: (number of the first row, uint8 [h, W])."""
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
    """Means and standard deviations of layers inside regions, summed from blocks of rows.

    Args:
        runs: int [N, 3] for each region.
        names: Names of the layers.
    """

    def __init__(self, runs: Sequence[Runs], names: Sequence[str]) -> None:
        every_run = np.concatenate([np.empty((0, 3), np.int32), *runs])
        numbers = np.repeat(np.arange(len(runs), dtype=np.int32), [len(region) for region in runs])
        order = np.argsort(every_run[:, 0], kind="stable")
        self._runs, self._numbers = every_run[order], numbers[order]
        self._sums = {name: np.zeros((3, len(runs))) for name in names}

    def add(self, top: int, layers: Mapping[str, NDArray[Any]]) -> None:
        """Add a block of rows whose first row is ``top``: float [h, W] of each layer, NaN where undefined."""
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
            is_finite = np.isfinite(inside)
            inside[~is_finite] = 0
            for i, terms in enumerate((is_finite, inside, inside**2)):
                run_sums = np.add.reduceat(terms, starts, dtype=np.float64)
                sums[i] += np.bincount(numbers, weights=run_sums, minlength=len(sums[i]))

    def means(self, name: str) -> NDArray[np.float64]:
        """Return the mean of a layer in each region: float64 [N], NaN where no pixel is finite."""
        count, total, _ = self._sums[name]
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float64] = total / count
        return means

    def spreads(self, name: str) -> NDArray[np.float64]:
        """Return the standard deviation of a layer in each region: float64 [N], NaN where no pixel is finite."""
        count, _, squares = self._sums[name]
        with np.errstate(invalid="ignore"):
            variances = squares / count - self.means(name) ** 2
            spreads: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0))
        return spreads


@dataclass(frozen=True)
class RegionRuns:
    """The runs of chosen regions, one region after the other."""

    runs: Runs
    starts: NDArray[np.intp]
    """[number of regions]: position of the first run of each."""

    @classmethod
    def of(cls, runs: Runs, numbers: Numbers, chosen: NDArray[Any]) -> RegionRuns:
        """Collect the runs of the chosen region numbers, in that order."""
        rank = np.full(numbers.max(initial=-1) + 1, -1)
        rank[chosen] = np.arange(len(chosen))
        ranks = rank[numbers]
        positions = np.flatnonzero(ranks >= 0)
        positions = positions[np.argsort(ranks[positions], kind="stable")]
        return cls(runs[positions], np.searchsorted(ranks[positions], np.arange(len(chosen))))

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of a value of each run [N], over the runs of each region."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.empty(0)

    def spread(
        self, index: ArrayLike | None, width: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[None, None]:
        """Return mean and standard deviation of the index [H, W] in each region without NaN; None without an index."""
        if index is None or not len(self.starts):
            return None, None
        values = np.asarray(index).ravel()[pixel_positions(self.runs, width)].astype(np.float64)
        lengths = (self.runs[:, 2] - self.runs[:, 1]).astype(np.int64)
        first = (np.cumsum(lengths) - lengths)[self.starts]  # first pixel of each region
        is_finite = np.isfinite(values)
        counts = np.add.reduceat(is_finite, first, dtype=np.int64)
        with np.errstate(invalid="ignore"):  # a region where the index is nowhere defined: NaN
            means = np.add.reduceat(np.where(is_finite, values, 0), first) / counts
            lengths_px = np.diff([*first, len(values)])
            deviations = np.where(is_finite, values - np.repeat(means, lengths_px), 0)
            return means, np.sqrt(np.add.reduceat(deviations**2, first) / counts)

    def rectangles(self) -> list[Rectangle]:
        """Return the rotated rectangle of least area around each region, from the outermost runs of its rows."""
        import shapely

        if not len(self.starts):
            return []
        regions = np.repeat(np.arange(len(self.starts)), np.diff([*self.starts, len(self.runs)]))
        new_row = np.ones(len(self.runs), bool)
        new_row[1:] = (np.diff(self.runs[:, 0]) != 0) | (np.diff(regions) != 0)
        heads = np.flatnonzero(new_row)
        row, left = self.runs[heads, 0], self.runs[heads, 1]
        right = self.runs[np.append(heads[1:], len(self.runs)) - 1, 2]
        x, y = np.stack([left, right, left, right], 1), np.stack([row, row, row + 1, row + 1], 1)
        corners = np.stack([x.ravel(), y.ravel()], 1).astype(float)
        outlines = shapely.oriented_envelope(shapely.linestrings(corners, indices=np.repeat(regions[heads], 4)))
        return [_from_upper_left(shapely.get_coordinates(outline)[:4]) for outline in outlines]


def _from_upper_left(corners: NDArray[np.float64]) -> Rectangle:
    """Return corners [4, 2] clockwise on the picture, from the corner nearest to its upper left."""
    (a, b), (c, d) = corners[1] - corners[0], corners[2] - corners[1]
    clockwise = corners if a * d - b * c > 0 else corners[::-1]  # y points down
    start = min(range(4), key=lambda i: (round(clockwise[i].sum(), 9), clockwise[i][1]))
    first, second, third, fourth = ((float(x), float(y)) for x, y in np.roll(clockwise, -start, axis=0))
    return first, second, third, fourth
