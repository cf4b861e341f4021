"""Batches of samples as inputs of `SpexModel.forward`, which asks by prompts or by the queries of targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spex_nb.model.losses import IGNORED
from spex_nb.model.outputs import TEXT_INPUTS
from spex_nb.model.processing import SpexProcessor
from spex_nb.model.runtime.channels import CELL, INDICES
from spex_nb.training.samples import Question, Sample

LEAST_SPREAD = 0.05
"""Added to the spread of an index in a cell, so that even cells are hidden too when the index guides."""


@dataclass(frozen=True)
class Hiding:
    """Which cells of 16 x 16 px are hidden from the encoder, which learns to fill them in.

    Attributes:
        batches: Chance that cells of a batch are hidden.
        share: Share of the cells that is hidden.
        guided: Whether cells in which the indices vary most are hidden more often.
    """

    batches: float = 0.0
    share: float = 0.4
    guided: bool = False


class Batcher:
    """Joins samples to batches.

    Args:
        processor: Processor of the model.
        targets: Ids of the targets of the model's queries, in the same order.
        by_query: Whether targets are asked for by their queries, without words.
        hiding: Which cells are hidden; none if not given.
        seed: Seed of the draw of hidden cells.
    """

    def __init__(
        self,
        processor: SpexProcessor,
        targets: Sequence[str],
        *,
        by_query: bool = False,
        hiding: Hiding | None = None,
        seed: int = 0,
    ) -> None:
        self.processor, self.by_query = processor, by_query
        self.hiding, self.seed = hiding or Hiding(), seed
        self._number = {target: i for i, target in enumerate(targets)}

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Join samples in one batch."""
        scenes = [sample.scene for sample in samples]
        questions = [question for sample in samples for question in sample.questions]
        index = [i for i, sample in enumerate(samples) for _ in sample.questions]
        data = dict(
            self.processor(
                scenes,
                [question.prompt for question in questions],
                image_index=index,
                answers=[question.answer for question in questions],
                priors=[question.prior for question in questions],
                points=[question.points for question in questions],
            )
        )
        if self.by_query:
            data = {name: values for name, values in data.items() if name not in TEXT_INPUTS}
        wanted = _without_answer(questions)
        data["mask_wanted"] = torch.tensor(wanted)
        data["mask_labels"] = _joined_labels(questions, wanted, tuple(data["pixel_values"].shape[-2:]))
        data["target_index"] = torch.tensor([self._number.get(question.target, -1) for question in questions])
        return data | self._hidden(data, samples)

    def _hidden(self, data: dict[str, Tensor], samples: Sequence[Sample]) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, *(int(abs(hash_of(sample))) for sample in samples)))
        if "image_sizes" in data or rng.random() >= self.hiding.batches:
            return {}
        pixels = data["pixel_values"]
        rows, columns = (-(-side // CELL) for side in pixels.shape[-2:])
        chances = torch.from_numpy(rng.random((len(pixels), rows * columns)))
        if self.hiding.guided and "index_values" in data:
            chances = chances ** (1 / (LEAST_SPREAD + _spread(data["index_values"][:, : len(INDICES)], rows, columns)))
        limit = chances.sort(1).values[:, -max(1, int(self.hiding.share * rows * columns))]
        return {"hidden_cells": (chances >= limit[:, None]).view(-1, rows, columns)}


def hash_of(sample: Sample) -> int:
    """Return a number that depends only on the pixels of a sample, on any machine."""
    first = sample.scene[sample.scene.spex.bands[0]].values
    return int(np.nan_to_num(first).view(np.uint32).sum(dtype=np.uint64))


def _without_answer(questions: Sequence[Question]) -> list[bool]:
    """Return for each question whether its mask is decoded: not with an answer, whose prompt names the label's regions.

    At least one mask is decoded, so that every part of the model takes part in every step, as several GPUs need it.
    """
    wanted = [not question.answer for question in questions]
    return wanted if any(wanted) else [True, *wanted[1:]]


def _joined_labels(questions: Sequence[Question], wanted: Sequence[bool], size: tuple[int, ...]) -> Tensor:
    """Return labels uint8 [n, H, W] of the wanted masks; 255 beyond an image and for questions with an answer."""
    joined = torch.full((sum(wanted), *size), IGNORED, dtype=torch.uint8)
    for layer, question in zip(joined, compress(questions, wanted), strict=True):
        if not question.answer:
            height, width = question.label.shape
            layer[:height, :width] = torch.from_numpy(question.label)
    return joined


def _spread(index_values: Tensor, rows: int, columns: int) -> Tensor:
    """Return the standard deviation of the most varied index in each cell: float [N, rows * columns]."""
    values = index_values.nan_to_num(0.0)
    filled = F.pad(values, (0, columns * CELL - values.shape[-1], 0, rows * CELL - values.shape[-2]))
    mean = F.avg_pool2d(filled, CELL)
    spread = (F.avg_pool2d(filled**2, CELL) - mean**2).clamp(min=0).sqrt()
    return spread.amax(1).flatten(1).double()
