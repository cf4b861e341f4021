"""Where a result is likely to be wrong: an unsure model, a rule that says otherwise, a rival that fits, a ragged edge.

Each sign is known without labels and depends on no checkpoint. The doubt of a pixel is how near its probability lies to
the threshold, times one to four: once more if the target's own rule contradicts the mask, once more if the rule of a
target that excludes it holds too, and once more the more evenly the mask divides the pixel and its neighbours.
docs/checking.md has the share of errors among the pixels of most doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from spex_nb.regions.find import location_word
from spex_nb.regions.runs import row_blocks
from spex_nb.types import MASK_NODATA, Window
from spex_nb.types.targets import TARGETS, are_exclusive

STEPS = 250
"""Steps of doubt, from none to as much as can be."""
FLAGGED_FRAC = 0.05
"""Share of the pixels that count as those of most doubt."""
PLACE_PX = 32
"""Side of the squares that are looked at one after the other."""
SIGNS = 4
NEIGHBOURHOOD_PX = 3
"""Side of the square of neighbours."""

Doubt = NDArray[np.uint8]
"""uint8 [H, W]: 0 none ... 250 as much as can be, 255 no data."""


class DoubtPlace(NamedTuple):
    """Where in the picture most of the doubt lies."""

    location: str
    """Cell of the 3 x 3 grid, such as ``top-left``."""
    share_frac: float
    """Share of the pixels of most doubt that lie in this cell."""


def doubt_of_rows(
    mask: NDArray[np.uint8],
    probability: NDArray[np.float32],
    thresholds: Mapping[str, float],
    rules: Mapping[str, NDArray[np.bool_]],
    top: int = 0,
) -> Doubt:
    """Return how far some rows of a mask are in doubt.

    Args:
        mask: uint8 [H, W], the whole of it: 0 none, 1 ... n the classes, 255 no data.
        probability: float32 [n, h, W] of the classes, NaN where there is no data.
        thresholds: By class, in the order of their numbers, the probability from which on a pixel belongs to it.
        rules: By target the mask of its spectral rule, bool [h, W]; targets without a rule are left out.
        top: The first of the rows that probability and rules are of (default: 0).

    Returns:
        The doubt of each pixel of these rows, that of the most doubted class.
    """
    rows = slice(top, top + probability.shape[1])
    around, mask = _with_neighbours(mask, rows), mask[rows]
    most = np.zeros(mask.shape, np.float32)
    for number, (name, threshold) in enumerate(thresholds.items(), start=1):
        is_class = mask == number
        signs = 1 + _division(around, number)
        if name in rules:
            signs += rules[name] != is_class
        signs += is_class & _any_rival(name, rules, mask.shape)
        unsure = _nearness(np.nan_to_num(probability[number - 1]), threshold)
        np.maximum(most, unsure * signs / SIGNS, out=most)
    return np.where(mask == MASK_NODATA, MASK_NODATA, np.rint(STEPS * most)).astype(np.uint8)


def _with_neighbours(mask: NDArray[np.uint8], rows: slice) -> NDArray[np.uint8]:
    """Return some rows with the row above and the row below; at the edge of the mask its last row twice."""
    wanted = np.clip(np.arange(rows.start - 1, rows.stop + 1), 0, len(mask) - 1)
    around: NDArray[np.uint8] = mask[wanted]
    return around


def _division(around: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
    """Return how evenly a class divides the neighbours with data: 0 where all are alike, 1 where half of them are it.

    Args:
        around: uint8 [h + 2, W] of a mask.
        number: Of the class.
    """
    share = uniform_filter((around == number).astype(np.float32), NEIGHBOURHOOD_PX, mode="nearest")[1:-1]
    has_data = around != MASK_NODATA
    if not has_data.all():
        with_data = uniform_filter(has_data.astype(np.float32), NEIGHBOURHOOD_PX, mode="nearest")[1:-1]
        share = share / np.maximum(with_data, 1 / NEIGHBOURHOOD_PX**2)
    share = np.clip(share, 0, 1)
    division: NDArray[np.float32] = 4 * share * (1 - share)
    return division


def place_of_doubt(doubt: Doubt) -> DoubtPlace | None:
    """Return the part of the picture that has most of the pixels of most doubt; None where there is none."""
    least = _least_flagged(doubt, FLAGGED_FRAC)
    counts = np.array([[np.count_nonzero(_is_flagged(cell, least)) for cell in row] for row in _thirds(doubt)])
    if not counts.any():
        return None
    row, column = divmod(int(np.argmax(counts)), 3)
    location = location_word((column + 0.5) / 3, (row + 0.5) / 3)
    return DoubtPlace(location, float(counts.max() / counts.sum()))


def flagged_pixels(doubt: Doubt, share_frac: float = FLAGGED_FRAC) -> NDArray[np.bool_]:
    """Return the pixels of most doubt, bool [H, W]: about this share of those with data, none that has no doubt."""
    return _is_flagged(doubt, _least_flagged(doubt, share_frac))


def _is_flagged(doubt: Doubt, least: int) -> NDArray[np.bool_]:
    is_flagged: NDArray[np.bool_] = (doubt >= least) & (doubt != MASK_NODATA)
    return is_flagged


def _least_flagged(doubt: Doubt, share_frac: float) -> int:
    """Return the least doubt, above 0, that no larger share of the pixels with data reaches; the most where all do."""
    counts = _histogram(doubt)[: STEPS + 1]
    above = np.cumsum(counts[::-1])[::-1]
    is_few = above <= share_frac * counts.sum()
    return max(int(np.argmax(is_few)), 1) if is_few.any() else STEPS


def _histogram(doubt: Doubt) -> NDArray[np.int64]:
    """Return how many pixels have each doubt, int64 [256]; counting takes eight bytes a pixel, so it goes by rows."""
    counts = np.zeros(MASK_NODATA + 1, np.int64)
    for rows in row_blocks(doubt.shape):
        counts += np.bincount(doubt[rows].ravel(), minlength=MASK_NODATA + 1)
    return counts


def _thirds(doubt: Doubt) -> list[list[Doubt]]:
    """Return the cells of the 3 x 3 grid of a picture, row by row."""
    rows, columns = ((-(-side // 3), -(-2 * side // 3)) for side in doubt.shape)
    return [np.split(part, columns, axis=1) for part in np.split(doubt, rows)]


def doubtful_windows(doubt: Doubt, count: int = 12, side_px: int = PLACE_PX) -> list[Window]:
    """Return the squares that hold most doubt, the first one most; squares without any are left out.

    Args:
        doubt: The doubt of a result.
        count: The most squares to return (default: 12).
        side_px: Side of a square, in pixels (default: 32).
    """
    height, width = doubt.shape
    columns = -(-width // side_px)
    lefts = range(0, width, side_px)
    rows = (doubt[top : top + side_px] for top in range(0, height, side_px))
    sums = np.array([_column_sums(row, lefts) for row in rows]).ravel()
    order = [int(cell) for cell in np.argsort(-sums, kind="stable")[:count] if sums[cell] > 0]
    corners = [(cell // columns * side_px, cell % columns * side_px) for cell in order]
    return [(top, left, min(side_px, height - top), min(side_px, width - left)) for top, left in corners]


def _column_sums(rows: Doubt, lefts: Sequence[int]) -> NDArray[np.int64]:
    """Return the sum of the doubt of some rows [h, W] between each column of ``lefts`` and the next one."""
    of_columns = np.where(rows == MASK_NODATA, 0, rows).sum(axis=0, dtype=np.int64)
    sums: NDArray[np.int64] = np.add.reduceat(of_columns, lefts)
    return sums


def _nearness(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Return 1 at the threshold, falling to 0 at the probabilities 0 and 1."""
    upper, lower = max(1 - threshold, 1e-6), max(threshold, 1e-6)
    far = np.where(probability >= threshold, (probability - threshold) / upper, (threshold - probability) / lower)
    return (1 - np.clip(far, 0, 1)).astype(np.float32)


def _any_rival(name: str, rules: Mapping[str, NDArray[np.bool_]], shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return where the rule of a target holds that cannot be where this one is."""
    rivals = [rule for other, rule in rules.items() if name in TARGETS and are_exclusive(other, name)]
    return np.any(rivals, axis=0) if rivals else np.zeros(tuple(shape), bool)
