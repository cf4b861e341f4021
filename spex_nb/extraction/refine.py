"""A window of a scene, predicted again with clicks and boxes: what the point prompts of a mask decoder are for.

A model need not follow a click; `enforce_clicks` makes its logits agree with each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from spex_nb.errors import ExtractionError
from spex_nb.extraction.mask_models import IndexModel, is_left_to_index
from spex_nb.extraction.predict import MemoryFallbackModel, TileStep, try_twice
from spex_nb.scene.reopen import open_source
from spex_nb.scene.windows.pyramid import zoom_to
from spex_nb.scene.windows.reader import SceneReader
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.types import MASK_NODATA, MaskModel, Window

CLICK_LOGIT = 3.0
"""Logit that a click stands for: a probability of 0.95."""
SPECTRAL_SIGMA = 0.5
"""Distance at which pixels still look alike, in standard deviations of each band."""
NEAR_PX = 48.0
"""Distance at which pixels are still near, in pixels."""
FLATTEST = 0.005
"""Smallest standard deviation of a band, in reflectance. A band that varies less tells nothing apart."""
SMOOTHING_PX = 3
"""Side of the window that a pixel's spectrum is averaged over, for a single pixel is noisy."""
NUGGET = 0.01
"""Keeps clicks that stand close together from working against each other, as the nugget of kriging does."""
RIM_LOGIT = 0.1
"""Logit of an undecided pixel that changes together with the region beside it."""
RIM_PX = SMOOTHING_PX
"""Width of a region's rim. Its mixed pixels look like neither side, so that they change with the region."""

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
        """Return the prompts relative to another origin, in pixels of another size."""
        clicks = [((x - left) * zoom, (y - top) * zoom, is_target) for x, y, is_target in self.clicks]
        boxes = [
            ((x0 - left) * zoom, (y0 - top) * zoom, (x1 - left) * zoom, (y1 - top) * zoom)
            for x0, y0, x1, y1 in self.boxes
        ]
        return UserPrompts(tuple(clicks), tuple(boxes))


def refine_window(
    scene: xr.Dataset, model: MaskModel, target: str, window: Window, prompts: UserPrompts, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """Predict a window again, with clicks and boxes.

    Args:
        scene: Bands [H, W].
        model: A model that accepts points.
        target: Id of what is clicked at.
        window: (row, column, height, width).
        prompts: Clicks and boxes, in pixels of the scene.
        threshold: Probability above which a pixel belongs to the target.

    Returns:
        Where the target is: bool [h, w]; False where there is no data.

    Raises:
        ExtractionError: If the model does not use clicks, or was not trained on the target.
        MissingBandError, DeviceMemoryError: As the model.
        SpexError: If the model's logits make no sense.
    """
    _require_clickable(model, target)
    fallback, prompts_here = MemoryFallbackModel(model), prompts.moved(window[1], window[0])

    def refine(tile: xr.Dataset) -> Any:
        zoom = zoom_to(tile.spex.gsd_m, model.card)
        step, pointed_at = TileStep(tile, zoom, [target]), prompts_here.moved(0, 0, zoom)
        by_index = is_left_to_index(model.card, target, step.zoomed)
        answering = MemoryFallbackModel(IndexModel()) if by_index else fallback
        logits = step.ask(answering, [target], points=[pointed_at.clicks], boxes=[pointed_at.boxes])
        agreeing = enforce_clicks(logits[target], step.zoomed, pointed_at.clicks, pointed_at.boxes)
        layers = step.on_scene_pixels([agreeing])
        return layers[0]

    reader = SceneReader(open_source(SceneSource(scene)), window[2:])
    limit = np.float32(np.log(threshold / (1 - threshold)))
    is_target: NDArray[np.bool_] = try_twice(reader, window, refine) > limit  # False for NaN
    return is_target


def replace_window(
    mask: NDArray[np.uint8], window: Window, number: int, is_class: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return a mask in which a window shows one class anew.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data, which stays.
        window: (row, column, height, width).
        number: Of the class.
        is_class: Where the class is, bool [h, w].
    """
    row, column, height, width = window
    changed = mask.copy()
    part = changed[row : row + height, column : column + width]
    part[part == number] = 0
    part[is_class & (part != MASK_NODATA)] = number
    return changed


def window_about(shape: tuple[int, int], visible: Window, side: int, prompts: UserPrompts) -> Window:
    """Return the window that is predicted again.

    It is the visible part of the scene. Where that is larger than a tile, it is a tile about the last prompt.

    Args:
        shape: (height, width) of the scene.
        visible: (row, column, height, width) of the visible part.
        side: Of a tile, in pixels.
        prompts: At least one click or box.
    """
    x, y = _last_place(prompts)
    rows = _span(visible[0], visible[2], y, shape[0], side)
    columns = _span(visible[1], visible[3], x, shape[1], side)
    return rows[0], columns[0], rows[1], columns[1]


def _span(first: int, length: int, at: float, whole: int, side: int) -> tuple[int, int]:
    """Return start and length of a tile along one axis: about the visible middle, if the prompt is in it."""
    size = min(side, whole)
    middle = first + length / 2
    centre = middle if abs(at - middle) < size / 2 else at
    return int(np.clip(round(centre - size / 2), 0, whole - size)), size


def _last_place(prompts: UserPrompts) -> tuple[float, float]:
    if prompts.clicks:
        return prompts.clicks[-1][:2]
    x0, y0, x1, y1 = prompts.boxes[-1]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _require_clickable(model: MaskModel, target: str) -> None:
    card = model.card
    if not card.accepts_points or target not in card.targets:
        raise ExtractionError(
            "The model does not know this target" if card.accepts_points else "The model does not use clicks",
            found=f"model {model.id!r}, target {target!r}",
            expected="a model that uses clicks and was trained on the target",
            fix="Use the brush, or extract with a model such as 'tiny' first.",
        )


def prompts_within(prompts: UserPrompts, window: Window) -> UserPrompts:
    """Return the clicks that lie in a window, and the boxes whose middle does."""
    row, column, height, width = window

    def holds(x: float, y: float) -> bool:
        return column <= x < column + width and row <= y < row + height

    clicks = [click for click in prompts.clicks if holds(click[0], click[1])]
    boxes = [box for box in prompts.boxes if holds((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]
    return UserPrompts(tuple(clicks), tuple(boxes))


def enforce_clicks(
    logits: NDArray[np.float32], tile: xr.Dataset, clicks: Sequence[Click], boxes: Sequence[Box] = ()
) -> NDArray[np.float32]:
    """Return mask logits that agree with clicks and boxes, and change as little as that takes.

    What the model missed at the clicked pixels is spread to pixels that look alike and lie near, as kriging spreads the
    residuals of a regression: https://doi.org/10.1016/j.cageo.2007.05.001.

    Args:
        logits: float32 [H, W].
        tile: Bands [H, W] of the same pixels.
        clicks: (x, y, is the target) in pixels; of two on one pixel the later counts.
        boxes: (x0, y0, x1, y1) in pixels. Within a box, what looks like its middle is the target.

    Returns:
        float32 [H, W]; unchanged where nothing looks like a clicked pixel, and where the logits agreed already.
    """
    spectra = _standardised(tile)
    for box in boxes:
        inside = _inside(logits.shape, box)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, True
        logits = np.where(inside, _kriged(logits, spectra, [middle], np.inf), logits)
    changed = _kriged(logits, spectra, clicks, NEAR_PX) if clicks else logits
    for is_target in (True, False):
        changed = _with_rims(logits, changed, clicks, is_target)
    return changed


def _with_rims(
    before: NDArray[np.float32], after: NDArray[np.float32], clicks: Sequence[Click], is_target: bool
) -> NDArray[np.float32]:
    """Return logits in which what became the target, or stopped being it, took its rims and filled its holes."""
    sign = 1 if is_target else -1
    gained = (sign * after > 0) & ~(sign * before > 0)
    if not gained.any():
        return after
    pieces, _ = ndimage.label(~(sign * after > 0))
    reaching_beyond = pieces[~ndimage.binary_dilation(gained, np.ones((3, 3)), RIM_PX)]
    clicked = [pieces[_pixel(after.shape, x, y)] for x, y, says_target in clicks if says_target != is_target]
    is_rim = ~np.isin(pieces, [0, *np.unique(reaching_beyond), *clicked]) & np.isfinite(after)
    rim = sign * np.maximum(np.abs(after), np.float32(RIM_LOGIT))
    with_rims: NDArray[np.float32] = np.where(is_rim, rim, after)
    return with_rims


def _kriged(
    logits: NDArray[np.float32], spectra: NDArray[np.float32], clicks: Sequence[Click], near_px: float
) -> NDArray[np.float32]:
    """Return logits that agree with the clicks; the change fades with distance and difference in looks."""
    by_pixel = {_pixel(logits.shape, x, y): is_target for x, y, is_target in clicks}
    by_pixel = {pixel: is_target for pixel, is_target in by_pixel.items() if np.isfinite(logits[pixel])}
    if not by_pixel:
        return logits
    rows, columns = np.array([*by_pixel]).T
    signs = np.where([*by_pixel.values()], 1.0, -1.0)
    missing = signs * np.maximum(0.0, CLICK_LOGIT - signs * logits[rows, columns])
    nearness = np.stack([_nearness(spectra, row, column, near_px) for row, column in by_pixel])
    weights = np.linalg.solve(nearness[:, rows, columns] + NUGGET * np.eye(len(rows)), missing)
    changed: NDArray[np.float32] = (logits + np.tensordot(weights, nearness, 1)).astype(np.float32)
    changed[rows, columns] = np.where(missing == 0, logits[rows, columns], signs * CLICK_LOGIT)
    return changed


def _nearness(spectra: NDArray[np.float32], row: int, column: int, near_px: float) -> NDArray[np.float32]:
    """Return how near pixels are to one of them, in looks and place: float32 [H, W], 1 for itself."""
    y, x = np.ogrid[: spectra.shape[1], : spectra.shape[2]]
    difference = np.square(spectra - spectra[:, row, column, None, None]).mean(axis=0) / SPECTRAL_SIGMA**2
    distance = ((y - row) ** 2 + (x - column) ** 2) / near_px**2
    nearness: NDArray[np.float32] = np.nan_to_num(np.exp(-(difference + distance) / 2)).astype(np.float32)
    return nearness


def _standardised(tile: xr.Dataset) -> NDArray[np.float32]:
    """Return the bands, smoothed, in standard deviations of each: float32 [C, H, W], NaN where there are no data."""
    bands = np.stack([tile[name].values for name in tile.spex.bands]).astype(np.float32)
    has_data = tile.spex.valid.values & np.isfinite(bands).all(axis=0)
    bands[:, ~has_data] = np.nan
    if not has_data.any():
        return bands
    smooth = ndimage.uniform_filter(bands, (0, SMOOTHING_PX, SMOOTHING_PX), mode="nearest")
    spread = np.maximum(bands[:, has_data].std(axis=1), FLATTEST)
    standardised: NDArray[np.float32] = np.where(np.isfinite(smooth), smooth, bands) / spread[:, None, None]
    return standardised


def _pixel(shape: tuple[int, ...], x: float, y: float) -> tuple[int, int]:
    return int(np.clip(y, 0, shape[0] - 1)), int(np.clip(x, 0, shape[1] - 1))


def _inside(shape: tuple[int, ...], box: Box) -> NDArray[np.bool_]:
    y, x = np.ogrid[0.5 : shape[0], 0.5 : shape[1]]
    inside: NDArray[np.bool_] = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    return inside
