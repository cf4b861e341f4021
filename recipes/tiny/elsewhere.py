"""What a checkpoint makes of other sensors than those of its 30 m tiles, beside the spectral prior.

Usage: python recipes/tiny/elsewhere.py CHECKPOINT DATA
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from development_sets import read_landsat7_cloud_shadow
from prepare import VALIDATION, tree_tops
from uncalibrated import prompts_of

from spex_nb import open_scene
from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.types import MaskModel

SHADOW, WATER, LAND = 0, 1, 2
"""In the labels of the Landsat 7 scene; its clouds are left out."""
FLIGHTS = tuple(
    name.removeprefix("naip_california/")
    for name in VALIDATION.read_text(encoding="utf-8").split()
    if name.startswith("naip_california/")
)


def measure(model: MaskModel, data: Path) -> pd.DataFrame:
    """Return the figures of model and prior, one row each."""
    return pd.concat(
        [cloud_shadow(model, data / "landsat7_cloud_shadow"), tree_points(model, data / "naip_california")], axis=1
    ).round(3)


def cloud_shadow(model: MaskModel, folder: Path) -> pd.DataFrame:
    """Return how much of the shadow is called water, and the IoU of water beside it."""
    (labelled,) = read_landsat7_cloud_shadow(folder)
    with rasterio.open(folder / "labels.tif") as file:
        labels = file.read(1)
    masks = _masks(model, labelled.open(), "water")
    beside = np.isin(labels, (WATER, LAND))
    return pd.DataFrame(
        {
            whose: {
                "shadow called water": mask[labels == SHADOW].mean(),
                "water IoU": float(iou(confusion_counts(mask, labels == WATER, beside))),
            }
            for whose, mask in masks.items()
        }
    ).T


def tree_points(model: MaskModel, folder: Path) -> pd.DataFrame:
    """Return how many tree tops are called vegetation, and how much of the ground, over the flights held back."""
    hits: dict[str, list[Any]] = {}
    shares: dict[str, list[Any]] = {}
    for image in sorted(path for flight in FLIGHTS for path in (folder / "images").glob(f"{flight}_*.tif")):
        scene = open_scene(image, "naip")
        rows, columns = tree_tops(folder / "tree_points" / f"{image.stem}.csv", scene.spex.shape)
        for whose, mask in _masks(model, scene, "vegetation").items():
            hits.setdefault(whose, []).append(mask[rows, columns])
            shares.setdefault(whose, []).append(mask.mean())
    return pd.DataFrame(
        {
            whose: {"tree tops found": np.concatenate(hits[whose]).mean(), "vegetation": np.mean(shares[whose])}
            for whose in hits
        }
    ).T


def _masks(model: MaskModel, scene: Any, target: str) -> dict[str, Any]:
    """Return the masks of model and prior, bool [H, W]."""
    prompts = prompts_of(scene, (target,))
    logits = model.predict(scene, [target], prompts["prompts"], priors=prompts["priors"])
    return {model.id: logits[0] > 0, "prior": prompts["priors"][0]}


if __name__ == "__main__":
    print(measure(load_mask_model(sys.argv[1]), Path(sys.argv[2])).to_string())  # noqa: T201 (a script)
