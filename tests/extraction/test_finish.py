"""A result of an edited mask equals what the same mask would have given; what cannot be a mask of it is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spex_nb import extract, find_regions, measure_evidence, sample_scene
from spex_nb.errors import CheckpointError, RegionError
from spex_nb.extraction.finish import correct_result
from spex_nb.extraction.planning.plan import plan_extraction
from spex_nb.model.checkpoint_files import CHECKPOINTS
from spex_nb.regions.editing import region_at


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


def test_an_edit_of_everything_but_measures_the_rest_anew() -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "everything except water", "index", progress=False)
    mask = result.mask.values.copy()
    mask[:20, :20] = 0
    corrected = correct_result(result, mask, scene)
    facts = {fact.id: fact.value for fact in corrected.explanations[0].facts}
    before = {fact.id: fact.value for fact in result.explanations[0].facts}
    assert facts["rest.share"] == pytest.approx((mask == 1).sum() / (mask != 255).sum())
    assert facts["rest.share"] < before["rest.share"]
    assert facts["area"] == before["area"]
    assert corrected.explanations[0].answer.startswith("Everything except water bodies: ")


def test_an_edit_keeps_what_was_asked_and_how_good_the_model_is(tmp_path: Path) -> None:
    shutil.copytree(CHECKPOINTS / "tiny", tmp_path / "mine", ignore=shutil.ignore_patterns("aerial"))
    scene = sample_scene("lake_30m")
    result = extract(scene, "lakes larger than 1 ha", str(tmp_path / "mine"), progress=False)
    mask = result.mask.values.copy()
    mask[:4, :4] = 1
    kept = ("asked", "quality.precision", "quality.iou")
    before, after = (
        {fact.id: fact.value for fact in some.explanations[0].facts if fact.id in kept}
        for some in (result, correct_result(result, mask, scene))
    )
    assert after == before
    assert before["quality.precision"] is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "table",
    ["{", "[]x", '{"a": 1}', "[1]", '[{"target": "water"}]', '[{"target": "water", "sensor_class": "rgb", "iou": 7}]',
     '[{"target": "water", "sensor_class": "rgb", "gsd_m": "all"}]', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_table_of_quality_is_refused_before_any_work(tmp_path: Path, table: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(CHECKPOINTS / "tiny", folder, ignore=shutil.ignore_patterns("aerial"))
    (folder / "quality.json").write_text(table)
    with pytest.raises(CheckpointError, match="remove the file"):
        plan_extraction(sample_scene("lake_30m"), "water", str(folder))


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


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("water", (True, True)),
        ("lakes larger than 2 ha", (False, True)),
        ("lakes smaller than 2 ha", (True, False)),
        ("the largest lake", (False, False)),
        ("lakes in the south", (False, False)),
        ("lakes that do not touch the edge", (True, True)),
    ],
)
def test_filters_of_the_instruction_hold_for_what_was_edited(text: str, counted: tuple[bool, bool]) -> None:
    scene = sample_scene("lake_30m")
    result = extract(scene, text, "index", progress=False)
    mask = result.mask.values.copy()
    free = find_free(mask, 24)
    small, large = free + 2, free + 10
    mask[small[0] : small[0] + 2, small[1] : small[1] + 2] = 1  # 0.36 ha
    mask[large[0] : large[0] + 9, large[1] : large[1] + 9] = 1  # 7.29 ha
    corrected = correct_result(result, mask, scene)
    assert tuple(bool(corrected.mask.values[row, column]) for row, column in (small, large)) == counted
    assert len(corrected.regions) == len(result.regions) + sum(counted)
    number = 2 - sum(counted)
    said = f"water bodies, {number} (" in corrected.notes[-1]
    assert said == bool(number)
    assert corrected.evidence["water"].area_px == int((corrected.mask.values == 1).sum())


def find_free(mask: NDArray[np.uint8], side: int) -> NDArray[np.int64]:
    """Return the row and column of the first square in the northern half that is free of any class."""
    for row, column in np.ndindex(mask.shape[0] // 2 - side, mask.shape[1] - side):
        if row and column and not mask[row : row + side, column : column + side].any():
            return np.array([row, column])
    raise AssertionError("no part of the mask is free")


def test_what_only_the_extraction_can_count_stays_and_is_said() -> None:
    scene = sample_scene("lake_30m")
    result = extract(scene, "alle Seen außer dem größten", "index", progress=False)
    mask = result.mask.values.copy()
    top, left = find_free(mask, 6) + 2
    mask[top : top + 2, left : left + 2] = 1
    corrected = correct_result(result, mask, scene)
    assert len(corrected.regions) == len(result.regions) + 1
    assert corrected.notes[-1].startswith("Nach einer Bearbeitung lässt sich dieser Teil")


def test_a_region_that_becomes_too_small_is_left_out_and_untouched_ones_stay() -> None:
    scene = sample_scene("lake_30m")
    result = extract(scene, "lakes larger than 2 ha", "index", progress=False)
    mask = result.mask.values.copy()
    runs = find_regions(mask == 1, min_area_px=1, top=None)
    row, start, _ = runs[-1].runs[len(runs[-1].runs) // 2].tolist()
    smallest = region_at(mask, (start + 0.5, row + 0.5))
    mask[smallest] = 0
    mask[row, start] = 1
    corrected = correct_result(result, mask, scene)
    assert [*corrected.regions["area_px"]] == [region.area_px for region in runs[:-1]]
    assert "1 (0.09 ha)" in corrected.notes[-1]


@pytest.mark.slow
def test_the_index_stands_in_for_a_neighbour_that_a_model_showed(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "water within 500 m of forests", fake_model, progress=False)
    mask = result.mask.values.copy()
    top, left = find_free(mask, 6) + 2
    mask[top : top + 2, left : left + 2] = 1
    shown_by_index = replace(result, provenance=result.provenance | {"answered_by": {"water": "fake"}})
    corrected = correct_result(shown_by_index, mask, scene)
    assert corrected.notes[-1].startswith("The instruction speaks of vegetation")
