"""The facts of every target of a run, and of a result whose mask was edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xarray as xr

from spex_nb.extraction.facts.doubt import place_of_doubt
from spex_nb.extraction.facts.gather import FactContext, Specks, gather_facts
from spex_nb.extraction.facts.nearest_size import NearestRegion
from spex_nb.extraction.facts.quality import Quality, measured_quality
from spex_nb.extraction.predict import IndexExtreme
from spex_nb.language.explanation.note_words import NoteWriter
from spex_nb.language.explanation.points import AREA_FACT, HIDDEN_FACT
from spex_nb.language.explanation.request import (
    filters_of,
    request_facts,
    rest_in_words,
    stand_in_facts,
    stand_in_sentences,
)
from spex_nb.spectral.priors import prior_of
from spex_nb.types import AreaFilter, Fact, Filter, Instruction, Region, Window

if TYPE_CHECKING:
    from spex_nb.extraction.measure import SceneStatistics
    from spex_nb.extraction.planning.plan import Plan
    from spex_nb.extraction.result import Extraction


LEFT_OUT_FACT = "rest.left_out_px"
"""Id of the fact how many pixels "everything but" leaves out."""
REQUEST = ("asked", "asked_area", "hidden", "word", "stand_in", "taught")
"""Beginnings of the ids of facts about what was asked and seen, which an edited mask leaves as they are."""


@dataclass(frozen=True)
class RunFindings:
    """What a run found, beside what was measured on its mask.

    Attributes:
        candidates: Regions of each class, before the filters of the instruction.
        kept_regions: Regions of each class, after them.
        specks_px: Pixels of each class in regions that are too small to count.
        highest: The highest probability of each target anywhere.
        extremes: The value of each target's index that lies furthest on its side.
        contested_px: Pixels that more than one target claimed.
        failures: Windows of the tiles that failed, and why.
        nearest: By class of which the filters keep none, the region that comes nearest to the size that is asked for.
        left_out_px: Pixels of the regions that "everything but" leaves out.
    """

    candidates: Mapping[str, Sequence[Region]]
    kept_regions: Mapping[str, Sequence[Region]]
    specks_px: Mapping[str, int]
    highest: Mapping[str, float]
    extremes: Mapping[str, IndexExtreme]
    contested_px: int = 0
    failures: Mapping[Window, str] = field(default_factory=dict)
    nearest: Mapping[str, NearestRegion] = field(default_factory=dict)
    left_out_px: int = 0


def facts_of_run(plan: Plan, statistics: SceneStatistics, findings: RunFindings) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each target of a run.

    Args:
        plan: What was asked for.
        statistics: What was measured.
        findings: Its regions, and how near the rest came.
    """
    scene = plan.scene
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))
    folder = getattr(plan.model, "folder", None)
    place = place_of_doubt(statistics.doubt.unpack())
    rest = () if plan.assignment.targets else _rest_of_run(plan, statistics, findings)
    facts = {}
    for target, sums in statistics.facts.items():
        nearest = {"index": findings.extremes[target].value} if target in findings.extremes else {}
        nearest |= {"probability": findings.highest[target]} if target in findings.highest else {}
        context = FactContext(
            evidence=statistics.evidence[target],
            sums=sums,
            scene=scene,
            source_name=plan.job.source.name,
            by_index=target in plan.assignment.by_index,
            model_id=plan.assignment.answered_by.get(target, plan.model.id),
            prior=prior_of(pixel, target),
            candidates=_before_filters(findings.candidates.get(target), statistics.evidence[target].number),
            quality=Quality()
            if folder is None or target in plan.assignment.answered_by
            else measured_quality(folder, target, scene),
            extreme=nearest,
            doubt=place,
            specks=Specks(findings.specks_px.get(target, 0), plan.choices.min_area_px),
            nearest=findings.nearest.get(target),
            asks_for_large=any(map(_is_for_large, filters_of(plan.instruction, target))),
            request=(*rest, *_request_of(plan, target), *_seen(plan, statistics), *_taught_facts(plan, target)),
        )
        facts[target] = gather_facts(context)
    return facts


def _is_for_large(wanted: Filter) -> bool:
    """Say whether a filter leaves out what is too small."""
    return isinstance(wanted, AreaFilter) and wanted.comparison in (">", ">=")


def _taught_facts(plan: Plan, target: str) -> tuple[Fact, ...]:
    """Return what a taught class was taught by; nothing of other targets."""
    return tuple(
        fact for taught in plan.assignment.taught if taught.name == target for fact in taught.facts_in(plan.scene)
    )


def _request_of(plan: Plan, target: str) -> tuple[Fact, ...]:
    """Return what was asked of a target, and why it answers for others."""
    stand_ins = {name: answer for name, answer in plan.assignment.stand_ins.items() if answer == target}
    writer = NoteWriter(plan.instruction.language)
    sentences = stand_in_sentences(stand_ins, plan.scene.spex.gsd_m, plan.model.id, writer)
    request = request_facts(plan.instruction, target)
    if not plan.assignment.targets:  # the filters are those of the rest
        request = tuple(fact for fact in request if fact.id != "asked")
    return (*request, *stand_in_facts(sentences))


def _seen(plan: Plan, statistics: SceneStatistics) -> Iterator[Fact]:
    """Yield that only an area of interest was examined, and which share of what was asked for has no data."""
    if plan.area is not None:
        yield Fact(AREA_FACT, plan.area.share_frac, "frac", "scene", "instruction")
    valid_px = next(iter(statistics.evidence.values())).valid_px
    if statistics.asked_px > valid_px:
        of_what = "" if plan.area is None else "of the area of interest"
        yield Fact(HIDDEN_FACT, 1 - valid_px / statistics.asked_px, "frac", "scene", "scene", of_what)


def _rest_of_run(plan: Plan, statistics: SceneStatistics, findings: RunFindings) -> tuple[Fact, ...]:
    (regions,) = findings.kept_regions.values()
    valid_px = next(iter(statistics.evidence.values())).valid_px
    return rest_facts(plan.instruction, regions, valid_px, findings.left_out_px)


def rest_facts(
    instruction: Instruction,
    regions: Sequence[Region],
    valid_px: int,
    left_out_px: int | None,
    *,
    is_edited: bool = False,
) -> tuple[Fact, ...]:
    """Return what the mask of "everything but" shows.

    Args:
        instruction: Names what is left out.
        regions: Of the mask.
        valid_px: Pixels of the scene with data.
        left_out_px: Pixels of the regions that are left out; None where nobody counted them.
        is_edited: Whether hands changed the mask (default: no).
    """
    area_px = sum(region.area_px for region in regions)
    areas_m2 = [region.area_m2 for region in regions if region.area_m2 is not None]
    area = (sum(areas_m2), "m2") if areas_m2 else (float(area_px), "px")
    why = "edit" if is_edited else "filters" if instruction.filters else "specks"
    return (
        Fact("rest.asked", rest_in_words(instruction), "text", "mask", "instruction"),
        Fact("rest.area", *area, "mask", "mask"),
        Fact("rest.share", area_px / max(valid_px, 1), "part", "mask", "mask"),
        Fact("rest.number", float(len(regions)), "patch", "mask", "mask"),
        *(() if left_out_px is None else _in_neither(left_out_px, valid_px, area_px, areas_m2)),
        Fact("rest.why", why, "name", "mask", "mask"),
    )


def _in_neither(left_out_px: int, valid_px: int, area_px: int, areas_m2: Sequence[float]) -> Iterator[Fact]:
    """Yield how much is left out, and how much is neither left out nor in the mask."""
    yield Fact(LEFT_OUT_FACT, float(left_out_px), "px", "scene", "mask")
    neither_px = valid_px - area_px - left_out_px
    if neither_px > 0:
        pixel_m2 = sum(areas_m2) / area_px if areas_m2 else None
        area = (float(neither_px), "px") if pixel_m2 is None else (neither_px * pixel_m2, "m2")
        yield Fact("rest.neither", *area, "scene", "mask")
        yield Fact("rest.neither_share", neither_px / max(valid_px, 1), "part", "scene", "mask")


def facts_of_edit(result: Extraction, statistics: SceneStatistics, scene: xr.Dataset) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each target of a result whose mask was edited.

    Args:
        result: As it was extracted.
        statistics: What was measured on the edited mask.
        scene: The bands of the result.
    """
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))
    provenance = result.provenance
    before = {explanation.target: explanation.facts for explanation in result.explanations}
    place = place_of_doubt(statistics.doubt.unpack())
    return {
        target: gather_facts(
            FactContext(
                evidence=statistics.evidence[target],
                sums=sums,
                scene=scene,
                source_name=str(provenance["scene"]),
                by_index=provenance["answered_by"].get(target) == "index",
                model_id=str(provenance["model"]),
                prior=prior_of(pixel, target),
                quality=_stated_quality(before.get(target, ())),
                doubt=place,
                request=[fact for fact in before.get(target, ()) if fact.id.partition(".")[0] in REQUEST],
            )
        )
        for target, sums in statistics.facts.items()
    }


def _stated_quality(facts: Sequence[Fact]) -> Quality:
    """Return the quality that facts state: that of the model which made the mask, wherever its weights are now."""
    by_id = {fact.id: fact.value for fact in facts}
    stated = {name: by_id.get(f"quality.{name}") for name in ("precision", "recall", "iou")}
    return Quality(**{name: value if isinstance(value, float) else None for name, value in stated.items()})


def _before_filters(candidates: Sequence[Region] | None, number: int) -> Sequence[Region] | None:
    """Return the regions before the filters of the instruction; None where the filters left out none."""
    return None if candidates is None or len(candidates) == number else candidates
