"""A workbench as a still picture and as text, for pages in which no widget can run."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from PIL import Image

from spex_nb.output import map_images
from spex_nb.output.web_mercator import View, WebGrid, mercator
from spex_nb.scene.open import on_grid
from spex_nb.scene.windows.pyramid import Pyramid
from spex_nb.types import Window
from spex_widgets.state import WorkbenchState

LONGEST_PX = 640
MOST_PX = 4_000_000
"""Of a scene that is drawn: a larger one would keep the page waiting."""
OPACITY = 0.7


def still_png(state: WorkbenchState) -> bytes | None:
    """Return the scene with what was found in it; None without a scene, or for one of more than 4 million pixels."""
    scene = state.scene
    if scene is None or scene.spex.shape[0] * scene.spex.shape[1] > MOST_PX:
        return None
    pyramid = Pyramid(scene)
    view = _whole(WebGrid(pyramid.grid))
    picture = map_images.render_scene(pyramid, view, state.bands)
    if state.mask is not None:
        picture = _over(picture, _mask_picture(state, pyramid, view))
    return map_images.encode_png(picture)


def still_text(state: WorkbenchState) -> str:
    """Return what the workbench is about in a few lines: scene, instruction, what was found."""
    lines = ["spex_nb workbench", "no scene" if state.scene is None else f"scene: {state.source}"]
    if state.result is not None:
        lines += [f"asked: {state.result.instruction.text}", state.result.explanation]
    return "\n".join([*lines, "The map itself needs a page that shows Jupyter widgets, such as JupyterLab 4."])


def _whole(place: WebGrid) -> View:
    """Return the view of a whole scene, at most 640 pixels long."""
    west, south, east, north = place.bounds_lonlat
    x, y = mercator([west, east], [south, north])
    width, height = float(x[1] - x[0]), float(y[1] - y[0])
    shrink = LONGEST_PX / max(width, height)
    return View(place.bounds_lonlat, (max(1, round(height * shrink)), max(1, round(width * shrink))))


def _mask_picture(state: WorkbenchState, pyramid: Pyramid, view: View) -> Any:
    whole = np.zeros((pyramid.grid.height, pyramid.grid.width), np.uint8)
    row, column, height, width = _window(state)
    whole[row : row + height, column : column + width] = _counted(state).values
    mask = xr.DataArray(whole, dims=("y", "x"))
    colors = dict(enumerate(state.extraction.class_colors.values(), start=1))
    return map_images.render_mask(Pyramid(on_grid(mask, pyramid.grid)), colors, view)


def _counted(state: WorkbenchState) -> xr.DataArray:
    """Return the mask without what the instruction does not ask for, as far as that was measured."""
    mask: xr.DataArray = state.mask if state.result is None else state.result.mask
    return mask


def _window(state: WorkbenchState) -> Window:
    row, column, height, width = state.window
    return row, column, height, width


def _over(below: Any, above: Any) -> Any:
    """Return one RGBA picture [h, w, 4] over another, as strong as the map shows it."""
    faded = above.copy()
    faded[..., 3] = (faded[..., 3] * OPACITY).astype(np.uint8)
    return np.asarray(Image.alpha_composite(Image.fromarray(below), Image.fromarray(faded)))
