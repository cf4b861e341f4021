"""Samples of a SPIE dataset: an augmented tile, with questions and labels.

A sample depends only on the seed and its number. Any worker makes the same sample, and a continued run sees the samples
that it would have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.language.answers import answer_template
from spex_nb.language.evidence import measure_arrays, readable_index
from spex_nb.language.languages import LANGUAGES
from spex_nb.language.prompts import build_prompt, in_language
from spex_nb.regions.find import find_regions
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.spectral.priors import prior_mask
from spex_nb.spie.tiles import UNKNOWN
from spex_nb.training.augmentation import (
    Augmentation,
    cast_shadows,
    change_radiometry,
    choose_bands,
    digital_numbers,
)
from spex_nb.training.crops import TileEntry, cut_sample
from spex_nb.types import Region

SMALLEST_REGION_PX = 4


@dataclass(frozen=True)
class PromptSampling:
    """How prompts of a tile are drawn; chances between 0 and 1.

    Attributes:
        targets: Most targets of a tile that a sample asks for.
        prior: Chance that a prompt comes with the prior of its target.
        wrong: Chance of the prior and attributes of something else, so that masks learn to follow the prompt.
        attributes: Chance that a prompt names the regions of the prior that it comes with.
        regions: Most regions that a prompt names.
        clicks: Chance of clicks.
        answers: Share of the prompts with an answer; they name the regions of the label, which the answer describes.
    """

    targets: int = 3
    prior: float = 0.38
    wrong: float = 0.12
    attributes: float = 0.5
    regions: int = 3
    clicks: float = 0.12
    answers: float = 0.0


@dataclass
class Question:
    """One prompt of a sample."""

    target: str
    prompt: str
    label: Any
    """uint8 [H, W]: 1 target, 0 not, 255 unknown."""
    prior: Any = None
    points: list[tuple[float, float, bool]] = field(default_factory=list)
    answer: str = ""


@dataclass
class Sample:
    """A tile, and the questions about it."""

    scene: xr.Dataset
    questions: list[Question]


class SampleStream:
    """Samples of tiles, by number.

    Args:
        tiles: The tiles to draw from.
        size_px: Side of a sample in pixels; larger tiles are cut, smaller ones stay.
        sampling: How prompts are drawn.
        augmentation: How tiles are changed; None for no change.
        shares: Relative frequency of each dataset; its number of tiles by default.
        seed: Seed of all random draws.
        length: Number of samples.
    """

    def __init__(
        self,
        tiles: Sequence[TileEntry],
        *,
        size_px: int = 128,
        sampling: PromptSampling | None = None,
        augmentation: Augmentation | None = None,
        shares: Mapping[str, float] | None = None,
        seed: int = 0,
        length: int = 1,
    ) -> None:
        self.size_px, self.seed, self.length = size_px, seed, length
        self.sampling, self.augmentation = sampling or PromptSampling(), augmentation
        self._by_dataset: dict[str, list[TileEntry]] = {}
        for tile in tiles:
            self._by_dataset.setdefault(tile.dataset, []).append(tile)
        weights = [
            len(members) if shares is None else shares.get(name, 0.0) for name, members in self._by_dataset.items()
        ]
        self._chances = np.array(weights, float) / sum(weights)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng((self.seed, number))
        members = self._by_dataset[list(self._by_dataset)[rng.choice(len(self._chances), p=self._chances)]]
        entry = members[rng.integers(len(members))]
        return make_sample(entry, self.size_px, self.sampling, self.augmentation, rng)


def make_sample(
    entry: TileEntry,
    size_px: int,
    sampling: PromptSampling,
    augmentation: Augmentation | None,
    rng: np.random.Generator,
) -> Sample:
    """Draw one sample of a tile."""
    scene, labels = cut_sample(entry, size_px, augmentation, rng)
    if augmentation is not None:
        scene = scene.drop_vars(set(scene.spex.bands) - set(choose_bands(scene.spex.bands, augmentation, rng)))
        scene = _changed(scene, augmentation, rng)
    sampler = _QuestionSampler(scene, labels, sampling, rng)
    return Sample(scene, [sampler.question(target) for target in _draw_targets(labels, sampling.targets, rng)])


class _QuestionSampler:
    """Draws the questions about one tile."""

    def __init__(
        self, scene: xr.Dataset, labels: dict[str, Any], sampling: PromptSampling, rng: np.random.Generator
    ) -> None:
        self.scene, self.labels, self.sampling, self.rng = scene, labels, sampling, rng
        self.valid = scene.spex.valid.values

    def question(self, target: str) -> Question:
        label = np.where(self.valid, self.labels[target], np.uint8(UNKNOWN))
        if self.rng.random() < self.sampling.answers:
            return self._with_answer(target, label)
        prior = self._prior(target)
        regions = self._regions(prior) if self.rng.random() < self.sampling.attributes else []
        clicks = _clicks(label, self.rng) if self.rng.random() < self.sampling.clicks else []
        return Question(target, build_prompt(target, regions), label, prior, clicks)

    def _with_answer(self, target: str, label: Any) -> Question:
        """Return a question with an answer: the prompt names the label's regions, and the answer describes them."""
        mask, is_known = label == 1, label != UNKNOWN
        regions = find_regions(mask, is_known, min_area_px=SMALLEST_REGION_PX, source="label")[: self.sampling.regions]
        language = str(self.rng.choice(LANGUAGES))
        evidence = measure_arrays(
            mask,
            is_known,
            target,
            index=readable_index(self.scene, target),
            ground=EqualAreaGrid.of(self.scene),
            others={},
            min_area_px=SMALLEST_REGION_PX,
            source="label",
            is_relative=self.scene.spex.is_relative,
        )
        answer = answer_template(evidence, language, int(self.rng.integers(2**31)))
        return Question(target, in_language(build_prompt(target, regions), language), label, answer=answer)

    def _prior(self, target: str) -> Any:
        at = self.rng.random()
        if at < self.sampling.wrong:
            return self._wrong_prior(target)
        return prior_mask(self.scene, target) if at < self.sampling.wrong + self.sampling.prior else None

    def _wrong_prior(self, target: str) -> Any:
        others = [name for name in self.labels if name != target]
        kind = self.rng.integers(3)
        if kind == 0 and others:
            return prior_mask(self.scene, str(self.rng.choice(others)))
        right = prior_mask(self.scene, target)
        if right is None:
            return None
        if kind == 1:
            return ~right & self.valid
        return np.roll(right, self.rng.integers(16, 64, 2), (0, 1))

    def _regions(self, prior: Any) -> list[Region]:
        if prior is None:
            return []
        return find_regions(prior, self.valid, min_area_px=SMALLEST_REGION_PX)[: self.sampling.regions]


def _changed(scene: xr.Dataset, augmentation: Augmentation, rng: np.random.Generator) -> xr.Dataset:
    """Return the scene under other air, and perhaps in digital numbers."""
    names = scene.spex.bands
    pixels = np.stack([scene[name].values for name in names])
    waves = np.array([scene[name].attrs["wavelength_um"] for name in names])
    if rng.random() < augmentation.shadow:
        pixels = cast_shadows(pixels, waves, rng)
    pixels = change_radiometry(pixels, waves, augmentation, rng)
    if is_uncalibrated := rng.random() < augmentation.numbers:
        pixels = digital_numbers(pixels, rng)
    changed = {name: (("y", "x"), band, scene[name].attrs) for name, band in zip(names, pixels, strict=True)}
    changed_scene = scene.assign(changed)
    return changed_scene.assign_attrs(radiometry="relative reflectance") if is_uncalibrated else changed_scene


def _draw_targets(labels: dict[str, Any], most: int, rng: np.random.Generator) -> list[str]:
    """Draw targets; present ones are more likely than absent ones."""
    names = list(labels)
    weights = np.array([1.0 if (labels[name] == 1).any() else 0.35 for name in names])
    count = min(most, len(names))
    return [str(name) for name in rng.choice(names, count, replace=False, p=weights / weights.sum())]


def _clicks(label: Any, rng: np.random.Generator) -> list[tuple[float, float, bool]]:
    """Draw up to three clicks: the first on the target if it is present, the others on any known pixel."""
    clicks = []
    for i in range(rng.integers(1, 4)):
        value = 1 if i == 0 or rng.random() < 0.5 else 0  # noqa: PLR2004 (as often as not)
        rows, columns = np.nonzero(label == value)
        if len(rows):
            at = rng.integers(len(rows))
            clicks.append((float(columns[at]) + 0.5, float(rows[at]) + 0.5, bool(value)))
    return clicks
