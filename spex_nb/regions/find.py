"""Connected regions of a mask: area, centroid, rotated rectangle, place and size word of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spex_nb.errors import RegionError
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.polygons import polygons_of
from spex_nb.regions.runs import RegionRuns, label_runs, paint_runs
from spex_nb.types import Attributes, Point, Region, RegionSource

if TYPE_CHECKING:
    import geopandas as gpd

SIZE_WORDS = {
    "very tiny": 0.002,
    "tiny": 0.003,
    "small": 0.005,
    "medium": 0.008,
    "somewhat large": 0.0125,
    "large": 0.025,
    "huge": 1.0,
}
"""Each word, and the largest share of the tile that it covers. SPEX does not publish its limits. These agree with the
largest region of each word in its published prompts (shares of 512 x 512 pixels: very tiny 0.0016, small 0.0043, medium
0.0066, somewhat large 0.0105, large 0.0207)."""
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "center", "right")
LOCATIONS = tuple("center" if (r, c) == (1, 1) else f"{ROWS[r]}-{COLUMNS[c]}" for r in range(3) for c in range(3))
DECIMALS = 3
"""Of fractions of the tile in a prompt."""


def find_regions(
    mask: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    index: ArrayLike | None = None,
    min_area_px: int = 1,
    connectivity: Literal[4, 8] = 8,
    top: int | None = 10,
    source: RegionSource = "index",
) -> list[Region]:
    """Find the connected regions of a mask.

    Args:
        mask: bool or 0/1 [H, W]. A DataArray with a CRS gives areas in m².
        valid: bool [H, W]; pixels that are not valid belong to no region. All are valid by default.
        index: float [H, W], NaN where undefined. The regions carry its mean and standard deviation, and the name of a
            DataArray.
        min_area_px: Area of the smallest region, 0 or more.
        connectivity: 8 where pixels that meet at a corner belong together, or 4.
        top: The most regions to return, 1 or more; None for all.
        source: What the mask comes from.

    Returns:
        Largest first. Of equal areas, the region whose first pixel comes first in reading order.

    Raises:
        RegionError: If the mask is no mask, the arrays differ in shape, or a number makes no sense.
    """
    return summarize_regions(
        mask, valid, index=index, min_area_px=min_area_px, connectivity=connectivity, top=top, source=source
    ).regions


@dataclass(frozen=True)
class RegionSummary:
    """The largest regions of a mask, and totals over the whole mask."""

    regions: list[Region]
    number: int
    """Number of regions of at least ``min_area_px``, the largest and all others."""
    area_px: int
    """Area of the whole mask."""
    area_m2: float | None


def summarize_regions(
    mask: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    index: ArrayLike | None = None,
    min_area_px: int = 1,
    connectivity: Literal[4, 8] = 8,
    top: int | None = 10,
    source: RegionSource = "index",
    ground: EqualAreaGrid | None = None,
) -> RegionSummary:
    """Find the regions of a mask, and measure the whole mask.

    The other arguments are those of `find_regions`; ``ground`` is the grid of a mask that carries no CRS.
    """
    pixels = _as_mask(mask, valid, index)
    _require_sense(min_area_px, connectivity, top)
    if ground is None and isinstance(mask, xr.DataArray):
        ground = EqualAreaGrid.of(mask)
    runs, numbers = label_runs(pixels, connectivity)
    areas = np.bincount(numbers, weights=runs[:, 2] - runs[:, 1]).astype(np.int64)
    order = np.argsort(-areas, kind="stable")  # numbers follow the reading order of first pixels
    large = order[areas[order] >= min_area_px]
    largest = RegionRuns.of(runs, numbers, large[:top])
    return RegionSummary(
        regions=_measure(largest, pixels.shape, source, ground, index),
        number=len(large),
        area_px=int(areas.sum()),
        area_m2=None if ground is None else float(ground.run_areas_m2(runs).sum()),
    )


def size_word(share_frac: float) -> str:
    """Return the size word of a region that covers this share of its tile, 0..1."""
    return next((word for word, limit in SIZE_WORDS.items() if share_frac <= limit), "huge")


def location_word(x_frac: float, y_frac: float) -> str:
    """Return the cell of the 3 x 3 grid that holds a point, in fractions of the tile with y down."""
    row, column = (min(int(3 * value), 2) for value in (y_frac, x_frac))
    return LOCATIONS[3 * row + column]


def region_attributes(region: Region, *, rich: bool = False) -> Attributes:
    """Return the figures of a region as a prompt writes them, with three decimals.

    Args:
        region: A region from `find_regions`.
        rich: Whether to add index, mean index and share.
    """
    height, width = region.shape

    def frac(point: Point) -> Point:
        return round(point[0] / width, DECIMALS) + 0.0, round(point[1] / height, DECIMALS) + 0.0  # no -0.0

    first, second, third, fourth = (frac(corner) for corner in region.rectangle_px)
    is_measured = region.mean_index is not None and math.isfinite(region.mean_index)
    mean = round(region.mean_index or 0.0, DECIMALS) if is_measured else None
    return Attributes(
        size=region.size,
        centroid_frac=frac(region.centroid_px),
        location=region.location,
        rectangle_frac=(first, second, third, fourth),
        index_name=region.index_name if rich else None,
        mean_index=mean if rich else None,
        share_frac=round(region.share_frac, 4) if rich else None,
    )


def region_mask(regions: Sequence[Region], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return regions as a mask: bool [H, W] of shape (height, width)."""
    runs = [np.empty((0, 3), np.int32), *(region.runs for region in regions)]
    return paint_runs(np.concatenate(runs), 1, shape).astype(bool)


def region_polygon(region: Region) -> Any:
    """Return a region as a valid shapely polygon or multipolygon along its pixels' edges, in pixels (y down)."""
    return region_polygons([region])[0]


def region_polygons(regions: Sequence[Region]) -> NDArray[Any]:
    """Return `region_polygon` of many regions, object [N]; much quicker than one region at a time."""
    return polygons_of([region.runs for region in regions])


def regions_frame(regions: Sequence[Region], scene: xr.Dataset | xr.DataArray) -> gpd.GeoDataFrame:
    """Return regions as polygons with their attributes, one row each, in the given order.

    Args:
        regions: Regions of this scene.
        scene: The scene whose grid they lie on.

    Returns:
        A GeoDataFrame in the scene's CRS (in pixels, y down, without one): area_px, area_m2 (NaN without a CRS),
        share_frac, size, location, source, index_name, mean_index, spread_index.

    Raises:
        RegionError: If the regions are of a grid of another shape.
    """
    import geopandas as gpd
    import pandas as pd
    import shapely

    shape = scene.sizes["y"], scene.sizes["x"]
    if any(region.shape != shape for region in regions):
        raise RegionError(
            "The regions are of another grid",
            found=f"regions on {regions[0].shape} pixels, a scene of {shape}",
            expected="regions found in a mask of this scene",
            fix="Find the regions in a mask that covers the whole scene.",
        )
    transform = scene.rio.transform()
    outlines = shapely.transform(region_polygons(regions), lambda xy: np.stack(transform @ xy.T, 1))
    columns = ["area_px", "area_m2", "share_frac", "size", "location", "source", "index_name", "mean_index"]
    rows = [[getattr(region, name) for name in (*columns, "spread_index")] for region in regions]
    table = pd.DataFrame(rows, columns=[*columns, "spread_index"])
    for name in ("area_m2", "share_frac", "mean_index", "spread_index"):
        table[name] = table[name].astype(float)
    return gpd.GeoDataFrame(table.astype({"area_px": "int64"}), geometry=outlines, crs=scene.rio.crs)


def _as_mask(mask: ArrayLike, valid: ArrayLike | None, index: ArrayLike | None) -> NDArray[np.bool_]:
    pixels = np.asarray(mask)
    if pixels.ndim != 2 or not (pixels.dtype == bool or _is_zero_one(pixels)):  # noqa: PLR2004 (rows and columns)
        raise RegionError(
            "This is no mask",
            found=f"{pixels.dtype} {pixels.shape}, {_extent(pixels)}",
            expected="[H, W] of bool, or of 0 and 1",
            fix="Compare first: find_regions(probability > 0.5), find_regions(classes == 1).",
        )
    for name, other in (("valid", valid), ("index", index)):
        if other is not None and np.shape(other) != pixels.shape:
            raise RegionError(
                f"The mask and {name} differ in shape",
                found=f"{pixels.shape} and {np.shape(other)}",
                expected="the same grid",
                fix="Cut both by the same window.",
            )
    pixels = pixels.astype(bool, copy=False)
    return pixels if valid is None else pixels & np.asarray(valid, bool)


def _is_zero_one(pixels: NDArray[Any]) -> bool:
    return pixels.dtype.kind in "iu" and (pixels.size == 0 or bool(pixels.min() >= 0 and pixels.max() <= 1))


def _extent(pixels: NDArray[Any]) -> str:
    return f"from {pixels.min()} to {pixels.max()}" if pixels.size and pixels.dtype.kind in "iuf" else "no numbers"


def _require_sense(min_area_px: int, connectivity: int, top: int | None) -> None:
    if connectivity not in (4, 8) or min_area_px < 0 or (top is not None and top < 1):
        raise RegionError(
            "Regions cannot be found like this",
            found=f"connectivity {connectivity}, min_area_px {min_area_px}, top {top}",
            expected="connectivity 4 or 8, min_area_px of 0 or more, top of 1 or more (None for all)",
            fix="Correct the argument.",
        )


def _measure(
    regions: RegionRuns,
    shape: tuple[int, int],
    source: RegionSource,
    ground: EqualAreaGrid | None,
    index: ArrayLike | None,
) -> list[Region]:
    height, width = shape
    row, first, end = regions.runs.T.astype(np.int64)
    lengths, middles = end - first, np.stack([(first + end) / 2, row + 0.5], 1)
    areas = regions.sum(lengths)
    centroids = np.stack([regions.sum(lengths * middles[:, axis]) / areas for axis in (0, 1)], 1).tolist()
    squares = None if ground is None else regions.sum(ground.run_areas_m2(regions.runs))
    means, spreads = regions.spread(index, width)
    name = getattr(index, "name", None)
    runs, rectangles = np.split(regions.runs, regions.starts[1:]), regions.rectangles()
    return [
        Region(
            runs=runs[i],
            shape=shape,
            area_px=int(areas[i]),
            centroid_px=(x, y),
            rectangle_px=rectangles[i],
            share_frac=int(areas[i]) / (height * width),
            size=size_word(int(areas[i]) / (height * width)),
            location=location_word(x / width, y / height),
            source=source,
            area_m2=None if squares is None else float(squares[i]),
            index_name=None if name is None else str(name),
            mean_index=None if means is None else float(means[i]),
            spread_index=None if spreads is None else float(spreads[i]),
        )
        for i, (x, y) in enumerate(centroids)
    ]
