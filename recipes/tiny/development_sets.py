"""Readers of the four small labelled datasets of this recipe; docs/data.md describes them."""

from __future__ import annotations

import csv
from pathlib import Path

from spex_nb.errors import DatasetError
from spex_nb.spie.sources.catalogue import get_dataset, read_catalogue
from spex_nb.spie.sources.folders import files_of, label_of, require_folder, wrong_folder
from spex_nb.spie.sources.label_layers import ClassLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene

CATALOGUE = read_catalogue(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
"""How to open the images of each dataset, and what the codes of its labels mean."""


def read_hls(folder: str | Path) -> list[LabelledScene]:
    """Read ``images/``, ``water/``, ``worldcover/`` and ``places.csv``.

    Water comes from the water layer, flood included; a pixel of water is nothing else. The other targets come from
    WorldCover, whose water is not used.

    Raises:
        DatasetError: If a folder, a label or the place of a tile is missing.
    """
    root, entry = require_folder(folder, "images, water, worldcover and places.csv"), CATALOGUE["hls"]
    places = _places(root / "places.csv")
    scenes = []
    for name, image in files_of(root / "images", ".tif").items():
        layers = (
            ClassLayer(str(label_of(image, root / "water" / image.name)), entry.codings["water"]),
            ClassLayer(str(label_of(image, root / "worldcover" / image.name)), entry.codings["worldcover"]),
        )
        place = _place_of(name, places, root / "places.csv")
        scenes.append(LabelledScene("hls", name, place, "", str(image), entry.images["hls"], layers))
    return scenes


def read_chesapeake_naip(folder: str | Path) -> list[LabelledScene]:
    """Read ``images/``, ``landcover/`` and ``buildings/``; clips of one aerial tile share their place.

    Raises:
        DatasetError: If a folder or a label is missing.
    """
    root = require_folder(folder, "images, landcover and buildings")
    imagery, codings = CATALOGUE["chesapeake_naip"].images["naip"], get_dataset("chesapeake").codings
    scenes = []
    for name, image in files_of(root / "images", ".tif").items():
        layers = (
            ClassLayer(str(label_of(image, root / "buildings" / image.name)), codings["buildings"]),
            ClassLayer(str(label_of(image, root / "landcover" / image.name)), codings["land_cover"]),
        )
        place = name.rpartition("-")[0] or name
        scenes.append(LabelledScene("chesapeake_naip", name, place, "", str(image), imagery, layers))
    return scenes


def read_landsat8_zion(folder: str | Path) -> list[LabelledScene]:
    """Read the one scene ``LC08_*.tif`` and ``nlcd_classes.tif``.

    Raises:
        DatasetError: If one of them is missing.
    """
    root = require_folder(folder, "LC08_*.tif and nlcd_classes.tif")
    images = sorted(root.glob("LC08_*.tif"))
    if not images:
        raise wrong_folder(root, "no LC08_*.tif", "LC08_*.tif and nlcd_classes.tif")
    return [_single("landsat8_zion", "zion", image, root / "nlcd_classes.tif", "nlcd") for image in images]


def read_landsat7_cloud_shadow(folder: str | Path) -> list[LabelledScene]:
    """Read the one scene ``toa.tif`` and ``labels.tif``.

    Shadow counts as known not to be water, although the labels call water under a shadow shadow too. The set shows
    whether a model takes shadow for water. Pixels under clouds are unknown.

    Raises:
        DatasetError: If one of them is missing.
    """
    root = require_folder(folder, "toa.tif and labels.tif")
    if not (root / "toa.tif").is_file():
        raise wrong_folder(root, "no toa.tif", "toa.tif and labels.tif")
    return [_single("landsat7_cloud_shadow", "cloud-shadow", root / "toa.tif", root / "labels.tif", "classes")]


def _single(dataset: str, place: str, image: Path, label: Path, coding: str) -> LabelledScene:
    entry = CATALOGUE[dataset]
    layer = ClassLayer(str(label_of(image, label)), entry.codings[coding])
    return LabelledScene(dataset, image.stem, place, "", str(image), entry.images["toa"], (layer,))


def _places(table: Path) -> dict[str, str]:
    """Return the place of each tile."""
    if not table.is_file():
        raise wrong_folder(table.parent, f"no {table.name}", "images, water, worldcover and places.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"tile", "place"} <= set(rows[0]):
        raise wrong_folder(table.parent, f"{table.name} without rows of tile and place", "a line 'tile,place' on top")
    return {row["tile"]: row["place"] for row in rows}


def _place_of(name: str, places: dict[str, str], table: Path) -> str:
    if name not in places:
        raise DatasetError(
            "A tile has no place",
            found=f"{name}, not in {table}",
            expected="a line for each tile: splits are made by place",
            fix="Add the tile to the table, or take it out of the folder.",
        )
    return places[name]
