"""Where a user says yes and no: points, boxes, polygons or a brushed mask become pixels of a scene, place by place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from spex_nb.errors import GridError, RegionError
from spex_nb.regions.polygon_sources import read_polygons

if TYPE_CHECKING:
    import geopandas as gpd

MOST_PX_A_PLACE = 200
"""Pixels that are drawn from a polygon or a brushed place, at most."""
NEAR_PX = 5
"""Places nearer to each other than this are one place when examples are held out."""
POINT, BOX = 2, 4
"""Numbers of a point (x, y) and of a box (left, top, right, bottom)."""

Pixels = NDArray[np.int64]
"""[N, 2]: row and column."""


@dataclass(frozen=True)
class MarkedPixels:
    """Pixels of one scene that a user marked as yes or as no.

    Attributes:
        positions: int64 [N, 2], row and column.
        truth: bool [N], True for yes.
        marks: int64 [N], the number of the click, box or polygon that each pixel comes from.
    """

    positions: Pixels
    truth: NDArray[np.bool_]
    marks: NDArray[np.int64]


def marked_pixels(scene: xr.Dataset, yes: Any, no: Any, crs: Any = None, seed: int = 0) -> MarkedPixels:
    """Return the pixels that examples lie on.

    Args:
        scene: Bands [H, W].
        yes: Examples of the class: positions (x, y) or boxes (left, top, right, bottom) in pixels; a mask bool [H, W];
            geometries, a table of them or a vector file.
        no: Examples of everything else, in the same forms.
        crs: Of geometries that state none.
        seed: Of the draw from large places.

    Raises:
        RegionError: If an example lies outside of the scene, is neither of these forms, or is yes and no at once.
        GridError: If geometries and scene do not share a map.
    """
    groups = [
        (places, is_yes) for is_yes, source in ((True, yes), (False, no)) for places in _places(source, scene, crs)
    ]
    generator = np.random.default_rng(seed)
    thinned = [(_thinned(pixels, generator), is_yes) for pixels, is_yes in groups]
    marked = MarkedPixels(
        np.concatenate([np.empty((0, 2), np.int64), *[pixels for pixels, _ in thinned]]),
        np.concatenate([np.empty(0, bool), *[np.full(len(pixels), is_yes) for pixels, is_yes in thinned]]),
        np.concatenate([np.empty(0, np.int64), *[np.full(len(p), number) for number, (p, _) in enumerate(thinned)]]),
    )
    _require_no_contradiction(marked, scene.spex.shape)
    return marked


def mark_weights(marks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much each pixel counts: a place of n pixels as much as the root of n clicks."""
    _, inverse, counts = np.unique(marks, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1 / np.sqrt(counts[inverse])
    return weights


def places_of(positions: Pixels) -> NDArray[np.int64]:
    """Return the number of the place of each pixel, int64 [N]; pixels within 5 px of each other share one."""
    if not len(positions):
        return np.empty(0, np.int64)
    near = cKDTree(positions).sparse_distance_matrix(cKDTree(positions), NEAR_PX, output_type="coo_matrix")
    _, places = connected_components(near, directed=False)
    return np.asarray(places, np.int64)


def _places(source: Any, scene: xr.Dataset, crs: Any) -> list[Pixels]:
    if source is None:
        return []
    if isinstance(source, xr.DataArray):
        source = source.values
    if isinstance(source, np.ndarray) and source.dtype == bool:
        return _places_of_mask(source, scene.spex.shape)
    if numbers := _numbers(source):
        return [_pixels_of_numbers(entry, scene.spex.shape) for entry in numbers]
    if not isinstance(source, str | Path) and hasattr(source, "__len__") and not len(source):
        return []
    frame = read_polygons(source, crs, scene_crs=scene.spex.crs)
    return _pixels_of_frame(frame, scene)


def _numbers(source: Any) -> list[tuple[float, ...]]:
    """Return positions and boxes in pixels; nothing for other sources."""
    if isinstance(source, np.ndarray) and source.dtype.kind in "iuf" and source.ndim == POINT:
        source = source.tolist()
    if not isinstance(source, Sequence) or isinstance(source, str) or not source:
        return []
    if all(isinstance(entry, int | float | np.number) for entry in source):
        source = [source]
    are_numbers = all(
        isinstance(entry, Sequence)
        and len(entry) in (POINT, BOX)
        and all(isinstance(number, int | float | np.number) for number in entry)
        for entry in source
    )
    return [tuple(map(float, entry)) for entry in source] if are_numbers else []


def _pixels_of_numbers(entry: tuple[float, ...], shape: tuple[int, int]) -> Pixels:
    if not all(map(math.isfinite, entry)):
        raise _outside(entry, shape)
    left, top, right, bottom = entry if len(entry) == BOX else (*entry, *entry)
    rows = np.arange(max(0, math.floor(top)), min(shape[0], max(math.ceil(bottom), math.floor(top) + 1)))
    columns = np.arange(max(0, math.floor(left)), min(shape[1], max(math.ceil(right), math.floor(left) + 1)))
    if not len(rows) or not len(columns):
        raise _outside(entry, shape)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)


def _places_of_mask(mask: NDArray[np.bool_], shape: tuple[int, int]) -> list[Pixels]:
    if mask.shape != shape:
        raise RegionError(
            "The mask of examples is not of this scene",
            found=f"{mask.shape} pixels",
            expected=f"{shape}",
            fix="Brush it on the same scene.",
        )
    numbers, count = label(mask)
    return [np.argwhere(numbers == number) for number in range(1, count + 1)]


def _pixels_of_frame(frame: gpd.GeoDataFrame, scene: xr.Dataset) -> list[Pixels]:
    crs, shape = scene.spex.crs, scene.spex.shape
    if frame.crs is not None and crs is None:
        raise GridError(
            "The examples lie on the map, and the scene does not",
            found=f"geometries in {frame.crs.name}, and a scene without CRS",
            expected="both on the map, or positions (x, y) in pixels",
            fix="Give the scene a CRS and transform, or the examples in pixels.",
        )
    placed = frame if frame.crs is None else frame.to_crs(crs.to_wkt())
    to_pixels = ~scene.spex.transform if crs is not None else Affine.identity()
    return [_pixels_of_geometry(geometry, to_pixels, shape) for geometry in placed.geometry]


def _pixels_of_geometry(geometry: Any, to_pixels: Affine, shape: tuple[int, int]) -> Pixels:
    """Return the pixels under a geometry: those whose centres a polygon holds, or all that a point or line touches."""
    from rasterio.features import rasterize
    from shapely.affinity import affine_transform

    if geometry is None or geometry.is_empty:
        raise _outside("an empty geometry", shape)
    a, b, c, d, e, f = tuple(to_pixels)[:6]
    outline = affine_transform(geometry, [a, b, d, e, c, f])
    left, top, right, bottom = outline.bounds
    if not all(map(math.isfinite, outline.bounds)):
        raise _outside(geometry.wkt[:60], shape)
    low = max(0, math.floor(top)), max(0, math.floor(left))
    size = min(shape[0], math.floor(bottom) + 1) - low[0], min(shape[1], math.floor(right) + 1) - low[1]
    if min(size) < 1:
        raise _outside(geometry.wkt[:60], shape)
    corner = Affine.translation(low[1], low[0])
    burnt = rasterize([(outline, 1)], size, transform=corner, dtype="uint8", all_touched=outline.area == 0)
    pixels = np.argwhere(burnt == 1) + low
    return pixels if len(pixels) else _pixel_of_centre(outline, shape)


def _pixel_of_centre(outline: Any, shape: tuple[int, int]) -> Pixels:
    """Return the pixel under a polygon that is smaller than one."""
    point = outline.representative_point()
    row, column = math.floor(point.y), math.floor(point.x)
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise _outside(outline.wkt[:60], shape)
    return np.array([[row, column]], np.int64)


def _thinned(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    if len(pixels) <= MOST_PX_A_PLACE:
        return pixels
    return pixels[np.sort(generator.choice(len(pixels), MOST_PX_A_PLACE, replace=False))]


def _require_no_contradiction(marked: MarkedPixels, shape: tuple[int, int]) -> None:
    flat = marked.positions[:, 0] * shape[1] + marked.positions[:, 1]
    both = np.intersect1d(flat[marked.truth], flat[~marked.truth])
    if len(both):
        row, column = divmod(int(both[0]), shape[1])
        raise RegionError(
            "A pixel is an example of the class and of everything else",
            found=f"{len(both)} such pixels, among them column {column}, row {row}",
            expected="yes or no for each pixel",
            fix="Take the example out of one of the two.",
        )


def _outside(entry: object, shape: tuple[int, int]) -> RegionError:
    return RegionError(
        "An example lies outside of the scene",
        found=f"{entry}",
        expected=f"a place within {shape[1]} columns and {shape[0]} rows; positions are (x, y) in pixels",
        fix="Move it, or say which CRS its numbers are in.",
    )
