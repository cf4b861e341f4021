"""A saved result as a STAC item, so that a catalogue can list it: where it lies, its classes, how it was made.

Extensions: https://github.com/stac-extensions/projection (2.0), …/classification (2.0) and …/processing (1.2).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affine import Affine

from spex_nb.errors import GridError, OutputError
from spex_nb.output.files import write_whole
from spex_nb.scene.grid import Grid
from spex_nb.types import MASK_NODATA
from spex_nb.types.targets import class_rgb

EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
ASSETS: Mapping[str, tuple[str, str, str]] = {
    "mask": ("mask.tif", COG, "Classes"),
    "probability": ("probability.tif", COG, "Probability of each class"),
    "doubt": ("doubt.tif", COG, "Where the answer is in doubt"),
    "regions": ("regions.gpkg", "application/geopackage+sqlite3", "Regions as polygons"),
    "description": ("extraction.json", "application/json", "Instruction, evidence, notes and how it was made"),
}
"""Files of a saved result: name, media type and title, by the key of the asset."""
EDGE_POINTS = 21
"""Points along each side of a grid whose outline becomes longitude and latitude."""
HALF_TURN = 180.0
"""Degrees of longitude."""
DATE = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class ResultFacts:
    """What an item says of a result.

    Attributes:
        name: Id of the item.
        grid: Of the mask.
        classes: What each class is called, by its id, in the order of their numbers.
        date: When the scene was taken, as ``2024-05-01``; None where nobody knows.
        lineage: How the result was made, in a sentence.
        software: Version of each program, by its name.
        created: When the result was made, ISO 8601.
        facts: Further properties of the item.
    """

    name: str
    grid: Grid
    classes: Mapping[str, str]
    date: str | None
    lineage: str
    software: Mapping[str, str]
    created: str
    facts: Mapping[str, Any]


def save_stac_item(facts: ResultFacts, folder: Path, path: Path, *, overwrite: bool = False) -> Path:
    """Write a STAC item that names the files of a saved result.

    Args:
        facts: What the item says.
        folder: Of the saved result; its files are named relative to the item.
        path: The JSON file to write.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        GridError: If the result has no place on the Earth.
        OutputError: If the date is unknown or none, or the file cannot be written.
    """
    item = stac_item(facts, _links_to(folder, path))
    with write_whole(path, overwrite) as part:
        part.write_text(json.dumps(item, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def stac_item(facts: ResultFacts, links: Mapping[str, str]) -> dict[str, Any]:
    """Return a result as a STAC item of version 1.1.

    Args:
        facts: What the item says.
        links: Address of the file of each asset, by its key in `ASSETS`.

    Raises:
        GridError: If the result has no place on the Earth.
        OutputError: If the date is unknown or none.
    """
    place = _place(facts.grid)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": facts.name,
        **place,
        "properties": _properties(facts),
        "links": [],
        "assets": {key: _asset(key, href, facts.classes) for key, href in links.items()},
    }


def _properties(facts: ResultFacts) -> dict[str, Any]:
    grid, crs = facts.grid, facts.grid.crs
    code = crs.to_authority() if crs is not None else None
    projection = {"proj:code": ":".join(code)} if code else {"proj:code": None, "proj:wkt2": crs and crs.to_wkt()}
    place = {"proj:shape": [grid.height, grid.width], "proj:transform": list(grid.transform)[:6]}
    making = {"processing:lineage": facts.lineage, "processing:software": dict(facts.software)}
    return {"datetime": _datetime(facts.date), "created": facts.created, **projection, **place, **making, **facts.facts}


def _datetime(date: str | None) -> str:
    if date is None or not re.fullmatch(DATE, date):
        raise OutputError(
            "A STAC item needs the date of its scene",
            found="no date" if date is None else date,
            expected="a day such as 2024-05-01",
            fix="Pass date=, the day on which the scene was taken.",
        )
    return dt.datetime.fromisoformat(f"{date}T00:00:00+00:00").strftime("%Y-%m-%dT%H:%M:%SZ")


def _asset(key: str, href: str, classes: Mapping[str, str]) -> dict[str, Any]:
    _, kind, title = ASSETS[key]
    asset = {"href": href, "type": kind, "title": title, "roles": ["metadata" if key == "description" else "data"]}
    return asset | ({"classification:classes": list(_classes(classes))} if key == "mask" else {})


def _classes(classes: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    named = [
        {"value": number, "name": name, "title": title, "color_hint": "{:02X}{:02X}{:02X}".format(*class_rgb(name))}
        for number, (name, title) in enumerate(classes.items(), start=1)
    ]
    return [{"value": 0, "name": "none"}, *named, {"value": MASK_NODATA, "name": "nodata", "nodata": True}]


def _place(grid: Grid) -> dict[str, Any]:
    """Return box and footprint; both are cut where they cross the antimeridian, as RFC 7946 wants it."""
    import shapely

    ring = _outline(grid)
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    if east - west <= HALF_TURN:
        shape = shapely.Polygon(ring)
        return {"bbox": list(shape.bounds), "geometry": shapely.geometry.mapping(shape)}
    shape = shapely.Polygon([(x if x > 0 else x + 2 * HALF_TURN, y) for x, y in ring])
    first, south, last, north = shape.bounds
    beyond = shapely.intersection(shape, shapely.box(HALF_TURN, -90, 2 * HALF_TURN, 90))
    parts = [
        shapely.intersection(shape, shapely.box(0, -90, HALF_TURN, 90)),
        shapely.transform(beyond, lambda points: points - (2 * HALF_TURN, 0)),
    ]
    footprint = shapely.geometry.mapping(shapely.MultiPolygon(parts))
    return {"bbox": [first, south, last - 2 * HALF_TURN, north], "geometry": footprint}


def _outline(grid: Grid) -> list[list[float]]:
    """Return the edge of a grid as a closed ring of longitudes and latitudes, counter-clockwise."""
    from rasterio.errors import CRSError
    from rasterio.warp import transform

    if grid.crs is None:
        raise _no_place("no CRS")
    steps = [step / (EDGE_POINTS - 1) for step in range(EDGE_POINTS)]
    down = [(0.0, share) for share in steps] + [(share, 1.0) for share in steps[1:]]
    up = [(1.0, 1 - share) for share in steps[1:]] + [(1 - share, 0.0) for share in steps[1:]]
    corners = Affine.scale(grid.width, grid.height)
    xs, ys = zip(*(grid.transform @ (corners @ point) for point in down + up), strict=True)
    try:
        longitudes, latitudes = transform(grid.crs, "EPSG:4326", xs, ys)
    except CRSError as error:
        raise _no_place(str(error)) from error
    return [[round(x, 7), round(y, 7)] for x, y in zip(longitudes, latitudes, strict=True)]


def _no_place(reason: str) -> GridError:
    return GridError(
        "A STAC item needs a place on the Earth",
        found=reason,
        expected="a scene with a CRS of the Earth",
        fix="Give the scene a CRS and transform, and extract again.",
    )


def _links_to(folder: Path, path: Path) -> dict[str, str]:
    """Return the paths of the files of a result, relative to the folder of the item."""
    start = path.absolute().parent
    there = {key: folder / name for key, (name, _, _) in ASSETS.items() if (folder / name).is_file()}
    relative = {key: os.path.relpath(file.absolute(), start) for key, file in there.items()}
    return {key: f"./{Path(place).as_posix()}" for key, place in relative.items()}
