"""Doubt: its signs, the pixels of most doubt, where they lie, and what it does to a result."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spex_nb import extract, load_extraction, sample_scene
from spex_nb.extraction import correct_result
from spex_nb.extraction.facts.doubt import Doubt, doubt_of_rows, doubtful_windows, flagged_pixels, place_of_doubt

THRESHOLDS = {"water": 0.5}


def doubt(probability: float, mask: int = 1, rules: dict[str, bool] | None = None, threshold: float = 0.5) -> int:
    """Return the doubt of a single pixel."""
    layers = {name: np.array([[holds]]) for name, holds in (rules or {}).items()}
    pixel = np.array([[[probability]]], np.float32)
    return int(doubt_of_rows(np.array([[mask]], np.uint8), pixel, {"water": threshold}, layers)[0, 0])


def test_the_signs_of_doubt_worked_out_by_hand() -> None:
    assert doubt(1.0) == doubt(0.0, mask=0) == 0
    assert doubt(0.5) == round(250 / 4)
    assert doubt(0.75) == round(250 / 8)
    assert doubt(0.75, rules={"water": True}) == doubt(0.75)
    assert doubt(0.75, rules={"water": False}) == round(250 / 4)  # its own rule contradicts the mask
    assert doubt(0.25, mask=0, rules={"water": True}) == round(250 / 4)
    assert doubt(0.75, rules={"water": True, "vegetation": True}) == round(250 / 4)  # a rival fits too
    assert doubt(0.25, mask=0, rules={"water": False, "vegetation": True}) == round(250 / 8)  # no class, no rival
    assert doubt(0.5, rules={"water": False, "vegetation": True}) == round(3 * 250 / 4)
    assert doubt(0.75, rules={"water": True, "tree_cover": True, "lava": True}) in (round(250 / 8), round(250 / 4))
    assert doubt(0.2, threshold=0.2) == round(250 / 4)
    assert doubt(0.6, threshold=0.2) == round(250 / 8)
    assert doubt(np.nan, mask=255) == 255


def test_of_several_classes_the_most_doubted_one_counts() -> None:
    mask = np.array([[1]], np.uint8)
    probability = np.array([[[0.9]], [[0.4]]], np.float32)
    both = doubt_of_rows(mask, probability, {"water": 0.5, "vegetation": 0.5}, {})
    assert both[0, 0] == round(250 * 0.8 / 4)


def test_a_pixel_whose_neighbours_are_divided_is_in_more_doubt() -> None:
    mask = np.zeros((5, 6), np.uint8)
    mask[:, 3:] = 1
    even = np.full((1, 5, 6), 0.5, np.float32)
    layer = doubt_of_rows(mask, even, THRESHOLDS, {})
    shares = np.array([0, 0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_array_equal(layer, np.tile(np.rint(250 * (1 + 4 * shares * (1 - shares)) / 4), (5, 1)))
    mask[:, 3:] = 255  # no data divides nothing
    assert set(doubt_of_rows(mask, even, THRESHOLDS, {})[:, :3].ravel()) == {round(250 / 4)}


def test_doubt_is_the_same_in_whatever_rows_it_is_measured() -> None:
    generator = np.random.default_rng(0)
    mask = generator.choice(np.array([0, 1, 255], np.uint8), (9, 7))
    probability = generator.random((1, 9, 7), np.float32)
    parts = [doubt_of_rows(mask, probability[:, top : top + 4], THRESHOLDS, {}, top) for top in (0, 4, 8)]
    np.testing.assert_array_equal(np.concatenate(parts), doubt_of_rows(mask, probability, THRESHOLDS, {}))


def test_the_pixels_of_most_doubt_are_a_twentieth_at_most_and_none_is_sure() -> None:
    layer = np.zeros((100, 100), np.uint8)
    layer[:10, :50] = np.arange(1, 51)  # 500 pixels of 50 steps
    assert flagged_pixels(layer).sum() == 500
    layer[:10, :60] = 200
    assert flagged_pixels(layer).sum() in (0, 600)
    assert flagged_pixels(np.zeros((5, 5), np.uint8)).sum() == 0
    layer[:] = 255
    assert flagged_pixels(layer).sum() == 0


def test_doubt_has_a_place_and_squares_to_look_at() -> None:
    layer = np.zeros((96, 96), np.uint8)
    layer[70:75, 70:75] = 100
    layer[5, 5] = 90
    place = place_of_doubt(layer)
    assert place is not None
    assert place.location == "bottom-right"
    assert place.share_frac == pytest.approx(25 / 26)
    assert doubtful_windows(layer) == [(64, 64, 32, 32), (0, 0, 32, 32)]
    assert doubtful_windows(layer[:, :80])[0] == (64, 64, 32, 16)
    assert place_of_doubt(np.zeros((9, 9), np.uint8)) is None
    assert doubtful_windows(np.full((9, 9), 255, np.uint8)) == []


@pytest.mark.slow
def test_a_result_has_doubt_which_is_stored_and_measured_again_after_an_edit(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "water", "index", progress=False)
    assert result.doubt is not None
    layer = result.doubt.to_numpy()
    np.testing.assert_array_equal(layer == 255, result.mask.to_numpy() == 255)
    assert 0 < layer[layer < 255].max() <= 250
    again = load_extraction(result.save(tmp_path / "saved"))
    assert again.doubt is not None
    np.testing.assert_array_equal(again.doubt, layer)
    (tmp_path / "saved" / "doubt.tif").unlink()
    assert load_extraction(tmp_path / "saved").doubt is None
    mask = result.mask.to_numpy().copy()
    mask[10:20, 10:20] = 1 - mask[10:20, 10:20]
    edited = correct_result(result, mask, scene)
    assert edited.doubt is not None
    assert edited.doubt.to_numpy()[10:20, 10:20].mean() > layer[10:20, 10:20].mean()


def test_impossible_numbers_take_the_trust_away_in_the_first_sentence() -> None:
    scene = sample_scene("river_10m")
    result = extract(scene, "water", "index", progress=False)
    assert not result.is_untrusted
    wrong = scene.copy()
    for band in scene.spex.bands:
        wrong[band] = scene[band] * 40
        wrong[band].attrs.update(scene[band].attrs)
    broken = extract(wrong, "water", "index", progress=False)
    assert broken.is_untrusted
    assert broken.explanations[0].statements[0].text.startswith("Do not rely on this answer")
    assert broken.explanations[0].statements[0].is_brief
    german = replace(broken.instruction, language="de")
    from spex_nb.language.explanation.wording import explain_facts

    first = explain_facts(broken.explanations[0].facts, german.language)[0]
    assert first.text.startswith("Auf diese Antwort ist kein Verlass")


@pytest.mark.parametrize("look", [place_of_doubt, doubtful_windows])
def test_where_doubt_lies_takes_little_memory_beside_the_doubt_itself(look: Callable[[Doubt], object]) -> None:
    doubt = np.tile(np.arange(251, dtype=np.uint8), (4096, 16))
    tracemalloc.start()
    places = look(doubt)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert places
    assert most_bytes < 1.5 * doubt.nbytes
