"""What makes a comparison unsure beside its floor: other sensors, rules, seasons, values, clouds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import xarray as xr

from spex_nb.extraction import Extraction
from spex_nb.extraction.facts.dates import latitude_of, season_of
from spex_nb.spectral.priors import prior_of
from spex_nb.targets import TARGETS

INDEX = "index"


@dataclass(frozen=True)
class ComparedScene:
    """One of the two scenes, as it was extracted on the shared grid.

    Attributes:
        word: ``before`` or ``after``.
        scene: Bands [H, W] and ``valid``.
        bands: All bands that it had.
        date: Such as ``2009-08-18``; None where it is not known.
        gsd_m: Side of its own pixels; None where it is not known.
        answered_by: By target, ``index`` or the id of the model.
        distrust: Sentences that call its extraction untrusted.
        failures: Number of tiles that failed.
    """

    word: str
    scene: xr.Dataset
    bands: tuple[str, ...]
    date: str | None
    gsd_m: float | None
    answered_by: dict[str, str]
    distrust: tuple[str, ...]
    failures: int


def distrust_of(result: Extraction) -> tuple[str, ...]:
    """Return the sentences of an extraction that call its answer untrusted."""
    return tuple(
        statement.text
        for explanation in result.explanations
        for statement in explanation.statements
        if "trust" in statement.facts
    )


def doubts_of(
    before: ComparedScene, after: ComparedScene, wanted: Sequence[str], targets: Sequence[str], model_id: str
) -> tuple[str, ...]:
    """Return what makes a comparison unsure, a sentence each.

    Args:
        before: The scene before.
        after: The scene after.
        wanted: Ids of the targets that the user named.
        targets: Ids of those that were answered: a parent stands in for what such a scene does not show.
        model_id: Of the model.
    """
    pair = (before, after)
    return (
        *(f"The extraction of the scene {scene.word} says: {text}" for scene in pair for text in scene.distrust),
        *_failed_tiles(pair),
        *_stand_ins(wanted, targets),
        *_methods(before, after, targets, model_id),
        *_sources(before, after),
        *_dates(before, after),
        *_clouds(pair),
        "The floor holds shift, noise and interpolation only.",
        "Light, haze, water level, growth and mistakes of the extraction can change the figures further.",
    )


def _failed_tiles(pair: Sequence[ComparedScene]) -> Iterator[str]:
    for scene in pair:
        if scene.failures:
            yield f"{scene.failures} tiles of the scene {scene.word} failed and count as no data."


def _stand_ins(wanted: Sequence[str], targets: Sequence[str]) -> Iterator[str]:
    """Say which parents answer for targets that such a scene does not show, or that the model does not know."""
    for name in wanted:
        parent = TARGETS[name].parent
        if name not in targets and parent is not None:
            word = TARGETS[name].word.capitalize()
            yield f"{word} cannot be seen in such pixels or is not known to the model: {TARGETS[parent].word} answers."


def _methods(before: ComparedScene, after: ComparedScene, targets: Sequence[str], model_id: str) -> Iterator[str]:
    """Say who answered instead of the model, and where the two scenes were not answered by the same rule."""
    for target in targets:
        first, second = (scene.answered_by[target] for scene in (before, after))
        if first == second == INDEX != model_id:
            word = TARGETS[target].word
            yield f"A spectral index answered for {word}, which {model_id} leaves to it or does not know."
        if first != second:
            yield f"Before, {first} answered for {target}, and after, {second}: the change of method counts as change."
        rules = [_rule_text(scene, target) for scene in (before, after)]
        if first == second == INDEX and rules[0] != rules[1]:
            yield f"The rule for {target} is {rules[0]} before and {rules[1]} after: their difference counts as change."


def _rule_text(scene: ComparedScene, target: str) -> str:
    prior = prior_of(scene.scene.isel(y=slice(0, 1), x=slice(0, 1)), target)
    if prior is None:
        return "none"
    rule = f"{prior.index_name} {prior.side} {prior.threshold:g}"
    return f"{rule} and {prior.guard}" if prior.guard else rule


def _sources(before: ComparedScene, after: ComparedScene) -> Iterator[str]:
    """Say how the two sources differ."""
    first, second = (str(scene.scene.attrs.get("sensor", "unknown")) for scene in (before, after))
    if first != second:
        yield f"The sensors differ, {first} before and {second} after, and so do their bands."
    single = sorted(set(before.bands) ^ set(after.bands))
    if single:
        yield f"Left out are bands that only one scene has: {', '.join(single)}."
    first_m, second_m = before.gsd_m, after.gsd_m
    if first_m is not None and second_m is not None and max(first_m, second_m) > 1.05 * min(first_m, second_m):
        yield f"Pixels of {first_m:.3g} m before and {second_m:.3g} m after were brought to the larger ones."
    if before.scene.spex.is_relative or after.scene.spex.is_relative:
        yield "The values are not calibrated: the same ground can have other values on the other date."


def _dates(before: ComparedScene, after: ComparedScene) -> Iterator[str]:
    undated = [scene.word for scene in (before, after) if scene.date is None]
    if undated:
        yield f"The date of the scene {' and of the scene '.join(undated)} is not known."
    if before.date is None or after.date is None:
        return
    if before.date > after.date:
        yield "The scene before has the later date: gain and loss are meant in the order of the scenes."
    latitude = latitude_of(before.scene)
    seasons = [season_of(date, latitude) for date in (before.date, after.date)]
    if None not in seasons and seasons[0] != seasons[1]:
        yield f"The seasons differ, {seasons[0]} before and {seasons[1]} after."


def _clouds(pair: Sequence[ComparedScene]) -> Iterator[str]:
    unmasked = [scene.word for scene in pair if "cloud" not in str(scene.scene.attrs.get("valid_reason", ""))]
    if unmasked:
        yield f"No clouds were masked in the scene {' and the scene '.join(unmasked)}: a cloud there counts as change."
