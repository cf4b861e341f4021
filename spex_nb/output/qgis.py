"""Styles with which QGIS opens a GeoPackage or a raster coloured and named, and names of classes for GDAL.

QGIS reads the style of a layer from the table ``layer_styles`` of its GeoPackage, and that of a raster from a file
beside it. Source: QgsOgrProvider and QgsMapLayer of QGIS 3. GDAL keeps the names of classes in ``….aux.xml``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd

from spex_nb.output.files import write_whole

STYLES = "layer_styles"
"""Table of a GeoPackage in which QGIS looks for styles."""
QGIS_VERSION = "3.22.0"
"""Of the form of the styles; later versions read it too."""
FILL_ALPHA = 150
"""Of 255, so that the picture below stays visible."""
ALIASES: Mapping[str, str] = {
    "target": "land cover",
    "region": "number of the region",
    "area_px": "area in pixels",
    "area_m2": "area in m²",
    "perimeter_m": "perimeter in m",
    "share_frac": "share of the scene",
    "location": "place in the scene",
    "centroid_x_crs": "centre, x",
    "centroid_y_crs": "centre, y",
    "mean_probability": "mean probability",
}
"""What QGIS calls the columns of regions."""
BREAKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Limits of the classes of a share."""
PALEST_FRAC = 0.1
"""How much of its colour the lowest class of a share has."""
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class LegendClass:
    """One class of a legend.

    Attributes:
        value: In the column or raster.
        label: What the legend calls it.
        rgb: Red, green, blue, 0 to 255.
        is_striped: Whether it is drawn in stripes, since it cannot be trusted.
        is_empty: Whether it is not drawn at all.
    """

    value: str
    label: str
    rgb: Rgb
    is_striped: bool = False
    is_empty: bool = False


def categorized_style(column: str, classes: Sequence[LegendClass], columns: Sequence[str] = ()) -> str:
    """Return the QGIS style of polygons with a colour for each value of a column, as QML.

    Args:
        column: Whose values are the classes.
        classes: In the order of the legend.
        columns: All columns of the layer, which get readable names.
    """
    root = _root("Symbology|Fields")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=column, symbollevels="0")
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for number, entry in enumerate(classes):
        shown = {"value": entry.value, "label": entry.label, "symbol": str(number), "render": "true", "type": "string"}
        ET.SubElement(categories, "category", shown)
        _add_fill(symbols, str(number), entry.rgb, "b_diagonal" if entry.is_striped else "solid")
    _add_aliases(root, columns)
    return ET.tostring(root, encoding="unicode")


def graduated_style(column: str, rgb: Rgb) -> str:
    """Return the QGIS style of polygons whose colour grows with a share from 0 to 1, as QML.

    Args:
        column: With the shares.
        rgb: Colour of the highest class.
    """
    root = _root("Symbology")
    renderer = ET.SubElement(root, "renderer-v2", type="graduatedSymbol", attr=column, graduatedMethod="GraduatedColor")
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    strengths = np.linspace(PALEST_FRAC, 1, len(BREAKS) - 1)
    for number, (low, high, strength) in enumerate(zip(BREAKS[:-1], BREAKS[1:], strengths, strict=True)):
        limits = {"lower": f"{low:.6f}", "upper": f"{high:.6f}", "label": f"{low:.0%} to {high:.0%}"}
        ET.SubElement(ranges, "range", {**limits, "symbol": str(number), "render": "true"})
        paled = np.rint(255 + strength * (np.array(rgb) - 255)).astype(int)
        _add_fill(symbols, str(number), (int(paled[0]), int(paled[1]), int(paled[2])), "solid")
    return ET.tostring(root, encoding="unicode")


def palette_style(classes: Sequence[LegendClass]) -> str:
    """Return the QGIS style of a raster of classes, as QML.

    Args:
        classes: With the numbers of the raster as values.
    """
    root = _root("Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1")
    palette = ET.SubElement(renderer, "colorPalette")
    for entry in classes:
        color = "#{:02x}{:02x}{:02x}".format(*entry.rgb)
        alpha = "0" if entry.is_empty else "255"
        ET.SubElement(palette, "paletteEntry", value=entry.value, color=color, alpha=alpha, label=entry.label)
    return ET.tostring(root, encoding="unicode")


def add_layer_styles(path: Path, styles: Mapping[str, str], geometry_column: str = "geom") -> None:
    """Write styles into a GeoPackage, each as the default one of its layer.

    Args:
        path: The GeoPackage.
        styles: QML by the name of the layer.
        geometry_column: Of the layers.
    """
    import pyogrio

    table = pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": [*styles],
            "f_geometry_column": geometry_column,
            "styleName": [*styles],
            "styleQML": [*styles.values()],
            "styleSLD": "",
            "useAsDefault": True,
            "description": "written by spex_nb",
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp(dt.datetime.now(tz=dt.UTC).replace(microsecond=0, tzinfo=None)),
        }
    )
    pyogrio.write_dataframe(table, path, layer=STYLES, driver="GPKG", append=True, layer_options={"FID": "id"})


def write_raster_legend(path: Path, classes: Sequence[LegendClass]) -> None:
    """Write the legend of a raster of classes into two files beside it: ``….aux.xml`` for GDAL, ``….qml`` for QGIS.

    Args:
        path: The raster.
        classes: With the numbers of the raster as values, from 0 on.
    """
    root = ET.Element("PAMDataset")
    names = ET.SubElement(ET.SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for entry in classes:
        ET.SubElement(names, "Category").text = entry.label
    texts = {
        path.with_name(f"{path.name}.aux.xml"): ET.tostring(root, encoding="unicode"),
        path.with_suffix(".qml"): palette_style(classes),
    }
    for beside, text in texts.items():
        with write_whole(beside, overwrite=True) as part:
            part.write_text(text, encoding="utf-8")


def _root(categories: str) -> ET.Element:
    return ET.Element("qgis", version=QGIS_VERSION, styleCategories=categories)


def _add_fill(symbols: ET.Element, name: str, rgb: Rgb, pattern: str) -> None:
    """Add a fill with an outline of the same colour."""
    red, green, blue = rgb
    options = {
        "color": f"{red},{green},{blue},{FILL_ALPHA}",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.26",
        "outline_width_unit": "MM",
        "style": pattern,
    }
    symbol = ET.SubElement(symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"})
    tree = ET.SubElement(layer, "Option", type="Map")
    for key, value in options.items():
        ET.SubElement(tree, "Option", type="QString", name=key, value=value)
        ET.SubElement(layer, "prop", k=key, v=value)  # read by QGIS before 3.26


def _add_aliases(root: ET.Element, columns: Sequence[str]) -> None:
    aliases = ET.SubElement(root, "aliases")
    for number, column in enumerate(columns, start=1):  # 0 is the number of the row
        ET.SubElement(aliases, "alias", field=column, index=str(number), name=_alias(column))


def _alias(column: str) -> str:
    return ALIASES.get(column, column.replace("_", " "))
