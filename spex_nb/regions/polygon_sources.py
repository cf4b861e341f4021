"""Polygons that a user brings: a vector file, a table, geometries, or a rectangle, each with its CRS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb.errors import GridError, RegionError, SourceNotFoundError, UnreadableSourceError
from spex_nb.scene.windows.locations import is_pipe
from spex_nb.scene.windows.network import names_address
from spex_nb.scene.windows.pointers import vector_pointer

if TYPE_CHECKING:
    import geopandas as gpd

PARQUET = (".parquet", ".geoparquet")
RECTANGLE = 4
"""Numbers of a rectangle: left, bottom, right, top."""


def read_polygons(
    source: Any, crs: Any = None, *, layer: str | None = None, scene_crs: Any = None, option: str = "crs"
) -> gpd.GeoDataFrame:
    """Return what a user brings as a table of geometries with a CRS.

    Args:
        source: A path of a vector file; a GeoDataFrame or GeoSeries; one shapely geometry or several; a rectangle
            (left, bottom, right, top); or a GeoJSON object in memory.
        crs: Of ``source`` where it states none, such as ``EPSG:4326``.
        layer: Of a file that has several.
        scene_crs: What geometries in memory are in where neither they nor ``crs`` say it; None for pixels, y down.
        option: Name of the argument that ``crs`` comes from, for messages.

    Returns:
        One row a geometry, with the columns of the source.

    Raises:
        SourceNotFoundError: If there is no such file.
        UnreadableSourceError: If a file holds no vector layer, or several and none is named.
        GridError: If a file states no CRS and none is given, two CRS contradict each other, or ``crs`` is none.
        RegionError: If ``source`` is nothing of the above.
    """
    if isinstance(source, str | Path):
        frame = _read_file(source, layer)
        if frame.crs is None and crs is None and scene_crs is not None:
            raise _without_crs(source, option)
    else:
        frame = _as_frame(source)
    given = _as_crs(crs, option)
    if frame.crs is not None and given is not None and frame.crs != given:
        raise GridError(
            "Two CRS are given for the polygons",
            found=f"{_name(given)} as an argument, {_name(frame.crs)} in the polygons",
            expected="the CRS of the polygons",
            fix="Leave the argument out.",
        )
    if frame.crs is not None:
        return frame
    implied_crs = given or _as_crs(scene_crs)
    return frame if implied_crs is None else frame.set_crs(implied_crs)


def _read_file(path: str | Path, layer: str | None) -> gpd.GeoDataFrame:
    import geopandas as gpd
    from pyogrio.errors import DataLayerError, DataSourceError

    place = Path(path)
    if not place.exists():
        fix = "Download the file first." if names_address(str(path)) else "Check the path."
        raise SourceNotFoundError(
            "There is no such vector file", found=str(path), expected="a file on this machine", fix=fix
        )
    if is_pipe(place):
        raise _unreadable(path, "a pipe or a device, which cannot be read in any order")
    if pointer := vector_pointer(place):
        raise _unreadable(path, pointer)
    try:
        if place.suffix.lower() in PARQUET:
            return gpd.read_parquet(place)
        return gpd.read_file(place, layer=_layer_of(place, layer))
    except (DataSourceError, DataLayerError, OSError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(path, " ".join(str(error).split())) from error


def _layer_of(path: Path, layer: str | None) -> str:
    """Return the one layer with geometries, or the one that is named.

    Raises:
        UnreadableSourceError: If there is none, or none is named of several.
    """
    import pyogrio

    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if layer in layers:
        return str(layer)
    if layer is None and len(layers) == 1:
        return layers[0]
    if not layers:
        raise _unreadable(path, "it has no layer with geometries")
    raise UnreadableSourceError(
        "The vector file leaves open which layer is meant",
        found=f"{path}, with {', '.join(layers)}",
        expected="one layer with geometries" if layer is None else f"a layer {layer!r} with geometries",
        fix="Name one of its layers by layer= (--layer), or save that layer as a file.",
    )


def _as_frame(source: Any) -> gpd.GeoDataFrame:
    """Return geometries in memory as a table.

    Raises:
        RegionError: If they are no geometries.
    """
    import geopandas as gpd
    import shapely

    if isinstance(source, gpd.GeoDataFrame):
        if source.active_geometry_name is None:
            raise _no_polygons("a GeoDataFrame without geometries")
        return source.copy()
    if isinstance(source, gpd.GeoSeries):
        return gpd.GeoDataFrame(geometry=source)
    if isinstance(source, shapely.Geometry):
        return gpd.GeoDataFrame(geometry=[source])
    if isinstance(source, Mapping):
        return _from_geojson(source)
    if _is_rectangle(source):
        return gpd.GeoDataFrame(geometry=[_rectangle(source)])
    is_several = isinstance(source, Sequence | np.ndarray) and not isinstance(source, bytes)
    if is_several and all(isinstance(item, shapely.Geometry) or item is None for item in source):
        return gpd.GeoDataFrame(geometry=list(source))
    raise _no_polygons(f"{type(source).__name__} {str(source)[:60]}")


def _is_rectangle(source: Any) -> bool:
    is_row = isinstance(source, Sequence | np.ndarray) and not isinstance(source, str | bytes)
    return is_row and len(source) == RECTANGLE and all(isinstance(item, int | float | np.number) for item in source)


def _rectangle(bounds: Any) -> Any:
    import shapely

    left, bottom, right, top = map(float, bounds)
    if not (np.isfinite([left, bottom, right, top]).all() and left < right and bottom < top):
        raise RegionError(
            "These numbers are no rectangle",
            found=f"left {left:g}, bottom {bottom:g}, right {right:g}, top {top:g}",
            expected="left below right, and bottom below top",
            fix="Give (left, bottom, right, top).",
        )
    return shapely.box(left, bottom, right, top)


def _from_geojson(source: Mapping[str, Any]) -> gpd.GeoDataFrame:
    import geopandas as gpd
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        if source.get("type") == "FeatureCollection":
            return gpd.GeoDataFrame.from_features(source["features"])
        if source.get("type") == "Feature":
            return gpd.GeoDataFrame.from_features([source])
        return gpd.GeoDataFrame(geometry=[shape(source)])
    except (ShapelyError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _no_polygons(f"an object that is no GeoJSON ({error})") from error


def _as_crs(crs: Any, option: str = "crs") -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if crs is None:
        return None
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise GridError(
            "This is no CRS",
            found=str(crs)[:80],
            expected="a code such as EPSG:4326, or WKT",
            fix=f"Correct {_argument(option)}.",
        ) from error


def _name(crs: Any) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)


def _argument(option: str) -> str:
    return f"{option}= (--{option.replace('_', '-')})"


def _without_crs(path: str | Path, option: str) -> GridError:
    return GridError(
        "The vector file states no CRS",
        found=str(path),
        expected="polygons with a CRS, since the scene has one",
        fix=f"Give it by {_argument(option)}, such as EPSG:4326.",
    )


def _unreadable(path: str | Path, reason: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        "The vector file cannot be read",
        found=f"{path}: {reason}",
        expected="a GeoPackage, GeoJSON, Shapefile, GeoParquet or another vector file",
        fix="Save the polygons as a GeoPackage.",
    )


def _no_polygons(description: str) -> RegionError:
    return RegionError(
        "These are no polygons",
        found=description,
        expected="a path, a GeoDataFrame, shapely geometries, or (left, bottom, right, top)",
        fix="Give one of these.",
    )
