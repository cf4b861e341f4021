"""Priors, regions and their attributes, and the shapes of arrays that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Side = Literal["above", "below"]
Point = tuple[float, float]
"""(x, y): x to the right, y down."""
Rectangle = tuple[Point, Point, Point, Point]
"""Four corners, in order around the rectangle."""
Runs = NDArray[np.int32]
"""[N, 3]: rows of (row, first column, column after the last), in reading order."""
Window = tuple[int, int, int, int]
"""(row, column, height, width) of a pixel rectangle."""
MASK_NODATA = 255
"""The value of a uint8 mask where the scene has no data."""
RegionSource = Literal["index", "label", "drawn"]
"""The source of a region: a spectral index, ground truth (never at test time), or a drawing of the user."""
Verdict = Literal["holds", "contradicts", "cannot be checked"]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The first mask of a target from one spectral index, and the reason for it.

    Two priors are never equal by value: mask and index may be lazy, and a comparison would compute them.
    """

    target: str
    """Id of the target, such as ``water``."""
    mask: xr.DataArray = field(repr=False)
    """bool [H, W]: True where the target is likely, False where the index is undefined."""
    index: xr.DataArray = field(repr=False)
    """The index under the threshold: float32 [H, W], NaN where it is undefined."""
    index_name: str
    """Name of the index in the catalogue."""
    threshold: float
    """In units of the index."""
    side: Side
    """Which side of the threshold belongs to the target."""
    reason: str
    """Sentences: why this index and threshold, which better rules do not fit, and how far to trust it."""
    reference: str
    """DOI or URL of the index."""
    guard: str = ""
    """The second condition that a pixel must meet, such as ``NDWI < -0.1``; empty when there is none."""
    why: str = ""
    """The part of the reason that says how good the rule was measured."""
    better_indices: tuple[str, ...] = ()
    """Indices of better rules, which do not fit these bands or values."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """One region as a prompt lists it. Positions are fractions of the tile, with three decimals."""

    size: str
    """Size word, from ``regions.SIZE_WORDS``."""
    centroid_frac: Point
    location: str
    """Cell of the 3 x 3 grid: ``top-left`` ... ``center`` ... ``bottom-right``."""
    rectangle_frac: Rectangle
    """Rotated rectangle of least area."""
    index_name: str | None = None
    """The three richer attributes are None in prompts of the released form."""
    mean_index: float | None = None
    share_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """Connected pixels of a mask. Pixel (row r, column c) covers x from c to c + 1 and y from r to r + 1."""

    runs: Any = field(repr=False, compare=False)
    """Its pixels, as `Runs`; None where a copy goes into a file without them."""
    shape: tuple[int, int]
    """(height, width) of the tile, in pixels."""
    area_px: int
    centroid_px: Point
    rectangle_px: Rectangle
    """Rotated rectangle of least area about its pixels."""
    share_frac: float
    """Share of the tile."""
    size: str
    location: str
    source: RegionSource = "index"
    area_m2: float | None = None
    """On an equal-area projection; None where there is no CRS."""
    index_name: str | None = None
    mean_index: float | None = None
    spread_index: float | None = None
    """Standard deviation of the index inside."""
