"""What a classifier sees of a pixel: bands, indices, their means and spreads around it, and likely land covers.

Everything is computed from float32 reflectance, or from digital numbers on a relative scale. Pixels without data are
left out of every mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from spex_nb.analysis.teaching.cover_network import BANDS, COVERS, cover_logits
from spex_nb.errors import MissingBandError

MEANS_PX, SPREADS_PX = (3, 7, 15, 31), (3, 7, 15)
"""Sides of the squares that means and standard deviations are taken over, in pixels."""
HALO_PX = 15
"""How far around a pixel its features look."""
STRIP_ROWS = 64
"""Rows that are worked on at a time: the inputs of 512 columns then take 25 MB."""
PAIRS = (("nir", "red"), ("green", "nir"), ("green", "swir16"), ("swir16", "nir"), ("nir", "swir22"))
"""Normalised differences: NDVI, NDWI, MNDWI, NDBI and NBR."""
VISIBLE_PAIRS = (("green", "red"), ("red", "blue"), ("green", "blue"))
"""Those that scenes without short-wave infrared have beside."""
SATELLITE_GSD_M = (8.0, 65.0)
"""Sizes of pixels for which the cover network is asked: it learned at 30 m."""
COVER_SCALES = (
    (4.0, 0.3, 0.15, 0.15, 0.15),
    (2.0, 1.0, 1.0, 1.0, 1.0),
    (0.0, 0.0, 1.0, 1.0, 1.0),
    (0.0, 0.0, 1.5, 0.5, 0.0),
)
"""Scales of shares, logits, pixels and their means over 3 and 7 pixels, for four classifiers. What is scaled larger
counts sooner, while examples are few: the first trusts the network, the last sees hardly more than the pixel."""
COVER_SHARES = (0.5, 0.2, 0.15, 0.15)
"""How much the four count before an example is held out."""
PIXEL_SCALES = ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.2), (1.5, 0.5, 0.0, 0.0))
"""Scales of pixels, their means over 3 and 7 pixels, and all else, for three classifiers."""
PIXEL_SHARES = (0.4, 0.4, 0.2)
NEAR = 3
"""Layers as they are, and their means over 3 and 7 pixels."""
LARGEST_Z = 6.0
LEAST_SPREAD = 1e-3
EVI = (2.5, 2.4)
"""Factors of the two-band EVI (Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006)."""

Kind = Literal["covers", "pixels"]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSpace:
    """Which features there are, and how they are scaled.

    Attributes:
        kind: ``covers`` with likely land covers, where the scene has the bands for it; ``pixels`` without.
        bands: Read from the scene, in this order.
        mean: float32 [F], of each feature on the scene that taught.
        spread: float32 [F], its standard deviation there.
    """

    kind: Kind
    bands: tuple[str, ...]
    mean: Array
    spread: Array

    def scaled(self, raw: Array) -> Array:
        """Return features float32 [N, D] of raw ones [N, F]: shares of covers from 0 to 1, all else standardised."""
        z: Array = np.clip((raw - self.mean) / self.spread, -LARGEST_Z, LARGEST_Z).astype(np.float32)
        if self.kind == "pixels":
            return z
        covers = len(COVERS)
        return np.concatenate([softmax(raw[:, :covers]), z], axis=1)

    @property
    def scales(self) -> tuple[Array, ...]:
        """How much each feature counts, float32 [D], for each of several classifiers."""
        layers = len(layer_names(self.bands))
        if self.kind == "covers":
            sizes: tuple[int, ...] = (len(COVERS), len(COVERS), layers, layers, layers)
            table: tuple[tuple[float, ...], ...] = COVER_SCALES
        else:
            sizes, table = (layers, layers, layers, len(self.mean) - NEAR * layers), PIXEL_SCALES
        return tuple(np.repeat(np.array(scales, np.float32), sizes) for scales in table)


def shares_of(kind: Kind) -> tuple[float, ...]:
    """Return how much each classifier counts before an example is held out."""
    return COVER_SHARES if kind == "covers" else PIXEL_SHARES


def kind_of(scene: xr.Dataset) -> Kind:
    """Return whether the cover network can be asked about a scene: calibrated, six bands, pixels of 8 to 65 m."""
    gsd_m = scene.spex.gsd_m
    is_size = gsd_m is None or SATELLITE_GSD_M[0] <= gsd_m <= SATELLITE_GSD_M[1]
    has_bands = set(BANDS) <= set(scene.spex.bands)
    return "covers" if is_size and has_bands and not scene.spex.is_relative else "pixels"


def fitted_space(kind: Kind, bands: Sequence[str], raw: Array) -> FeatureSpace:
    """Return the features scaled by a sample of a scene.

    Args:
        kind: See `FeatureSpace`.
        bands: Of the scene.
        raw: float32 [N, F], raw features of pixels from all over the scene.
    """
    return FeatureSpace(kind, tuple(bands), raw.mean(axis=0), raw.std(axis=0) + np.float32(LEAST_SPREAD))


def raw_features(tile: xr.Dataset, kind: Kind, bands: Sequence[str]) -> Array:
    """Return the raw features of every pixel of a tile, float32 [H, W, F]; see `feature_strips`."""
    return np.concatenate(list(feature_strips(tile, kind, bands)))


def feature_strips(tile: xr.Dataset, kind: Kind, bands: Sequence[str]) -> Iterator[Array]:
    """Yield the raw features of a tile in strips of rows, float32 [h, W, F]; of pixels without data they mean nothing.

    Args:
        tile: Bands [H, W] in memory.
        kind: See `FeatureSpace`.
        bands: To read.

    Raises:
        MissingBandError: If the tile lacks a band.
    """
    layers, valid = _layers(tile, bands)
    height = valid.shape[0]
    for top in range(0, height, STRIP_ROWS):
        low, high = max(0, top - HALO_PX), min(height, top + STRIP_ROWS + HALO_PX)
        inner = slice(top - low, min(top + STRIP_ROWS, height) - low)
        yield _strip(layers[:, low:high], valid[low:high], inner, kind)


def band_names(scene: xr.Dataset, kind: Kind) -> tuple[str, ...]:
    """Return the bands that are read from a scene: the six of the network, or all that a scene has."""
    return BANDS if kind == "covers" else tuple(scene.spex.bands)


def layer_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the layers that features are computed of: bands, normalised differences, EVI."""
    pairs = [f"({first} - {second}) / ({first} + {second})" for first, second in _pairs(bands)]
    return (*bands, *pairs, *(["EVI2"] if {"nir", "red"} <= set(bands) else []))


def softmax(logits: Array) -> Array:
    """Return shares that add up to one, float32 [N, K]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _pairs(bands: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [pair for pair in PAIRS if set(pair) <= set(bands)]
    return pairs + [pair for pair in VISIBLE_PAIRS if set(pair) <= set(bands) and "swir16" not in bands]


def _layers(tile: xr.Dataset, bands: Sequence[str]) -> tuple[Array, NDArray[np.bool_]]:
    """Return the layers [C, H, W] that features are computed of, 0 where there are no data, and ``valid``."""
    missing = [band for band in bands if band not in tile.spex.bands]
    if missing:
        raise MissingBandError(
            "The class was taught on bands that the scene lacks",
            found=", ".join(tile.spex.bands),
            expected=", ".join(bands),
            fix=f"Open a scene that also has {', '.join(missing)}, or teach the class on this sensor.",
        )
    planes = np.stack([tile[band].values.astype(np.float32) for band in bands])
    valid = tile.spex.valid.values & np.isfinite(planes).all(axis=0)
    planes = np.where(valid, planes, np.float32(0))
    light = dict(zip(bands, np.clip(planes, 1e-4, 1.5), strict=True))
    layers = [np.sqrt(np.clip(planes, 0, 1))]
    layers += [_difference(light[first], light[second])[None] for first, second in _pairs(bands)]
    if {"nir", "red"} <= set(bands):
        gain, weight = EVI
        layers.append((gain * (light["nir"] - light["red"]) / (light["nir"] + weight * light["red"] + 1))[None])
    return np.where(valid, np.concatenate(layers), np.float32(0)).astype(np.float32), valid


def _difference(first: Array, second: Array) -> Array:
    total = first + second
    difference = (first - second) / np.where(total < LEAST_SPREAD, np.float32(LEAST_SPREAD), total)
    return difference.astype(np.float32)


def _strip(layers: Array, valid: NDArray[np.bool_], inner: slice, kind: Kind) -> Array:
    """Return the raw features of some rows, [h, W, F]."""
    known_share = None if valid.all() else valid.astype(np.float32)
    means = {side: _mean(layers, known_share, side, inner) for side in MEANS_PX}
    squares = layers * layers
    spreads = [
        np.sqrt(np.maximum(_mean(squares, known_share, side, inner) - means[side] ** 2, 0)) for side in SPREADS_PX
    ]
    inputs = np.concatenate([layers[:, inner], *means.values(), *spreads])
    rows = np.moveaxis(inputs, 0, -1)
    if kind == "pixels":
        return np.ascontiguousarray(rows)
    flat = rows.reshape(-1, rows.shape[-1])
    near = flat[:, : NEAR * len(layers)]  # as they are, and their means over 3 and 7 pixels
    return np.concatenate([cover_logits(flat), near], axis=1).reshape(*rows.shape[:2], -1)


def _mean(layers: Array, known_share: Array | None, side: int, inner: slice) -> Array:
    """Return means over squares, of pixels with data only, [C, h, W]."""
    sums = np.stack([uniform_filter(layer, side, mode="nearest")[inner] for layer in layers])
    if known_share is None:
        return sums
    shares = uniform_filter(known_share, side, mode="nearest")[inner]
    return np.where(shares > LEAST_SPREAD, sums / np.maximum(shares, LEAST_SPREAD), np.float32(0)).astype(np.float32)
