"""Regions beside other land cover: next to it, within it, on one side of it, between two of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spex_nb.regions.find import summarize_regions
from spex_nb.regions.polygons import polygons_of
from spex_nb.regions.runs import label_runs, paint_runs
from spex_nb.regions.shape import has_shape
from spex_nb.types import ADJACENT_PX, Region, Shape

COSINE = 0.5
"""A direction reaches 60 degrees to either side."""
MOST_OF_BORDER = 0.5
"""A region lies within a target that takes up more than this share of its surroundings."""
_COMPASS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
_PICTURE = {"top": (0, -1), "right": (1, 0), "bottom": (0, 1), "left": (-1, 0)}
DIRECTIONS = _COMPASS | _PICTURE
"""Unit vectors: those of the compass with y to the north, those of the picture with y down."""


def is_compass(place: str) -> bool:
    """Say whether a place or direction is one of the map rather than of the picture."""
    return place.split("-", maxsplit=1)[0] in _COMPASS


def shaped_mask(mask: ArrayLike, shape: Shape) -> NDArray[np.bool_]:
    """Return the regions of a mask that have a shape, as a mask: bool [H, W]."""
    pixels = np.asarray(mask, bool)
    if not shape:
        return pixels
    regions = [region for region in summarize_regions(pixels, top=None).regions if has_shape(region, shape)]
    runs = np.concatenate([np.empty((0, 3), np.int32), *(region.runs for region in regions)])
    return paint_runs(runs, 1, pixels.shape).astype(bool)


def mask_outlines(mask: ArrayLike) -> NDArray[Any]:
    """Return the outlines of a mask in pixels, as shapely polygons."""
    runs, numbers = label_runs(np.asarray(mask, bool), 4)
    if not len(runs):
        return polygons_of([])
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order])) + 1
    return polygons_of(np.split(runs[order], starts))


def are_adjacent(regions: Sequence[Region], mask: ArrayLike) -> list[bool]:
    """Say of each region whether at most `ADJACENT_PX` pixels lie between it and a mask, bool [H, W]."""
    from scipy.ndimage import maximum_filter

    around = maximum_filter(np.asarray(mask, np.uint8), 2 * ADJACENT_PX + 3, mode="constant")
    return [any(around[row, first:end].any() for row, first, end in region.runs.tolist()) for region in regions]


def are_enclosed(regions: Sequence[Region], mask: ArrayLike) -> list[bool]:
    """Say of each region whether a mask, bool [H, W], takes up most of the `ADJACENT_PX` pixels around it."""
    return [_is_enclosed(region, np.asarray(mask, bool)) for region in regions]


def are_in_direction(points: NDArray[np.float64], outlines: NDArray[Any], direction: str) -> NDArray[np.bool_]:
    """Say of each point [N, 2] whether it lies in a direction, seen from the nearest point of outlines.

    Points and outlines are in metres for compass words, in pixels (y down) for words of the picture.
    """
    wanted = np.sum([DIRECTIONS[word] for word in direction.split("-")], axis=0)
    return _cosine(-_to_nearest(points, outlines), wanted) >= COSINE


def are_between(points: NDArray[np.float64], first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of each point [N, 2] whether the nearest points of two sets of outlines lie on opposite sides of it."""
    return _cosine(_to_nearest(points, first), _to_nearest(points, second)) <= -COSINE


def _is_enclosed(region: Region, mask: NDArray[np.bool_]) -> bool:
    from scipy.ndimage import maximum_filter

    row, first, end = region.runs.T
    height, width = mask.shape
    top, bottom = max(0, int(row.min()) - ADJACENT_PX), min(height, int(row.max()) + 1 + ADJACENT_PX)
    left, right = max(0, int(first.min()) - ADJACENT_PX), min(width, int(end.max()) + ADJACENT_PX)
    pixels = paint_runs(region.runs - np.array([top, left, left]), 1, (bottom - top, right - left))
    around = maximum_filter(pixels, 2 * ADJACENT_PX + 1, mode="constant").astype(bool) & (pixels == 0)
    return bool(mask[top:bottom, left:right][around].mean() > MOST_OF_BORDER) if around.any() else False


def _to_nearest(points: NDArray[np.float64], outlines: NDArray[Any]) -> NDArray[np.float64]:
    """Return the vectors [N, 2] from points to the nearest points of outlines; zero inside, NaN without outlines."""
    import shapely

    if not len(outlines):
        return np.full(points.shape, np.nan)
    places = shapely.points(points)
    nearest = outlines[shapely.STRtree(outlines).nearest(places)]
    ends = shapely.get_coordinates(shapely.shortest_line(places, nearest))[1::2]
    vectors: NDArray[np.float64] = ends - points
    return vectors


def _cosine(vectors: NDArray[np.float64], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of the angles between vectors [N, 2] and others; NaN where one has no length."""
    lengths = np.hypot(*vectors.T) * np.hypot(*others.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines: NDArray[np.float64] = np.sum(vectors * others, axis=1) / lengths
    return cosines
