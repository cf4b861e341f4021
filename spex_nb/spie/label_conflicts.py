"""Where a label and every index contradict each other: no pixel to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import MissingBandError
from spex_nb.spectral.indices import compute_index


@dataclass(frozen=True)
class Doubt:
    """What one index says of a target: surely not there below ``never``, surely there above ``surely``."""

    index: str
    never: float
    surely: float


DOUBTS = {"water": (Doubt("NDWI", -0.2, 0.1), Doubt("MNDWI", -0.2, 0.3))}
"""By target; only targets whose indices are that sure. Limits were set by looking at flood labels that are modelled."""


def doubtful(tile: xr.Dataset, target: str, mask: Any) -> Any:
    """Return where a label contradicts all indices that know the target: bool [H, W].

    Args:
        tile: Reflectance bands [H, W]. Of digital numbers no index is that sure.
        target: Id of the target.
        mask: bool [H, W], the label.
    """
    nowhere = np.zeros(np.shape(mask), bool)
    known = DOUBTS.get(target, ())
    if not known or tile.spex.is_relative:
        return nowhere
    try:
        values = [compute_index(tile, doubt.index).values for doubt in known]
    except MissingBandError:  # one index alone is not enough
        return nowhere
    absent = np.all([value < doubt.never for value, doubt in zip(values, known, strict=True)], axis=0)
    present = np.all([value > doubt.surely for value, doubt in zip(values, known, strict=True)], axis=0)
    found: Any = np.where(mask, absent, present)
    return found
