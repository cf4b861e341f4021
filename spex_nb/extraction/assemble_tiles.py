"""Blended logits → probability on disk and class mask in memory, some rows at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from spex_nb.extraction.planning.target_assignment import TargetAssignment
from spex_nb.extraction.tile_store import GO_ON
from spex_nb.output.export import BLOCK, CACHE_BYTES, require_whole_raster
from spex_nb.output.files import write_whole
from spex_nb.scene.windows.blending import blend, in_steps
from spex_nb.scene.windows.tiling import Tiling
from spex_nb.types import MASK_NODATA, Window

PROBABILITY_STEPS = 4096
"""Probabilities are stored in steps of 1/4096. That takes a third of the disk, with more digits than anyone reads."""
ROWS = 64
"""Rows of the scene that are decided at a time, and read again at a time."""


@dataclass
class AssembledTiles:
    """What the logits of all tiles show together."""

    mask: NDArray[np.uint8]
    """[H, W]: 0 none, 1 ... n the classes, 255 no data."""
    others: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Masks [H, W] of targets that are no class: what regions must be near to, and what "everything but" leaves out."""
    contested_px: int = 0
    """Pixels above the threshold of more than one class. The most probable class gets them."""
    highest: dict[str, float] = field(default_factory=dict)
    """The highest probability of each target anywhere, from 0 to 1."""


def assemble_tiles(
    tiling: Tiling,
    logits_of: Callable[[Window], Any],
    assignment: TargetAssignment,
    threshold: float,
    path: Path,
    georeference: dict[str, Any],
) -> AssembledTiles:
    """Blend tiles, write the probability of each class, and decide the class of each pixel.

    The logits are compared, not the rounded probabilities. A model that looks at single pixels therefore gives the same
    mask whatever the tiles.

    Args:
        tiling: How the scene was cut.
        logits_of: Gives the logits float32 [T, h, w] of a window, in the order of the layers; None for no data.
        assignment: What the layers are for.
        threshold: Probability above which a pixel belongs to a class, between 0 and 1.
        path: Of the GeoTIFF of probabilities that is written, float32 [n, H, W], NaN where there is no data.
        georeference: ``crs`` and ``transform`` of the scene; empty without any.

    Raises:
        OutputError: If the disk is full.
    """
    import rasterio

    width = tiling.shape[1]
    decision = _Decision(assignment, threshold, tiling.shape)
    profile = _profile(tiling.shape, len(assignment.classes)) | georeference
    needs_bytes = 4 * len(assignment.classes) * tiling.shape[0] * width
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), warnings.catch_warnings():
        # The result's notes say that there is no CRS.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with write_whole(path, overwrite=True, needs_bytes=needs_bytes, fix=GO_ON) as part:
            with rasterio.open(part, "w", **profile) as file:
                file.descriptions = assignment.classes
                for top, logits in in_steps(blend(tiling, logits_of, len(assignment.layers)), BLOCK):
                    window = rasterio.windows.Window(0, top, width, logits.shape[1])
                    file.write(decision.add(top, logits), window=window)
            require_whole_raster(part)
    return decision.assembled


def _profile(shape: tuple[int, int], classes: int) -> dict[str, Any]:
    """Return how the file of probabilities is laid out."""
    return {
        "driver": "GTiff",
        "count": classes,
        "height": shape[0],
        "width": shape[1],
        "dtype": "float32",
        "nodata": np.nan,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": ROWS,
        "compress": "zstd",
        "zstd_level": 1,
        "predictor": 3,
        "bigtiff": "if_safer",
    }


class _Decision:
    """Turns logits into classes, rows after rows."""

    def __init__(self, assignment: TargetAssignment, threshold: float, shape: tuple[int, int]) -> None:
        self._assignment = assignment
        self._limit = np.float32(math.log(threshold / (1 - threshold)))
        self.assembled = AssembledTiles(
            mask=np.empty(shape, np.uint8),
            others={target: np.zeros(shape, bool) for target in assignment.beside_classes},
            highest=dict.fromkeys(assignment.layers, 0.0),
        )

    def add(self, top: int, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Decide rows [T, h, W]; return the probability of each class [n, h, W]."""
        steps = range(0, logits.shape[1], ROWS)
        return np.concatenate([self._decide(top + row, logits[:, row : row + ROWS]) for row in steps], axis=1)

    def _decide(self, top: int, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Decide a few rows, so that intermediate arrays take little memory."""
        rows = slice(top, top + logits.shape[1])
        layers = dict(zip(self._assignment.layers, logits, strict=True))
        has_data = ~np.isnan(logits[0])
        for target, mask in self.assembled.others.items():
            mask[rows] = layers[target] > self._limit
        classes = self._class_logits(layers)
        is_class = self._is_class(layers, classes, has_data)
        self.assembled.contested_px += int((is_class.sum(axis=0) > 1).sum())
        number = np.where(is_class, classes, -np.inf).argmax(axis=0).astype(np.uint8) + np.uint8(1)
        number = np.where(is_class.any(axis=0), number, np.uint8(0))
        self.assembled.mask[rows] = np.where(has_data, number, np.uint8(MASK_NODATA))
        if has_data.any():
            self._note_highest(layers)
        probability: NDArray[np.float32] = np.rint(expit(classes) * PROBABILITY_STEPS) / np.float32(PROBABILITY_STEPS)
        return probability

    def _class_logits(self, layers: dict[str, Any]) -> NDArray[np.float32]:
        """Return the logits of each class; "everything else" is as probable as what is left out is not."""
        if self._assignment.targets:
            return np.stack([layers[target] for target in self._assignment.targets])
        left_out: NDArray[np.float32] = np.max([layers[target] for target in self._assignment.excluded], axis=0)
        return -left_out[None]

    def _is_class(self, layers: dict[str, Any], classes: Any, has_data: Any) -> NDArray[np.bool_]:
        """Return where each class is, bool [n, h, W]; pixels that the instruction leaves out belong to none."""
        left_out = np.zeros(has_data.shape, bool)
        for target in self._assignment.excluded:
            left_out |= layers[target] > self._limit
        is_class: NDArray[np.bool_] = classes > self._limit if self._assignment.targets else has_data[None]
        return is_class & ~left_out

    def _note_highest(self, layers: dict[str, Any]) -> None:
        highest = self.assembled.highest
        for target, layer in layers.items():
            highest[target] = max(highest[target], float(expit(np.nanmax(layer))))
