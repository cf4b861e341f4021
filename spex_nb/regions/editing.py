"""Edits of a class mask by hand. Each is a pure function from a mask to a new mask; a history undoes and redoes them.

The module knows no scene and no widget. Points are (x, y) in pixels; pixel (row r, column c) covers x from c to c + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.regions.runs import label_runs, paint_runs
from spex_nb.types import MASK_NODATA, Point

ClassMask = NDArray[np.uint8]
"""[H, W]: 0 none, 1 ... n classes, 255 no data."""
CUT_PX = 0.75
"""Half the width of a cut: no step to any of the eight neighbours crosses it."""


def brush(mask: ClassMask, stroke: Sequence[Point], radius_px: float, value: int) -> ClassMask:
    """Paint or erase along a stroke.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data, which stays.
        stroke: Points (x, y) that the brush passes, at least one.
        radius_px: The brush paints pixels whose centre is at most this far from the stroke.
        value: Class to paint; 0 erases.

    Returns:
        A new mask.
    """
    painted = mask.copy()
    for start, end in pairwise([stroke[0], *stroke]):
        here, near = _near(mask.shape, start, end, radius_px)
        part = painted[here]
        part[near & (part != MASK_NODATA)] = value
    return painted


def split(mask: ClassMask, start: Point, end: Point) -> ClassMask:
    """Cut the regions under a line from start to end in two; the mask is that of `brush`."""
    return brush(mask, [start, end], CUT_PX, 0)


def region_at(mask: ClassMask, point: Point) -> NDArray[np.bool_]:
    """Return the region under a point, bool [H, W]: connected pixels of its class, also across corners.

    Raises:
        RegionError: If there is no region under the point.
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
    region_runs = runs[numbers == numbers[under][0]]
    return paint_runs(region_runs, 1, (height, width)).astype(bool)


def delete(mask: ClassMask, point: Point) -> ClassMask:
    """Remove the region under a point from a mask.

    Raises:
        RegionError: If there is no region under the point.
    """
    return np.where(region_at(mask, point), np.uint8(0), mask)


def merge(mask: ClassMask, first: Point, second: Point) -> ClassMask:
    """Merge two regions: the second takes the class of the first, and a bridge joins them where they are nearest.

    Raises:
        RegionError: If there is no region under one of the points, or both are in the same one.
    """
    first_region, second_region = region_at(mask, first), region_at(mask, second)
    if (first_region & second_region).any():
        raise RegionError(
            "This is one region already",
            found="both points in it",
            expected="points in two regions",
            fix="Click into another region.",
        )
    number = mask[first_region][0]
    recoloured = np.where(second_region, number, mask)
    return brush(recoloured, _nearest_pixels(first_region, second_region), CUT_PX, int(number))


def _nearest_pixels(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> list[Point]:
    """Return the centres of the two pixels at which two regions are nearest."""
    from scipy.spatial import KDTree

    here, there = (np.argwhere(area)[:, ::-1] + 0.5 for area in (first, second))
    distances, indices = KDTree(there).query(here)
    nearest = int(distances.argmin())
    return [tuple(here[nearest].tolist()), tuple(there[indices[nearest]].tolist())]


def _near(shape: tuple[int, int], start: Point, end: Point, radius_px: float) -> tuple[Any, NDArray[np.bool_]]:
    """Return the window around a line as slices, and which of its pixels have their centre near the line."""
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
    """The smallest window around one edit, before and after. Two patches are never equal by value."""

    row: int
    column: int
    before: ClassMask
    """uint8 [h, w]."""
    after: ClassMask
    """uint8 [h, w]."""

    @classmethod
    def between(cls, before: ClassMask, after: ClassMask) -> Patch | None:
        """Return how two masks of one shape differ; None where they do not."""
        changed = before != after
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        here = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return cls(int(rows[0]), int(columns[0]), before[here].copy(), after[here].copy())

    def laid_on(self, mask: ClassMask, pixels: ClassMask) -> ClassMask:
        """Return a mask with the pixels of this window replaced."""
        height, width = pixels.shape
        changed = mask.copy()
        changed[self.row : self.row + height, self.column : self.column + width] = pixels
        return changed


@dataclass(frozen=True)
class History:
    """Edits of a mask, and the edits that the user undid."""

    done: tuple[Patch, ...] = ()
    undone: tuple[Patch, ...] = ()

    def add(self, before: ClassMask, after: ClassMask) -> History:
        """Return the history after one more edit. It drops the edits that the user undid."""
        patch = Patch.between(before, after)
        return self if patch is None else History((*self.done, patch))

    def add_step(self) -> History:
        """Return the history after a step that changes no pixel, such as a point that the model had no answer to."""
        nothing = np.zeros((0, 0), np.uint8)
        return History((*self.done, Patch(0, 0, nothing, nothing)))

    def without_steps(self) -> History:
        """Return the history of the edits that change pixels."""
        done, undone = (tuple(patch for patch in part if patch.after.size) for part in (self.done, self.undone))
        return History(done, undone)

    def undo(self, mask: ClassMask) -> tuple[History, ClassMask]:
        """Undo the last edit; return history and mask, both unchanged where there is no edit."""
        if not self.done:
            return self, mask
        last = self.done[-1]
        return History(self.done[:-1], (*self.undone, last)), last.laid_on(mask, last.before)

    def redo(self, mask: ClassMask) -> tuple[History, ClassMask]:
        """Redo the edit that the user undid last; return history and mask, both unchanged where there is none."""
        if not self.undone:
            return self, mask
        last = self.undone[-1]
        return replace(self, done=(*self.done, last), undone=self.undone[:-1]), last.laid_on(mask, last.after)
