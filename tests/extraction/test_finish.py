"""A result of an edited mask equals what the same mask would have given; what cannot be a mask of it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spex_nb import extract, find_regions, measure_evidence, sample_scene
from spex_nb.errors import RegionError
from spex_nb.extraction.finish import correct_result


def test_an_edited_mask_is_measured_as_any_other(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "water", fake_model, progress=False)
    mask = result.mask.values.copy()
    mask[100:140, 100:150] = 1
    mask[:, 200:] = 0
    mask[~scene.spex.valid.values] = 255
    corrected = correct_result(result, mask, scene)
    expected = measure_evidence(mask == 1, scene, "water", min_area_px=1)
    evidence = corrected.evidence["water"]
    assert (evidence.area_px, evidence.number) == (expected.area_px, expected.number)
    assert evidence.area_m2 == pytest.approx(expected.area_m2)
    assert evidence.inside.mean == pytest.approx(expected.inside.mean)
    assert [*corrected.regions["area_px"]] == [r.area_px for r in find_regions(mask == 1, min_area_px=1, top=None)]
    assert corrected.explanations[0].text == result.explanations[0].text
    assert corrected.explanations[0].answer != result.explanations[0].answer
    assert f"{int((mask != result.mask.values).sum()):,} pixels were edited" in corrected.notes[-1]
    assert correct_result(result, result.mask.values, scene) is result


def test_other_masks_are_refused() -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "water", "index", progress=False)
    with pytest.raises(RegionError, match="Edit a copy"):
        correct_result(result, np.zeros((3, 3), np.uint8), scene)
    with pytest.raises(RegionError, match="of \\[0, 1, 255\\]"):
        correct_result(result, np.full(result.mask.shape, 7, np.uint8), scene)


def test_an_edit_hashes_no_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = sample_scene("lake_30m")
    result = extract(scene, "water", "index", progress=False)
    mask = result.mask.values.copy()
    mask[:4, :4] = 1
    hashed: list[Any] = []
    monkeypatch.setattr("spex_nb.scene.windows.reader.BandHash.add", lambda _self, rows: hashed.append(rows))
    corrected = correct_result(result, mask, scene)
    assert hashed == []
    assert corrected.provenance["scene_hash"] == result.provenance["scene_hash"] != ""
