"""What makes a series unsure beside its intervals: shifts, sensors, seasons, clouds, methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spex_nb.change.series.dated_masks import AlignedSeries, DatedMask
from spex_nb.change.unfinished import ExtractionChoices
from spex_nb.extraction.facts.dates import latitude_of, season_of
from spex_nb.targets import TARGETS

DAY_LENGTH = 10
"""Letters of a date that names a day."""
INDEX = "index"


def doubts_of_series(masks: Sequence[DatedMask], series: AlignedSeries, choices: ExtractionChoices) -> tuple[str, ...]:
    """Return what makes a series unsure, a sentence each.

    Args:
        masks: In the order of their dates.
        series: The scenes.
        choices: How they were extracted.
    """
    return (
        *(f"The extraction of {mask.date} says: {text}" for mask in masks for text in mask.distrust),
        *(f"{mask.failures} tiles of {mask.date} failed and count as no data." for mask in masks if mask.failures),
        *_stand_ins(choices.instruction.targets, masks[0].targets),
        *_methods(masks, choices.model.id),
        *_sources(masks, series),
        *_places(masks),
        *_seasons(masks, series),
        *_origins(masks),
        *_clouds(masks),
        "The interval holds the edge of the mask, within half a pixel, and noise.",
        "Light, haze, water level, growth and mistakes of the extraction can change the figures further.",
    )


def _stand_ins(wanted: Sequence[str], targets: Sequence[str]) -> Iterator[str]:
    for name in wanted:
        parent = TARGETS[name].parent
        if name not in targets and parent is not None:
            word = TARGETS[name].word.capitalize()
            yield f"{word} cannot be seen in such pixels or is not known to the model: {TARGETS[parent].word} answers."


def _methods(masks: Sequence[DatedMask], model_id: str) -> Iterator[str]:
    """Say who answered instead of the model, and on which dates another method did."""
    for target in masks[0].targets:
        methods = {mask.date: mask.answered_by[target] for mask in masks}
        word = TARGETS[target].word
        if set(methods.values()) == {INDEX} and model_id != INDEX:
            yield f"A spectral index answered for {word}, which {model_id} leaves to it or does not know."
        if len(set(methods.values())) > 1:
            by_index = ", ".join(date for date, method in methods.items() if method == INDEX)
            yield f"For {word} an index answered on {by_index}, and {model_id} on the other dates."


def _sources(masks: Sequence[DatedMask], series: AlignedSeries) -> Iterator[str]:
    sensors = sorted({mask.sensor for mask in masks})
    if len(sensors) > 1:
        yield f"The sensors differ ({', '.join(sensors)}), and so do their bands."
    every = {name for scene in series.scenes for name in scene.opened.scene.spex.bands}
    if left_out := sorted(every - set(series.bands)):
        yield f"Left out are bands that not all scenes have: {', '.join(left_out)}."
    sides = sorted({round(mask.gsd_m, 3) for mask in masks if mask.gsd_m is not None})
    if sides and sides[-1] > 1.05 * sides[0]:
        yield f"Pixels of {sides[0]:.3g} m to {sides[-1]:.3g} m were brought to the largest ones."
    smoothed = [mask.date for mask in masks if mask.is_interpolated]
    if smoothed:
        yield f"Interpolation smooths the scenes of {', '.join(smoothed)}: small regions fade there."
    if any(mask.is_relative for mask in masks):
        yield "The values are not calibrated: the same ground can have other values on another date."


def _places(masks: Sequence[DatedMask]) -> Iterator[str]:
    """Say which scenes may not lie over the others."""
    unknown = [mask.date for mask in masks if not mask.is_shift_measured]
    if unknown:
        yield (
            f"The shift of {', '.join(unknown)} could not be measured, so that nothing was moved there: the frequency "
            "is blurred along edges. Areas hardly depend on a shift."
        )


def _seasons(masks: Sequence[DatedMask], series: AlignedSeries) -> Iterator[str]:
    latitude = latitude_of(series.scenes[series.reference].opened.scene)
    seasons = {season_of(mask.date, latitude) for mask in masks if len(mask.date) == DAY_LENGTH} - {None}
    if len(seasons) > 1:
        yield f"The seasons differ ({', '.join(sorted(map(str, seasons)))}): part of the change is that of the year."


def _origins(masks: Sequence[DatedMask]) -> Iterator[str]:
    if any(mask.origin == "year in the name" for mask in masks):
        yield "The dates are years in the names of the scenes, which differ in nothing else."


def _clouds(masks: Sequence[DatedMask]) -> Iterator[str]:
    unmasked = [mask.date for mask in masks if not mask.has_cloud_mask]
    if unmasked:
        dates = "any date" if len(unmasked) == len(masks) else ", ".join(unmasked)
        yield f"No clouds were masked on {dates}: a cloud there counts as change."
