"""The table of what a checkpoint finds in the product, beside its weights: by target, sensor class and pixel size.

Places are those of the card that the checkpoint never learned from, and the aerial places held back. Labels of
buildings say where built-up area is, and never where it is not: there the recall bounds the IoU from above. With near
infrared, roofs are outlined over California alone.

Usage: python recipes/tiny/quality.py DATA CHECKPOINT
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parent / "joint"))
from bars import scene_of
from changes import middles, resized
from covers import COVER_OF_TARGET, WORLDCOVER_BUILT, is_known, is_within
from tiles import LAYER_OF, NOT_TOLD, PICTURE_BANDS, Tile, read_tiles

from spex_nb.extraction.facts.gather import FAILING_IOU
from spex_nb.extraction.facts.quality import FILE, sensor_class
from spex_nb.extraction.mask_models import is_left_to_index, load_mask_model, model_at_scale
from spex_nb.extraction.predict import MemoryFallbackModel, TileStep
from spex_nb.model.runtime.scaled_weights import AERIAL, AERIAL_GSD_M
from spex_nb.scene.windows.pyramid import zoom_to
from spex_nb.types import MaskModel

Mask = NDArray[np.bool_]
PARTS_OF_PLANTS = ("tree_cover", "low_vegetation")
"""Targets that labels tell in part."""
SATELLITE_M = (15.0, 45.0)
AERIAL_M = {None: (0.15, 0.8), 1.0: (0.8, AERIAL_GSD_M)}
"""Smallest and largest pixels that figures stand for: of aerial pictures as they are, and shrunk to 1 m."""


def labels_of(tile: Tile) -> dict[str, Mask]:
    """Return where targets are, by the labels of a tile; see `is_told`."""
    if tile.dataset == "hls":
        water = tile.labels["water"] == 1
        built = (
            {}
            if tile.labels["worldcover"] is None
            else {"built_up": (tile.labels["worldcover"] == WORLDCOVER_BUILT) & ~water}
        )
        plants = {name: is_within(tile.allowed, COVER_OF_TARGET[name]) for name in PARTS_OF_PLANTS}
        return plants | ({"water": water} | built if tile.labels["is_plausible"] else built)
    layer = LAYER_OF[tile.dataset]
    label = tile.labels[layer] == 1
    return {"road": label} if layer == "roads" else {"building": label, "built_up": label}


def is_told(tile: Tile, target: str) -> Mask:
    """Return where the labels of a tile tell whether a pixel is a target: bool [H, W]."""
    if target in PARTS_OF_PLANTS:
        return is_known(tile.allowed, COVER_OF_TARGET[target])
    if tile.dataset == "hls":
        return np.ones(tile.allowed.shape, bool)
    return np.asarray(tile.labels[LAYER_OF[tile.dataset]] != NOT_TOLD)


def measure(model: MaskModel, tiles: Sequence[Tile]) -> list[dict[str, Any]]:
    """Return the rows of the table."""
    sums: dict[Any, Any] = defaultdict(lambda: np.zeros(3))
    places: dict[Any, set[str]] = defaultdict(set)
    for tile, size_m in _scaled(tiles):
        for key, mask, label in _compared(model, tile, size_m):
            sums[key] += (mask & label).sum(), mask.sum(), label.sum()
            places[key].add(tile.place)
    return [_row(key, *sums[key], len(places[key])) for key in sorted(sums)]


def _scaled(tiles: Sequence[Tile]) -> Iterator[tuple[Tile, tuple[float, float]]]:
    """Yield tiles with the sizes of pixels that they stand for: aerial ones also with larger pixels."""
    for tile in tiles:
        if tile.dataset == "hls":
            yield tile, SATELLITE_M
        else:
            yield from ((tile if gsd_m is None else shrunk(tile, gsd_m), sizes) for gsd_m, sizes in AERIAL_M.items())


def shrunk(tile: Tile, gsd_m: float) -> Tile:
    """Return a tile with pixels averaged to a size. Each keeps the label of its middle."""
    size = tuple(max(1, round(side * tile.gsd_m / gsd_m)) for side in tile.allowed.shape)
    places = middles(tile.allowed.shape, size)
    pixels = resized(np.stack([band.astype(np.float32) for band in tile.bands.values()]), size)
    return replace(
        tile,
        gsd_m=gsd_m,
        bands=dict(zip(tile.bands, pixels.astype(np.float16), strict=True)),
        allowed=tile.allowed[places],
        labels={name: label[places] for name, label in tile.labels.items()},
    )


def _compared(model: MaskModel, tile: Tile, size_m: tuple[float, float]) -> Iterator[tuple[Any, Mask, Mask]]:
    for scene in _scenes(tile):
        answering = model_at_scale(model, scene.spex.gsd_m)
        for target, label in labels_of(tile).items():
            if not is_left_to_index(answering.card, target, scene):
                zoom = zoom_to(scene.spex.gsd_m, answering.card)
                step = TileStep(scene, zoom, [target])
                logits = step.ask(MemoryFallbackModel(answering), [target])[target]
                mask = step.on_scene_pixels([logits])[0] > 0
                is_whole = tile.dataset == "hls" or target != "built_up"
                yield (target, sensor_class(scene), size_m, is_whole), mask & is_told(tile, target), label


def _scenes(tile: Tile) -> Iterator[xr.Dataset]:
    """Yield a tile with all of its bands, and in red, green and blue."""
    for bands in dict.fromkeys((tuple(tile.bands), PICTURE_BANDS)):
        pixels = np.stack([tile.bands[name].astype(np.float32) for name in bands])
        yield scene_of(bands, pixels, tile, tile.gsd_m)


def _row(key: Any, shared: float, mask: float, label: float, places: int) -> dict[str, Any]:
    target, kind, size_m, is_whole = key
    recall = shared / max(label, 1)
    figures = {"recall": recall}
    if is_whole:
        figures |= {"iou": shared / max(mask + label - shared, 1), "precision": shared / max(mask, 1)}
    elif recall < FAILING_IOU:
        figures["iou"] = recall  # at most that
    rounded = {name: round(float(value), 3) for name, value in figures.items()}
    return {"target": target, "sensor_class": kind, "gsd_m": size_m, "places": places} | rounded


def write(data: Path, checkpoint: Path) -> Path:
    """Measure a checkpoint and write its tables, that of the aerial weights beside them; return the first file."""
    splits = {"hls": "validation"} | dict.fromkeys(LAYER_OF, "held_back")
    tiles = [tile for tile in read_tiles(data) if splits.get(tile.dataset) == tile.split]
    rows = measure(load_mask_model(checkpoint), tiles)
    aerial = [row for row in rows if row["gsd_m"] in AERIAL_M.values()]
    if (checkpoint / AERIAL).is_dir():
        rows = [row for row in rows if row not in aerial]
        _write(checkpoint / AERIAL / FILE, aerial)
    return _write(checkpoint / FILE, rows)


def _write(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    file.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    print(write(**vars(parser.parse_args())))  # noqa: T201 (a script)
