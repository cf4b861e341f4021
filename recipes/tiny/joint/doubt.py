"""How often the pixels of most doubt are wrong, on the places held back: `python doubt.py DATA CHECKPOINT`.

Each tile is answered as `extract` answers it: by the model, or by the index where the model leaves a target to it. Each
target is asked for by itself. A pixel counts where its label tells whether it is the target.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from bars import TOP, scene_of
from covers import COVER_OF_TARGET, WORLDCOVER_BUILT, is_known, is_within
from numpy.typing import NDArray
from tiles import Tile, read_tiles

from spex_nb.extraction.facts.doubt import FLAGGED_FRAC, doubt_of_rows
from spex_nb.extraction.facts.sums import rule_masks, rules_of
from spex_nb.extraction.mask_models import IndexModel, is_left_to_index, load_mask_model
from spex_nb.extraction.predict import MemoryFallbackModel, TileStep
from spex_nb.spectral.priors import prior_of
from spex_nb.types import MaskModel

THRESHOLD = 0.5
BUILDING_SETS = ("oam_buildings", "inria_buildings", "spacenet2_buildings")
Layer = NDArray[np.bool_]


def measure_tile(model: MaskModel, tile: Tile) -> Iterator[tuple[str, NDArray[np.uint8], Layer]]:
    """Yield for each target its name, the doubt and the errors of the pixels whose label tells, [N] each."""
    scene = scene_of(list(tile.bands), np.stack([*tile.bands.values()]).astype(np.float32), tile, tile.gsd_m)
    targets = (*TOP, "building") if tile.dataset in BUILDING_SETS else TOP
    step = TileStep(scene, 1.0, targets)
    by_index = [target for target in targets if is_left_to_index(model.card, target, scene)]
    logits = step.ask(MemoryFallbackModel(model), [target for target in targets if target not in by_index])
    with_rule = [target for target in by_index if prior_of(scene, target) is not None]
    logits |= step.ask(MemoryFallbackModel(IndexModel()), with_rule)
    for target in logits:
        truth, has_label = truth_of(tile, target)
        probability = 1 / (1 + np.exp(-np.clip(logits[target], -30, 30)))
        mask = (probability > THRESHOLD).astype(np.uint8)
        doubt = doubt_of_rows(mask, probability[None], {target: THRESHOLD}, rules_on(scene, target))
        yield target, doubt[has_label], (mask == 1)[has_label] != truth[has_label]


def rules_on(scene: xr.Dataset, target: str) -> dict[str, Layer]:
    """Return the masks of the rules that doubt asks: the target's own, and those of reliable rivals."""
    return rule_masks(scene, [*rules_of(scene.isel(y=slice(0, 1), x=slice(0, 1)), [target])])


def truth_of(tile: Tile, target: str) -> tuple[Layer, Layer]:
    """Return where a target is, and where the label of the tile tells."""
    everywhere = np.ones(tile.allowed.shape, bool)
    if tile.dataset == "hls" and target == "water":
        return tile.labels["water"] == 1, everywhere
    if tile.dataset == "hls" and target == "built_up" and tile.labels["worldcover"] is not None:
        return (tile.labels["worldcover"] == WORLDCOVER_BUILT) & (tile.labels["water"] != 1), everywhere
    return is_within(tile.allowed, COVER_OF_TARGET[target]), is_known(tile.allowed, COVER_OF_TARGET[target])


def table(model: MaskModel, tiles: Sequence[Tile]) -> pd.DataFrame:
    """Return for each kind of picture and target how often all pixels, and those of most doubt, are wrong."""
    doubts, errors = defaultdict(list), defaultdict(list)
    for tile in tiles:
        kind = "30 m" if tile.dataset in ("hls", "landsat8_zion") else "aerial"
        for target, doubt, is_wrong in measure_tile(model, tile):
            doubts[kind, target].append(doubt)
            errors[kind, target].append(is_wrong)
    rows = []
    generator = np.random.default_rng(0)
    for (kind, target), parts in doubts.items():
        doubt, is_wrong = np.concatenate(parts), np.concatenate(errors[kind, target])
        order = np.lexsort((generator.random(len(doubt)), doubt))[::-1]  # pixels of equal doubt in random order
        flagged = order[: max(1, round(FLAGGED_FRAC * len(order)))]
        whole, first = is_wrong.mean(), is_wrong[flagged].mean()
        rows.append({"pictures": kind, "target": target, "pixels": len(order), "wrong": whole, "flagged wrong": first})
    frame = pd.DataFrame(rows)
    return frame.assign(times=frame["flagged wrong"] / frame["wrong"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("--every", type=int, default=1, help="only each N-th tile of a set of aerial pictures")
    chosen = parser.parse_args()
    held_back = [tile for tile in read_tiles(chosen.data) if tile.split == "held_back"]
    aerial = [tile for tile in held_back if tile.dataset not in ("hls", "landsat8_zion")][:: chosen.every]
    satellite = [tile for tile in held_back if tile.dataset in ("hls", "landsat8_zion")]
    print(table(load_mask_model(chosen.checkpoint), [*satellite, *aerial]).round(3).to_string())  # noqa: T201 (a script)
