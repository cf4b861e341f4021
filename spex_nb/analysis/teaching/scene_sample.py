"""Raw features of chosen pixels of a scene of any size, and of a sample of pixels from all over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.teaching.examples import Pixels
from spex_nb.analysis.teaching.features import HALO_PX, Kind, raw_features
from spex_nb.errors import EmptySceneError
from spex_nb.scene.windows.reader import read_scene
from spex_nb.types import Window

CELL_PX = 128
"""Side of the windows that pixels are read in."""
WINDOWS = 4
"""Windows of a sample along each side of a large scene."""
SAMPLE_PX = 8192
FEW = 12
"""So many pixels of a cell, or fewer, are read one by one: a click then costs some milliseconds."""
WHOLE_PX = 512 * 512
"""Scenes of up to so many pixels are sampled everywhere."""


@dataclass(frozen=True)
class PixelFeatures:
    """Pixels and what is known of them.

    Attributes:
        positions: int64 [N, 2], row and column.
        raw: float32 [N, F], raw features.
        light: float32 [N, B], their bands.
    """

    positions: Pixels
    raw: NDArray[np.float32]
    light: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)


def features_at(scene: xr.Dataset, positions: Pixels, kind: Kind, bands: tuple[str, ...]) -> PixelFeatures:
    """Return the features of some pixels; those without data are left out.

    Args:
        scene: Bands [H, W]; only windows around the pixels are read.
        positions: int64 [N, 2], row and column.
        kind: See `FeatureSpace`.
        bands: To read.
    """
    rows, columns = positions.T
    order = np.lexsort((columns, rows, columns // CELL_PX, rows // CELL_PX))
    parts = [_read_cell(scene, positions[numbers], kind, bands) for numbers in _cells(positions[order], order)]
    return _joined(parts, kind, bands)


def sample_scene_features(scene: xr.Dataset, kind: Kind, bands: tuple[str, ...], seed: int = 0) -> PixelFeatures:
    """Return features of pixels from all over a scene: all windows of a small one, 16 of a large one.

    Args:
        scene: Bands and ``valid`` [H, W], lazy or in memory.
        kind: Which features there are; see `FeatureSpace`.
        bands: Names of the bands to read.
        seed: Chooses the pixels that are drawn.

    Raises:
        EmptySceneError: If none of these pixels has data.
    """
    generator = np.random.default_rng(seed)
    windows = list(_windows(scene.spex.shape))
    share = -(-SAMPLE_PX // len(windows))
    drawn = []
    for top, left, height, width in windows:
        flat = generator.choice(height * width, min(share, height * width), replace=False)
        drawn.append(np.stack([top + flat // width, left + flat % width], axis=1))
    sample = _joined([_read_cell(scene, positions, kind, bands) for positions in drawn], kind, bands)
    if not len(sample):
        raise EmptySceneError(
            "The scene has no data where it was sampled",
            found=f"{len(windows)} windows without a pixel with data",
            expected="a scene with data in most places",
            fix="Cut the scene to where it has data.",
        )
    return sample


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    height, width = shape
    if height * width <= WHOLE_PX:
        for top in range(0, height, CELL_PX):
            for left in range(0, width, CELL_PX):
                yield top, left, min(CELL_PX, height - top), min(CELL_PX, width - left)
        return
    sides = min(CELL_PX, height), min(CELL_PX, width)
    for top in np.unique(np.linspace(0, height - sides[0], WINDOWS).astype(int)):
        for left in np.unique(np.linspace(0, width - sides[1], WINDOWS).astype(int)):
            yield int(top), int(left), *sides


def _cells(ordered: Pixels, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the pixels of each cell."""
    cells = ordered // CELL_PX
    starts = np.flatnonzero(np.any(np.diff(cells, axis=0) != 0, axis=1)) + 1
    for numbers in np.split(order, starts) if len(order) else []:
        yield from [numbers] if len(numbers) > FEW else np.split(numbers, len(numbers))


def _read_cell(scene: xr.Dataset, positions: Pixels, kind: Kind, bands: tuple[str, ...]) -> PixelFeatures:
    height, width = scene.spex.shape
    low = np.maximum(positions.min(axis=0) - HALO_PX, 0)
    high = np.minimum(positions.max(axis=0) + HALO_PX + 1, (height, width))
    window = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    names = [name for name in scene.data_vars if name in bands or name == "valid"]
    tile = read_scene(scene[names] if set(bands) <= set(names) else scene, window)
    rows, columns = (positions - low).T
    raw = raw_features(tile, kind, bands)[rows, columns]
    light = np.stack([tile[band].values[rows, columns] for band in bands], axis=1).astype(np.float32)
    has_data = tile.spex.valid.values[rows, columns] & np.isfinite(light).all(axis=1)
    return PixelFeatures(positions[has_data], raw[has_data], light[has_data])


def _joined(parts: list[PixelFeatures], kind: Kind, bands: tuple[str, ...]) -> PixelFeatures:
    del kind
    if not parts:
        return PixelFeatures(
            np.empty((0, 2), np.int64), np.empty((0, 1), np.float32), np.empty((0, len(bands)), np.float32)
        )
    return PixelFeatures(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.raw for part in parts]),
        np.concatenate([part.light for part in parts]),
    )
