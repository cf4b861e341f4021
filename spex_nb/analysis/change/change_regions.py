"""Gained and lost regions as polygons, each marked where shift or noise alone may have made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.change.change_classes import Classes
from spex_nb.analysis.change.floor import unexplained_rows
from spex_nb.analysis.change.result import CLASS_WORDS, Area, RegionCounts
from spex_nb.regions.find import regions_frame, summarize_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import RegionSums, row_blocks
from spex_nb.types import SQUARE_METRES, Region

if TYPE_CHECKING:
    import geopandas as gpd


@dataclass(frozen=True)
class RegionRule:
    """Which regions are listed, and which of them lie below the floor.

    A region lies below the floor if it has no more unexplained pixels than `noise_px`. A pixel is explained where it
    lies within `reach_px` of the target on the other date: it can be an edge that moved.
    """

    min_area_px: int
    reach_px: int
    noise_px: int
    """Size of the largest region that noise alone made, or that is too small to be listed."""


@dataclass(frozen=True)
class ChangeRegions:
    """The regions of the gain or the loss of a target."""

    frame: gpd.GeoDataFrame
    counts: RegionCounts
    regions: Sequence[Region]
    """Their pixels, in the order of the table."""


def list_regions(
    classes: xr.DataArray, number: int, rule: RegionRule, ground: EqualAreaGrid | None, whole: Area
) -> ChangeRegions:
    """Return the regions of one class of change, largest first.

    Args:
        classes: uint8 [H, W] of one target, with its grid.
        number: `GAINED` or `LOST`.
        rule: Which are listed, and which lie below the floor.
        ground: Measures the pixels; None where they lie off the map.
        whole: Area of the class.
    """
    pixels: Classes = classes.values
    regions = summarize_regions(pixels == number, ground=ground, min_area_px=rule.min_area_px, top=None).regions
    unexplained = _unexplained_px(pixels, number, regions, rule.reach_px)
    frame = regions_frame(regions, classes)[["area_px", "area_m2", "geometry"]]
    frame.insert(0, "region", np.arange(1, len(frame) + 1))
    frame.insert(0, "change", CLASS_WORDS[number])
    frame.insert(0, "target", str(classes.name))
    frame.insert(5, "area_ha", frame["area_m2"] / SQUARE_METRES["ha"])
    frame.insert(6, "unexplained_px", unexplained)
    frame.insert(7, "below_floor", unexplained <= rule.noise_px)
    is_below = frame["below_floor"].to_numpy(bool)
    listed, below = (
        _area_of([regions[i] for i in np.flatnonzero(where)], ground) for where in (is_below | True, is_below)
    )
    rest = Area(whole.px - listed.px, None if whole.m2 is None or listed.m2 is None else max(0.0, whole.m2 - listed.m2))
    return ChangeRegions(frame, RegionCounts(len(regions), int(is_below.sum()), below, rest), regions)


def _area_of(regions: Sequence[Region], ground: EqualAreaGrid | None) -> Area:
    pixels = sum(region.area_px for region in regions)
    return Area(pixels, None if ground is None else float(sum(region.area_m2 or 0.0 for region in regions)))


def _unexplained_px(classes: Classes, number: int, regions: Sequence[Region], reach_px: int) -> NDArray[np.int64]:
    """Return the unexplained pixels of each region, [N]."""
    sums = RegionSums([region.runs for region in regions], ["unexplained"])
    for rows in row_blocks(classes.shape):
        unexplained = unexplained_rows(classes, rows, number, reach_px)
        sums.add(rows.start, {"unexplained": unexplained.astype(np.float32)})
    areas = np.array([region.area_px for region in regions], np.float64)
    return np.rint(sums.means("unexplained") * areas).astype(np.int64)
