"""A result by district: area and share of each target within each polygon, with pixels in part along its outline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spex_nb.errors import OutputError
from spex_nb.extraction import Extraction
from spex_nb.output.files import write_whole
from spex_nb.output.qgis import add_layer_styles, graduated_style
from spex_nb.regions.coverage import pixel_coverage
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.placed_polygons import PlacedPolygons, place_polygons
from spex_nb.regions.polygon_sources import read_polygons
from spex_nb.scene.grid import Grid
from spex_nb.types import MASK_NODATA, SQUARE_METRES
from spex_nb.types.targets import class_rgb

if TYPE_CHECKING:
    import geopandas as gpd

DIGITS = 10
"""Decimals of areas and shares: far below a pixel, and above what sums of floating numbers lose."""
WHOLE_FRAC = 1 - 1e-4
"""No note says what is missing of a district from this share on; the columns do."""
OVERLAP_FRAC = 1e-3
"""Districts overlap if they share more than this part of the smaller one. A common border with other corners on either
side is bent a little differently on another map."""
NOTES = "notes"
"""Key of the attributes of a table, and layer of its GeoPackage, with what holds for the whole table."""
FORMAT_NAMES = ("fid", "geom", "geometry")
"""Names that formats of files keep for themselves."""
TARGETS_KEY = "targets"
"""Key of the attributes of a table with the ids of its targets; QGIS colours districts by the share of the first."""
LAYER = "districts"
CSV_FORMAT = "%.8g"
"""More digits than anybody reads, and fewer than floating numbers have."""


def zonal_table(result: Extraction, districts: Any, *, crs: Any = None, layer: str | None = None) -> gpd.GeoDataFrame:
    """Measure each target of a result within each polygon.

    A pixel on the outline of a polygon counts by the share of it that lies within. Areas are on the ellipsoid. Each
    polygon is measured by itself: where polygons overlap, the sum over them counts ground twice.

    Args:
        result: The result, also one that was edited or checked.
        districts: A path of a vector file; a GeoDataFrame; shapely geometries; or (left, bottom, right, top).
        crs: Of ``districts`` where they state none. Without it geometries in memory are in the CRS of the result, and
            in pixels, y down, where it has none; a file must state it.
        layer: Of a file that has several.

    Returns:
        One row a polygon, in its order and CRS, with its own columns and these: ``district_ha``, area of the polygon;
        ``scene_frac``, the share of it that the scene covers; ``measured_frac`` and ``measured_ha``, where the map has
        data; for each target ``…_ha``, and ``…_frac``, its share of what was measured; ``note``, sentences on what was
        not as usual. What was not measured is NaN. Without a CRS of the Earth the areas are ``…_px``, in pixels.
        ``attrs["notes"]`` says what holds for the whole table.

    Raises:
        SourceNotFoundError, UnreadableSourceError: If the file is missing or no vector file.
        GridError: If a file states no CRS and none is given, or the polygons cannot be brought to that of the result.
        RegionError: If ``districts`` is nothing of the above.
    """
    height, width = result.mask.shape
    grid = Grid(height, width, result.mask.rio.transform(), result.mask.rio.crs)
    frame = read_polygons(districts, crs, layer=layer, scene_crs=grid.crs)
    placed, ground = place_polygons(frame, grid), EqualAreaGrid.of(result.mask)
    sums = np.array([_areas_of_classes(shape, result, ground) for shape in placed.shapes]).reshape(
        len(frame), len(result.class_names) + 2
    )
    unit, size = ("px", 1.0) if ground is None else ("ha", SQUARE_METRES["ha"])
    columns = _columns(placed, sums, [*result.class_names], unit, size)
    columns["note"] = _row_notes(placed, columns, result)
    table = _with_own_names(frame, columns).assign(**columns)
    table.attrs |= {NOTES: [*_table_notes(result)], TARGETS_KEY: [*result.class_names]}
    return table[[name for name in table.columns if name != table.geometry.name] + [table.geometry.name]]


def _with_own_names(frame: gpd.GeoDataFrame, columns: Collection[str]) -> gpd.GeoDataFrame:
    """Return districts whose columns have names that no other column and no file format needs.

    Args:
        frame: The districts. Further geometries become text.
        columns: Names that the table adds.
    """
    geometry = frame.geometry.name
    taken, names = {name.casefold() for name in (*columns, *FORMAT_NAMES, str(geometry))}, []
    for name in frame.columns:
        free = str(name)
        while name != geometry and free.casefold() in taken:
            free = f"district_{free}"
        taken.add(free.casefold())
        names.append(free)
    renamed = frame.set_axis(names, axis="columns").set_geometry(str(geometry))
    texts = {
        name: renamed[name].astype(str) for name in names if name != geometry and renamed[name].dtype == "geometry"
    }
    return renamed.assign(**texts)


def save_zonal_table(table: gpd.GeoDataFrame, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a table of `zonal_table`.

    Args:
        table: One row a polygon, with areas, shares and notes.
        path: The file to write: ``.csv`` without the polygons, ``.gpkg`` or ``.parquet`` with them. A GeoPackage holds
            the notes of the table as a second layer.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        OutputError: If the suffix is none of these, or the path cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in WRITERS:
        raise OutputError(
            "Tables of districts are not written in this format",
            found=target.name,
            expected=f"a name that ends with {', '.join(WRITERS)}",
            fix="Change the suffix of the output.",
        )
    with write_whole(target, overwrite) as part:
        WRITERS[target.suffix.lower()](table, part)
    return target


def _write_csv(table: gpd.GeoDataFrame, path: Path) -> None:
    table.drop(columns=table.geometry.name).to_csv(path, index=False, float_format=CSV_FORMAT)


def _write_geopackage(table: gpd.GeoDataFrame, path: Path) -> None:
    import pyogrio

    table.to_file(path, driver="GPKG", layer=LAYER)
    for target in table.attrs.get(TARGETS_KEY, [])[:1]:
        add_layer_styles(path, {LAYER: graduated_style(f"{target}_frac", class_rgb(target))})
    notes = pd.DataFrame({"note": table.attrs.get(NOTES, [])}, dtype=str)
    pyogrio.write_dataframe(notes, path, layer=NOTES, driver="GPKG", append=True)


def _write_parquet(table: gpd.GeoDataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)


WRITERS = {".csv": _write_csv, ".gpkg": _write_geopackage, ".parquet": _write_parquet}
"""By the suffix of the file."""


def _areas_of_classes(shape: Any, result: Extraction, ground: EqualAreaGrid | None) -> NDArray[np.float64]:
    """Return the area of "none", of each class, and of no data within a polygon, in m² or pixels, float64 [n + 2]."""
    mask, count = result.mask.to_numpy(), len(result.class_names) + 2
    numbers = np.arange(MASK_NODATA + 1).clip(max=count - 1)
    sums = np.zeros(count)
    for block in pixel_coverage(shape, mask.shape):
        top, left, height, width = block.window
        classes = numbers[mask[top : top + height, left : left + width]]
        areas = block.shares if ground is None else block.shares * ground.window_areas_m2(block.window)
        sums += np.bincount(classes.ravel(), areas.ravel(), count)
    return sums


def _columns(
    placed: PlacedPolygons, sums: NDArray[np.float64], classes: list[str], unit: str, size: float
) -> dict[str, Any]:
    """Return the measured columns by their names; NaN where nothing was measured.

    Args:
        placed: The polygons.
        sums: float64 [N, n + 2], see `_areas_of_classes`.
        classes: Ids of the targets.
        unit: Suffix of the areas.
        size: Of the unit.
    """
    measured = sums[:, :-1].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = np.where(placed.is_inside, 1.0, np.minimum(sums.sum(axis=1) / placed.areas_m2, 1.0))
        has_data = np.round(sums[:, -1] / size, DIGITS) > 0
        measured_frac = np.where(has_data, whole * measured / sums.sum(axis=1), whole)
        shares = sums[:, 1:-1] / measured[:, None]
    is_measured = np.round(measured / size, DIGITS) > 0
    scene_frac = np.where(placed.areas_m2 > 0, whole, np.nan)
    columns = {
        f"district_{unit}": np.where(placed.areas_m2 > 0, placed.areas_m2 / size, np.nan),
        "scene_frac": scene_frac,
        "measured_frac": np.where(is_measured, measured_frac, np.where(np.isnan(scene_frac), np.nan, 0.0)),
        f"measured_{unit}": measured / size,
    }
    for number, name in enumerate(classes):
        columns[f"{name}_{unit}"] = np.where(is_measured, sums[:, number + 1] / size, np.nan)
        columns[f"{name}_frac"] = np.where(is_measured, shares[:, number], np.nan)
    return {name: np.round(values, DIGITS) for name, values in columns.items()}


def _row_notes(placed: PlacedPolygons, columns: Mapping[str, Any], result: Extraction) -> list[str]:
    """Return for each polygon what is not as usual, as sentences."""
    untrusted = [result.class_names.get(name, name) for name in _untrusted(result)]
    doubts = [f"The answer for {name} cannot be trusted." for name in untrusted]
    partners = _overlapping(placed)
    rows = zip(placed.problems, columns["scene_frac"], columns["measured_frac"], partners, strict=True)
    return [" ".join([*_notes_of(*row), *doubts]) for row in rows]


def _notes_of(problem: str, scene_frac: float, measured_frac: float, partners: int) -> Iterator[str]:
    if problem:
        yield f"The polygon: {problem}."
    if scene_frac == 0:
        yield "It lies outside of the scene: nothing was measured."
    elif scene_frac < WHOLE_FRAC:
        yield f"The scene covers {_percent(scene_frac)} of it."
    if scene_frac > 0 and measured_frac < scene_frac * WHOLE_FRAC:
        yield f"The map has no data on {_percent(scene_frac - measured_frac)} of it."
    if partners:
        yield f"It overlaps {partners} other polygon{'' if partners == 1 else 's'}: a sum counts that ground twice."


def _percent(share: float) -> str:
    """Return a share as per cent, with the digits that keep it apart from none and from all."""
    if share in {0, 1}:
        return f"{share:.0%}"
    digits = max(1, -int(np.floor(np.log10(min(share, 1 - share)))) - 2)
    return f"{share:.{digits}%}"


def _untrusted(result: Extraction) -> list[str]:
    """Return the ids of the targets whose whole answer cannot be trusted."""
    return [
        explanation.target
        for explanation in result.explanations
        if any(fact.id == "trust" for fact in explanation.facts)
    ]


def _overlapping(placed: PlacedPolygons) -> NDArray[np.int64]:
    """Return for each polygon with how many others it shares more ground than rounding explains, int64 [N]."""
    import shapely

    shapes = placed.shapes
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    first, second = first[first < second], second[first < second]
    meets_inside = shapely.relate_pattern(shapes[first], shapes[second], "T********")
    first, second = first[meets_inside], second[meets_inside]
    shared = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    smaller = np.minimum(shapely.area(shapes[first]), shapely.area(shapes[second]))
    overlaps = shared > OVERLAP_FRAC * smaller
    both = np.concatenate([first[overlaps], second[overlaps]])
    partners: NDArray[np.int64] = np.bincount(both, minlength=len(shapes))
    return partners


def _table_notes(result: Extraction) -> Iterator[str]:
    """Yield what holds for the whole table."""
    yield f"The areas are counted on the mask of: {result.instruction.meaning}."
    if result.instruction.filters or any(result.instruction.own_filters.values()):
        yield "The mask shows only the regions that meet the instruction, and not all of the land cover."
    if result.failures:
        yield f"{len(result.failures)} tiles failed; they count as no data."
    for name in _untrusted(result):
        yield f"The answer for {result.class_names.get(name, name)} cannot be trusted."
    for name, figures in result.evidence.items():
        if figures.area_interval is not None and name in result.class_names:
            yield (
                f"Checked points estimate {result.class_names[name]} at {figures.area_interval} in the whole map. "
                "This interval holds for the whole map and for no single district."
            )
