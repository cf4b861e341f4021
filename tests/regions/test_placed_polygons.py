"""Polygons on the pixels of a scene: what was wrong with them, how large they are, where they lie."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from spex_nb.errors import GridError
from spex_nb.regions.placed_polygons import areas_on_ellipsoid, mended_polygons, place_polygons
from spex_nb.scene.grid import Grid

GRID = Grid(100, 200, Affine(10, 0, 500_000, 0, -10, 5_500_000), CRS.from_epsg(32632))
BOWTIE = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
EARTH_M2 = 510_065_621_724_000
"""Of WGS 84."""


def frame_of(*shapes: Any, crs: Any = 32632) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes), crs=crs)


@pytest.mark.parametrize(
    ("shape", "area", "problem"),
    [
        (shapely.box(0, 0, 2, 1), 2, ""),
        (shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]), 2, ""),
        (BOWTIE, 2, "invalid and was mended: self-intersection"),
        (shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(1, 0, 3, 2)]), 6, "invalid and was mended"),
        (shapely.GeometryCollection([shapely.Point(0, 0), shapely.box(0, 0, 1, 1)]), 1, ""),
        (shapely.GeometryCollection([shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])]), 1, ""),
        (shapely.Polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5)]), 0.5, ""),
        (shapely.Polygon(), 0, "no geometry"),
        (None, 0, "no geometry"),
        (shapely.LineString([(0, 0), (1, 1)]), 0, "LineString and no polygon"),
        (shapely.Polygon([(0, 0), (1, np.inf), (1, 1)]), 0, "its coordinates are no numbers"),
    ],
)
def test_what_is_wrong_with_a_polygon_is_mended_or_named(shape: Any, area: float, problem: str) -> None:
    (mended,), (found,) = mended_polygons(np.array([shape], object))
    assert mended.is_valid
    assert mended.area == pytest.approx(area)
    assert problem in found
    assert bool(found) == bool(problem)


def test_areas_are_those_of_the_ellipsoid() -> None:
    whole, half = shapely.box(-180, -90, 180, 90), shapely.box(0, 0, 360, 90)
    assert areas_on_ellipsoid(np.array([whole, half]), frame_of(crs=4326).crs) == pytest.approx(
        [EARTH_M2, EARTH_M2 / 2], rel=1e-9
    )
    square = frame_of(shapely.box(580_000, 5_000_000, 581_000, 5_001_000))
    by_equal_area = square.to_crs("+proj=laea +lat_0=45 +lon_0=10").area[0]
    assert areas_on_ellipsoid(square.geometry.to_numpy(), square.crs)[0] == pytest.approx(by_equal_area, rel=1e-7)
    assert abs(by_equal_area / 1e6 - 1) > 1e-4  # the plane of the map says otherwise


def test_polygons_of_another_crs_lie_where_the_ground_is() -> None:
    square = frame_of(shapely.box(500_105, 5_499_205, 501_505, 5_499_905))
    here = place_polygons(square, GRID)
    assert shapely.bounds(here.shapes[0]).tolist() == pytest.approx([10.5, 9.5, 150.5, 79.5])
    fine = square.assign(geometry=shapely.segmentize(square.geometry, 1))
    for crs in (4326, 3857, 3035, 25832, 32633):
        there = place_polygons(fine.to_crs(crs), GRID)
        assert shapely.hausdorff_distance(there.shapes[0], here.shapes[0]) < 1e-3
        assert there.areas_m2 == pytest.approx(here.areas_m2, rel=1e-6)
        assert there.is_inside.all()


def test_a_straight_edge_of_one_map_is_bent_on_another() -> None:
    grid = Grid(4000, 4000, Affine(30, 0, 440_000, 0, -30, 6_700_000), CRS.from_epsg(32632))
    placed = place_polygons(frame_of(shapely.box(8.2, 60.0, 9.8, 60.2), crs=4326), grid).shapes[0]
    x, y = Transformer.from_crs(4326, 32632, always_xy=True).transform(9.0, 60.0)
    column, row = ~grid.transform @ (x, y)
    assert placed.exterior.distance(shapely.Point(column, row)) < 0.01
    ends = [
        ~grid.transform @ Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, 60.0) for lon in (8.2, 9.8)
    ]
    assert shapely.LineString(ends).distance(shapely.Point(column, row)) > 5


def test_the_whole_world_is_cut_to_the_surroundings_of_the_scene() -> None:
    world = frame_of(shapely.box(-180, -90, 180, 90), shapely.box(100, 0, 120, 10), crs=4326)
    placed = place_polygons(world, GRID)
    assert placed.shapes[0].contains(shapely.box(0, 0, GRID.width, GRID.height))
    assert placed.shapes[1].is_empty
    assert placed.areas_m2[0] == pytest.approx(EARTH_M2, rel=1e-9)
    assert placed.is_inside.tolist() == [False, False]


@pytest.mark.parametrize("left", [0, -180])
def test_degrees_count_from_greenwich_or_from_the_antimeridian(left: int) -> None:
    grid = Grid(180, 360, Affine(1, 0, left, 0, -1, 90), CRS.from_epsg(4326))
    placed = place_polygons(frame_of(shapely.box(-20, 0, -10, 10), shapely.box(175, 0, 185, 10), crs=4326), grid)
    assert shapely.area(shapely.intersection(placed.shapes, shapely.box(0, 0, 360, 180))).tolist() == [100, 100]
    assert shapely.bounds(placed.shapes[0])[0] == (-20 - left) % 360


def test_a_scene_across_the_antimeridian_meets_polygons_on_both_sides() -> None:
    grid = Grid(100, 100, Affine(1000, 0, 200_000, 0, -1000, 5_500_000), CRS.from_epsg(32601))
    sides = frame_of(shapely.box(-180, 49, -179.9, 49.1), shapely.box(179.9, 49, 180, 49.1), crs=4326)
    placed = place_polygons(sides, grid)
    assert placed.shapes[0].area == pytest.approx(placed.shapes[1].area, rel=0.01)
    assert shapely.union_all(placed.shapes).buffer(0.001).geom_type == "Polygon"


def test_without_crs_polygons_are_in_pixels() -> None:
    grid = Grid(100, 200, Affine.identity(), None)
    placed = place_polygons(frame_of(shapely.box(1, 2, 5, 4), shapely.box(-1, 0, 1, 1), crs=None), grid)
    assert placed.areas_m2.tolist() == [8, 2]
    assert placed.is_inside.tolist() == [True, False]
    with pytest.raises(GridError, match="polygons in pixels, y down"):
        place_polygons(frame_of(shapely.box(1, 2, 5, 4)), grid)


def test_a_crs_that_is_no_place_on_earth_takes_its_own_polygons_only() -> None:
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    grid = Grid(100, 200, Affine(2, 0, 0, 0, -2, 200), local)
    placed = place_polygons(frame_of(shapely.box(0, 0, 4, 4), crs=None), grid)
    assert placed.areas_m2.tolist() == [4]
    assert shapely.bounds(placed.shapes[0]).tolist() == [0, 98, 2, 100]
    with pytest.raises(GridError, match="Reproject the polygons"):
        place_polygons(frame_of(shapely.box(0, 0, 4, 4)), grid)
