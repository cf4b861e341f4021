"""Pixels without data that no tag marks: margins of one number along the edge, and seams of zeros."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.scene.radiometry import Radiometry, to_reflectance
from spex_nb.scene.windows.tiling import SAMPLE_SIDE, spread_starts
from spex_nb.types import Window as SceneWindow


@dataclass(frozen=True, eq=False)
class Margin:
    """Pixels without data that no tag marks: one exact raw number in all bands, connected to the edge of the scene.

    Attributes:
        raw: The number as the file has it.
        numbers: The same as reflectance, by band.
        cells: bool [h, w], True for each cell of ``step`` x ``step`` pixels that the margin touches, or a neighbour.
        step: Side of a cell, in pixels.
        share_frac: Share of the scene.
    """

    raw: float
    numbers: Mapping[str, np.float32]
    cells: NDArray[np.bool_]
    step: int
    share_frac: float

    @property
    def note(self) -> str:
        """What one should know of it."""
        return (
            f"{100 * self.share_frac:.2g} % of the scene, connected to its edge, is exactly {self.raw:g} in all bands "
            f"and counts as no data, though no tag says so. Pass nodata={self.raw:g} if that number never is data, or "
            "nodata=float('nan') to keep these pixels as data."
        )

    def has_data(self, planes: Mapping[str, NDArray[Any]], top: int, left: int, step: int = 1) -> NDArray[np.bool_]:
        """Return where a window lies outside of the margin.

        Args:
            planes: Some of the bands [h, w], each step-th pixel of the window.
            top: First row of the window in the scene.
            left: First column.
            step: Of the planes.

        Returns:
            bool [h, w].
        """
        equal = [plane == self.numbers[name] for name, plane in planes.items() if name in self.numbers]
        height, width = next(iter(planes.values())).shape
        rows, columns = (
            (start + step * np.arange(size)) // self.step for start, size in ((top, height), (left, width))
        )
        inside: NDArray[np.bool_] = np.logical_and.reduce([self.cells[rows][:, columns], *equal])
        return ~inside


MARGIN_CELLS = 1024
"""A margin is looked for on so many cells along the longest side of a scene."""
MARGIN_EDGE_PX, MARGIN_PX = 4, 64
"""A margin takes so many pixels of the scene's outermost rows and columns at least, and so many in one piece."""
SMALLEST_PX = 16
"""In smaller scenes nothing tells a margin from the ground."""
GREY_FRAC, LARGEST_FRAC = 0.01, 0.5
"""A number that the ground may have is no data only where fewer of the other pixels have bands alike, and where it
takes less of the scene."""


def find_margin(
    read: Callable[[SceneWindow, int], Mapping[str, NDArray[Any]]],
    size: tuple[int, int],
    settings: Mapping[str, Radiometry],
    dtype: str,
    *,
    reads_columns: bool,
) -> Margin | None:
    """Find pixels without data that no tag marks.

    Args:
        read: Gives each band [h, w] of a window (row, column, height, width), as reflectance, at every step-th pixel.
        size: (height, width) of the scene.
        settings: How each band became reflectance.
        dtype: Of the raw numbers.
        reads_columns: Whether whole columns are read at the sides; else three pieces of each, which is quick in a file.

    Returns:
        The margin; None where there is none, or one band only.
    """
    if len(settings) < 2 or min(size) < SMALLEST_PX:  # noqa: PLR2004 (one number in all of several bands)
        return None
    border = [_raw_of(read(window, 1), settings, dtype) for window in _border_windows(size, reads_columns)]
    counts = _uniform_numbers(np.concatenate([piece.reshape(len(settings), -1) for piece in border], axis=1))
    raw = max(counts, key=lambda number: counts[number], default=None)
    if raw is None or counts[raw] < MARGIN_EDGE_PX:
        return None
    step = 1 << max(0, (-(-max(size) // MARGIN_CELLS) - 1).bit_length())
    whole = _raw_of(read((0, 0, *size), step), settings, dtype)
    return _margin_of(raw, whole, step, settings, dtype)


def find_seams(
    read: Callable[[SceneWindow, int], Mapping[str, NDArray[Any]]],
    size: tuple[int, int],
    settings: Mapping[str, Radiometry],
    dtype: str,
) -> list[str]:
    """Say which bands hold one number that is no ground all along an edge, where other bands have data.

    A band that is exactly 0 counts only where it is not 0 further in: water may be that dark. Numbers below zero and
    the largest of the type count at any depth. Of the outermost columns only a piece in the middle is read, which is
    quick in a file.
    """
    if len(settings) < 2 or min(size) <= 2 * SMALLEST_PX:  # noqa: PLR2004 (a band beside another one)
        return []
    notes: list[str] = []
    for edge, outer, inner in _edges(size):
        at_edge = _raw_of(read(outer, 1), settings, dtype)
        numbers = at_edge[:, 0, 0]
        is_one_number = (at_edge == numbers[:, None, None]).all(axis=(1, 2))
        if not is_one_number.any():
            continue
        further_in = _raw_of(read(inner, 1), settings, dtype)
        goes_on = (further_in == numbers[:, None, None]).all(axis=(1, 2))
        is_seam = is_one_number & (_is_fill(numbers, settings, dtype) | ((numbers == 0) & ~goes_on))
        if not is_seam.all():
            notes.extend(_seam_note(raw, numbers, is_seam, settings, edge) for raw in np.unique(numbers[is_seam]))
    return notes


def _is_fill(numbers: NDArray[Any], settings: Mapping[str, Radiometry], dtype: str) -> NDArray[np.bool_]:
    """Say which raw numbers [C], one a band, no ground has: below zero, or above white and the largest of the type."""
    white = np.array([(1 - setting.offset) / setting.scale for setting in settings.values()])
    is_integer = np.dtype(dtype).kind in "iu"
    is_fill: NDArray[np.bool_] = (numbers < 0) | (is_integer & (numbers > white) & (numbers == _largest(dtype)))
    return is_fill


def _seam_note(
    raw: float, numbers: NDArray[Any], is_seam: NDArray[np.bool_], settings: Mapping[str, Radiometry], edge: str
) -> str:
    names = [name for name, seam, number in zip(settings, is_seam, numbers, strict=True) if seam and number == raw]
    return (
        f"{', '.join(names)}: exactly {raw:g} all along the {edge} edge, where other bands have data. A warp may "
        f"have filled these pixels. Pass nodata={raw:g} if {raw:g} is no data."
    )


def _margin_of(
    raw: float, whole: NDArray[Any], step: int, settings: Mapping[str, Radiometry], dtype: str
) -> Margin | None:
    """Return the margin of a number in a thinned scene, raw [C, h, w]."""
    from scipy import ndimage

    uniform = (whole == whole[0]).all(axis=0)
    filled = uniform & (whole[0] == raw)
    others = ~filled & np.isfinite(whole).all(axis=0)
    if not others.any() or not (_is_no_ground(raw, settings, dtype) or _stands_out(filled, uniform & others, others)):
        return None
    labels, _ = ndimage.label(filled, np.ones((3, 3)))
    at_edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    is_large = np.bincount(labels.ravel())[at_edge] * step**2 >= MARGIN_PX
    inside = np.isin(labels, at_edge[is_large & (at_edge > 0)])
    if not inside.any():
        return None
    exact = to_reflectance(np.full((len(settings), 1, 1), raw, dtype), [*settings.values()], [None] * len(settings))
    numbers = dict(zip(settings, exact[:, 0, 0], strict=True))
    return Margin(raw, numbers, ndimage.binary_dilation(inside, np.ones((3, 3))), step, float(inside.mean()))


def _is_no_ground(raw: float, settings: Mapping[str, Radiometry], dtype: str) -> bool:
    """Say whether a number is what software fills with rather than the ground: 0 or less, the largest, above white."""
    white = min((1 - setting.offset) / setting.scale for setting in settings.values())
    return raw <= 0 or raw >= min(white, _largest(dtype))


def _stands_out(filled: NDArray[np.bool_], alike: NDArray[np.bool_], others: NDArray[np.bool_]) -> bool:
    """Say whether a number that the ground may have takes the smaller part of a scene in which it is an exception.

    Args:
        filled: bool [h, w], pixels with the number in all bands.
        alike: Other pixels whose bands are alike.
        others: All other pixels with data.
    """
    return bool(filled.mean() < LARGEST_FRAC and alike.sum() <= GREY_FRAC * others.sum())


def _largest(dtype: str) -> float:
    """Return the largest number of a type of integers; of reals 1, which white has."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else 1.0


def _border_windows(size: tuple[int, int], reads_columns: bool) -> list[SceneWindow]:
    height, width = size
    rows = [(top, 0, 1, width) for top in (0, height - 1)]
    starts = [0] if reads_columns else spread_starts(height, SAMPLE_SIDE)
    side = height if reads_columns else min(SAMPLE_SIDE, height)
    return rows + [(top, left, side, 1) for left in (0, width - 1) for top in starts]


def _raw_of(planes: Mapping[str, NDArray[Any]], settings: Mapping[str, Radiometry], dtype: str) -> NDArray[Any]:
    """Return raw numbers [C, h, w] of reflectance, NaN where there is no data."""
    is_whole = np.dtype(dtype).kind in "iu"
    numbers = [(planes[name].astype(np.float64) - setting.offset) / setting.scale for name, setting in settings.items()]
    stack = np.stack(numbers)
    return np.rint(stack) if is_whole else stack.astype(np.float32)


def _uniform_numbers(pixels: NDArray[Any]) -> dict[float, int]:
    """Return the numbers that all bands of some pixels [C, N] have, each with how many pixels."""
    uniform = pixels[0, (pixels == pixels[0]).all(axis=0)]
    numbers, counts = np.unique(uniform, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _edges(size: tuple[int, int]) -> list[tuple[str, SceneWindow, SceneWindow]]:
    """Return each edge with a window of its outermost pixels, and one of pixels further in."""
    height, width = size
    side, top = min(SAMPLE_SIDE, height), max(0, height - SAMPLE_SIDE) // 2
    return [
        ("upper", (0, 0, 1, width), (SMALLEST_PX, 0, 1, width)),
        ("lower", (height - 1, 0, 1, width), (height - 1 - SMALLEST_PX, 0, 1, width)),
        ("left", (top, 0, side, 1), (top, SMALLEST_PX, side, 1)),
        ("right", (top, width - 1, side, 1), (top, width - 1 - SMALLEST_PX, side, 1)),
    ]
