"""Samples: the same for the same number, labels that stay with their pixels, and what is asked with which help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spex_nb.errors import DatasetError

pytest.importorskip("torch", reason="training needs the extra [model]")

from spex_nb.language.prompts import parse_prompt
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spectral.priors import prior_mask
from spex_nb.spie import open_dataset
from spex_nb.training.augmentation import (
    Augmentation,
    cast_shadows,
    change_radiometry,
    choose_bands,
    digital_numbers,
    turn,
)
from spex_nb.training.crops import cut_sample, list_tiles, read_entry
from spex_nb.training.samples import PromptSampling, Sample, SampleStream, make_sample

pytestmark = pytest.mark.slow

TARGETS = ("water", "vegetation", "building", "bare_soil")
WAVES = np.array([0.48, 0.56, 0.66, 0.83])
NOTHING = PromptSampling(targets=4, prior=0.0, wrong=0.0, attributes=0.0, clicks=0.0)


@pytest.fixture(scope="module")
def tiles(landscapes: Path) -> list[object]:
    return list(list_tiles(open_dataset(landscapes), "train", TARGETS))


@pytest.fixture(scope="module")
def lakes(tiles: list[object]) -> object:
    wet = [tile for tile in tiles if (read_entry(tile)[1].get("water", np.zeros(1)) == 1).mean() > 0.05]  # type: ignore[arg-type]
    return next(tile for tile in wet if "lake_30m" in tile.image.name)  # type: ignore[attr-defined]


def pixels_of(sample: Sample) -> np.ndarray:
    return np.stack([sample.scene[band].values for band in sample.scene.spex.bands])


def test_a_sample_is_the_same_whenever_its_number_is_asked_for(tiles: list[object]) -> None:
    def make() -> SampleStream:
        return SampleStream(tiles, size_px=64, augmentation=Augmentation(), seed=3, length=9)  # type: ignore[arg-type]

    first, second = make(), make()
    second[2]
    for number in (5, 0):
        a, b = first[number], second[number]
        np.testing.assert_array_equal(pixels_of(a), pixels_of(b))
        assert [q.prompt for q in a.questions] == [q.prompt for q in b.questions]
    assert not np.array_equal(pixels_of(first[5]), pixels_of(first[6]))


def test_labels_stay_with_their_pixels_whichever_way_a_tile_is_turned_and_scaled(lakes: object) -> None:
    calm = Augmentation(calibrated=1.0, noise=0.0, shadow=0.0, numbers=0.0, bands=(1, 0, 0, 0), zoom=1.0)
    counts = np.zeros(4, np.int64)
    for number in range(12):
        sample = make_sample(lakes, 64, NOTHING, calm, np.random.default_rng(number))  # type: ignore[arg-type]
        question = next(q for q in sample.questions if q.target == "water")
        counts += confusion_counts(prior_mask(sample.scene, "water"), question.label == 1, question.label != 255)
    assert iou(counts) > 0.8


def test_another_scale_is_another_ground_sampling_distance(lakes: object) -> None:
    scales = set()
    for number in range(12):
        scene, _ = cut_sample(lakes, 64, Augmentation(zoom=1.0), np.random.default_rng(number))  # type: ignore[arg-type]
        assert scene.spex.shape == (64, 64)
        scales.add(scene.spex.gsd_m)
    assert scales == {15.0, 60.0}


def test_turning_is_one_of_eight_ways() -> None:
    array = np.arange(6).reshape(2, 3)
    ways = {turn(array, side).tobytes() + bytes(turn(array, side).shape) for side in range(8)}
    assert len(ways) == 8


def test_air_and_sensor_change_numbers_and_leave_gaps() -> None:
    pixels = np.full((4, 8, 8), 0.2, np.float32)
    pixels[:, 0, 0] = np.nan
    rng = np.random.default_rng(0)
    changed = change_radiometry(pixels, WAVES, Augmentation(calibrated=0.0, noise=0.0), rng)
    assert np.isnan(changed[:, 0, 0]).all()
    assert np.isfinite(changed[:, 1:]).all()
    assert abs(np.nanmean(changed) - 0.2) > 1e-3
    same = change_radiometry(pixels, WAVES, Augmentation(calibrated=1.0, noise=0.0), rng)
    np.testing.assert_array_equal(same, pixels)


def test_digital_numbers_are_pictures_or_counts_of_the_same_ground() -> None:
    ground = np.random.default_rng(0).uniform(0.02, 0.4, (4, 32, 32)).astype(np.float32)
    ground[:, 0, 0] = np.nan
    made = [digital_numbers(ground, np.random.default_rng(number)) for number in range(60)]
    for numbers in made:
        assert np.isnan(numbers[:, 0, 0]).all()
        assert np.isfinite(numbers[:, 1:]).all()
        for before, after in zip(ground, numbers, strict=True):
            assert (np.diff(after.ravel()[np.argsort(before.ravel())][:-1]) >= 0).all()  # brighter stays brighter
    pictures = [numbers for numbers in made if len(np.unique(numbers[:, 1:])) <= 256]
    assert 30 < len(pictures) < 50
    assert all(np.nanmin(numbers) >= 0 and np.nanmax(numbers) <= 1 for numbers in pictures)


def test_digital_numbers_are_said_to_be_uncalibrated(lakes: object) -> None:
    for share, is_relative in ((0.0, False), (1.0, True)):
        how = Augmentation(calibrated=1.0, numbers=share)
        sample = make_sample(lakes, 64, NOTHING, how, np.random.default_rng(0))  # type: ignore[arg-type]
        assert sample.scene.spex.is_relative == is_relative


def test_shadows_darken_long_waves_most() -> None:
    dark = cast_shadows(np.ones((4, 64, 64), np.float32), WAVES, np.random.default_rng(1))
    lowest = dark.reshape(4, -1).min(1)
    assert (dark <= 1).all()
    assert (np.diff(lowest) < 0).all()


def test_bands_are_left_out() -> None:
    names = ["blue", "green", "red", "nir", "swir16"]
    rng = np.random.default_rng(0)
    assert set(choose_bands(names, Augmentation(bands=(0, 0, 1, 0)), rng)) == {"red", "green", "blue"}
    assert set(choose_bands(names, Augmentation(bands=(0, 1, 0, 0)), rng)) == {"red", "green", "blue", "nir"}
    assert {len(choose_bands(names, Augmentation(bands=(0, 0, 0, 1)), rng)) for _ in range(50)} == {2, 3, 4, 5}


def test_a_prior_is_right_wrong_or_missing(lakes: object) -> None:
    def prior(sampling: PromptSampling, number: int) -> object:
        sample = make_sample(lakes, 64, sampling, None, np.random.default_rng(number))  # type: ignore[arg-type]
        question = next(q for q in sample.questions if q.target == "water")
        return question.prior, prior_mask(sample.scene, "water")

    def sampling(right: float, wrong: float) -> PromptSampling:
        return PromptSampling(targets=4, prior=right, wrong=wrong, attributes=1.0, clicks=0.0)

    assert prior(sampling(0.0, 0.0), 0)[0] is None  # type: ignore[index]
    given, right = prior(sampling(1.0, 0.0), 0)  # type: ignore[misc]
    np.testing.assert_array_equal(given, right)
    others = [prior(sampling(0.0, 1.0), number) for number in range(8)]
    given_wrong = [(given, right) for given, right in others if given is not None]  # type: ignore[misc]
    assert given_wrong
    assert all((given != right).any() for given, right in given_wrong)


def test_a_prior_is_made_of_the_pixels_that_the_model_sees(lakes: object) -> None:
    sampling = PromptSampling(targets=4, prior=1.0, wrong=0.0, attributes=0.0, clicks=0.0)
    misty = Augmentation(calibrated=0.0, haze=0.5, gamma=0.5, shadow=1.0, bands=(1, 0, 0, 0), zoom=0.0)
    seen, clear = (make_sample(lakes, 64, sampling, how, np.random.default_rng(3)) for how in (misty, None))  # type: ignore[arg-type]
    for question in seen.questions:
        np.testing.assert_array_equal(question.prior, prior_mask(seen.scene, question.target))
    water = prior_mask(seen.scene, "water")
    assert (water != prior_mask(clear.scene, "water")).any()


def test_a_prompt_names_no_more_regions_than_it_may(lakes: object) -> None:
    sampling = PromptSampling(targets=4, prior=1.0, wrong=0.0, attributes=1.0, regions=2, clicks=0.0)
    sample = make_sample(lakes, 128, sampling, None, np.random.default_rng(0))  # type: ignore[arg-type]
    named = [len(parse_prompt(question.prompt).regions) for question in sample.questions]
    assert max(named) in (1, 2)


def test_a_question_with_an_answer_leaves_its_figures_open(lakes: object) -> None:
    sampling = PromptSampling(targets=4, answers=1.0)
    seen = set()
    for number in range(20):
        sample = make_sample(lakes, 64, sampling, None, np.random.default_rng(number))  # type: ignore[arg-type]
        for question in sample.questions:
            present = bool((question.label == 1).any())
            assert ("{share}" in question.answer or "{area}" in question.answer) or not present
            seen.add(question.prompt.rpartition("\n[")[2].rstrip("]") if question.prompt.endswith("]") else "")
    assert {"de]", "zh]"} & {f"{word}]" for word in seen}


def test_clicks_lie_where_they_say(lakes: object) -> None:
    sampling = PromptSampling(targets=4, prior=0.0, wrong=0.0, attributes=0.0, clicks=1.0)
    for number in range(5):
        sample = make_sample(lakes, 64, sampling, None, np.random.default_rng(number))  # type: ignore[arg-type]
        for question in sample.questions:
            for x, y, is_target in question.points:
                assert question.label[int(y), int(x)] == int(is_target)


def test_nothing_to_train_on_is_said(landscapes: Path) -> None:
    with pytest.raises(DatasetError, match="Build the dataset with these targets"):
        list_tiles(open_dataset(landscapes), "train", ["snow"])


def test_unknown_pixels_stay_unknown(lakes: object) -> None:
    scene, labels = read_entry(lakes)  # type: ignore[arg-type]
    assert isinstance(scene, xr.Dataset)
    valid = scene.spex.valid.values
    sample = make_sample(lakes, 512, NOTHING, None, np.random.default_rng(0))  # type: ignore[arg-type]
    for question in sample.questions:
        assert (question.label[~valid] == 255).all()
        np.testing.assert_array_equal(question.label[valid], labels[question.target][valid])
