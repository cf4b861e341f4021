"""Building a SPIE dataset: 10,000 tiles of generated scenes, and of the real ones that SPEX_TEST_DATA names."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from spex_nb import spie
from spex_nb.scene.samples import sample_path
from tests.benchmarks.bench_indices import row

TILES = 10_000
FEW = 2_000
TILE_PX = 128
TIMES = 8
"""A sample scene is laid out this often in both directions, 400 tiles in all."""
CLASSES = {0: None, 1: "water", 2: "vegetation", 3: ["building", "built_up"], 4: "bare_soil", 5: ["road", "built_up"]}


def large_scene(folder: Path, number: int) -> tuple[Path, Path]:
    """Write a scene of 2,560² pixels and its labels: shifted copies of a sample, no two pixels quite alike."""
    rng = np.random.default_rng(number)
    shift = tuple(int(s) for s in rng.integers(0, 320, 2))
    source = sample_path("river_10m")
    paths = []
    for what, path in (("scene", source), ("labels", source.with_name("river_10m_labels.tif"))):
        with rasterio.open(path) as file:
            pixels, profile, names = file.read(), file.profile, file.descriptions
            scales, offsets = file.scales, file.offsets
        pixels = np.tile(np.roll(pixels, shift, (1, 2)), (1, TIMES, TIMES))
        if what == "scene":
            noise = rng.normal(1, 0.01, pixels.shape)
            pixels = np.where(pixels == 0, 0, np.rint(pixels * noise)).astype(pixels.dtype)
        profile |= {"height": pixels.shape[1], "width": pixels.shape[2], "tiled": True, "compress": "deflate"}
        paths.append(folder / f"{what}_{number}.tif")
        with rasterio.open(paths[-1], "w", **profile) as file:
            file.write(pixels)
            file.descriptions, file.scales, file.offsets = names, scales, offsets
    return paths[0], paths[1]


def scenes(folder: Path, tiles: int) -> list[Any]:
    """Return labelled scenes of about so many tiles: the real ones first, then generated ones."""
    real = os.environ.get("SPEX_TEST_DATA")
    labelled = []
    if real:
        sys.path.insert(0, str(Path(__file__).parents[2] / "recipes" / "tiny"))
        from development_sets import read_chesapeake_naip, read_hls, read_landsat8_zion

        labelled += read_hls(Path(real) / "hls")
        labelled += read_landsat8_zion(Path(real) / "landsat8_zion")
        labelled += read_chesapeake_naip(Path(real) / "chesapeake_naip")
    pairs = [large_scene(folder, number) for number in range(-(-(tiles - 370 * bool(real)) // 400))]
    images, labels = zip(*pairs, strict=True)
    return labelled + spie.labelled_scenes(images, labels, CLASSES, sensor="sentinel2_l2a")


def milliseconds(scenes: list[Any], out: Path, workers: int) -> tuple[float, int]:
    """Return the time of a tile, and how many there were."""
    start = time.perf_counter()
    done = spie.build(scenes, None, out, spie.Settings(tile_px=TILE_PX), workers=workers, progress=False)
    return 1000 * (time.perf_counter() - start) / done.tiles, done.tiles


def run(tiles: int = TILES, few: int = FEW) -> list[dict[str, str]]:
    """Return the measured row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        two, built = milliseconds(scenes(folder, tiles), folder / "two", 2)
        one, _ = milliseconds(scenes(folder, few), folder / "one", 1)
    rates = f"{1000 / two:.0f} tiles/s with 2 workers, {1000 / one:.0f} with 1"
    what = f"`spie.build` of {built:,} tiles of {TILE_PX}², 3 to 5 records each ({rates}); other: 1 worker"
    return [row(what, two, one, "ms a tile", "none")]


if __name__ == "__main__":
    print(run())  # noqa: T201 (a benchmark alone)
