"""From what a map calls the land to what is seen on the date: green plants, bare ground, and what is not told.

A land-cover map calls a ploughed field cropland, and a dry plain grassland. A user who asks for vegetation means plants
that are green in the picture. The greenness of the date decides, where the map allows both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import MissingBandError
from spex_nb.spectral.indices import compute_index

Label = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Where a target is, and where that is known: two bool [H, W]."""
GREEN_NDVI = 0.40
"""NDVI of surface reflectance from which plants cover about half of the pixel. The usual formulas of vegetation
fraction put half cover near 0.45 (https://doi.org/10.1080/014311698215333,
https://doi.org/10.1016/S0034-4257(97)00104-1)."""
BARE_NDVI = 0.22
"""NDVI up to which a pixel holds no green plants worth the name. Nothing is told of sparse or dry plants between."""
DRY_WETNESS = 0.0
"""NDWI and MNDWI up to which ground is dry: above, it may be wet soil or water."""


def labels_on_date(tile: xr.Dataset, labels: Mapping[str, Label]) -> dict[str, Label]:
    """Recast the labels of vegetation and bare soil by what the bands show on the date.

    Vegetation is where the map has plants and NDVI is at least `GREEN_NDVI`. Bare soil is where the map has bare
    ground, or plants that may leave the ground bare, NDVI is at most `BARE_NDVI` and the ground is dry. Neither is told
    between. Built-up area and water stay neither of the two.

    Args:
        tile: Reflectance bands [H, W]. Digital numbers, and bands without red or near infrared, tell no greenness; then
            labels stay as they are.
        labels: By target, from `LabelledScene.labels`.

    Returns:
        The labels of all targets; those of vegetation and bare soil recast. Missing data is not told.
    """
    recast = dict(labels)
    ndvi = _index(tile, "NDVI")
    if ndvi is None:
        return recast
    green, bare = ndvi >= GREEN_NDVI, ndvi <= BARE_NDVI
    if "vegetation" in labels:
        recast["vegetation"] = _vegetation(labels["vegetation"], green, bare)
    if "bare_soil" in labels:
        recast["bare_soil"] = _bare_soil(labels, green, bare & _is_dry(tile, ndvi.shape))
    return recast


def _vegetation(label: Label, green: NDArray[np.bool_], bare: NDArray[np.bool_]) -> Label:
    mapped, is_known = label
    return mapped & green, is_known & (~mapped | green) | bare


def _bare_soil(labels: Mapping[str, Label], green: NDArray[np.bool_], bare: NDArray[np.bool_]) -> Label:
    mapped, is_known = labels["bare_soil"]
    plants, _ = labels.get("vegetation", (np.zeros_like(mapped), is_known))
    may_be_bare = mapped | (plants & ~is_known)
    return may_be_bare & bare, (is_known & ~mapped & ~plants) | green | (may_be_bare & bare)


def _is_dry(tile: xr.Dataset, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where no index of water that the bands allow is above its limit: bool [H, W]."""
    dry = np.ones(shape, bool)
    for name in ("NDWI", "MNDWI"):
        wetness = _index(tile, name)
        if wetness is not None:
            dry &= ~(wetness > DRY_WETNESS)
    return dry


def _index(tile: xr.Dataset, name: str) -> NDArray[np.float32] | None:
    """Return an index of reflectance, float32 [H, W], NaN where undefined; None where the bands do not allow it."""
    if tile.spex.is_relative:
        return None
    try:
        values: NDArray[np.float32] = compute_index(tile, name).values
    except MissingBandError:
        return None
    return values
