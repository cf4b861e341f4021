"""Small pictures, labels and footprints, from which tests write datasets in the layout of each publisher."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

SIDE = 64
VEGAS = Affine(2.7e-6, 0, -115.3, 0, -2.7e-6, 36.2)
NO_GEOREFERENCE: dict[str, Any] = {"crs": None, "transform": None}
Write = Callable[..., Path]


def picture(bands: int, dtype: str = "uint8", low: int = 10, high: int = 250) -> Any:
    return np.random.default_rng(bands).integers(low, high, (bands, SIDE, SIDE)).astype(dtype)


def columns(*codes: int) -> Any:
    """Return a label [1, H, W] whose first columns hold the codes, one column each, and all others the last code."""
    label = np.full((1, SIDE, SIDE), codes[-1], "uint8")
    label[0, :, : len(codes)] = codes
    return label


def row(flags: Any) -> list[bool]:
    """Return one row of flags [H, W] whose rows are all the same."""
    assert (flags == flags[0]).all()
    return [bool(flag) for flag in flags[0]]


def first(flags: Any, count: int) -> list[bool]:
    return row(flags)[:count]


def footprint(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """Return the feature of a rectangle given in pixels of the Vegas grid, with heights as SpaceNet writes them."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    ring = [[*(VEGAS @ corner), 0.0] for corner in corners]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def write_footprints(path: Path, features: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))


COLORS = [
    (0, 0, 0),
    (200, 0, 0),
    (250, 0, 150),
    (200, 150, 150),
    (250, 150, 150),
    (0, 200, 0),
    (150, 250, 0),
    (150, 200, 150),
    (200, 0, 200),
    (150, 0, 250),
    (150, 150, 250),
    (250, 200, 0),
    (200, 200, 0),
    (0, 0, 200),
    (0, 150, 200),
    (0, 200, 250),
]


def gid_label() -> Any:
    return columns(*range(16), 0)


def gid_colors() -> Any:
    return np.moveaxis(np.array(COLORS, "uint8")[gid_label()[0]], -1, 0)


# --- what is known of the datasets


# --- Chesapeake Land Cover


# --- Globe230k


# --- SegMunich


# --- SpaceNet-2


# --- GID-15


# --- the sets this project is developed on


# --- any labelled scene


# --- what does not fit


# --- the released form


# --- real scenes
