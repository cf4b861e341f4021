"""From finished tiles, or from an edited mask, to a result: cut into regions, filtered, measured, explained."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import math
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from rasterio.windows import Window as FileWindow

from spex_nb.errors import RegionError
from spex_nb.extraction.assemble_tiles import AssembledTiles, assemble_tiles
from spex_nb.extraction.explain import ExplanationStream, explain_targets, faithfulness_of, write_explanation
from spex_nb.extraction.facts.nearest_size import NearestRegion, nearest_regions
from spex_nb.extraction.facts.of_result import LEFT_OUT_FACT, RunFindings, facts_of_edit, facts_of_run, rest_facts
from spex_nb.extraction.mask_models import INDEX
from spex_nb.extraction.measure import MeasuredLayer, SceneStatistics, measure_scene
from spex_nb.extraction.memory import return_free_memory
from spex_nb.extraction.notes import notes_of, notes_of_edit
from spex_nb.extraction.planning.plan import Plan
from spex_nb.extraction.planning.target_assignment import class_names
from spex_nb.extraction.planning.taught_names import hashes_of_classes
from spex_nb.extraction.predict import IndexExtreme
from spex_nb.extraction.result import Extraction
from spex_nb.extraction.run import PartTimer
from spex_nb.extraction.storage import PROBABILITY, open_probability
from spex_nb.extraction.tile_store import TileStore
from spex_nb.regions.edited_regions import EditedRegions, hold_filters
from spex_nb.regions.filters import filter_classes
from spex_nb.regions.find import summarize_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import paint_runs, painted_rows
from spex_nb.regions.table import class_table
from spex_nb.scene.reopen import as_scene, open_source
from spex_nb.scene.windows.rasters import Reading
from spex_nb.scene.windows.reader import SceneReader
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.types import MASK_NODATA, Evidence, Fact, Region, Window
from spex_nb.types.targets import EVERYTHING_ELSE

PACKAGES = ("numpy", "scipy", "xarray", "rasterio", "shapely", "torch", "transformers")
"""Packages whose versions are stored with a result."""
CORRECTION_TILE_PX = (512, 512)
"""Rows and columns that are read at a time to measure an edited mask."""
Regions = Mapping[str, Sequence[Region]]
"""Regions by class, largest first."""


def finish(
    plan: Plan, store: TileStore, failures: Mapping[Window, str], timer: PartTimer, stream: ExplanationStream
) -> Extraction:
    """Make a result of finished tiles.

    Args:
        plan: What was asked for.
        store: Holds the tiles; the probability is written beside them.
        failures: Tiles that failed, and why.
        timer: Takes the times.
        stream: Gets the explanation while it is written.
    """
    scene, assignment = plan.scene, plan.assignment
    path = store.folder / PROBABILITY
    with timer.timing("assembling"):
        return_free_memory(math.prod(plan.tiling.shape))  # of the model's last tile
        assembled = assemble_tiles(
            plan.tiling, store.logits, assignment, plan.choices.threshold, path, _georeference(scene)
        )
    with timer.timing("regions"):
        candidates = _class_regions(assembled.mask, assignment.classes, scene, plan.choices.min_area_px)
        specks_px = _specks_px(assembled.mask, candidates)
        kept_regions = _filtered(candidates, assembled, plan)
        _repaint(assembled.mask, kept_regions)
    with timer.timing("measurement"):
        return_free_memory(assembled.mask.size)
        dropped = _dropped(candidates, kept_regions, assembled.mask.shape)
        layers = _class_layers(
            kept_regions, assembled.mask, plan.choices.threshold, dropped, by_rule=assignment.by_index
        )
        left_out, left_out_px = _left_out_layers(assembled, plan)
        layers += left_out
        statistics = measure_scene(plan.predictor.reader, assembled.mask, layers, _probability_rows(path, plan))
        return_free_memory(assembled.mask.size)
    extremes, tile_notes = _tile_meta(plan, store)
    with timer.timing("explanation"):
        findings = RunFindings(
            candidates,
            kept_regions,
            specks_px,
            assembled.highest,
            extremes,
            assembled.contested_px,
            failures,
            _nearest(candidates, kept_regions, assembled, plan),
            left_out_px,
        )
        facts = facts_of_run(plan, statistics, findings)
        explanations, problems = explain_targets(plan, statistics.overview, statistics.evidence, facts, stream)
    names = dict(zip(assignment.classes, class_names(assignment.classes, plan.instruction), strict=True))
    mask = xr.DataArray(assembled.mask, scene["valid"].coords, ("y", "x"), "mask", attrs=_attributes(names, plan))
    return Extraction(
        mask=mask,
        probability=open_probability(path, mask, [*names]),
        regions=class_table(kept_regions, statistics.figures, scene),
        class_names=names,
        explanations=tuple(explanations),
        evidence=statistics.evidence,
        instruction=plan.instruction,
        notes=tuple(notes_of(plan, findings, [*tile_notes, *problems])),
        failures={",".join(map(str, window)): why for window, why in sorted(failures.items())},
        provenance=_provenance(plan, assembled, statistics, timer) | {"faithfulness": faithfulness_of(explanations)},
        overview=statistics.overview,
        probability_file=path,
        doubt=_doubt_layer(statistics, mask),
    )


def correct_result(result: Extraction, mask: NDArray[np.uint8], scene: xr.Dataset) -> Extraction:
    """Return a result with another mask, and everything that follows from a mask.

    The model's text and probabilities stay. Its claims are checked against the new mask. The filters of the
    instruction hold for what was edited: a region that does not meet them leaves the mask, and the notes say so.

    Args:
        result: The result as it was extracted.
        mask: uint8 [H, W]: 0 none, 1 ... n the classes of the result, 255 no data.
        scene: The bands [H, W] that it was extracted from.

    Returns:
        The same result if no pixel differs, else a new one.

    Raises:
        RegionError: If the mask is of another shape, or holds a number that is no class.
    """
    pixels = np.asarray(mask)
    _require_classes(pixels, result)
    edited_px = int((pixels != result.mask.values).sum())
    if not edited_px:
        return result
    held = _held_regions(result, pixels, scene)
    regions, dropped = held.kept_regions, None
    if any(held.left_out.values()):
        dropped = _dropped({name: [*regions[name], *held.left_out[name]] for name in regions}, regions, pixels.shape)
        pixels = pixels.copy()
        _repaint(pixels, regions)
    reader = SceneReader(open_source(SceneSource(as_scene(scene))), CORRECTION_TILE_PX)
    threshold = float(result.provenance["parameters"]["threshold"])
    by_rule = [name for name, answer in result.provenance["answered_by"].items() if answer == INDEX]
    layers = _class_layers(regions, pixels, threshold, dropped, by_rule=by_rule)
    rows_of = _stored_probability_rows(result)
    statistics = measure_scene(reader, pixels, layers, rows_of, hashes_scene=False)
    statistics = replace(statistics, evidence=_with_checked_areas(statistics.evidence, result.evidence))
    evidence = {**result.evidence, **statistics.evidence}
    facts = facts_of_edit(result, statistics, scene)
    if EVERYTHING_ELSE in regions:
        facts = _facts_of_rest(result, regions[EVERYTHING_ELSE], pixels)
    explanations = tuple(
        write_explanation(old.prompt, old.text, evidence[old.target], facts[old.target], result.instruction)
        if old.target in facts
        else old
        for old in result.explanations
    )
    edited_note = f"{edited_px:,} pixels were edited by hand; all figures are of the edited mask."
    notes = notes_of_edit(held, result.instruction, result.provenance["answered_by"])
    faithfulness = faithfulness_of(explanations)
    edited = result.mask.copy(data=pixels)
    return replace(
        result,
        mask=edited,
        doubt=_doubt_layer(statistics, edited),
        regions=class_table(regions, statistics.figures, scene),
        evidence=evidence,
        explanations=explanations,
        notes=(*result.notes, edited_note, *notes),
        provenance={**result.provenance, "edited_px": edited_px, "faithfulness": faithfulness},
    )


def _held_regions(result: Extraction, pixels: NDArray[np.uint8], scene: xr.Dataset) -> EditedRegions:
    """Return the regions of an edited mask: those that the instruction asks for, and those that it leaves out."""
    instruction, names = result.instruction, [*result.class_names]
    after = _class_regions(pixels, names, scene)
    if not instruction.filters and not any(instruction.own_filters.values()):
        return EditedRegions(after, {name: [] for name in after})
    drawn = result.provenance["parameters"].get("drawn")
    return hold_filters(
        _class_regions(result.mask.values, names, scene),
        after,
        instruction,
        scene,
        drawn=None if drawn is None else shapely.from_wkt(drawn),
        masks={name: pixels == number for number, name in enumerate(names, start=1)},
    )


def _facts_of_rest(
    result: Extraction, regions: Sequence[Region], pixels: NDArray[np.uint8]
) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each explanation of "everything but", with those of an edited rest."""
    facts = [fact for old in result.explanations for fact in old.facts if fact.id == LEFT_OUT_FACT]
    left_out_px = int(float(facts[0].value or 0)) if facts else None
    valid_px = int((pixels != MASK_NODATA).sum())
    rest = rest_facts(result.instruction, regions, valid_px, left_out_px, is_edited=True)
    return {
        old.target: (*(fact for fact in old.facts if not fact.id.startswith("rest.")), *rest)
        for old in result.explanations
    }


def _doubt_layer(statistics: SceneStatistics, mask: xr.DataArray) -> xr.DataArray:
    """Return the doubt on the grid of the mask."""
    return xr.DataArray(statistics.doubt.array(), mask.coords, mask.dims, "doubt")


def _with_checked_areas(evidence: Mapping[str, Evidence], before: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return figures with the checked areas of before: what points show of the ground holds for every mask."""
    return {
        name: replace(figures, area_interval=before[name].area_interval) if name in before else figures
        for name, figures in evidence.items()
    }


def _require_classes(mask: NDArray[np.uint8], result: Extraction) -> None:
    numbers = {0, *range(1, len(result.class_names) + 1), MASK_NODATA}
    strange = set(np.unique(mask).tolist()) - numbers
    if mask.shape != result.mask.shape or strange:
        raise RegionError(
            "This is no mask of the result",
            found=f"{mask.shape} pixels" + (f", with {sorted(strange)}" if strange else ""),
            expected=f"{result.mask.shape} pixels of {sorted(numbers)}",
            fix="Edit a copy of the result's own mask.",
        )


def _georeference(scene: xr.Dataset) -> dict[str, Any]:
    return {} if scene.spex.crs is None else {"crs": scene.spex.crs, "transform": scene.spex.transform}


def _class_regions(
    mask: NDArray[np.uint8], classes: Sequence[str], scene: xr.Dataset, min_area_px: int = 1
) -> dict[str, list[Region]]:
    """Return the regions of each class of a mask that are large enough, largest first."""
    return {name: _regions(mask == number, scene, min_area_px) for number, name in enumerate(classes, start=1)}


def _specks_px(mask: NDArray[np.uint8], candidates: Regions) -> dict[str, int]:
    """Return how many pixels of each class lie in regions that are too small to count."""
    return {
        name: int(np.count_nonzero(mask == number)) - sum(region.area_px for region in regions)
        for number, (name, regions) in enumerate(candidates.items(), start=1)
    }


def _regions(is_class: NDArray[np.bool_], scene: xr.Dataset, min_area_px: int) -> list[Region]:
    return summarize_regions(is_class, ground=EqualAreaGrid.of(scene), min_area_px=min_area_px, top=None).regions


def _filtered(candidates: Regions, assembled: AssembledTiles, plan: Plan) -> dict[str, list[Region]]:
    """Keep the regions that meet the instruction."""
    kept_regions = filter_classes(
        candidates, plan.instruction, plan.scene, drawn=plan.choices.drawn, masks=assembled.others
    )
    return dict(zip(candidates, kept_regions, strict=True))


def _repaint(mask: NDArray[np.uint8], regions: Regions) -> None:
    """Let a mask show these regions only, in place; pixels without data stay as they are."""
    runs = [region.runs for of_class in regions.values() for region in of_class]
    numbers = [
        number for number, of_class in enumerate(regions.values(), start=1) for region in of_class for _ in region.runs
    ]
    joined = np.concatenate([np.empty((0, 3), np.int32), *runs])
    for top, rows in painted_rows(joined, np.array(numbers, np.int16), mask.shape):
        part = mask[top : top + len(rows)]
        part[...] = np.where(part == MASK_NODATA, part, rows)


def _class_layers(
    regions: Regions,
    mask: NDArray[np.uint8],
    threshold: float,
    dropped: NDArray[np.uint8] | None = None,
    *,
    by_rule: Collection[str],
) -> list[MeasuredLayer]:
    def where(pixels: NDArray[np.uint8], number: int) -> Callable[[slice], NDArray[np.bool_]]:
        return lambda rows: pixels[rows] == number

    return [
        MeasuredLayer(
            name,
            of_class,
            where(mask, number),
            number - 1,
            None if dropped is None else where(dropped, number),
            threshold,
            name in by_rule,
        )
        for number, (name, of_class) in enumerate(regions.items(), start=1)
    ]


def _dropped(candidates: Regions, kept_regions: Regions, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Return the number of the class of each pixel that the filters left out, uint8 [H, W]; None if there are none."""
    kept_ids = {id(region) for regions in kept_regions.values() for region in regions}
    dropped = [
        (number, region.runs)
        for number, regions in enumerate(candidates.values(), start=1)
        for region in regions
        if id(region) not in kept_ids
    ]
    if not dropped:
        return None
    numbers = np.concatenate([np.full(len(runs), number, np.int16) for number, runs in dropped])
    return paint_runs(np.concatenate([runs for _, runs in dropped]), numbers, shape)


def _nearest(
    candidates: Regions, kept_regions: Regions, assembled: AssembledTiles, plan: Plan
) -> dict[str, NearestRegion]:
    """Return what comes nearest to the size that is asked for, by class of which the filters keep nothing."""
    empty = {name: regions for name, regions in candidates.items() if regions and not kept_regions[name]}
    if not plan.assignment.targets:
        return {}
    return nearest_regions(empty, plan.instruction, plan.scene, drawn=plan.choices.drawn, masks=assembled.others)


def _left_out_layers(assembled: AssembledTiles, plan: Plan) -> tuple[list[MeasuredLayer], int]:
    """Return the layers that "everything but" leaves out, since the explanation is about them, and their pixels."""
    layers: list[MeasuredLayer] = []
    is_left_out = np.zeros((1, 1), bool)
    for target in () if plan.assignment.targets else plan.assignment.excluded:
        is_target = assembled.others[target]
        regions = _regions(is_target, plan.scene, plan.choices.min_area_px)
        _repaint(is_target.view(np.uint8), {target: regions})
        is_by_rule = target in plan.assignment.by_index
        layer = MeasuredLayer(target, regions, is_target.__getitem__, None, None, plan.choices.threshold, is_by_rule)
        layers.append(layer)
        is_left_out = is_left_out | is_target
    return layers, int(np.count_nonzero(is_left_out & (assembled.mask != MASK_NODATA))) if layers else 0


def _probability_rows(path: Path, plan: Plan) -> Callable[[int, int], NDArray[np.float32]]:
    reading = Reading(str(path), tuple(range(1, len(plan.assignment.classes) + 1)))
    width = plan.tiling.shape[1]
    return lambda top, rows: reading(FileWindow(0, top, width, rows))


def _stored_probability_rows(result: Extraction) -> Callable[[int, int], NDArray[np.float32]]:
    return lambda top, rows: result.probability.isel(y=slice(top, top + rows)).values


def _tile_meta(plan: Plan, store: TileStore) -> tuple[dict[str, IndexExtreme], list[str]]:
    """Return the extreme of each index over all tiles, and what did not go as usual, each once."""
    extremes: dict[str, IndexExtreme] = {}
    notes: list[str] = []
    for window in filter(store.is_done, plan.windows):
        of_tile, tile_notes = store.meta(window)
        for target, extreme in of_tile.items():
            extremes[target] = extreme.further(extremes[target]) if target in extremes else extreme
        notes += tile_notes
    return extremes, list(dict.fromkeys(notes))


def _attributes(names: Mapping[str, str], plan: Plan) -> dict[str, Any]:
    """Return the attributes of the mask, which its file has too."""
    classes = {f"class_{number}": name for number, name in enumerate(names, start=1)}
    return classes | {"instruction": plan.instruction.text, "model": plan.model.id, "scene": plan.job.source.name}


def parameters_of(plan: Plan) -> dict[str, Any]:
    """Return what a result depends on beside scene, instruction and model, as JSON."""
    choices = plan.choices
    return {
        "tile_px": plan.tiling.tile_px,
        "overlap_px": plan.tiling.overlap_px,
        "zoom": plan.job.zoom,
        "threshold": choices.threshold,
        "min_area_px": choices.min_area_px,
        "seed": choices.seed,
        "drawn": None if choices.drawn is None else choices.drawn.wkt,
        "aoi": None if plan.area is None else plan.area.fingerprint,
    }


def _provenance(plan: Plan, assembled: AssembledTiles, statistics: SceneStatistics, timer: PartTimer) -> dict[str, Any]:
    """Return how the result was made, as JSON."""
    answered_by = plan.assignment.answered_by
    versions = {"spex-nb": _version("spex-nb"), "python": platform.python_version()}
    versions |= {name: version for name in PACKAGES if (version := _version(name))}
    return {
        "scene": plan.job.source.name,
        "scene_hash": statistics.scene_hash,
        "scene_fingerprint": plan.scene_identity.fingerprint,
        "scene_files": dict(plan.scene_identity.files),
        "scene_attributes": {key: str(value) for key, value in plan.scene.attrs.items()},
        "instruction": plan.instruction.text,
        "model": plan.model.id,
        "model_hash": plan.model_hash,
        "model_settings": plan.model.card.settings_fingerprint,
        "taught": hashes_of_classes(plan.assignment.taught, plan.instruction),
        "colors": {taught_class.name: taught_class.color for taught_class in plan.assignment.taught},
        "answered_by": {target: answered_by.get(target, plan.model.id) for target in plan.assignment.layers},
        "versions": versions,
        "parameters": parameters_of(plan),
        "tiles": len(plan.windows),
        "contested_px": assembled.contested_px,
        "highest_probability": assembled.highest,
        "timing_s": dict(timer.seconds),
        "made": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
    }


@cache
def _version(package: str) -> str:
    """Return the version of a package; an empty string if it is not installed."""
    if package == "spex-nb":
        from spex_nb import __version__

        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
