"""Which index channels a network may read beside bands, and into which cells it parts an image."""

from __future__ import annotations

from collections.abc import Sequence

INDICES = ("NDVI", "NDWI", "MNDWI", "NDBI", "IKAW", "GLI")
"""Index channels of a stem, where the bands allow them; the last two need only red, green and blue."""
PRIOR_TARGETS = ("water", "vegetation", "built_up", "bare_soil")
"""Targets whose spectral priors, 0 or 1, follow the index channels, whatever the prompt asks for."""
INDEX_CHANNELS = len(INDICES) + len(PRIOR_TARGETS)
STRIDE = 32
"""The model pads the sides of an image to a multiple of this, and cuts the padding from the mask again."""
CELL = 16
"""Side in pixels of one cell of the map that language model and mask decoder share."""


def padded_size(size: Sequence[int]) -> tuple[int, int]:
    """Return the (height, width) in pixels that an image is padded to."""
    height, width = (-(-side // STRIDE) * STRIDE for side in size)
    return height, width


def language_cells(size: Sequence[int], grid: int | None) -> tuple[int, int]:
    """Return how many rows and columns of visual tokens an image has in a prompt.

    Args:
        size: (height, width) of the image in pixels.
        grid: Most rows and columns, as in the model's configuration; None for no limit.
    """
    rows, columns = (side // CELL for side in padded_size(size))
    return (rows, columns) if grid is None else (min(rows, grid), min(columns, grid))
