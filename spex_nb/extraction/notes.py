"""What one should know of a result beside its figures: who answered, why nothing was found, what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from spex_nb.extraction.mosaic import Mosaic
from spex_nb.extraction.plan import Plan
from spex_nb.extraction.predict import IndexExtreme
from spex_nb.scene.guard import notes_of_scene
from spex_nb.spectral.priors import prior_of
from spex_nb.targets import TARGETS
from spex_nb.types import Region, Window


@dataclass(frozen=True)
class NoteContext:
    """What notes are made of, beside the plan."""

    candidates: Mapping[str, Sequence[Region]]
    """Regions of each class, before the filters of the instruction."""
    kept_regions: Mapping[str, Sequence[Region]]
    """Regions of each class, after them."""
    mosaic: Mosaic
    extremes: Mapping[str, IndexExtreme]
    """The extreme of each target's index anywhere."""
    failures: Mapping[Window, str]


def notes_of(plan: Plan, context: NoteContext, more: Sequence[str]) -> list[str]:
    """Return the notes of a result, as sentences."""
    notes = [
        *_who_answered(plan),
        *_weaker(plan),
        *_stand_ins(plan),
        *_resampled(plan),
        *_the_rest(plan, context),
        *(sentence for name in plan.assignment.classes for sentence in _why_nothing(name, plan, context)),
        *_overlaps(context),
        *more,
        *_failed(plan, context),
        *notes_of_scene(plan.scene),
        _size_of_pixels(plan),
        "" if plan.scene.spex.crs else "The scene has no CRS: areas and places are in pixels.",
    ]
    return [note for note in notes if note]


def _who_answered(plan: Plan) -> Iterator[str]:
    pixel = plan.scene.isel(y=slice(0, 1), x=slice(0, 1))
    for target in plan.assignment.layers:
        if target not in plan.assignment.by_index:
            continue
        prior = prior_of(pixel, target)
        if not plan.model.card.is_index:
            yield _why_the_index(target, plan)
        yield "" if prior is None else prior.reason


def _why_the_index(target: str, plan: Plan) -> str:
    model, word = plan.model, TARGETS[target].word
    if target in model.card.left_to_index:
        return f"The model {model.id} leaves {word} to the spectral index, the better one here."
    return f"The model {model.id} was not trained on {word}: the spectral index answered."


def _weaker(plan: Plan) -> Iterator[str]:
    """Say which targets the model finds less well in these bands."""
    for target in plan.assignment.layers:
        band = plan.model.card.weak_without.get(target)
        if target not in plan.assignment.by_index and band is not None and band not in plan.scene.spex.bands:
            yield (
                f"The scene has no band {band}: the model {plan.model.id} finds {TARGETS[target].word} far less well "
                "without it. Look at the mask before you use it."
            )


def _stand_ins(plan: Plan) -> Iterator[str]:
    """Say which parents answer for what cannot be seen in such pixels, or is not known to the model."""
    gsd_m = plan.scene.spex.gsd_m
    for name, answer in plan.assignment.stand_ins.items():
        target, parent = TARGETS[name], TARGETS[answer].word
        if gsd_m is not None and target.largest_gsd_m is not None and gsd_m > target.largest_gsd_m:
            yield f"A pixel of {gsd_m:g} m shows no single {target.word}: the answer is {parent}, which holds it."
        else:
            who = f"Neither the model {plan.model.id} nor an index knows {target.word}"
            yield f"{who}: the answer is {parent}, which holds it."


def _size_of_pixels(plan: Plan) -> str:
    """Say that nothing tells how large a pixel is."""
    if plan.scene.spex.gsd_m is not None:
        return ""
    if plan.model.card.gsd_m is None:
        return "The size of a pixel on the ground is not known. Pass gsd_m= to open_scene."
    return (
        "The size of a pixel on the ground is not known, so the scene was read as if it were the "
        f"{plan.model.card.gsd_m:g} m that the model {plan.model.id} was made for. Pass gsd_m= to open_scene."
    )


def _resampled(plan: Plan) -> Iterator[str]:
    if plan.job.zoom != 1:
        yield (
            f"The scene's pixels of {plan.scene.spex.gsd_m:g} m were resampled to the {plan.model.card.gsd_m:g} m that "
            "the model was made for; the mask is on the scene's own pixels."
        )


def _the_rest(plan: Plan, context: NoteContext) -> Iterator[str]:
    """Say what the mask of "everything but" shows, since the explanation speaks of what was left out."""
    if plan.assignment.targets:
        return
    (rest,) = context.kept_regions.values()
    pixels = sum(region.area_px for region in rest)
    areas_m2 = [region.area_m2 for region in rest if region.area_m2 is not None]
    ground = f" ({sum(areas_m2) / 1e4:,.3g} ha)" if areas_m2 else ""
    yield (
        f"The mask shows the rest, {pixels:,} px{ground} in {_regions(len(rest))}; the explanation of "
        f"{', '.join(TARGETS[target].word for target in plan.assignment.excluded)} is about what was left out."
    )


def _why_nothing(name: str, plan: Plan, context: NoteContext) -> Iterator[str]:
    """Say why a class is empty, if it is."""
    if context.kept_regions[name]:
        return
    word = TARGETS[name].word if name in TARGETS else "everything else"
    dropped = context.candidates[name]
    if dropped:
        largest = dropped[0]
        size = f"{largest.area_px:,} px" if largest.area_m2 is None else f"{largest.area_m2 / 1e4:,.3g} ha"
        yield (
            f"{_regions(len(dropped))} of {word} did not meet what was asked ({plan.instruction.meaning}); the largest "
            f"has {size}."
        )
        return
    smallest = plan.choices.min_area_px
    yield f"Of {word} nothing was found in regions of at least {smallest} px: {_nearest_miss(name, plan, context)}."


def _regions(number: int) -> str:
    return f"{number:,} region{'' if number == 1 else 's'}"


def _nearest_miss(name: str, plan: Plan, context: NoteContext) -> str:
    """Say how near a target came to its threshold."""
    highest = context.mosaic.highest.get(name, 0.0)
    by_model = f"the highest probability seen is {highest:.3f}, the threshold {plan.choices.threshold:g}"
    extreme = context.extremes.get(name)
    if extreme is None or not math.isfinite(extreme.value):
        return by_model
    word = "highest" if extreme.side == "above" else "lowest"
    bound = f"{extreme.side} {extreme.threshold:g}" + (f", with {extreme.guard}" if extreme.guard else "")
    by_index = f"the {word} {extreme.index_name} seen is {extreme.value:.3f}, and the target lies {bound}"
    return by_index if name in plan.assignment.by_index else f"{by_model}; {by_index}"


def _overlaps(context: NoteContext) -> Iterator[str]:
    if context.mosaic.contested_px:
        yield (
            f"{context.mosaic.contested_px:,} pixels were claimed by more than one target; each went to the most "
            "probable one."
        )


def _failed(plan: Plan, context: NoteContext) -> Iterator[str]:
    if context.failures:
        (row, col, height, width), why = next(iter(sorted(context.failures.items())))
        yield (
            f"{len(context.failures)} of {len(plan.tiling.windows)} tiles failed and count as no data, for example "
            f"rows {row} to {row + height}, columns {col} to {col + width}: {why}"
        )
