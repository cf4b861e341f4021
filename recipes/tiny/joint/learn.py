"""The stage in which the targets of a pixel compete: it goes on from a checkpoint that has learned its words.

Words stay what they are: the language model stands still, and the mask decoder is asked by the queries of the targets
and by tokens that real prompts are condensed to. Run it again to go on where it ended.

Usage: python recipes/tiny/joint/learn.py DATA START OUT [--steps N] [--minutes M] [--seed S]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from changes import Sample
from covers import COVER_OF_LEAF, COVER_OF_TARGET, TREE, Cover
from sampling import Sampler
from tiles import Tile, read_tiles
from torch import Tensor, nn

from spex_nb.language.prompts import build_prompt
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.model.configuration import INDEX_CHANNELS, INDICES
from spex_nb.model.layers.condensation import TargetQueries
from spex_nb.model.layers.joint_readout import dice_loss, partial_label_loss
from spex_nb.model.layers.prompt_encoder import MaskPrompts
from spex_nb.model.processing import MEAN, STD
from spex_nb.regions.find import find_regions

STEPS = 6000
"""About 75 minutes of one core: 0.74 s of it a step."""
SEED = 1
RATE, LAST_RATE, WARM_UP = 6e-4, 0.02, 40
SLOWER = {"stem.first.kernels": 0.25, "stem.full.kernels": 0.25, "encoder.": 0.5, "mask_decoder.": 0.5}
"""Shares of the rate, by the beginning of a parameter's name."""
STILL = ("language_model.", "condensation.", "projector.", "target_queries.", "band_readout.", "prompt_encoder.")
"""Parts that learn nothing, so that prompts keep their meaning. The queries of new targets learn beside them."""
WEIGHT_DECAY, CLIP, DICE_WEIGHT, AVERAGE = 0.03, 1.0, 0.5, 0.995
KEPT_EVERY, LOGGED_EVERY = 200, 40
POOL_TILES, REGIONS = 40, 3
"""Prompts of so many tiles give the tokens that stand beside the queries."""
LEAST_DICE_PX = 30
WEIGHTS = (
    {Cover.BUILT_UP: 6.0, Cover.BARE_SOIL: 1.5, Cover.WATER: 1.3},
    {Cover.BUILDING: 1.8, Cover.ROAD: 3.0, Cover.TREES: 1.5},
)
"""Of pixels whose label is within a class, at first: of satellites and of aerial pictures."""
EVEN_FROM = 0.75
"""Share of the stage after which all pixels weigh alike, so that probabilities mean what they say."""


class Learner:
    """Model, optimiser and the running average of the weights.

    Args:
        start: Folder of the checkpoint.
        tiles: Some of them give prompts.
        seed: Of the new queries and of the prompts.
    """

    def __init__(self, start: Path, tiles: Sequence[Tile], seed: int) -> None:
        torch.manual_seed(seed)
        self.model = SpexModel.from_pretrained(start, dtype=torch.float32).eval()
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(STILL))
        self.processor = SpexProcessor.from_pretrained(start, local_files_only=True)
        self.pool = condensed_prompts(self.model, self.processor, tiles, seed)
        queries = self.model.queries_of(torch.arange(len(self.pool))).detach()
        self.pool = torch.cat([self.pool, queries[:, None].expand_as(self.pool)], 1)  # as often by query as by prompt
        plants = queries[TREE.targets.index("vegetation")]
        new = len(TREE.targets) - len(queries)
        self.new_queries = nn.Parameter(plants + 0.3 * plants.std() * torch.randn(new, *plants.shape))
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        self.learning = dict(named) | {"new_queries": self.new_queries}
        self.average = {name: parameter.detach().clone() for name, parameter in self.learning.items()}
        groups = [{"params": [p], "share": _share(name)} for name, p in self.learning.items()]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=WEIGHT_DECAY)
        self.step, self.seconds = 0, 0.0

    def learn(self, samples: Sequence[Sample], progress: float) -> tuple[float, float]:
        """Take one step; return the loss of the classes and that of the overlap."""
        rate, emphasis = _rate(progress, self.step), max(0, 1 - progress / EVEN_FROM)
        torch.manual_seed(self.step)  # so that a run that goes on draws what a whole one draws
        logits = self._logits(samples)
        allowed = torch.from_numpy(np.stack([sample.allowed for sample in samples]))
        nll, dice = joint_losses(logits, allowed, emphasis, is_aerial=bool(self.step % 2))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
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

    def _logits(self, samples: Sequence[Sample]) -> Tensor:
        """Return the logits of all targets, float [N, T, H, W]; each is asked by a prompt or by its query."""
        count, targets = len(samples), len(TREE.targets)
        features = self.model.encode_image(**inputs_of(samples))
        drawn = torch.randint(self.pool.shape[1], (count, len(self.pool)))
        queries = self.pool[torch.arange(len(self.pool)), drawn]
        queries = torch.cat([queries, self.new_queries.expand(count, -1, -1, -1)], 1)
        rows = torch.arange(count).repeat_interleave(targets)
        logits, _ = self.model.decode_mask(features.of(rows), queries.flatten(0, 1), MaskPrompts())
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
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(state["learned"][name])
        self.step, self.seconds, self.average = state["step"], state["seconds"], state["average"]
        self.optimizer.load_state_dict(state["optimizer"])

    def save(self, folder: Path) -> Path:
        """Write the averaged weights as a checkpoint whose targets compete."""
        model = self.model
        snapshot = {name: parameter.detach().clone() for name, parameter in self.learning.items()}
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(self.average[name])
        old, config = model.target_queries, model.config
        assert old is not None
        queries = torch.cat([old.weight, self.new_queries.flatten(1)]).detach()
        model.target_queries = TargetQueries(len(queries), old.num_tokens, config.mask_decoder_config.embed_dim)
        model.target_queries.weight.data = queries
        config.targets, config.positive_weights = TREE.targets, ()
        config.joint, config.part_of, config.covered_by_parts = True, TREE.parents, TREE.complete
        config.mask_decoder_config.dense_prior = False
        self.processor.prior_channels = False
        model.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        model.target_queries = old
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(snapshot[name])
        return folder


def joint_losses(logits: Tensor, allowed: Tensor, emphasis: float = 1.0, *, is_aerial: bool) -> tuple[Tensor, Tensor]:
    """Return how unexpected labels are, and how little the targets that a batch holds overlap with them.

    Args:
        logits: float [N, T, H, W].
        allowed: uint8 [N, H, W], bit sets of `Cover`.
        emphasis: How much of `WEIGHTS` holds, from 1 to 0, where all pixels weigh alike.
        is_aerial: Which weights hold. At 30 m no single building or road is told.
    """
    leaves = torch.stack([(allowed & int(COVER_OF_LEAF[leaf])) > 0 for leaf in TREE.leaves], 1)
    weights = torch.ones(allowed.shape)
    for cover, weight in WEIGHTS[is_aerial].items():
        weights[_within(allowed, cover)] = 1 + emphasis * (weight - 1)
    nll = partial_label_loss(TREE.leaf_log_probabilities(logits), leaves, weights)
    probabilities, overlaps = TREE.log_probabilities(logits).exp(), []
    for number, (name, cover) in enumerate(COVER_OF_TARGET.items()):
        wanted = _within(allowed, cover)
        if wanted.sum() >= LEAST_DICE_PX and (is_aerial or name not in ("building", "road")):
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


@torch.no_grad()
def condensed_prompts(model: SpexModel, processor: SpexProcessor, tiles: Sequence[Tile], seed: int) -> Tensor:
    """Return what prompts of the words that a model knows are condensed to: float [T, M, tokens, D]."""
    rng, sampler, pool = np.random.default_rng(seed), Sampler(tiles, seed), []
    for number in range(POOL_TILES):
        sample = sampler.batch(number)[0]
        size = sample.allowed.shape
        features = model.encode_image(**inputs_of([sample]))
        prompts = [build_prompt(target, _some_regions(size, rng)) for target in model.config.targets]
        questions = processor.questions(prompts, [size], image_index=[0] * len(prompts))
        pool.append(model(features=features, **questions).condensed)
    return torch.stack(pool, 1)


def _some_regions(size: tuple[int, int], rng: np.random.Generator) -> list[Any]:
    """Draw regions as a prior might have found them."""
    cells = rng.random((size[0] // 16, size[1] // 16)) < rng.uniform(0, 0.5)
    mask = np.kron(cells, np.ones((16, 16), bool)).astype(bool)
    return find_regions(mask, np.ones_like(mask), min_area_px=9)[:REGIONS]


def _share(name: str) -> float:
    return next((share for start, share in SLOWER.items() if name.startswith(start)), 1.0)


def _rate(progress: float, step: int) -> float:
    """Return the rate of a step: warmed up, then down a cosine."""
    return (
        RATE * min(1, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))
    )


def train(
    data: Path, start: Path, out: Path, *, steps: int = STEPS, minutes: float = math.inf, seed: int = SEED
) -> Path:
    """Run the stage, or go on with it; return the folder of the checkpoint.

    Args:
        data: Folder of the labelled sets.
        start: Folder of the checkpoint to go on from.
        out: Of the state, the log and the checkpoint.
        steps: How many.
        minutes: Of learning, all runs together; the rate falls so as to end by then, should that be sooner.
        seed: Of every draw.
    """
    out.mkdir(parents=True, exist_ok=True)
    tiles, state = read_tiles(data), out / "state.pt"
    learner = Learner(start, tiles, seed)
    if state.exists():
        learner.resume(torch.load(state))
    for line in _course(learner, Sampler(tiles, seed), steps, minutes, state):
        with (out / "log.txt").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
    return learner.save(out / "final")


def _course(learner: Learner, sampler: Sampler, steps: int, minutes: float, state: Path) -> Iterator[str]:
    """Learn to the end; yield lines for the log."""
    losses: list[tuple[int, tuple[float, float]]] = []
    while (progress := max(learner.step / steps, learner.seconds / (60 * minutes))) < 1:
        begun, is_aerial = time.monotonic(), learner.step % 2
        losses.append((is_aerial, learner.learn(sampler.batch(learner.step), progress)))
        learner.seconds += time.monotonic() - begun
        if learner.step % LOGGED_EVERY == 0:
            means = [np.mean([pair for is_aerial, pair in losses if is_aerial == kind], 0).round(3) for kind in (0, 1)]
            yield f"{learner.step} {learner.seconds:.0f} s, losses of satellites {means[0]}, of pictures {means[1]}"
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
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    print(train(**vars(chosen)))  # noqa: T201 (a script)
