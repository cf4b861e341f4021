"""Twenty validation tiles side by side: false colour, label, prior, prediction, differences.

Usage: python recipes/tiny/picture.py CHECKPOINT DATASET OUT.png
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from spex_nb.evaluation.evaluate_model import predict_masks
from spex_nb.evaluation.pictures import TilePicture, draw_tile
from spex_nb.evaluation.tiles import EvaluationTile, PromptCondition, load_tile, tile_records
from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spie.dataset import open_dataset

ROWS = {"water": 6, "vegetation": 6, "built_up": 5, "building": 2, "bare_soil": 2}
"""How many tiles of each target are shown: of each place the one of which it covers nearest to half."""
SIDES = 2
"""Tiles beside each other."""


def draw(checkpoint: Path, folder: Path, out: Path) -> None:
    """Draw the tiles into one picture."""
    drawn = list(_tiles(checkpoint, folder))
    names = list(drawn[0].pictures)
    rows = -(-len(drawn) // SIDES)
    figure = Figure(figsize=(1.35 * SIDES * len(names), 1.5 * rows), layout="constrained")
    axes = figure.subplots(rows, SIDES * len(names))
    for ax in axes.flat:
        ax.set_axis_off()
    for number, tile in enumerate(drawn):
        first = number % SIDES * len(names)
        for ax, (name, picture) in zip(axes[number // SIDES, first:], tile.pictures.items(), strict=False):
            ax.imshow(picture)
            title = f"{tile.target.replace('_', '-')}, IoU {tile.iou:.2f}" if name == names[0] else name
            ax.set_title(title, fontsize=6)
    figure.savefig(out, dpi=66)


def _tiles(checkpoint: Path, folder: Path) -> Iterator[TilePicture]:
    model, dataset = load_mask_model(checkpoint), open_dataset(folder)
    records = tile_records(dataset, "val", list(ROWS))
    for target, count in ROWS.items():
        tiles = [
            load_tile(dataset, members, PromptCondition())
            for members in records.values()
            if target in _targets(members)
        ]
        for tile in _spread(tiles, target, count):
            masks, _ = predict_masks(model, tile)
            place = tile.targets.index(target)
            agreed = iou(confusion_counts(masks[target], tile.labels[place], tile.counted[place]))
            yield draw_tile(tile, target, masks[target], "best", float(agreed))


def _targets(members: object) -> set[str]:
    return {record.target for record in members}  # type: ignore[attr-defined]


def _spread(tiles: list, target: str, count: int) -> list:
    """Return tiles of which a target covers nearest to half, one a place."""

    def unevenness(tile: EvaluationTile) -> float:
        return float(abs(tile.labels[tile.targets.index(target)].mean() - 0.5))

    best = {tile.place: tile for tile in sorted(tiles, key=unevenness, reverse=True)}
    return sorted(best.values(), key=unevenness)[:count]


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:4]))
