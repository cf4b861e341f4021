"""The facts of every target of a run, and of a result whose mask was edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import xarray as xr

from spex_nb.extraction.facts.doubt import place_of_doubt
from spex_nb.extraction.facts.gather import FactContext, gather_facts
from spex_nb.extraction.facts.quality import measured_quality
from spex_nb.extraction.mask_models import CHECKPOINTS
from spex_nb.extraction.predict import IndexExtreme
from spex_nb.spectral.priors import prior_of
from spex_nb.types import Fact, Region

if TYPE_CHECKING:
    from spex_nb.extraction.measure import SceneStatistics
    from spex_nb.extraction.plan import Plan
    from spex_nb.extraction.result import Extraction


def facts_of_run(
    plan: Plan,
    statistics: SceneStatistics,
    candidates: Mapping[str, Sequence[Region]],
    highest: Mapping[str, float],
    extremes: Mapping[str, IndexExtreme],
) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each target of a run.

    Args:
        plan: What was asked for.
        statistics: What was measured.
        candidates: Regions of each class, before the filters of the instruction.
        highest: The highest probability of each target anywhere.
        extremes: The value of each target's index that lies furthest on its side.
    """
    scene = plan.scene
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))
    folder = getattr(plan.model, "folder", None)
    place = place_of_doubt(statistics.doubt)
    facts = {}
    for target, sums in statistics.facts.items():
        nearest = {"index": extremes[target].value} if target in extremes else {}
        nearest |= {"probability": highest[target]} if target in highest else {}
        context = FactContext(
            evidence=statistics.evidence[target],
            sums=sums,
            scene=scene,
            source_name=plan.job.source.name,
            by_index=target in plan.assignment.by_index,
            model_id=plan.model.id,
            prior=prior_of(pixel, target),
            candidates=_before_filters(candidates.get(target), statistics.evidence[target].number),
            quality={} if folder is None else measured_quality(folder, target, scene),
            extreme=nearest,
            doubt=place,
        )
        facts[target] = gather_facts(context)
    return facts


def facts_of_edit(result: Extraction, statistics: SceneStatistics, scene: xr.Dataset) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each target of a result whose mask was edited.

    Args:
        result: As it was extracted.
        statistics: What was measured on the edited mask.
        scene: The bands of the result.
    """
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))
    provenance = result.provenance
    folder = CHECKPOINTS / str(provenance["model"])
    place = place_of_doubt(statistics.doubt)
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
                quality=measured_quality(folder, target, scene),
                doubt=place,
            )
        )
        for target, sums in statistics.facts.items()
    }


def _before_filters(candidates: Sequence[Region] | None, number: int) -> Sequence[Region] | None:
    """Return the regions before the filters of the instruction; None where the filters left out none."""
    return None if candidates is None or len(candidates) == number else candidates
