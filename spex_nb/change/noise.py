"""The change that the noise of two scenes alone would show: windows are extracted again with more noise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.extraction import plan_extraction
from spex_nb.extraction.mosaic import assemble_mosaic
from spex_nb.regions.find import find_regions, region_mask
from spex_nb.scene.windows.reader import read_scene
from spex_nb.types import Instruction, MaskModel, Window

WINDOW_PX = 384
WINDOWS_A_SIDE = 3
"""Most windows along each side of a scene."""
MEDIAN_TO_DEVIATION = 1.4826
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Its response to a plane is 0, and to noise of deviation s it is 6 s."""
LAPLACIAN_GAIN = 6.0


@dataclass(frozen=True)
class ExtractionChoices:
    """How both scenes are extracted."""

    instruction: Instruction
    model: MaskModel
    threshold: float
    min_area_px: int


@dataclass
class NoiseCounts:
    """What more noise changes, by target.

    Attributes:
        appeared: Pixels that became the target.
        vanished: Pixels that ceased to be it.
        largest: Largest region that appeared or vanished, px.
        valid_px: Pixels with data in the windows.
        windows: Number of windows.
    """

    appeared: dict[str, int] = field(default_factory=dict)
    vanished: dict[str, int] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    valid_px: int = 0
    windows: int = 0

    def frac(self, counts: Mapping[str, int], target: str) -> float:
        """Return the share of the pixels with data that changed."""
        return counts.get(target, 0) / self.valid_px if self.valid_px else 0.0


def count_noise(scene: xr.Dataset, choices: ExtractionChoices, seed: int) -> NoiseCounts:
    """Extract windows of a scene twice, as they are and with as much noise again, and count what differs.

    The noise of each band is estimated from its second differences (Immerkær 1996,
    https://doi.org/10.1006/cviu.1996.0060), by their median, so that edges count little. Fine texture counts as noise.

    Args:
        scene: Bands [H, W] and ``valid``.
        choices: How the scene is extracted.
        seed: Of the noise.
    """
    counts, random = NoiseCounts(), np.random.default_rng(seed)
    for window in _windows(scene.spex.shape):
        part = read_scene(scene, window)
        valid = part["valid"].values
        if not valid.any():
            continue
        clean, noisy = (_target_masks(tile, choices) for tile in (part, with_noise(part, random)))
        counts.valid_px += int(valid.sum())
        counts.windows += 1
        for target in clean:
            _count(counts, target, clean[target], noisy[target])
    return counts


def _count(counts: NoiseCounts, target: str, clean: NDArray[np.bool_], noisy: NDArray[np.bool_]) -> None:
    for totals, pixels in ((counts.appeared, noisy & ~clean), (counts.vanished, clean & ~noisy)):
        totals[target] = totals.get(target, 0) + int(pixels.sum())
        largest = find_regions(pixels, top=1)
        counts.largest[target] = max(counts.largest.get(target, 0), largest[0].area_px if largest else 0)


def noise_deviation(band: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Return the standard deviation of the noise of a band.

    Args:
        band: float32 [H, W].
        valid: bool [H, W].

    Returns:
        In units of the band; 0 where no pixel has valid neighbours all around.
    """
    from scipy import ndimage

    response = ndimage.convolve(np.where(valid, band, 0), LAPLACIAN, mode="nearest")
    is_inside = ndimage.binary_erosion(valid, np.ones((3, 3), bool))
    if not is_inside.any():
        return 0.0
    return float(np.median(np.abs(response[is_inside]))) * MEDIAN_TO_DEVIATION / LAPLACIAN_GAIN


def with_noise(scene: xr.Dataset, random: np.random.Generator) -> xr.Dataset:
    """Return a scene in memory with as much noise again in each band."""
    valid = scene["valid"].values
    noisy: dict[str, Any] = {}
    for name in scene.spex.bands:
        pixels = scene[name].values.astype(np.float32)
        noise = random.standard_normal(pixels.shape, np.float32) * np.float32(noise_deviation(pixels, valid))
        noisy[name] = scene[name].copy(data=pixels + noise)
    return scene.assign(noisy)


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    height, width = (min(WINDOW_PX, size) for size in shape)
    tops, lefts = _starts(shape[0], height), _starts(shape[1], width)
    yield from ((top, left, height, width) for top in tops for left in lefts)


def _starts(size: int, side: int) -> list[int]:
    count = min(WINDOWS_A_SIDE, -(-size // side))
    return [int(start) for start in np.linspace(0, size - side, count)]


def _target_masks(part: xr.Dataset, choices: ExtractionChoices) -> dict[str, NDArray[np.bool_]]:
    """Return the mask of each target in a window, as an extraction makes it."""
    plan = plan_extraction(
        part,
        choices.instruction,
        choices.model,
        threshold=choices.threshold,
        min_area_px=choices.min_area_px,
    )
    with tempfile.TemporaryDirectory(prefix="spex-nb-") as folder:
        path = Path(folder) / "probability.tif"
        mosaic = assemble_mosaic(
            plan.tiling,
            lambda window: plan.predictor.predict(window).logits,
            plan.assignment,
            choices.threshold,
            path,
            {},
        )
    return {
        target: _large_enough(mosaic.mask == number, choices.min_area_px)
        for number, target in enumerate(plan.assignment.classes, start=1)
    }


def _large_enough(pixels: NDArray[np.bool_], min_area_px: int) -> NDArray[np.bool_]:
    regions: Sequence[Any] = find_regions(pixels, min_area_px=min_area_px, top=None)
    height, width = pixels.shape
    return region_mask(regions, (height, width))
