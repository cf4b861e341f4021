"""Where a raster lies on the map: control points, sidecars, odd CRS, and grids that cannot be on the Earth."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_gcps

from spex_nb.errors import GridError
from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.locations import is_remote
from spex_nb.scene.windows.network import gdal_options

FEWEST_POINTS = 3
"""Ground control points that a first-order fit needs."""
UTM_LIMIT_DEGREES = 84
"""Beyond this latitude there are no UTM zones."""
LONGEST_NAME = 60
EARTH_RADIUS_M = 6_378_137.0
EARTH_TOLERANCE_FRAC = 0.01
"""No ellipsoid or sphere of the Earth in use differs more from WGS 84; Venus differs by 5 %."""
SMALLEST_PIXEL_M = 1e-3
"""No camera that looks at land has smaller pixels."""
COORDINATE_LIMIT_M = 1e9
"""No projected coordinate of the Earth lies this far out."""


def grid_by_control_points(file: Any) -> Grid | None:
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


def source_place(file: Any) -> dict[str, Any]:
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


def place_notes(location: str, file: Any, by_points: Grid | None) -> Iterator[str]:
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
    """Say what of a GeoTIFF an ``.aux.xml`` beside it overrides, for GDAL prefers it: place, scale, offset, no data."""
    sidecar = Path(f"{location}.aux.xml")
    if is_remote(location) or file.driver != "GTiff" or not sidecar.exists():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with (
            gdal_options({"GDAL_PAM_ENABLED": "NO"}),
            rasterio.open(location, GEOREF_SOURCES="INTERNAL") as inside,
        ):
            internal = Grid(inside.height, inside.width, inside.transform, inside.crs)
            yield from _overridden_numbers(sidecar.name, file, inside)
    if internal.transform.is_identity and internal.crs is None:
        return
    if not internal.matches(Grid(file.height, file.width, file.transform, file.crs)):
        yield (
            f"{sidecar.name} overrides the georeference in {Path(location).name} itself: pixels of "
            f"{abs(file.transform.a):g} in place of {abs(internal.transform.a):g} map units, "
            f"origin ({file.transform.c:g}, {file.transform.f:g}) "
            f"in place of ({internal.transform.c:g}, {internal.transform.f:g}). "
            "Remove the sidecar if the file is right."
        )


def _overridden_numbers(sidecar: str, file: Any, inside: Any) -> Iterator[str]:
    """Say which statements about its numbers a GeoTIFF makes itself that a sidecar overrides."""
    statements = {
        "scale": (file.scales, inside.scales, 1.0),
        "offset": (file.offsets, inside.offsets, 0.0),
        "number of no data": (file.nodatavals, inside.nodatavals, None),
    }
    changes = [
        f"{name} {used} in place of {stated} in band {band}"
        for name, (now, before, usual) in statements.items()
        for band, (used, stated) in enumerate(zip(now, before, strict=True), start=1)
        if stated != usual and repr(used) != repr(stated)
    ]
    if changes:
        more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
        yield (
            f"{sidecar} overrides what {Path(file.name).name} itself says of its numbers: "
            f"{', '.join(changes[:SHOWN_CHANGES])}{more}. Remove the sidecar if the file is right."
        )


SHOWN_CHANGES = 3


def off_the_map(grid: Grid) -> str:
    """Return why a grid with a CRS cannot be brought to longitude and latitude; an empty string where it can.

    Engineering, vertical and geocentric CRS, other celestial bodies, coordinates outside the projection or of another
    unit, and a CRS without a geotransform.
    """
    if grid.crs is None:
        return ""
    if grid.transform.is_identity:
        return "no geotransform goes with it"
    wkt = grid.crs.to_wkt()
    place = (wkt, grid.transform, grid.height, grid.width)
    return _crs_problem(wkt) or _outside_projection(*place) or _without_ground(*place)


def off_the_map_note(what: str, grid: Grid, problem: str) -> str:
    """Say that a CRS is not used, and why."""
    name = grid.crs.to_string() if grid.crs is not None else "None"
    return (
        f"{what} has the CRS {name if len(name) < LONGEST_NAME else name[:LONGEST_NAME] + '…'}, which is not used: "
        f"{problem}. It lies off the map, and areas are in pixels. Assign the right CRS or reproject it first."
    )


def local_gsd_m(grid: Grid) -> float | None:
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


@lru_cache(maxsize=1024)
def _without_ground(wkt: str, transform: Any, height: int, width: int) -> str:
    """Say whether the pixel in the middle is too small for any camera, as degrees taken for metres make it."""
    from pyproj import Geod

    column, row = width / 2, height / 2
    places = [transform @ corner for corner in ((column, row), (column + 1, row), (column, row + 1))]
    longitudes, latitudes = lonlat_of(wkt)(*np.array(places).T)
    _, _, sides = Geod(ellps="WGS84").inv(longitudes[[0, 0]], latitudes[[0, 0]], longitudes[1:], latitudes[1:])
    if min(sides) >= SMALLEST_PIXEL_M:
        return ""
    return f"a pixel has {min(sides):.1g} m on the ground, so that the coordinates must be of another CRS"


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
