"""Edits of a class mask by hand, as pure functions: each takes a mask and gives another; a history takes them back.

It knows no scene and no widget. Points are (x, y) in pixels; pixel (row r, column c) covers x from c to c + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from spex_nb.errors import RegionError
from spex_nb.regions.runs import label_runs, paint_runs
from spex_nb.types import MASK_NODATA, Point

CUT_PX = 0.75
"""Half the width of a cut: no step to any of the eight neighbours leads across it."""


def brush(mask: Any, stroke: Sequence[Point], radius_px: float, value: int) -> Any:
    """Paint or erase along a stroke.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data, which stays.
        stroke: Points (x, y) that the brush passes; one is a dab.
        radius_px: Pixels whose centre lies so near to the stroke are painted.
        value: Class to paint; 0 erases.

    Returns:
        Another mask.
    """
    painted = mask.copy()
    for start, end in pairwise([stroke[0], *stroke]):
        here, near = _near(mask.shape, start, end, radius_px)
        part = painted[here]
        part[near & (part != MASK_NODATA)] = value
    return painted


def split(mask: Any, start: Point, end: Point) -> Any:
    """Cut whatever lies under a line from start to end in two; arguments as of `brush`."""
    return brush(mask, [start, end], CUT_PX, 0)


def region_at(mask: Any, point: Point) -> Any:
    """Return the region under a point, bool [H, W]: pixels of its class that hang together, corners included.

    Raises:
        RegionError: If there is none.
    """
    row, column = int(np.floor(point[1])), int(np.floor(point[0]))
    height, width = mask.shape
    inside = 0 <= row < height and 0 <= column < width
    if not inside or mask[row, column] in (0, MASK_NODATA):
        raise RegionError(
            "There is no region here",
            found=f"x {point[0]:.0f}, y {point[1]:.0f}, {'without class' if inside else 'outside the mask'}",
            expected="a point on a region",
            fix="Click into a coloured area.",
        )
    runs, numbers = label_runs(mask == mask[row, column], 8)
    under = (runs[:, 0] == row) & (runs[:, 1] <= column) & (column < runs[:, 2])
    own = runs[numbers == numbers[under][0]]
    return paint_runs(own, 1, mask.shape).astype(bool)


def delete(mask: Any, point: Point) -> Any:
    """Remove the region under a point from a mask.

    Raises:
        RegionError: If there is none.
    """
    return np.where(region_at(mask, point), np.uint8(0), mask)


def merge(mask: Any, first: Point, second: Point) -> Any:
    """Make one region of two: the second takes the class of the first, and a bridge joins them where they are nearest.

    Raises:
        RegionError: If there is no region under one of the points, or both are in the same one.
    """
    one, other = region_at(mask, first), region_at(mask, second)
    if (one & other).any():
        raise RegionError(
            "This is one region already", found="both points in it", expected="points in two regions",
            fix="Click into another region.",
        )  # fmt: skip
    number = mask[one][0]
    joined = np.where(other, number, mask)
    return brush(joined, _nearest_pixels(one, other), CUT_PX, int(number))


def _nearest_pixels(one: Any, other: Any) -> list[Point]:
    """Return the centres of the two pixels at which two regions are nearest."""
    from scipy.spatial import KDTree

    here, there = (np.argwhere(area)[:, ::-1] + 0.5 for area in (one, other))
    distances, indices = KDTree(there).query(here)
    nearest = int(distances.argmin())
    return [tuple(here[nearest].tolist()), tuple(there[indices[nearest]].tolist())]


def _near(shape: tuple[int, int], start: Point, end: Point, radius_px: float) -> tuple[Any, Any]:
    """Return the window about a line, and which of its pixels have their centre near it."""
    ends = np.array([start, end])
    low = np.maximum(np.floor(ends.min(axis=0) - radius_px).astype(int), 0)
    high = np.minimum(np.ceil(ends.max(axis=0) + radius_px).astype(int), shape[::-1])
    here = slice(low[1], max(low[1], high[1])), slice(low[0], max(low[0], high[0]))
    y, x = np.ogrid[here]
    along = ends[1] - ends[0]
    length = float(along @ along)
    share = ((x + 0.5 - start[0]) * along[0] + (y + 0.5 - start[1]) * along[1]) / length if length else 0.0
    share = np.clip(share, 0, 1)
    apart = np.hypot(x + 0.5 - start[0] - share * along[0], y + 0.5 - start[1] - share * along[1])
    return here, apart <= radius_px


@dataclass(frozen=True, eq=False)
class Patch:
    """What one edit changed: the smallest window around it, before and after. Two are never equal by value."""

    row: int
    column: int
    before: Any
    """uint8 [h, w]."""
    after: Any
    """uint8 [h, w]."""

    @classmethod
    def between(cls, before: Any, after: Any) -> Patch | None:
        """Return how two masks of one shape differ; None where they do not."""
        changed = before != after
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        here = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return cls(int(rows[0]), int(columns[0]), before[here].copy(), after[here].copy())

    def laid_on(self, mask: Any, pixels: Any) -> Any:
        """Return a mask with its window replaced."""
        height, width = pixels.shape
        changed = mask.copy()
        changed[self.row : self.row + height, self.column : self.column + width] = pixels
        return changed


@dataclass(frozen=True)
class History:
    """Edits that were done, and those that were taken back."""

    done: tuple[Patch, ...] = ()
    undone: tuple[Patch, ...] = ()

    def add(self, before: Any, after: Any) -> History:
        """Return the history after one more edit; what was taken back is forgotten."""
        patch = Patch.between(before, after)
        return self if patch is None else History((*self.done, patch))

    def undo(self, mask: Any) -> tuple[History, Any]:
        """Take the last edit back; return history and mask, both as they are where there is none."""
        if not self.done:
            return self, mask
        last = self.done[-1]
        return History(self.done[:-1], (*self.undone, last)), last.laid_on(mask, last.before)

    def redo(self, mask: Any) -> tuple[History, Any]:
        """Do again what was taken back last; return history and mask."""
        if not self.undone:
            return self, mask
        last = self.undone[-1]
        return replace(self, done=(*self.done, last), undone=self.undone[:-1]), last.laid_on(mask, last.after)
