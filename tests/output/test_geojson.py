"""GeoJSON is held against its readers: digits for the pixels, the pole, the antimeridian, polygons too long to read."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine

from spex_nb.errors import GridError, OutputError
from spex_nb.output import save_geojson

POLAR_AREAS = {1: "+proj=laea +lat_0=90 +datum=WGS84", -1: "+proj=laea +lat_0=-90 +datum=WGS84"}


def written(polygons: list[shapely.Geometry], crs: object, folder: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(save_geojson(gpd.GeoDataFrame(geometry=polygons, crs=crs), folder / "out.geojson"))


def staircase(transform: Affine) -> shapely.Polygon:
    """Seven pixels in three rows: a region with edges of one and of several pixels."""
    corners = [(0, 0), (1, 0), (1, 1), (3, 1), (3, 2), (4, 2), (4, 3), (0, 3)]
    return shapely.Polygon([transform @ corner for corner in corners])


@pytest.mark.parametrize(
    ("crs", "pixel", "origin"),
    [
        (32632, Affine.scale(0.02, -0.02), (500_000.1234, 5_500_000.4567)),
        (32756, Affine.rotation(33) @ Affine.scale(0.005, -0.005), (334_000.5, 6_250_000.25)),
        (2263, Affine.scale(0.03, -0.03), (990_000.1, 210_000.2)),
        (4326, Affine.scale(2e-7, -2e-7), (-179.9, 65.1)),
        (3413, Affine.scale(0.01, -0.01), (1_000_000.3, -1_500_000.7)),
    ],
    ids=["2 cm UTM", "5 mm turned", "feet", "degrees", "1 cm polar"],
)
def test_small_pixels_keep_their_area(crs: int, pixel: Affine, origin: tuple[float, float], tmp_path: Path) -> None:
    region = staircase(Affine.translation(*origin) @ pixel)
    (read,) = written([region], crs, tmp_path).to_crs(crs).geometry
    assert read.area == pytest.approx(region.area, rel=2e-3)
    assert shapely.get_num_coordinates(read) == shapely.get_num_coordinates(region)


def test_pixels_of_ten_metres_get_the_seven_digits_of_the_standard(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(geometry=[shapely.box(500_000, 5_500_000, 500_010, 5_500_010)], crs=32632)
    text = save_geojson(frame, tmp_path / "out.geojson").read_text()
    longitude = text.split("[ [ [ ")[1].split(",")[0]
    assert len(longitude.partition(".")[2]) <= 7


DISC = shapely.Point(0, 0).buffer(30_000)


@pytest.mark.parametrize(
    ("polygon", "crs", "pole"),
    [
        (DISC, 3995, 1),
        (DISC, "+proj=laea +lat_0=90 +datum=WGS84", 1),
        (shapely.Point(12_000, -7_000).buffer(30_000), 3408, 1),
        (DISC.difference(shapely.Point(0, 0).buffer(10_000)), 3031, -1),
        (shapely.box(480_000, 9_980_000, 520_000, 10_010_000), 32633, 1),
        (shapely.box(-4e6, -4e6, 4e6, 4e6), "+proj=aeqd +lat_0=-90 +datum=WGS84", -1),
    ],
    ids=["stereographic", "equal area", "beside the middle", "ring in the south", "UTM", "half a continent"],
)
def test_a_polygon_about_a_pole_encloses_it(polygon: shapely.Geometry, crs: object, pole: int, tmp_path: Path) -> None:
    frame = written([polygon], crs, tmp_path)
    assert frame.is_valid.all()
    assert tuple(frame.total_bounds[[0, 2]]) == (-180, 180)
    expected = gpd.GeoSeries([polygon.segmentize(2_000)], crs=crs).to_crs(POLAR_AREAS[pole]).area[0]
    # Edges along the antimeridian and the pole enclose nothing; all others need corners to follow a circle.
    read = frame.geometry.segmentize(0.5).to_crs(POLAR_AREAS[pole]).area.sum()
    assert read == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("polygon", "crs"),
    [
        (shapely.box(700_000, 5e6, 800_000, 5.1e6).difference(shapely.box(720_000, 5.02e6, 780_000, 5.08e6)), 32760),
        (shapely.box(150, -20, 210, 20), 4326),
        (shapely.box(1.5e6, 1e6, 6e6, 1.1e6), 3832),
        (shapely.box(-200, 60, -170, 70), 4326),
    ],
    ids=["UTM with a hole", "0 to 360 degrees", "long edges", "west of -180"],
)
def test_a_polygon_over_the_antimeridian_is_cut(polygon: shapely.Geometry, crs: int, tmp_path: Path) -> None:
    (read,) = written([polygon], crs, tmp_path).geometry
    assert read.is_valid
    assert (read.geom_type, read.bounds[0], read.bounds[2]) == ("MultiPolygon", -180, 180)
    whole = gpd.GeoSeries([polygon.segmentize(1 if crs == 4326 else 50_000)], crs=crs)
    expected = whole.to_crs("+proj=cea +lon_0=180 +datum=WGS84").area[0]
    cut = gpd.GeoSeries([*read.geoms], crs=4326).segmentize(1).to_crs("+proj=cea +datum=WGS84").area.sum()
    assert cut == pytest.approx(expected, rel=1e-3)


def test_a_belt_on_one_side_of_the_antimeridian_stays_whole(tmp_path: Path) -> None:
    (read,) = written([shapely.box(-180, -10, 180, 10)], 4326, tmp_path).geometry
    assert read.geom_type == "Polygon"
    assert read.bounds == (-180, -10, 180, 10)


def wreath(corners: int) -> gpd.GeoDataFrame:
    angle = np.linspace(0, 2 * np.pi, corners - 1, endpoint=False)
    radius = 10_000 + 100 * np.cos(5_000 * angle)
    ring = np.stack([5e5 + radius * np.cos(angle), 5e6 + radius * np.sin(angle)], axis=1)
    return gpd.GeoDataFrame(geometry=[shapely.Polygon(ring)], crs=32632)


def test_a_polygon_that_no_reader_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"1,000,001 corners.*Write GeoParquet or a GeoPackage"):
        save_geojson(wreath(1_000_001), tmp_path / "out.geojson")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_the_longest_polygon_that_is_written_can_be_read(tmp_path: Path) -> None:
    read = gpd.read_file(save_geojson(wreath(1_000_000), tmp_path / "out.geojson"))
    assert shapely.get_num_coordinates(read.geometry[0]) == 1_000_000


@pytest.mark.parametrize(
    "crs",
    [
        'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]',
        "IAU_2015:30115",
        "EPSG:4978",
    ],
    ids=["engineering", "Moon", "geocentric"],
)
def test_a_crs_without_longitude_and_latitude_is_refused(crs: str, tmp_path: Path) -> None:
    with pytest.raises(GridError, match=r"of the Earth.*GeoPackage"):
        written([shapely.box(0, 0, 10, 10)], crs, tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("polygon", "crs"),
    [
        (shapely.box(6e6, 6e6, 8e6, 8e6), "+proj=ortho +lat_0=45 +lon_0=10"),
        (shapely.box(5e8, 5e8, 5.1e8, 5.1e8), 32632),
        (shapely.box(20, 80, 30, 95), 4326),
    ],
    ids=["beyond the horizon", "far from the zone", "beyond the pole"],
)
def test_a_polygon_outside_its_projection_is_refused(polygon: shapely.Geometry, crs: object, tmp_path: Path) -> None:
    with pytest.raises(GridError, match="Check the CRS and transform"):
        written([polygon], crs, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_no_polygons_are_an_empty_file(tmp_path: Path) -> None:
    assert written([], 32632, tmp_path).empty
