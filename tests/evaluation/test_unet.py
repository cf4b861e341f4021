"""The U-Net among the baselines: its size, its seed, what it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the U-Net needs the extra [model]")

import torch

from spex_nb import spie
from spex_nb.errors import DatasetError
from spex_nb.evaluation.pixel_features import TrainTiles
from spex_nb.evaluation.unet import WIDTHS, UNet, fit_unet

pytestmark = pytest.mark.slow

TARGETS = ("water", "vegetation", "built_up")
NARROW = (8, 16)


@pytest.fixture(scope="module")
def tiles(squares: Path) -> TrainTiles:
    return TrainTiles.of(spie.open_dataset(squares), TARGETS)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (1, 5)])
def test_any_size_comes_back_in_its_size(size: tuple[int, int]) -> None:
    network = UNet(5, 3, (4, 4, 4)).eval()
    assert network(torch.zeros(2, 5, *size)).shape == (2, 3, *size)


def test_the_usual_network_has_less_than_a_million_parameters() -> None:
    assert sum(weight.numel() for weight in UNet(11, 4, WIDTHS).parameters()) == 923_124


def test_the_same_seed_gives_the_same_network_and_leaves_other_draws_alone(tiles: TrainTiles) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (
        fit_unet(tiles, TARGETS, steps=2, widths=NARROW, seed=seed, progress=False) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(1), expected)
    scene, _ = tiles.tile("own-t0-0-0")
    masks = [model.predict(scene, TARGETS, [""] * 3) for model in (first, again, other)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def test_it_stays_below_the_parameters_of_its_rival(tiles: TrainTiles) -> None:
    model = fit_unet(tiles, TARGETS, steps=1, max_parameters=20_000, progress=False)
    assert 10_000 < model.card.parameters <= 20_000
    assert f"{model.card.parameters:,} parameters, 1 steps" in model.note


def test_it_learns_water_and_says_nothing_without_data(tiles: TrainTiles) -> None:
    model = fit_unet(tiles, ("water", "vegetation"), steps=60, widths=(16,), progress=False)
    scene, labels = tiles.tile("own-t1-0-0")
    holed = scene.copy(deep=True)
    holed["valid"][:2] = False
    logits = model.predict(holed, ["vegetation", "water"], ["", ""])
    assert logits.dtype == np.float32
    assert np.isneginf(logits[:, :2]).all()
    assert ((logits[1, 2:] > 0) == (labels["water"][2:] == 1)).mean() > 0.9


def test_without_a_target_to_tell_apart_there_is_nothing_to_learn(tiles: TrainTiles) -> None:
    known = replace(tiles, records={name: group[:1] for name, group in tiles.records.items()})
    with pytest.raises(DatasetError, match="Build a larger dataset"):
        fit_unet(known, ("snow",), steps=1, progress=False)
