"""Files that QGIS and GDAL open coloured and named, held against the schema that QGIS reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import pyogrio
import pytest
import rasterio
import shapely

from spex_nb import Extraction, check_map, extract, load_extraction, sample_scene, zonal_table
from spex_nb.errors import OutputError
from spex_nb.evaluation import save_zonal_table
from spex_nb.types import Fact
from spex_nb.types.targets import class_rgb

QGIS_COLUMNS = [
    "id",
    "f_table_catalog",
    "f_table_schema",
    "f_table_name",
    "f_geometry_column",
    "styleName",
    "styleQML",
    "styleSLD",
    "useAsDefault",
    "description",
    "owner",
    "ui",
    "update_time",
]
"""Of the table layer_styles, as QGIS makes it."""
DEFAULT_STYLE = (
    "SELECT styleQML FROM layer_styles WHERE f_table_schema='' AND f_table_name=? AND f_geometry_column=?"
    " ORDER BY CASE WHEN useAsDefault THEN 1 ELSE 2 END, update_time DESC LIMIT 1"
)
"""How QGIS asks for the style of a layer of a GeoPackage."""


@pytest.fixture(scope="module")
def result() -> Extraction:
    return extract(sample_scene("river_10m"), "water and vegetation", "index", progress=False)


def style_of(path: Path, layer: str) -> ET.Element:
    with closing(sqlite3.connect(path)) as connection:
        ((column,),) = connection.execute(
            "SELECT column_name FROM gpkg_geometry_columns WHERE table_name=?", [layer]
        ).fetchall()
        ((qml,),) = connection.execute(DEFAULT_STYLE, [layer, column]).fetchall()
    return ET.fromstring(qml)


def test_a_geopackage_has_the_style_where_qgis_looks_for_it(result: Extraction, tmp_path: Path) -> None:
    path = result.to_geopackage(tmp_path / "regions.gpkg")
    with closing(sqlite3.connect(path)) as connection:
        assert [row[1] for row in connection.execute("PRAGMA table_info(layer_styles)")] == QGIS_COLUMNS
        kinds = dict(connection.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall())
    assert kinds == {"regions": "features", "layer_styles": "attributes"}
    root = style_of(path, "regions")
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "target")
    categories = [(node.get("value"), node.get("label")) for node in renderer.iter("category")]
    assert categories == [("water", "water bodies"), ("vegetation", "vegetation")]
    for node in renderer.iter("category"):
        symbol = renderer.find(f"symbols/symbol[@name='{node.get('symbol')}']")
        assert symbol is not None
        option = symbol.find(".//Option[@name='color']")
        assert option is not None
        assert str(option.get("value")).startswith(",".join(map(str, class_rgb(str(node.get("value"))))))
    aliases = {node.get("field"): node.get("name") for node in root.iter("alias")}
    assert aliases["area_m2"] == "area in m²"
    assert set(aliases) == {*result.regions.columns} - {"geometry"}
    assert pyogrio.read_info(path, layer="regions")["fields"].tolist() == [*aliases]


def test_values_of_the_style_are_those_of_the_column(result: Extraction, tmp_path: Path) -> None:
    path = result.to_geopackage(tmp_path / "regions.gpkg")
    values = {node.get("value") for node in style_of(path, "regions").iter("category")}
    assert set(gpd.read_file(path, layer="regions")["target"]) == values


def test_names_are_those_of_the_language_and_are_escaped(result: Extraction, tmp_path: Path) -> None:
    named = replace(result, class_names={"water": "Gewässer <b> & 'Seen'", "vegetation": "植被"})
    path = named.to_geopackage(tmp_path / "regions.gpkg")
    labels = [node.get("label") for node in style_of(path, "regions").iter("category")]
    assert labels == ["Gewässer <b> & 'Seen'", "植被"]


def test_what_cannot_be_trusted_is_striped_and_says_so(result: Extraction, tmp_path: Path) -> None:
    fact = Fact("trust", "quality", "name", "scene", "table")
    first, *others = result.explanations
    doubtful = replace(result, explanations=(replace(first, facts=(*first.facts, fact)), *others))
    root = style_of(doubtful.to_geopackage(tmp_path / "regions.gpkg"), "regions")
    labels = [node.get("label") for node in root.iter("category")]
    assert labels == ["water bodies (cannot be trusted)", "vegetation"]
    patterns = [node.get("value") for node in root.iter("Option") if node.get("name") == "style"]
    assert patterns == ["b_diagonal", "solid"]


def test_several_results_share_a_file_each_with_its_style(result: Extraction, tmp_path: Path) -> None:
    path = tmp_path / "all.gpkg"
    check = check_map(result, 20)
    for point in range(20):
        check = check.answer(point, "water")
    check.apply().to_geopackage(path, layer="spring", add=True)
    summer = extract(sample_scene("lake_30m"), "Wasser", "index", progress=False)
    summer.to_geopackage(path, layer="summer", add=True)
    layers = set(pyogrio.list_layers(path)[:, 0])
    assert layers == {"spring", "summer", "spring_checked_areas", "layer_styles"}
    assert len(gpd.read_file(path, layer="spring")) == len(result.regions)
    assert gpd.read_file(path, layer="summer").crs == summer.mask.rio.crs
    assert [node.get("label") for node in style_of(path, "summer").iter("category")] == [summer.class_names["water"]]
    with pytest.raises(OutputError, match="Choose another layer="):
        summer.to_geopackage(path, layer="summer", add=True)
    with pytest.raises(OutputError, match="allow overwriting"):
        summer.to_geopackage(path, layer="autumn")


def test_a_raster_has_colours_and_names_for_gdal_and_qgis(result: Extraction, tmp_path: Path) -> None:
    path = result.to_cog(tmp_path / "mask.tif")
    with rasterio.open(path) as file:
        assert file.colorinterp[0].name == "palette"
        colors = file.colormap(1)
        assert colors[1][:3] == class_rgb("water")
        assert colors[0][:3] == (255, 255, 255)
        assert file.nodata == 255
    names = ET.parse(tmp_path / "mask.tif.aux.xml")
    assert [node.text for node in names.iter("Category")] == ["none", "water bodies", "vegetation"]
    style = ET.parse(tmp_path / "mask.qml").getroot()
    renderer = style.find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.get("type") == "paletted"
    entries = [(node.get("value"), node.get("label"), node.get("alpha")) for node in renderer.iter("paletteEntry")]
    assert entries == [("0", "none", "0"), ("1", "water bodies", "255"), ("2", "vegetation", "255")]
    assert result.to_cog(path, overwrite=True) == path


def test_gdal_reads_the_names_of_classes(result: Extraction, tmp_path: Path) -> None:
    """A VRT repeats what GDAL knows of its source: an independent reader of the names."""
    from rasterio.shutil import copy

    copy(result.to_cog(tmp_path / "mask.tif"), tmp_path / "mask.vrt", driver="VRT")
    names = [node.text for node in ET.parse(tmp_path / "mask.vrt").iter("Category")]
    assert names == ["none", "water bodies", "vegetation"]


def test_a_stored_result_has_them_and_loads(result: Extraction, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "result")
    assert {"mask.tif.aux.xml", "mask.qml"} <= {path.name for path in folder.iterdir()}
    assert style_of(folder / "regions.gpkg", "regions").find("renderer-v2") is not None
    loaded = load_extraction(folder)
    assert (loaded.mask.values == result.mask.values).all()
    assert len(loaded.regions) == len(result.regions)


def test_districts_are_coloured_by_the_share_of_the_first_target(result: Extraction, tmp_path: Path) -> None:
    left, bottom, right, top = result.mask.rio.bounds()
    halves = [shapely.box(left, bottom, (left + right) / 2, top), shapely.box((left + right) / 2, bottom, right, top)]
    path = save_zonal_table(zonal_table(result, halves), tmp_path / "table.gpkg")
    renderer = style_of(path, "districts").find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("graduatedSymbol", "water_frac")
    ranges = list(renderer.iter("range"))
    assert (ranges[0].get("lower"), ranges[-1].get("upper")) == ("0.000000", "1.000000")
    assert len(list(renderer.iter("symbol"))) == len(ranges)
