"""Synthetic scenes to train on, from the painter of the sample scenes with other seeds, places and layouts."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.scene.samples import sample_path
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.user_rasters import labelled_scenes

FIRST_SEED = 1000
"""Far from the seeds of the samples that ship: those are never trained on."""
SIDE_PX = 256
KINDS = ("river_10m", "town_1m", "lake_30m")
CLASSES: dict[int, Any] = {
    0: None,
    1: "water",
    2: "vegetation",
    3: ["building", "built_up"],
    4: "bare_soil",
    5: ["road", "built_up"],
}
"""Targets of each code of the labels."""


def generated_scenes(out: str | Path, count: int, kinds: Sequence[str] = KINDS) -> list[LabelledScene]:
    """Paint landscapes with exact labels; files that exist already stay.

    Args:
        out: Folder for scenes and labels.
        count: Number of landscapes of each kind.
        kinds: Countryside at 10 m, suburbs at 1 m, lakes at 30 m; named as the sample scenes that they resemble.

    Returns:
        The labelled scenes; each is one place.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = [], []
    for number in range(count):
        for kind in kinds:
            image, label = folder / f"{kind}_{number:02d}.tif", folder / f"{kind}_{number:02d}_labels.tif"
            if not label.exists():
                _write(kind, FIRST_SEED + number, image, label)
            images.append(image)
            labels.append(label)
    return labelled_scenes(images, labels, CLASSES, dataset="generated")


@cache
def _painter() -> Any:
    """Return the module that paints the samples: it lies beside them, in no package."""
    path = Path(sample_path(KINDS[0])).parent / "make_samples.py"
    spec = importlib.util.spec_from_file_location("spex_nb_make_samples", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(kind: str, seed: int, image: Path, label: Path) -> None:
    painter = _painter()
    canvas, recipe = _LAYOUTS[kind](painter.Canvas(seed, SIDE_PX)), painter.RECIPES[kind]
    table = json.loads((painter.HERE / "spectra.json").read_text(encoding="utf-8"))[recipe.table]
    clean = canvas.seen(table["classes"], recipe.noise * canvas.rng.uniform(0.5, 2))
    hazy = painter.haze_and_shadow(clean, canvas.rng, table["wavelengths_um"], recipe.haze * canvas.rng.uniform(0, 1.5))
    bands = hazy[[table["bands"].index(band) for band in recipe.bands]]
    raw = np.clip((bands - recipe.offset) / recipe.scale, painter.NODATA + 1, np.iinfo(recipe.dtype).max).round()
    there = replace(recipe, place=recipe.place * recipe.place.translation(0, 1000 * (seed - FIRST_SEED + 1)))
    painter.save_scene(image, raw.astype(recipe.dtype), there)
    painter.save_labels(label, canvas.labels(), there)


def _countryside(canvas: Any) -> Any:
    rng = canvas.rng
    canvas.fields(rng.uniform(30, 70), rng.uniform(-0.6, 0.6))
    canvas.forest(rng.uniform(0.05, 0.4), rng.uniform(30, 60))
    for _ in range(rng.integers(0, 4)):
        canvas.lake(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.02, 0.12))
    if rng.random() < 0.7:  # noqa: PLR2004 (most of them)
        canvas.river(rng.uniform(10, 40))
    canvas.road((0, rng.uniform(0, canvas.side)), (canvas.side - 1, rng.uniform(0, canvas.side)), rng.uniform(3, 6), 50)
    for _ in range(rng.integers(0, 3)):
        canvas.town(
            rng.uniform(0.2, 0.8, 2) * canvas.side, rng.uniform(60, 140), rng.uniform(-0.5, 0.5), 42, (9, 13), 1
        )
    return canvas


def _suburb(canvas: Any) -> Any:
    rng = canvas.rng
    canvas.forest(rng.uniform(0.05, 0.35), rng.uniform(30, 50))
    if rng.random() < 0.7:  # noqa: PLR2004 (most of them)
        canvas.lake(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.15))
    if rng.random() < 0.5:  # noqa: PLR2004 (half of them)
        canvas.quarry(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.1))
    size = rng.uniform(24, 50, 2)
    canvas.town(
        rng.uniform(0.3, 0.7, 2) * canvas.side,
        rng.uniform(200, 400),
        rng.uniform(-0.5, 0.5),
        rng.uniform(140, 220),
        size,
        int(rng.integers(4, 14)),
    )
    canvas.trees(int(rng.integers(100, 400)), rng.uniform(6, 12), 6)
    return canvas


def _lakes(canvas: Any) -> Any:
    rng = canvas.rng
    canvas.fields(rng.uniform(20, 40), rng.uniform(-0.6, 0.6))
    canvas.forest(rng.uniform(0.1, 0.5), rng.uniform(30, 60))
    for _ in range(rng.integers(1, 6)):
        canvas.lake(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.02, 0.18))
    canvas.road((0, rng.uniform(0, canvas.side)), (canvas.side - 1, rng.uniform(0, canvas.side)), 2, 40)
    for _ in range(rng.integers(0, 3)):
        middle, reach, turn = rng.uniform(0.2, 0.8, 2) * canvas.side, rng.uniform(40, 90), rng.uniform(-0.5, 0.5)
        canvas.town(middle, reach, turn, 26, (6, 8), 0)
    return canvas


_LAYOUTS = {"river_10m": _countryside, "town_1m": _suburb, "lake_30m": _lakes}
