"""Outlines of regions along the edges of their pixels, many regions at a time, from their runs alone.

The regions of a batch are laid one below the other. Where a side of a run is not continued in the row above or below,
its end is a corner. In each row of corners, the first and second, third and fourth … are the ends of horizontal edges;
in each column, of vertical ones. Following both in turn gives the rings, shells clockwise as seen on the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spex_nb.regions.runs import joined, touching

BATCH_RUNS = 2**16
"""Regions are outlined together up to about so many runs: quicker than one by one, and memory stays bounded."""


def outline_regions(runs: Sequence[Any]) -> Any:
    """Return each region as a valid shapely polygon; as a multipolygon where pixels meet at corners only.

    Args:
        runs: Of each region, int [N, 3] in reading order, at least one.

    Returns:
        object [number of regions], geometries in pixels, x to the right and y down.
    """
    return np.concatenate([np.empty(0, object), *map(_outline_batch, _batches(runs))])


def _batches(runs: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield consecutive regions with about as many runs as a batch holds, or one that has more."""
    batch = np.cumsum([len(own) for own in runs]) // BATCH_RUNS
    for regions in np.split(np.arange(len(runs)), np.flatnonzero(np.diff(batch)) + 1):
        if len(regions):
            yield runs[regions[0] : regions[-1] + 1]


def _outline_batch(regions: Sequence[Any]) -> Any:
    import shapely

    numbers = np.repeat(np.arange(len(regions)), [len(own) for own in regions])
    heights = np.array([own[-1, 0] - own[0, 0] + 2 for own in regions], np.int64)  # with a row between them
    down = np.cumsum(heights) - heights - [own[0, 0] for own in regions]
    runs = np.concatenate(regions).astype(np.int64)
    runs[:, 0] += down[numbers]
    parts = joined(len(runs), *touching(runs, 0))
    corners = _Corners.of(runs)
    at, starts = corners.rings()
    x, y = corners.x[at], corners.y[at]
    is_hole = np.add.reduceat(np.where(np.arange(len(at)) % 2, x, -x) * y, starts) > 0
    ends = np.append(starts[1:], len(at))
    points = np.stack([x, y - down[numbers[corners.run[at]]]], 1).astype(float)
    lines = shapely.linearrings(points, indices=np.repeat(np.arange(len(starts)), ends - starts))
    polygons = _polygons(lines, parts[corners.run[at[starts]]], is_hole)
    region_of = np.empty(len(polygons), np.int64)
    region_of[parts] = numbers
    return _gathered(polygons, region_of)


@dataclass(frozen=True)
class _Corners:
    """Corners of regions, by row, then from left to right; where two share a place, the one that ends a run is first.

    Attributes:
        x, y: Where they are.
        run: Number of a run that each belongs to.
        is_source: Whether the horizontal edge of a corner begins there, with the region on its right hand.
        below: The corner at the other end of the vertical edge of each.
    """

    x: Any
    y: Any
    run: Any
    is_source: Any
    below: Any

    @classmethod
    def of(cls, runs: Any) -> _Corners:
        """Find the corners of runs, int64 [N, 3] in reading order."""
        row, sides = runs[:, 0], runs[:, 1:]
        span = sides.max() + 1
        is_start = np.tile([True, False], len(runs))
        upper = (np.repeat(row, 2) * span + sides.ravel()) * 2 + is_start
        keys = np.concatenate([upper, upper + 2 * span])  # upper and lower ends of both sides of each run
        order = np.argsort(keys, kind="stable")
        same = np.diff(keys[order]) == 0
        order = order[~(np.append(same, False) | np.append(False, same))]  # a side goes on where both are
        place, is_upper = keys[order], order < len(upper)
        y, x = np.divmod(place // 2, span)
        columns = np.lexsort((y, place % 2, x))
        opposite = np.empty(len(order), np.int64)
        opposite[columns] = columns.reshape(-1, 2)[:, ::-1].ravel()
        return cls(x, y, order % len(upper) // 2, is_upper == (place % 2 == 1), opposite)

    def rings(self) -> tuple[Any, Any]:
        """Return the corners ring after ring, from a source in the direction of its edge, and where rings start.

        A ring that passes a place twice is cut in two there, so that none touches itself.
        """
        beside = np.arange(len(self.x)) ^ 1
        twice = 1 + 2 * np.flatnonzero((np.diff(self.x) == 0)[1::2] & (np.diff(self.y) == 0)[1::2])
        ring = self._ring_of(beside)
        left = twice[ring[twice] == ring[twice + 1]]
        swapped = np.arange(len(self.x))
        swapped[left], swapped[left + 1] = left + 1, left
        return self._in_order(swapped[beside[swapped]])

    def _next_source(self, beside: Any) -> tuple[Any, Any]:
        """Return the sources, and for each the number of the one that follows in its ring."""
        sources = np.flatnonzero(self.is_source)
        rank = np.empty(len(self.x), np.int64)
        rank[sources] = np.arange(len(sources))
        return sources, rank[self.below[beside[sources]]]

    def _ring_of(self, beside: Any) -> Any:
        """Return the number of the ring of each corner."""
        sources, following = self._next_source(beside)
        ring = np.empty(len(self.x), np.int64)
        ring[sources] = joined(len(sources), np.arange(len(sources)), following)
        ring[beside[sources]] = ring[sources]
        return ring

    def _in_order(self, beside: Any) -> tuple[Any, Any]:
        from scipy import sparse

        sources, following = self._next_source(beside)
        count = len(sources)
        ring = joined(count, np.arange(count), following)
        first = np.unique(ring, return_index=True)[1]
        before = np.empty(count, np.int64)
        before[following] = np.arange(count)
        chain = following.copy()
        chain[before[first[:-1]]] = first[1:]  # the end of a ring leads to the next ring: one path through all
        steps = np.delete(np.arange(count), before[first[-1]])
        graph = sparse.csr_array((np.ones(len(steps)), (steps, chain[steps])), shape=(count, count))
        path = sparse.csgraph.depth_first_order(graph, first[0], return_predecessors=False)
        at = np.stack([sources[path], beside[sources[path]]], 1).ravel()
        return at, 2 * np.flatnonzero(np.diff(ring[path], prepend=-1))


def _polygons(lines: Any, part: Any, is_hole: Any) -> Any:
    """Return the polygon of each part: its one shell, then its holes."""
    import shapely

    order = np.lexsort((is_hole, part))
    return shapely.polygons(lines[order], indices=part[order])


def _gathered(polygons: Any, region_of: Any) -> Any:
    """Return one geometry a region, of its one polygon or more."""
    import shapely

    gathered = shapely.multipolygons(polygons, indices=region_of)
    first, counts = np.unique(region_of, return_index=True, return_counts=True)[1:]
    gathered[counts == 1] = polygons[first[counts == 1]]
    return gathered
