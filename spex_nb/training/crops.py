"""Crops: tiles of a dataset with their labels, cut to the size of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.ndimage import zoom

from spex_nb.errors import DatasetError
from spex_nb.spie.dataset import SpieDataset
from spex_nb.spie.tiles import UNKNOWN, read_mask, read_tile
from spex_nb.training.augmentation import Augmentation, turn

CACHED_TILES = 4096
"""Most tiles that stay in memory."""


@dataclass(frozen=True)
class TileEntry:
    """The files of a tile and its masks."""

    image: Path
    dataset: str
    masks: tuple[tuple[str, Path], ...]
    """(target, file)."""


def list_tiles(dataset: SpieDataset, split: str, targets: Sequence[str]) -> list[TileEntry]:
    """Return the tiles of a split that have masks of some targets.

    Raises:
        DatasetError: If there are none.
    """
    rows = dataset.index[(dataset.index.split == split) & dataset.index.target.isin(list(targets))]
    if not len(rows):
        raise DatasetError(
            "There is nothing to train on",
            found=f"no record of {', '.join(targets)} in split {split!r} of {dataset.folder}",
            expected="at least one",
            fix="Build the dataset with these targets, or name others.",
        )
    return [
        TileEntry(
            dataset.folder / str(image),
            str(group.dataset.iloc[0]),
            tuple(zip(group.target, [dataset.folder / path for path in group["mask"]], strict=True)),
        )
        for image, group in rows.groupby("image", sort=True)
    ]


@lru_cache(maxsize=CACHED_TILES)
def read_entry(entry: TileEntry) -> tuple[xr.Dataset, dict[str, Any]]:
    """Read a tile and its labels, uint8 [H, W] by target."""
    masks = {}
    for target, path in entry.masks:
        mask, is_known = read_mask(path)
        masks[target] = np.where(is_known, mask.astype(np.uint8), np.uint8(UNKNOWN))
    return read_tile(entry.image), masks


def cut_sample(
    entry: TileEntry, size_px: int, augmentation: Augmentation | None, rng: np.random.Generator
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Cut a tile and its labels to size; with augmentation also turned, and perhaps at another scale."""
    scene, labels = read_entry(entry)
    if augmentation is None:
        window = _window(scene.spex.shape, size_px, rng)
        return _cut(scene, window, 1.0, 0), {name: _cut_labels(mask, window, 1.0, 0) for name, mask in labels.items()}
    scale = _scale(min(scene.spex.shape), size_px, augmentation, rng)
    window, side = _window(scene.spex.shape, round(size_px / scale), rng), int(rng.integers(8))
    return _cut(scene, window, scale, side), {
        name: _cut_labels(mask, window, scale, side) for name, mask in labels.items()
    }


def _scale(side: int, size_px: int, augmentation: Augmentation, rng: np.random.Generator) -> float:
    if rng.random() >= augmentation.zoom:
        return 1.0
    return 0.5 if side >= 2 * size_px and rng.random() < 0.5 else 2.0  # noqa: PLR2004 (as often as not)


def _window(shape: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    height, width = (min(side, length) for length in shape)
    row, column = (int(rng.integers(length - cut + 1)) for length, cut in zip(shape, (height, width), strict=True))
    return slice(row, row + height), slice(column, column + width)


def _cut(scene: xr.Dataset, window: tuple[slice, slice], scale: float, side: int) -> xr.Dataset:
    """Return part of a scene without georeference, since turned and scaled ground has none."""
    valid = _resized(scene.spex.valid.values[window].astype(np.float32), scale) > 0.999  # noqa: PLR2004 (all of it)
    bands = {}
    for name in scene.spex.bands:
        pixels = np.where(valid, _resized(np.nan_to_num(scene[name].values[window]), scale), np.float32(np.nan))
        bands[name] = (("y", "x"), turn(pixels, side), dict(scene[name].attrs))
    attributes = {name: scene.attrs[name] for name in ("sensor", "radiometry") if name in scene.attrs}
    if scene.spex.gsd_m is not None:
        attributes["gsd_m"] = scene.spex.gsd_m / scale
    return xr.Dataset(bands | {"valid": (("y", "x"), turn(valid, side))}, attrs=attributes)


def _resized(pixels: Any, scale: float) -> Any:
    """Return [h, w] averaged to half the size, interpolated to twice of it, or as it is."""
    if scale == 1:
        return pixels
    if scale > 1:
        return zoom(pixels, scale, order=1, grid_mode=True, mode="nearest")
    height, width = (length // 2 for length in pixels.shape)
    return pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def _cut_labels(mask: Any, window: tuple[slice, slice], scale: float, side: int) -> Any:
    """Return part of a label uint8; at half the size a pixel is what most of it is, and unknown where that is open."""
    part = mask[window]
    if scale > 1:
        part = part.repeat(int(scale), 0).repeat(int(scale), 1)
    elif scale < 1:
        share = _resized((part == 1).astype(np.float32), scale)
        unknown = _resized((part == UNKNOWN).astype(np.float32), scale) > 0
        part = np.where(unknown | (share == 0.5), UNKNOWN, share > 0.5).astype(np.uint8)  # noqa: PLR2004 (half)
    return turn(part, side)
