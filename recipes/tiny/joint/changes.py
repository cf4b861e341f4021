"""What a tile might have looked like: at another scale, through cloud, in the numbers of another camera.

Nothing is changed in place. Shares and spreads are those of the run that the README reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from covers import Allowed, Array, Cover
from numpy.random import Generator
from scipy.ndimage import gaussian_filter
from tiles import Tile
from torch.nn import functional as F

from spex_nb.training.augmentation import cast_shadows, digital_numbers, turn

CLOUD_TOP = {"swir16": 0.35, "swir22": 0.25}
CLOUD_TOP_VISIBLE = 0.62
"""Reflectance of clouds, before it is drawn."""
THICK, THIN = 0.6, 0.12
"""Opacity from which a pixel is cloud, and up to which it is still ground. Between, nothing is told."""
UNKNOWN_WIDTH_UM = 0.05


def happens(share: float, rng: Generator) -> bool:
    """Draw whether something happens that has a chance between 0 and 1."""
    return bool(rng.random() < share)


@dataclass(frozen=True)
class Sample:
    """A piece of a tile.

    Attributes:
        pixels: float32 [B, H, W].
        bands: Their names.
        waves_um: Centre and width of each, float [B, 2].
        gsd_m: NaN where hidden.
        allowed: uint8 [H, W], bit sets of `Cover`.
    """

    pixels: Array
    bands: tuple[str, ...]
    waves_um: Array
    gsd_m: float
    allowed: Allowed


def cut(tile: Tile, side_px: int, shrink: float, rng: Generator) -> Sample:
    """Cut a square out of a tile, turn it by chance, and shrink it. A shrunk pixel keeps the label of its middle.

    Args:
        tile: The tile.
        side_px: Of the sample.
        shrink: How much larger a pixel becomes; less than the tile allows is taken as it is.
        rng: Draws.
    """
    height, width = tile.allowed.shape
    side = min(round(side_px * shrink), height, width)
    row, column = rng.integers(height - side + 1), rng.integers(width - side + 1)
    window = np.s_[row : row + side, column : column + side]
    pixels = np.stack([values[window] for values in tile.bands.values()]).astype(np.float32)
    allowed = tile.allowed[window]
    if side != side_px:
        size = (side_px, side_px)
        pixels, allowed = resized(pixels, size), allowed[middles(allowed.shape, size)]
    quarter = int(rng.integers(8))
    waves = np.array(list(tile.waves_um.values()))
    gsd_m = tile.gsd_m * side / side_px
    return Sample(turn(pixels, quarter), tuple(tile.bands), waves, gsd_m, turn(allowed, quarter))


def resized(pixels: Any, size: tuple[int, ...]) -> Any:
    """Return layers [B, H, W] averaged or stretched to a size."""
    stacked = torch.from_numpy(np.ascontiguousarray(pixels))[None]
    return F.interpolate(stacked, size, mode="bilinear", antialias=True, align_corners=False)[0].numpy()


def middles(shape: tuple[int, ...], size: tuple[int, ...]) -> Any:
    """Return the index of the pixels of a shape in which the middles of pixels of a size lie."""
    return np.ix_(*(((np.arange(n) + 0.5) * side / n).astype(int) for side, n in zip(shape, size, strict=True)))


def beside_each_other(samples: Sequence[Sample]) -> Sample:
    """Join four samples of the same bands and size into one of twice the side."""
    first, second, third, fourth = samples
    pixels = np.block([[first.pixels, second.pixels], [third.pixels, fourth.pixels]])
    allowed = np.block([[first.allowed, second.allowed], [third.allowed, fourth.allowed]])
    return replace(first, pixels=pixels, allowed=allowed)


def with_bands(sample: Sample, bands: Sequence[str]) -> Sample:
    """Return a sample of some of its bands, in this order."""
    places = [sample.bands.index(band) for band in bands]
    return replace(sample, pixels=sample.pixels[places], waves_um=sample.waves_um[places], bands=tuple(bands))


def as_another_camera(sample: Sample, rng: Generator) -> Sample:
    """Blur display values, stretch them by band or all alike, and change colourfulness, gain, offset and exponent."""
    pixels = sample.pixels
    if happens(0.25, rng):
        spread = rng.uniform(0.3, 1)
        pixels = np.stack([gaussian_filter(band, spread) for band in pixels])
    if happens(0.8, rng):
        if happens(0.5, rng):
            pixels = _stretched(pixels, rng)
        if happens(0.5, rng):
            grey = pixels.mean(0, keepdims=True)
            pixels = grey + rng.uniform(0.3, 1.4) * (pixels - grey)
        by_band = (len(pixels), 1, 1)
        pixels = np.clip(pixels, 0, None) ** np.exp(rng.normal(0, 0.3))
        pixels = pixels * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.12, by_band))
        pixels = np.clip(pixels + rng.uniform(-0.05, 0.05) + rng.uniform(-0.02, 0.02, by_band), 0, 1.1)
    noisy = pixels + rng.normal(0, rng.uniform(0, 0.015), pixels.shape)
    return replace(sample, pixels=noisy.astype(np.float32))


def _stretched(pixels: Array, rng: Generator) -> Array:
    axes = (1, 2) if happens(0.5, rng) else (0, 1, 2)
    cuts = rng.uniform(0, 2), 100 - rng.uniform(0, 3)
    low, high = np.percentile(pixels, cuts, axis=axes, keepdims=True)
    span = np.maximum(high - low, 0.08)
    low, high = low - rng.uniform(0, 0.3) * span, high + rng.uniform(0, 0.8) * span
    stretched: Array = np.clip((pixels - low) / (high - low), 0, 1)
    return stretched


def as_another_day(sample: Sample, rng: Generator) -> Sample:
    """Cast shadows over reflectance, change its air, or turn it into digital numbers."""
    centres, pixels = sample.waves_um[:, 0], sample.pixels
    if happens(0.2, rng):
        pixels = cast_shadows(pixels, centres, rng)
    if happens(0.5, rng):
        by_band = (len(pixels), 1, 1)
        pixels = pixels * np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.03, by_band)) + rng.uniform(-0.008, 0.008)
        if happens(0.4, rng):
            pixels = pixels + rng.uniform(0, 0.05) * (0.48 / centres).reshape(by_band) ** 2
    if happens(0.18, rng):
        pixels = digital_numbers(pixels, rng)
    noisy = pixels + rng.normal(0, 0.003, pixels.shape)
    return replace(sample, pixels=noisy.astype(np.float32))


def under_clouds(sample: Sample, rng: Generator) -> Sample:
    """Put clouds over a sample: thick cloud is none of the targets, and thin cloud tells nothing."""
    shape = sample.allowed.shape
    noise = sum(gaussian_filter(rng.standard_normal(shape), spread) * spread for spread in (3, 8, 20))
    noise = (noise - noise.mean()) / noise.std()
    opacity = np.clip((noise - rng.uniform(0.3, 1.6)) / rng.uniform(0.15, 0.9), 0, 1)
    tops = np.array([CLOUD_TOP.get(band, CLOUD_TOP_VISIBLE) for band in sample.bands]).reshape(-1, 1, 1)
    texture = 1 + 0.4 * gaussian_filter(rng.standard_normal(shape), 2)
    pixels = sample.pixels * (1 - opacity) + tops * rng.uniform(0.6, 1.35) * texture * opacity
    if happens(0.3, rng):  # the detectors of some sensors are blinded early
        pixels = np.minimum(pixels, rng.uniform(0.35, 0.8, (len(pixels), 1, 1)))
    allowed = np.where(opacity > THICK, Cover.OTHER, np.where(opacity > THIN, Cover.ANY, sample.allowed))
    return replace(sample, pixels=pixels.astype(np.float32), allowed=allowed.astype(np.uint8))


def with_unsure_facts(sample: Sample, rng: Generator) -> Sample:
    """Shuffle the bands, and change or hide what tables say of them: wavelengths, widths, ground sampling distance."""
    shuffled = with_bands(sample, [sample.bands[i] for i in rng.permutation(len(sample.bands))])
    waves = shuffled.waves_um.copy()
    waves[:, 0] += rng.normal(0, 0.006, len(waves))
    waves[:, 1] *= np.exp(rng.normal(0, 0.25, len(waves)))
    if happens(0.15, rng):
        waves[:, 1] = UNKNOWN_WIDTH_UM
    gsd_m = np.nan if happens(0.25, rng) else sample.gsd_m * np.exp(rng.normal(0, 0.15))
    return replace(shuffled, waves_um=waves, gsd_m=float(gsd_m))
