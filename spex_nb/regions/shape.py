"""The shape of regions: lakes are compact; rivers are elongated, or run through the picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spex_nb.regions.runs import paint_runs
from spex_nb.types import Region, Shape

ELONGATED = 6.0
"""Length over width from which on a region has the shape of a river."""
LARGEST_WINDOW_PX = 2**21
"""Pixels of a window above which every second, third ... pixel is measured."""
STRETCH_GAP = 0.02
"""Stretches along the edge of the picture are apart where this share of its perimeter lies between them."""


def has_shape(region: Region, shape: Shape) -> bool:
    """Say whether a region has a shape; every region has the empty one."""
    return not shape or is_elongated(region) == (shape == "elongated")


def is_elongated(region: Region) -> bool:
    """Say whether a region is at least `ELONGATED` times as long as wide, or runs through the picture."""
    return elongation(region) >= ELONGATED or _runs_through(region)


def elongation(region: Region) -> float:
    """Return length over width of a region, also of a winding one.

    The width is that of the largest circle within the region: a lake with bays and islands is no strip. The length is
    the area over the width. A disc has 0.8, a square 1, a strip its length over its width.
    """
    from scipy.ndimage import distance_transform_edt

    row, first, end = region.runs.T
    top, left = int(row.min()), int(first.min())
    shape = int(row.max()) - top + 3, int(end.max()) - left + 3  # with a border of one pixel
    pixels = paint_runs(region.runs - np.array([top - 1, left - 1, left - 1]), 1, shape)
    step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / LARGEST_WINDOW_PX)))
    inside = np.pad(pixels[::step, ::step].astype(bool), 1)
    distances = distance_transform_edt(inside)[inside]
    if not distances.size:
        return 1.0
    width = 2 * float(distances.max()) * step
    return region.area_px / width**2


def length_px(region: Region) -> float:
    """Return the longer side of the smallest rectangle about a region, in pixels."""
    a, b, c = np.array(region.rectangle_px)[:3]
    return float(max(np.hypot(*(b - a)), np.hypot(*(c - b))))


def touches_edge(region: Region) -> bool:
    """Say whether a region touches the edge of the pixel grid."""
    height, width = region.shape
    row, first, end = region.runs.T
    return bool(row.min() == 0 or row.max() == height - 1 or first.min() == 0 or end.max() == width)


def _runs_through(region: Region) -> bool:
    """Say whether a region leaves the picture on two sides, at stretches that lie apart."""
    if not touches_edge(region):
        return False
    positions = np.unique(_edge_positions(region))
    height, width = region.shape
    perimeter = 2 * (height + width)
    gaps = np.diff([*positions, positions[0] + perimeter])
    starts = np.flatnonzero(gaps > max(2, STRETCH_GAP * perimeter))
    sides = np.searchsorted([width, width + height, 2 * width + height], positions, side="right")
    stretches = np.searchsorted(starts, np.arange(len(positions)), side="left") % max(1, len(starts))
    sides_of = [set(sides[stretches == number].tolist()) for number in range(len(starts))]
    return any(a - b and b - a for a in sides_of for b in sides_of)


def _edge_positions(region: Region) -> NDArray[np.int64]:
    """Return the positions along the edge, clockwise from the upper left corner, where a region touches it."""
    height, width = region.shape
    row, first, end = region.runs.astype(np.int64).T
    spans = [np.arange(*span) for span in region.runs[row == 0, 1:].tolist()]
    right = width + row[end == width]
    lower = [2 * width + height - 1 - np.arange(*span) for span in region.runs[row == height - 1, 1:].tolist()]
    left = 2 * (width + height) - 1 - row[first == 0]
    return np.concatenate([np.empty(0, np.int64), *spans, right, *lower, left])
