"""What a checkpoint finds on places that are held back, beside the figures that a new `tiny` is to reach.

Usage: python recipes/tiny/joint/bars.py DATA CHECKPOINT [--split validation] [--every N]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from changes import resized
from covers import COVER_OF_TARGET, WORLDCOVER_BUILT, difference, is_known, is_within
from numpy.typing import NDArray
from tiles import LAYER_OF, NOT_TOLD, OUTLINED, PICTURE_BANDS, Tile, read_tiles

from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.metrics import confusion_counts, iou, matched_counts, matched_f1
from spex_nb.scene.sensors import get_sensor
from spex_nb.types import MaskModel
from spex_nb.types.targets import are_exclusive

TOP = ("water", "vegetation", "built_up", "bare_soil")
SCALES_M = (None, 0.6, 1.0)
"""Ground sampling distances at which aerial pictures are read; None for their own."""
ROAD_TOLERANCE_M = 3.0
BINS = 10
SHADOW, WATER, CLOUD = 0, 1, 4
"""In the labels of the Landsat 7 scene."""
BARS = {
    "buildings, mean IoU": (0.47, 0.62),
    "buildings, worst share over true share": (1.5, 1.25),
    "roads, mean F1 at 3 m": (0.55, 0.70),
    "water, plausible tiles": (0.90, 0.95),
    "water, all tiles": (0.66, 0.72),
    "built_up, IoU": (0.28, 0.35),
    "built_up, F1 at 1 px": (0.69, 0.78),
    "vegetation on the date, IoU": (0.97, 0.985),
    "vegetation with NDVI below 0.2": (0.01, 0.0),
    "bare soil on the date, IoU": (0.93, 0.96),
    "water, all tiles (rgb)": (0.55, 0.60),
    "vegetation on the date, IoU (rgb)": (0.80, 0.84),
    "built_up, IoU (rgb)": (0.18, 0.25),
    "water in dry towns": (0.01, 0.003),
    "shadow called water": (0.03, 0.01),
    "cloud called vegetation or built_up": (0.10, 0.03),
    "pixels that are two exclusive targets": (0.0, 0.0),
    "calibration error, worst target": (0.03, 0.015),
}
"""Done at least, and aim."""
Counts = dict[str, NDArray[np.float64]]
Probabilities = Mapping[str, NDArray[np.float32]]


@dataclass
class Tally:
    """Sums over tiles."""

    counts: Counts = field(default_factory=lambda: defaultdict(lambda: np.zeros(4)))
    shares: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """(part, whole) of each tile."""
    reliability: Counts = field(default_factory=lambda: defaultdict(lambda: np.zeros((BINS, 3))))

    def share(self, name: str, part: Any, whole: Any) -> None:
        """Add how much of a tile is something."""
        self.shares[name].append((float(np.sum(part)), float(np.sum(whole))))

    def calibrate(self, name: str, p: Any, is_target: Any, has_label: Any) -> None:
        """Add probabilities and truth to the bins of a target."""
        bins = np.clip((p * BINS).astype(int), 0, BINS - 1)
        for number in range(BINS):
            inside = has_label & (bins == number)
            self.reliability[name][number] += inside.sum(), p[inside].sum(), is_target[inside].sum()


def measure(model: MaskModel, tiles: Sequence[Tile], data: Path) -> dict[str, float]:
    """Return the figures of a model by name."""
    tally, figures = Tally(), {}
    for bands in (None, PICTURE_BANDS):
        for tile in (tile for tile in tiles if tile.dataset == "hls"):
            _at_30_m(model, tile, bands, tally)
    for tile in tiles:
        if tile.dataset in LAYER_OF:
            for gsd_m in SCALES_M:
                _one_class(model, tile, gsd_m, tally)
        if tile.dataset in ("naip_california", OUTLINED):
            tally.share("water in dry towns", predict(model, tile, TOP)["water"] > 0.5, np.ones(tile.allowed.shape))  # noqa: PLR2004
    _clouds(model, data / "landsat7_cloud_shadow", tally)
    figures |= {name: float(iou(counts)) for name, counts in tally.counts.items() if " F1 " not in name}
    figures |= {name: float(matched_f1(counts)) for name, counts in tally.counts.items() if " F1 " in name}
    for name, pairs in tally.shares.items():
        part, whole = np.sum(pairs, 0)
        figures[name] = part / max(whole, 1)
    errors = [np.abs(bins[:, 1] - bins[:, 2]).sum() / max(1, bins[:, 0].sum()) for bins in tally.reliability.values()]
    figures["calibration error, worst target"] = float(max(errors, default=np.nan))
    return figures | _over_places(figures)


def _over_places(figures: Mapping[str, float]) -> dict[str, float]:
    """Return means and worst of the figures that stand by place."""
    named = {
        "buildings, mean IoU": ("buildings, IoU: ", np.mean),
        "buildings, worst share over true share": ("buildings, share over true share: ", max),
        "roads, mean F1 at 3 m": ("roads, F1 at 3 m: ", np.mean),
    }
    figures_of = {
        name: [v for key, v in figures.items() if key.startswith(start)] for name, (start, _) in named.items()
    }
    return {name: float(named[name][1](values)) for name, values in figures_of.items() if values}  # type: ignore[operator]


def predict(
    model: MaskModel, tile: Tile, targets: Sequence[str], bands: Sequence[str] | None = None, gsd_m: float | None = None
) -> Probabilities:
    """Return the probability of each target, float32 [H, W] on the grid of the tile, with nothing but words asked.

    Args:
        model: The model.
        tile: The tile.
        targets: Asked for together.
        bands: Those that are read; all by default.
        gsd_m: Pixels are averaged to this size, where they are smaller.
    """
    names = [name for name in tile.bands if bands is None or name in bands]
    pixels = np.stack([tile.bands[name] for name in names]).astype(np.float32)
    height, width = tile.allowed.shape
    scale = 1.0 if gsd_m is None else min(1.0, tile.gsd_m / gsd_m)
    if scale < 1:
        pixels = resized(pixels, (round(height * scale), round(width * scale)))
    scene = scene_of(names, pixels, tile, tile.gsd_m / scale)
    logits = model.predict(scene, targets, [build_prompt(target, []) for target in targets], [None] * len(targets))
    probabilities = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    if scale < 1:
        probabilities = resized(probabilities, (height, width))
    return dict(zip(targets, probabilities, strict=True))


def scene_of(names: Sequence[str], pixels: Any, tile: Tile, gsd_m: float) -> xr.Dataset:
    """Return pixels [B, H, W] of a tile as a scene, with the wavelengths of its bands."""
    is_reflectance = tile.dataset in ("hls", "landsat8_zion")
    layers = {
        name: (("y", "x"), band, dict(zip(("wavelength_um", "width_um"), tile.waves_um[name], strict=True)))
        for name, band in zip(names, pixels, strict=True)
    }
    valid = ("y", "x"), np.ones(pixels.shape[1:], bool)
    radiometry = "surface reflectance" if is_reflectance else "relative reflectance"
    return xr.Dataset({**layers, "valid": valid}, attrs={"radiometry": radiometry, "gsd_m": gsd_m})


def _at_30_m(model: MaskModel, tile: Tile, bands: Sequence[str] | None, tally: Tally) -> None:
    p = predict(model, tile, TOP, bands)
    masks, rgb = {name: values > 0.5 for name, values in p.items()}, "" if bands is None else " (rgb)"  # noqa: PLR2004
    water, everywhere = tile.labels["water"] == 1, np.ones(tile.allowed.shape, bool)
    tally.counts[f"water, all tiles{rgb}"] += confusion_counts(masks["water"], water, everywhere)
    if tile.labels["is_plausible"]:
        tally.counts[f"water, plausible tiles{rgb}"] += confusion_counts(masks["water"], water, everywhere)
    for name, title in (("vegetation", "vegetation"), ("bare_soil", "bare soil")):
        has_label, is_target = (test(tile.allowed, COVER_OF_TARGET[name]) for test in (is_known, is_within))
        tally.counts[f"{title} on the date, IoU{rgb}"] += confusion_counts(masks[name], is_target, has_label)
        if not rgb:
            tally.calibrate(name, p[name], is_target, has_label)
    if tile.labels["worldcover"] is not None:
        built = (tile.labels["worldcover"] == WORLDCOVER_BUILT) & ~water
        tally.counts[f"built_up, IoU{rgb}"] += confusion_counts(masks["built_up"], built, everywhere)
        if not rgb:
            tally.counts["built_up, F1 at 1 px"] += matched_counts(masks["built_up"], built, tolerance_px=1)
            tally.calibrate("built_up", p["built_up"], built, everywhere)
    if not rgb:
        ndvi = difference(*(tile.bands[name].astype(np.float32) for name in ("nir", "red")))
        tally.share("vegetation with NDVI below 0.2", masks["vegetation"] & (ndvi < 0.2), masks["vegetation"])  # noqa: PLR2004
        doubled = [masks[a] & masks[b] for a, b in combinations(TOP, 2) if are_exclusive(a, b)]
        tally.share("pixels that are two exclusive targets", np.any(doubled, 0), everywhere)
        tally.calibrate("water", p["water"], water, everywhere)


def _one_class(model: MaskModel, tile: Tile, gsd_m: float | None, tally: Tally) -> None:
    layer = LAYER_OF[tile.dataset]
    target = "building" if layer == "buildings" else "road"
    label = tile.labels[layer]
    is_target, has_label = label == 1, label != NOT_TOLD
    mask = predict(model, tile, (*TOP, target), gsd_m=gsd_m)[target] > 0.5  # noqa: PLR2004
    place = tile.place.partition("_")[0]
    where = f"{place}, {'own scale' if gsd_m is None else f'{gsd_m} m'}"
    if target == "building":
        tally.counts[f"buildings, IoU: {where}"] += confusion_counts(mask, is_target, has_label)
        tally.share(f"buildings, share over true share: {where}", mask & has_label, is_target & has_label)
    else:
        reach = max(1, round(ROAD_TOLERANCE_M / tile.gsd_m))
        tally.counts[f"roads, F1 at 3 m: {where}"] += matched_counts(mask & has_label, is_target, tolerance_px=reach)


def _clouds(model: MaskModel, folder: Path, tally: Tally) -> None:
    """Add what a scene under clouds is taken for, tile by tile."""
    with rasterio.open(folder / "toa.tif") as file:
        pixels = file.read() / np.float32(1e4)
    with rasterio.open(folder / "labels.tif") as file:
        labels = file.read(1)
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    wavelengths = {band.name: (band.wavelength_um, band.width_um) for band in get_sensor("landsat7").bands}
    bands = {name: values.astype(np.float16) for name, values in zip(names, pixels, strict=True)}
    tile = Tile("hls", "clouds", "landsat7", 30, bands, wavelengths, np.zeros(labels.shape, np.uint8))
    masks = {name: values > 0.5 for name, values in predict(model, tile, TOP).items()}  # noqa: PLR2004
    shadow, cloud = labels == SHADOW, labels == CLOUD
    tally.share("shadow called water", masks["water"] & shadow, shadow)
    tally.share("cloud called vegetation or built_up", (masks["vegetation"] | masks["built_up"]) & cloud, cloud)
    tally.counts["water beside shadow, IoU"] += confusion_counts(masks["water"], labels == WATER, ~cloud)


def table(figures: Mapping[str, float]) -> pd.DataFrame:
    """Return the figures beside what is done at least and what is aimed at."""
    rows: Iterable[Any] = (
        {
            "what": name,
            "found": value,
            "done at least": BARS.get(name, (np.nan,) * 2)[0],
            "aim": BARS.get(name, (np.nan,) * 2)[1],
        }
        for name, value in figures.items()
    )
    return pd.DataFrame(rows).set_index("what").round(3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("--split", default="held_back", choices=("held_back", "validation"))
    parser.add_argument("--every", type=int, default=1, help="only each N-th tile of a set")
    chosen = parser.parse_args()
    tiles = [tile for tile in read_tiles(chosen.data) if tile.split == chosen.split][:: chosen.every]
    print(table(measure(load_mask_model(chosen.checkpoint), tiles, chosen.data)).to_string())  # noqa: T201 (a script)
