"""Two masks of one grid laid over each other: classes of change, and their areas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.change.result import GAINED, LOST, UNCHANGED, Area
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import label_runs, row_blocks
from spex_nb.types import MASK_NODATA

Mask = NDArray[np.uint8]
"""[H, W]: 0 none, 1 ... n the targets, 255 no data."""
Classes = NDArray[np.uint8]
"""[H, W]: 0 neither, 1 gained, 2 lost, 3 kept, 255 no data in one of the scenes."""


def change_classes(before: Mask, after: Mask, number: int) -> Classes:
    """Return the classes of change of one target.

    Args:
        before: Mask of the scene before.
        after: Mask of the scene after.
        number: Of the target in both masks, from 1.
    """
    classes = np.empty(before.shape, np.uint8)
    for rows in row_blocks(before.shape):
        first, second = before[rows] == number, after[rows] == number
        part = np.where(first, np.where(second, UNCHANGED, LOST), np.where(second, GAINED, 0)).astype(np.uint8)
        part[(before[rows] == MASK_NODATA) | (after[rows] == MASK_NODATA)] = MASK_NODATA
        classes[rows] = part
    return classes


def class_areas(classes: Classes, ground: EqualAreaGrid | None) -> dict[int, Area]:
    """Return the area of each class of change, and of no data, by its number.

    Args:
        classes: Of one target.
        ground: Measures the pixels; None where they lie off the map.
    """
    areas = {number: Area(0, None if ground is None else 0.0) for number in (0, GAINED, LOST, UNCHANGED, MASK_NODATA)}
    for rows in row_blocks(classes.shape):
        for number, area in areas.items():
            areas[number] = area + _area_of(classes[rows] == number, rows.start, ground)
    return areas


def rows_around(classes: Classes, rows: slice, reach: int) -> Classes:
    """Return some rows with so many rows and columns around them, no data beyond the edges."""
    height, width = classes.shape
    first, end = max(0, rows.start - reach), min(height, rows.stop + reach)
    around = np.full((rows.stop - rows.start + 2 * reach, width + 2 * reach), MASK_NODATA, np.uint8)
    top = first - (rows.start - reach)
    around[top : top + end - first, reach : reach + width] = classes[first:end]
    return around


def _area_of(pixels: NDArray[np.bool_], top: int, ground: EqualAreaGrid | None) -> Area:
    count = int(pixels.sum())
    if ground is None:
        return Area(count, None)
    if not count:
        return Area(0, 0.0)
    runs, _ = label_runs(pixels, 4)
    runs[:, 0] += top
    return Area(count, float(ground.run_areas_m2(runs).sum()))
