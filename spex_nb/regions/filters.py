"""The filters of an instruction, applied to regions: areas, places and distances, measured on the ground."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from spex_nb.errors import RegionError
from spex_nb.regions.find import region_polygons
from spex_nb.regions.ground import EqualAreaGrid, from_lonlat
from spex_nb.regions.relations import (
    DIRECTIONS,
    are_adjacent,
    are_between,
    are_enclosed,
    are_in_direction,
    is_compass,
    mask_outlines,
    shaped_mask,
)
from spex_nb.regions.shape import has_shape, length_px, touches_edge
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types import (
    SQUARE_METRES,
    AdjacentFilter,
    AreaFilter,
    BetweenFilter,
    DirectionFilter,
    DrawnFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    Instruction,
    NearFilter,
    PlaceFilter,
    RankFilter,
    Region,
    Shape,
    ShapeFilter,
)

HALF = 0.5
"""A region lies within a drawn area when more than this share of it does."""
MIDDLE_THIRD = 1 / 6
"""The centre reaches from the middle this share of the extent to either side."""
SEGMENT_PX = 100
"""Straight edges of this length stray from curved ones by less than a hundredth of a pixel."""
SEGMENTS = 64
"""Straight edges in longitude and latitude are curved on the map: a drawn outline gets this many corners at least."""


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
    ranks come last, among the regions that meet all other filters. "West of the river" compares the centroid with the
    nearest point of the river, 60 degrees to either side of west. Next to the river is at most two pixels away. Within
    the city is with the city along more than half of the border. A river is elongated or runs through the picture.

    Args:
        regions: Those of a mask of the whole scene.
        instruction: The instruction, from `parse_instruction`. Filters of its only target count too.
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
    targets = instruction.targets or ("",)
    by_target = {targets[0]: list(regions)} if len(targets) == 1 else {"": list(regions)}
    return [
        region
        for narrowed in filter_classes(by_target, instruction, scene, drawn=drawn, masks=masks)
        for region in narrowed
    ]


def filter_classes(
    regions: Mapping[str, Sequence[Region]],
    instruction: Instruction,
    scene: xr.Dataset,
    *,
    drawn: Any = None,
    masks: Mapping[str, ArrayLike] | None = None,
) -> list[list[Region]]:
    """Keep the regions of each class that meet the filters of the instruction, and the class's own.

    Args:
        regions: Those of each class of a mask of the whole scene.
        instruction: As of `apply_filters`, like the other arguments and the errors.
        scene: The scene.
        drawn: What the user drew.
        masks: Of other targets.

    Returns:
        Regions of each class, in the order of ``regions``. Ranks of the instruction count all classes together.
    """
    site = _Site(scene, drawn, masks or {})
    narrowed = {name: _narrowed(of_class, instruction, name, site) for name, of_class in regions.items()}
    every = [region for of_class in narrowed.values() for region in of_class]
    ranked = _filtered(every, [wanted for wanted in instruction.filters if isinstance(wanted, RankFilter)], site)
    if len(narrowed) == 1:
        return [ranked]
    ids = set(map(id, ranked))
    return [[region for region in of_class if id(region) in ids] for of_class in narrowed.values()]


def _narrowed(regions: Sequence[Region], instruction: Instruction, name: str, site: _Site) -> list[Region]:
    """Apply all filters but the ranks that hold for all classes together."""
    _require_grid(regions, site)
    own_filters = instruction.own_filters.get(name, ())
    shared = [wanted for wanted in instruction.filters if not isinstance(wanted, RankFilter)]
    return _filtered(regions, sorted([*shared, *own_filters], key=lambda wanted: isinstance(wanted, RankFilter)), site)


def _filtered(regions: Sequence[Region], filters: Sequence[Filter], site: _Site) -> list[Region]:
    remaining = list(regions)
    for wanted in filters:
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

    def length(self, region: Region) -> float:
        """Return the longer side of the smallest rectangle about a region: metres, or pixels without a CRS."""
        if self.ground is None:
            return length_px(region)
        a, b, c, _ = self.ground.metres(region.rectangle_px)
        return float(max(np.hypot(*(b - a)), np.hypot(*(c - b))))

    def placed(
        self, regions: Sequence[Region], direction: str, goals: Sequence[tuple[str, Shape]]
    ) -> tuple[NDArray[np.float64], list[NDArray[Any]]]:
        """Return the centroids [N, 2] of regions, and the outlines of other targets, both as a direction needs them."""
        centroids = np.array([region.centroid_px for region in regions], float)
        outlines = [mask_outlines(self.shaped_mask(*goal)) for goal in goals]
        if not is_compass(direction):
            return centroids, outlines
        ground = self.require_ground(f"'{direction}'", "ask for a side in the picture ('left of', 'above')")
        return ground.metres(centroids), [_on_ground(outline, ground) for outline in outlines]

    def shaped_mask(self, target: str, shape: Shape) -> NDArray[np.bool_]:
        """Return the mask of another target's regions that have a shape: bool [H, W]."""
        return shaped_mask(self.mask(target), shape)

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
    if isinstance(wanted, RankFilter):
        return _ranked(regions, wanted, site)
    holds = _HOLDS[type(wanted)](regions, wanted, site) if regions else []
    return [region for region, is_kept in zip(regions, holds, strict=True) if is_kept]


def _ranked(regions: list[Region], wanted: RankFilter, site: _Site) -> list[Region]:
    sign = -1 if wanted.order in ("largest", "longest") else 1
    measure = _size if wanted.order in ("largest", "smallest") else site.length
    order = sorted(regions, key=lambda region: sign * measure(region))
    chosen = order[wanted.first - 1 : wanted.first - 1 + wanted.count]
    if wanted.inside:
        return chosen
    ids = set(map(id, chosen))
    return [region for region in regions if id(region) not in ids]


def _in_area(regions: list[Region], wanted: AreaFilter, _: _Site) -> list[bool]:
    return [_meets(_area(region, wanted.unit), wanted) for region in regions]


def _at_edge(regions: list[Region], wanted: EdgeFilter, _: _Site) -> list[bool]:
    return [touches_edge(region) == wanted.touching for region in regions]


def _of_shape(regions: list[Region], wanted: ShapeFilter, _: _Site) -> list[bool]:
    return [has_shape(region, wanted.shape) for region in regions]


def _adjacent(regions: list[Region], wanted: AdjacentFilter, site: _Site) -> list[bool]:
    mask = site.shaped_mask(wanted.target, wanted.shape)
    return [is_adjacent == wanted.inside for is_adjacent in are_adjacent(regions, mask)]


def _enclosed(regions: list[Region], wanted: EnclosedFilter, site: _Site) -> list[bool]:
    mask = site.shaped_mask(wanted.target, wanted.shape)
    return [is_enclosed == wanted.inside for is_enclosed in are_enclosed(regions, mask)]


def _in_direction(regions: list[Region], wanted: DirectionFilter, site: _Site) -> list[bool]:
    points, (outlines,) = site.placed(regions, wanted.direction, [(wanted.target, wanted.shape)])
    return [holds == wanted.inside for holds in are_in_direction(points, outlines, wanted.direction).tolist()]


def _between(regions: list[Region], wanted: BetweenFilter, site: _Site) -> list[bool]:
    goals = [(wanted.first, wanted.first_shape), (wanted.second, wanted.second_shape)]
    points, (first, second) = site.placed(regions, "north" if site.ground else "top", goals)
    return [holds == wanted.inside for holds in are_between(points, first, second).tolist()]


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


def _in_place(regions: list[Region], wanted: PlaceFilter, site: _Site) -> list[bool]:
    """Say of each region whether its centroid lies in a part of the scene."""
    height, width = site.shape
    centroids = np.array([region.centroid_px for region in regions])
    if wanted.place == "centre":
        offsets = np.abs(centroids / (width, height) - HALF)
        inside = np.all(offsets <= MIDDLE_THIRD, axis=1)
    else:
        words = wanted.place.split("-")
        if is_compass(wanted.place):
            ground = site.require_ground(f"'{wanted.place}'", "ask for a place in the picture ('top', 'left')")
            points, middle = ground.metres(centroids), ground.metres([(width / 2, height / 2)])
        else:
            points, middle = centroids, np.array([(width / 2, height / 2)])
        directions = [DIRECTIONS[word] for word in words]
        inside = np.all((points - middle) @ np.array(directions).T > 0, axis=1)
    return [is_inside == wanted.inside for is_inside in inside.tolist()]


def _near(regions: list[Region], wanted: NearFilter, site: _Site) -> list[bool]:
    """Say of each region whether its outline is near enough to that of another target."""
    import shapely

    ground = site.require_ground("Distances in metres", "ask for areas in pixels and places in the picture")
    others = shapely.STRtree(_on_ground(mask_outlines(site.shaped_mask(wanted.target, wanted.shape)), ground))
    outlines = _on_ground(region_polygons(regions), ground)
    near = set(others.query(outlines, predicate="dwithin", distance=wanted.distance_m)[0].tolist())
    return [(i in near) == wanted.within for i in range(len(regions))]


def _on_ground(outlines: Any, ground: EqualAreaGrid) -> Any:
    """Return outlines in metres; their long edges get corners, for they are curved on the ground."""
    import shapely

    return ground.polygon(shapely.segmentize(outlines, SEGMENT_PX))


def _in_drawn(regions: list[Region], wanted: DrawnFilter, site: _Site) -> list[bool]:
    """Say of each region whether it lies for the most part on the wanted side of what the user drew."""
    import shapely

    drawn_px = _drawn_px(site)
    outlines = region_polygons(regions)
    inside = shapely.area(shapely.intersection(outlines, drawn_px)) > HALF * shapely.area(outlines)
    return [is_inside == wanted.inside for is_inside in inside.tolist()]


_HOLDS: Mapping[type, Callable[[list[Region], Any, _Site], list[bool]]] = {
    AreaFilter: _in_area,
    PlaceFilter: _in_place,
    DrawnFilter: _in_drawn,
    NearFilter: _near,
    EdgeFilter: _at_edge,
    ShapeFilter: _of_shape,
    AdjacentFilter: _adjacent,
    EnclosedFilter: _enclosed,
    DirectionFilter: _in_direction,
    BetweenFilter: _between,
}
"""By kind of filter, what says of each region whether it meets it."""


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


def _require_grid(regions: Sequence[Region], site: _Site) -> None:
    other = next((region for region in regions if region.shape != site.shape), None)
    if other is not None:
        raise RegionError(
            "The regions are of another grid",
            found=f"regions on {other.shape} pixels, a scene of {site.shape}",
            expected="regions found in a mask of this scene",
            fix="Find the regions in a mask that covers the whole scene.",
        )
