"""The datasets of the recipe: labelled scenes, aerial scenes with cautious labels of an index, generated landscapes.

Usage: python recipes/tiny/prepare.py DATA OUT
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from development_sets import read_chesapeake_naip, read_hls, read_landsat8_zion
from scipy.ndimage import binary_dilation

from spex_nb import compute_index, open_scene
from spex_nb.language.languages import LANGUAGES
from spex_nb.spie import BuildReport, LabelledScene, Settings, build, labelled_scenes
from spex_nb.spie.sources.synthetic_scenes import generated_scenes

TARGETS = ("water", "vegetation", "built_up", "bare_soil", "building", "road")
LANDSCAPES = 16
"""Generated landscapes of each kind."""
VALIDATION = Path(__file__).parent / "validation_places.txt"
PLANT, OTHER, UNKNOWN = 1, 2, 0
SURE_PLANT, SURE_OTHER = 0.2, 0.0
"""NDVI of a flight over California; pixels between are unknown. Tree tops that people marked are plants too."""
CROWN_PX = 3


def prepare(data: Path, out: Path) -> BuildReport:
    """Build the SPIE dataset for training and validation; files that exist already stay."""
    scenes = [
        *read_hls(data / "hls"),
        *read_chesapeake_naip(data / "chesapeake_naip"),
        *read_landsat8_zion(data / "landsat8_zion"),
        *_aerial_vegetation(data / "naip_california", out / "cautious"),
        *generated_scenes(out / "landscapes", LANDSCAPES),
    ]
    settings = Settings(
        tile_px=256,
        targets=TARGETS,
        languages=tuple(LANGUAGES),
        absent_frac=1.0,
        drop_conflicts=True,
        split=(1.0, 0.0, 0.0),
        labels="as_mapped",
    )
    held_back = set(VALIDATION.read_text(encoding="utf-8").split())
    split = [
        replace(scene, split="val" if f"{scene.dataset}/{scene.place}" in held_back else "train") for scene in scenes
    ]
    return build(split, None, out / "spie", settings)


def _aerial_vegetation(folder: Path, out: Path) -> list[LabelledScene]:
    """Label aerial scenes where an index is sure, and leave the rest unknown."""
    out.mkdir(parents=True, exist_ok=True)
    images = sorted((folder / "images").glob("*.tif"))
    labels = []
    for image in images:
        label = out / image.name
        if not label.exists():
            _write_cautious(image, folder / "tree_points" / f"{image.stem}.csv", label)
        labels.append(label)
    flights = [image.stem.partition("_")[0] for image in images]
    classes = {PLANT: "vegetation", OTHER: None}
    return labelled_scenes(images, labels, classes, sensor="naip", dataset="naip_california", places=flights)


def _write_cautious(image: Path, points: Path, label: Path) -> None:
    scene = open_scene(image, "naip")
    ndvi = compute_index(scene, "NDVI").values
    crowns = np.zeros(ndvi.shape, bool)
    crowns[tree_tops(points, ndvi.shape)] = True
    crowns = binary_dilation(crowns, iterations=CROWN_PX) & (ndvi > SURE_OTHER)
    codes = np.where((ndvi > SURE_PLANT) | crowns, PLANT, np.where(ndvi < SURE_OTHER, OTHER, UNKNOWN)).astype(np.uint8)
    with rasterio.open(image) as file:
        profile = file.profile | {"count": 1, "dtype": "uint8", "nodata": None, "compress": "deflate"}
    with rasterio.open(label, "w", **profile) as file:
        file.write(codes, 1)


def tree_tops(points: Path, shape: tuple[int, int]) -> tuple[Any, Any]:
    """Return rows and columns of the tree tops that people marked on a picture of this shape; none without a file."""
    marked = np.loadtxt(points, delimiter=",", skiprows=1, ndmin=2) if points.exists() else np.zeros((0, 2))
    columns, rows = marked.astype(int).T[:2]
    inside = (columns >= 0) & (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    return rows[inside], columns[inside]


if __name__ == "__main__":
    print(prepare(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201 (a script)
