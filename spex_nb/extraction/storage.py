"""A result as a folder, and back: rasters, polygons, and one JSON file for all that is neither."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import dask
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import GridWarning
from spex_nb.extraction.explain import Explanation
from spex_nb.extraction.memory import return_free_memory
from spex_nb.extraction.result import Extraction
from spex_nb.output.export import copy_as_cog, save_cog
from spex_nb.output.files import write_folder_whole
from spex_nb.output.stored_files import (
    COLUMN_TYPE,
    read_arrays,
    read_overview,
    read_regions,
    reading_stored,
    require_plain_file,
)
from spex_nb.scene.open import EAGER_BYTES, on_grid
from spex_nb.scene.windows.rasters import Reading, lazy_bands, probe, read_window
from spex_nb.scene.windows.scene_files import changes_of
from spex_nb.types import MASK_NODATA, Evidence, Filter, Instruction, Statement
from spex_nb.types.typed_json import decode, read_json, require_room

DESCRIPTION, MASK, PROBABILITY = "extraction.json", "mask.tif", "probability.tif"
REGIONS, OVERVIEW, RUNS = "regions.gpkg", "overview.nc", "runs.npz"
DOUBT = "doubt.tif"
FILES = (DESCRIPTION, MASK, PROBABILITY, REGIONS, OVERVIEW, RUNS)
"""What a result's folder holds. Beside them lies `DOUBT`, which results of earlier versions lack."""
FORMAT = 1
CHUNK_PX = 2048
_FILTERS = {kind.__name__: kind for kind in get_args(Filter)}


def save_extraction(result: Extraction, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a result into a folder; all of it or nothing.

    Raises:
        OutputError: If the folder exists and may not be overwritten, holds something else, or cannot be written; if the
            disk is full.
    """
    return_free_memory(result.mask.size)
    # A kernel dies where HDF5 closes a file on a full disk: the overview is made in memory.
    with dask.config.set(scheduler="threads"):  # a cluster has no lock for a file in memory
        overview = bytes(result.overview.to_netcdf(None, engine="h5netcdf"))
    with (
        write_folder_whole(folder, overwrite, DESCRIPTION, needs_bytes=_largest_bytes(result, overview)) as part,
        warnings.catch_warnings(action="ignore", category=GridWarning),  # the result's notes say it
    ):
        return_free_memory(result.mask.size)
        result.to_cog(part / MASK)
        return_free_memory(result.mask.size)
        copy_as_cog(result.probability_file, part / PROBABILITY, discrete=False)
        return_free_memory(result.mask.size)
        if result.doubt is not None:
            with dask.config.set(scheduler="threads"):  # where it is lazy, its rows are packed in this process
                save_cog(result.doubt, part / DOUBT)
        return_free_memory(result.mask.size)
        result.to_geopackage(part / REGIONS)
        (part / OVERVIEW).write_bytes(overview)
        np.savez_compressed(part / RUNS, **_runs_of(result.evidence))
        text = json.dumps(_described(result), indent=1, ensure_ascii=False)
        (part / DESCRIPTION).write_text(text, encoding="utf-8")
    return Path(folder)


def _largest_bytes(result: Extraction, overview: bytes) -> int:
    """Return what writing a result takes at most, beside its polygons: rasters, once more as they are copied."""
    return int(result.mask.size * (2 + 4 * len(result.class_names)) * 8 / 3) + len(overview)


def at_home(result: Extraction, folder: Path) -> Extraction:
    """Return a result whose probability is read from the folder that it was saved in."""
    file = folder / PROBABILITY
    probability = open_probability(file, result.mask, [*result.class_names])
    return replace(result, probability=probability, probability_file=file)


def load_extraction(folder: str | Path) -> Extraction:
    """Read a result that was saved; the probability stays on disk where it is large.

    Raises:
        SourceNotFoundError: If the folder holds no result.
        ExtractionError: If it is damaged, was written by a later version, or holds more than a result: links, programs,
            addresses, more pixels than fit into memory.
    """
    place = Path(folder)
    with reading_stored(place, DESCRIPTION, "result", writer="save()", version=FORMAT, again="extract again"):
        return _loaded(place)


@dataclass(frozen=True)
class StoredRequest:
    """How a stored result compares with a request.

    Attributes:
        holds: ``all`` of it, ``in part`` where tiles failed, or ``no``.
        changes: What differs, one by one: files of the scene, and entries of the provenance.
    """

    holds: Literal["all", "in part", "no"]
    changes: tuple[str, ...] = ()


def compare_request(folder: str | Path, request: Mapping[str, Any]) -> StoredRequest:
    """Return whether a folder holds a result of the same request, and whether tiles failed in it; reads no raster.

    Args:
        folder: Where to look.
        request: Some entries of the provenance; ``parameters`` may hold some of the parameters only. Entries that an
            older version did not store are not compared.
    """
    try:
        payload = json.loads((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
        provenance, failures = payload["provenance"], payload["failures"]
        parameters = {name: provenance["parameters"].get(name) for name in request.get("parameters", ())}
        stored = {**provenance, "parameters": parameters}
        files = changes_of(stored.get("scene_files"), request.get("scene_files"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return StoredRequest("no")
    names = [name for name in request if name in stored and name != "scene_files" and stored[name] != request[name]]
    if files or names:
        return StoredRequest("no", (*files, *(name.replace("_", " ") for name in names)))
    return StoredRequest("in part" if failures else "all")


def open_probability(file: Path, mask: xr.DataArray, classes: Sequence[str]) -> xr.DataArray:
    """Return the probabilities of a file as float32 [n, H, W] on the grid of a mask; lazy where they are large."""
    pixels = _stored_layers(file, len(classes), np.float32, mask.shape)
    coords = {"target": [*classes], **mask.coords}
    return xr.DataArray(pixels, coords, ("target", "y", "x"), "probability")


def _stored_layers(file: Path, count: int, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Return the layers [n, H, W] of a file; a dask array where they are large."""
    height, width = shape
    reading = Reading(str(file), tuple(range(1, count + 1)), driver="GTiff")
    if np.dtype(dtype).itemsize * count * height * width <= EAGER_BYTES:
        return read_window(reading, height, width)
    return lazy_bands(reading, count, dtype, (height, width), (min(CHUNK_PX, height), min(CHUNK_PX, width)))


def _described(result: Extraction) -> dict[str, Any]:
    instruction = result.instruction
    by_target = {target: _flat_filters(filters) for target, filters in instruction.own_filters.items()}
    filters = {"filters": _flat_filters(instruction.filters), "own_filters": by_target}
    return {
        "format": FORMAT,
        "instruction": asdict(replace(instruction, filters=(), own_filters={})) | filters,
        "class_names": dict(result.class_names),
        "explanations": [asdict(explanation) for explanation in result.explanations],
        "evidence": {target: _flat(evidence) for target, evidence in result.evidence.items()},
        "notes": result.notes,
        "failures": dict(result.failures),
        "provenance": dict(result.provenance),
        "mask_attributes": dict(result.mask.attrs),
        "columns": {name: str(kind) for name, kind in result.regions.dtypes.items() if name != "geometry"},
    }


def _runs_of(evidence: Mapping[str, Evidence]) -> dict[str, Any]:
    """Return the runs of each region of the evidence, by target and number."""
    return {
        f"{target} {number}": region.runs
        for target, of_target in evidence.items()
        for number, region in enumerate(of_target.regions)
    }


def _flat(evidence: Evidence) -> dict[str, Any]:
    return asdict(replace(evidence, regions=tuple(replace(region, runs=None) for region in evidence.regions)))


@dataclass(frozen=True)
class _Description:
    """What `extraction.json` holds; every key is known and every value of its type."""

    format: int
    instruction: Mapping[str, Any]
    class_names: Mapping[str, str]
    explanations: tuple[Mapping[str, Any], ...]
    evidence: Mapping[str, Evidence]
    notes: tuple[str, ...]
    failures: Mapping[str, str]
    provenance: Mapping[str, Any]
    mask_attributes: Mapping[str, Any]
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a later format, columns that are no numbers or words, and a result that does not say its making."""
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}")
        strange = [kind for kind in self.columns.values() if not re.fullmatch(COLUMN_TYPE, kind)]
        if strange:
            raise ValueError(f"columns of type {', '.join(strange)}")
        for name in ("scene", "model", "model_hash", "made", "versions.spex-nb"):
            decode(str, _entry(self.provenance, name), f"provenance.{name}")
        decode(int, _entry(self.provenance, "parameters.seed"), "provenance.parameters.seed")


def _entry(tree: Any, path: str) -> Any:
    """Return an entry of nested objects by its dotted name; None where there is none."""
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _loaded(place: Path) -> Extraction:
    for name in FILES:
        require_plain_file(place / name)
    payload = read_json(place / DESCRIPTION)
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise ValueError(f"format {payload.get('format') if isinstance(payload, dict) else type(payload).__name__}")
    description: _Description = decode(_Description, payload)
    instruction = _instruction(description.instruction)
    mask = _mask(place / MASK, description)
    return Extraction(
        mask=mask,
        probability=_probability(place / PROBABILITY, mask, [*description.class_names]),
        regions=_regions(place / REGIONS, description.columns, mask),
        class_names=description.class_names,
        explanations=tuple(_explanation(row, instruction.language) for row in description.explanations),
        evidence=_with_runs(description.evidence, read_arrays(place / RUNS), mask.shape),
        instruction=instruction,
        notes=description.notes,
        failures=description.failures,
        provenance=description.provenance,
        overview=_overview(place / OVERVIEW),
        probability_file=place / PROBABILITY,
        doubt=_doubt(place / DOUBT, mask),
    )


def _doubt(file: Path, mask: xr.DataArray) -> xr.DataArray | None:
    """Return the doubt of a result; None where an earlier version did not measure it."""
    if not file.exists():
        return None
    require_plain_file(file)
    raster = probe(file, driver="GTiff")
    if raster.dtypes != ("uint8",) or (raster.grid.height, raster.grid.width) != mask.shape:
        raise ValueError(f"{file.name} does not belong to the mask")
    return xr.DataArray(_stored_layers(file, 1, np.uint8, mask.shape)[0], mask.coords, mask.dims, "doubt")


def _explanation(payload: Mapping[str, Any], language: str) -> Explanation:
    """Return an explanation; that of an earlier version has one text in place of statements."""
    if "answer" in payload:
        answer = Statement(decode(str, payload["answer"], "answer"), "answer", (), "none")
        payload = {**payload, "statements": [asdict(answer) | {"facts": []}], "language": language}
    fields = {name: value for name, value in payload.items() if name != "answer"}
    explanation: Explanation = decode(Explanation, fields, "explanation")
    return explanation


def _mask(file: Path, description: _Description) -> xr.DataArray:
    raster = probe(file, driver="GTiff")
    size = (raster.grid.height, raster.grid.width)
    if raster.dtypes != ("uint8",) or any(evidence.shape != size for evidence in description.evidence.values()):
        raise ValueError(f"{file.name} is {raster.dtypes} {size}, and the result is of another size")
    require_room(math.prod(size), file.name)
    pixels = read_window(Reading(str(file), (1,), driver="GTiff"), *size)[0]
    is_there = np.zeros(MASK_NODATA + 1, bool)
    is_there[pixels] = True
    strange = is_there[len(description.class_names) + 1 : MASK_NODATA]
    if strange.any():
        raise ValueError(f"{file.name} holds {int(strange.sum())} numbers that are no classes of the result")
    attributes = dict(description.mask_attributes)
    return on_grid(xr.DataArray(pixels, dims=("y", "x"), name="mask", attrs=attributes), raster.grid)


def _probability(file: Path, mask: xr.DataArray, classes: Sequence[str]) -> xr.DataArray:
    raster = probe(file, driver="GTiff")
    size = (raster.grid.height, raster.grid.width)
    if set(raster.dtypes) != {"float32"} or raster.count != len(classes) or size != mask.shape:
        raise ValueError(f"{file.name} is {raster.dtypes} {size}, which does not belong to the mask")
    return open_probability(file, mask, classes)


def _overview(file: Path) -> xr.Dataset:
    overview = read_overview(file)
    if not overview.spex.bands or "valid" not in overview:
        raise ValueError(f"{file.name} holds no thinned scene")
    return overview


def _regions(file: Path, columns: Mapping[str, str], mask: xr.DataArray) -> Any:
    import shapely

    frame = read_regions(file).astype(dict(columns))
    shapes = frame.geometry.values
    is_single = shapely.get_num_geometries(shapes) == 1  # a GeoPackage calls all polygons multiple where one is
    frame = frame.set_geometry(np.where(is_single, shapely.get_geometry(shapes, 0), shapes), crs=frame.crs)
    return frame.set_crs(mask.rio.crs, allow_override=True)


def _with_runs(
    evidence: Mapping[str, Evidence], runs: Mapping[str, NDArray[Any]], size: tuple[int, ...]
) -> dict[str, Evidence]:
    """Return evidence whose regions have their pixels again: rows of (row, first column, column after the last)."""
    filled = {}
    for target, figures in evidence.items():
        regions = [replace(region, runs=runs[f"{target} {i}"]) for i, region in enumerate(figures.regions)]
        for region in regions:
            _require_runs(region.runs, target, size)
        filled[target] = replace(figures, regions=tuple(regions))
    return filled


def _require_runs(runs: NDArray[Any], target: str, size: tuple[int, ...]) -> None:
    is_table = runs.ndim == 2 and runs.shape[1] == 3 and runs.dtype.kind in "iu"  # noqa: PLR2004 (rows of three)
    inside = is_table and bool(
        (runs >= 0).all()
        and (runs[:, 0] < size[0]).all()
        and (runs[:, 1] < runs[:, 2]).all()
        and (runs[:, 2] <= size[1]).all()
    )
    if not inside:
        raise ValueError(f"the runs of {target} are {runs.dtype} {runs.shape}, or lie outside of the mask")


def _flat_filters(filters: Sequence[Filter]) -> list[dict[str, Any]]:
    return [{"kind": type(rule).__name__, **asdict(rule)} for rule in filters]


def _filters(payload: Any, name: str) -> tuple[Filter, ...]:
    rules = decode(tuple[Mapping[str, Any], ...], payload, name)
    return tuple(
        decode(_FILTERS[rule["kind"]], {key: value for key, value in rule.items() if key != "kind"}, "filter")
        for rule in rules
    )


def _instruction(payload: Mapping[str, Any]) -> Instruction:
    filters = _filters(payload.get("filters"), "instruction.filters")
    by_target = decode(Mapping[str, Any], payload.get("own_filters", {}), "instruction.own_filters")
    plain: Instruction = decode(Instruction, {**payload, "filters": [], "own_filters": {}}, "instruction")
    own_filters = {target: _filters(rules, "instruction.own_filters") for target, rules in by_target.items()}
    return replace(plain, filters=filters, own_filters=own_filters)
