"""Several scenes of one place → the area of a target by date, and how often each pixel was it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.change.series.dated_masks import AlignedSeries, DatedMask, MaskFolder, extract_series
from spex_nb.analysis.change.series.scene_dates import open_dated_scenes
from spex_nb.analysis.change.series.series_areas import SeriesSums, interval_of, measure_series
from spex_nb.analysis.change.series.series_doubts import doubts_of_series
from spex_nb.analysis.change.series.series_result import ChangeSeries, DateArea
from spex_nb.analysis.change.series.series_storage import load_series, save_series
from spex_nb.analysis.change.target_choice import compared_targets
from spex_nb.analysis.change.unfinished import (
    ExtractionChoices,
    RunSettings,
    UnfinishedComparison,
)
from spex_nb.errors import EmptySceneError
from spex_nb.extraction import load_mask_model
from spex_nb.extraction.run import Progress
from spex_nb.output.files import output_exists
from spex_nb.output.scratch import Scratch
from spex_nb.output.unfinished import require_free
from spex_nb.scene.open import on_grid
from spex_nb.types import MaskModel

MASKS = "masks"


def compare_series(  # noqa: PLR0913 (one door, as that of `extract`)
    scenes: Any,
    targets: str | Sequence[str],
    model: str | Path | MaskModel = "tiny",
    *,
    dates: Sequence[str] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    threshold: float = 0.5,
    min_area_px: int = 4,
    seed: int = 0,
    progress: bool | Callable[[Progress], None] = True,
    cancel: Any = None,
    open_options: Mapping[str, Any] | None = None,
    anyway: bool = False,
) -> ChangeSeries:
    """Compare several scenes of one place: the area of each target by date, and how often each pixel was it.

    All scenes are brought onto the grid of the one with the largest pixels, on the ground that all of them cover. Each
    is moved by the shift that is measured between it and that scene, where it is known. All are extracted by the same
    model, from the bands that all have. Pixels without data on a date, such as masked clouds, count as unseen on it.

    Args:
        scenes: A folder with a raster or a product for each date, a list of whatever `open_scene` takes, or scenes by
            date. They may be of any sensors, sizes and CRS.
        targets: Ids of land covers, such as ``water``; one or several. Or an instruction about dates that names them.
        model: Answers in all scenes; as of `extract` (default: ``tiny``).
        dates: Of the scenes, in their order: days, months or years. None where the scenes or their names state them.
        out: Folder for the result. After a kill or a cancel the same call goes on where it stopped. Without it the
            result lives in memory and a temporary folder, and nothing is resumed.
        overwrite: Whether an existing result, or an unfinished one of something else, is replaced (default: no).
        threshold: Probability above which a pixel belongs to a target (default: 0.5).
        min_area_px: Smaller regions are left out of the masks (default: 4).
        seed: Of the noise that the intervals are tried with (default: 0).
        progress: As of `extract`; it is reported for one scene after the other.
        cancel: As of `extract`, for all extractions.
        open_options: Of `open_scene`, for all scenes. Open a scene first where it needs its own.
        anyway: Whether to begin though memory or disk may not suffice (default: no).

    Returns:
        The series.

    Raises:
        SceneError: If there are fewer than two scenes, the date of one is not known, two have the same date, or one
            cannot be opened.
        GridError: If the scenes share no ground, or only some of them lie on the map.
        BandError: If they have no band in common.
        EmptySceneError: If no scene has data on the shared ground.
        InstructionError: If an instruction is not understood, or has filters.
        TargetError, MissingBandError: If a target is unknown, or cannot be extracted from the bands that all have.
        CheckpointError, MissingExtraError: If the model cannot be loaded.
        OutputError: If the output exists, cannot be written, or the disk is full.
        ExtractionCancelledError: If the user cancelled.
        ExtractionError: If an argument makes no sense, memory or disk will not do, or every tile failed.
    """
    if out is not None:
        require_free(Path(out), overwrite, "load_series")
    instruction = replace(compared_targets(targets), change=None)  # each scene is extracted alone
    series = AlignedSeries.of(open_dated_scenes(scenes, dates, open_options))
    choices = ExtractionChoices(instruction, load_mask_model(model), threshold, min_area_px)
    settings = RunSettings(progress, cancel, anyway)
    if out is None:
        with Scratch() as scratch:
            return replace(_compared(series, choices, settings, seed, scratch.folder), scratch=scratch)
    return _resumed(series, choices, settings, seed, Path(out), overwrite)


def _resumed(
    series: AlignedSeries, choices: ExtractionChoices, settings: RunSettings, seed: int, out: Path, overwrite: bool
) -> ChangeSeries:
    """Compare scenes from where an earlier run of the same comparison stopped, and save what comes of it."""
    unfinished = UnfinishedComparison.beside(out)
    identity = series.identity | choices.identity | {"seed": seed}
    if out.exists() and not overwrite:
        if not unfinished.holds(identity):
            raise output_exists(out, "load_series")
    else:
        unfinished.begin(identity, overwrite)
        save_series(_compared(series, choices, settings, seed, unfinished.folder), out, overwrite=overwrite)
    unfinished.remove()
    return load_series(out)


def _compared(
    series: AlignedSeries, choices: ExtractionChoices, settings: RunSettings, seed: int, folder: Path
) -> ChangeSeries:
    rasters = MaskFolder(folder / MASKS)
    masks = extract_series(series, choices, settings, seed, rasters)
    shape = (series.grid.height, series.grid.width)
    sums = measure_series(masks, rasters, shape, series.ground)
    if not sums.ground.px:
        raise EmptySceneError(
            "No scene has data on the shared ground",
            found="; ".join(mask.name for mask in masks),
            expected="scenes with data on the same ground",
            fix="Check their no-data and cloud masks, or choose other scenes.",
        )
    layers = {name: _placed(pixels, name, series) for name, pixels in sums.frequency.items()}
    attributes = {"unit": "percent of the observations", "first_date": masks[0].date, "last_date": masks[-1].date}
    return ChangeSeries(
        areas={name: _areas(name, masks, sums) for name in masks[0].targets},
        frequency=xr.Dataset(layers, attrs=attributes | {"model": choices.model.id}),
        observations=_placed(sums.observations, "observations", series),
        ground=sums.ground,
        common=sums.common,
        scenes={mask.date: mask.name for mask in masks},
        doubts=doubts_of_series(masks, series, choices),
        mask_files={mask.date: rasters.raster(mask.date) for mask in masks},
        provenance=_provenance(masks, series, choices),
        language=choices.instruction.language,
    )


def _placed(pixels: NDArray[np.uint8], name: str, series: AlignedSeries) -> xr.DataArray:
    return on_grid(xr.DataArray(pixels, dims=("y", "x"), name=name), series.grid)


def _areas(target: str, masks: Sequence[DatedMask], sums: SeriesSums) -> tuple[DateArea, ...]:
    areas = []
    for mask, seen, of_date in zip(masks, sums.seen, sums.by_target[target], strict=True):
        low, high = interval_of(of_date, seen, mask.appeared_frac[target], mask.vanished_frac[target])
        areas.append(DateArea(mask.date, of_date.area, low, high, of_date.hidden, seen.px / sums.ground.px))
    return tuple(areas)


def _provenance(masks: Sequence[DatedMask], series: AlignedSeries, choices: ExtractionChoices) -> dict[str, Any]:
    """Return how the series was made, as JSON."""
    return {
        "shape": [series.grid.height, series.grid.width],
        "transform": [*series.grid.transform][:6],
        "crs": None if series.grid.crs is None else series.grid.crs.to_string(),
        "bands": [*series.bands],
        "model": choices.model.id,
        "scenes": [
            {
                "date": mask.date,
                "date_from": mask.origin,
                "name": mask.name,
                "hash": mask.scene_hash,
                "sensor": mask.sensor,
                "answered_by": dict(mask.answered_by),
                "place_uncertainty_px": mask.uncertainty_px,
                "shift_measured": mask.is_shift_measured,
            }
            for mask in masks
        ],
        "threshold": choices.threshold,
        "min_area_px": choices.min_area_px,
        "made": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
    }
