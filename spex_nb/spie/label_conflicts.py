"""Label conflicts: pixels where a label contradicts every index. Training leaves them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import MissingBandError
from spex_nb.spectral.indices import compute_index


@dataclass(frozen=True)
class ConflictRule:
    """Values of one index that decide about a target.

    Attributes:
        index: Name of the index.
        absent_below: The target is surely absent below this value.
        present_above: The target is surely present above this value.
    """

    index: str
    absent_below: float
    present_above: float


CONFLICT_RULES = {"water": (ConflictRule("NDWI", -0.2, 0.1), ConflictRule("MNDWI", -0.2, 0.3))}
"""By target; only targets whose indices are that sure. The limits come from looking at modelled flood labels."""


def find_conflicts(tile: xr.Dataset, target: str, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pixels where a label contradicts all indices of its target.

    Args:
        tile: Reflectance bands [H, W]. Digital numbers have no conflicts, since no index of them is that sure.
        target: Id of the target.
        mask: bool [H, W], the label.

    Returns:
        bool [H, W]; all False for a target without rules, or where a band for one of its indices is missing.
    """
    rules = CONFLICT_RULES.get(target, ())
    if not rules or tile.spex.is_relative:
        return np.zeros(np.shape(mask), bool)
    try:
        values = [compute_index(tile, rule.index).values for rule in rules]
    except MissingBandError:  # one index alone is not enough
        return np.zeros(np.shape(mask), bool)
    absent = np.all([value < rule.absent_below for value, rule in zip(values, rules, strict=True)], axis=0)
    present = np.all([value > rule.present_above for value, rule in zip(values, rules, strict=True)], axis=0)
    conflicts: NDArray[np.bool_] = (mask & absent) | (~mask & present)
    return conflicts
