"""A result whose mask was edited by hand: regions, evidence and the verdict on every claim, measured anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import RegionError
from spex_nb.extraction.explain import Explanation, faithfulness
from spex_nb.extraction.measure import Shown, Survey, survey
from spex_nb.extraction.result import Extraction
from spex_nb.language.answers import write_answer
from spex_nb.language.claims import check_explanation
from spex_nb.regions.find import survey_regions
from spex_nb.regions.ground import Ground
from spex_nb.regions.table import class_table
from spex_nb.scene.reader import SceneReader, SceneSource
from spex_nb.types import Evidence, Region

TILE_PX = (512, 512)
"""Rows and columns that are read at a time."""


def correct_result(result: Extraction, mask: Any, scene: xr.Dataset) -> Extraction:
    """Return a result with another mask, and everything that follows from a mask.

    The model's text and probabilities stay; its claims are held against the new mask.

    Args:
        result: As it was extracted.
        mask: uint8 [H, W]: 0 none, 1 ... n the classes of the result, 255 no data.
        scene: The bands [H, W] that it was extracted from.

    Raises:
        RegionError: If the mask is of another shape, or holds a number that is no class.
    """
    pixels = np.asarray(mask)
    _require_classes(pixels, result)
    edited_px = int((pixels != result.mask.values).sum())
    if not edited_px:
        return result
    found = _regions_of(pixels, result, scene)
    measured = _measured(found, pixels, result, scene)
    evidence = {**result.evidence, **measured.evidence}
    said = tuple(_held_against(one, evidence, result) for one in result.explanations)
    return replace(
        result,
        mask=result.mask.copy(data=pixels),
        regions=class_table(found, measured.figures, scene),
        evidence=evidence,
        explanations=said,
        notes=(*result.notes, f"{edited_px:,} pixels were edited by hand; all figures are of the edited mask."),
        provenance={
            **result.provenance,
            "edited_px": edited_px,
            "faithfulness": faithfulness([claim for one in said for claim in one.claims]),
        },
    )


def _require_classes(mask: Any, result: Extraction) -> None:
    known = {0, *range(1, len(result.class_names) + 1), 255}
    strange = set(np.unique(mask).tolist()) - known
    if mask.shape != result.mask.shape or strange:
        raise RegionError(
            "This is no mask of the result",
            found=f"{mask.shape} pixels" + (f", with {sorted(strange)}" if strange else ""),
            expected=f"{result.mask.shape} pixels of {sorted(known)}",
            fix="Edit a copy of the result's own mask.",
        )


def _regions_of(mask: Any, result: Extraction, scene: xr.Dataset) -> dict[str, list[Region]]:
    ground = Ground.of(scene)
    return {
        name: survey_regions(mask == number, ground=ground, top=None).regions
        for number, name in enumerate(result.class_names, start=1)
    }


def _measured(found: Mapping[str, list[Region]], mask: Any, result: Extraction, scene: xr.Dataset) -> Survey:
    shown = [
        Shown(name, own, lambda rows, number=number: mask[rows] == number, number - 1)  # type: ignore[misc]
        for number, (name, own) in enumerate(found.items(), start=1)
    ]
    reader = SceneReader(SceneSource(scene), TILE_PX)
    return survey(reader, mask, shown, lambda top, rows: result.probability.isel(y=slice(top, top + rows)).values)


def _held_against(said: Explanation, evidence: Mapping[str, Evidence], result: Extraction) -> Explanation:
    figures, language = evidence[said.target], result.instruction.language
    claims = tuple(check_explanation(said.text, figures, language)) if said.text else ()
    seed = int(result.provenance["parameters"]["seed"])
    return replace(said, claims=claims, answer=write_answer(figures, language, seed).text)
