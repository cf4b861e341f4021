"""Baselines see the train split and nothing else; each is fitted for the bands that tiles have."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the U-Net needs the extra [model]")
pytest.importorskip("sklearn", reason="boosting needs the extra [evaluation]")

from spex_nb import spie
from spex_nb.errors import DatasetError, MissingBandError, MissingExtraError, TargetError
from spex_nb.evaluation.baselines import BASELINES, FITTED, Fitting, fit_baselines
from spex_nb.evaluation.pixel_features import TrainTiles, layers_of, positive_weight, possible, sample_pixels
from spex_nb.evaluation.tiles import EvaluationTile, PromptCondition, load_tile, tile_records
from spex_nb.regions import metrics
from spex_nb.types import MaskModel

pytestmark = pytest.mark.slow

ALL = ("blue", "green", "red", "nir", "swir16")
FOUR = ("blue", "green", "red", "nir")
TARGETS = ("water", "vegetation", "built_up")
QUICK = Fitting(unet_steps=2, progress=False)


@pytest.fixture(scope="module")
def dataset(squares: Path) -> spie.SpieDataset:
    return spie.open_dataset(squares)


def val_tiles(dataset: spie.SpieDataset, **how: Any) -> list[EvaluationTile]:
    return [load_tile(dataset, group, PromptCondition(**how)) for group in tile_records(dataset, "val").values()]


def pooled_iou(model: MaskModel, tiles: list[EvaluationTile]) -> dict[str, float]:
    counts: Any = dict.fromkeys(TARGETS, 0)
    for tile in tiles:
        logits = model.predict(tile.scene, tile.targets, tile.prompts)
        for target, own, label in zip(tile.targets, logits, tile.labels, strict=True):
            counts[target] = counts[target] + metrics.confusion_counts(own > 0, label)
    return {target: float(metrics.iou(count)) for target, count in counts.items()}


def test_train_tiles_hold_the_train_split_only(dataset: spie.SpieDataset) -> None:
    tiles = TrainTiles.of(dataset, TARGETS)
    assert set(tiles.records) == {"own-t0-0-0", "own-t1-0-0"}
    assert tiles.bands == ALL
    scene, labels = tiles.tile("own-t0-0-0")
    assert scene.spex.bands == ALL
    assert (labels["water"] == 1).sum() == 256
    assert set(np.unique(labels["water"])) == {0, 1}


def test_train_tiles_without_the_bands_are_left_out(dataset: spie.SpieDataset) -> None:
    assert TrainTiles.of(dataset, TARGETS, ("nir", "red")).bands == ("nir", "red")
    with pytest.raises(DatasetError, match="narrow the dataset to one sensor"):
        TrainTiles.of(dataset, TARGETS, ("nir", "swir22"))


def test_a_sample_holds_every_tile_alike_and_repeats(dataset: spie.SpieDataset) -> None:
    tiles = TrainTiles.of(dataset, TARGETS)
    sample = sample_pixels(tiles, (*TARGETS, "snow"), ("NDVI",), seed=1, count=100)
    assert {len(layer) for layer in sample.layers.values()} == {100}
    assert list(sample.layers) == [*ALL, "NDVI"]
    assert (sample.truth["snow"] == -1).all()
    assert np.isnan(sample.share("snow"))
    assert sample.share("water") == pytest.approx(0.25, abs=0.12)
    again = sample_pixels(tiles, TARGETS, ("NDVI",), seed=1, count=100)
    np.testing.assert_array_equal(sample.layers["NDVI"], again.layers["NDVI"])
    whole = sample_pixels(tiles, TARGETS, ())
    assert whole.share("vegetation") == 0.5


def test_layers_are_nan_without_data(dataset: spie.SpieDataset) -> None:
    scene, _ = TrainTiles.of(dataset, TARGETS).tile("own-t0-0-0")
    holed = scene.copy(deep=True)
    holed["valid"][:3] = False
    layers = layers_of(holed, ("nir",), ("NDVI",))
    for layer in layers.values():
        assert np.isnan(layer[:3]).all()
        assert np.isfinite(layer[3:]).all()


def test_which_indices_are_possible_and_what_rare_pixels_weigh() -> None:
    assert possible(("NDVI", "NDWI", "MNDWI", "NDVI"), FOUR) == ("NDVI", "NDWI")
    assert positive_weight(0.5) == 1
    assert positive_weight(0.1) == pytest.approx(3)


@pytest.mark.parametrize("name", ["tuned", "boosting"])
def test_what_is_fitted_on_clear_spectra_finds_them_elsewhere(dataset: spie.SpieDataset, name: str) -> None:
    (model,) = fit_baselines([name], dataset, TARGETS, [ALL, FOUR], QUICK)
    assert isinstance(model, MaskModel)
    assert model.id == name
    assert min(pooled_iou(model, val_tiles(dataset)).values()) > 0.95


def test_a_baseline_sees_no_other_bands(dataset: spie.SpieDataset) -> None:
    (model,) = fit_baselines(["boosting"], dataset, TARGETS, [FOUR], QUICK)
    (few, *_) = val_tiles(dataset, bands=FOUR)
    assert model.predict(few.scene, ["water"], few.prompts[:1]).shape == (1, 32, 32)
    (plain, *_) = val_tiles(dataset)
    with pytest.raises(MissingBandError, match="whose train split has tiles with these bands"):
        model.predict(plain.scene, ["water"], plain.prompts[:1])


def test_labels_of_the_other_splits_do_not_matter(dataset: spie.SpieDataset, tmp_path: Path) -> None:
    from spex_nb.spie.tiles import write_mask

    copy = Path(shutil.copytree(dataset.folder, tmp_path / "copy"))
    for path in copy.glob("masks/own-v*"):
        write_mask(np.zeros((32, 32), bool), np.ones((32, 32), bool), path)
    scene = val_tiles(dataset)[0].scene
    for name in FITTED:
        here, there = (
            fit_baselines([name], one, ("water",), [ALL], QUICK)[0].predict(scene, ["water"], [""])
            for one in (dataset, spie.open_dataset(copy))
        )
        np.testing.assert_array_equal(here, there)


def test_bands_that_no_train_tile_has_are_said(dataset: spie.SpieDataset) -> None:
    (model,) = fit_baselines(["tuned"], dataset, TARGETS, [FOUR, ("nir", "swir22")], QUICK)
    assert "tuned of nir, swir22: No train tile has the bands" in model.note  # type: ignore[attr-defined]
    assert "tuned of blue, green, red, nir: 2 train tiles. Tuned thresholds. water:" in model.note  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match="Keep fewer bands"):
        fit_baselines(["tuned"], dataset, TARGETS, [("nir", "swir22")], QUICK)


def test_names_are_known_and_not_repeated(dataset: spie.SpieDataset) -> None:
    named = fit_baselines(["index", "fixed", "index"], dataset, ("water",), [ALL])
    assert [model.id for model in named] == ["index", "NDWI > 0", "MNDWI > 0"]
    with pytest.raises(DatasetError, match=f"some of {', '.join(BASELINES)}. Did you mean boosting"):
        fit_baselines(["bosting"], dataset, TARGETS, [ALL])


def test_a_target_that_was_not_fitted_is_refused(dataset: spie.SpieDataset) -> None:
    (model,) = fit_baselines(["boosting"], dataset, ("water",), [ALL], QUICK)
    scene = val_tiles(dataset)[0].scene
    with pytest.raises(TargetError, match="whose train split knows this target"):
        model.predict(scene, ["vegetation"], [""])
    with pytest.raises(ValueError, match="one prompt for each target"):
        model.predict(scene, ["water"], [])


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("boosting", "sklearn", "evaluation"), ("unet", "torch", "model")]
)
def test_a_missing_package_is_named(
    dataset: spie.SpieDataset, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked, *_: None if asked == package else find(asked))
    with pytest.raises(MissingExtraError, match=rf"pip install 'spex-nb\[{extra}\]'"):
        fit_baselines([name], dataset, TARGETS, [ALL], QUICK)
