"""Neighbouring results as one map. Where they overlap, their probabilities are blended, so that no seam shows.

The weight of a result grows from its edge inwards. Where all results agree, their class stays. Where they differ, the
blended probability decides among the classes that one of them has there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from spex_nb.errors import ExtractionError, GridError
from spex_nb.extraction.result import NOTHING_RGB, Extraction
from spex_nb.extraction.storage import load_extraction
from spex_nb.output.export import save_cog, save_geopackage
from spex_nb.output.files import write_folder_whole
from spex_nb.output.qgis import LegendClass, categorized_style
from spex_nb.regions.find import find_regions, regions_frame
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid
from spex_nb.types import MASK_NODATA, SQUARE_METRES
from spex_nb.types.targets import class_rgb

if TYPE_CHECKING:
    import geopandas as gpd

SUMMARY = "mosaic.json"
"""File that tells the folder of a mosaic from others."""
BLOCK_PX = 2048
RAMP_PX = 256
"""Distance from the edge of a result over which its weight grows."""
LEAST_WEIGHT = 1e-6
"""Of a pixel with data it is larger."""
SUREST = 1e-4
"""Nearest that a probability comes to 0 or 1 before it is blended."""
OFF_GRID_PX = 0.01
"""How far pixels of two results may lie apart."""


@dataclass(frozen=True)
class Mosaic:
    """One map of neighbouring results.

    Attributes:
        mask: uint8 [H, W]: 0 none, 1 … n the classes, 255 no data.
        regions: One row a region of the whole map, as in `Extraction`: target, area_px, area_m2 and so on.
        class_names: Id of each class, and what it is called.
        areas_ha: Hectares of each class; empty without a CRS.
        notes: What one should know of the results.
        sources: Folders of the results.
    """

    mask: xr.DataArray
    regions: gpd.GeoDataFrame
    class_names: dict[str, str]
    areas_ha: dict[str, float]
    notes: tuple[str, ...]
    sources: tuple[str, ...]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``mask.tif``, ``regions.gpkg`` and ``mosaic.json`` into a folder, whole or not.

        Args:
            folder: The folder to write.
            overwrite: Whether an existing mosaic is replaced.

        Raises:
            OutputError: If the folder exists and may not be replaced, or cannot be written.
        """
        legend = [LegendClass(name, title, class_rgb(name)) for name, title in self.class_names.items()]
        numbered = [LegendClass(str(n), entry.label, entry.rgb) for n, entry in enumerate(legend, start=1)]
        colors = {0: NOTHING_RGB} | {n: entry.rgb for n, entry in enumerate(legend, start=1)}
        columns = [str(name) for name in self.regions.columns if name != "geometry"]
        with write_folder_whole(folder, overwrite, SUMMARY) as part:
            nothing = LegendClass("0", "none", NOTHING_RGB, is_empty=True)
            save_cog(self.mask, part / "mask.tif", colors=colors, legend=[nothing, *numbered])
            style = categorized_style("target", legend, columns)
            save_geopackage(self.regions, part / "regions.gpkg", style=style)
            payload = {"classes": self.class_names, "areas_ha": self.areas_ha, "notes": self.notes}
            text = json.dumps(payload | {"sources": self.sources}, indent=1, ensure_ascii=False)
            (part / SUMMARY).write_text(text, encoding="utf-8")
        return Path(folder)


def mosaic_results(folders: Sequence[str | Path]) -> Mosaic:
    """Join neighbouring results of one instruction and model into one map.

    Args:
        folders: The folders of saved results, on pixels of one grid, such as tiles of one UTM zone.

    Returns:
        The map. Its regions are found on the whole, so that one that a border cuts counts once.

    Raises:
        ExtractionError: If there are none, they answer different things, or a filter chose among regions that a border
            may cut.
        GridError: If their pixels are not those of one grid.
    """
    results = [load_extraction(folder) for folder in folders]
    _require_alike(results)
    union = _union([_grid_of(result) for result in results])
    threshold = float(results[0].provenance["parameters"]["threshold"])
    pixels = np.full((union.height, union.width), MASK_NODATA, np.uint8)
    for rows, columns in _blocks(union):
        pixels[rows, columns] = _joined(results, union, rows, columns, threshold)
    mask = on_grid(xr.DataArray(pixels, dims=("y", "x"), name="mask"), union)
    regions = _regions(mask, results[0])
    sums = regions.groupby("target")["area_m2"].sum() if union.crs is not None else {}
    areas = {name: float(area) / SQUARE_METRES["ha"] for name, area in sums.items()}
    pairs = zip(folders, results, strict=True)
    notes = dict.fromkeys(f"{Path(folder).name}: {note}" for folder, result in pairs for note in _notes(result))
    return Mosaic(mask, regions, dict(results[0].class_names), areas, tuple(notes), tuple(map(str, folders)))


def _notes(result: Extraction) -> Iterator[str]:
    if result.is_untrusted:
        yield "the whole answer cannot be trusted."
    yield from result.notes


def _require_alike(results: Sequence[Extraction]) -> None:
    """Raise unless results can be one map."""
    if not results:
        raise ExtractionError("There is nothing to join", found="no result", expected="two or more", fix="Name them.")
    first = results[0]
    for result in results:
        facts, expected = _request_of(result), _request_of(first)
        if facts != expected:
            raise ExtractionError(
                "The results answer different things",
                found=f"{facts} for {result.provenance['scene']}",
                expected=f"{expected}: classes, model and threshold",
                fix="Extract all scenes by one instruction and one model.",
            )
        if result.instruction.filters or result.instruction.own_filters:
            raise ExtractionError(
                "A filter chose among regions that a border may cut",
                found=result.instruction.meaning,
                expected="an instruction without a size, number, place or shape",
                fix="Extract without the filter, join the results, and choose among the regions of the mosaic.",
            )


def _request_of(result: Extraction) -> tuple[list[str], str, float]:
    """Return classes, model and threshold of a result."""
    provenance = result.provenance
    return [*result.class_names], str(provenance["model_hash"]), float(provenance["parameters"]["threshold"])


def _grid_of(result: Extraction) -> Grid:
    height, width = result.mask.shape
    return Grid(height, width, result.mask.rio.transform(), result.mask.rio.crs)


def _union(grids: Sequence[Grid]) -> Grid:
    """Return the grid that covers all.

    Raises:
        GridError: If pixels of one lie between those of another.
    """
    first = grids[0]
    offsets = [_offset(first, grid) for grid in grids]
    top, left = min(row for row, _ in offsets), min(column for _, column in offsets)
    bottom = max(row + grid.height for (row, _), grid in zip(offsets, grids, strict=True))
    right = max(column + grid.width for (_, column), grid in zip(offsets, grids, strict=True))
    return Grid(bottom - top, right - left, first.transform @ Affine.translation(left, top), first.crs)


def _offset(first: Grid, grid: Grid) -> tuple[int, int]:
    """Return row and column of the first pixel of a grid in another one."""
    column, row = ~first.transform @ (grid.transform @ (0, 0))
    steps = np.subtract(tuple(grid.transform)[:6], tuple(first.transform)[:6])[[0, 1, 3, 4]]
    same_steps = np.abs(steps).max() < OFF_GRID_PX / max(grid.height, grid.width) * first.pixel_area**0.5
    apart = max(abs(column - round(column)), abs(row - round(row)))
    if grid.crs != first.crs or not same_steps or apart > OFF_GRID_PX:
        raise GridError(
            "The results do not lie on one grid",
            found=f"pixels of {grid.crs} at {tuple(grid.transform)[:6]}",
            expected=f"pixels of {first.crs} at {tuple(first.transform)[:6]}, moved by whole pixels",
            fix="Bring the scenes onto one grid first, for example with `rio warp --like`, and extract again.",
        )
    return round(row), round(column)


def _blocks(grid: Grid) -> Iterator[tuple[slice, slice]]:
    for top in range(0, grid.height, BLOCK_PX):
        for left in range(0, grid.width, BLOCK_PX):
            yield slice(top, min(top + BLOCK_PX, grid.height)), slice(left, min(left + BLOCK_PX, grid.width))


def _joined(
    results: Sequence[Extraction], union: Grid, rows: slice, columns: slice, threshold: float
) -> NDArray[np.uint8]:
    """Return a block of the joined mask, uint8 [h, w]."""
    count, shape = len(results[0].class_names), (rows.stop - rows.start, columns.stop - columns.start)
    logits, weights = np.zeros((count, *shape), np.float32), np.zeros(shape, np.float32)
    proposed = np.zeros((count + 1, *shape), bool)
    for result in results:
        part = _Part.of(result, union, rows, columns)
        if part is not None:
            logits[:, *part.inside] += part.weights * part.logits
            weights[part.inside] += part.weights
            for number in range(count + 1):
                proposed[number][part.inside] |= part.mask == number
    blended = (logits / np.maximum(weights, LEAST_WEIGHT)).astype(np.float32)
    return _chosen(blended, proposed, threshold)


def _chosen(logits: NDArray[np.float32], proposed: NDArray[np.bool_], threshold: float) -> NDArray[np.uint8]:
    """Return the class of each pixel: the one that all propose, or the most probable of those that some propose."""
    cut = np.log(threshold / (1 - threshold)) if 0 < threshold < 1 else np.inf * np.sign(threshold - 0.5)
    agree = proposed.sum(0) == 1
    above = np.where(proposed[1:] & (logits >= cut), logits, -np.inf)
    best = np.where(np.isfinite(above.max(0)), above.argmax(0) + 1, 0)
    chosen = np.where(agree, proposed.argmax(0), best).astype(np.uint8)
    chosen[~proposed.any(0)] = MASK_NODATA
    return chosen


@dataclass(frozen=True)
class _Part:
    """What one result has in a block.

    Attributes:
        inside: Rows and columns of the block.
        mask: uint8 [h, w].
        logits: float32 [n, h, w], 0 where there is no data.
        weights: float32 [h, w], 0 where there is no data.
    """

    inside: tuple[slice, slice]
    mask: NDArray[np.uint8]
    logits: NDArray[np.float32]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, result: Extraction, union: Grid, rows: slice, columns: slice) -> _Part | None:
        """Return the part of a result in a block; None where it has none."""
        row, column = _offset(union, _grid_of(result))
        height, width = result.mask.shape
        top, bottom = max(rows.start, row), min(rows.stop, row + height)
        left, right = max(columns.start, column), min(columns.stop, column + width)
        if top >= bottom or left >= right:
            return None
        own_rows, own_columns = slice(top - row, bottom - row), slice(left - column, right - column)
        mask = result.mask[own_rows, own_columns].values
        probability = np.asarray(result.probability[:, own_rows, own_columns])
        has_data = mask != MASK_NODATA
        clipped = np.clip(np.nan_to_num(probability, nan=0.5), SUREST, 1 - SUREST)
        down = _ramp(own_rows, height)[:, None]
        weights = np.minimum(down, _ramp(own_columns, width)[None]) * has_data
        inside = slice(top - rows.start, bottom - rows.start), slice(left - columns.start, right - columns.start)
        return cls(inside, mask, np.log(clipped / (1 - clipped)) * has_data, weights.astype(np.float32))


def _ramp(part: slice, size: int) -> NDArray[np.float32]:
    """Return the weight of rows or columns, which grows from the edges of a result inwards."""
    places = np.arange(part.start, part.stop)
    distances = np.minimum(places, size - 1 - places) + 1
    weights: NDArray[np.float32] = (np.minimum(distances, RAMP_PX) / RAMP_PX).astype(np.float32)
    return weights


def _regions(mask: xr.DataArray, result: Extraction) -> Any:
    """Return the regions of all classes as one table."""
    import pandas as pd

    least = int(result.provenance["parameters"]["min_area_px"])
    frames = []
    for number, name in enumerate(result.class_names, start=1):
        regions = find_regions(mask == number, min_area_px=least, top=None)
        frame = regions_frame(regions, mask)[["area_px", "area_m2", "share_frac", "location", "geometry"]]
        frame.insert(0, "target", name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
