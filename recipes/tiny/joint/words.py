"""The stage after the competition: words are drawn to the queries again, and sentences to what the encoder now sees.

The image side rests. Prompts of all targets, in nine languages, learn to mean the queries of the checkpoint; answers
describe the labels. A step takes about a third of a second of one core.

Usage: python recipes/tiny/joint/words.py DATA START OUT KIND [--steps N] [--seed S]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from changes import Sample
from covers import COVER_OF_TARGET, TREE, is_known, is_within
from learn import inputs_of
from numpy.random import Generator
from sampling import Kind, Sampler
from tiles import read_tiles
from torch import Tensor, nn

from spex_nb.language.answers import answer_template
from spex_nb.language.evidence import measure_arrays
from spex_nb.language.languages import LANGUAGES
from spex_nb.language.prompts import build_prompt, in_language
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.regions.find import find_regions
from spex_nb.training.stage import LANGUAGE

STEPS, SEED = 600, 1
RATE, LAST_RATE, WARM_UP, CLIP = 8e-4, 0.02, 20, 1.0
PICTURES, SIDE_PX, PROMPTS = 4, 64, 3
"""Of a step: pictures, their sides, and prompts about each."""
ANSWERED = 0.7
"""Share of the prompts that are answered; others name drawn regions, or none."""
REGIONS, SMALLEST_PX = 3, 4
TEXT_WEIGHT, QUERY_WEIGHT = 1.0, 1.0
LOGGED_EVERY = 40


def train(data: Path, start: Path, out: Path, kind: Kind, *, steps: int = STEPS, seed: int = SEED) -> Path:
    """Run the stage; return the folder of the checkpoint.

    Args:
        data: Folder of the labelled sets.
        start: Folder of the checkpoint whose targets compete.
        out: Of the log and the checkpoint.
        kind: What the checkpoint reads, and learned from.
        steps: How many.
        seed: Of every draw.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = SpexModel.from_pretrained(start, dtype=torch.float32).eval()
    processor = SpexProcessor.from_pretrained(start, local_files_only=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(LANGUAGE))
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.05)
    sampler, losses = Sampler(read_tiles(data), seed, kind), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = _rate(step, steps)
        rng = np.random.default_rng((seed, step))
        text_loss, query_loss = _losses(model, processor, sampler.batch(step)[::2][:PICTURES], rng)
        optimizer.zero_grad()
        (TEXT_WEIGHT * text_loss + QUERY_WEIGHT * query_loss).backward()
        nn.utils.clip_grad_norm_(learning, CLIP)
        optimizer.step()
        losses.append((float(text_loss.detach()), float(query_loss.detach())))
        if (step + 1) % LOGGED_EVERY == 0:
            with (out / "log.txt").open("a", encoding="utf-8") as log:
                log.write(f"{step + 1}: losses of text and queries {np.mean(losses[-LOGGED_EVERY:], 0).round(4)}\n")
    model.save_pretrained(out / "final")
    processor.save_pretrained(out / "final")
    return out / "final"


def _losses(
    model: SpexModel, processor: SpexProcessor, samples: Sequence[Sample], rng: Generator
) -> tuple[Tensor, Tensor]:
    crops = [_crop(sample, rng) for sample in samples]
    with torch.no_grad():
        features = model.encode_image(**inputs_of(crops))
    questions = [(number, *_question(crop, rng)) for number, crop in enumerate(crops) for _ in range(PROMPTS)]
    index, targets, prompts, answers = (list(column) for column in zip(*questions, strict=True))
    inputs = processor.questions(prompts, [(SIDE_PX, SIDE_PX)] * len(crops), answers=answers, image_index=index)
    numbers = torch.tensor([TREE.targets.index(target) for target in targets])
    decoded = torch.zeros(len(prompts), dtype=torch.bool)
    decoded[0] = True
    output = model(features=features, target_index=numbers, mask_wanted=decoded, **inputs)
    return output.text_loss, output.query_loss


def _crop(sample: Sample, rng: Generator) -> Sample:
    """Return a square of a sample; words need no more."""
    height, width = sample.allowed.shape
    row, column = rng.integers(height - SIDE_PX + 1), rng.integers(width - SIDE_PX + 1)
    window = np.s_[..., row : row + SIDE_PX, column : column + SIDE_PX]
    return replace(sample, pixels=sample.pixels[window], allowed=np.ascontiguousarray(sample.allowed[window]))


def _question(crop: Sample, rng: Generator) -> tuple[str, str, str]:
    """Draw a target; return it with a prompt and an answer, which may be empty."""
    target = str(rng.choice(TREE.targets))
    cover, language = COVER_OF_TARGET[target], str(rng.choice(LANGUAGES))
    mask, has_label = is_within(crop.allowed, cover), is_known(crop.allowed, cover)
    if has_label.any() and rng.random() < ANSWERED:
        regions = find_regions(mask, has_label, min_area_px=SMALLEST_PX, source="label")[:REGIONS]
        evidence = measure_arrays(mask, has_label, target, min_area_px=SMALLEST_PX, source="label")
        answer = answer_template(evidence, language, int(rng.integers(2**31)))
        return target, in_language(build_prompt(target, regions), language), answer
    cells = np.kron(rng.random((4, 4)) < rng.uniform(0, 0.5), np.ones((SIDE_PX // 4, SIDE_PX // 4), bool))
    regions = find_regions(cells, np.ones_like(cells), min_area_px=SMALLEST_PX)[: rng.integers(REGIONS + 1)]
    return target, build_prompt(target, regions), ""


def _rate(step: int, steps: int) -> float:
    """Return the rate of a step: warmed up, then down a cosine."""
    falling = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return RATE * min(1, (step + 1) / WARM_UP) * falling


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "start", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    print(train(**vars(chosen)))  # noqa: T201 (a script)
