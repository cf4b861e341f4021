"""What one should know of a result beside its figures: who answered, why nothing was found, what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from spex_nb.extraction.facts.of_result import RunFindings
from spex_nb.extraction.mask_models import INDEX
from spex_nb.extraction.planning.plan import Plan
from spex_nb.language.explanation.note_words import NoteWriter
from spex_nb.language.explanation.request import stand_in_sentences
from spex_nb.language.explanation.rule_words import rule_in_words
from spex_nb.language.languages import get_language
from spex_nb.language.parsing.paraphrase import describe_filter
from spex_nb.regions.edited_regions import EditedRegions
from spex_nb.scene.guard import notes_of_scene
from spex_nb.spectral.priors import prior_of
from spex_nb.types import SQUARE_METRES, Instruction, Region
from spex_nb.types.targets import TARGETS

NAMED_REGIONS = 3
"""Regions left out whose sizes a note names."""


def notes_of(plan: Plan, findings: RunFindings, more: Sequence[str]) -> list[str]:
    """Return the notes of a result, as sentences in the language of the instruction.

    What a scene or a failed tile says of itself is in English.
    """
    writer = NoteWriter(plan.instruction.language)
    notes = [
        *_area_of_interest(plan, writer),
        *_who_answered(plan, writer),
        *_weaker(plan, writer),
        *_stand_ins(plan, writer),
        *_resampled(plan, writer),
        *(sentence for name in plan.assignment.classes for sentence in _why_nothing(name, plan, findings, writer)),
        *_overlaps(findings, writer),
        *more,
        *_failed(plan, findings, writer),
        *notes_of_scene(plan.scene),
        _size_of_pixels(plan, writer),
        "" if plan.scene.spex.crs else writer.write("no_crs"),
    ]
    return [note for note in notes if note]


def notes_of_edit(held: EditedRegions, instruction: Instruction, answered_by: Mapping[str, str]) -> list[str]:
    """Return what one should know of regions that were edited by hand, in the language of the instruction.

    Args:
        held: The regions, held against the instruction.
        instruction: That the result answers.
        answered_by: Who showed each target in the extraction, by target.
    """
    writer, language = NoteWriter(instruction.language), get_language(instruction.language)
    notes = []
    for name, regions in held.left_out.items():
        if regions:
            places = ", ".join(_size_in_words(region, writer) for region in regions[:NAMED_REGIONS])
            more = ", …" if len(regions) > NAMED_REGIONS else ""
            notes.append(
                writer.write("edit_left_out", word=writer.noun(name), number=str(len(regions)), areas=places + more)
            )
    for name, filters in held.untested.items():
        targets = [name] if name in TARGETS else []
        conditions = "; ".join(describe_filter(wanted, language, targets) for wanted in filters)
        notes.append(writer.write("edit_untested", word=writer.noun(name), conditions=conditions))
    other = [name for name in held.by_index if answered_by.get(name) != INDEX]
    notes += [writer.write("edit_by_index", word=writer.noun(name)) for name in other]
    return notes


def _size_in_words(region: Region, writer: NoteWriter) -> str:
    """Return the area of a region in hectares, or in pixels where there is no CRS."""
    if region.area_m2 is None:
        return f"{region.area_px} px"
    return f"{writer.decimal(region.area_m2 / SQUARE_METRES['ha'], '.2g')} ha"


def _area_of_interest(plan: Plan, writer: NoteWriter) -> Iterator[str]:
    if plan.area is not None:
        yield writer.write("area_of_interest", share=_percent(plan.area.share_frac, writer))
        if plan.area.outside_frac > LEAST_OUTSIDE_FRAC:
            yield writer.write("area_outside", share=_percent(plan.area.outside_frac, writer))


def _percent(share: float, writer: NoteWriter) -> str:
    """Return a share as per cent, with the digits that keep it apart from none and from all."""
    percent = 100 * share
    least = min(percent, 100 - percent) or percent
    return writer.decimal(percent, f".{max(0, 1 - math.floor(math.log10(least)))}f")


LEAST_OUTSIDE_FRAC = 1e-4
"""Less of an area beyond the scene is rounding between two maps."""


def _who_answered(plan: Plan, writer: NoteWriter) -> Iterator[str]:
    pixel = plan.scene.isel(y=slice(0, 1), x=slice(0, 1))
    for target in plan.assignment.layers:
        if target not in plan.assignment.by_index:
            continue
        prior = prior_of(pixel, target)
        if not plan.model.card.is_index:
            key = "left_to_index" if target in plan.model.card.left_to_index else "not_trained"
            yield writer.write(key, model=plan.model.id, word=writer.noun(target))
        yield "" if prior is None else rule_in_words(prior, writer.language)


def _weaker(plan: Plan, writer: NoteWriter) -> Iterator[str]:
    """Say which targets the model finds less well in these bands."""
    for target in plan.assignment.layers:
        band = plan.model.card.weak_without.get(target)
        if target not in plan.assignment.by_index and band is not None and band not in plan.scene.spex.bands:
            yield writer.write("weaker", band=band, model=plan.model.id, word=writer.noun(target))


def _stand_ins(plan: Plan, writer: NoteWriter) -> Iterator[str]:
    """Say which parents answer for targets that only the filters name; explanations say it of all others."""
    explained = {*(plan.assignment.targets or plan.assignment.excluded)}
    near = {name: answer for name, answer in plan.assignment.stand_ins.items() if answer not in explained}
    yield from stand_in_sentences(near, plan.scene.spex.gsd_m, plan.model.id, writer)


def _size_of_pixels(plan: Plan, writer: NoteWriter) -> str:
    """Say that nothing tells how large a pixel is."""
    if plan.scene.spex.gsd_m is not None:
        return ""
    gsd_m = plan.model.card.gsd_m
    if gsd_m is None:
        return writer.write("gsd_unknown")
    return writer.write("gsd_assumed", gsd=writer.decimal(gsd_m, "g"), model=plan.model.id)


def _resampled(plan: Plan, writer: NoteWriter) -> Iterator[str]:
    gsd_m = plan.scene.spex.gsd_m
    model_gsd_m = plan.model.card.read_gsd_m(gsd_m)
    if plan.job.zoom != 1 and gsd_m is not None and model_gsd_m is not None:
        yield writer.write("resampled", gsd=writer.decimal(gsd_m, "g"), model_gsd=writer.decimal(model_gsd_m, "g"))


def _why_nothing(name: str, plan: Plan, findings: RunFindings, writer: NoteWriter) -> Iterator[str]:
    """Say why a class is empty, if it is."""
    if findings.kept_regions[name] or findings.candidates[name]:  # the explanation says what the filters left out
        return
    smallest, why = str(plan.choices.min_area_px), _nearest_miss(name, plan, findings, writer)
    yield writer.write("nothing", word=writer.noun(name), smallest=smallest, why=why)


def _nearest_miss(name: str, plan: Plan, findings: RunFindings, writer: NoteWriter) -> str:
    """Say how near a target came to its threshold."""
    highest = findings.highest.get(name, 0.0)
    threshold = writer.decimal(plan.choices.threshold, "g")
    by_model = writer.write("miss_model", value=writer.decimal(highest, ".3f"), threshold=threshold)
    extreme = findings.extremes.get(name)
    if extreme is None or not math.isfinite(extreme.value):
        return by_model
    by_index = writer.write(
        f"miss_{extreme.side}",
        index=extreme.index_name,
        value=writer.decimal(extreme.value, ".3f"),
        threshold=writer.decimal(extreme.threshold, "g"),
    )
    by_index += writer.write("guard", guard=extreme.guard) if extreme.guard else ""
    return by_index if name in plan.assignment.by_index else writer.write("joint").join([by_model, by_index])


def _overlaps(findings: RunFindings, writer: NoteWriter) -> Iterator[str]:
    if findings.contested_px:
        yield writer.write("contested", number=f"{findings.contested_px:,}")


def _failed(plan: Plan, findings: RunFindings, writer: NoteWriter) -> Iterator[str]:
    if findings.failures:
        (row, col, height, width), why = next(iter(sorted(findings.failures.items())))
        yield writer.write(
            "failed",
            number=str(len(findings.failures)),
            total=str(len(plan.windows)),
            top=str(row),
            bottom=str(row + height),
            left=str(col),
            right=str(col + width),
            why=why,
        )
