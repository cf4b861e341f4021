"""The regions of all classes of a mask as one table of polygons with their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spex_nb.regions.filters import SEGMENT_PX
from spex_nb.regions.find import regions_frame
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.types import Region

if TYPE_CHECKING:
    import geopandas as gpd

KEPT = ["area_px", "area_m2", "share_frac", "size", "location"]
"""Of what `regions_frame` says."""


def class_table(
    regions: Mapping[str, Sequence[Region]], figures: Mapping[str, Mapping[str, Any]], scene: xr.Dataset
) -> gpd.GeoDataFrame:
    """Return one row a region, class by class.

    Args:
        regions: Of each class, largest first.
        figures: Of each class: float64 [N] by name, a number a region; becomes the columns ``mean_…``.
        scene: Whose grid the regions lie on.

    Returns:
        A GeoDataFrame in the scene's CRS (in pixels, y down, without one); see `Extraction.regions`.
    """
    every = [region for own in regions.values() for region in own]
    frame = regions_frame(every, scene)
    geometry = frame.geometry
    table = frame[[*KEPT, "geometry"]].drop(columns="geometry")
    table.insert(0, "target", np.repeat(np.array([*regions], object), [len(own) for own in regions.values()]))
    table.insert(1, "region", np.concatenate([[], *(np.arange(len(own)) + 1 for own in regions.values())]).astype(int))
    table.insert(4, "perimeter_m", _perimeters_m(geometry, scene))
    x, y = scene.rio.transform() @ np.reshape([region.centroid_px for region in every], (-1, 2)).T
    table["centroid_x_crs"], table["centroid_y_crs"] = x, y
    for column in dict.fromkeys(name for own in figures.values() for name in own):
        known = [figures[name].get(column, np.full(len(own), np.nan)) for name, own in regions.items()]
        table[f"mean_{column}"] = np.concatenate(known)
    return _with_geometry(table, geometry)


def _with_geometry(table: Any, geometry: Any) -> gpd.GeoDataFrame:
    import geopandas as gpd

    return gpd.GeoDataFrame(table, geometry=geometry.values, crs=geometry.crs)


def _perimeters_m(geometry: Any, scene: xr.Dataset) -> Any:
    """Return the lengths of outlines on the ground, along pixels; NaN without a CRS."""
    import shapely

    ground = EqualAreaGrid.of(scene)
    if ground is None or not len(geometry):
        return np.full(len(geometry), np.nan)
    to_pixels = ~scene.rio.transform()
    outlines = shapely.transform(geometry.values, lambda xy: np.stack(to_pixels @ xy.T, 1))
    return shapely.length(ground.polygon(shapely.segmentize(outlines, SEGMENT_PX)))
