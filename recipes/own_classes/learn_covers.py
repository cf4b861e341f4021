"""Learn the cover network of taught classes: land covers of ESA WorldCover from pixels and their surroundings.

``SPEX_TEST_DATA=… python recipes/own_classes/learn_covers.py cover_network.npz`` takes some ten minutes of one core.
Tiles of the places that `tests/benchmarks/measure_own_classes.py` scores are left out. With ``--without tree`` a cover
is left out as well, which shows how far the network helps with a class that it never saw.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from spex_nb.analysis.teaching.cover_network import BANDS, COVERS, INPUTS, LARGEST_INPUT
from spex_nb.analysis.teaching.features import raw_features
from spex_nb.scene.open import open_scene

CODES = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 95)
"""Of WorldCover, in the order of `COVERS`."""
EVERY = 12
PIXELS = 4000
"""Drawn from each tile."""
HIDDEN = (96, 32)
ROUNDS, BATCH, RATE, NOISE = 14, 4096, 4e-3, 0.1
FEWEST = 1000
"""Pixels below which a cover counts little."""


def train_tiles(folder: Path) -> list[str]:
    """Return the tiles of all places that the benchmark does not score."""
    with (folder / "places.csv").open(encoding="utf-8") as file:
        places = {row["tile"]: row["place"] for row in csv.DictReader(file)}
    names = sorted(path.stem for path in (folder / "images").glob("*.tif"))
    scored = {places[name] for name in names[::EVERY]}
    return [name for name in names if places[name] not in scored]


def sample(folder: Path, names: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return inputs float32 [N, 96] and numbers of covers [N], -1 for none, of pixels from some tiles."""
    generator = np.random.default_rng(0)
    inputs, labels = [], []
    for name in names:
        scene = open_scene(folder / "images" / f"{name}.tif", sensor="hls_l30").compute()
        with rasterio.open(folder / "worldcover" / f"{name}.tif") as file:
            codes = file.read(1).ravel()
        drawn = generator.choice(codes.size, PIXELS, replace=False)
        inputs.append(raw_features(scene, "pixels", BANDS).reshape(-1, INPUTS)[drawn])
        labels.append(np.array([CODES.index(code) if code in CODES else -1 for code in codes[drawn]]))
    return np.concatenate(inputs), np.concatenate(labels)


def learn(inputs: NDArray[np.float32], labels: NDArray[np.int64]) -> nn.Sequential:
    """Return the network, trained by cross-entropy; rare covers weigh by the root of their rarity."""
    torch.manual_seed(0)
    width, last = HIDDEN
    network = nn.Sequential(
        nn.Linear(INPUTS, width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(width, last),
        nn.ReLU(),
        nn.Linear(last, len(COVERS)),
    )
    pixels, truth = torch.from_numpy(inputs), torch.from_numpy(labels)
    counts = torch.bincount(truth, minlength=len(COVERS)) + 1
    weights = counts.float().rsqrt()
    weights = torch.where(counts < FEWEST, torch.tensor(0.3), weights / weights.mean())
    steps = ROUNDS * (len(pixels) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(ROUNDS):
        order = torch.randperm(len(pixels))
        for start in range(0, len(pixels) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            noisy = pixels[batch] + NOISE * torch.randn(BATCH, INPUTS)
            loss = F.cross_entropy(network(noisy), truth[batch], weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Learn and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--without", choices=COVERS, nargs="*", default=[])
    options = parser.parse_args()
    folder = Path(os.environ["SPEX_TEST_DATA"]) / "hls"
    inputs, labels = sample(folder, train_tiles(folder))
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0) + np.float32(1e-3)
    is_used = (labels >= 0) & ~np.isin(labels, [COVERS.index(name) for name in options.without])
    scaled = np.clip((inputs[is_used] - mean) / spread, -LARGEST_INPUT, LARGEST_INPUT)
    network = learn(scaled.astype(np.float32), labels[is_used])
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    arrays = {"mean": mean, "spread": spread}
    for number, layer in enumerate(layers):
        arrays[f"weight{number}"] = layer.weight.detach().numpy().T
        arrays[f"bias{number}"] = layer.bias.detach().numpy()
    np.savez_compressed(options.output, **arrays)


if __name__ == "__main__":
    main()
