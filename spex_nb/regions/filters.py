"""Which regions an instruction keeps: areas, places and distances, measured on the ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import RegionError
from spex_nb.regions.find import region_polygons
from spex_nb.regions.ground import Ground
from spex_nb.regions.polygons import outline_regions
from spex_nb.regions.runs import label_runs
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types import (
    SQUARE_METRES,
    AreaFilter,
    DrawnFilter,
    EdgeFilter,
    Filter,
    Instruction,
    NearFilter,
    PlaceFilter,
    RankFilter,
    Region,
)

HALF = 0.5
"""A region lies within a drawn area when more than this share of it does."""
MIDDLE_THIRD = 1 / 6
"""The centre reaches from the middle this share of the extent to either side."""
SEGMENT_PX = 100
"""Straight edges of this length stray from curved ones by less than a hundredth of a pixel."""
_COMPASS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
_PICTURE = {"top": (0, -1), "right": (1, 0), "bottom": (0, 1), "left": (-1, 0)}


def apply_filters(
    regions: Sequence[Region],
    instruction: Instruction,
    scene: xr.Dataset,
    *,
    drawn: Any = None,
    masks: Mapping[str, Any] | None = None,
) -> list[Region]:
    """Keep the regions that meet every filter of an instruction.

    Areas are compared as they are. Compass words ask for the centroid on the ground, seen from the centre of the
    scene's extent: ``north`` is one half, ``north-west`` one quarter. Words of the picture (``top``, ``left``) ask the
    same in pixels. ``centre`` is the middle third both ways. Distances are the smallest between two outlines, up to
    and including the bound. A region is within the drawn area when more than half of it is. The edge is that of the
    pixel grid, not of the valid pixels. The largest and smallest are chosen last, among those that meet the rest.

    Args:
        regions: Found in a mask of the whole scene.
        instruction: What was asked.
        scene: Whose grid the regions lie on, with dims (y, x).
        drawn: What the user drew, a shapely geometry in the scene's CRS; in pixels (y down) where there is none.
        masks: bool [H, W] of other targets by id, for distances; what is missing is found by `spectral_prior`.

    Returns:
        In the given order; the largest or smallest first where these are asked for.

    Raises:
        RegionError: If a filter needs a CRS, a drawn area or regions of this grid that are not there.
        TargetError: If no index can show a target that a distance is asked to.
        MissingBandError: If the scene lacks the bands for it.
    """
    place = _Place(scene, drawn, masks or {})
    _require_grid(regions, place)
    kept = list(regions)
    for one in sorted(instruction.filters, key=lambda one: isinstance(one, RankFilter)):
        kept = _keep(kept, one, place)
    return kept


@dataclass
class _Place:
    """The scene, and what filters ask of it; nothing is computed unless asked."""

    scene: xr.Dataset
    drawn: Any
    masks: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        return self.scene.sizes["y"], self.scene.sizes["x"]

    @cached_property
    def ground(self) -> Ground | None:
        return Ground.of(self.scene)

    def require_ground(self, asked: str, instead: str) -> Ground:
        """Return the ground, or say what can be asked without one."""
        if self.ground is None:
            raise RegionError(
                f"{asked} cannot be measured",
                found="a scene without a CRS",
                expected="a scene that lies on the map",
                fix=f"Give the scene a CRS and transform, or {instead}.",
            )
        return self.ground

    def mask(self, target: str) -> Any:
        """Return where another target is: bool [H, W]."""
        if target not in self.masks:
            return spectral_prior(self.scene, target).mask
        if np.shape(self.masks[target]) != self.shape:
            raise RegionError(
                f"The mask of {target} is not of this scene",
                found=f"{np.shape(self.masks[target])} pixels",
                expected=f"{self.shape}",
                fix="Cut mask and scene by the same window.",
            )
        return self.masks[target]


def _keep(regions: list[Region], one: Filter, place: _Place) -> list[Region]:
    match one:
        case AreaFilter():
            return [region for region in regions if _meets(_area(region, one.unit), one)]
        case PlaceFilter():
            return _in_place(regions, one, place)
        case NearFilter():
            return _near(regions, one, place)
        case DrawnFilter():
            return _in_drawn(regions, one, place)
        case EdgeFilter(touching):
            return [region for region in regions if _touches_edge(region) == touching]
        case RankFilter(order, count):
            sign = -1 if order == "largest" else 1
            return sorted(regions, key=lambda region: sign * _size(region))[:count]


def _size(region: Region) -> float:
    """Return the area on the ground; in pixels where there is none."""
    return region.area_px if region.area_m2 is None else region.area_m2


def _area(region: Region, unit: str) -> float:
    """Return the area in pixels for ``px``, in square metres for all other units."""
    if unit == "px":
        return region.area_px
    if region.area_m2 is None:
        raise RegionError(
            f"Areas in {unit} cannot be measured",
            found="regions of a mask without a CRS",
            expected="regions that lie on the map",
            fix="Give the mask a CRS and transform, or ask for an area in pixels ('larger than 200 px').",
        )
    return region.area_m2


def _meets(area: float, one: AreaFilter) -> bool:
    bound = one.amount * SQUARE_METRES.get(one.unit, 1)
    match one.comparison:
        case ">":
            return area > bound
        case ">=":
            return area >= bound
        case "<":
            return area < bound
        case "<=":
            return area <= bound


def _in_place(regions: list[Region], one: PlaceFilter, place: _Place) -> list[Region]:
    """Keep the regions whose centroid lies in a part of the scene."""
    if not regions:
        return []
    height, width = place.shape
    centroids = np.array([region.centroid_px for region in regions])
    if one.place == "centre":
        offsets = np.abs(centroids / (width, height) - HALF)
        inside = np.all(offsets <= MIDDLE_THIRD, axis=1)
    else:
        words = one.place.split("-")
        if words[0] in _COMPASS:
            ground = place.require_ground(f"'{one.place}'", "ask for a place in the picture ('top', 'left')")
            points, middle = ground.metres(centroids), ground.metres([(width / 2, height / 2)])
            directions = [_COMPASS[word] for word in words]
        else:
            points, middle = centroids, np.array([(width / 2, height / 2)])
            directions = [_PICTURE[word] for word in words]
        inside = np.all((points - middle) @ np.array(directions).T > 0, axis=1)
    return [region for region, is_inside in zip(regions, inside.tolist(), strict=True) if is_inside == one.inside]


def _near(regions: list[Region], one: NearFilter, place: _Place) -> list[Region]:
    """Keep the regions by the smallest distance between their outline and that of another target."""
    import shapely

    if not regions:
        return []
    ground = place.require_ground("Distances in metres", "ask for areas in pixels and places in the picture")
    others = shapely.STRtree(_on_ground(_outlines(place.mask(one.target)), ground))
    own = _on_ground(region_polygons(regions), ground)
    near = set(others.query(own, predicate="dwithin", distance=one.distance_m)[0].tolist())
    return [region for i, region in enumerate(regions) if (i in near) == one.within]


def _outlines(mask: Any) -> Any:
    """Return the outlines of a mask in pixels, as shapely polygons."""
    runs, numbers = label_runs(np.asarray(mask, bool), 4)
    order = np.argsort(numbers, kind="stable")
    return outline_regions(np.split(runs[order], np.flatnonzero(np.diff(numbers[order])) + 1) if len(runs) else [])


def _on_ground(outlines: Any, ground: Ground) -> Any:
    """Return outlines in metres; their long edges get corners, for they are curved on the ground."""
    import shapely

    return ground.polygon(shapely.segmentize(outlines, SEGMENT_PX))


def _in_drawn(regions: list[Region], one: DrawnFilter, place: _Place) -> list[Region]:
    """Keep the regions that lie for the most part within what the user drew, or for the most part outside."""
    import shapely

    # Hand-drawn outlines cross themselves.
    drawn_px = shapely.make_valid(place.drawn) if isinstance(place.drawn, shapely.Geometry) else None
    if drawn_px is None or not drawn_px.area:
        raise RegionError(
            "No area was drawn",
            found=f"drawn={place.drawn!r}",
            expected="a polygon in the scene's CRS (in pixels where there is none)",
            fix="Draw an area on the map, or pass drawn=shapely.box(left, bottom, right, top).",
        )
    if place.ground is not None:
        to_pixels = ~place.scene.rio.transform()
        drawn_px = shapely.transform(drawn_px, lambda xy: np.stack(to_pixels @ xy.T, 1))
    outlines = region_polygons(regions)
    inside = shapely.area(shapely.intersection(outlines, drawn_px)) > HALF * shapely.area(outlines)
    return [region for region, is_inside in zip(regions, inside, strict=True) if is_inside == one.inside]


def _touches_edge(region: Region) -> bool:
    height, width = region.shape
    row, first, end = region.runs.T
    return bool(row.min() == 0 or row.max() == height - 1 or first.min() == 0 or end.max() == width)


def _require_grid(regions: Sequence[Region], place: _Place) -> None:
    other = next((region for region in regions if region.shape != place.shape), None)
    if other is not None:
        raise RegionError(
            "The regions are of another grid",
            found=f"regions on {other.shape} pixels, a scene of {place.shape}",
            expected="regions found in a mask of this scene",
            fix="Find the regions in a mask that covers the whole scene.",
        )
