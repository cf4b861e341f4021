"""A window of a scene, predicted again with clicks and boxes: what the point prompts of a mask decoder are for.

A model need not follow a click. What it missed at the clicked pixels is spread to pixels that look alike and lie near,
as kriging spreads the residuals of a regression: https://doi.org/10.1016/j.cageo.2007.05.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from spex_nb.errors import ExtractionError
from spex_nb.extraction.predict import PROMPT_MIN_AREA_PX
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.scene.resample import resample, zoom_tile, zoom_to
from spex_nb.spectral.priors import prior_mask
from spex_nb.types import MaskModel, Window

CLICK_LOGIT = 3.0
"""Logit that a click stands for: a probability of 0.95."""
SPECTRAL_SIGMA = 0.5
"""Two pixels look alike within this, in standard deviations of each band."""
NEAR_PX = 48.0
"""And are near within this."""
FLATTEST = 0.005
"""Reflectance; a band that varies less tells nothing apart."""
SMOOTHING_PX = 3
"""Looks are those of so many pixels: a single one is noisy."""
NUGGET = 0.01
"""Keeps clicks that stand close together from tearing at each other."""
RIM_LOGIT = 0.1
"""Logit of a pixel that was undecided and is taken with a rim."""
RIM_PX = SMOOTHING_PX
"""What is left of a thing within this of what was taken away is its rim: mixed pixels, which look like neither side."""

Click = tuple[float, float, bool]
"""x, y in pixels, and whether the target is there."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class UserPrompts:
    """What a user pointed at, in pixels of the scene."""

    clicks: tuple[Click, ...] = ()
    boxes: tuple[Box, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.clicks or self.boxes)

    def moved(self, left: float, top: float, zoom: float = 1.0) -> UserPrompts:
        """Return the hints as seen from another origin, on other pixels."""
        return UserPrompts(
            tuple(((x - left) * zoom, (y - top) * zoom, yes) for x, y, yes in self.clicks),
            tuple(
                ((x0 - left) * zoom, (y0 - top) * zoom, (x1 - left) * zoom, (y1 - top) * zoom)
                for x0, y0, x1, y1 in self.boxes
            ),
        )


def refine_window(
    scene: xr.Dataset, model: MaskModel, target: str, window: Window, hints: UserPrompts, threshold: float = 0.5
) -> Any:
    """Predict a window again, with hints.

    Args:
        scene: Bands [H, W].
        model: A model that accepts points.
        target: Id of what is clicked at.
        window: (row, column, height, width).
        hints: In pixels of the scene.
        threshold: Probability above which a pixel belongs to the target.

    Returns:
        Where the target is: bool [h, w]; False where there is no data.

    Raises:
        ExtractionError: If the model does not use clicks, or was not trained on the target.
        MissingBandError, DeviceMemoryError: As the model.
    """
    _require_clickable(model, target)
    tile = scene.assign(valid=scene.spex.valid).spex.window(*window).compute()
    zoom = zoom_to(tile.spex.gsd_m, model.card.gsd_m)
    zoomed = zoom_tile(tile, zoom)
    own = hints.moved(window[1], window[0], zoom)
    mask = prior_mask(zoomed, target)
    valid = zoomed.spex.valid.values
    regions = [] if mask is None else find_regions(mask, valid, min_area_px=PROMPT_MIN_AREA_PX)
    (logits,) = model.predict(
        zoomed, [target], [build_prompt(target, regions)], priors=[mask], points=[own.clicks], boxes=[own.boxes]
    )
    logits = enforce_clicks(logits, zoomed, own.clicks, own.boxes)
    limit = np.log(threshold / (1 - threshold))
    return (_on_pixels(logits, valid, tile.spex.shape) > limit) & tile.spex.valid.values


def replace_window(mask: Any, window: Window, number: int, found: Any) -> Any:
    """Return a mask in which one class is, within a window, what was found there.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data, which stays.
        window: (row, column, height, width).
        number: Of the class.
        found: bool [h, w].
    """
    row, column, height, width = window
    changed = mask.copy()
    part = changed[row : row + height, column : column + width]
    part[part == number] = 0
    part[found & (part != 255)] = number  # noqa: PLR2004 (no data)
    return changed


def window_about(shape: tuple[int, int], visible: Window, side: int, hints: UserPrompts) -> Window:
    """Return the window that hints are heeded in: what is seen, or where it is larger, a tile about the last hint.

    Args:
        shape: (height, width) of the scene.
        visible: (row, column, height, width) of what is seen of it.
        side: Of a tile, in pixels.
        hints: At least one.
    """
    x, y = _last_place(hints)
    rows = _span(visible[0], visible[2], y, shape[0], side)
    columns = _span(visible[1], visible[3], x, shape[1], side)
    return rows[0], columns[0], rows[1], columns[1]


def _span(first: int, length: int, at: float, whole: int, side: int) -> tuple[int, int]:
    """Return start and length of a tile along one axis: about the middle of what is seen, if the hint is in it."""
    size = min(side, whole)
    middle = first + length / 2
    centre = middle if abs(at - middle) < size / 2 else at
    return int(np.clip(round(centre - size / 2), 0, whole - size)), size


def _last_place(hints: UserPrompts) -> tuple[float, float]:
    if hints.clicks:
        return hints.clicks[-1][:2]
    x0, y0, x1, y1 = hints.boxes[-1]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _on_pixels(logits: Any, valid: Any, shape: tuple[int, int]) -> Any:
    known = np.where(valid, logits, np.float32(np.nan))
    return known if known.shape == shape else resample(known[None].astype(np.float32), shape)[0]


def _require_clickable(model: MaskModel, target: str) -> None:
    card = model.card
    if not card.accepts_points or target not in card.targets:
        raise ExtractionError(
            "The model does not know this target" if card.accepts_points else "The model does not use clicks",
            found=f"model {model.id!r}, target {target!r}",
            expected="a model that uses clicks and was trained on the target",
            fix="Use the brush, or extract with a model such as 'tiny' first.",
        )


def prompts_within(hints: UserPrompts, window: Window) -> UserPrompts:
    """Return the hints that lie in a window."""
    row, column, height, width = window

    def holds(x: float, y: float) -> bool:
        return column <= x < column + width and row <= y < row + height

    clicks: Sequence[Click] = [click for click in hints.clicks if holds(click[0], click[1])]
    boxes = [box for box in hints.boxes if holds((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]
    return UserPrompts(tuple(clicks), tuple(boxes))


def enforce_clicks(
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
    return np.where(is_rim, sign * np.maximum(np.abs(after), np.float32(RIM_LOGIT)), after)


def _agreeing(logits: Any, seen: Any, clicks: Sequence[tuple[float, float, bool]], near_px: float) -> Any:
    known = {_pixel(logits.shape, x, y): yes for x, y, yes in clicks}
    known = {place: yes for place, yes in known.items() if np.isfinite(logits[place])}
    if not known:
        return logits
    rows, columns = np.array([*known]).T
    signs = np.where([*known.values()], 1.0, -1.0)
    missed = signs * np.maximum(0.0, CLICK_LOGIT - signs * logits[rows, columns])
    nearness = np.stack([_nearness(seen, row, column, near_px) for row, column in known])
    weights = np.linalg.solve(nearness[:, rows, columns] + NUGGET * np.eye(len(rows)), missed)
    changed = (logits + np.tensordot(weights, nearness, 1)).astype(np.float32)
    changed[rows, columns] = np.where(missed == 0, logits[rows, columns], signs * CLICK_LOGIT)
    return changed


def _nearness(seen: Any, row: int, column: int, near_px: float) -> Any:
    """Return how near pixels are to one of them, in looks and place: float32 [H, W], 1 for itself."""
    y, x = np.ogrid[: seen.shape[1], : seen.shape[2]]
    apart = np.square(seen - seen[:, row, column, None, None]).mean(axis=0) / SPECTRAL_SIGMA**2
    apart = apart + ((y - row) ** 2 + (x - column) ** 2) / near_px**2
    return np.nan_to_num(np.exp(-apart / 2)).astype(np.float32)


def _looks(tile: xr.Dataset) -> Any:
    """Return the bands in standard deviations of each: float32 [C, H, W], NaN where there are no data."""
    bands = np.stack([tile[name].values for name in tile.spex.bands]).astype(np.float32)
    has_data = tile.spex.valid.values & np.isfinite(bands).all(axis=0)
    bands[:, ~has_data] = np.nan
    if not has_data.any():
        return bands
    calm = ndimage.uniform_filter(bands, (0, SMOOTHING_PX, SMOOTHING_PX), mode="nearest")
    spread = np.maximum(bands[:, has_data].std(axis=1), FLATTEST)
    return np.where(np.isfinite(calm), calm, bands) / spread[:, None, None]


def _pixel(shape: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    return int(np.clip(y, 0, shape[0] - 1)), int(np.clip(x, 0, shape[1] - 1))


def _inside(shape: tuple[int, int], box: tuple[float, float, float, float]) -> Any:
    y, x = np.ogrid[0.5 : shape[0], 0.5 : shape[1]]
    return (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
