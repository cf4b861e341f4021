"""Outlines that people drew over aerial pictures of California: roofs, streets, and ground that is neither.

Those of `outlines/training.geojson` are learned from. Those of `outlines/held_back.geojson` are scored against, and
never learned from: all roofs of their tiles are outlined there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from covers import Allowed, Cover
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from scipy.ndimage import binary_dilation, binary_erosion

FOLDER = Path(__file__).parent / "outlines"
TRAINING, HELD_BACK = FOLDER / "training.geojson", FOLDER / "held_back.geojson"
LON_LAT = "EPSG:4326"
MEANING = {"roof": Cover.BUILDING, "road": Cover.ROAD, "ground": Cover.ANY & ~(Cover.BUILDING | Cover.ROAD)}
"""What an outline says of the pixels inside it."""
Outlines = dict[str, dict[str, list[Any]]]
"""By tile and kind: polygons of GeoJSON in degrees."""


def read_outlines(path: Path) -> Outlines:
    """Return the outlines of a file. A tile in which nothing is to be seen has a feature without geometry."""
    outlines: Outlines = defaultdict(lambda: defaultdict(list))
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        tile, kind = feature["properties"]["tile"], feature["properties"]["kind"]
        polygons = outlines[tile][kind]
        if feature["geometry"] is not None:
            polygons.append(feature["geometry"])
    return outlines


def drawn(polygons: list[Any], shape: tuple[int, int], crs: CRS, transform: Affine) -> NDArray[np.bool_]:
    """Return which pixels of a tile have their middle inside one of some polygons: bool [H, W]."""
    if not polygons:
        return np.zeros(shape, bool)
    projected = [transform_geom(LON_LAT, crs, polygon) for polygon in polygons]
    return np.asarray(rasterize(projected, shape, transform=transform) == 1)


def with_outlines(allowed: Allowed, masks: dict[str, NDArray[np.bool_]]) -> Allowed:
    """Return what the pixels of a tile may be, narrowed to what the outlines over it say.

    The pixel on either side of a roof's outline is not told, and neither is a pixel whose greenness contradicts one.
    """
    labels = allowed.copy()
    for kind, inside in masks.items():
        narrowed = labels & np.uint8(MEANING[kind])
        labels[inside] = np.where(narrowed > 0, narrowed, np.uint8(Cover.ANY))[inside]
    roofs = masks.get("roof", np.zeros(allowed.shape, bool))
    labels[binary_dilation(roofs) & ~binary_erosion(roofs, border_value=1)] = Cover.ANY
    return labels
