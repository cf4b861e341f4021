"""How well a model was measured to find a target, from the table beside its weights.

The table is ``quality.json``: a list of rows. A row has ``target``, ``sensor_class`` (`sensor_class`), ``gsd_m`` as
``[smallest, largest]``, and what was measured on places that the model was not trained on: ``precision``, ``recall``,
``iou``, all from 0 to 1, and the number of ``places``. A row may lack any figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import xarray as xr

from spex_nb.errors import CheckpointError
from spex_nb.types.typed_json import decode, read_json

FILE = "quality.json"
ROUNDING = 1.05
"""A pixel of 30.2 m is one of 30 m."""


@dataclass(frozen=True)
class Quality:
    """What was measured of a target in such scenes, from 0 to 1; None where it was not."""

    precision: float | None = None
    recall: float | None = None
    iou: float | None = None


@dataclass(frozen=True)
class _Row:
    target: str
    sensor_class: str
    gsd_m: tuple[float, float] = (0.0, float("inf"))
    places: int | None = None
    precision: float | None = None
    recall: float | None = None
    iou: float | None = None


def sensor_class(scene: xr.Dataset) -> str:
    """Return the class of a scene's sensor: ``rgb``, ``aerial`` with near infrared, or ``satellite`` with more."""
    bands = set(scene.spex.bands)
    if "nir" not in bands:
        return "rgb"
    return "satellite" if "swir16" in bands or not scene.spex.is_relative else "aerial"


def measured_quality(folder: Path, target: str, scene: xr.Dataset) -> Quality:
    """Return what a model's table says of a target in such a scene.

    Args:
        folder: Where the weights lie.
        target: Id of the target.
        scene: The scene, for its bands and the size of its pixels.

    Raises:
        CheckpointError: If the table cannot be read.
    """
    gsd_m = scene.spex.gsd_m
    for row in require_quality(folder) if gsd_m is not None else ():
        smallest, largest = row.gsd_m
        is_size = smallest / ROUNDING <= gsd_m <= largest * ROUNDING
        if row.target == target and row.sensor_class == sensor_class(scene) and is_size:
            return Quality(row.precision, row.recall, row.iou)
    return Quality()


@lru_cache(maxsize=8)
def require_quality(folder: Path) -> tuple[_Row, ...]:
    """Return the rows of the table beside some weights; none where there is no table.

    Raises:
        CheckpointError: If it is no such table.
    """
    file = folder / FILE
    if not file.is_file():
        return ()
    try:
        return _rows(read_json(file))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            "The table of the checkpoint's quality cannot be read",
            found=f"{file}: {error}",
            expected="a list of rows with target, sensor_class, gsd_m, and precision, recall and iou from 0 to 1",
            fix="Get the checkpoint again, or remove the file: its quality then counts as not measured.",
        ) from error


def _rows(table: Any) -> tuple[_Row, ...]:
    rows: tuple[_Row, ...] = decode(tuple[_Row, ...], table, "rows")
    shares = [share for row in rows for share in (row.precision, row.recall, row.iou) if share is not None]
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError("a share is not between 0 and 1")
    return rows
