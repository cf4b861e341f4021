"""Classes taught by a few clicks on real tiles: mean IoU of the rest of the tile, by random clicks and by the queue.

There are 47 tasks on every twelfth tile of ``hls``: each of tree, grass, crop and built-up that WorldCover shows on 5
to 70 % of a tile. No tile of these places was learned on. Run from the root of the checkout:
``SPEX_TEST_DATA=… python tests/benchmarks/measure_own_classes.py``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.teaching.examples import places_of
from spex_nb.analysis.teaching.features import FeatureSpace, band_names, fitted_space, kind_of, raw_features
from spex_nb.analysis.teaching.next_places import next_places
from spex_nb.analysis.teaching.scene_sample import PixelFeatures
from spex_nb.analysis.teaching.taught import Examples, Lesson, Taught
from spex_nb.analysis.teaching.teach_class import Naming, fit_class
from spex_nb.scene.open import open_scene

COVERS = {"tree": 10, "grass": 30, "crop": 40, "built-up": 50}
COVER_FRAC = (0.05, 0.70)
EVERY = 12
CLICKS = (1, 5, 20)
NAMING = Naming("class", {}, "", "#882255")


@dataclass(frozen=True)
class Task:
    """One cover of one tile."""

    tile: str
    cover: str
    scene: xr.Dataset
    pixels: PixelFeatures
    space: FeatureSpace
    truth: NDArray[np.bool_]
    """bool [N], of all pixels."""


def tasks_of(folder: Path, covers: list[str]) -> Iterator[Task]:
    """Yield the tasks of every twelfth tile."""
    for path in sorted((folder / "images").glob("*.tif"))[::EVERY]:
        with rasterio.open(folder / "worldcover" / path.name) as file:
            codes = file.read(1)
        wanted = [name for name in covers if COVER_FRAC[0] <= (codes == COVERS[name]).mean() <= COVER_FRAC[1]]
        if not wanted:
            continue
        scene = open_scene(path, sensor="hls_l30").compute()
        kind = kind_of(scene)
        bands = band_names(scene, kind)
        raw = raw_features(scene, kind, bands)
        positions = np.argwhere(np.ones(scene.spex.shape, bool))
        light = np.stack([scene[band].values.ravel() for band in bands], axis=1)
        pixels = PixelFeatures(positions, raw.reshape(len(positions), -1), light)
        for name in wanted:
            truth = (codes == COVERS[name]).ravel()
            yield Task(path.stem, name, scene, pixels, fitted_space(kind, bands, pixels.raw), truth)


def taught_by(task: Task, clicks: NDArray[np.int64]) -> Taught:
    """Return the class as so many clicks teach it."""
    pixels, count = task.pixels, len(clicks)
    examples = Examples(
        pixels.raw[clicks],
        pixels.light[clicks],
        task.truth[clicks],
        np.ones(count),
        places_of(pixels.positions[clicks]),
        pixels.positions[clicks],
        np.zeros(count, np.int64),
        np.ones(count, bool),
    )
    pool = slice(None, None, 4)
    sample = PixelFeatures(pixels.positions[pool], pixels.raw[pool], pixels.light[pool])
    return fit_class(NAMING, task.space, examples, [sample], Lesson(("tile",), 30.0, False))


def iou_of(task: Task, taught: Taught, clicks: NDArray[np.int64]) -> float:
    """Return the IoU of all pixels that were not clicked."""
    mask = taught.logits_of_raw(task.pixels.raw) > 0
    rest = np.ones(len(mask), bool)
    rest[clicks] = False
    both = (mask & task.truth & rest).sum()
    return float(both / max(((mask | task.truth) & rest).sum(), 1))


def random_clicks(task: Task, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return so many random pixels of yes, and as many of no."""
    sides = (np.flatnonzero(task.truth), np.flatnonzero(~task.truth))
    return np.concatenate([generator.choice(side, count, replace=False) for side in sides])


def queued_clicks(task: Task, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return as many clicks: one random yes and no, then what the queue asks about, answered by the map."""
    clicks = random_clicks(task, 1, generator)
    width = task.scene.spex.shape[1]
    drawn = generator.permutation(len(task.truth))[:4096]
    sample = PixelFeatures(task.pixels.positions[drawn], task.pixels.raw[drawn], task.pixels.light[drawn])
    while len(clicks) < 2 * count:
        (place,) = next_places(taught_by(task, clicks), task.scene, 1, sample)
        clicks = np.append(clicks, int(place.y_px) * width + int(place.x_px))
    return clicks


def measure(folder: Path, covers: list[str], seeds: int) -> None:
    """Print the table."""
    rows: dict[tuple[str, int], list[float]] = {}
    inside: dict[int, list[bool]] = {}
    start = time.perf_counter()
    tasks = list(tasks_of(folder, covers))
    for number, task in enumerate(tasks):
        for seed in range(seeds):
            for count in CLICKS:
                for way, choose in (("random", random_clicks), ("queue", queued_clicks)):
                    clicks = choose(task, count, np.random.default_rng(1000 * number + seed))
                    taught = taught_by(task, clicks)
                    iou = iou_of(task, taught, clicks)
                    rows.setdefault((way, count), []).append(iou)
                    estimate: Any = taught.assessment
                    if estimate.iou is not None and way == "random":
                        inside.setdefault(count, []).append(estimate.low <= iou <= estimate.high)
    click.echo(f"{len(tasks)} tasks, {seeds} seeds, {time.perf_counter() - start:.0f} s")
    for way in ("random", "queue"):
        means = (f"{count}+{count}: {np.mean(rows[way, count]):.3f}" for count in CLICKS)
        click.echo(f"{way:8} {' '.join(means)}")
    shares = ", ".join(f"{count}+{count}: {np.mean(hits):.0%}" for count, hits in inside.items())
    click.echo(f"IoU inside its 90 % interval: {shares}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covers", nargs="+", choices=[*COVERS], default=[*COVERS])
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    measure(Path(os.environ["SPEX_TEST_DATA"]) / "hls", options.covers, options.seeds)
