"""A window of a scene, predicted again with clicks and boxes: what the point prompts of a mask decoder are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import ExtractionError
from spex_nb.extraction.heeding import heed
from spex_nb.extraction.mask_models import IndexModel
from spex_nb.extraction.predict import PROMPT_MIN_AREA_PX
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.scene.resample import resample, zoom_tile, zoom_to
from spex_nb.spectral.priors import prior_mask
from spex_nb.types import MaskModel, Window

Click = tuple[float, float, bool]
"""x, y in pixels, and whether the target is there."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class Hints:
    """What a user pointed at, in pixels of the scene."""

    clicks: tuple[Click, ...] = ()
    boxes: tuple[Box, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.clicks or self.boxes)

    def moved(self, left: float, top: float, zoom: float = 1.0) -> Hints:
        """Return the hints as seen from another origin, on other pixels."""
        return Hints(
            tuple(((x - left) * zoom, (y - top) * zoom, yes) for x, y, yes in self.clicks),
            tuple(
                ((x0 - left) * zoom, (y0 - top) * zoom, (x1 - left) * zoom, (y1 - top) * zoom)
                for x0, y0, x1, y1 in self.boxes
            ),
        )


def refine_window(
    scene: xr.Dataset, model: MaskModel, target: str, window: Window, hints: Hints, threshold: float = 0.5
) -> Any:
    """Predict a window again, with hints.

    Args:
        scene: Bands [H, W].
        model: One that heeds clicks.
        target: Id of what is clicked at.
        window: (row, column, height, width).
        hints: In pixels of the scene.
        threshold: Probability above which a pixel belongs to the target.

    Returns:
        Where the target is: bool [h, w]; False where there is no data.

    Raises:
        ExtractionError: If the model does not heed clicks, or was not trained on the target.
        MissingBandError, DeviceMemoryError: As the model.
    """
    _require_heed(model, target)
    tile = scene.assign(valid=scene.spex.valid).spex.window(*window).compute()
    zoom = zoom_to(tile.spex.gsd_m, model.gsd_m)
    zoomed = zoom_tile(tile, zoom)
    own = hints.moved(window[1], window[0], zoom)
    mask = prior_mask(zoomed, target)
    valid = zoomed.spex.valid.values
    regions = [] if mask is None else find_regions(mask, valid, min_area_px=PROMPT_MIN_AREA_PX)
    (logits,) = model.predict(
        zoomed, [target], [build_prompt(target, regions)], priors=[mask], points=[own.clicks], boxes=[own.boxes]
    )
    logits = heed(logits, zoomed, own.clicks, own.boxes)
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


def window_about(shape: tuple[int, int], visible: Window, side: int, hints: Hints) -> Window:
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


def _last_place(hints: Hints) -> tuple[float, float]:
    if hints.clicks:
        return hints.clicks[-1][:2]
    x0, y0, x1, y1 = hints.boxes[-1]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _on_pixels(logits: Any, valid: Any, shape: tuple[int, int]) -> Any:
    known = np.where(valid, logits, np.float32(np.nan))
    return known if known.shape == shape else resample(known[None].astype(np.float32), shape)[0]


def _require_heed(model: MaskModel, target: str) -> None:
    if isinstance(model, IndexModel) or target not in model.targets:
        is_index = isinstance(model, IndexModel)
        raise ExtractionError(
            "The spectral index does not heed clicks" if is_index else "The model does not know this target",
            found=f"model {model.id!r}, target {target!r}",
            expected="a model that was trained on the target",
            fix="Use the brush, or extract with a model such as 'tiny' first.",
        )


def hints_within(hints: Hints, window: Window) -> Hints:
    """Return the hints that lie in a window."""
    row, column, height, width = window

    def holds(x: float, y: float) -> bool:
        return column <= x < column + width and row <= y < row + height

    clicks: Sequence[Click] = [click for click in hints.clicks if holds(click[0], click[1])]
    boxes = [box for box in hints.boxes if holds((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]
    return Hints(tuple(clicks), tuple(boxes))
