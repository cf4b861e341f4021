"""A tile to look at: in false colour, its label, its prior, the prediction, and where both differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from spex_nb.errors import BandError
from spex_nb.evaluation.tiles import EvaluationTile
from spex_nb.output.html import render
from spex_nb.output.plotting import composite, picture_of

TARGET, NOT_TARGET, UNKNOWN = (240, 240, 240), (40, 40, 40), (140, 140, 140)
DIFFERENCES = {
    "right": (86, 180, 233),
    "missed": (240, 228, 66),
    "false alarm": (213, 94, 0),
    "rightly left out": NOT_TARGET,
    "does not count": UNKNOWN,
}
"""Colours that the colour-blind tell apart too (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/)."""


@dataclass(frozen=True, eq=False)
class TilePicture:
    """One target on one tile, drawn."""

    kind: Literal["worst", "best"]
    target: str
    tile: str
    place: str
    iou: float
    pictures: dict[str, Any]
    """By what they show: uint8 [H, W, 3]."""


def draw_tile(tile: EvaluationTile, target: str, mask: Any, kind: Literal["worst", "best"], iou: float) -> TilePicture:
    """Draw a prediction beside what it was made from and what it should have been.

    Args:
        tile: As it was asked about.
        target: Id of one of its targets.
        mask: The prediction, bool [H, W].
        kind: Why it is shown.
        iou: Of this tile.
    """
    place = tile.targets.index(target)
    label, counted, prior = tile.labels[place], tile.counted[place], tile.priors[place]
    valid = tile.scene.spex.valid.values
    pictures = {
        "false colour": (255 * _false_colour(tile.scene)).astype(np.uint8),
        "label": _two_tone(label, counted),
        "prior": _two_tone(mask & False, valid & False) if prior is None else _two_tone(prior, valid),
        "prediction": _two_tone(mask, valid),
        "differences": _differences(mask, label, counted),
    }
    return TilePicture(kind, target, tile.name, tile.place, iou, pictures)


def show_tiles(pictures: Sequence[TilePicture]) -> str:
    """Return tiles as HTML, a row of pictures each, below what the colours of the differences mean."""
    return render("tile_pictures.html", pictures=pictures, differences=DIFFERENCES)


def _false_colour(scene: xr.Dataset) -> Any:
    try:
        return composite(scene, "false")
    except BandError:  # without near infrared
        return picture_of(scene)


def _two_tone(mask: Any, counted: Any) -> Any:
    return _painted(counted.shape, {TARGET: mask & counted, UNKNOWN: ~counted})


def _differences(mask: Any, label: Any, counted: Any) -> Any:
    where = {"right": mask & label & counted, "missed": ~mask & label & counted, "false alarm": mask & ~label & counted}
    where["does not count"] = ~counted
    return _painted(counted.shape, {DIFFERENCES[name]: pixels for name, pixels in where.items()})


def _painted(shape: tuple[int, ...], colors: dict[tuple[int, int, int], Any]) -> Any:
    picture = np.full((*shape, 3), NOT_TARGET, np.uint8)
    for color, pixels in colors.items():
        picture[pixels] = color
    return picture
