"""Generated landscapes for training: the painter of the sample scenes, other seeds, places and layouts."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = Path(__file__).parents[2] / "data_samples"
sys.path.insert(0, str(SAMPLES))

import make_samples as painter  # noqa: E402  (it lies beside the samples, not in a package)

FIRST_SEED = 1000
"""Far from the seeds of the samples that ship: those are never trained on."""
SIDE_PX = 256
KINDS = ("river_10m", "town_1m", "lake_30m")


def make_landscapes(out: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Write landscapes and their labels, as many of each kind; return the paths of both."""
    out.mkdir(parents=True, exist_ok=True)
    images, labels = [], []
    for number in range(count):
        for kind in KINDS:
            image, label = out / f"{kind}_{number:02d}.tif", out / f"{kind}_{number:02d}_labels.tif"
            if not label.exists():
                _write(kind, FIRST_SEED + number, image, label)
            images.append(image)
            labels.append(label)
    return images, labels


def _write(kind: str, seed: int, image: Path, label: Path) -> None:
    canvas, recipe = _PAINTERS[kind](seed), painter.RECIPES[kind]
    table = json.loads((SAMPLES / "spectra.json").read_text(encoding="utf-8"))[recipe.table]
    clean = canvas.seen(table["classes"], recipe.noise * canvas.rng.uniform(0.5, 2))
    hazy = painter.haze_and_shadow(clean, canvas.rng, table["wavelengths_um"], recipe.haze * canvas.rng.uniform(0, 1.5))
    kept = hazy[[table["bands"].index(band) for band in recipe.bands]]
    raw = np.clip((kept - recipe.offset) / recipe.scale, painter.NODATA + 1, np.iinfo(recipe.dtype).max).round()
    there = replace(recipe, place=recipe.place * recipe.place.translation(0, 1000 * (seed - FIRST_SEED + 1)))
    painter.save_scene(image, raw.astype(recipe.dtype), there)
    painter.save_labels(label, canvas.labels(), there)


def _countryside(seed: int) -> Any:
    canvas = painter.Canvas(seed, SIDE_PX)
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


def _suburb(seed: int) -> Any:
    canvas = painter.Canvas(seed, SIDE_PX)
    rng = canvas.rng
    canvas.forest(rng.uniform(0.05, 0.35), rng.uniform(30, 50))
    if rng.random() < 0.7:  # noqa: PLR2004 (most of them)
        canvas.lake(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.15))
    if rng.random() < 0.5:  # noqa: PLR2004 (half of them)
        canvas.quarry(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.1))
    size = rng.uniform(24, 50, 2)
    canvas.town(
        rng.uniform(0.3, 0.7, 2) * canvas.side, rng.uniform(200, 400), rng.uniform(-0.5, 0.5), rng.uniform(140, 220),
        size, int(rng.integers(4, 14)),
    )  # fmt: skip
    canvas.trees(int(rng.integers(100, 400)), rng.uniform(6, 12), 6)
    return canvas


def _lakes(seed: int) -> Any:
    canvas = painter.Canvas(seed, SIDE_PX)
    rng = canvas.rng
    canvas.fields(rng.uniform(20, 40), rng.uniform(-0.6, 0.6))
    canvas.forest(rng.uniform(0.1, 0.5), rng.uniform(30, 60))
    for _ in range(rng.integers(1, 6)):
        canvas.lake(*rng.uniform(0.1, 0.9, 2), rng.uniform(0.02, 0.18))
    canvas.road((0, rng.uniform(0, canvas.side)), (canvas.side - 1, rng.uniform(0, canvas.side)), 2, 40)
    for _ in range(rng.integers(0, 3)):
        canvas.town(rng.uniform(0.2, 0.8, 2) * canvas.side, rng.uniform(40, 90), rng.uniform(-0.5, 0.5), 26, (6, 8), 0)
    return canvas


_PAINTERS = {"river_10m": _countryside, "town_1m": _suburb, "lake_30m": _lakes}
