"""Pieces of a mask that the model is nowhere sure of are taken out: bare fields among roofs, as a rule.

A roof has a core that the model is sure of, and an edge that it is less sure of. A bright field has neither: all of it
lies just above the threshold. Two thresholds tell them apart, as in the edge detector of Canny (1986),
doi 10.1109/TPAMI.1986.4767851; here a share of a piece must be sure, since one pixel of a large field often is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import logit


def without_coreless_pieces(logits: NDArray[np.float32], sure: float, least_share: float) -> NDArray[np.float32]:
    """Return logits in which pieces without a core lie as far below 0 as they lay above.

    Args:
        logits: float32 [H, W]; -inf where there is no data. Pieces are the connected pixels above 0, by their sides.
        sure: Probability above which a pixel belongs to a core, below 1.
        least_share: Least share of a piece that must be core, from 0 to 1.

    Returns:
        float32 [H, W].
    """
    pieces, count = ndimage.label(logits > 0)
    if not count:
        return logits
    is_core = logits > float(logit(sure))
    shares = ndimage.mean(is_core, pieces, np.arange(count + 1))
    is_coreless = shares < least_share
    is_coreless[0] = False
    return np.where(is_coreless[pieces], -logits, logits)


def enforce_cores(
    layers: NDArray[np.float32],
    targets: Sequence[str],
    cores: Mapping[str, Sequence[float]],
    gsd_m: float | None,
    pointers: Sequence[Sequence[Any] | None] = (),
) -> NDArray[np.float32]:
    """Take pieces without a core out of the masks of those targets that must have one.

    Args:
        layers: Mask logits float32 [T, H, W].
        targets: Ids, one a layer.
        cores: By target the sure probability, the least share of a piece, and the largest pixel in metres.
        gsd_m: Ground sampling distance of the tile in metres; None where it is unknown.
        pointers: Points and boxes by target, or None. Where somebody points, pieces stay.

    Returns:
        float32 [T, H, W].
    """
    cut = layers.copy()
    for row, target in enumerate(targets):
        is_pointed_at = any(bool(marks and marks[row]) for marks in pointers)
        sure, least_share, largest_gsd_m = cores.get(target, (0.0, 0.0, 0.0))
        if not is_pointed_at and gsd_m is not None and gsd_m <= largest_gsd_m:
            cut[row] = without_coreless_pieces(layers[row], sure, least_share)
    return cut
