"""Augmentation: other air and haze, cloud shadows, the numbers of other sensors, fewer bands, other scales.

Every function takes arrays [B, H, W] and a random generator, and changes nothing in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

BLUE_UM = 0.48
RAYLEIGH = 2.0
"""Exponent at which haze falls with the wavelength: between clean air (4) and mist (0)."""
DIFFUSE = 0.6
"""Share of the light that is left in a shadow at the blue band; at longer wavelengths less of it comes from the sky."""
COUNTS = 1 / 3
"""Share of the digital numbers that are counts; the others are 8 bits of a stretched picture."""
COUNT_GAIN, COUNT_BAND_GAIN = 0.5, 0.25
"""Standard deviation of the logarithm of their gains: of one for all bands, and of each band's own."""
BY_BAND = 0.5
"""Share of the stretched pictures in which each band has another range."""
MOST_CUT = 4.0
"""Percent of the pixels that a stretch cuts off at either end, at most."""
LEAST_SPAN = 0.02
"""Range of reflectance that is stretched at least: calm water stays calm."""
VISIBLE = ("red", "green", "blue")


@dataclass(frozen=True)
class Augmentation:
    """How far scenes are changed; chances between 0 and 1.

    Attributes:
        calibrated: Chance that radiometry is left as it is, but for noise.
        gain: Standard deviation of the logarithm of one gain for all bands.
        band_gain: Standard deviation of the logarithm of a gain for each band.
        offset: Largest offset, in reflectance.
        gamma: Standard deviation of the logarithm of an exponent, as in stretched 8-bit pictures.
        haze: Largest reflectance of haze at the blue band.
        noise: Largest standard deviation of noise, as a share of a band's mean.
        shadow: Chance of cloud shadows.
        numbers: Chance of digital numbers in place of reflectance: a stretched picture, or counts of an unknown gain.
        bands: Chances of all bands, of blue, green, red and near infrared, of red, green and blue, and of any two or
            more of them.
        zoom: Chance of another scale: twice as large, or half as large where the tile is large enough.
    """

    calibrated: float = 0.4
    gain: float = 0.35
    band_gain: float = 0.15
    offset: float = 0.03
    gamma: float = 0.2
    haze: float = 0.1
    noise: float = 0.03
    shadow: float = 0.25
    numbers: float = 0.2
    bands: tuple[float, float, float, float] = (0.55, 0.22, 0.1, 0.13)
    zoom: float = 0.25


def change_radiometry(pixels: Any, wavelengths_um: Any, how: Augmentation, rng: np.random.Generator) -> Any:
    """Return the reflectance of the same ground under another air, and in another sensor's numbers.

    Args:
        pixels: float32 [B, H, W], NaN where there is no data.
        wavelengths_um: float [B], centres of the bands.
        how: Limits.
        rng: Draws.
    """
    noise = rng.uniform(0, how.noise) * np.nanmean(pixels, axis=(1, 2), keepdims=True)
    if rng.random() < how.calibrated:
        return (pixels + noise * rng.standard_normal(pixels.shape)).astype(np.float32)
    by_band = (len(pixels), 1, 1)
    bluer = (BLUE_UM / np.asarray(wavelengths_um)).reshape(by_band)
    changed = np.clip(pixels, 0, None) ** np.exp(rng.normal(0, how.gamma))
    changed = changed * np.exp(rng.normal(0, how.gain) + rng.normal(0, how.band_gain, by_band))
    changed = changed + rng.uniform(0, how.haze) * bluer**RAYLEIGH + rng.uniform(-how.offset, how.offset)
    return (changed + noise * rng.standard_normal(pixels.shape)).astype(np.float32)


def digital_numbers(pixels: Any, rng: np.random.Generator) -> Any:
    """Return a tile in uncalibrated numbers, as scenes are read whose sensor is not known.

    Either counts, whose gains by band are anything; or 8 bits of the range of each band, or of all bands, as pictures
    have them. That of a scene is wider than that of its tile.

    Args:
        pixels: float32 [B, H, W], reflectance, NaN where there is no data.
        rng: Draws.
    """
    if rng.random() < COUNTS:
        gains = np.exp(rng.normal(0, COUNT_GAIN) + rng.normal(0, COUNT_BAND_GAIN, (len(pixels), 1, 1)))
        return (pixels * gains).astype(np.float32)
    axes = (1, 2) if rng.random() < BY_BAND else (0, 1, 2)
    cuts = rng.uniform(0, MOST_CUT), 100 - rng.uniform(0, MOST_CUT)
    low, high = np.nanpercentile(pixels, cuts, axis=axes, keepdims=True)
    span = np.maximum(high - low, LEAST_SPAN)
    low, high = low - rng.uniform(0, 0.3) * span, high + rng.uniform(0, 1) * span
    stretched = np.clip((pixels - low) / (high - low), 0, 1) ** np.exp(rng.normal(-0.2, 0.25))
    return (np.round(stretched * 255) / 255).astype(np.float32)


def cast_shadows(pixels: Any, wavelengths_um: Any, rng: np.random.Generator) -> Any:
    """Return a tile with one or two soft cloud shadows, darkest where the sky sends least light."""
    _, height, width = pixels.shape
    rows, columns = np.indices((height, width))
    dark = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(1, 3)):
        y, x = rng.uniform(0, (height, width))
        reach = rng.uniform(0.08, 0.35) * min(height, width)
        stretch = rng.uniform(0.5, 2)
        dark = np.maximum(dark, (np.hypot((rows - y) * stretch, columns - x) < reach).astype(np.float32))
    dark = gaussian_filter(dark, rng.uniform(1, 4))
    left = rng.uniform(0.25, DIFFUSE) * (BLUE_UM / np.asarray(wavelengths_um)) ** rng.uniform(0.2, 0.8)
    return (pixels * (1 - dark * (1 - left.reshape(-1, 1, 1)))).astype(np.float32)


def choose_bands(names: Sequence[str], how: Augmentation, rng: np.random.Generator) -> list[str]:
    """Return the bands that are left of a scene, in an order of chance."""
    some = rng.permutation(len(names))[: rng.integers(2, len(names) + 1)]
    sets = (list(names), [*VISIBLE, "nir"], list(VISIBLE), [names[i] for i in some])
    chosen = sets[rng.choice(len(sets), p=how.bands)]
    left_bands = [band for band in chosen if band in names]
    return list(rng.permutation(left_bands if len(left_bands) > 1 else list(names)))


def turn(array: Any, side: int) -> Any:
    """Return [..., H, W] turned by quarter turns and, from 4 on, mirrored: side 0..7."""
    turned = np.rot90(array, side % 4, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if side >= 4 else turned)  # noqa: PLR2004 (four quarter turns)
