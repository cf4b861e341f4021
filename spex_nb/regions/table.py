"""The regions of all classes of a mask as one table of polygons with their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.regions.filters import SEGMENT_PX
from spex_nb.regions.find import regions_frame
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.types import Region

if TYPE_CHECKING:
    import geopandas as gpd

CORNERS = 50_000
"""Corners of polygons that are measured at a time."""
COLUMNS = ["area_px", "area_m2", "share_frac", "size", "location"]
"""Columns of `regions_frame` that the table takes over."""


def class_table(
    regions: Mapping[str, Sequence[Region]], figures: Mapping[str, Mapping[str, NDArray[np.float64]]], scene: xr.Dataset
) -> gpd.GeoDataFrame:
    """Return one row for each region, class by class.

    Args:
        regions: The regions of each class, largest first.
        figures: For each class, float64 [N] by name, one number for each region. They become the columns ``mean_…``;
            what a class lacks is NaN.
        scene: The scene whose grid the regions lie on.

    Returns:
        A GeoDataFrame in the scene's CRS (in pixels, y down, without one); see `Extraction.regions`.
    """
    every = [region for class_regions in regions.values() for region in class_regions]
    sizes = {name: len(class_regions) for name, class_regions in regions.items()}
    frame = regions_frame(every, scene)
    geometry = frame.geometry
    table = frame[[*COLUMNS, "geometry"]].drop(columns="geometry")
    numbers = [np.arange(size) + 1 for size in sizes.values()]
    table.insert(0, "target", np.repeat(np.array([*regions], object), [*sizes.values()]))
    table.insert(1, "region", np.concatenate([[], *numbers]).astype(int))
    table.insert(4, "perimeter_m", _perimeters_m(geometry, scene))
    x, y = scene.rio.transform() @ np.reshape([region.centroid_px for region in every], (-1, 2)).T
    table["centroid_x_crs"], table["centroid_y_crs"] = x, y
    for column in dict.fromkeys(column for class_figures in figures.values() for column in class_figures):
        means = [figures[name].get(column, np.full(size, np.nan)) for name, size in sizes.items()]
        table[f"mean_{column}"] = np.concatenate(means)
    return _with_geometry(table, geometry)


def _with_geometry(table: Any, geometry: Any) -> gpd.GeoDataFrame:
    import geopandas as gpd

    return gpd.GeoDataFrame(table, geometry=geometry.values, crs=geometry.crs)


def _perimeters_m(geometry: Any, scene: xr.Dataset) -> NDArray[np.float64]:
    """Return the lengths of outlines along pixels, in metres on the ground; NaN without a CRS."""
    import shapely

    ground = EqualAreaGrid.of(scene)
    if ground is None:
        return np.full(len(geometry), np.nan)
    to_pixels = ~scene.rio.transform()
    lengths = []
    for some in _in_parts(geometry.values):
        outlines = shapely.transform(some, lambda xy: np.stack(to_pixels @ xy.T, 1))
        lengths.append(shapely.length(ground.polygon(shapely.segmentize(outlines, SEGMENT_PX))))
    return np.concatenate([np.empty(0), *lengths])


def _in_parts(polygons: Any) -> list[Any]:
    """Return polygons in parts of about `CORNERS` corners: what is made of each corner takes memory."""
    import shapely

    ends = np.cumsum(shapely.get_num_coordinates(polygons)) // CORNERS
    return np.split(polygons, np.flatnonzero(np.diff(ends)) + 1)
