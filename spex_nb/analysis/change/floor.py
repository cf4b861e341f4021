"""The change that a wrong shift alone would show, and the parts of regions that it cannot explain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.change.change_classes import Classes, rows_around
from spex_nb.analysis.change.result import GAINED, LOST, UNCHANGED
from spex_nb.regions.runs import row_blocks
from spex_nb.types import MASK_NODATA

DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
"""(x, y) of the moves that are tried; the opposite ones swap gain and loss."""
TARGET_BEFORE, TARGET_AFTER = (LOST, UNCHANGED), (GAINED, UNCHANGED)
"""Classes of change that are the target before, and after."""


def shift_change_px(classes: Classes, uncertainty_px: float) -> float:
    """Return the most gain, or loss, that a move of either mask by the uncertainty of the shift makes, in pixels.

    Each mask is moved in four directions and held against itself. Between whole pixels the count grows evenly.

    Args:
        classes: Of one target.
        uncertainty_px: What the shift may be wrong by, in x and in y.
    """
    lower, part = math.floor(uncertainty_px), uncertainty_px % 1
    counts = _moved_px(classes, lower) * (1 - part) if lower else 0.0
    counts = counts + (_moved_px(classes, lower + 1) * part if part else 0.0)
    return float(np.max(counts))


def _moved_px(classes: Classes, steps: int) -> NDArray[np.float64]:
    """Return the pixels that each move of each mask gains and loses: float64 [masks, directions, (gain, loss)]."""
    counts = np.zeros((2, len(DIRECTIONS), 2))
    for rows in row_blocks(classes.shape):
        around = rows_around(classes, rows, steps)
        has_data = around != MASK_NODATA
        for mask, numbers in enumerate((TARGET_BEFORE, TARGET_AFTER)):
            is_target = np.isin(around, numbers)
            for direction, (x, y) in enumerate(DIRECTIONS):
                here, there = _inner(is_target, steps, 0, 0), _inner(is_target, steps, x * steps, y * steps)
                both = _inner(has_data, steps, 0, 0) & _inner(has_data, steps, x * steps, y * steps)
                counts[mask, direction] += (there & ~here & both).sum(), (here & ~there & both).sum()
    return counts


def _inner(around: NDArray[np.bool_], reach: int, x: int, y: int) -> NDArray[np.bool_]:
    """Return the rows and columns inside of a margin, moved by a step that stays in it."""
    height, width = around.shape
    return around[reach + y : height - reach + y, reach + x : width - reach + x]


def unexplained_rows(classes: Classes, rows: slice, number: int, reach: int) -> NDArray[np.bool_]:
    """Return where gain or loss lies further than a reach from the target on the other date: bool [h, W].

    A gained pixel that near to what was there before can be the edge of it, moved.

    Args:
        classes: Of one target.
        rows: Which rows.
        number: `GAINED` or `LOST`.
        reach: In pixels.
    """
    from scipy import ndimage

    around = rows_around(classes, rows, reach)
    other_date = np.isin(around, TARGET_BEFORE if number == GAINED else TARGET_AFTER)
    side = 2 * reach + 1
    near = ndimage.binary_dilation(other_date, np.ones((side, side), bool))
    unexplained: NDArray[np.bool_] = _inner((around == number) & ~near, reach, 0, 0)
    return unexplained
