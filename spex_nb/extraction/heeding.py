"""Clicks and boxes as facts: mask logits that agree with every one of them, and change as little as that takes.

A model need not follow a hint. What it missed at the clicked pixels is spread to pixels that look alike and lie near,
as kriging spreads the residuals of a regression: https://doi.org/10.1016/j.cageo.2007.05.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

SURE = 3.0
"""Logit that a click stands for: a probability of 0.95."""
ALIKE = 0.5
"""Two pixels look alike within this, in standard deviations of each band."""
NEAR_PX = 48.0
"""And are near within this."""
FLATTEST = 0.005
"""Reflectance; a band that varies less tells nothing apart."""
CALM_PX = 3
"""Looks are those of so many pixels: a single one is noisy."""
NUGGET = 0.01
"""Keeps clicks that stand close together from tearing at each other."""
FAINT = 0.1
"""Logit of a pixel that was undecided and is taken with a rim."""
RIM_PX = CALM_PX
"""What is left of a thing within this of what was taken away is its rim: mixed pixels, which look like neither side."""


def heed(
    logits: Any,
    tile: xr.Dataset,
    clicks: Sequence[tuple[float, float, bool]],
    boxes: Sequence[tuple[float, float, float, float]] = (),
) -> Any:
    """Return mask logits that agree with what was pointed at.

    Args:
        logits: float32 [H, W].
        tile: Bands [H, W] of the same pixels.
        clicks: (x, y, is the target) in pixels; of two on one pixel the later counts.
        boxes: (x0, y0, x1, y1) in pixels: what looks like the middle of a box is the target, within the box.

    Returns:
        float32 [H, W]; the same where nothing pointed at looks alike, and where the logits agreed already.
    """
    seen = _looks(tile)
    for box in boxes:
        inside = _inside(logits.shape, box)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, True
        logits = np.where(inside, _agreeing(logits, seen, [middle], np.inf), logits)
    heeded = _agreeing(logits, seen, clicks, NEAR_PX) if clicks else logits
    for yes in (True, False):
        heeded = _without_rims(logits, heeded, clicks, yes)
    return heeded


def _without_rims(before: Any, after: Any, clicks: Sequence[tuple[float, float, bool]], yes: bool) -> Any:
    """Return logits in which what became the target (or else stopped being it) took rims, or filled holes, with it."""
    sign = 1 if yes else -1
    won = (sign * after > 0) & ~(sign * before > 0)
    if not won.any():
        return after
    pieces, _ = ndimage.label(~(sign * after > 0))
    beyond = pieces[~ndimage.binary_dilation(won, np.ones((3, 3)), RIM_PX)]
    clicked = [pieces[_pixel(after.shape, x, y)] for x, y, is_target in clicks if is_target != yes]
    is_rim = ~np.isin(pieces, [0, *np.unique(beyond), *clicked]) & np.isfinite(after)
    return np.where(is_rim, sign * np.maximum(np.abs(after), np.float32(FAINT)), after)


def _agreeing(logits: Any, seen: Any, clicks: Sequence[tuple[float, float, bool]], near_px: float) -> Any:
    known = {_pixel(logits.shape, x, y): yes for x, y, yes in clicks}
    known = {place: yes for place, yes in known.items() if np.isfinite(logits[place])}
    if not known:
        return logits
    rows, columns = np.array([*known]).T
    signs = np.where([*known.values()], 1.0, -1.0)
    missed = signs * np.maximum(0.0, SURE - signs * logits[rows, columns])
    nearness = np.stack([_nearness(seen, row, column, near_px) for row, column in known])
    weights = np.linalg.solve(nearness[:, rows, columns] + NUGGET * np.eye(len(rows)), missed)
    changed = (logits + np.tensordot(weights, nearness, 1)).astype(np.float32)
    changed[rows, columns] = np.where(missed == 0, logits[rows, columns], signs * SURE)
    return changed


def _nearness(seen: Any, row: int, column: int, near_px: float) -> Any:
    """Return how near pixels are to one of them, in looks and place: float32 [H, W], 1 for itself."""
    y, x = np.ogrid[: seen.shape[1], : seen.shape[2]]
    apart = np.square(seen - seen[:, row, column, None, None]).mean(axis=0) / ALIKE**2
    apart = apart + ((y - row) ** 2 + (x - column) ** 2) / near_px**2
    return np.nan_to_num(np.exp(-apart / 2)).astype(np.float32)


def _looks(tile: xr.Dataset) -> Any:
    """Return the bands in standard deviations of each: float32 [C, H, W], NaN where there are no data."""
    bands = np.stack([tile[name].values for name in tile.spex.bands]).astype(np.float32)
    has_data = tile.spex.valid.values & np.isfinite(bands).all(axis=0)
    bands[:, ~has_data] = np.nan
    if not has_data.any():
        return bands
    calm = ndimage.uniform_filter(bands, (0, CALM_PX, CALM_PX), mode="nearest")
    spread = np.maximum(bands[:, has_data].std(axis=1), FLATTEST)
    return np.where(np.isfinite(calm), calm, bands) / spread[:, None, None]


def _pixel(shape: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    return int(np.clip(y, 0, shape[0] - 1)), int(np.clip(x, 0, shape[1] - 1))


def _inside(shape: tuple[int, int], box: tuple[float, float, float, float]) -> Any:
    y, x = np.ogrid[0.5 : shape[0], 0.5 : shape[1]]
    return (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
