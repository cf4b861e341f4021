"""What makes a series unsure beside its intervals: shifts, sensors, seasons, clouds, methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spex_nb.analysis.change.series.dated_masks import AlignedSeries, DatedMask
from spex_nb.analysis.change.unfinished import ExtractionChoices
from spex_nb.extraction.facts.dates import latitude_of, season_of
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.types.targets import TARGETS

DAY_LENGTH = 10
"""Letters of a date that names a day."""
INDEX = "index"


def doubts_of_series(masks: Sequence[DatedMask], series: AlignedSeries, choices: ExtractionChoices) -> tuple[str, ...]:
    """Return what makes a series unsure, a sentence each, in the language of the instruction.

    Args:
        masks: In the order of their dates.
        series: The scenes.
        choices: How they were extracted.
    """
    words = ChangeWords(choices.instruction.language)
    return (
        *(words.sentence("series_says", date=mask.date, text=text) for mask in masks for text in mask.distrust),
        *_failed_tiles(masks, words),
        *_stand_ins(choices.instruction.targets, masks[0].targets, words),
        *_methods(masks, choices.model.id, words),
        *_sources(masks, series, words),
        *_places(masks, words),
        *_seasons(masks, series, words),
        *_origins(masks, words),
        *_clouds(masks, words),
        words.sentence("series_interval"),
        words.sentence("further"),
    )


def _failed_tiles(masks: Sequence[DatedMask], words: ChangeWords) -> Iterator[str]:
    for mask in masks:
        if mask.failures:
            yield words.sentence("series_failed", tiles=words.number(mask.failures), date=mask.date)


def _stand_ins(wanted: Sequence[str], targets: Sequence[str], words: ChangeWords) -> Iterator[str]:
    for name in wanted:
        parent = TARGETS[name].parent
        if name not in targets and parent is not None:
            yield words.sentence("stand_in", target=words.noun(name, begins=True), parent=words.noun(parent))


def _methods(masks: Sequence[DatedMask], model_id: str, words: ChangeWords) -> Iterator[str]:
    """Say who answered instead of the model, and on which dates another method did."""
    for target in masks[0].targets:
        methods = {mask.date: mask.answered_by[target] for mask in masks}
        noun = words.noun(target, begins=words.language != "en")
        if set(methods.values()) == {INDEX} and model_id != INDEX:
            yield words.sentence("by_index", target=noun, model=model_id)
        if len(set(methods.values())) > 1:
            by_index = words.listed([date for date, method in methods.items() if method == INDEX])
            yield words.sentence("series_methods", target=noun, dates=by_index, model=model_id)


def _sources(masks: Sequence[DatedMask], series: AlignedSeries, words: ChangeWords) -> Iterator[str]:
    sensors = sorted({mask.sensor for mask in masks})
    if len(sensors) > 1:
        yield words.sentence("series_sensors", sensors=words.listed(sensors))
    every = {name for scene in series.scenes for name in scene.opened.scene.spex.bands}
    if left_out := sorted(every - set(series.bands)):
        yield words.sentence("series_bands", bands=words.listed(left_out))
    sides = sorted({round(mask.gsd_m, 3) for mask in masks if mask.gsd_m is not None})
    if sides and sides[-1] > 1.05 * sides[0]:
        yield words.sentence("series_pixels", first=words.short(sides[0]), second=words.short(sides[-1]))
    smoothed = [mask.date for mask in masks if mask.is_interpolated]
    if smoothed:
        yield words.sentence("series_smoothed", dates=words.listed(smoothed))
    if any(mask.is_relative for mask in masks):
        yield words.sentence("uncalibrated")


def _places(masks: Sequence[DatedMask], words: ChangeWords) -> Iterator[str]:
    """Say which scenes may not lie over the others."""
    unknown = [mask.date for mask in masks if not mask.is_shift_measured]
    if unknown:
        yield words.sentence("series_shift", dates=words.listed(unknown))


def _seasons(masks: Sequence[DatedMask], series: AlignedSeries, words: ChangeWords) -> Iterator[str]:
    latitude = latitude_of(series.scenes[series.reference].opened.scene)
    seasons = {season_of(mask.date, latitude) for mask in masks if len(mask.date) == DAY_LENGTH}
    names = [words.season(season) for season in sorted(filter(None, seasons))]
    if len(names) > 1:
        yield words.sentence("series_seasons", seasons=words.listed(names))


def _origins(masks: Sequence[DatedMask], words: ChangeWords) -> Iterator[str]:
    if any(mask.origin == "year in the name" for mask in masks):
        yield words.sentence("series_years")


def _clouds(masks: Sequence[DatedMask], words: ChangeWords) -> Iterator[str]:
    unmasked = [mask.date for mask in masks if not mask.has_cloud_mask]
    if len(unmasked) == len(masks):
        yield words.sentence("series_clouds_any")
    elif unmasked:
        yield words.sentence("series_clouds", dates=words.listed(unmasked))
