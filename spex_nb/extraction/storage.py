"""A result as a folder, and back: rasters, polygons, and one JSON file for all that is neither."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from spex_nb.errors import GridWarning, SourceNotFoundError, UnreadableSourceError
from spex_nb.extraction.explain import Explanation
from spex_nb.extraction.result import Extraction
from spex_nb.output.export import copy_as_cog
from spex_nb.output.files import write_folder_whole
from spex_nb.scene.open import EAGER_BYTES, on_grid
from spex_nb.scene.windows.rasters import Reading, lazy_bands, probe, read_window
from spex_nb.scene.windows.scene_files import changes_of
from spex_nb.types import AreaInterval, Claim, Evidence, Fact, Filter, Instruction, Region, Spread, Statement

DESCRIPTION, MASK, PROBABILITY = "extraction.json", "mask.tif", "probability.tif"
REGIONS, OVERVIEW, RUNS = "regions.gpkg", "overview.nc", "runs.npz"
FORMAT = 1
CHUNK_PX = 2048
_FILTERS = {kind.__name__: kind for kind in get_args(Filter)}


def save_extraction(result: Extraction, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a result into a folder; all of it or nothing.

    Raises:
        OutputError: If the folder exists and may not be overwritten, holds something else, or cannot be written; if the
            disk is full.
    """
    # A kernel dies where HDF5 closes a file on a full disk: the overview is made in memory.
    overview = bytes(result.overview.to_netcdf(None, engine="h5netcdf"))
    with (
        write_folder_whole(folder, overwrite, DESCRIPTION, needs_bytes=_largest_bytes(result, overview)) as part,
        warnings.catch_warnings(action="ignore", category=GridWarning),  # the result's notes say it
    ):
        result.to_cog(part / MASK)
        copy_as_cog(result.probability_file, part / PROBABILITY, discrete=False)
        result.to_geopackage(part / REGIONS)
        (part / OVERVIEW).write_bytes(overview)
        np.savez_compressed(part / RUNS, **_runs_of(result.evidence))
        text = json.dumps(_described(result), indent=1, ensure_ascii=False)
        (part / DESCRIPTION).write_text(text, encoding="utf-8")
    return Path(folder)


def _largest_bytes(result: Extraction, overview: bytes) -> int:
    """Return what writing a result takes at most, beside its polygons: rasters, once more as they are copied."""
    return int(result.mask.size * (1 + 4 * len(result.class_names)) * 8 / 3) + len(overview)


def at_home(result: Extraction, folder: Path) -> Extraction:
    """Return a result whose probability is read from the folder that it was saved in."""
    file = folder / PROBABILITY
    probability = open_probability(file, result.mask, [*result.class_names])
    return replace(result, probability=probability, probability_file=file)


def load_extraction(folder: str | Path) -> Extraction:
    """Read a result that was saved; the probability stays on disk where it is large.

    Raises:
        SourceNotFoundError: If the folder holds no result.
        UnreadableSourceError: If it is damaged, or was written by a later version.
    """
    place = Path(folder)
    if not (place / DESCRIPTION).is_file():
        raise SourceNotFoundError(
            "There is no result here",
            found=f"{place}, without {DESCRIPTION}",
            expected="a folder that save() wrote",
            fix="Check the path.",
        )
    try:
        return _loaded(place)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UnreadableSourceError(
            "The result cannot be read",
            found=f"{place}: {error}",
            expected=f"a whole folder of format {FORMAT}",
            fix="Update spex-nb if a later version wrote it; else extract again.",
        ) from error


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
    height, width = mask.shape
    reading = Reading(str(file), tuple(range(1, len(classes) + 1)))
    is_small = 4 * len(classes) * mask.size <= EAGER_BYTES
    chunks = min(CHUNK_PX, height), min(CHUNK_PX, width)
    pixels = (
        read_window(reading, height, width)
        if is_small
        else lazy_bands(reading, len(classes), np.float32, (height, width), chunks)
    )
    coords = {"target": [*classes], **mask.coords}
    return xr.DataArray(pixels, coords, ("target", "y", "x"), "probability")


def _described(result: Extraction) -> dict[str, Any]:
    instruction = result.instruction
    filters = [{"kind": type(rule).__name__, **asdict(rule)} for rule in instruction.filters]
    return {
        "format": FORMAT,
        "instruction": asdict(replace(instruction, filters=())) | {"filters": filters},
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


def _loaded(place: Path) -> Extraction:
    payload = json.loads((place / DESCRIPTION).read_text(encoding="utf-8"))
    if payload["format"] != FORMAT:
        raise ValueError(f"format {payload['format']}")
    mask = _mask(place / MASK, payload["mask_attributes"])
    with np.load(place / RUNS) as runs:
        evidence = {target: _evidence(figures, target, runs) for target, figures in payload["evidence"].items()}
    with xr.open_dataset(place / OVERVIEW, engine="h5netcdf", decode_coords="all") as file:
        overview = file.load()
    return Extraction(
        mask=mask,
        probability=open_probability(place / PROBABILITY, mask, [*payload["class_names"]]),
        regions=_regions(place / REGIONS, payload["columns"], mask),
        class_names=payload["class_names"],
        explanations=tuple(
            _explanation(explanation, payload["instruction"]["language"]) for explanation in payload["explanations"]
        ),
        evidence=evidence,
        instruction=_instruction(payload["instruction"]),
        notes=tuple(payload["notes"]),
        failures=payload["failures"],
        provenance=payload["provenance"],
        overview=overview,
        probability_file=place / PROBABILITY,
    )


def _explanation(payload: dict[str, Any], language: str) -> Explanation:
    """Return an explanation; that of an earlier version has one text in place of statements."""
    claims = tuple(Claim(**claim) for claim in payload["claims"])
    if "answer" in payload:
        answer = Statement(payload["answer"], "answer", (), "none")
        return Explanation(payload["target"], payload["prompt"], payload["text"], claims, (answer,), (), language)
    statements = tuple(
        Statement(**statement | {"facts": tuple(statement["facts"])}) for statement in payload["statements"]
    )
    facts = tuple(Fact(**fact) for fact in payload["facts"])
    return Explanation(**payload | {"claims": claims, "statements": statements, "facts": facts})


def _mask(file: Path, attributes: Mapping[str, Any]) -> xr.DataArray:
    grid = probe(file).grid
    pixels = read_window(Reading(str(file), (1,)), grid.height, grid.width)[0]
    return on_grid(xr.DataArray(pixels, dims=("y", "x"), name="mask", attrs=dict(attributes)), grid)


def _regions(file: Path, columns: Mapping[str, str], mask: xr.DataArray) -> Any:
    import geopandas as gpd
    import shapely

    frame = gpd.read_file(file, layer="regions").astype(dict(columns))
    shapes = frame.geometry.values
    is_single = shapely.get_num_geometries(shapes) == 1  # a GeoPackage calls all polygons multiple where one is
    frame = frame.set_geometry(np.where(is_single, shapely.get_geometry(shapes, 0), shapes), crs=frame.crs)
    return frame.set_crs(mask.rio.crs, allow_override=True)


def _evidence(payload: dict[str, Any], target: str, runs: Mapping[str, Any]) -> Evidence:
    regions = [
        Region(**{name: _tuples(value) for name, value in region.items()} | {"runs": runs[f"{target} {i}"]})
        for i, region in enumerate(payload["regions"])
    ]
    spreads = {side: None if payload[side] is None else Spread(**payload[side]) for side in ("inside", "outside")}
    checked = payload.get("area_interval")  # results of earlier versions lack it
    interval = None if checked is None else AreaInterval(**checked)
    return Evidence(
        **payload | spreads | {"regions": tuple(regions), "shape": tuple(payload["shape"]), "area_interval": interval}
    )


def _instruction(payload: dict[str, Any]) -> Instruction:
    filters = tuple(
        _FILTERS[rule["kind"]](**{name: value for name, value in rule.items() if name != "kind"})
        for rule in payload["filters"]
    )
    lists = {name: tuple(payload[name]) for name in ("targets", "excluded")}
    return Instruction(**payload | lists | {"filters": filters})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
