"""Masks of several dates measured together, rows after rows: areas, their intervals, and how often a pixel was it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

from spex_nb.analysis.change.result import Area
from spex_nb.analysis.change.series.dated_masks import DatedMask, MaskFolder
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import label_runs, row_blocks
from spex_nb.scene.windows.rasters import Reading
from spex_nb.types import MASK_NODATA

HALF = 0.5
"""Share of its border pixels that a mask may have too much or too little: its edge lies within half a pixel."""
PERCENT = 100
Masks = NDArray[np.uint8]
"""[dates, rows, columns]: 0 none, 1 ... n the targets, 255 no data."""


@dataclass
class DateSums:
    """What is counted of a target on one date.

    Attributes:
        area: What the mask shows.
        border: Its pixels beside a pixel with data that is not the target, or at its corner.
        hidden: Ground without data on this date that was the target on another one.
    """

    area: Area
    border: Area
    hidden: Area


@dataclass
class SeriesSums:
    """What is counted of a series.

    Attributes:
        ground: All that at least one scene shows.
        seen: What each date shows, in their order.
        common: What all dates show.
        by_target: By target, the sums of each date.
        frequency: By target, the share of the observations that show it, in percent: uint8 [H, W], 255 without any.
        observations: How many dates show each pixel: uint8 [H, W].
    """

    ground: Area
    seen: list[Area]
    common: Area
    by_target: dict[str, list[DateSums]]
    frequency: dict[str, NDArray[np.uint8]]
    observations: NDArray[np.uint8]


@dataclass
class _Meter:
    """Measures pixels of some rows, on the ground where they have a place."""

    ground: EqualAreaGrid | None
    top: int = 0
    nothing: Area = field(init=False)

    def __post_init__(self) -> None:
        self.nothing = Area(0, None if self.ground is None else 0.0)

    def area(self, pixels: NDArray[np.bool_]) -> Area:
        """Return the area of pixels [h, W] whose first row is ``top``."""
        count = int(pixels.sum())
        if self.ground is None or not count:
            return Area(count, self.nothing.m2)
        runs, _ = label_runs(pixels, 4)
        runs[:, 0] += self.top
        return Area(count, float(self.ground.run_areas_m2(runs).sum()))


def measure_series(
    masks: Sequence[DatedMask], folder: MaskFolder, shape: tuple[int, int], ground: EqualAreaGrid | None
) -> SeriesSums:
    """Measure the masks of a series together.

    Args:
        masks: In the order of their dates; all have the same targets.
        folder: Holds their pixels.
        shape: Height and width of the grid.
        ground: Measures the pixels; None where they lie off the map.
    """
    targets, meter = masks[0].targets, _Meter(ground)
    sums = SeriesSums(
        ground=meter.nothing,
        seen=[meter.nothing for _ in masks],
        common=meter.nothing,
        by_target={name: [DateSums(*3 * [meter.nothing]) for _ in masks] for name in targets},
        frequency={name: np.full(shape, MASK_NODATA, np.uint8) for name in targets},
        observations=np.zeros(shape, np.uint8),
    )
    for rows, around in _blocks([folder.raster(mask.date) for mask in masks], shape):
        meter.top = rows.start
        _add_rows(sums, rows, around, meter)
    return sums


def _blocks(files: Sequence[object], shape: tuple[int, int]) -> Iterator[tuple[slice, Masks]]:
    """Yield rows, and the masks of all dates there with a row and a column of no data or neighbours around them."""
    height, width = shape
    readings = [Reading(str(file), (1,), driver="GTiff") for file in files]
    step_shape = (height, width * len(files))  # so that all dates together are few pixels
    for rows in row_blocks(step_shape):
        first, end = max(0, rows.start - 1), min(height, rows.stop + 1)
        around = np.full((len(files), rows.stop - rows.start + 2, width + 2), MASK_NODATA, np.uint8)
        window = FileWindow(0, first, width, end - first)
        top = first - (rows.start - 1)
        for number, reading in enumerate(readings):
            around[number, top : top + end - first, 1:-1] = reading(window)[0]
        yield rows, around


def _add_rows(sums: SeriesSums, rows: slice, around: Masks, meter: _Meter) -> None:
    has_data = around != MASK_NODATA
    inner = has_data[:, 1:-1, 1:-1]
    observations = inner.sum(axis=0)
    sums.observations[rows] = observations
    sums.ground += meter.area(observations > 0)
    sums.common += meter.area(observations == len(around))
    for number, is_seen in enumerate(inner):
        sums.seen[number] += meter.area(is_seen)
    for code, (target, dates) in enumerate(sums.by_target.items(), start=1):
        is_target = around == code
        times = is_target[:, 1:-1, 1:-1].sum(axis=0)
        share = np.rint(PERCENT * times / np.maximum(observations, 1))
        sums.frequency[target][rows] = np.where(observations > 0, share, MASK_NODATA)
        for number, of_date in enumerate(dates):
            here = is_target[number, 1:-1, 1:-1]
            of_date.area += meter.area(here)
            of_date.border += meter.area(_border(is_target[number], has_data[number]))
            of_date.hidden += meter.area(~inner[number] & (times > 0))


def _border(is_target: NDArray[np.bool_], has_data: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the target's pixels beside another one, or at its corner: bool [h, w] of [h + 2, w + 2].

    Corners count, or else slanted shores would have too few pixels for their length.
    """
    is_other = has_data & ~is_target
    in_rows = is_other[:-2] | is_other[1:-1] | is_other[2:]
    border: NDArray[np.bool_] = is_target[1:-1, 1:-1] & (in_rows[:, :-2] | in_rows[:, 1:-1] | in_rows[:, 2:])
    return border


def interval_of(of_date: DateSums, seen: Area, appeared_frac: float, vanished_frac: float) -> tuple[Area, Area]:
    """Return between which areas a target lies on a date, as far as its edge and noise can move it.

    The edge of a mask lies within half a pixel. That is half of the area of its border pixels, to either side, as
    usual for outlines drawn in pixels (Hanshaw and Bookhagen 2014, https://doi.org/10.5194/tc-8-359-2014). Noise may
    have added as much as the same noise again adds, and removed as much as it removes.

    Args:
        of_date: Sums of the target on the date.
        seen: What the date shows.
        appeared_frac: Share of the ground that as much noise again adds.
        vanished_frac: Share of the ground that it removes.
    """
    low_px, high_px = (HALF * of_date.border.px + seen.px * frac for frac in (appeared_frac, vanished_frac))
    if of_date.area.m2 is None or of_date.border.m2 is None or seen.m2 is None:
        return Area(max(0.0, of_date.area.px - low_px), None), Area(of_date.area.px + high_px, None)
    low_m2, high_m2 = (HALF * of_date.border.m2 + seen.m2 * frac for frac in (appeared_frac, vanished_frac))
    return (
        Area(max(0.0, of_date.area.px - low_px), max(0.0, of_date.area.m2 - low_m2)),
        Area(of_date.area.px + high_px, of_date.area.m2 + high_m2),
    )
