"""What makes a comparison unsure beside its floor: other sensors, rules, seasons, values, clouds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import xarray as xr

from spex_nb.extraction import Extraction
from spex_nb.extraction.facts.dates import latitude_of, season_of
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.spectral.priors import prior_of
from spex_nb.types.targets import TARGETS

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
    before: ComparedScene,
    after: ComparedScene,
    wanted: Sequence[str],
    targets: Sequence[str],
    model_id: str,
    words: ChangeWords,
) -> tuple[str, ...]:
    """Return what makes a comparison unsure, a sentence each.

    Args:
        before: The scene before.
        after: The scene after.
        wanted: Ids of the targets that the user named.
        targets: Ids of those that were answered: a parent stands in for what such a scene does not show.
        model_id: Of the model.
        words: Of the language of the user.
    """
    pair = (before, after)
    return (
        *(words.sentence(f"says_{scene.word}", text=text) for scene in pair for text in scene.distrust),
        *_failed_tiles(pair, words),
        *_stand_ins(wanted, targets, words),
        *_methods(before, after, targets, model_id, words),
        *_sources(before, after, words),
        *_dates(before, after, words),
        *_clouds(pair, words),
        words.sentence("floor_holds"),
        words.sentence("further"),
    )


def _failed_tiles(pair: Sequence[ComparedScene], words: ChangeWords) -> Iterator[str]:
    for scene in pair:
        if scene.failures:
            yield words.sentence(f"failed_{scene.word}", tiles=words.number(scene.failures))


def _stand_ins(wanted: Sequence[str], targets: Sequence[str], words: ChangeWords) -> Iterator[str]:
    """Say which parents answer for targets that such a scene does not show, or that the model does not know."""
    for name in wanted:
        parent = TARGETS[name].parent
        if name not in targets and parent is not None:
            yield words.sentence("stand_in", target=words.noun(name, begins=True), parent=words.noun(parent))


def _methods(
    before: ComparedScene, after: ComparedScene, targets: Sequence[str], model_id: str, words: ChangeWords
) -> Iterator[str]:
    """Say who answered instead of the model, and where the two scenes were not answered by the same rule."""
    for target in targets:
        first, second = (scene.answered_by[target] for scene in (before, after))
        noun = words.noun(target)
        if first == second == INDEX != model_id:
            yield words.sentence("by_index", target=noun, model=model_id)
        if first != second:
            yield words.sentence("methods_differ", target=noun, first=first, second=second)
        rules = [_rule_text(scene, target, words) for scene in (before, after)]
        if first == second == INDEX and rules[0] != rules[1]:
            yield words.sentence("rules_differ", target=noun, first=rules[0], second=rules[1])


def _rule_text(scene: ComparedScene, target: str, words: ChangeWords) -> str:
    prior = prior_of(scene.scene.isel(y=slice(0, 1), x=slice(0, 1)), target)
    if prior is None:
        return words.sentence("no_rule")
    rule = f"{prior.index_name} {prior.side} {prior.threshold:g}"
    return words.listed([rule, str(prior.guard)]) if prior.guard else rule


def _sources(before: ComparedScene, after: ComparedScene, words: ChangeWords) -> Iterator[str]:
    """Say how the two sources differ."""
    first, second = (str(scene.scene.attrs.get("sensor", "unknown")) for scene in (before, after))
    if first != second:
        yield words.sentence("sensors", first=first, second=second)
    single = sorted(set(before.bands) ^ set(after.bands))
    if single:
        yield words.sentence("bands", bands=words.listed(single))
    first_m, second_m = before.gsd_m, after.gsd_m
    if first_m is not None and second_m is not None and max(first_m, second_m) > 1.05 * min(first_m, second_m):
        yield words.sentence("pixels", first=words.short(first_m), second=words.short(second_m))
    if before.scene.spex.is_relative or after.scene.spex.is_relative:
        yield words.sentence("uncalibrated")


def _dates(before: ComparedScene, after: ComparedScene, words: ChangeWords) -> Iterator[str]:
    if before.date is None or after.date is None:
        undated = [scene.word for scene in (before, after) if scene.date is None]
        yield words.sentence(f"undated_{undated[0]}" if len(undated) == 1 else "undated_both")
        return
    if before.date > after.date:
        yield words.sentence("order")
    latitude = latitude_of(before.scene)
    first, second = (season_of(date, latitude) for date in (before.date, after.date))
    if first is not None and second is not None and first != second:
        yield words.sentence("seasons", first=words.season(first), second=words.season(second))


def _clouds(pair: Sequence[ComparedScene], words: ChangeWords) -> Iterator[str]:
    unmasked = [scene.word for scene in pair if "cloud" not in str(scene.scene.attrs.get("valid_reason", ""))]
    if unmasked:
        yield words.sentence(f"clouds_{unmasked[0]}" if len(unmasked) == 1 else "clouds_both")
