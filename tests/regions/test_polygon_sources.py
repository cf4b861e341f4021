"""Polygons that a user brings: in which forms, and in which CRS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from spex_nb.errors import GridError, RegionError, SourceNotFoundError, UnreadableSourceError
from spex_nb.regions.polygon_sources import read_polygons

SQUARE = shapely.box(9, 48, 10, 49)
FRAME = gpd.GeoDataFrame({"name": ["one"]}, geometry=[SQUARE], crs=4326)


@pytest.mark.parametrize("name", ["d.gpkg", "d.geojson", "d.shp", "d.fgb", "d.parquet", "d.kml"])
def test_a_file_carries_its_own_crs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FRAME.to_parquet(path) if name == "d.parquet" else FRAME.to_file(path)
    frame = read_polygons(path, scene_crs="EPSG:32632")
    assert frame.crs == "EPSG:4326"
    assert shapely.force_2d(frame.geometry[0]).equals(SQUARE)


@pytest.mark.parametrize(
    "source",
    [
        SQUARE,
        [SQUARE],
        np.array([SQUARE]),
        (9, 48, 10, 49),
        np.array([9.0, 48, 10, 49]),
        FRAME.set_crs(None, allow_override=True),
        gpd.GeoSeries([SQUARE]),
        SQUARE.__geo_interface__,
        {"type": "Feature", "properties": {}, "geometry": SQUARE.__geo_interface__},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {"name": "one"}, "geometry": SQUARE.__geo_interface__}],
        },
    ],
)
def test_geometries_in_memory_are_in_the_crs_of_the_scene_unless_another_is_given(source: Any) -> None:
    assert read_polygons(source, scene_crs="EPSG:32632").crs == "EPSG:32632"
    assert read_polygons(source, "EPSG:4326", scene_crs="EPSG:32632").crs == "EPSG:4326"
    assert read_polygons(source).crs is None
    assert read_polygons(source).geometry[0].equals(SQUARE)


def test_a_table_in_memory_keeps_its_crs_and_is_not_changed() -> None:
    frame = read_polygons(FRAME, scene_crs="EPSG:32632")
    frame["name"] = "two"
    assert frame.crs == "EPSG:4326"
    assert FRAME["name"][0] == "one"


def test_two_crs_that_contradict_each_other_are_shown_both() -> None:
    with pytest.raises(GridError, match="EPSG:3035 as an argument, EPSG:4326 in the polygons"):
        read_polygons(FRAME, "EPSG:3035")
    assert read_polygons(FRAME, 4326).crs == "EPSG:4326"


def test_a_file_without_crs_needs_one_where_the_scene_has_one(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f'name,WKT\none,"{SQUARE.wkt}"\n')
    with pytest.raises(GridError, match="Give it by crs="):
        read_polygons(tmp_path / "d.csv", scene_crs="EPSG:32632")
    assert read_polygons(tmp_path / "d.csv", "EPSG:4326", scene_crs="EPSG:32632").crs == "EPSG:4326"
    assert read_polygons(tmp_path / "d.csv").crs is None


def test_a_layer_is_named_where_a_file_has_several(tmp_path: Path) -> None:
    path = tmp_path / "d.gpkg"
    FRAME.to_file(path, layer="towns")
    FRAME.assign(name="two").to_file(path, layer="parks")
    with pytest.raises(UnreadableSourceError, match=r"with towns, parks.* Name one of its layers by layer="):
        read_polygons(path)
    with pytest.raises(UnreadableSourceError, match="a layer 'lakes'"):
        read_polygons(path, layer="lakes")
    assert read_polygons(path, layer="parks")["name"][0] == "two"


@pytest.mark.parametrize("name", ["d.vrt", "d.gpkg", "d.geojson"])
def test_a_description_of_data_elsewhere_is_refused_whatever_its_name(tmp_path: Path, name: str) -> None:
    FRAME.to_file(tmp_path / "true.gpkg", layer="a")
    source = f"<SrcDataSource>{tmp_path / 'true.gpkg'}</SrcDataSource>"
    text = f"<OGRVRTDataSource><OGRVRTLayer name='a'>{source}</OGRVRTLayer></OGRVRTDataSource>"
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableSourceError, match="Save the polygons as a GeoPackage"):
        read_polygons(tmp_path / name)


LINKS = {
    "link": '"crs": {"type": "link", "properties": {"href": "http://127.0.0.1:1/crs", "type": "proj4"}}',
    "url": '"crs": {"type": "URL", "properties": {"URL": "http://127.0.0.1:1/crs"}}',
    "escaped": r'"\u0063\u0052s" : {"type": "\u006cink", "properties": {"\u0068ref": "\u0068ttp://127.0.0.1:1/crs"}}',
    "deep": '"crs": {"type": "link", "x": {"y": {"z": 1}}, "properties": {"href": "http://127.0.0.1:1/crs"}}',
    "broken": '"crs": {"type": "link", "properties": {"href": "http://127.0.0.1:1/crs"',
}


@pytest.mark.parametrize("form", LINKS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_crs_that_is_a_link_to_a_server_is_refused(form: str, is_first: bool, tmp_path: Path) -> None:
    features = '"features": [{"type": "Feature", "properties": {"url": "https://example.org"}, "geometry": null}]'
    parts = [LINKS[form], features] if is_first and form != "broken" else [features, LINKS[form]]
    (tmp_path / "d.geojson").write_text(f'{{"type": "FeatureCollection", {", ".join(parts)}}}')
    with pytest.raises(UnreadableSourceError, match="a link to a server in place of its CRS"):
        read_polygons(tmp_path / "d.geojson")


def test_names_of_crs_and_addresses_of_features_are_no_links(tmp_path: Path) -> None:
    FRAME.assign(url="https://example.org", crs="{").to_file(tmp_path / "d.geojson")
    text = (tmp_path / "d.geojson").read_text()
    assert '"crs": {' in text
    assert len(read_polygons(tmp_path / "d.geojson")) == len(FRAME)
    link = '"crs": {"type": "link", "properties": {"href": "http://www.opengis.net/def/crs/EPSG/0/4326"}},'
    (tmp_path / "e.geojson").write_text(text.replace('"features"', f'{link} "features"', 1))
    assert len(read_polygons(tmp_path / "e.geojson")) == len(FRAME)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_no_vector_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.geojson")
    with pytest.raises(UnreadableSourceError, match="a pipe or a device"):
        read_polygons(tmp_path / "d.geojson")


@pytest.mark.parametrize("name", ["d.gpkg", "d.geojson", "d.parquet", "d.tif", "d.csv", "folder"])
def test_what_is_no_vector_file_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir() if name == "folder" else place.write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableSourceError, match="Save the polygons as a GeoPackage"):
        read_polygons(place)


@pytest.mark.parametrize("name", ["nowhere.gpkg", "https://example.org/d.gpkg", "/vsicurl/https://example.org/d.gpkg"])
def test_a_path_that_is_not_on_this_machine_is_refused(name: str) -> None:
    with pytest.raises(SourceNotFoundError, match="a file on this machine"):
        read_polygons(name)


@pytest.mark.parametrize(
    "source",
    [
        None,
        7,
        [1, 2, 3],
        ["a"],
        (10, 48, 9, 49),
        (0, 0, float("nan"), 1),
        {"type": "Square"},
        {},
        b"POLYGON",
        gpd.GeoDataFrame({"a": [1]}),
    ],
)
def test_what_is_no_polygon_is_refused(source: Any) -> None:
    with pytest.raises((RegionError, UnreadableSourceError, SourceNotFoundError), match="Give"):
        read_polygons(source)


def test_a_crs_that_is_none_is_refused() -> None:
    with pytest.raises(GridError, match="a code such as EPSG:4326"):
        read_polygons(SQUARE, "the usual one")
