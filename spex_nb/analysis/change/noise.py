"""The change that noise or interpolation alone would show: windows are extracted again, noisier or smoother."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.change.scene_pair import ScenePair
from spex_nb.analysis.change.unfinished import ExtractionChoices
from spex_nb.extraction import plan_extraction
from spex_nb.extraction.assemble_tiles import assemble_tiles
from spex_nb.output.scratch import Scratch
from spex_nb.regions.find import find_regions, region_mask
from spex_nb.scene.windows.reader import read_scene
from spex_nb.types import Window

WINDOW_PX = 384
WINDOWS_A_SIDE = 3
"""Most windows along each side of a scene."""
MEDIAN_TO_DEVIATION = 1.4826
LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Its response to a plane is 0, and to noise of deviation s it is 6 s."""
LAPLACIAN_GAIN = 6.0
HALF_PIXEL = np.array([-1, 9, 9, -1], np.float32) / 16
"""Weights of cubic convolution half a pixel away, where it smooths most."""


@dataclass
class FlipCounts:
    """What a disturbance of the pixels changes, by target.

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


@dataclass(frozen=True)
class Disturbances:
    """Counts of windows that were extracted again.

    Attributes:
        noise_before: With more noise, of the scene before.
        noise_after: With more noise, of the scene after.
        smoothed_before: Smoothed, of the scene before; empty unless the scene after alone was interpolated.
        smoothed_after: Smoothed, of the scene after; empty unless the scene before alone was interpolated.
    """

    noise_before: FlipCounts
    noise_after: FlipCounts
    smoothed_before: FlipCounts
    smoothed_after: FlipCounts

    @property
    def windows(self) -> int:
        """Number of windows of both scenes in which noise was tried."""
        return self.noise_before.windows + self.noise_after.windows

    def largest_px(self, target: str) -> int:
        """Return the size of the largest region of a target that appeared or vanished, px."""
        parts = (self.noise_before, self.noise_after, self.smoothed_before, self.smoothed_after)
        return max(counts.largest.get(target, 0) for counts in parts)

    def noise_frac(self, target: str) -> tuple[float, float]:
        """Return the shares of the ground that noise alone shows as gained and as lost.

        What vanishes before, or appears after, looks gained.
        """
        before, after = self.noise_before, self.noise_after
        return (
            before.frac(before.vanished, target) + after.frac(after.appeared, target),
            before.frac(before.appeared, target) + after.frac(after.vanished, target),
        )

    def interpolation_frac(self, target: str) -> tuple[float, float]:
        """Return the shares of the ground that the interpolation of one scene shows as gained and as lost.

        The sharp scene is smoothed to see what the other one went through. So what vanishes from the sharp scene
        before looks lost in the scene after.
        """
        before, after = self.smoothed_before, self.smoothed_after
        return (
            before.frac(before.appeared, target) + after.frac(after.vanished, target),
            before.frac(before.vanished, target) + after.frac(after.appeared, target),
        )


def measure_disturbances(pair: ScenePair, choices: ExtractionChoices, seed: int) -> Disturbances:
    """Extract windows of both scenes again, with more noise, and smoothed where only the other one was interpolated.

    Args:
        pair: The scenes on their grid.
        choices: How they are extracted.
        seed: Of the noise.
    """
    before, after = pair.on_grid
    before_is_smooth, after_is_smooth = pair.are_interpolated
    only_after, only_before = after_is_smooth and not before_is_smooth, before_is_smooth and not after_is_smooth
    return Disturbances(
        noise_before=count_noise(before, choices, seed),
        noise_after=count_noise(after, choices, seed + 1),
        smoothed_before=count_flips(before, choices, interpolated_twice) if only_after else FlipCounts(),
        smoothed_after=count_flips(after, choices, interpolated_twice) if only_before else FlipCounts(),
    )


def count_noise(scene: xr.Dataset, choices: ExtractionChoices, seed: int) -> FlipCounts:
    """Count what as much noise again changes in windows of a scene.

    The noise of each band is estimated from its second differences (Immerkær 1996,
    https://doi.org/10.1006/cviu.1996.0060), by their median, so that edges count little. Fine texture counts as noise.

    Args:
        scene: Bands [H, W] and ``valid``.
        choices: How the scene is extracted.
        seed: Of the noise.
    """
    random = np.random.default_rng(seed)
    return count_flips(scene, choices, lambda part: with_noise(part, random))


def count_flips(
    scene: xr.Dataset, choices: ExtractionChoices, disturb: Callable[[xr.Dataset], xr.Dataset]
) -> FlipCounts:
    """Extract windows of a scene twice, as they are and disturbed, and count what differs.

    Args:
        scene: Bands [H, W] and ``valid``.
        choices: How the scene is extracted.
        disturb: Returns a window with other pixels.
    """
    counts = FlipCounts()
    for window in _windows(scene.spex.shape):
        part = read_scene(scene, window)
        valid = part["valid"].values
        if not valid.any():
            continue
        clean, disturbed = (_target_masks(tile, choices) for tile in (part, disturb(part)))
        counts.valid_px += int(valid.sum())
        counts.windows += 1
        for target in clean:
            _count(counts, target, clean[target], disturbed[target])
    return counts


def _count(counts: FlipCounts, target: str, clean: NDArray[np.bool_], disturbed: NDArray[np.bool_]) -> None:
    for totals, pixels in ((counts.appeared, disturbed & ~clean), (counts.vanished, clean & ~disturbed)):
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


def interpolated_twice(scene: xr.Dataset) -> xr.Dataset:
    """Return a scene in memory, moved by half a pixel along both axes and back: in its place, and smoothed.

    It is smoothed more than by any single interpolation.
    """
    from scipy import ndimage

    there_and_back = np.convolve(HALF_PIXEL, HALF_PIXEL)
    valid, smooth = scene["valid"].values, {}
    for name in scene.spex.bands:
        pixels = scene[name].values.astype(np.float32)
        filled = np.where(valid, pixels, pixels[valid].mean() if valid.any() else 0)
        for axis in (0, 1):
            filled = ndimage.convolve1d(filled, there_and_back, axis=axis, mode="nearest")
        smooth[name] = scene[name].copy(data=np.where(valid, filled, pixels))
    return scene.assign(smooth)


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
    with Scratch() as scratch:
        assembled = assemble_tiles(
            plan.tiling,
            lambda window: plan.predictor.predict(window).logits,
            plan.assignment,
            choices.threshold,
            scratch.folder / "probability.tif",
            {},
        )
    return {
        target: _large_enough(assembled.mask == number, choices.min_area_px)
        for number, target in enumerate(plan.assignment.classes, start=1)
    }


def _large_enough(pixels: NDArray[np.bool_], min_area_px: int) -> NDArray[np.bool_]:
    regions: Sequence[Any] = find_regions(pixels, min_area_px=min_area_px, top=None)
    height, width = pixels.shape
    return region_mask(regions, (height, width))
