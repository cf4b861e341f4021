"""Raster files as GDAL sees them, read window by window onto one pixel grid. It knows no sensor."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from dask import threaded
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from spex_nb.errors import BandError, DataTypeError, UnreadableSourceError
from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import (
    grid_by_control_points,
    local_gsd_m,
    off_the_map,
    off_the_map_note,
    place_notes,
    require_sane,
    source_place,
)
from spex_nb.scene.windows.locations import gdal_file, require_local
from spex_nb.scene.windows.network import (
    FETCHING_DRIVERS,
    gdal_network,
    gdal_options,
    has_network_leave,
    names_address,
)
from spex_nb.scene.windows.pointers import is_closed, points_elsewhere, require_no_address
from spex_nb.scene.windows.scene_files import are_noted, note_files

CHUNK_PX = 2048
"""Side that a lazy chunk aims at: 16 MB a band in float32."""


@dataclass(frozen=True)
class RasterFile:
    """What a raster file says of itself, without its pixels; one entry a band in every tuple."""

    path: str
    grid: Grid
    dtypes: tuple[str, ...]
    descriptions: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    colors: tuple[str, ...]
    has_mask: bool
    tags: dict[str, str]
    block_shape: tuple[int, int]
    interleaved: bool
    wavelengths_um: tuple[float | None, ...] = ()
    """Centre wavelengths that the file states (ENVI, IMAGERY metadata), µm; empty where it states none."""
    by_control_points: bool = False
    """Whether ``grid`` is the one that ground control points put the file on: every read is a warp."""
    notes: tuple[str, ...] = ()
    """What one should know of its place on the map, a sentence each."""
    local_gsd_m: float | None = None
    """Side of a pixel in metres where the CRS is off the map but has a unit of length."""

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.dtypes)

    def onto(self, grid: Grid) -> Grid | None:
        """Return the grid that its pixels are warped onto to lie on ``grid``; None where they lie on it already."""
        return None if self.grid.matches(grid) and not self.by_control_points else grid


_opening = threading.Lock()


def _forget_threads() -> None:
    """Start a forked child without the lock and the pools of threads that it would wait for: no thread comes along."""
    global _opening  # noqa: PLW0603 (a lock that another thread holds is never given back here)
    _opening = threading.Lock()
    threaded.default_pool = None
    threaded.pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@contextmanager
def open_raster(location: str, *, remote: bool | None = None, driver: str = "") -> Iterator[Any]:
    """Open a raster with rasterio, without its warning about a missing georeference: the scene says that.

    Nothing is fetched unless the location is an address itself, or there is leave; then within a time limit.

    Args:
        location: What GDAL opens.
        remote: Whether what a local file points at may be fetched; by default as `network_leave` says.
        driver: The only driver of GDAL that may open it, and without files beside it; any that needs no server if not
            given.

    Raises:
        UnreadableSourceError: If a local file points at the network, and there is no leave.
    """
    has_leave = has_network_leave() if remote is None else remote
    is_allowed = has_leave or names_address(location)
    with ExitStack() as stack:
        network = stack.enter_context(ExitStack())
        network.enter_context(gdal_network(is_allowed))
        path = gdal_file(location) or location
        if not is_allowed:
            require_no_address(path)
        if driver:
            stack.enter_context(gdal_options({"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}))
        file = stack.enter_context(_quiet(location, driver or None))
        if not is_allowed:
            _require_here(location, file)
            if is_closed(path):
                network.close()  # nothing of this file lies elsewhere: other threads keep their settings
        yield file


def _require_here(location: str, file: Any) -> None:
    """Raise if an open file is a description of a server, or has its overviews on one."""
    overviews = file.tags(ns="OVERVIEWS").get("OVERVIEW_FILE", "")
    if file.driver in FETCHING_DRIVERS or names_address(overviews):
        raise points_elsewhere(location, location, overviews or f"what the driver {file.driver} asks for")


def _quiet(location: str, driver: str | None) -> Any:
    with (
        _opening,
        warnings.catch_warnings(),
    ):  # the lock, because the list of filters is shared by all threads
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(location, driver=driver)
    if are_noted():
        note_files(location, *file.files)
    return file


def probe(location: str | Path, *, driver: str = "") -> RasterFile:
    """Return what a raster file says of itself.

    Args:
        location: A path, or a URL or /vsi path that GDAL can read.
        driver: The only driver that may open it; see `open_raster`.

    Raises:
        SourceNotFoundError: If a local file is missing.
        UnreadableSourceError: If GDAL cannot open it as a raster.
        BandError: If it has no band of its own.
        DataTypeError: If its pixels are complex numbers.
        GridError: If its geotransform or CRS makes no sense.
    """
    location = str(location)
    require_local(location)
    try:
        with open_raster(location, driver=driver) as file:
            _require_bands(location, file)
            described = _describe(location, file)
    except (RasterioError, CRSError) as error:
        raise UnreadableSourceError(
            "The file cannot be read as a raster",
            found=f"{location} ({error})",
            expected="a raster that GDAL reads: GeoTIFF, COG, VRT, JPEG 2000 …",
            fix="Check that it was fetched completely, and that its name ends in what it is.",
        ) from error
    _require_size(described)
    require_sane(described.grid, location)
    problem = off_the_map(described.grid)
    if not problem:
        return described
    return replace(
        described,
        grid=described.grid._replace(crs=None),
        notes=(*described.notes, off_the_map_note(Path(location).name, described.grid, problem)),
        local_gsd_m=local_gsd_m(described.grid),
    )


MOST_PX = 10**11
"""No scene has more pixels: 316,000 on each side, three million square kilometres at 5 m."""
LONGEST_PX = 10_000_000
"""No side of a scene is longer: one row of it in all bands must fit into memory."""
LARGEST_BLOCK = 2**31
"""No block of a file is larger when it is unpacked, in bytes: GDAL unpacks blocks whole."""


def _require_size(file: RasterFile) -> None:
    """Raise if a header promises more pixels, or larger blocks, than can be read; nothing is allocated before."""
    height, width = file.grid.height, file.grid.width
    block = math.prod(file.block_shape) * max(np.dtype(kind).itemsize for kind in file.dtypes)
    if height * width <= MOST_PX and max(height, width) <= LONGEST_PX and block <= LARGEST_BLOCK:
        return
    raise UnreadableSourceError(
        "The raster is larger than any that can be read",
        found=f"{file.path}: {height:,} x {width:,} px by its header, in blocks of {block / 1e6:,.0f} MB",
        expected=f"at most {MOST_PX:.0e} pixels, {LONGEST_PX:,} on a side, in blocks of at most 2 GB",
        fix="Cut the part that you need first, for example with gdal_translate -srcwin.",
    )


def _require_bands(location: str, file: Any) -> None:
    if file.count == 0:
        raise BandError(
            "The file has no band of its own",
            found=f"{location}, subdatasets: {', '.join(file.subdatasets) or 'none'}",
            expected="at least one band",
            fix="Open one of its subdatasets.",
        )
    complex_types = sorted({kind for kind in file.dtypes if "complex" in kind or kind == "cint16"})
    if complex_types:
        raise DataTypeError(
            "The pixels are complex numbers",
            found=f"{location}, {', '.join(complex_types)}",
            expected="integer or real pixels",
            fix="Compute the amplitude or intensity first; spex_nb reads optical reflectance.",
        )


def _describe(location: str, file: Any) -> RasterFile:
    descriptions = tuple(text or "" for text in file.descriptions)
    by_points = grid_by_control_points(file)
    return RasterFile(
        path=location,
        grid=by_points or Grid(file.height, file.width, file.transform, file.crs),
        by_control_points=by_points is not None,
        notes=tuple(place_notes(location, file, by_points)),
        dtypes=tuple(file.dtypes),
        descriptions=descriptions,
        scales=tuple(file.scales),
        offsets=tuple(file.offsets),
        nodata=tuple(file.nodatavals),
        colors=tuple(interp.name for interp in file.colorinterp),
        has_mask=all(MaskFlags.per_dataset in f and MaskFlags.alpha not in f for f in file.mask_flag_enums),
        tags={**file.tags(), **file.tags(ns="IMAGERY")},
        block_shape=tuple(file.block_shapes[0]),
        interleaved=str(file.profile.get("interleave", "")) == "pixel",
        wavelengths_um=tuple(_wavelength_um(file, index) for index in file.indexes),
    )


def _wavelength_um(file: Any, index: int) -> float | None:
    """Return the centre wavelength of a band, µm: of GDAL's IMAGERY metadata, or of an ENVI header in nm or µm."""
    imagery = file.tags(index, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
    header = file.tags(index)
    try:
        number = float(imagery or header.get("wavelength") or 0)
    except ValueError:
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return number / 1000 if number > LONGEST_UM else number


LONGEST_UM = 100.0
"""No band of a land imager lies above this, µm: larger numbers are nanometres."""


def chunk_shape(grid: Grid, block: tuple[int, int], wanted: int | tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the (height, width) of lazy chunks: near the wanted side, whole blocks of the file.

    A file in strips gets chunks of its full width, so that no strip is decoded twice.
    """
    if wanted is not None:
        height, width = (wanted, wanted) if isinstance(wanted, int) else wanted
        return min(height, grid.height), min(width, grid.width)
    width = min(grid.width, _multiple(block[1], CHUNK_PX))
    height = min(grid.height, _multiple(block[0], CHUNK_PX * CHUNK_PX // width))
    return height, width


def _multiple(block: int, wanted: int) -> int:
    return max(1, wanted // block) * block


@dataclass(frozen=True)
class Reading:
    """How bands of one file are read: which, onto which grid, and what counts as no data."""

    path: str
    indexes: tuple[int, ...]
    grid: Grid | None = None
    nodata: float | None = None
    categories: bool = False
    step: int = 1
    """Only every step-th row and column is read, from overviews where the file has them."""
    remote: bool = field(default_factory=has_network_leave)
    """Whether what a local file points at may be fetched."""
    driver: str = ""
    """The only driver that may open the file; see `open_raster`."""

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [C, H, W] of a window."""
        try:
            with self._open() as file, self._on_grid(file) as pixels:
                shape = (len(self.indexes), *self._shape_of(window))
                return pixels.read(list(self.indexes), window=window, out_shape=shape)
        except RasterioError as error:
            raise self._damaged(window, error) from error

    def mask(self, window: Window) -> Any:
        """Return bool [1, H, W], True where the file's own mask says data."""
        try:
            with self._open() as file, self._on_grid(file) as pixels:
                return pixels.read_masks([1], window=window, out_shape=(1, *self._shape_of(window))) > 0
        except RasterioError as error:
            raise self._damaged(window, error) from error

    @property
    def has_overviews(self) -> bool:
        """Whether the file holds itself on fewer pixels too, so that it is quickly read from far away."""
        with self._open() as file:
            return bool(file.overviews(self.indexes[0]))

    def _open(self) -> AbstractContextManager[Any]:
        return open_raster(self.path, remote=self.remote, driver=self.driver)

    def thinned(self, numbers: Sequence[int], step: int) -> Reading:
        """Return the reading of some of the bands, by their number here, at every step-th row and column."""
        return replace(self, indexes=tuple(self.indexes[i] for i in numbers), step=step)

    def _shape_of(self, window: Window) -> tuple[int, int]:
        return -(-int(window.height) // self.step), -(-int(window.width) // self.step)

    def _on_grid(self, file: Any) -> Any:
        """Return the file, warped onto the grid where it lies on another one; outside the file there is no data.

        A file without a number for no data is warped in floating point, whose NaN says so.
        """
        if self.grid is None:
            return file
        fills_nan = self.nodata is None and not self.categories
        kinds = {np.dtype(kind) for kind in file.dtypes}
        exact = "float32" if all(kind.itemsize <= 2 or kind == np.float32 for kind in kinds) else "float64"  # noqa: PLR2004 (16 bits)
        return WarpedVRT(
            file,
            **source_place(file),
            crs=self.grid.crs,
            transform=self.grid.transform,
            height=self.grid.height,
            width=self.grid.width,
            resampling=Resampling.nearest if self.categories else Resampling.bilinear,
            src_nodata=self.nodata,
            nodata=math.nan if fills_nan else self.nodata,
            **({"dtype": exact} if fills_nan else {}),
        )

    def _damaged(self, window: Window, error: Exception) -> UnreadableSourceError:
        return UnreadableSourceError(
            "The file is damaged or cut short",
            found=f"{self.path}, rows {window.row_off} to {window.row_off + window.height}: {error}",
            expected="pixels in every window",
            fix="Fetch the file again; an interrupted download is the usual cause.",
        )


def read_window(reading: Any, height: int, width: int) -> Any:
    """Read a whole raster at once."""
    return reading(Window(0, 0, width, height))


def lazy_bands(reading: Any, n: int, dtype: Any, size: tuple[int, int], chunks: tuple[int, int]) -> Any:
    """Return a dask array [n, H, W] whose blocks are read when they are computed.

    Args:
        reading: Called with a window, gives [n, h, w].
        n: Number of bands.
        dtype: Of the pixels.
        size: Height and width of the grid.
        chunks: Height and width of a block.
    """
    import dask.array as da

    steps = ((n,), _steps(size[0], chunks[0]), _steps(size[1], chunks[1]))
    empty = np.empty((0, 0, 0), dtype)
    return da.map_blocks(partial(_read_block, reading), chunks=steps, dtype=dtype, meta=empty)


def _steps(size: int, step: int) -> tuple[int, ...]:
    whole, rest = divmod(size, step)
    return (step,) * whole + ((rest,) if rest else ())


def _read_block(reading: Any, block_info: Any = None) -> Any:
    _, (top, bottom), (left, right) = block_info[None]["array-location"]
    return reading(Window(left, top, right - left, bottom - top))
