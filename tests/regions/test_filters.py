"""Filters in ground units: on north-up, rotated, south-up and geographic grids, against geodesics on the ellipsoid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import shapely
import xarray as xr
from affine import Affine
from pyproj import Geod, Transformer

from spex_nb.errors import RegionError, TargetError
from spex_nb.language.instructions import parse_instruction
from spex_nb.regions.filters import apply_filters
from spex_nb.regions.find import find_regions, region_polygon
from spex_nb.types import Region

GEOD = Geod(ellps="WGS84")
SIZE = 120
UTM, LONLAT = "EPSG:32632", "EPSG:4326"
GRIDS = {
    "north-up": (Affine(10, 0, 500_000, 0, -10, 5_500_000), UTM),
    "rotated": (Affine.translation(500_000, 5_500_000) @ Affine.rotation(40) @ Affine.scale(10, -10), UTM),
    "south-up": (Affine(10, 0, 500_000, 0, 10, 5_500_000), UTM),
    "geographic": (Affine(0.0002, 0, 10.0, 0, -0.0002, 62.0), LONLAT),
}
on_every_grid = pytest.mark.parametrize("grid", GRIDS)
COMPASS = {"north": 0, "east": 90, "south": 180, "west": 270}
DIAGONAL = ("north-east", "south-east", "south-west", "north-west")


def scene_on(grid: str, **bands: Any) -> xr.Dataset:
    """Return a scene on one of the grids; without bands it is a mere green one."""
    pixels = bands or {"green": np.full((SIZE, SIZE), 0.1, "float32")}
    scene = xr.Dataset({name: (("y", "x"), np.asarray(band, "float32")) for name, band in pixels.items()})
    if grid == "picture":
        return scene
    transform, crs = GRIDS[grid]
    return scene.rio.write_crs(crs).rio.write_transform(transform)


def regions_in(scene: xr.Dataset, *blocks: tuple[slice, slice]) -> list[Region]:
    """Return the regions of a mask of blocks, in the order of the blocks."""
    found = [find_regions(mask_in(scene, block)) for block in blocks]
    return [region for (region,) in found]


def mask_in(scene: xr.Dataset, *blocks: tuple[slice, slice]) -> xr.DataArray:
    mask = xr.zeros_like(scene["green"], dtype=bool)
    for block in blocks:
        mask[block] = True
    return mask


def kept(regions: list[Region], text: str, scene: xr.Dataset, **also: Any) -> list[int]:
    """Return the places of the regions that an instruction keeps."""
    return [regions.index(region) for region in apply_filters(regions, parse_instruction(text), scene, **also)]


def lonlat(scene: xr.Dataset, x: Any, y: Any) -> Any:
    """Return longitude and latitude of a point in pixels."""
    return Transformer.from_crs(scene.rio.crs, LONLAT, always_xy=True).transform(*(scene.rio.transform() @ (x, y)))


def geodesic_m(scene: xr.Dataset, one: tuple[float, float], other: tuple[float, float]) -> float:
    return GEOD.inv(*lonlat(scene, *one), *lonlat(scene, *other))[2]


@on_every_grid
@pytest.mark.parametrize(("unit", "square_metres"), [("m2", 1), ("ha", 1e4), ("km²", 1e6)])
def test_areas_are_those_on_the_ellipsoid(grid: str, unit: str, square_metres: float) -> None:
    scene = scene_on(grid)
    regions = regions_in(scene, np.s_[20:60, 30:90])
    outline = shapely.segmentize(region_polygon(regions[0]), 1)
    x, y = np.array(outline.exterior.coords).T
    area = abs(GEOD.polygon_area_perimeter(*lonlat(scene, x, y))[0]) / square_metres
    for comparison, factor, expected in (
        ("larger than", 0.999, [0]),
        ("larger than", 1.001, []),
        ("smaller than", 1.001, [0]),
        ("smaller than", 0.999, []),
        ("of at least", 0.999, [0]),
        ("of at most", 0.999, []),
    ):
        assert kept(regions, f"water {comparison} {area * factor:.6f} {unit}", scene) == expected


def test_bounds_themselves_are_kept_only_by_at_least_and_at_most() -> None:
    scene = scene_on("picture")
    regions = regions_in(scene, np.s_[0:10, 0:20], np.s_[50:60, 50:60])
    assert kept(regions, "water larger than 200 px", scene) == []
    assert kept(regions, "water of at least 200 px", scene) == [0]
    assert kept(regions, "water smaller than 100 px", scene) == []
    assert kept(regions, "water of at most 100 px", scene) == [1]
    assert kept(regions, "water between 100 and 200 px", scene) == [0, 1]


@pytest.mark.slow
@on_every_grid
@pytest.mark.parametrize("word", [*COMPASS, *DIAGONAL])
def test_compass_words_are_true_directions_from_the_centre(grid: str, word: str) -> None:
    scene = scene_on(grid)
    pixels = np.random.default_rng(5).integers(0, SIZE, (60, 2))
    regions = regions_in(scene, *(np.s_[y : y + 1, x : x + 1] for x, y in pixels))
    centre, points = lonlat(scene, SIZE / 2, SIZE / 2), (lonlat(scene, x + 0.5, y + 0.5) for x, y in pixels)
    azimuths = np.radians([GEOD.inv(*centre, *point)[0] for point in points])
    towards = np.array([np.cos(azimuths - np.radians(COMPASS[one])) for one in word.split("-")])
    is_clear = np.all(np.abs(towards) > 0.02, axis=0)
    expected = np.flatnonzero(np.all(towards > 0, axis=0) & is_clear).tolist()
    assert expected
    assert [i for i in kept(regions, f"water in the {word}", scene) if is_clear[i]] == expected
    others = [i for i in kept(regions, f"water not in the {word}", scene) if is_clear[i]]
    assert sorted(others + expected) == np.flatnonzero(is_clear).tolist()


@pytest.mark.parametrize("grid", [*GRIDS, "picture"])
def test_words_of_the_picture_are_the_same_on_every_grid(grid: str) -> None:
    scene = scene_on(grid)
    corners = ("top left", "top right", "bottom left", "bottom right")
    regions = regions_in(scene, *(np.s_[y : y + 2, x : x + 2] for y in (5, 100) for x in (5, 100)), np.s_[55:65, 55:65])
    for i, corner in enumerate(corners):
        assert kept(regions, f"water in the {corner}", scene) == [i]
    assert kept(regions, "water in the left half", scene) == [0, 2]
    assert kept(regions, "water at the bottom", scene) == [2, 3]
    assert kept(regions, "water in the centre", scene) == [4]


def test_the_centre_is_the_middle_third_both_ways() -> None:
    scene = scene_on("picture")
    regions = regions_in(scene, np.s_[40:41, 60:61], np.s_[39:40, 60:61], np.s_[60:61, 79:80], np.s_[60:61, 80:81])
    assert kept(regions, "water in the middle", scene) == [0, 2]


@on_every_grid
@pytest.mark.parametrize("axis", ["x", "y"])
def test_distances_are_those_between_outlines_on_the_ellipsoid(grid: str, axis: str) -> None:
    scene = scene_on(grid)
    goal = np.s_[50:60, 50:60]
    block, one, other = {
        "x": (np.s_[50:60, 75:80], (60.0, 55.0), (75.0, 55.0)),
        "y": (np.s_[75:80, 50:60], (55.0, 60.0), (55.0, 75.0)),
    }[axis]
    distance = geodesic_m(scene, one, other)
    regions, roads = regions_in(scene, block), {"road": mask_in(scene, goal)}
    assert kept(regions, f"water within {distance * 1.001:.4f} m of roads", scene, masks=roads) == [0]
    assert kept(regions, f"water within {distance * 0.999:.4f} m of roads", scene, masks=roads) == []
    assert kept(regions, f"water more than {distance * 0.999:.4f} m from roads", scene, masks=roads) == [0]
    assert kept(regions, f"water within {distance / 999:.6f} km of roads", scene, masks=roads) == [0]


def test_a_region_inside_another_target_is_near_it_and_one_around_it_is_too() -> None:
    scene = scene_on("north-up")
    ring = mask_in(scene, np.s_[20:100, 20:100])
    ring[40:80, 40:80] = False
    inner = mask_in(scene, np.s_[58:62, 58:62])  # 180 m from the inside of the ring
    for mask, other in ((ring, inner), (inner, ring)):
        regions = find_regions(mask)
        assert kept(regions, "water within 181 m of roads", scene, masks={"road": other}) == [0]
        assert kept(regions, "water within 179 m of roads", scene, masks={"road": other}) == []


def test_the_other_target_is_found_by_its_index_where_no_mask_is_given() -> None:
    green, nir = np.full((SIZE, SIZE), 0.1), np.full((SIZE, SIZE), 0.4)
    green[:, :10], nir[:, :10] = 0.4, 0.05  # a river along the left side
    scene = scene_on("north-up", green=green, nir=nir, red=green / 2, blue=green / 2, swir1=nir / 2, swir2=nir / 3)
    regions = regions_in(scene, np.s_[50:60, 20:30], np.s_[50:60, 90:95])
    assert kept(regions, "forest within 150 m of the river", scene) == [0]
    with pytest.raises(TargetError):
        kept(regions, "water within 150 m of roads", scene)


@pytest.mark.parametrize("grid", [*GRIDS, "picture"])
def test_within_what_was_drawn_when_more_than_half_is(grid: str) -> None:
    scene = scene_on(grid)
    regions = regions_in(scene, np.s_[20:30, 35:45], np.s_[40:50, 36:46], np.s_[60:70, 34:44], np.s_[5:9, 90:95])
    drawn = shapely.box(0, 0, 40, SIZE)
    if grid != "picture":
        drawn = shapely.transform(drawn, lambda xy: np.stack(scene.rio.transform() @ xy.T, 1))
    assert kept(regions, "water inside the drawn area", scene, drawn=drawn) == [2]  # half is not more than half
    assert kept(regions, "water outside the drawn area", scene, drawn=drawn) == [0, 1, 3]


def test_a_drawn_outline_may_cross_itself() -> None:
    scene = scene_on("picture")
    regions = regions_in(scene, np.s_[10:20, 10:15], np.s_[10:20, 95:99], np.s_[1:4, 58:62])
    bow_tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    assert kept(regions, "water inside the drawn area", scene, drawn=bow_tie) == [0, 1]


@pytest.mark.parametrize("grid", ["north-up", "rotated", "south-up"])
def test_what_was_drawn_in_longitude_and_latitude_is_taken_where_only_that_meets_the_scene(grid: str) -> None:
    scene = scene_on(grid)
    regions = regions_in(scene, np.s_[10:20, 10:20], np.s_[70:90, 80:100])
    corners_px = shapely.segmentize(shapely.box(60, 60, 110, 110), 1)
    drawn = shapely.transform(corners_px, lambda xy: np.stack(lonlat(scene, *xy.T), 1))
    assert kept(regions, "water inside the drawn area", scene, drawn=drawn) == [1]
    assert kept(regions, "water outside the drawn area", scene, drawn=drawn) == [0]


def test_the_crs_of_the_scene_comes_first() -> None:
    scene = scene_on("geographic")
    regions = regions_in(scene, np.s_[10:20, 10:20], np.s_[70:90, 80:100])
    drawn = shapely.box(10.0, 61.99, 10.01, 62.0)  # also a legal pair of metres in many a projection
    assert kept(regions, "water inside the drawn area", scene, drawn=drawn) == [0]


@pytest.mark.parametrize(
    ("grid", "drawn", "extent"),
    [
        ("north-up", shapely.box(700_000, 5_400_000, 701_000, 5_401_000), "EPSG:32632"),  # another place
        ("north-up", shapely.box(-120.0, 30.0, -119.0, 31.0), "EPSG:32632"),  # longitude and latitude, elsewhere
        ("geographic", shapely.box(500_000, 5_499_000, 501_000, 5_500_000), "EPSG:4326"),  # metres
        ("picture", shapely.box(-50, -50, -10, -10), "pixels"),
    ],
)
def test_a_drawn_area_off_the_scene_is_an_error_that_names_both(grid: str, drawn: Any, extent: str) -> None:
    scene = scene_on(grid)
    with pytest.raises(RegionError, match=r"drawn area lies outside the scene.*transform the polygon") as caught:
        kept(regions_in(scene, np.s_[1:9, 1:9]), "water inside the drawn area", scene, drawn=drawn)
    assert extent in caught.value.expected
    assert f"{drawn.bounds[0]:.7g}" in caught.value.found


@pytest.mark.parametrize("drawn", [None, shapely.Point(1, 1), shapely.Polygon(), "a box"])
def test_without_a_drawn_area_it_is_said(drawn: Any) -> None:
    scene = scene_on("picture")
    with pytest.raises(RegionError, match="No area was drawn"):
        kept(regions_in(scene, np.s_[1:2, 1:2]), "water inside the drawn area", scene, drawn=drawn)


def test_only_regions_with_a_pixel_at_the_border_touch_the_edge() -> None:
    scene = scene_on("picture")
    at_edge = (np.s_[0:2, 30:32], np.s_[SIZE - 1 : SIZE, 30:32], np.s_[30:32, 0:1], np.s_[30:32, SIZE - 2 : SIZE])
    regions = regions_in(scene, *at_edge, np.s_[1 : SIZE - 1, 50:55])
    assert kept(regions, "water touching the edge", scene) == [0, 1, 2, 3]
    assert kept(regions, "water not touching the edge", scene) == [4]


def test_the_largest_are_chosen_among_those_that_meet_the_rest() -> None:
    scene = scene_on("north-up")
    regions = regions_in(scene, np.s_[5:35, 70:100], np.s_[70:90, 70:90], np.s_[80:85, 5:10], np.s_[100:110, 30:40])
    assert kept(regions, "the largest lake", scene) == [0]
    assert kept(regions, "the 2 largest lakes in the south", scene) == [1, 3]
    assert kept(regions, "the 2 smallest lakes", scene) == [2, 3]
    assert kept(regions, "the 9 largest lakes", scene) == [0, 1, 3, 2]


def test_on_the_ground_the_larger_one_is_not_always_the_one_with_more_pixels() -> None:
    scene = scene_on("geographic").rio.write_transform(Affine(0.25, 0, 10.0, 0, -0.25, 75.0))
    regions = regions_in(scene, np.s_[0:10, 0:11], np.s_[110:120, 0:10])  # the northern pixels are smaller
    assert kept(regions, "the largest lake", scene) == [1]


def test_an_instruction_without_filters_and_a_mask_without_regions_pass_through() -> None:
    scene = scene_on("picture")
    regions = regions_in(scene, np.s_[1:2, 1:2], np.s_[5:9, 5:9])
    assert kept(regions, "water", scene) == [0, 1]
    georeferenced = scene_on("north-up")
    for text in ("the largest lake", "lakes in the north", "lakes within 5 m of roads", "lakes larger than 1 ha"):
        assert apply_filters([], parse_instruction(text), georeferenced) == []


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("water larger than 2 ha", "in pixels"),
        ("water in the north", "'top'"),
        ("water within 5 m of roads", "areas in pixels"),
    ],
)
def test_without_a_map_only_what_a_picture_shows_can_be_asked(text: str, fix: str) -> None:
    scene = scene_on("picture")
    with pytest.raises(RegionError, match="cannot be measured") as refused:
        kept(regions_in(scene, np.s_[1:2, 1:2]), text, scene)
    assert fix in refused.value.fix


def test_regions_and_masks_of_another_grid_are_refused() -> None:
    scene = scene_on("north-up")
    regions = regions_in(scene, np.s_[1:2, 1:2])
    with pytest.raises(RegionError, match="another grid"):
        kept(regions, "water", scene.isel(x=slice(0, 50)))
    with pytest.raises(RegionError, match="mask of road is not of this scene"):
        kept(regions, "water within 5 m of roads", scene, masks={"road": np.ones((3, 3), bool)})
