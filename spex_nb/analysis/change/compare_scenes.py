"""Two scenes of one place → where a target was gained, lost and kept, beside what is no change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from spex_nb.analysis.change.change_classes import change_classes, class_areas
from spex_nb.analysis.change.change_regions import ChangeRegions, RegionRule, list_regions
from spex_nb.analysis.change.doubts import doubts_of
from spex_nb.analysis.change.floor import shift_change_px
from spex_nb.analysis.change.noise import Disturbances, measure_disturbances
from spex_nb.analysis.change.request_filters import (
    ChangeQuestion,
    DatedLayer,
    classes_of,
    other_years,
    regions_that_match,
    require_filters,
)
from spex_nb.analysis.change.result import (
    CLASS_WORDS,
    GAINED,
    LOST,
    NEITHER,
    UNCHANGED,
    Area,
    Change,
    ChangeFloor,
    TargetChange,
)
from spex_nb.analysis.change.scene_pair import SceneMask, ScenePair, extract_masks, open_pair
from spex_nb.analysis.change.storage.saved_change import save_change
from spex_nb.analysis.change.storage.stored_change import load_change
from spex_nb.analysis.change.target_choice import compared_targets
from spex_nb.analysis.change.unfinished import (
    ExtractionChoices,
    RunSettings,
    UnfinishedComparison,
)
from spex_nb.extraction import load_mask_model
from spex_nb.extraction.memory import return_free_memory
from spex_nb.extraction.run import Progress
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.output.files import output_exists
from spex_nb.output.unfinished import require_free
from spex_nb.types import MASK_NODATA, MaskModel

if TYPE_CHECKING:
    import geopandas as gpd


def compare(  # noqa: PLR0913 (one door, as that of `extract`)
    before: Any,
    after: Any,
    targets: str | Sequence[str],
    model: str | Path | MaskModel = "tiny",
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    threshold: float = 0.5,
    min_area_px: int = 4,
    seed: int = 0,
    progress: bool | Callable[[Progress], None] = True,
    cancel: Any = None,
    open_options: Mapping[str, Any] | None = None,
    drawn: Any = None,
    anyway: bool = False,
) -> Change:
    """Compare two scenes of one place: what was gained, lost and kept of each target.

    Both scenes are brought onto the grid of the one with the larger pixels, on their overlap. The shift between them is
    measured, and taken out where it is known. Each is then extracted by the same model, in tiles, from the bands that
    both have. Pixels without data in one of them, such as masked clouds, are left out. Beside each figure stands its
    floor, which is what a wrong shift and noise alone would show. It is subtracted from no figure.

    Args:
        before: The scene before: a path or whatever `open_scene` takes, or a Dataset of named bands [H, W].
        after: The scene after, of any sensor, size and CRS.
        targets: Ids of land covers, such as ``water``; one or several. Or an instruction such as ``what water was
            gained`` or ``new lakes larger than 1 ha in the north``, in any of the nine languages. Its filters choose
            among the gained and lost regions; figures are those of all.
        model: Answers in both scenes; as of `extract` (default: ``tiny``).
        out: Folder for the result. After a kill or a cancel the same call goes on where it stopped, and ends in what an
            uninterrupted one gives. Without it the result lives in memory, and nothing is resumed.
        overwrite: Whether an existing result, or an unfinished one of something else, is replaced (default: no).
        threshold: Probability above which a pixel belongs to a target (default: 0.5).
        min_area_px: Smaller regions are left out of both masks, and smaller gained and lost regions out of the table
            of regions (default: 4).
        seed: Of the noise that the floor is measured with (default: 0).
        progress: As of `extract`; it is reported for one scene after the other.
        cancel: As of `extract`, for both extractions.
        open_options: Of `open_scene`, for both scenes. Open a scene first where it needs its own.
        drawn: What the user drew, for instructions that speak of it; as of `extract`.
        anyway: Whether to begin though memory or disk may not suffice (default: no).

    Returns:
        The change.

    Raises:
        SceneError: If a scene cannot be opened.
        GridError: If the scenes share no ground, or only one of them lies on the map.
        BandError: If they have no band in common.
        EmptySceneError: If no pixel has data in both.
        InstructionError: If an instruction is not understood.
        RegionError: If a filter needs a CRS or a drawn area that is not there.
        TargetError, MissingBandError: If a target is unknown, or cannot be extracted from the bands that both have.
        CheckpointError, MissingExtraError: If the model cannot be loaded.
        OutputError: If the output exists, cannot be written, or the disk is full.
        ExtractionCancelledError: If the user cancelled.
        ExtractionError: If an argument makes no sense, memory or disk will not do, or every tile failed.
    """
    if out is not None:
        require_free(Path(out), overwrite, "load_change")
    request = ChangeQuestion(compared_targets(targets, with_filters=True), drawn)
    pair = open_pair(before, after, open_options)
    require_filters(request.instruction, pair.on_grid, drawn)
    choices = ExtractionChoices(request.of_one_date, load_mask_model(model), threshold, min_area_px)
    settings = RunSettings(progress, cancel, anyway)
    if out is None:
        return _compared(pair, request, choices, settings, seed, None)
    return _resumed(pair, request, choices, settings, seed, Path(out), overwrite)


def _resumed(
    pair: ScenePair,
    request: ChangeQuestion,
    choices: ExtractionChoices,
    settings: RunSettings,
    seed: int,
    out: Path,
    overwrite: bool,
) -> Change:
    """Compare two scenes from where an earlier run of the same comparison stopped, and save what comes of it."""
    unfinished = UnfinishedComparison.beside(out)
    identity = {**pair.identity, **choices.identity, **request.identity, "seed": seed}
    if out.exists() and not overwrite:  # a run that was killed between saving the result and deleting what is beside it
        if not unfinished.holds(identity):
            raise output_exists(out, "load_change")
        unfinished.remove()
        return load_change(out)
    unfinished.begin(identity, overwrite)
    change = _compared(pair, request, choices, settings, seed, unfinished.folder)
    save_change(change, out, overwrite=overwrite)
    unfinished.remove()
    return change


def _compared(
    pair: ScenePair,
    request: ChangeQuestion,
    choices: ExtractionChoices,
    settings: RunSettings,
    seed: int,
    folder: Path | None,
) -> Change:
    masks = extract_masks(pair, choices, settings, folder)
    disturbances = measure_disturbances(pair, choices, seed)
    return_free_memory(masks[0].mask.size)
    return _measured(pair, request, masks, disturbances, choices)


def _measured(
    pair: ScenePair,
    request: ChangeQuestion,
    masks: tuple[SceneMask, SceneMask],
    disturbances: Disturbances,
    choices: ExtractionChoices,
) -> Change:
    """Return the change that two masks show."""
    first, second = masks
    measured = [_TargetMeasures.of(pair, masks, disturbances, number, choices) for number in range(len(first.targets))]
    areas = measured[0].areas
    date_before, date_after = first.described.date, second.described.date
    layers = {part.change.target: part.classes for part in measured}
    words = ChangeWords(choices.instruction.language)
    return Change(
        classes=xr.Dataset(layers, attrs=_attributes(date_before, date_after, choices)),
        regions=_joined(_matched(measured, pair, request, masks), date_before, date_after),
        targets={part.change.target: part.change for part in measured},
        registration=pair.registration,
        date_before=date_before,
        date_after=date_after,
        compared=areas[NEITHER] + areas[GAINED] + areas[LOST] + areas[UNCHANGED],
        left_out=areas[MASK_NODATA],
        doubts=(
            *other_years(request.instruction, date_before, date_after, words),
            *doubts_of(
                first.described, second.described, request.instruction.targets, first.targets, choices.model.id, words
            ),
        ),
        provenance=_provenance(pair, masks, choices),
        language=words.language,
        asked_classes=tuple(CLASS_WORDS[number] for number in classes_of(request.instruction)),
        meaning=request.instruction.meaning if request.has_filters else "",
    )


def _matched(
    measured: Sequence[_TargetMeasures], pair: ScenePair, request: ChangeQuestion, masks: tuple[SceneMask, SceneMask]
) -> list[gpd.GeoDataFrame]:
    """Return the tables of all regions, each with whether the instruction asks for it."""
    frames = []
    for number, date in ((GAINED, 1), (LOST, 0)):
        listed = {part.change.target: part.by_class[number] for part in measured}
        regions = {target: of_target.regions for target, of_target in listed.items()}
        layer = DatedLayer(pair.on_grid[date], masks[date].mask)
        matches = regions_that_match(regions, number, request.instruction, layer, request.drawn)
        for target, of_target in listed.items():
            frame = of_target.frame.copy()
            frame.insert(len(frame.columns) - 1, "matches", matches[target])
            frames.append(frame)
    return frames


@dataclass(frozen=True, eq=False)
class _TargetMeasures:
    """All that is measured of one target."""

    change: TargetChange
    classes: xr.DataArray
    areas: Mapping[int, Area]
    by_class: Mapping[int, ChangeRegions]

    @classmethod
    def of(
        cls,
        pair: ScenePair,
        masks: tuple[SceneMask, SceneMask],
        disturbances: Disturbances,
        number: int,
        choices: ExtractionChoices,
    ) -> _TargetMeasures:
        target = masks[0].targets[number]
        pixels = change_classes(masks[0].mask, masks[1].mask, number + 1)
        classes, areas = pair.layer(pixels, target), class_areas(pixels, pair.ground)
        largest = max(choices.min_area_px - 1, disturbances.largest_px(target))
        rule = RegionRule(choices.min_area_px, pair.registration.reach_px, largest)
        gained, lost = (list_regions(classes, number, rule, pair.ground, areas[number]) for number in (GAINED, LOST))
        shift_px = shift_change_px(pixels, pair.registration.uncertainty_px)
        floor = _floor(areas, shift_px, disturbances, target)
        change = _target_change(target, areas, floor, gained, lost)
        return cls(change, classes, areas, {GAINED: gained, LOST: lost})


def _target_change(
    target: str, areas: Mapping[int, Area], floor: ChangeFloor, gained: ChangeRegions, lost: ChangeRegions
) -> TargetChange:
    return TargetChange(
        target=target,
        before=areas[LOST] + areas[UNCHANGED],
        after=areas[GAINED] + areas[UNCHANGED],
        gain=areas[GAINED],
        loss=areas[LOST],
        unchanged=areas[UNCHANGED],
        floor=floor,
        gained_regions=gained.counts,
        lost_regions=lost.counts,
    )


def _floor(areas: Mapping[int, Area], shift_px: float, disturbances: Disturbances, target: str) -> ChangeFloor:
    whole = areas[NEITHER] + areas[GAINED] + areas[LOST] + areas[UNCHANGED]

    def part(frac: float) -> Area:
        return Area(whole.px * frac, None if whole.m2 is None else whole.m2 * frac)

    noise_gain, noise_loss = disturbances.noise_frac(target)
    smoothing_gain, smoothing_loss = disturbances.interpolation_frac(target)
    return ChangeFloor(
        shift=part(shift_px / whole.px if whole.px else 0.0),
        noise_gain=part(noise_gain),
        noise_loss=part(noise_loss),
        interpolation_gain=part(smoothing_gain),
        interpolation_loss=part(smoothing_loss),
        windows=disturbances.windows,
    )


def _joined(frames: Sequence[gpd.GeoDataFrame], date_before: str | None, date_after: str | None) -> gpd.GeoDataFrame:
    """Return the regions of all targets in one table, with both dates."""
    import geopandas as gpd

    filled = [frame for frame in frames if len(frame)] or [frames[0]]
    regions = gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=frames[0].crs)
    dates = regions.assign(date_before=date_before or "", date_after=date_after or "")
    return dates[[*(name for name in dates.columns if name != "geometry"), "geometry"]]


def _attributes(date_before: str | None, date_after: str | None, choices: ExtractionChoices) -> dict[str, Any]:
    """Return the attributes of the classes, which their file has too."""
    words = {f"class_{number}": word for number, word in CLASS_WORDS.items()}
    dates = {"date_before": date_before or "unknown", "date_after": date_after or "unknown"}
    return words | dates | {"model": choices.model.id}


def _provenance(pair: ScenePair, masks: tuple[SceneMask, SceneMask], choices: ExtractionChoices) -> dict[str, Any]:
    """Return how the change was made, as JSON."""
    return {
        "scenes": [str(scene.attrs.get("source", "a Dataset")) for scene in pair.opened],
        "shape": [pair.grid.height, pair.grid.width],
        "transform": [*pair.grid.transform][:6],
        "crs": None if pair.grid.crs is None else pair.grid.crs.to_string(),
        "bands": [*pair.on_grid[0].spex.bands],
        "model": choices.model.id,
        "model_hash": masks[0].provenance["model_hash"],
        "scene_hashes": [mask.provenance["scene_hash"] for mask in masks],
        "answered_by": [dict(mask.described.answered_by) for mask in masks],
        "threshold": choices.threshold,
        "min_area_px": choices.min_area_px,
        "versions": dict(masks[0].provenance["versions"]),
        "made": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
    }
