"""Thresholds as baselines: the best one by hand, Otsu's of each tile, and what has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from spex_nb import spie
from spex_nb.errors import MissingBandError
from spex_nb.evaluation.pixel_features import TrainTiles
from spex_nb.evaluation.threshold_models import Cut, ThresholdModel, best_threshold, fit_otsu, fit_tuned, fixed_models
from spex_nb.types import Side

TARGETS = ("water", "vegetation", "built_up")


def scene(**bands: list[float]) -> xr.Dataset:
    return xr.Dataset({name: (("y", "x"), np.array([values], np.float32)) for name, values in bands.items()})


def test_the_best_threshold_by_hand() -> None:
    values, truth = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([False, True, False, True, True])
    ((threshold, score),) = best_threshold(values, truth, "above")
    assert threshold == pytest.approx(0.15)
    assert score == 3 / 4
    ((threshold, score),) = best_threshold(values, ~truth, "below")
    assert threshold == pytest.approx(0.35)
    assert score == 2 / 3


def test_equal_values_are_not_parted_and_nan_is_no_target() -> None:
    values, truth = np.array([1.0, 1.0, 0.0, np.nan]), np.array([True, False, False, True])
    ((threshold, score),) = best_threshold(values, truth, "above")
    assert (threshold, score) == (0.5, 1 / 3)


def test_without_target_or_value_there_is_no_threshold() -> None:
    assert best_threshold(np.array([1.0, 2.0]), np.array([False, False]), "above") == []
    assert best_threshold(np.array([np.nan]), np.array([True]), "above") == []


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1), st.sampled_from(["above", "below"]))
def test_no_other_threshold_is_better(pixels: list[tuple[int, bool]], side: Side) -> None:
    values, truth = np.array([value for value, _ in pixels], float), np.array([is_it for _, is_it in pixels])
    for threshold, score in best_threshold(values, truth, side):
        reached = []
        for tried in (threshold, *(value + half for value in set(values) for half in (-0.5, 0.5))):
            called = values > tried if side == "above" else values < tried
            reached.append((called & truth).sum() / (called | truth).sum())
        assert reached[0] == pytest.approx(score)
        assert max(reached) <= score + 1e-12


def test_fixed_thresholds_are_those_of_the_literature() -> None:
    models = fixed_models(["water", "snow", "built_up"])
    assert [model.id for model in models] == ["NDWI > 0", "MNDWI > 0", "NDBI > 0"]
    water = scene(green=[0.1, 0.1, 0.1], nir=[0.05, 0.2, np.nan])
    logits = models[0].predict(water, ["water"], [""])
    np.testing.assert_allclose(logits[0, 0, :2], [1 / 3, -1 / 3], rtol=1e-6)
    assert np.isneginf(logits[0, 0, 2])
    with pytest.raises(MissingBandError, match="swir16"):
        models[1].predict(water, ["water"], [""])


def test_otsu_is_that_of_each_tile() -> None:
    model = ThresholdModel("otsu", {"water": Cut("NDWI", "above")})
    low = scene(green=[0.10, 0.10, 0.20, 0.20], nir=[0.21, 0.21, 0.20, 0.20])
    np.testing.assert_array_equal(model.predict(low, ["water"], [""])[0, 0] > 0, [False, False, True, True])
    flat = scene(green=[0.1, 0.1], nir=[0.2, 0.2])
    assert np.isneginf(model.predict(flat, ["water"], [""])).all()


def test_tuned_and_otsu_choose_on_the_train_tiles(squares: Path) -> None:
    tiles = TrainTiles.of(spie.open_dataset(squares), TARGETS)
    tuned, otsu = fit_tuned(tiles, TARGETS), fit_otsu(tiles, (*TARGETS, "snow"))
    assert tuned.card.targets == otsu.card.targets == TARGETS
    assert tuned.note.count("(IoU 1.00 on train pixels)") == 3
    assert all(cut.threshold is None for cut in otsu.cuts.values())
    assert "Otsu" in str(otsu.cuts["water"])
    assert "water: " in otsu.note
