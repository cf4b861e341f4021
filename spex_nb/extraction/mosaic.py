"""Blended logits → probability on disk and class mask in memory, some rows at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from spex_nb.errors import OutputError
from spex_nb.extraction.assignment import Asked
from spex_nb.output.export import BLOCK, CACHE_BYTES
from spex_nb.scene.tiling import Tiling, blend, in_steps
from spex_nb.types import MASK_NODATA, Window

PROBABILITY_STEPS = 4096
"""Probabilities are kept in steps of 1/4096: a third of the disk, and more digits than anyone reads."""
ROWS = 64
"""Of the scene, that are decided at a time, and read again at a time."""


@dataclass
class Assembled:
    """What the logits of all tiles say together."""

    mask: Any
    """uint8 [H, W]: 0 none, 1 ... n the classes, 255 no data."""
    others: dict[str, Any] = field(default_factory=dict)
    """Masks bool [H, W] of what is no class: what regions must be near to, and what is left out of everything."""
    contested_px: int = 0
    """Pixels that more than one class claimed, and that the most probable one got."""
    highest: dict[str, float] = field(default_factory=dict)
    """The highest probability of each layer anywhere."""


def assemble(
    tiling: Tiling,
    logits_of: Callable[[Window], Any],
    asked: Asked,
    threshold: float,
    path: Path,
    georeference: dict[str, Any],
) -> Assembled:
    """Blend tiles, write the probability of each class, and decide which class each pixel is.

    The logits are compared, not the rounded probabilities: a model that looks at single pixels gives the same mask
    whatever the tiles.

    Args:
        tiling: How the scene was cut.
        logits_of: Gives the logits float32 [T, h, w] of a window, in the order of ``asked.layers``; None without any.
        asked: What the layers are for.
        threshold: Probability above which a pixel belongs to a class.
        path: Of the GeoTIFF of probabilities that is written, float32 [n, H, W], NaN where there is no data.
        georeference: ``crs`` and ``transform`` of the scene.

    Raises:
        OutputError: If the disk is full.
    """
    import rasterio

    height, width = tiling.shape
    profile = {
        "driver": "GTiff", "count": len(asked.classes), "height": height, "width": width, "dtype": "float32",
        "nodata": np.nan, "tiled": True, "blockxsize": BLOCK, "blockysize": ROWS, "compress": "zstd", "zstd_level": 1,
        "predictor": 3, "bigtiff": "if_safer", **georeference,
    }  # fmt: skip
    cut = _Cut(asked, threshold, tiling.shape)
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # said once, by who exports
        try:
            with rasterio.open(path, "w", **profile) as file:
                file.descriptions = asked.classes
                for top, logits in in_steps(blend(tiling, logits_of, len(asked.layers)), BLOCK):
                    window = rasterio.windows.Window(0, top, width, logits.shape[1])
                    file.write(cut.add(top, logits), window=window)
        except rasterio.errors.RasterioError as error:
            raise OutputError(
                "The probability cannot be written", found=f"{path}: {error}", expected="a disk with enough room",
                fix="Make room; finished tiles are kept, and the same call goes on after them.",
            ) from error  # fmt: skip
    return cut.made


class _Cut:
    """Turns logits into classes."""

    def __init__(self, asked: Asked, threshold: float, shape: tuple[int, int]) -> None:
        self._asked = asked
        self._limit = np.float32(math.log(threshold / (1 - threshold)))
        others = {target: np.zeros(shape, bool) for target in (*asked.near, *(() if asked.targets else asked.excluded))}
        self.made = Assembled(np.empty(shape, np.uint8), others, highest=dict.fromkeys(asked.layers, 0.0))

    def add(self, top: int, logits: Any) -> Any:
        """Decide rows [T, h, W]; return the probability of each class, float32 [n, h, W]."""
        steps = range(0, logits.shape[1], ROWS)
        return np.concatenate([self._decide(top + row, logits[:, row : row + ROWS]) for row in steps], axis=1)

    def _decide(self, top: int, logits: Any) -> Any:
        """Decide a few rows, so that what is computed on the way takes little memory."""
        asked, rows = self._asked, slice(top, top + logits.shape[1])
        layers = dict(zip(asked.layers, logits, strict=True))
        known = ~np.isnan(logits[0])
        left_out = np.zeros(known.shape, bool)
        for target in asked.excluded:
            left_out |= layers[target] > self._limit
        for target, mask in self.made.others.items():
            mask[rows] = layers[target] > self._limit
        classes = self._classes(layers)
        is_class = (classes > self._limit) & ~left_out if asked.targets else (known & ~left_out)[None]
        self.made.contested_px += int((is_class.sum(axis=0) > 1).sum())
        chosen = np.where(is_class, classes, -np.inf).argmax(axis=0).astype(np.uint8) + np.uint8(1)
        self.made.mask[rows] = np.where(known, np.where(is_class.any(axis=0), chosen, 0), MASK_NODATA)
        for target, layer in layers.items():
            if known.any():
                self.made.highest[target] = max(self.made.highest[target], float(expit(np.nanmax(layer))))
        return np.rint(expit(classes) * PROBABILITY_STEPS) / np.float32(PROBABILITY_STEPS)

    def _classes(self, layers: dict[str, Any]) -> Any:
        """Return the logits of each class; what is left of everything is as probable as the rest is not."""
        if self._asked.targets:
            return np.stack([layers[target] for target in self._asked.targets])
        return -np.max([layers[target] for target in self._asked.excluded], axis=0)[None]
