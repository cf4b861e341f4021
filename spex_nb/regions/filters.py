"""The filters of an instruction, applied to regions: areas, places and distances, measured on the ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spex_nb.errors import RegionError
from spex_nb.regions.find import region_polygons
from spex_nb.regions.ground import EqualAreaGrid, from_lonlat
from spex_nb.regions.polygons import polygons_of
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
SEGMENTS = 64
"""Straight edges in longitude and latitude are curved on the map: a drawn outline gets this many corners at least."""
_COMPASS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
_PICTURE = {"top": (0, -1), "right": (1, 0), "bottom": (0, 1), "left": (-1, 0)}


def apply_filters(
    regions: Sequence[Region],
    instruction: Instruction,
    scene: xr.Dataset,
    *,
    drawn: Any = None,
    masks: Mapping[str, ArrayLike] | None = None,
) -> list[Region]:
    """Keep the regions that meet every filter of an instruction.

    Compass words compare the centroid on the ground with the centre of the scene's extent: ``north`` is one half,
    ``north-west`` one quarter. Words of the picture (``top``, ``left``) do the same in pixels. ``centre`` is the middle
    third both ways. A distance is the smallest between two outlines; its bound counts as within. A region is within
    the drawn area when more than half of it is. The edge is that of the pixel grid, not of the valid pixels. The
    largest and smallest come last, among the regions that meet all other filters.

    Args:
        regions: Those of a mask of the whole scene.
        instruction: The instruction, from `parse_instruction`.
        scene: The scene whose grid the regions lie on, with dims (y, x).
        drawn: The area that the user drew, a shapely geometry. Its coordinates are those of the scene's CRS, or
            longitude and latitude where only these meet the scene. Without a CRS they are pixels (y down).
        masks: bool [H, W] of other targets by id, for distances. `spectral_prior` gives those that are missing.

    Returns:
        Regions in the given order; the largest or smallest first where the instruction asks for these.

    Raises:
        RegionError: If a filter needs a CRS or a drawn area and there is none, if the drawn area misses the scene, or
            if the regions are of another grid.
        TargetError: If no index can show a target that a distance is asked to.
        MissingBandError: If the scene lacks the bands for it.
    """
    site = _Site(scene, drawn, masks or {})
    _require_grid(regions, site)
    remaining = list(regions)
    for wanted in sorted(instruction.filters, key=lambda wanted: isinstance(wanted, RankFilter)):
        remaining = _apply(remaining, wanted, site)
    return remaining


@dataclass
class _Site:
    """The scene, and what filters need of it. Each is computed when it is first needed."""

    scene: xr.Dataset
    drawn: Any
    masks: Mapping[str, ArrayLike]

    @property
    def shape(self) -> tuple[int, int]:
        return self.scene.sizes["y"], self.scene.sizes["x"]

    @cached_property
    def ground(self) -> EqualAreaGrid | None:
        return EqualAreaGrid.of(self.scene)

    def require_ground(self, quantity: str, instead: str) -> EqualAreaGrid:
        """Return the grid on the ground, or raise with what works without it."""
        if self.ground is None:
            raise RegionError(
                f"{quantity} cannot be measured",
                found="a scene without a CRS",
                expected="a scene that lies on the map",
                fix=f"Give the scene a CRS and transform, or {instead}.",
            )
        return self.ground

    def mask(self, target: str) -> ArrayLike:
        """Return the mask of another target: bool [H, W]."""
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


def _apply(regions: list[Region], wanted: Filter, site: _Site) -> list[Region]:
    match wanted:
        case AreaFilter():
            return [region for region in regions if _meets(_area(region, wanted.unit), wanted)]
        case PlaceFilter():
            return _in_place(regions, wanted, site)
        case NearFilter():
            return _near(regions, wanted, site)
        case DrawnFilter():
            return _in_drawn(regions, wanted, site)
        case EdgeFilter(touching):
            return [region for region in regions if _touches_edge(region) == touching]
        case RankFilter(order, count):
            sign = -1 if order == "largest" else 1
            return sorted(regions, key=lambda region: sign * _size(region))[:count]


def _size(region: Region) -> float:
    """Return the area on the ground, or in pixels where there is no CRS."""
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


def _meets(area: float, wanted: AreaFilter) -> bool:
    bound = wanted.amount * SQUARE_METRES.get(wanted.unit, 1)
    match wanted.comparison:
        case ">":
            return area > bound
        case ">=":
            return area >= bound
        case "<":
            return area < bound
        case "<=":
            return area <= bound


def _in_place(regions: list[Region], wanted: PlaceFilter, site: _Site) -> list[Region]:
    """Keep the regions whose centroid lies in a part of the scene."""
    if not regions:
        return []
    height, width = site.shape
    centroids = np.array([region.centroid_px for region in regions])
    if wanted.place == "centre":
        offsets = np.abs(centroids / (width, height) - HALF)
        inside = np.all(offsets <= MIDDLE_THIRD, axis=1)
    else:
        words = wanted.place.split("-")
        if words[0] in _COMPASS:
            ground = site.require_ground(f"'{wanted.place}'", "ask for a place in the picture ('top', 'left')")
            points, middle = ground.metres(centroids), ground.metres([(width / 2, height / 2)])
            directions = [_COMPASS[word] for word in words]
        else:
            points, middle = centroids, np.array([(width / 2, height / 2)])
            directions = [_PICTURE[word] for word in words]
        inside = np.all((points - middle) @ np.array(directions).T > 0, axis=1)
    return [region for region, is_inside in zip(regions, inside.tolist(), strict=True) if is_inside == wanted.inside]


def _near(regions: list[Region], wanted: NearFilter, site: _Site) -> list[Region]:
    """Keep the regions by the smallest distance between their outline and that of another target."""
    import shapely

    if not regions:
        return []
    ground = site.require_ground("Distances in metres", "ask for areas in pixels and places in the picture")
    others = shapely.STRtree(_on_ground(_outlines(site.mask(wanted.target)), ground))
    outlines = _on_ground(region_polygons(regions), ground)
    near = set(others.query(outlines, predicate="dwithin", distance=wanted.distance_m)[0].tolist())
    return [region for i, region in enumerate(regions) if (i in near) == wanted.within]


def _outlines(mask: ArrayLike) -> NDArray[Any]:
    """Return the outlines of a mask in pixels, as shapely polygons."""
    runs, numbers = label_runs(np.asarray(mask, bool), 4)
    if not len(runs):
        return polygons_of([])
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order])) + 1
    return polygons_of(np.split(runs[order], starts))


def _on_ground(outlines: Any, ground: EqualAreaGrid) -> Any:
    """Return outlines in metres; their long edges get corners, for they are curved on the ground."""
    import shapely

    return ground.polygon(shapely.segmentize(outlines, SEGMENT_PX))


def _in_drawn(regions: list[Region], wanted: DrawnFilter, site: _Site) -> list[Region]:
    """Keep the regions that lie for the most part within what the user drew, or for the most part outside."""
    import shapely

    drawn_px = _drawn_px(site)
    outlines = region_polygons(regions)
    inside = shapely.area(shapely.intersection(outlines, drawn_px)) > HALF * shapely.area(outlines)
    return [region for region, is_inside in zip(regions, inside, strict=True) if is_inside == wanted.inside]


def _drawn_px(site: _Site) -> Any:
    """Return what the user drew as a shapely geometry in pixels that meets the scene."""
    import shapely

    # Hand-drawn outlines cross themselves.
    drawn = shapely.make_valid(site.drawn) if isinstance(site.drawn, shapely.Geometry) else None
    if drawn is None or not drawn.area:
        raise RegionError(
            "No area was drawn",
            found=f"drawn={site.drawn!r}",
            expected="a polygon in the scene's CRS (in pixels where there is none)",
            fix="Draw an area on the map, or pass drawn=shapely.box(left, bottom, right, top).",
        )
    height, width = site.shape
    frame = shapely.box(0, 0, width, height)
    for drawn_px in _pixel_readings(drawn, site):
        if shapely.intersects(drawn_px, frame):
            return drawn_px
    crs = "pixels" if site.ground is None else f"the scene's CRS, {site.scene.rio.crs}"
    extent = (0, 0, width, height) if site.ground is None else site.scene.rio.bounds()
    raise RegionError(
        "The drawn area lies outside the scene",
        found=f"x and y from {_corners(drawn.bounds)}",
        expected=f"an area that meets the scene, which reaches from {_corners(extent)} in {crs}",
        fix="Draw within the scene, or transform the polygon into its CRS.",
    )


def _pixel_readings(drawn: Any, site: _Site) -> Iterator[Any]:
    """Yield a geometry in pixels: read in the scene's CRS, then as longitude and latitude where it can be these."""
    import shapely

    if site.ground is None:
        yield drawn
        return
    to_pixels = ~site.scene.rio.transform()
    yield shapely.transform(drawn, lambda xy: np.stack(to_pixels @ xy.T, 1))
    left, bottom, right, top = drawn.bounds
    if left >= -180 and right <= 180 and bottom >= -90 and top <= 90:  # noqa: PLR2004 (degrees)
        project = from_lonlat(site.ground.crs)
        outline = shapely.segmentize(drawn, (right - left + top - bottom) / SEGMENTS)
        on_map = shapely.transform(outline, lambda lonlat: np.stack(project(*lonlat.T), 1))
        if np.isfinite(on_map.bounds).all():
            yield shapely.transform(on_map, lambda xy: np.stack(to_pixels @ xy.T, 1))


def _corners(bounds: Sequence[float]) -> str:
    left, bottom, right, top = bounds
    return f"({left:.7g}, {bottom:.7g}) to ({right:.7g}, {top:.7g})"


def _touches_edge(region: Region) -> bool:
    height, width = region.shape
    row, first, end = region.runs.T
    return bool(row.min() == 0 or row.max() == height - 1 or first.min() == 0 or end.max() == width)


def _require_grid(regions: Sequence[Region], site: _Site) -> None:
    other = next((region for region in regions if region.shape != site.shape), None)
    if other is not None:
        raise RegionError(
            "The regions are of another grid",
            found=f"regions on {other.shape} pixels, a scene of {site.shape}",
            expected="regions found in a mask of this scene",
            fix="Find the regions in a mask that covers the whole scene.",
        )
