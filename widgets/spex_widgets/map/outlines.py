"""Outlines of regions and of the scene as GeoJSON: few and simple enough for a map in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.output.web_mercator import WebGrid
from spex_widgets.map.viewport import LONGEST_PX, Bounds

if TYPE_CHECKING:
    import geopandas as gpd

MANY_REGIONS = 2000
"""A map freezes with more outlines; then only the largest and the selected are shown."""
LARGEST_SHOWN = 200
OUTLINE_STEP_PX = 0.75
"""Outlines keep to their region within this, on the screen at the zoom of the whole scene."""


class Outlines:
    """The footprint of a scene, polygons of the user, the regions found in it, and the one that is selected.

    Args:
        layers: What shows each of the four, by name: has ``data``.
    """

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self._layers = layers
        self._regions: gpd.GeoDataFrame | None = None

    @property
    def shown(self) -> list[Any]:
        """The layers that have something to show."""
        return [layer for layer in self._layers.values() if layer.data]

    def show_scene(self, place: WebGrid) -> None:
        """Show where a scene lies."""
        self._layers["footprint"].data = feature_collection(
            [{"type": "Polygon", "coordinates": [place.footprint_lonlat]}]
        )

    def show_regions(self, frame: gpd.GeoDataFrame, place: WebGrid) -> None:
        """Show regions, or of very many the largest by ``area_px``; none is selected."""
        self._regions = frame
        few = frame if len(frame) <= MANY_REGIONS else frame.nlargest(LARGEST_SHOWN, "area_px")
        self._layers["regions"].data = _simplified(few, place)
        self._layers["selected"].data = {}

    def show_districts(self, frame: gpd.GeoDataFrame | None, place: WebGrid) -> None:
        """Show polygons of the user, of very many the first ones; None shows none."""
        few = None if frame is None else frame[~(frame.geometry.isna() | frame.geometry.is_empty)].head(MANY_REGIONS)
        self._layers["districts"].data = {} if few is None or few.empty else _simplified(few, place)

    def select(self, region_id: Any, place: WebGrid) -> None:
        """Highlight a region; None highlights none.

        Raises:
            RegionError: If there is no such region.
        """
        self._layers["selected"].data = {} if region_id is None else _simplified(self._region(region_id), place)

    def bounds(self, region_id: Any, place: WebGrid) -> Bounds:
        """Return (west, south, east, north) of a region.

        Raises:
            RegionError: If there is no such region.
        """
        west, south, east, north = shapely.total_bounds(_in_lonlat(self._region(region_id), place)).tolist()
        return west, south, east, north

    def clear(self) -> None:
        """Show nothing."""
        self._regions = None
        for layer in self._layers.values():
            layer.data = {}

    def _region(self, region_id: Any) -> gpd.GeoDataFrame:
        if self._regions is None or region_id not in self._regions.index:
            first_ids = [] if self._regions is None else list(self._regions.index[:5])
            raise RegionError(
                "There is no such region",
                found=repr(region_id),
                expected=f"one of {first_ids} …",
                fix="Ids are those of the table's index.",
            )
        return self._regions.loc[[region_id]]


def _simplified(frame: gpd.GeoDataFrame, place: WebGrid) -> dict[str, Any]:
    """Return regions as GeoJSON, as exact as the screen can show them at the zoom of the whole scene."""
    west, _, east, _ = place.bounds_lonlat
    shapes = shapely.simplify(_in_lonlat(frame, place), OUTLINE_STEP_PX * (east - west) / LONGEST_PX)
    return feature_collection([shape.__geo_interface__ for shape in shapes])


def _in_lonlat(frame: gpd.GeoDataFrame, place: WebGrid) -> NDArray[np.object_]:
    shapes: NDArray[np.object_] = shapely.transform(
        frame.geometry.values, lambda xy: np.stack(place.lonlat_of_crs(*xy.T), 1)
    )
    return shapes


def feature_collection(geometries: list[Any]) -> dict[str, Any]:
    """Return geometries as features without properties."""
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return {"type": "FeatureCollection", "features": features}
