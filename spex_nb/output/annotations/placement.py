"""Where the images of a training set lie on the map: a JSON file beside them, for COCO and YOLO know pixels only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from spex_nb.errors import DatasetError, explain_malformed
from spex_nb.types.typed_json import decode, read_json

if TYPE_CHECKING:
    import geopandas as gpd

GEOREFERENCE = "georeference.json"
"""Name of the file; it also tells a training set from other folders."""
FORMAT = 1
MOST_SIDE_PX = 65_500
"""Longest side of an image that PNG readers take."""


@dataclass(frozen=True)
class ImagePlace:
    """Where one image lies.

    Attributes:
        height: Rows of the image, px.
        width: Columns of the image, px.
        row: Of the scene, in which the image begins.
        column: Of the scene, in which the image begins.
        transform: a, b, c, d, e, f of the affine from (column, row) of the image to coordinates of the CRS.
    """

    height: int
    width: int
    row: int
    column: int
    transform: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse sizes that no image has, and a transform of another length."""
        sides = (self.height, self.width)
        if min(sides) < 1 or max(sides) > MOST_SIDE_PX or len(self.transform) != 6:  # noqa: PLR2004 (of an affine)
            raise ValueError(f"an image of {sides} px with {len(self.transform)} numbers of a transform")


@dataclass(frozen=True)
class Georeference:
    """What the side file holds.

    Attributes:
        format: Of the file.
        crs: The CRS as WKT, or as an EPSG code; None where the scene has none, so that coordinates are pixels.
        height: Rows of the scene, px.
        width: Columns of the scene, px.
        classes: Name of each class, from number 1 on.
        images: Place of each image, by its file name.
        origin: How the map was made, and what holds for it.
    """

    format: int
    crs: str | None
    height: int
    width: int
    classes: tuple[str, ...]
    images: Mapping[str, ImagePlace]
    origin: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse a later format."""
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}")

    def write(self, folder: Path) -> None:
        """Write the side file into a folder."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / GEOREFERENCE).write_text(text, encoding="utf-8")


def read_georeference(folder: str | Path) -> Georeference:
    """Read the side file of a training set.

    Args:
        folder: Of the training set.

    Raises:
        DatasetError: If there is none, or it is damaged.
    """
    path = Path(folder) / GEOREFERENCE
    with explain_malformed(
        DatasetError,
        "The places of the images cannot be read",
        where=path,
        expected="a side file that to_coco() or to_yolo() wrote",
        fix="Name the folder of the training set, or write it again.",
    ):
        georeference: Georeference = decode(Georeference, read_json(path))
        return georeference


def place_polygons(rows: list[dict[str, Any]], georeference: Georeference) -> gpd.GeoDataFrame:
    """Return annotations on the map.

    Args:
        rows: Each with target, image, confidence (None without one) and geometry in pixels of its image.
        georeference: Of the images.

    Returns:
        The rows, with geometries in the CRS of the scene; without one in pixels of the scene, y down.
    """
    import geopandas as gpd
    import shapely

    columns = ["target", "image", "confidence", "geometry"]
    shapes = []
    for row in rows:
        transform = Affine(*georeference.images[row["image"]].transform)
        shapes.append(shapely.transform(row["geometry"], lambda xy, to_map=transform: np.stack(to_map @ xy.T, 1)))
    table = {name: [row[name] for row in rows] for name in columns[:-1]}
    frame = gpd.GeoDataFrame(table, geometry=shapes, columns=columns, crs=georeference.crs)
    return frame.astype({"confidence": float})
