"""Which region comes nearest to the size that an instruction asks for, where none has it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spex_nb.types import SQUARE_METRES, AreaFilter, Filter, Region


def nearest_in_size(regions: Sequence[Region], filters: Sequence[Filter]) -> Region | None:
    """Return the region whose area is nearest to the bounds of some filters.

    Args:
        regions: All that there are.
        filters: Those of the instruction; only areas among them count.

    Returns:
        None where nothing is asked of the area, where one of the regions has it, and where there are no regions.
    """
    bounds = [wanted for wanted in filters if isinstance(wanted, AreaFilter)]
    misses = [max(_miss(region, wanted) for wanted in bounds) for region in regions if bounds]
    if not misses or min(misses) <= 0:
        return None
    return regions[misses.index(min(misses))]


def _miss(region: Region, wanted: AreaFilter) -> float:
    """Return how many times a region is too small or too large, as a logarithm; 0 or less where it is neither."""
    area = region.area_px if wanted.unit == "px" else (region.area_m2 or 0.0) / SQUARE_METRES[wanted.unit]
    if area <= 0 or wanted.amount <= 0:
        return 0.0
    times = math.log(wanted.amount / area)
    return times if wanted.comparison in (">", ">=") else -times
