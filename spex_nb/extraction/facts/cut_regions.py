"""Which regions end only because nothing was examined beyond: at the edge of the picture, and where there is no data.

Such regions may go on there, and two of them may be one. Their sizes are least ones, and so is the area of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spex_nb.types import MASK_NODATA, Region


@dataclass(frozen=True)
class RegionTally:
    """How many of some regions have something in common."""

    number: int = 0
    area_px: int = 0

    @classmethod
    def of(cls, regions: Sequence[Region]) -> RegionTally:
        """Count some regions."""
        return cls(len(regions), sum(region.area_px for region in regions))


def beside_gaps(mask: NDArray[np.uint8], rows: slice) -> NDArray[np.bool_]:
    """Return which pixels of some rows have a pixel without data among their eight neighbours, bool [h, W].

    Args:
        mask: uint8 [H, W], the whole of it, 255 where there is no data.
        rows: The rows to look at.
    """
    top, bottom = max(rows.start - 1, 0), min(rows.stop + 1, len(mask))
    gaps = np.pad(mask[top:bottom] == MASK_NODATA, ((top == rows.start, bottom == rows.stop), (1, 1)))
    columns = gaps[:, :-2] | gaps[:, 1:-1] | gaps[:, 2:]
    beside: NDArray[np.bool_] = columns[:-2] | columns[1:-1] | columns[2:]
    return beside


def cut_regions(regions: Sequence[Region], is_beside_gap: NDArray[np.bool_]) -> list[Region]:
    """Return the regions that end at the edge of the picture, or beside pixels without data.

    Args:
        regions: All of a target.
        is_beside_gap: bool [N] for each of them.
    """
    if not regions:
        return []
    height, width = regions[0].shape
    corners = np.array([region.rectangle_px for region in regions])
    # The rectangle about a region reaches at least as far as the region.
    may_touch = (corners.min(axis=1) <= 0).any(axis=1) | (corners.max(axis=1) >= (width, height)).any(axis=1)
    return [
        region
        for region, is_beside, may in zip(regions, is_beside_gap, may_touch, strict=True)
        if is_beside or (may and edges_touched(region))
    ]


def edges_touched(region: Region) -> list[str]:
    """Return the sides of the picture at which a region runs out of it."""
    if region.runs is None or not len(region.runs):
        return []
    height, width = region.shape
    row, first, end = np.asarray(region.runs).T
    touches = {
        "top": row.min() == 0,
        "bottom": row.max() == height - 1,
        "left": first.min() == 0,
        "right": end.max() == width,
    }
    return [side for side, is_there in touches.items() if is_there]
