"""Raw pixels to reflectance, and which of them count, a window at a time; from a file or from an array."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.windows import Window

from spex_nb.errors import SensorError
from spex_nb.scene.band_source import BandSource
from spex_nb.scene.radiometry import Radiometry, to_reflectance
from spex_nb.scene.rasters import Grid, Reading, lazy_bands, open_raster, read_window
from spex_nb.types import Window as SceneWindow

SAMPLE_SIDE = 64
"""Side of the nine windows whose values are judged."""
READING = "spex_reading"
"""Key of the encoding of a lazy layer under which `LayerReading` or `ValidReading` stands."""
QA_PIXEL_CLOUDY = 0b11111
"""Fill, dilated cloud, cirrus, cloud and cloud shadow: bits 0-4 of Landsat Collection 2 QA_PIXEL (LSDS-1619)."""
SCL_CLOUDY = (0, 1, 3, 8, 9, 10)
"""No data, saturated, cloud shadow, cloud of medium and high probability, cirrus: Sentinel-2 L2A SCL."""
FMASK_CLOUDY = 0b1110
"""Cloud, adjacent to cloud or shadow, cloud shadow: bits 1-3 of HLS Fmask (HLS user guide 2.0)."""
FMASK_FILL = 255
FMASK_CLASSES_CLEAR = (1, 4, 5)
"""Clear land, snow and water: of the classes 0 to 5 that python-fmask writes (0 no data, 2 cloud, 3 shadow)."""
CFMASK_CLEAR = (0, 1, 3)
"""Clear land, water and snow: of the classes 0 to 4 of CFMask and of Fmask in MATLAB (2 shadow, 4 cloud, 255 fill)."""


@dataclass(frozen=True)
class ArrayReading:
    """Reads windows of arrays [H, W] as a file would be read."""

    planes: tuple[Any, ...]

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [C, H, W] of a window."""
        rows, cols = window.toslices()
        return np.stack([np.asarray(plane[rows, cols]) for plane in self.planes])


@dataclass(frozen=True)
class PixelMask:
    """Reads where a file says that it has data: its mask, or its alpha band."""

    reading: Reading
    kind: str

    def __call__(self, window: Window) -> Any:
        """Return bool [1, H, W] of a window."""
        return self.reading(window) > 0 if self.kind == "alpha" else self.reading.mask(window)


@dataclass(frozen=True)
class BandGroup:
    """Bands that are read together and turned into reflectance."""

    names: tuple[str, ...]
    reading: Any
    settings: tuple[Radiometry, ...]
    nodata: tuple[float | None, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        bands: Mapping[str, BandSource],
        settings: Mapping[str, Radiometry],
        grid: Grid,
        nodata: Mapping[str, float | None],
    ) -> BandGroup:
        """Return the group of the named bands, brought onto a grid."""
        chosen = [bands[name] for name in names]
        numbers = tuple(nodata[name] for name in names)
        return cls(tuple(names), _reading_of(chosen, grid, numbers[0]), tuple(settings[n] for n in names), numbers)

    def thinned(self, numbers: Sequence[int], step: int) -> BandGroup:
        """Return some bands of a group that lies in a file, read at every step-th row and column.

        Args:
            numbers: Of the bands within the group, from 0.
            step: 1 reads every pixel.
        """
        return BandGroup(
            tuple(self.names[i] for i in numbers),
            self.reading.thinned(numbers, step),
            tuple(self.settings[i] for i in numbers),
            tuple(self.nodata[i] for i in numbers),
        )

    @property
    def has_overviews(self) -> bool:
        """Whether the file of the bands holds itself on fewer pixels too."""
        return bool(self.reading.has_overviews)

    def __call__(self, window: Window) -> Any:
        """Return float32 reflectance [C, H, W] of a window, NaN where there is no data."""
        return to_reflectance(self.reading(window), self.settings, self.nodata)


@dataclass(frozen=True)
class ResampledArray:
    """Reads windows of one array [H, W] on another grid, by the same warp as a file: it is kept as one in memory."""

    plane: Any
    own_grid: Grid
    reading: Reading

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [1, H, W] of a window."""
        return replace(self.reading, path=self._file.name)(window)

    @cached_property
    def _file(self) -> MemoryFile:
        """The array as a raster that GDAL reads; made once, and again in another process."""
        numbers, grid = np.asarray(self.plane), self.own_grid
        file = MemoryFile(ext=".tif")
        size = {"height": grid.height, "width": grid.width, "count": 1}
        with file.open(driver="GTiff", dtype=numbers.dtype, crs=grid.crs, transform=grid.transform, **size) as raster:
            raster.write(numbers, 1)
        weakref.finalize(self, file.close)
        return file

    def __getstate__(self) -> dict[str, Any]:
        """Leave the file in memory behind: another process makes its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_file"}


def _reading_of(bands: Sequence[BandSource], grid: Grid, nodata: float | None) -> Any:
    file = bands[0].file
    if file is None:
        first = bands[0]
        if not first.grid.matches(grid):
            return ResampledArray(first.array, first.grid, Reading("", (1,), grid, nodata))
        return ArrayReading(tuple(band.array for band in bands))
    return Reading(file.path, tuple(band.index for band in bands), file.onto(grid), nodata)


def stack_of(group: BandGroup, size: tuple[int, int], chunks: tuple[int, int] | None) -> Any:
    """Return the reflectance [C, H, W] of a group: read now, or lazily in chunks."""
    if chunks is None:
        return read_window(group, *size)
    planes = group.reading.planes if isinstance(group.reading, ArrayReading) else ()
    if any(hasattr(plane, "dask") for plane in planes):
        return _lazy_stack(group, planes)
    return lazy_bands(group, len(group.names), np.float32, size, chunks)


def _lazy_stack(group: BandGroup, planes: Sequence[Any]) -> Any:
    import dask.array as da

    raw = da.stack(planes).rechunk({0: len(planes)})
    return raw.map_blocks(to_reflectance, group.settings, group.nodata, dtype=np.float32)


def sample_of(groups: Sequence[BandGroup], grid: Grid) -> Any:
    """Return valid reflectance of nine small windows spread over the scene, as one flat array."""
    windows = [
        Window(left, top, min(SAMPLE_SIDE, grid.width), min(SAMPLE_SIDE, grid.height))
        for top in spread_starts(grid.height, SAMPLE_SIDE)
        for left in spread_starts(grid.width, SAMPLE_SIDE)
    ]
    numbers = np.concatenate([group(window).ravel() for group in groups for window in windows])
    return numbers[np.isfinite(numbers)]


def spread_starts(size: int, side: int) -> list[int]:
    """Return where windows of a side begin that lie at both ends and in the middle."""
    room = max(0, size - side)
    return sorted({0, room // 2, room})


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
    """Say which bands are exactly 0 all along an edge of the scene but not further in, as a warp leaves them.

    Of the outermost columns only a piece in the middle is read, which is quick in a file.
    """
    if len(settings) < 2 or min(size) <= 2 * SMALLEST_PX:  # noqa: PLR2004 (a band beside another one)
        return []
    notes = []
    for edge, outer, inner in _edges(size):
        at_edge, further_in = (_raw_of(read(window, 1), settings, dtype) == 0 for window in (outer, inner))
        is_seam = at_edge.all(axis=(1, 2)) & ~further_in.all(axis=(1, 2))
        names = [name for name, seam in zip(settings, is_seam, strict=True) if seam]
        if names and not is_seam.all():
            notes.append(
                f"{', '.join(names)}: exactly 0 all along the {edge} edge, where other bands have data. A warp may "
                "have filled these pixels. Pass nodata=0 if 0 is no data."
            )
    return notes


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


@dataclass(frozen=True)
class LayerReading:
    """How one lazy layer [H, W] is read from its file.

    It rides in the encoding of the layer, so that copies, selections of bands and pickles carry it. It holds only while
    the layer is the array that was opened. The name of the dask array tells that, since it stands for what is computed.
    """

    array_name: str
    group: Any
    """A `BandGroup`, or a `Reading` of numbers that stay as they are."""
    number: int


@dataclass(frozen=True)
class ValidReading:
    """How a lazy ``valid`` [H, W] is read: where all bands have data, and every mask says so too."""

    array_name: str
    bands: frozenset[str]
    masks: tuple[Any, ...]
    margin: Margin | None = None

    def masks_of(self, window: Window, step: int = 1) -> list[NDArray[np.bool_]]:
        """Return what each mask says of every step-th pixel of a window, bool [h, w]."""
        return [replace(mask, reading=replace(mask.reading, step=step))(window)[0] for mask in self.masks]


def reading_of(layer: xr.DataArray) -> Any:
    """Return how a lazy layer is read from its file; None of other layers, and of one that was changed since."""
    reading = layer.encoding.get(READING)
    if reading is None or layer.chunks is None or layer.data.name != reading.array_name:
        return None
    return reading


def qa_pixel_clear(quality: Any) -> Any:
    """Return True where Landsat Collection 2 QA_PIXEL (uint16, any shape) flags neither fill, cloud nor shadow."""
    return (quality.astype(np.uint16) & QA_PIXEL_CLOUDY) == 0


def scl_clear(quality: Any) -> Any:
    """Return True where the Sentinel-2 scene classification (uint8, any shape) is neither cloud nor shadow."""
    return ~np.isin(quality, SCL_CLOUDY)


def fmask_clear(quality: Any) -> Any:
    """Return True where HLS Fmask (uint8, any shape) flags neither fill, cloud, its surroundings nor shadow."""
    return ((quality.astype(np.uint8) & FMASK_CLOUDY) == 0) & (quality != FMASK_FILL)


def fmask_classes_clear(quality: Any) -> Any:
    """Return True where the classes of python-fmask (uint8, any shape) are clear land, snow or water."""
    return np.isin(quality, FMASK_CLASSES_CLEAR)


def cfmask_clear(quality: Any) -> Any:
    """Return True where the classes of CFMask or Fmask in MATLAB (uint8, any shape) are clear land, water or snow."""
    return np.isin(quality, CFMASK_CLEAR)


CODINGS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "qa_pixel": qa_pixel_clear,
        "scl": scl_clear,
        "fmask": fmask_clear,
        "fmask_classes": fmask_classes_clear,
        "cfmask": cfmask_clear,
    }
)


CODING_FILL: Mapping[str, float] = MappingProxyType(
    {"qa_pixel": 1, "scl": 0, "fmask": FMASK_FILL, "fmask_classes": 0, "cfmask": FMASK_FILL}
)
"""The code of each quality layer that says "no data": it fills what a warp finds outside the layer."""


@dataclass(frozen=True)
class ClearSky:
    """Reads a quality layer and says where the sky is clear."""

    reading: Reading
    coding: str

    def __call__(self, window: Any) -> Any:
        """Return bool [1, H, W] of a window."""
        return CODINGS[self.coding](self.reading(window))


def coding_of(path: str) -> str:
    """Return the coding that the name of a quality layer tells; of "fmask", which has three, by its values too.

    Raises:
        SensorError: If the name tells none, or neither name nor values tell which.
    """
    name = Path(path).name.lower()
    if re.search(r"c?fmask", name):
        return _fmask_coding(path)
    for coding in CODINGS:
        if re.search(rf"(^|[._-]){coding}([._-]|$)", name):
            return coding
    raise SensorError(
        "The quality layer is of no coding that is known here",
        found=name,
        expected="a file name that holds QA_PIXEL, SCL or Fmask",
        fix=f"Pass clouds={{coding: path}} with one of {', '.join(CODINGS)}; or set scene['valid'] yourself.",
    )


def _fmask_coding(path: str) -> str:
    """Tell the bits of HLS from the classes of python-fmask (0 to 5) and of CFMask (0 to 4, and 255).

    Odd numbers below 6 are classes: HLS leaves its lowest bit unused. Of classes 5 is water of python-fmask; without
    it the number of no data decides, 0 for python-fmask and 255 for CFMask.
    """
    name = Path(path).name.lower()
    if name.startswith("hls."):
        return "fmask"
    values, nodata = _values_of(path)
    classes = values - {FMASK_FILL}
    if classes and max(classes) > max(FMASK_CLASSES_CLEAR):
        return "fmask"
    if max(FMASK_CLASSES_CLEAR) in classes:
        return "fmask_classes"
    if classes & {1, 3} or "cfmask" in name:
        if "cfmask" in name or "fmask4" in name or FMASK_FILL in (*values, nodata):
            return "cfmask"
        if nodata == 0:
            return "fmask_classes"
    raise SensorError(
        "The coding of the cloud layer cannot be told: fmask stands for several",
        found=f"{path} with the values {sorted(values)}",
        expected="bits of HLS, classes 0 to 5 of python-fmask, or classes 0 to 4 of CFMask",
        fix=f"Pass clouds={{'fmask': {path!r}}}, or with 'fmask_classes' or 'cfmask' in place of 'fmask'.",
    )


def _values_of(path: str) -> tuple[set[int], float | None]:
    """Return the distinct values of an 8-bit layer, read block by block, and its number of no data."""
    with open_raster(path) as file:
        values: set[int] = set()
        for _, window in file.block_windows(1):
            values |= set(np.unique(file.read(1, window=window)).tolist())
        return values, file.nodata
