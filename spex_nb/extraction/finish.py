"""From predicted tiles to a result: assembled, cut into regions, filtered, measured, explained."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rasterio.windows import Window as FileWindow

from spex_nb.errors import RegionError
from spex_nb.extraction.explain import Explanation, Listener, explain_targets, faithfulness
from spex_nb.extraction.measure import Shown, Survey, survey
from spex_nb.extraction.mosaic import Mosaic, assemble_mosaic
from spex_nb.extraction.notes import Findings, notes_of
from spex_nb.extraction.plan import Plan, class_names
from spex_nb.extraction.predict import IndexExtreme
from spex_nb.extraction.result import Extraction
from spex_nb.extraction.storage import PROBABILITY, open_probability
from spex_nb.extraction.tile_store import TileStore
from spex_nb.language.answers import write_answer
from spex_nb.language.claims import check_explanation
from spex_nb.regions.filters import apply_filters
from spex_nb.regions.find import summarize_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import painted_rows
from spex_nb.regions.table import class_table
from spex_nb.scene.open import open_source
from spex_nb.scene.rasters import Reading
from spex_nb.scene.reader import SceneReader, SceneSource
from spex_nb.types import MASK_NODATA, Evidence, Region, Window

PACKAGES = ("numpy", "scipy", "xarray", "rasterio", "shapely", "torch", "transformers")
"""Whose versions are kept with a result."""
CORRECTION_TILE_PX = (512, 512)
"""Rows and columns that are read at a time."""
Regions = Mapping[str, Sequence[Region]]


class Clock:
    """Seconds that each part of a run took.

    Args:
        begins: Told the name of each part.
    """

    def __init__(self, begins: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._begins = begins

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Time what happens inside."""
        self._begins(part)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = round(time.perf_counter() - start, 3)


def finish(
    plan: Plan, store: TileStore, failures: Mapping[Window, str], clock: Clock, listener: Listener
) -> Extraction:
    """Make a result of finished tiles.

    Args:
        plan: What was asked.
        store: Holds the tiles; the probability is written beside them.
        failures: Tiles that failed, and why.
        clock: Takes the times.
        listener: Hears the explanation.
    """
    scene, choices = plan.scene, plan.choices
    path = store.folder / PROBABILITY
    with clock.timing("assembling"):
        made = assemble_mosaic(
            plan.tiling, store.logits, plan.assignment, choices.threshold, path, _georeference(scene)
        )
    with clock.timing("regions"):
        found = {name: _regions_of(made.mask == i, plan) for i, name in enumerate(plan.assignment.classes, start=1)}
        kept = _filtered(found, made, plan)
        mask = made.mask
        _repaint(mask, kept)
    with clock.timing("survey"):
        measured = survey(plan.predictor.reader, mask, _shown(kept, mask, made, plan), _rows_of(path, plan))
    with clock.timing("explanation"):
        by_model = [target for target in plan.assignment.spoken_of if target not in plan.assignment.by_index]
        language, seed = plan.instruction.language, choices.seed
        said, strange = explain_targets(
            plan.model, measured.overview, measured.evidence, by_model, language, seed, listener
        )
    best, tile_notes = _said_of_tiles(plan, store)
    notes = notes_of(plan, Findings(found, kept, made, best, failures), [*tile_notes, *strange])
    names = dict(zip(plan.assignment.classes, class_names(plan.assignment.classes, plan.instruction), strict=True))
    layer = xr.DataArray(mask, scene["valid"].coords, ("y", "x"), "mask", attrs=_attributes(names, plan))
    return Extraction(
        mask=layer,
        probability=open_probability(path, layer, [*names]),
        regions=class_table(kept, measured.figures, scene),
        class_names=names,
        explanations=tuple(said),
        evidence=measured.evidence,
        instruction=plan.instruction,
        notes=tuple(notes),
        failures={",".join(map(str, window)): why for window, why in sorted(failures.items())},
        provenance=_provenance(plan, made, measured, clock)
        | {"faithfulness": faithfulness([c for s in said for c in s.claims])},
        overview=measured.overview,
        probability_file=path,
    )


def _georeference(scene: xr.Dataset) -> dict[str, Any]:
    return {} if scene.spex.crs is None else {"crs": scene.spex.crs, "transform": scene.spex.transform}


def _regions_of(mask: Any, plan: Plan) -> list[Region]:
    """Return all regions of a mask, large enough and largest first."""
    ground, smallest = EqualAreaGrid.of(plan.scene), plan.choices.min_area_px
    return summarize_regions(mask, ground=ground, min_area_px=smallest, top=None).regions


def _filtered(found: Regions, made: Mosaic, plan: Plan) -> dict[str, list[Region]]:
    """Keep the regions that meet the instruction; its filters hold for all classes together."""
    every = [region for own in found.values() for region in own]
    passed = apply_filters(every, plan.instruction, plan.scene, drawn=plan.choices.drawn, masks=made.others)
    kept = set(map(id, passed))
    return {name: [region for region in own if id(region) in kept] for name, own in found.items()}


def _repaint(mask: Any, regions: Regions) -> None:
    """Let a mask show these regions only, in place; what has no data stays without."""
    runs = [region.runs for own in regions.values() for region in own]
    numbers = [i for i, own in enumerate(regions.values(), start=1) for region in own for _ in region.runs]
    joined = np.concatenate([np.empty((0, 3), np.int32), *runs])
    for top, rows in painted_rows(joined, np.array(numbers, np.int16), mask.shape):
        shown = mask[top : top + len(rows)]
        shown[...] = np.where(shown == MASK_NODATA, shown, rows)


def _shown(kept: Regions, mask: Any, made: Mosaic, plan: Plan) -> list[Shown]:
    """Return what is measured: the classes, and what was left out of everything."""
    classes = [
        Shown(name, own, lambda rows, number=i: mask[rows] == number, i - 1)  # type: ignore[misc]
        for i, (name, own) in enumerate(kept.items(), start=1)
    ]
    if plan.assignment.targets:
        return classes
    left_out = {target: _regions_of(made.others[target], plan) for target in plan.assignment.excluded}
    for name, own in left_out.items():
        _repaint(made.others[name].view(np.uint8), {name: own})
    return classes + [
        Shown(name, own, lambda rows, area=made.others[name]: area[rows])  # type: ignore[misc]
        for name, own in left_out.items()
    ]


def _rows_of(path: Path, plan: Plan) -> Any:
    reading = Reading(str(path), tuple(range(1, len(plan.assignment.classes) + 1)))
    return lambda top, rows: reading(FileWindow(0, top, plan.tiling.shape[1], rows))


def _said_of_tiles(plan: Plan, store: TileStore) -> tuple[dict[str, IndexExtreme], list[str]]:
    """Return the best value of each index over all tiles, and what did not go as usual, each once."""
    best: dict[str, IndexExtreme] = {}
    notes: list[str] = []
    for window in filter(store.is_done, plan.tiling.windows):
        of_tile, said = store.meta(window)
        best |= {name: one.further(best[name]) if name in best else one for name, one in of_tile.items()}
        notes += said
    return best, list(dict.fromkeys(notes))


def _attributes(names: Mapping[str, str], plan: Plan) -> dict[str, Any]:
    """Return what the mask says of itself, in a file too."""
    classes = {f"class_{i}": name for i, name in enumerate(names, start=1)}
    return classes | {"instruction": plan.instruction.text, "model": plan.model.id, "scene": plan.job.source.name}


def _provenance(plan: Plan, made: Mosaic, measured: Survey, clock: Clock) -> dict[str, Any]:
    choices = plan.choices
    return {
        "scene": plan.job.source.name,
        "scene_hash": measured.scene_hash,
        "scene_fingerprint": plan.identity["scene"],
        "scene_attributes": {key: str(value) for key, value in plan.scene.attrs.items()},
        "instruction": plan.instruction.text,
        "model": plan.model.id,
        "model_hash": plan.model_hash,
        "answered_by": {
            target: "index" if target in plan.assignment.by_index else plan.model.id
            for target in plan.assignment.layers
        },
        "versions": {"spex-nb": _own_version(), "python": platform.python_version()}
        | {name: version for name in PACKAGES if (version := _version(name))},
        "parameters": {
            "tile_px": plan.tiling.tile_px,
            "overlap_px": plan.tiling.overlap_px,
            "zoom": plan.job.zoom,
            "threshold": choices.threshold,
            "min_area_px": choices.min_area_px,
            "seed": choices.seed,
            "drawn": None if choices.drawn is None else choices.drawn.wkt,
        },
        "tiles": len(plan.tiling.windows),
        "contested_px": made.contested_px,
        "highest_probability": made.highest,
        "timing_s": dict(clock.seconds),
        "made": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
    }


def _own_version() -> str:
    from spex_nb import __version__

    return __version__


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def correct_result(result: Extraction, mask: Any, scene: xr.Dataset) -> Extraction:
    """Return a result with another mask, and everything that follows from a mask.

    The model's text and probabilities stay; its claims are held against the new mask.

    Args:
        result: As it was extracted.
        mask: uint8 [H, W]: 0 none, 1 ... n the classes of the result, 255 no data.
        scene: The bands [H, W] that it was extracted from.

    Raises:
        RegionError: If the mask is of another shape, or holds a number that is no class.
    """
    pixels = np.asarray(mask)
    _require_classes(pixels, result)
    edited_px = int((pixels != result.mask.values).sum())
    if not edited_px:
        return result
    found = _corrected_regions(pixels, result, scene)
    measured = _measured(found, pixels, result, scene)
    evidence = {**result.evidence, **measured.evidence}
    said = tuple(_held_against(one, evidence, result) for one in result.explanations)
    return replace(
        result,
        mask=result.mask.copy(data=pixels),
        regions=class_table(found, measured.figures, scene),
        evidence=evidence,
        explanations=said,
        notes=(*result.notes, f"{edited_px:,} pixels were edited by hand; all figures are of the edited mask."),
        provenance={
            **result.provenance,
            "edited_px": edited_px,
            "faithfulness": faithfulness([claim for one in said for claim in one.claims]),
        },
    )


def _require_classes(mask: Any, result: Extraction) -> None:
    known = {0, *range(1, len(result.class_names) + 1), 255}
    strange = set(np.unique(mask).tolist()) - known
    if mask.shape != result.mask.shape or strange:
        raise RegionError(
            "This is no mask of the result",
            found=f"{mask.shape} pixels" + (f", with {sorted(strange)}" if strange else ""),
            expected=f"{result.mask.shape} pixels of {sorted(known)}",
            fix="Edit a copy of the result's own mask.",
        )


def _corrected_regions(mask: Any, result: Extraction, scene: xr.Dataset) -> dict[str, list[Region]]:
    ground = EqualAreaGrid.of(scene)
    return {
        name: summarize_regions(mask == number, ground=ground, top=None).regions
        for number, name in enumerate(result.class_names, start=1)
    }


def _measured(found: Mapping[str, list[Region]], mask: Any, result: Extraction, scene: xr.Dataset) -> Survey:
    shown = [
        Shown(name, own, lambda rows, number=number: mask[rows] == number, number - 1)  # type: ignore[misc]
        for number, (name, own) in enumerate(found.items(), start=1)
    ]
    reader = SceneReader(open_source(SceneSource(scene)), CORRECTION_TILE_PX)
    return survey(
        reader,
        mask,
        shown,
        lambda top, rows: result.probability.isel(y=slice(top, top + rows)).values,
        hashes_scene=False,
    )


def _held_against(said: Explanation, evidence: Mapping[str, Evidence], result: Extraction) -> Explanation:
    figures, language = evidence[said.target], result.instruction.language
    claims = tuple(check_explanation(said.text, figures, language)) if said.text else ()
    seed = int(result.provenance["parameters"]["seed"])
    return replace(said, claims=claims, answer=write_answer(figures, language, seed).text)
