"""What a network sees of a scene, in numpy: normalised bands with their wavelengths, indices and priors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import MissingBandError
from spex_nb.model.runtime.channel_rules import CHANNEL_RULES
from spex_nb.model.runtime.channels import INDEX_CHANNELS, INDICES, PRIOR_TARGETS
from spex_nb.spectral.indices import compute_indices, is_available
from spex_nb.spectral.priors import mask_by_rules

MEAN, STD = 0.15, 0.15
"""Mean and deviation of reflectance for a band without figures in the settings."""
WIDTH_UM = 0.05
"""Width of a band that states none."""


@dataclass(frozen=True)
class BandSettings:
    """How bands become channels, as a checkpoint's processor states it.

    Attributes:
        bands: Those that the model reads; None where it takes any.
        mean: By band, what is subtracted from reflectance; `MEAN` where it is not given.
        std: By band, what reflectance is divided by then; `STD` where it is not given.
        index_channels: Whether the `INDICES` and the priors of `PRIOR_TARGETS` follow.
        prior_channels: Whether these priors are given; otherwise they count as unknown.
    """

    bands: tuple[str, ...] | None = None
    mean: Mapping[str, float] = field(default_factory=dict)
    std: Mapping[str, float] = field(default_factory=dict)
    index_channels: bool = False
    prior_channels: bool = True


class BandArrays(NamedTuple):
    """What a network sees of one scene."""

    pixels: NDArray[np.float32]
    """float32 [B, H, W], normalised; NaN where there is no data."""
    waves_um: NDArray[np.float32]
    """float32 [B, 2], centre and width of each band in micrometres; NaN where the centre is unknown."""
    indices: NDArray[np.float32] | None
    """float32 [I, H, W]; NaN where there is no data, where an index is undefined, and all over where it is not
    available. None for a network without index channels."""
    gsd_m: float
    """Ground sampling distance in metres; NaN where it is unknown."""


def band_arrays(scene: xr.Dataset, settings: BandSettings) -> BandArrays:
    """Return what a network sees of a scene.

    Args:
        scene: Reflectance bands [H, W] by name, with ``valid`` if it has one.
        settings: Of the checkpoint.

    Raises:
        MissingBandError: If a band that the settings name is not there.
        ValueError: If the wavelength of a band is needed and not known.
    """
    bands = settings.bands or tuple(scene.spex.bands)
    needs_waves = settings.bands is None or settings.index_channels
    pixels = np.stack([_normalised(scene, band, settings) for band in bands])
    indices = None
    if settings.index_channels:
        seen = scene if settings.bands is None else _with_bands(scene, bands)
        indices = _index_channels(seen, PRIOR_TARGETS if settings.prior_channels else ())
    return BandArrays(
        pixels,
        np.array([_wave(scene, band, is_needed=needs_waves) for band in bands], np.float32),
        indices,
        float(scene.spex.gsd_m or np.nan),
    )


def tile_digest(tile: xr.Dataset, valid: NDArray[np.bool_], settings: BandSettings) -> bytes:
    """Hash what decides what a network sees of a tile: its pixels and attributes, and the settings.

    Args:
        tile: Bands [H, W].
        valid: bool [H, W].
        settings: Of the checkpoint.
    """
    layers = [tile[name] for name in tile.spex.bands]
    described = [(layer.name, layer.dtype, layer.attrs) for layer in layers]
    attributes = (tile.attrs, tile.spex.gsd_m, tile.spex.shape, described)
    digest = hashlib.sha256(repr((attributes, settings)).encode())
    for values in (*(layer.values for layer in layers), valid):
        digest.update(np.ascontiguousarray(values).data)
    return digest.digest()


def _normalised(scene: xr.Dataset, band: str, settings: BandSettings) -> NDArray[np.float32]:
    if band not in scene:
        raise MissingBandError(
            "The model needs a band that the scene lacks",
            found=", ".join(scene.spex.bands),
            expected=", ".join(settings.bands or ()),
            fix="Open a scene with this band, or use a model that takes any bands.",
        )
    values = np.where(scene.spex.valid.values, scene[band].values, np.nan).astype(np.float32)
    mean, std = settings.mean.get(band, MEAN), settings.std.get(band, STD)
    return (values - np.float32(mean)) / np.float32(std)


def _with_bands(scene: xr.Dataset, bands: Sequence[str]) -> xr.Dataset:
    """Return a scene without the bands that a model does not read."""
    return scene.drop_vars([band for band in scene.spex.bands if band not in bands])


def _wave(scene: xr.Dataset, band: str, *, is_needed: bool) -> tuple[float, float]:
    """Return centre and width of a band, in micrometres."""
    attributes = scene[band].attrs
    centre, width = (attributes.get(key) for key in ("wavelength_um", "width_um"))
    if centre is None and is_needed:
        raise ValueError(
            f"The wavelength of band {band!r} is not known; expected attribute wavelength_um. Open the scene with its "
            "sensor, or set scene[band].attrs['wavelength_um'] and ['width_um']."
        )
    return (float("nan") if centre is None else float(centre)), float(width or WIDTH_UM)


def _index_channels(scene: xr.Dataset, priors: Sequence[str]) -> NDArray[np.float32]:
    """Return indices and priors of a scene, float32 [I, H, W].

    NaN where there is no data, where an index is undefined, and all over where the bands allow no index or prior. Where
    only the index of a prior is undefined, the prior is 0.
    """
    valid = scene.spex.valid.values
    channels = np.full((INDEX_CHANNELS, *scene.spex.shape), np.nan, np.float32)
    computed = chain(_indices(scene), (mask_by_rules(scene, CHANNEL_RULES[name]) for name in priors))
    for channel, values in zip(channels, computed, strict=False):
        if values is not None:
            channel[:] = np.where(valid, values, np.float32(np.nan))
    return channels


def _indices(scene: xr.Dataset) -> list[Any]:
    """Return each of the `INDICES` between -1 and 1; None where the bands do not allow it."""
    available = [name for name in INDICES if is_available(scene, name)]
    layers = compute_indices(scene, available) if available else {}
    return [np.clip(layers[name].values, -1, 1) if name in layers else None for name in INDICES]
