"""What a checkpoint finds on the validation places if these come in digital numbers: IoU beside the spectral prior's.

Usage: python recipes/tiny/uncalibrated.py CHECKPOINT DATASET
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from spex_nb.evaluation.evaluate_model import predict_masks
from spex_nb.evaluation.tiles import EvaluationTile, PromptCondition, load_tile, tile_records
from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.extraction.predict import PROMPT_MIN_AREA_PX
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spectral.priors import prior_mask
from spex_nb.spie.dataset import open_dataset
from spex_nb.types import MaskModel

BANDS = ("blue", "green", "red", "nir")
TARGETS = ("water", "vegetation", "built_up")
COUNTS = np.array([2600, 2200, 2000, 1500]).reshape(-1, 1, 1)
"""Counts of 11 bits for a reflectance of 1, and the haze over them: about those of a camera of four bands."""
HAZE = np.array([0.08, 0.05, 0.03, 0.015]).reshape(-1, 1, 1)


def stretched_by_band(pixels: Any) -> Any:
    """Return 8 bits between the 2nd and the 98th percentile of each band."""
    low, high = np.nanpercentile(pixels, (2, 98), axis=(1, 2), keepdims=True)
    return _eight_bits((pixels - low) / np.maximum(high - low, 0.02))


def stretched_alike(pixels: Any) -> Any:
    """Return 8 bits of fixed ranges, one for the visible bands and one for the near infrared."""
    return _eight_bits(pixels / np.array([0.25, 0.25, 0.25, 0.45]).reshape(-1, 1, 1))


def brightened(pixels: Any) -> Any:
    """Return 8 bits of one range, their middle raised by an exponent."""
    return _eight_bits(np.clip(pixels / 0.4, 0, 1) ** 0.6)


def counted(pixels: Any) -> Any:
    """Return counts of 11 bits under haze, as numbers of an unknown sensor are read."""
    return (np.round((pixels + HAZE) * COUNTS) / 2047).astype(np.float32)


def _eight_bits(values: Any) -> Any:
    return (np.round(np.clip(values, 0, 1) * 255) / 255).astype(np.float32)


WAYS: dict[str, Callable[[Any], Any]] = {
    "8 bits, each band's own range": stretched_by_band,
    "8 bits, fixed ranges": stretched_alike,
    "8 bits, one range, brightened": brightened,
    "11 bits, counts under haze": counted,
}


def measure(model: MaskModel, folder: Path) -> pd.DataFrame:
    """Return the IoU of model and prior for each way of making numbers."""
    dataset = open_dataset(folder)
    tiles = [
        load_tile(dataset, members, PromptCondition(bands=BANDS))
        for members in tile_records(dataset, "val", TARGETS).values()
    ]
    tiles = [tile for tile in tiles if not tile.scene.spex.is_relative]
    rows = [
        {"numbers": name, "bands": ", ".join(bands)} | _scores(model, tiles, way, bands)
        for bands in (BANDS, BANDS[:3])
        for name, way in ({"reflectance": None} | WAYS).items()
    ]
    return pd.DataFrame(rows).set_index(["bands", "numbers"]).round(3)


def _scores(model: Any, tiles: list[EvaluationTile], way: Callable[[Any], Any] | None, bands: tuple[str, ...]) -> Any:
    counts: dict[str, Any] = {}
    for tile in (_in_numbers(tile, way, bands) for tile in tiles):
        masks, _ = predict_masks(model, tile)
        for target, prior, label, counted in zip(tile.targets, tile.priors, tile.labels, tile.counted, strict=True):
            for whose, mask in ((model.id, masks[target]), ("prior", prior)):
                if mask is not None:
                    name = f"{target}, {whose}"
                    counts[name] = counts.get(name, 0) + confusion_counts(mask, label, counted)
    return {name: float(iou(count)) for name, count in sorted(counts.items())}


def _in_numbers(tile: EvaluationTile, way: Callable[[Any], Any] | None, bands: tuple[str, ...]) -> EvaluationTile:
    """Return a tile in other numbers, with priors and prompts made of them."""
    scene: xr.Dataset = tile.scene
    if way is not None:
        numbers = way(scene[list(BANDS)].to_array().values)
        changed = {band: scene[band].copy(data=layer) for band, layer in zip(BANDS, numbers, strict=True)}
        scene = scene.assign(changed).assign_attrs(radiometry="relative reflectance", sensor="unknown")
    scene = scene[[*bands, "valid"]]
    return replace(tile, scene=scene, **prompts_of(scene, tile.targets))


def prompts_of(scene: xr.Dataset, targets: tuple[str, ...]) -> dict[str, Any]:
    """Return priors and prompts of a scene."""
    valid = np.asarray(scene.spex.valid)
    priors, prompts = [], []
    for target in targets:
        mask = prior_mask(scene, target)
        regions = [] if mask is None else find_regions(mask, valid, min_area_px=PROMPT_MIN_AREA_PX)
        priors.append(mask)
        prompts.append(build_prompt(target, regions))
    return {"priors": tuple(priors), "prompts": tuple(prompts)}


if __name__ == "__main__":
    print(measure(load_mask_model(sys.argv[1]), Path(sys.argv[2])).to_string())  # noqa: T201 (a script)
