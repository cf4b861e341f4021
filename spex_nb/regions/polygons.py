"""Polygons of regions along the edges of their pixels, many regions at a time, from their runs alone.

The regions of a batch lie one below the other. Where a side of a run has no continuation in the row above or below,
its end is a corner. In each row of corners, the first and second, third and fourth … are the ends of horizontal edges.
In each column they are the ends of vertical edges. Following both in turn gives the rings, with shells clockwise on the
picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.regions.runs import number_groups, touching
from spex_nb.types import Runs

BATCH_RUNS = 2**16
"""Runs in a batch of regions: batches are quicker than single regions, and memory stays bounded."""


def polygons_of(runs: Sequence[Runs]) -> NDArray[Any]:
    """Return each region as a valid shapely polygon, or as a multipolygon where pixels meet at corners only.

    Args:
        runs: For each region int [N, 3] in reading order, N of 1 or more.

    Returns:
        object [number of regions], geometries in pixels, x to the right and y down.
    """
    return np.concatenate([np.empty(0, object), *map(_batch_polygons, _batches(runs))])


def _batches(runs: Sequence[Runs]) -> Iterator[Sequence[Runs]]:
    """Yield consecutive regions with about as many runs as a batch holds, or a single larger region."""
    batch = np.cumsum([len(region) for region in runs]) // BATCH_RUNS
    for regions in np.split(np.arange(len(runs)), np.flatnonzero(np.diff(batch)) + 1):
        if len(regions):
            yield runs[regions[0] : regions[-1] + 1]


def _batch_polygons(regions: Sequence[Runs]) -> NDArray[Any]:
    import shapely

    numbers = np.repeat(np.arange(len(regions)), [len(runs) for runs in regions])
    tops = np.array([runs[0, 0] for runs in regions], np.int64)
    bottoms = np.array([runs[-1, 0] for runs in regions], np.int64)
    heights = bottoms - tops + 2  # with a row between them
    down = np.cumsum(heights) - heights - tops
    runs = np.concatenate(regions).astype(np.int64)
    runs[:, 0] += down[numbers]
    parts = number_groups(len(runs), *touching(runs, 0))
    corners = _Corners.of(runs)
    path, starts = corners.rings()
    x, y = corners.x[path], corners.y[path]
    signed_areas = np.where(np.arange(len(path)) % 2, x, -x) * y
    is_hole = np.add.reduceat(signed_areas, starts) > 0
    ends = np.append(starts[1:], len(path))
    points = np.stack([x, y - down[numbers[corners.run[path]]]], 1).astype(float)
    rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(starts)), ends - starts))
    polygons = _polygons(rings, parts[corners.run[path[starts]]], is_hole)
    region_of = np.empty(len(polygons), np.int64)
    region_of[parts] = numbers
    return _one_geometry_each(polygons, region_of)


@dataclass(frozen=True)
class _Corners:
    """Corners of regions, row by row from left to right. Of two at one place, the corner that ends a run comes first.

    Attributes:
        x, y: int64 [N], their places.
        run: int64 [N], number of a run that each belongs to.
        is_source: bool [N], whether a corner starts its horizontal edge, with the region on its right hand.
        below: int64 [N], the corner at the other end of the vertical edge of each.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    run: NDArray[np.int64]
    is_source: NDArray[np.bool_]
    below: NDArray[np.int64]

    @classmethod
    def of(cls, runs: NDArray[np.int64]) -> _Corners:
        """Find the corners of runs, int64 [N, 3] in reading order."""
        row, sides = runs[:, 0], runs[:, 1:]
        span = sides.max() + 1
        is_start = np.tile([True, False], len(runs))
        upper = (np.repeat(row, 2) * span + sides.ravel()) * 2 + is_start
        keys = np.concatenate([upper, upper + 2 * span])  # upper and lower ends of both sides of each run
        order = np.argsort(keys, kind="stable")
        same = np.diff(keys[order]) == 0
        order = order[~(np.append(same, False) | np.append(False, same))]  # a side continues where both are
        place, is_upper = keys[order], order < len(upper)
        y, x = np.divmod(place // 2, span)
        columns = np.lexsort((y, place % 2, x))
        opposite = np.empty(len(order), np.int64)
        opposite[columns] = columns.reshape(-1, 2)[:, ::-1].ravel()
        return cls(x, y, order % len(upper) // 2, is_upper == (place % 2 == 1), opposite)

    def rings(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the corners ring after ring, and the position of the first corner of each ring.

        A ring starts at a source and follows the direction of its edge. A ring that passes a place twice is cut in two
        there, so that no ring touches itself.
        """
        beside = np.arange(len(self.x)) ^ 1
        twice = 1 + 2 * np.flatnonzero((np.diff(self.x) == 0)[1::2] & (np.diff(self.y) == 0)[1::2])
        ring = self._ring_of(beside)
        left = twice[ring[twice] == ring[twice + 1]]
        swapped = np.arange(len(self.x))
        swapped[left], swapped[left + 1] = left + 1, left
        return self._in_order(swapped[beside[swapped]])

    def _next_source(self, beside: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the sources, and for each the number of the source that follows in its ring."""
        sources = np.flatnonzero(self.is_source)
        rank = np.empty(len(self.x), np.int64)
        rank[sources] = np.arange(len(sources))
        return sources, rank[self.below[beside[sources]]]

    def _ring_of(self, beside: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the ring of each corner."""
        sources, following = self._next_source(beside)
        ring = np.empty(len(self.x), np.int64)
        ring[sources] = number_groups(len(sources), np.arange(len(sources)), following)
        ring[beside[sources]] = ring[sources]
        return ring

    def _in_order(self, beside: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the corners ring after ring, and the position of the first corner of each."""
        from scipy import sparse

        sources, following = self._next_source(beside)
        count = len(sources)
        ring = number_groups(count, np.arange(count), following)
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


def _polygons(rings: NDArray[Any], part: NDArray[Any], is_hole: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the polygon of each part: its shell, then its holes."""
    import shapely

    order = np.lexsort((is_hole, part))
    polygons: NDArray[Any] = shapely.polygons(rings[order], indices=part[order])
    return polygons


def _one_geometry_each(polygons: NDArray[Any], region_of: NDArray[np.int64]) -> NDArray[Any]:
    """Return one geometry for each region: its polygon, or a multipolygon of several."""
    import shapely

    geometries: NDArray[Any] = shapely.multipolygons(polygons, indices=region_of)
    first, counts = np.unique(region_of, return_index=True, return_counts=True)[1:]
    geometries[counts == 1] = polygons[first[counts == 1]]
    return geometries
