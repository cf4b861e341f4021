"""How well a model was measured to find a target, from the table beside its weights.

The table is ``quality.json``: a list of rows. A row has ``target``, ``sensor_class`` (`sensor_class`), ``gsd_m`` as
``[smallest, largest]``, and what was measured on places that the model was not trained on: ``precision``, ``recall``,
``iou``, all from 0 to 1, and the number of ``places``. A row may lack any figure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import xarray as xr

FILE = "quality.json"
ROUNDING = 1.05
"""A pixel of 30.2 m is one of 30 m."""


def sensor_class(scene: xr.Dataset) -> str:
    """Return the class of a scene's sensor: ``rgb``, ``aerial`` with near infrared, or ``satellite`` with more."""
    bands = set(scene.spex.bands)
    if "nir" not in bands:
        return "rgb"
    return "satellite" if "swir16" in bands or not scene.spex.is_relative else "aerial"


def measured_quality(folder: Path, target: str, scene: xr.Dataset) -> Mapping[str, Any]:
    """Return the row of a model's table that fits a target and a scene; empty without one.

    Args:
        folder: Where the weights lie.
        target: Id of the target.
        scene: The scene, for its bands and the size of its pixels.
    """
    gsd_m = scene.spex.gsd_m
    if gsd_m is None:
        return {}
    for row in _table(folder / FILE):
        smallest, largest = row.get("gsd_m", (0.0, float("inf")))
        is_size = smallest / ROUNDING <= gsd_m <= largest * ROUNDING
        if row.get("target") == target and row.get("sensor_class") == sensor_class(scene) and is_size:
            return row
    return {}


@lru_cache(maxsize=8)
def _table(file: Path) -> tuple[Mapping[str, Any], ...]:
    if not file.is_file():
        return ()
    return tuple(json.loads(file.read_text(encoding="utf-8")))
