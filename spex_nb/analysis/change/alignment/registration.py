"""The shift between two scenes on one grid, measured in several windows, and whether it can be trusted.

Phase correlation gives one shift for a pair of windows, and no confidence: its error is small for unrelated pictures
too. So the confidence comes from agreement. Windows of an unrelated pair scatter, and those of a related pair do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

Pixels = Callable[[FileWindow], NDArray[np.float32]]
"""Gives float32 [C + 1, h, w] of a window: the bands, and 1 where they are valid."""
WINDOW_PX, SMALLEST_WINDOW_PX = 256, 48
"""Largest and smallest side of a window."""
WINDOWS_A_SIDE = 5
"""Windows along each side of the overlap."""
FEWEST_WINDOWS = 5
AGREEING_PX = 0.5
"""A window agrees if it lies this near to the median of all windows, in x and in y."""
AGREEING_FRAC = 0.6
"""Share of the windows that must agree, by brightness and by edges."""
LEAST_VALID_FRAC = 0.8
"""Windows with less data are left out."""
STEPS_PER_PX = 20
LEAST_UNCERTAINTY_PX = 0.2
"""No shift is known better: both scenes are interpolated or sampled by half-open pixels."""
ASSUMED_UNCERTAINTY_PX = 1.0
"""Of a shift that could not be measured."""
ROBUST = 1.4826
"""From a median deviation to a standard deviation."""


@dataclass(frozen=True)
class Registration:
    """How two scenes lie over each other.

    Attributes:
        shift_x_px: How far the scene after lies to the right of the scene before; NaN where no window could be used.
        shift_y_px: How far it lies below.
        is_measured: Whether windows agree, so that the shift is known.
        is_applied: Whether one scene was moved by it: it is known, and larger than its uncertainty.
        uncertainty_px: What the shift may be wrong by, in x and in y.
        spread_px: Median distance of the windows from their median, the larger of both kinds; NaN without windows.
        agreement_brightness_frac: Share of the windows whose brightness agrees to `AGREEING_PX`.
        agreement_edges_frac: Share of the windows whose edges do.
        windows: Number of windows.
    """

    shift_x_px: float
    shift_y_px: float
    is_measured: bool
    is_applied: bool
    uncertainty_px: float
    spread_px: float
    agreement_brightness_frac: float
    agreement_edges_frac: float
    windows: int

    @property
    def shift_px(self) -> tuple[float, float]:
        """(x, y) by which the scene after is to be moved onto the scene before; (0, 0) where nothing is moved."""
        return (-self.shift_x_px, -self.shift_y_px) if self.is_applied else (0.0, 0.0)

    @property
    def reach_px(self) -> int:
        """How far an edge may lie from its place, in whole pixels."""
        return max(1, math.ceil(self.uncertainty_px))


UNMEASURED = Registration(
    shift_x_px=np.nan,
    shift_y_px=np.nan,
    is_measured=False,
    is_applied=False,
    uncertainty_px=ASSUMED_UNCERTAINTY_PX,
    spread_px=np.nan,
    agreement_brightness_frac=0.0,
    agreement_edges_frac=0.0,
    windows=0,
)
"""Where too few windows have data and contrast."""


def register(before: Pixels, after: Pixels, shape: tuple[int, int]) -> Registration:
    """Measure the shift between two scenes on one grid.

    In windows spread over the scenes, phase correlation (Guizar-Sicairos et al. 2008,
    https://doi.org/10.1364/OL.33.000156) gives the shift of their brightness and that of their edges. The shift is
    known if at least `AGREEING_FRAC` of the windows lie within `AGREEING_PX` of the median, for both kinds, and both
    medians do too. It is then the median of both kinds.

    Args:
        before: Reads the scene before.
        after: Reads the scene after.
        shape: (height, width) of the grid.
    """
    measured = (_shifts_in(before(window), after(window)) for window in _windows(shape))
    pairs = [of_window for of_window in measured if of_window is not None]
    if len(pairs) < FEWEST_WINDOWS:
        return UNMEASURED
    shifts = np.array(pairs)  # [windows, kinds, (x, y)]
    medians = np.median(shifts, axis=0)
    distances = np.abs(shifts - medians).max(axis=2)
    brightness, edges = (distances <= AGREEING_PX).mean(axis=0)
    apart = float(np.abs(medians[0] - medians[1]).max())
    is_measured = bool(min(brightness, edges) >= AGREEING_FRAC and apart <= AGREEING_PX)
    x, y = medians.mean(axis=0)
    spread = float(np.median(distances, axis=0).max())
    uncertainty = max(ROBUST * spread, apart, LEAST_UNCERTAINTY_PX) if is_measured else ASSUMED_UNCERTAINTY_PX
    return Registration(
        shift_x_px=float(x),
        shift_y_px=float(y),
        is_measured=is_measured,
        is_applied=bool(is_measured and max(abs(x), abs(y)) > uncertainty / 2),
        uncertainty_px=uncertainty,
        spread_px=spread,
        agreement_brightness_frac=float(brightness),
        agreement_edges_frac=float(edges),
        windows=len(pairs),
    )


def _windows(shape: tuple[int, int]) -> Iterator[FileWindow]:
    side = min(WINDOW_PX, max(SMALLEST_WINDOW_PX, min(shape) // 2))
    if min(shape) < side:
        return
    tops, lefts = (np.unique(np.linspace(0, size - side, WINDOWS_A_SIDE).astype(int)) for size in shape)
    for top in tops:
        for left in lefts:
            yield FileWindow(int(left), int(top), side, side)


def _shifts_in(before: NDArray[np.float32], after: NDArray[np.float32]) -> Sequence[NDArray[np.float64]] | None:
    """Return the shift (x, y) by brightness and by edges in one window; None without enough data or contrast."""
    valid = (before[-1] > 0) & (after[-1] > 0)
    if valid.mean() < LEAST_VALID_FRAC:
        return None
    pictures = [_brightness(pixels, valid) for pixels in (before, after)]
    if min(float(picture.std()) for picture in pictures) == 0:
        return None
    edges = [_edges(picture, valid) for picture in pictures]
    return [_shift(*pictures), _shift(*edges)]


def _brightness(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean of all bands, its own mean where it is not valid."""
    mean = np.where(valid, pixels[:-1].astype(np.float64).mean(axis=0), 0)
    return np.where(valid, mean, mean[valid].mean())


def _edges(picture: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the steepness of a picture, its mean near pixels that are not valid."""
    from scipy import ndimage

    steepness = ndimage.gaussian_gradient_magnitude(picture, 1)
    is_inside = ndimage.binary_erosion(valid, iterations=3, border_value=1)
    return np.where(is_inside, steepness, steepness[is_inside].mean() if is_inside.any() else 0.0)


def _shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far a picture lies to the right of another one and below it, px."""
    from skimage.registration import phase_cross_correlation

    taper = np.hanning(before.shape[0])[:, None] * np.hanning(before.shape[1])
    pair = [(picture - picture.mean()) * taper for picture in (before, after)]
    # Without normalization a weak texture under noise counts by its strength, and not as much as the noise.
    correlate: Any = phase_cross_correlation
    shift, _, _ = correlate(*pair, upsample_factor=STEPS_PER_PX, normalization=None)
    moved: NDArray[np.float64] = -np.asarray(shift, np.float64)[::-1]
    return moved
