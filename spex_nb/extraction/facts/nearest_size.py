"""Which region comes nearest to the size that an instruction asks for, where none has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from spex_nb.language.explanation.request import filters_of
from spex_nb.regions.filters import filter_classes
from spex_nb.types import SQUARE_METRES, AreaFilter, Filter, Instruction, RankFilter, Region


@dataclass(frozen=True)
class NearestRegion:
    """The region that comes nearest to the size that an instruction asks for."""

    region: Region
    meets_the_rest: bool
    """Whether it meets all that is asked for beside its size; False where no region does."""


def nearest_regions(
    candidates: Mapping[str, Sequence[Region]],
    instruction: Instruction,
    scene: xr.Dataset,
    *,
    drawn: Any = None,
    masks: Mapping[str, ArrayLike] | None = None,
) -> dict[str, NearestRegion]:
    """Return the region nearest in size, by class, among those that meet all that is asked for beside the size.

    Args:
        candidates: All regions of each class that no region was kept of.
        instruction: Its filters.
        scene: As of `filter_classes`, like the other arguments.
        drawn: What the user drew.
        masks: Of other targets.

    Returns:
        Classes of which no size is asked, or of which some region has it, are left out. Where no region meets the
        rest, the nearest one of all.
    """
    sized = {name: [*regions] for name, regions in candidates.items() if _bounds(filters_of(instruction, name))}
    if not sized:
        return {}
    rest = _without_sizes(instruction)
    nearest: dict[str, NearestRegion] = {}
    for name, regions in sized.items():
        (meeting,) = filter_classes({name: regions}, rest, scene, drawn=drawn, masks=masks)
        region = nearest_in_size(meeting or regions, filters_of(instruction, name))
        if region is not None:
            nearest[name] = NearestRegion(region, bool(meeting))
    return nearest


def _without_sizes(instruction: Instruction) -> Instruction:
    """Return an instruction without sizes, and without ranks, which come after all other filters."""

    def others(filters: Sequence[Filter]) -> tuple[Filter, ...]:
        return tuple(wanted for wanted in filters if not isinstance(wanted, AreaFilter | RankFilter))

    own_filters = {name: others(filters) for name, filters in instruction.own_filters.items()}
    return replace(instruction, filters=others(instruction.filters), own_filters=own_filters)


def _bounds(filters: Sequence[Filter]) -> list[AreaFilter]:
    return [wanted for wanted in filters if isinstance(wanted, AreaFilter)]


def nearest_in_size(regions: Sequence[Region], filters: Sequence[Filter]) -> Region | None:
    """Return the region whose area is nearest to the bounds of some filters.

    Args:
        regions: All that there are.
        filters: Those of the instruction; only areas among them count.

    Returns:
        None where nothing is asked of the area, where one of the regions has it, and where there are no regions.
    """
    bounds = _bounds(filters)
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
