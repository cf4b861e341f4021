"""Readers of the four small labelled sets that this project is developed on; docs/data.md says what they are."""

from __future__ import annotations

import csv
from pathlib import Path

from spex_nb.errors import DatasetError
from spex_nb.spie.sources.catalogue import get_facts
from spex_nb.spie.sources.folders import files_of, label_of, require_folder, wrong_folder
from spex_nb.spie.sources.label_layers import ClassLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene


def read_hls(folder: str | Path) -> list[LabelledScene]:
    """Read ``images/``, ``water/``, ``worldcover/`` and ``places.csv``.

    Water is what the water layer says, flood included; where it says water, that is all a pixel is. WorldCover speaks
    of the rest: its own water is not used.

    Raises:
        DatasetError: If a folder, a label or the place of a tile is missing.
    """
    root, facts = require_folder(folder, "images, water, worldcover and places.csv"), get_facts("hls")
    places = _places(root / "places.csv")
    scenes = []
    for name, image in files_of(root / "images", ".tif").items():
        layers = (
            ClassLayer(str(label_of(image, root / "water" / image.name)), facts.codings["water"]),
            ClassLayer(str(label_of(image, root / "worldcover" / image.name)), facts.codings["worldcover"]),
        )
        place = _place_of(name, places, root / "places.csv")
        scenes.append(LabelledScene("hls", name, place, "", str(image), facts.images["hls"], layers))
    return scenes


def read_chesapeake_naip(folder: str | Path) -> list[LabelledScene]:
    """Read ``images/``, ``landcover/`` and ``buildings/``; clips of one aerial tile share their place.

    Raises:
        DatasetError: If a folder or a label is missing.
    """
    root = require_folder(folder, "images, landcover and buildings")
    facts = get_facts("chesapeake_naip")
    scenes = []
    for name, image in files_of(root / "images", ".tif").items():
        layers = (
            ClassLayer(str(label_of(image, root / "buildings" / image.name)), facts.codings["buildings"]),
            ClassLayer(str(label_of(image, root / "landcover" / image.name)), facts.codings["land_cover"]),
        )
        place = name.rpartition("-")[0] or name
        scenes.append(LabelledScene("chesapeake_naip", name, place, "", str(image), facts.images["naip"], layers))
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

    Shadow counts as known not to be water, although water under a shadow is labelled as shadow too: the set is there
    to see whether shadow is taken for water. Under clouds nothing is known.

    Raises:
        DatasetError: If one of them is missing.
    """
    root = require_folder(folder, "toa.tif and labels.tif")
    if not (root / "toa.tif").is_file():
        raise wrong_folder(root, "no toa.tif", "toa.tif and labels.tif")
    return [_single("landsat7_cloud_shadow", "cloud-shadow", root / "toa.tif", root / "labels.tif", "classes")]


def _single(dataset: str, place: str, image: Path, label: Path, coding: str) -> LabelledScene:
    facts = get_facts(dataset)
    layer = ClassLayer(str(label_of(image, label)), facts.codings[coding])
    return LabelledScene(dataset, image.stem, place, "", str(image), facts.images["toa"], (layer,))


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
