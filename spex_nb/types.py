"""The plain carriers that pass between modules. They hold; they do not compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import xarray as xr

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What one spectral index says of a target: a first mask, and how it came about.

    Two priors are never equal by value: the mask and the index may be lazy, and comparing them would compute them.
    """

    target: str
    """Id of the target, such as ``water``."""
    mask: xr.DataArray = field(repr=False)
    """Where the target is likely: bool [H, W]; False where the index is undefined."""
    index: xr.DataArray = field(repr=False)
    """The index that was thresholded: float32 [H, W], NaN where it is undefined."""
    index_name: str
    """Name of the index in the catalogue."""
    threshold: float
    """Where the index was cut, in units of the index."""
    side: Side
    """Which side of the threshold belongs to the target."""
    reason: str
    """Why this index and this threshold, what it fell back from, and how far to trust it; in sentences."""
    reference: str
    """DOI or URL of the index."""
    guard: str = ""
    """The second condition that a pixel must meet, such as ``NDWI < -0.1``; empty when there is none."""
