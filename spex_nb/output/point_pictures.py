"""The surroundings of one pixel as a picture, for whoever says what is there: no mask, the pixel marked."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.output.map_images import Limits, composite_bands

OUTSIDE_GREY = 128
"""Of what lies beyond the edge of the scene, or has no data."""
MARK_PX = 9
"""Half of the side of the marking square on the picture, where a pixel of the scene is smaller."""


def point_picture(
    scene: xr.Dataset,
    bands: str | Sequence[str],
    stretch: Mapping[str, Limits],
    pixel: tuple[int, int],
    side_px: int,
    size_px: int = 300,
) -> bytes:
    """Draw the surroundings of a pixel as a PNG.

    Args:
        scene: Bands [H, W].
        bands: As for `composite_bands`.
        stretch: Of each band, the values that are dark and bright, as `measure_stretch` returns them.
        pixel: (row, column) of the pixel, which a square marks in the middle.
        side_px: Side of the surroundings, in pixels of the scene; odd, so that the pixel lies in the middle.
        size_px: Side of the picture (default: 300).

    Raises:
        BandError: If ``bands`` are not three bands of the scene.
        GridError: If the pixel lies outside the scene.
    """
    from PIL import Image, ImageDraw

    names = composite_bands(scene, bands)
    pixels = _surroundings(scene, names, stretch, pixel, side_px)
    picture = Image.fromarray(pixels).resize((size_px, size_px), Image.Resampling.NEAREST)
    half = max(size_px / side_px / 2, MARK_PX)
    draw, middle = ImageDraw.Draw(picture), size_px / 2
    for grow, color in ((2, "black"), (1, "white")):
        edge = half + grow
        draw.rectangle((middle - edge, middle - edge, middle + edge, middle + edge), outline=color)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _surroundings(
    scene: xr.Dataset, names: Sequence[str], stretch: Mapping[str, Limits], pixel: tuple[int, int], side_px: int
) -> NDArray[np.uint8]:
    """Return a square around a pixel as uint8 [side, side, 3], grey beyond the scene."""
    (row, column), (height, width), half = pixel, scene.spex.shape, side_px // 2
    top, left = max(row - half, 0), max(column - half, 0)
    rows, columns = min(row + half + 1, height) - top, min(column + half + 1, width) - left
    part = scene.spex.window(top, left, rows, columns).compute()
    colors = np.stack([color_bytes(part[name].values, stretch[name]) for name in names], axis=-1)
    colors[~part.spex.valid.values] = OUTSIDE_GREY
    square = np.full((side_px, side_px, 3), OUTSIDE_GREY, np.uint8)
    first_row, first_column = top - row + half, left - column + half
    square[first_row : first_row + rows, first_column : first_column + columns] = colors
    return square


def color_bytes(values: NDArray[np.float32], limits: Limits) -> NDArray[np.uint8]:
    """Return values of a band as uint8, 0 at the lower limit and where there is no data, 255 at the upper."""
    low, high = limits
    scaled: NDArray[np.uint8] = np.nan_to_num(255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1)).astype(
        np.uint8
    )
    return scaled
