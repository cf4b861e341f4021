"""Raster files as GDAL sees them, read window by window onto one pixel grid. It knows no sensor."""

from __future__ import annotations

import math
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.transform import from_gcps
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from spex_nb.errors import BandError, DataTypeError, GridError, SourceNotFoundError, UnreadableSourceError

CHUNK_PX = 2048
"""Side that a lazy chunk aims at: 16 MB a band in float32."""
FEWEST_POINTS = 3
"""Ground control points that a first-order fit needs."""
UTM_LIMIT_DEGREES = 84
"""Beyond this latitude there are no UTM zones."""
LONGEST_NAME = 60
EARTH_RADIUS_M = 6_378_137.0
EARTH_TOLERANCE_FRAC = 0.01
"""No ellipsoid or sphere of the Earth in use differs more from WGS 84; Venus differs by 5 %."""
COORDINATE_LIMIT_M = 1e9
"""No projected coordinate of the Earth lies this far out."""


class Grid(NamedTuple):
    """A pixel grid: size, affine of (column, row) corners to map coordinates, CRS or None."""

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared map units."""
        return abs(float(self.transform.determinant))

    def matches(self, other: Grid) -> bool:
        """Whether both grids have the same pixels, to a hundredth of one."""
        tolerance = 0.01 * math.sqrt(self.pixel_area)
        same_place = self.transform.almost_equals(other.transform, tolerance)
        return (self.height, self.width, self.crs) == (other.height, other.width, other.crs) and same_place


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


def is_remote(location: str) -> bool:
    """Whether GDAL would go to the network (or an archive) for this location."""
    return bool(re.match(r"\w+://", location)) or location.startswith("/vsi")


def gdal_file(location: str) -> str:
    """Return the file within a name such as ``NETCDF:"scene.nc":red``; an empty string for any other location.

    It is the longest part between colons that exists; without one, the part that looks most like a path.
    """
    if not re.match(r"[A-Z][A-Z0-9_]{2,}:(?!//)", location) or Path(location).exists():
        return ""
    parts = location.split(":")[1:]
    spans = [(start, end) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)]
    runs = [":".join(parts[start:end]).strip('"') for start, end in spans]
    existing = [run for run in runs if run and Path(run).exists()]
    if existing:
        return max(existing, key=len)
    return max(runs, key=lambda run: (":" not in run, run.count("/") + run.count("."), len(run)))


def require_local(location: str) -> None:
    """Raise unless a local location exists and is not empty; remote ones are GDAL's business."""
    location = gdal_file(location) or location
    if is_remote(location):
        return
    path = Path(location)
    if not path.exists():
        raise SourceNotFoundError(
            "The scene does not exist",
            found=location,
            expected="a file or folder",
            fix=f"Check the path; the folder that is looked in is {path.absolute().parent}.",
        )
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableSourceError(
            "The file is empty",
            found=f"{location}, 0 bytes",
            expected="a raster",
            fix="Fetch the file again.",
        )


_opening = threading.Lock()


def open_raster(location: str) -> Any:
    """Open a raster with rasterio, without its warning about a missing georeference: the scene says that."""
    with (
        _opening,
        warnings.catch_warnings(),
    ):  # the lock, because the list of filters is shared by all threads
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(location)


def probe(location: str | Path) -> RasterFile:
    """Return what a raster file says of itself.

    Args:
        location: A path, or a URL or /vsi path that GDAL can read.

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
        with open_raster(location) as file:
            _require_bands(location, file)
            described = _describe(location, file)
    except (RasterioError, CRSError) as error:
        raise UnreadableSourceError(
            "The file cannot be read as a raster",
            found=f"{location} ({error})",
            expected="a raster that GDAL reads: GeoTIFF, COG, VRT, JPEG 2000 …",
            fix="Check that it was fetched completely, and that its name ends in what it is.",
        ) from error
    require_sane(described.grid, location)
    problem = off_the_map(described.grid)
    if not problem:
        return described
    return replace(
        described,
        grid=described.grid._replace(crs=None),
        notes=(*described.notes, off_the_map_note(Path(location).name, described.grid, problem)),
        local_gsd_m=_local_gsd_m(described.grid),
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
    by_points = _grid_by_control_points(file)
    return RasterFile(
        path=location,
        grid=by_points or Grid(file.height, file.width, file.transform, file.crs),
        by_control_points=by_points is not None,
        notes=tuple(_place_notes(location, file, by_points)),
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


def _grid_by_control_points(file: Any) -> Grid | None:
    """Return the grid on which GDAL puts a file that ground control points alone place; None for any other file.

    It is the UTM zone (or polar stereographic map) of the points, or their own CRS where that is projected.
    """
    points, crs = file.gcps
    if crs is None or file.crs is not None or not file.transform.is_identity or len(points) < FEWEST_POINTS:
        return None
    from rasterio.warp import calculate_default_transform

    target = (
        crs
        if crs.is_projected
        else _utm_of(float(np.mean([p.x for p in points])), float(np.mean([p.y for p in points])))
    )
    bounds = rasterio.transform.array_bounds(file.height, file.width, from_gcps(points))
    transform, width, height = calculate_default_transform(crs, target, file.width, file.height, *bounds)
    return Grid(height, width, transform, target)


def _source_place(file: Any) -> dict[str, Any]:
    """Return where a warp starts from in a file that control points alone place: their CRS and first-order fit."""
    points, crs = file.gcps
    if file.crs is not None or crs is None or len(points) < FEWEST_POINTS:
        return {}
    return {"src_crs": crs, "src_transform": from_gcps(points)}


def _misfit_px(points: Sequence[Any]) -> float:
    """Return by how many pixels the first-order fit misses the worst of some control points."""
    back: Any = ~from_gcps(points)
    column, row = back @ (np.array([p.x for p in points]), np.array([p.y for p in points]))
    return float(np.hypot(column - [p.col for p in points], row - [p.row for p in points]).max())


def _utm_of(longitude: float, latitude: float) -> CRS:
    """Return the WGS 84 UTM zone of a place, or the polar stereographic CRS beyond the zones."""
    if abs(latitude) > UTM_LIMIT_DEGREES:
        return CRS.from_epsg(3995 if latitude > 0 else 3031)
    zone = int((longitude + 180) % 360 // 6) + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


def _place_notes(location: str, file: Any, by_points: Grid | None) -> Iterator[str]:
    """Say what the file states of its place in another form than a geotransform and a CRS."""
    points, crs = file.gcps
    if by_points is not None and by_points.crs is not None:
        yield (
            f"{Path(location).name} lies on the map by {len(points)} ground control points (GCPs) in "
            f"{crs.to_string()}: it is warped onto {by_points.crs.to_string()} by a first-order fit, which misses the "
            f"worst of them by {_misfit_px(points):.1f} px. Warp it yourself (gdalwarp -tps) for another fit."
        )
    elif points and file.crs is None:
        yield (
            f"{Path(location).name} has {len(points)} ground control points (GCPs), too few or without a CRS: it has "
            "no place on the map. Warp it first with gdalwarp."
        )
    if file.rpcs is not None and file.crs is None and by_points is None:
        yield (
            f"{Path(location).name} lies on the map by rational polynomials (RPCs) alone, which need an elevation "
            "model: it has no place on the map here. Warp it first with gdalwarp -rpc -to RPC_DEM=…."
        )
    yield from _overriding_sidecar(location, file)


def _overriding_sidecar(location: str, file: Any) -> Iterator[str]:
    """Say where an ``.aux.xml`` beside a GeoTIFF puts it elsewhere than the file itself does; GDAL prefers it."""
    sidecar = Path(f"{location}.aux.xml")
    if is_remote(location) or file.driver != "GTiff" or not sidecar.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(location, GEOREF_SOURCES="INTERNAL") as inside:
            own = Grid(inside.height, inside.width, inside.transform, inside.crs)
    if own.transform.is_identity and own.crs is None:
        return
    if not own.matches(Grid(file.height, file.width, file.transform, file.crs)):
        yield (
            f"{sidecar.name} overrides the georeference in {Path(location).name} itself: pixels of "
            f"{abs(file.transform.a):g} in place of {abs(own.transform.a):g} map units, origin ({file.transform.c:g}, "
            f"{file.transform.f:g}) in place of ({own.transform.c:g}, {own.transform.f:g}). Remove the sidecar if the "
            "file is right."
        )


def off_the_map(grid: Grid) -> str:
    """Return why a grid with a CRS cannot be brought to longitude and latitude; an empty string where it can.

    Engineering, vertical and geocentric CRS, other celestial bodies, and coordinates outside the projection.
    """
    if grid.crs is None:
        return ""
    wkt = grid.crs.to_wkt()
    return _crs_problem(wkt) or _outside_projection(wkt, grid.transform, grid.height, grid.width)


def off_the_map_note(what: str, grid: Grid, problem: str) -> str:
    """Say that a CRS is not used, and why."""
    name = grid.crs.to_string() if grid.crs is not None else "None"
    return (
        f"{what} has the CRS {name if len(name) < LONGEST_NAME else name[:LONGEST_NAME] + '…'}, which is not used: "
        f"{problem}. It lies off the map, and areas are in pixels. Assign the right CRS or reproject it first."
    )


def _local_gsd_m(grid: Grid) -> float | None:
    """Return the side of a pixel in metres by the CRS's own unit of length; None for degrees."""
    import pyproj

    assert grid.crs is not None
    axes = pyproj.CRS.from_wkt(grid.crs.to_wkt()).axis_info
    if not axes or "degree" in axes[0].unit_name or axes[0].unit_name == "unknown":
        return None
    return math.sqrt(grid.pixel_area) * float(axes[0].unit_conversion_factor)


@lru_cache(maxsize=256)
def _crs_problem(wkt: str) -> str:
    import pyproj

    crs = pyproj.CRS.from_wkt(wkt)
    base = crs.sub_crs_list[0] if crs.is_compound else crs
    if base.is_engineering or base.is_vertical or base.is_geocentric:
        return f"{base.type_name} has no longitude and latitude"
    radius = base.ellipsoid.semi_major_metre if base.ellipsoid is not None else EARTH_RADIUS_M
    if abs(radius / EARTH_RADIUS_M - 1) > EARTH_TOLERANCE_FRAC:
        return f"a body of {radius / 1000:,.0f} km radius is not the Earth"
    try:
        lonlat_of(wkt)
    except pyproj.exceptions.ProjError as error:
        return f"PROJ finds no way to longitude and latitude ({error})"
    return ""


@lru_cache(maxsize=256)
def lonlat_of(wkt: str) -> Any:
    """Return the function from (x, y) of a CRS to (longitude, latitude) on WGS 84, degrees.

    Raises:
        pyproj.exceptions.ProjError: If there is none.
    """
    from pyproj import Transformer

    return Transformer.from_crs(wkt, 4326, always_xy=True).transform


@lru_cache(maxsize=1024)
def _outside_projection(wkt: str, transform: Any, height: int, width: int) -> str:
    """Say whether points of the grid have no longitude and latitude; nine of them are tried."""
    x, y = np.meshgrid(np.linspace(0, width, 3), np.linspace(0, height, 3))
    places = np.stack(lonlat_of(wkt)(*(transform @ (x.ravel(), y.ravel()))))
    lost = int((~np.isfinite(places)).any(axis=0).sum())
    return f"{lost} of 9 points of the scene lie outside the projection" if lost else ""


def require_sane(grid: Grid, location: str) -> None:
    """Raise unless the geotransform of a grid can be inverted and lies on the Earth.

    Raises:
        GridError: If it does not.
    """
    numbers = tuple(grid.transform)[:6]
    flat = not all(map(math.isfinite, numbers)) or grid.transform.is_degenerate
    if flat or _off_the_earth(grid):
        raise GridError(
            "The geotransform makes no sense",
            found=f"{location}: {numbers}, CRS {grid.crs.to_string() if grid.crs else None}",
            expected="finite pixel sizes that are not zero, and coordinates that the CRS can hold",
            fix="Assign the right geotransform and CRS first, for example with `rio edit-info`.",
        )


def _off_the_earth(grid: Grid) -> bool:
    if grid.crs is None:
        return False
    corners = [
        grid.transform @ corner for corner in ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))
    ]
    if not grid.crs.is_geographic:
        return any(abs(value) > COORDINATE_LIMIT_M for corner in corners for value in corner)
    return any(abs(x) > 540 or abs(y) > 90.5 for x, y in corners)  # noqa: PLR2004 (degrees, with a margin)


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

    def __call__(self, window: Window) -> Any:
        """Return the raw pixels [C, H, W] of a window."""
        try:
            with open_raster(self.path) as file, self._on_grid(file) as pixels:
                shape = (len(self.indexes), *self._shape_of(window))
                return pixels.read(list(self.indexes), window=window, out_shape=shape)
        except RasterioError as error:
            raise self._damaged(window, error) from error

    def mask(self, window: Window) -> Any:
        """Return bool [1, H, W], True where the file's own mask says data."""
        try:
            with open_raster(self.path) as file, self._on_grid(file) as pixels:
                return pixels.read_masks([1], window=window, out_shape=(1, *self._shape_of(window))) > 0
        except RasterioError as error:
            raise self._damaged(window, error) from error

    @property
    def has_overviews(self) -> bool:
        """Whether the file holds itself on fewer pixels too, so that it is quickly read from far away."""
        with open_raster(self.path) as file:
            return bool(file.overviews(self.indexes[0]))

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
            **_source_place(file),
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
