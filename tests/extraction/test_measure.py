"""Scenes anywhere on earth, turned, striped or off the map: areas on the ellipsoid, and no data stays none."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Geod

from spex_nb import load_extraction
from spex_nb.errors import GridError, GridWarning, RegionError
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares

SPACING_DEGREES = 0.0002
GROUNDS = {
    "geographic, at 60° north": ("EPSG:4326", Affine(2e-4, 0, 10.0, 0, -1e-4, 60.0)),
    "geographic, far north": ("EPSG:4326", Affine(8e-4, 0, 15.0, 0, -1e-4, 78.0)),
    "UTM, turned by 30°": ("EPSG:32632", Affine.translation(4e5, 5.4e6) @ Affine.rotation(30) @ Affine.scale(10, -10)),
    "UTM, southern hemisphere": ("EPSG:32719", Affine(10, 0, 7.8e5, 0, -10, 6.3e6)),
    "Web Mercator, at 60° north": ("EPSG:3857", Affine(20, 0, 1.2e6, 0, -20, 8.4e6)),
    "geographic, over the antimeridian": ("EPSG:4326", Affine(1e-4, 0, 179.995, 0, -1e-4, -17.0)),
    "UTM, over the antimeridian": ("EPSG:32660", Affine(10, 0, 8.19e5, 0, -10, 1.88e6)),
    "polar stereographic": ("EPSG:3413", Affine(30, 0, -2e5, 0, -30, -2.2e6)),
    "US survey feet": ("EPSG:2263", Affine(30, 0, 9.8e5, 0, -30, 2e5)),
}


def geodesic(frame: gpd.GeoDataFrame) -> list[tuple[float, float]]:
    """Return area and perimeter of each region on the WGS 84 ellipsoid, along sides cut short."""
    short = frame.geometry.segmentize(SPACING_DEGREES if frame.crs.is_geographic else 20)
    turned = gpd.GeoSeries(short, crs=frame.crs).to_crs(4326)
    measured = [Geod(ellps="WGS84").geometry_area_perimeter(shapely.geometry.polygon.orient(p)) for p in turned]
    return [(abs(area), perimeter) for area, perimeter in measured]


@pytest.mark.parametrize(("crs", "transform"), GROUNDS.values(), ids=GROUNDS)
def test_areas_and_outlines_are_those_of_the_ellipsoid(crs: str, transform: Affine) -> None:
    scene = scene_of(squares((120, 160), (10, 10, 40), (70, 70, 30), (60, 120, 12)), crs=crs, transform=transform)
    result = quietly(scene, "water", Brightness(), tile_px=64)
    assert result.regions["area_px"].tolist() == [1600, 900, 144]
    expected = np.array(geodesic(result.regions))
    np.testing.assert_allclose(result.regions["area_m2"], expected[:, 0], rtol=0.005)
    np.testing.assert_allclose(result.regions["perimeter_m"], expected[:, 1], rtol=0.005)
    assert result.evidence["water"].area_m2 == pytest.approx(expected[:, 0].sum(), rel=0.005)


@pytest.mark.parametrize("name", [name for name in GROUNDS if "antimeridian" in name])
def test_over_the_antimeridian_geojson_stays_within_the_globe(name: str, tmp_path: Path) -> None:
    crs, transform = GROUNDS[name]
    scene = scene_of(squares((100, 100), (20, 10, 80)), crs=crs, transform=transform)
    result = quietly(scene, "water", Brightness())
    file = result.to_geojson(tmp_path / "water.geojson")
    (feature,) = json.loads(file.read_text())["features"]
    parts = shapely.get_parts(shapely.from_geojson(json.dumps(feature["geometry"])))
    assert len(parts) == 2
    assert all(-180 <= bound <= 180 for part in parts for bound in part.bounds[::2])
    area = sum(Geod(ellps="WGS84").geometry_area_perimeter(shapely.geometry.polygon.orient(part))[0] for part in parts)
    assert area == pytest.approx(result.regions["area_m2"][0], rel=0.005)


@pytest.mark.parametrize(
    ("transform", "kept"),
    [(Affine(10, 0, 5e5, 0, -10, 5.5e6), "top-center"), (Affine(10, 0, 5e5, 0, 10, 5.4e6), "bottom-center")],
    ids=["north up", "south up"],
)
def test_north_is_north_on_the_map_whichever_way_the_picture_lies(transform: Affine, kept: str) -> None:
    scene = scene_of(squares((60, 60), (5, 25, 10), (45, 25, 10)), transform=transform)
    assert quietly(scene, "water in the north", Brightness()).regions["location"].tolist() == [kept]


def test_a_southern_scene_is_cut_and_laid_on_the_map_where_it_is(tmp_path: Path) -> None:
    crs, transform = GROUNDS["UTM, southern hemisphere"]
    result = quietly(scene_of(squares((60, 60), (5, 5, 10)), crs=crs, transform=transform), "water", Brightness())
    bounds = gpd.read_file(result.to_geojson(tmp_path / "water.geojson")).total_bounds
    assert (bounds[1], bounds[3]) == (pytest.approx(-33.4, abs=0.2), pytest.approx(-33.4, abs=0.2))


def test_stripes_without_data_stay_so_and_change_nothing_beside_them() -> None:
    rng = np.random.default_rng(1)
    whole = rng.random((90, 90)).astype(np.float32)
    striped = whole.copy()
    striped[::7], striped[3::14, 40:] = np.nan, np.nan
    one, other = (quietly(scene_of(red), "water", Brightness(), min_area_px=1) for red in (whole, striped))
    gone = np.isnan(striped)
    np.testing.assert_array_equal(other.mask == 255, gone)
    np.testing.assert_array_equal(other.mask.values[~gone], one.mask.values[~gone])
    np.testing.assert_array_equal(np.isnan(other.probability[0]), gone)
    assert other.evidence["water"].valid_px == (~gone).sum()
    assert other.regions["area_px"].sum() == int((other.mask == 1).sum())


def test_without_a_crs_everything_is_in_pixels_and_it_is_said(tmp_path: Path) -> None:
    result = quietly(scene_of(squares((60, 60), (5, 5, 10)), crs=None), "water", Brightness(), out=tmp_path / "out")
    assert result.regions["area_px"].tolist() == [100]
    assert result.regions[["area_m2", "perimeter_m"]].isna().all(axis=None)
    assert (result.regions["centroid_x_crs"][0], result.regions["centroid_y_crs"][0]) == (10, 10)
    assert "100\N{NO-BREAK SPACE}px" in result.explanation
    assert result.notes[-1] == "The scene has no CRS: areas and places are in pixels."
    assert load_extraction(tmp_path / "out").regions.equals(result.regions)
    with pytest.raises(GridError, match="GeoPackage, which takes pixels too"):
        result.to_geojson(tmp_path / "water.geojson")
    with pytest.warns(GridWarning, match="its coordinates are pixels"):
        result.to_geoparquet(tmp_path / "water.parquet")
    leafmap_map: Any = SimpleNamespace(add_layer=lambda _: None)
    with pytest.raises(GridError, match=r"look at plot\(\)"):
        result.add_to(leafmap_map)


def test_an_area_filter_on_a_scene_off_the_map_names_what_is_missing() -> None:
    with pytest.raises(RegionError, match="px"):
        quietly(scene_of(squares((60, 60), (5, 5, 10)), crs=None), "water larger than 1 ha", Brightness())
    found = quietly(scene_of(squares((60, 60), (5, 5, 10)), crs=None), "water larger than 50 px", Brightness())
    assert found.regions["area_px"].tolist() == [100]


def test_a_map_layer_lies_over_its_scene() -> None:
    ipyleaflet = pytest.importorskip("ipyleaflet")
    scene = scene_of(squares((60, 60), (5, 5, 10)))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of ipywidgets' comm
        result = quietly(scene, "water", Brightness())
        shown = ipyleaflet.Map()
        assert result.add_to(shown) is shown
    layer = shown.layers[-1]
    (south, west), (north, east) = layer.bounds
    assert south < 49.6523 < north
    assert west < 9.0 < east
    assert layer.name == "water bodies"
    assert layer.url.startswith("data:image/png;base64,")
