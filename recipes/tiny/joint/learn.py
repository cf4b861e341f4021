"""The stage in which the targets of a pixel compete: it goes on from a checkpoint that has learned its words.

Words stay what they are: the language model stands still, and the mask decoder is asked by the queries of the targets.
Run it again to go on where it ended.

Usage: python recipes/tiny/joint/learn.py DATA START OUT KIND [--steps N] [--minutes M] [--seed S] [--course gentle]
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from changes import Sample
from covers import COVER_OF_LEAF, COVER_OF_TARGET, TREE, Cover
from sampling import TRAINING_SPLITS, Kind, Sampler
from tiles import read_tiles
from torch import Tensor, nn
from transformers import ResNetConfig

from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.model.layers.condensation import TargetQueries
from spex_nb.model.layers.joint_readout import dice_loss, partial_label_loss
from spex_nb.model.layers.prompt_encoder import MaskPrompts
from spex_nb.model.outputs import ImageFeatures
from spex_nb.model.runtime.band_arrays import MEAN, STD
from spex_nb.model.runtime.channels import INDEX_CHANNELS, INDICES

STEPS: Mapping[Kind, int] = {"satellites": 8700, "aerial": 6000}
"""50 and 120 minutes of one core."""
SEED = 1
LAST_RATE, WARM_UP = 0.01, 60
STILL = ("language_model.", "condensation.", "projector.", "band_readout.", "prompt_encoder.")
"""Parts that learn nothing."""
WEIGHT_DECAY, CLIP, DICE_WEIGHT, AVERAGE = 0.03, 1.0, 0.5, 0.995
KEPT_EVERY, LOGGED_EVERY = 200, 40
FEW, MORE = 4, 2
"""The mask decoder reads each fourth image beside the plain read-out; each second one once the rate falls."""
LEAST_DICE_PX = 30
HAS_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
"""Whether the processor multiplies half-precision numbers, which takes half of the time."""
WEIGHTS: Mapping[Kind, Mapping[Cover, float]] = {
    "satellites": {Cover.BUILT_UP: 6.0, Cover.BARE_SOIL: 1.5, Cover.WATER: 1.3},
    "aerial": {Cover.BUILDING: 1.5, Cover.ROAD: 6.0, Cover.TREES: 1.5},
}
"""Of pixels whose label is within a class, at first."""
EVEN = "even.pt"
"""File of the state before the rate falls: a longer run can go on from it."""
MOMENTUM = 0.03
"""Of batch norm, while it follows the batches."""
EVEN_FROM = 0.4
"""Share of the fall after which all pixels weigh alike, so that probabilities mean what they say."""
RESNET: Mapping[str, Any] = {
    "embedding_size": 64,
    "depths": [2, 2, 2, 2],
    "layer_type": "basic",
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
"""The encoder. Its cells see 470 pixels around them: 140 m at 0.3 m."""
HIDDEN_SIZES: Mapping[Kind, Sequence[int]] = {"satellites": (64, 112, 136, 128), "aerial": (64, 128, 176, 192)}
RESNET_STEM = 32
"""Channels at half the size, before it."""
IMAGE_SIDE = ("stem.", "encoder.", "aggregation.", "neck.", "pixel_decoder.", "mask_decoder.fine.")


@dataclass(frozen=True)
class Course:
    """How fast a run learns.

    Attributes:
        rate: The highest.
        falls_from: Share of the stage after which it falls.
        statistics_until: Share of the fall in which batch norm still follows the batches. Then it stands still, as in
            use.
        splits: Places that are learned from.
    """

    rate: float = 1.5e-3
    falls_from: float = 0.6
    statistics_until: float = 0.6
    splits: frozenset[str] = TRAINING_SPLITS


GENTLE = Course(rate=4e-4, falls_from=0.0, statistics_until=0.5)
COURSES = {"whole": Course(), "gentle": GENTLE, "last": replace(GENTLE, splits=TRAINING_SPLITS | {"held_back"})}
"""From the beginning; of weights that shall learn a few more tiles; and at the end, when all settings are chosen, from
the places held back too. Satellites have other places, which are scored once."""


class Learner:
    """Model, optimiser and the running average of the weights.

    Args:
        start: Folder of the checkpoint.
        seed: Of the queries of new targets.
        kind: What the model reads. Its encoder is a ResNet, drawn at random if the checkpoint has another.
        course: How fast it learns.
    """

    def __init__(
        self,
        start: Path,
        seed: int,
        kind: Kind,
        course: Course = Course(),
    ) -> None:
        torch.manual_seed(seed)
        self.kind, self.course = kind, course
        model = SpexModel.from_pretrained(start, dtype=torch.float32).eval()
        if getattr(model.config.vision_config, "hidden_sizes", None) != [*HIDDEN_SIZES[kind]]:
            model = with_resnet(model, HIDDEN_SIZES[kind]).eval()
        self.model: SpexModel = model.to(memory_format=torch.channels_last)
        self.processor = SpexProcessor.from_pretrained(start, local_files_only=True)
        _set_targets(self.model)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(STILL))
        self.learning = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        # A plain read-out of the fine map: the encoder learns from all images, the decoder needs few of them.
        assert self.model.pixel_decoder is not None
        self.plain = nn.Conv2d(self.model.pixel_decoder.channels, len(TREE.targets), 1)
        self.learning |= {f"plain.{name}": p for name, p in self.plain.named_parameters()}
        self.average = {name: parameter.detach().clone() for name, parameter in self.learning.items()}
        self.norms = [module for module in self.model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in self.norms:
            norm.momentum = MOMENTUM
        self.optimizer = torch.optim.AdamW(
            self.learning.values(), lr=course.rate, weight_decay=WEIGHT_DECAY, fused=True
        )
        self.step, self.seconds = 0, 0.0

    def learn(self, samples: Sequence[Sample], progress: float) -> tuple[float, float]:
        """Take one step; return the loss of the classes and that of the overlap."""
        falls_from = self.course.falls_from
        fall = max(0.0, (progress - falls_from) / (1 - falls_from))
        rate, emphasis = self.course.rate * _share_of_rate(fall, self.step), max(0, 1 - fall / EVEN_FROM)
        for norm in self.norms:
            norm.train(fall < self.course.statistics_until)
        nll, dice = self._losses(samples, emphasis, is_falling=fall > 0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        (nll + DICE_WEIGHT * dice).backward()
        nn.utils.clip_grad_norm_(self.learning.values(), CLIP)
        self.optimizer.step()
        self.step += 1
        left = 1 - min(AVERAGE, self.step / (self.step + 9))
        with torch.no_grad():
            for name, parameter in self.learning.items():
                self.average[name].lerp_(parameter, left)
        return float(nll.detach()), float(dice.detach())

    def _losses(self, samples: Sequence[Sample], emphasis: float, *, is_falling: bool) -> tuple[Tensor, Tensor]:
        """Return the loss of the classes and that of the overlap."""
        with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BFLOAT16):
            features = self.model.encode_image(**inputs_of(samples))
        features = ImageFeatures(*(maps.float() for maps in features[:3]), features.size)
        # A quarter of the pixels, each step another one: all of them would cost as much as the encoder.
        quarter = np.s_[..., self.step % 2 :: 2, self.step // 2 % 2 :: 2]
        allowed = torch.from_numpy(np.stack([sample.allowed for sample in samples])[quarter])
        weights = WEIGHTS[self.kind]
        plain = joint_losses(self.plain(features.fine), allowed, weights, emphasis)
        few = -(-len(samples) // (MORE if is_falling else FEW))
        logits = self._decoded(features.of(torch.arange(few)))[quarter]
        decoded = joint_losses(logits, allowed[:few], weights, emphasis)
        return plain[0] + decoded[0], plain[1] + decoded[1]

    def _decoded(self, features: ImageFeatures) -> Tensor:
        """Return the logits of all targets by the mask decoder, float [N, T, H, W]."""
        count, targets = len(features.tokens), len(TREE.targets)
        queries = self.model.queries_of(torch.arange(targets).repeat(count))
        repeated = features.repeated(targets)._replace(fine=features.fine)
        logits, _ = self.model.decode_mask(repeated, queries, MaskPrompts())
        return logits.unflatten(0, (count, targets))

    def state(self) -> dict[str, Any]:
        """Return all that another run needs to go on."""
        learned = {name: parameter.detach() for name, parameter in self.learning.items()}
        return {
            "step": self.step,
            "seconds": self.seconds,
            "learned": learned,
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "norms": [norm.state_dict() for norm in self.norms],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._take(state["learned"])
        self.step, self.seconds, self.average = state["step"], state["seconds"], state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        for norm, statistics in zip(self.norms, state["norms"], strict=True):
            norm.load_state_dict(statistics)

    def save(self, folder: Path) -> Path:
        """Write the averaged weights as a checkpoint whose targets compete."""
        last = {name: parameter.detach().clone() for name, parameter in self.learning.items()}
        self._take(self.average)
        self.processor.prior_channels = False
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        self._take(last)
        return folder

    @torch.no_grad()
    def _take(self, weights: Mapping[str, Tensor]) -> None:
        for name, parameter in self.learning.items():
            parameter.copy_(weights[name])


def with_resnet(model: SpexModel, hidden_sizes: Sequence[int]) -> SpexModel:
    """Return a model with the words and the mask decoder of another, and with a ResNet as encoder, drawn at random."""
    config, resnet = copy.deepcopy(model.config), {**RESNET, "hidden_sizes": list(hidden_sizes)}
    config.vision_config, config.stem_config.hidden_channels = ResNetConfig(**resnet), RESNET_STEM
    config.mask_decoder_config.fine_stride, config.reconstruction_weight = 2, 0.0
    seeing = SpexModel(config)
    other_weights = {
        name: values for name, values in model.state_dict().items() if not name.startswith((*IMAGE_SIDE, "band_"))
    }
    seeing.load_state_dict(other_weights, strict=False)
    return seeing


def _set_targets(model: SpexModel) -> None:
    """Give a model the targets of the joint read-out: queries of new ones are drawn like those that it has."""
    old, config = model.target_queries, model.config
    assert old is not None
    queries = TargetQueries(len(TREE.targets), old.num_tokens, config.mask_decoder_config.embed_dim)
    with torch.no_grad():
        queries.weight.normal_(0, float(old.weight.std()))
        for number, name in enumerate(config.targets):
            queries.weight[TREE.targets.index(name)] = old.weight[number]
    model.target_queries = queries
    config.targets, config.positive_weights = TREE.targets, ()
    config.joint, config.part_of, config.covered_by_parts = True, TREE.parents, TREE.complete
    config.mask_decoder_config.dense_prior = False


def joint_losses(
    logits: Tensor, allowed: Tensor, weights: Mapping[Cover, float], emphasis: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return how unexpected labels are, and how little the targets that a batch holds overlap with them.

    Args:
        logits: float [N, T, H, W].
        allowed: uint8 [N, H, W], bit sets of `Cover`.
        weights: Of pixels whose label is within a class.
        emphasis: How much of them holds, from 1 to 0, where all pixels weigh alike.
    """
    leaves = torch.stack([(allowed & int(COVER_OF_LEAF[leaf])) > 0 for leaf in TREE.leaves], 1)
    of_pixels = torch.ones(allowed.shape)
    for cover, weight in weights.items():
        of_pixels[_within(allowed, cover)] = 1 + emphasis * (weight - 1)
    nll = partial_label_loss(TREE.leaf_log_probabilities(logits), leaves, of_pixels)
    probabilities, overlaps = TREE.log_probabilities(logits).exp(), []
    for number, cover in enumerate(COVER_OF_TARGET.values()):
        wanted = _within(allowed, cover)
        if wanted.sum() >= LEAST_DICE_PX:
            is_certain = wanted | ((allowed & int(cover)) == 0)
            overlaps.append(dice_loss(probabilities[:, number], wanted, is_certain))
    return nll, torch.stack(overlaps).mean() if overlaps else nll * 0


def _within(allowed: Tensor, cover: Cover) -> Tensor:
    return (allowed & (255 - int(cover))) == 0


def inputs_of(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Return what the encoder takes of samples of one size; the channels of priors stay unknown."""
    most, size = max(len(sample.bands) for sample in samples), samples[0].allowed.shape
    pixels = torch.full((len(samples), most, *size), torch.nan)
    waves = torch.full((len(samples), most, 2), torch.nan)
    indices = torch.full((len(samples), INDEX_CHANNELS, *size), torch.nan)
    for i, sample in enumerate(samples):
        pixels[i, : len(sample.bands)] = torch.from_numpy((sample.pixels - MEAN) / STD)
        waves[i, : len(sample.bands)] = torch.from_numpy(sample.waves_um.astype(np.float32))
        indices[i, : len(INDICES)] = torch.from_numpy(_indices(dict(zip(sample.bands, sample.pixels, strict=True))))
    gsd_m = torch.tensor([sample.gsd_m for sample in samples])
    return {"pixel_values": pixels, "wavelengths_um": waves, "index_values": indices, "gsd_m": gsd_m}


def _indices(bands: dict[str, Any]) -> Any:
    """Return the indices of the stem, float32 [I, H, W] between -1 and 1; NaN where the bands do not allow one."""
    pairs = {
        "NDVI": ("nir", "red"),
        "NDWI": ("green", "nir"),
        "MNDWI": ("green", "swir16"),
        "NDBI": ("swir16", "nir"),
        "IKAW": ("red", "blue"),
    }
    operands = {name: (bands[a], bands[b]) for name, (a, b) in pairs.items() if a in bands and b in bands}
    if {"red", "green", "blue"} <= set(bands):
        operands["GLI"] = 2 * bands["green"], bands["red"] + bands["blue"]
    shape = next(iter(bands.values())).shape
    return np.stack(
        [_ratio(*operands[name]) if name in operands else np.full(shape, np.nan) for name in INDICES]
    ).astype(np.float32)


def _ratio(first: Any, second: Any) -> Any:
    total = first + second
    safe = np.where(np.abs(total) > 1e-6, total, np.nan)  # noqa: PLR2004 (a sum of zero)
    return np.clip((first - second) / safe, -1, 1)


def _share_of_rate(fall: float, step: int) -> float:
    """Return the share of the highest rate that a step has: warmed up, then even, then down a cosine.

    Args:
        fall: Share of the cosine that lies behind the step.
        step: Its number.
    """
    return min(1, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * fall)))


def train(
    data: Path,
    start: Path,
    out: Path,
    kind: Kind,
    *,
    steps: int | None = None,
    minutes: float = math.inf,
    seed: int = SEED,
    course: str = "whole",
) -> Path:
    """Run the stage, or go on with it; return the folder of the checkpoint.

    Args:
        data: Folder of the labelled sets.
        start: Folder of the checkpoint to go on from.
        out: Of the state, the log and the checkpoint.
        kind: What is learned from.
        steps: How many; `STEPS` if not given.
        minutes: Of learning, all runs together; the rate falls so as to end by then, should that be sooner.
        seed: Of every draw.
        course: Of `COURSES`.
    """
    out.mkdir(parents=True, exist_ok=True)
    tiles, state = read_tiles(data), out / "state.pt"
    learner = Learner(start, seed, kind, COURSES[course])
    if state.exists():
        learner.resume(torch.load(state))
    for line in _course(
        learner, Sampler(tiles, seed, kind, learner.course.splits), steps or STEPS[kind], minutes, state
    ):
        with (out / "log.txt").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
    return learner.save(out / "final")


def _course(learner: Learner, sampler: Sampler, steps: int, minutes: float, state: Path) -> Iterator[str]:
    """Learn to the end; yield lines for the log."""
    losses: list[tuple[float, float]] = []
    while (progress := max(learner.step / steps, learner.seconds / (60 * minutes))) < 1:
        if progress >= learner.course.falls_from and not state.with_name(EVEN).exists():
            _keep(learner, state.with_name(EVEN))
        begun = time.monotonic()
        losses.append(learner.learn(sampler.batch(learner.step), progress))
        learner.seconds += time.monotonic() - begun
        if learner.step % LOGGED_EVERY == 0:
            classes, overlap = np.mean(losses, 0)
            yield f"{learner.step} {learner.seconds:.0f} s, losses of classes {classes:.3f}, of overlap {overlap:.3f}"
            losses = []
        if learner.step % KEPT_EVERY == 0:
            _keep(learner, state)
    _keep(learner, state)


def _keep(learner: Learner, state: Path) -> None:
    part = state.with_suffix(".part")
    torch.save(learner.state(), part)
    part.replace(state)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "start", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--course", choices=COURSES, default="whole")
    chosen = parser.parse_args()
    print(train(**vars(chosen)))  # noqa: T201 (a script)
