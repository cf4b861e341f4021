"""From samples to the tensors of `SpexModel.forward`: asked by prompts, or by the queries of targets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spex_nb.model.batch import CELL
from spex_nb.model.configuration import INDICES
from spex_nb.model.losses import IGNORED
from spex_nb.model.outputs import TEXT_INPUTS
from spex_nb.model.processing import SpexProcessor
from spex_nb.training.samples import Question, Sample

CALM = 0.05
"""Added to the spread of an index in a cell, so that calm cells are hidden too when the index guides."""


@dataclass(frozen=True)
class Hiding:
    """Which cells of 16 x 16 px are hidden from the encoder, for it to fill in.

    Attributes:
        batches: Chance that cells of a batch are hidden.
        share: Of the cells.
        guided: Whether cells in which the indices vary most are hidden rather than others.
    """

    batches: float = 0.0
    share: float = 0.4
    guided: bool = False


class Batcher:
    """Makes batches.

    Args:
        processor: Of the model.
        targets: Ids of the targets that the model has queries for, in its order.
        by_query: Whether targets are asked for without words.
        hiding: Which cells are hidden.
        seed: Of what is hidden.
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
        asked = [(i, question) for i, sample in enumerate(samples) for question in sample.questions]
        index, questions = [i for i, _ in asked], [question for _, question in asked]
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
            chances = chances ** (1 / (CALM + _spread(data["index_values"][:, : len(INDICES)], rows, columns)))
        kept = chances.sort(1).values[:, -max(1, int(self.hiding.share * rows * columns))]
        return {"hidden_cells": (chances >= kept[:, None]).view(-1, rows, columns)}


def hash_of(sample: Sample) -> int:
    """Return a number that is the same for the same pixels, on any machine."""
    first = sample.scene[sample.scene.spex.bands[0]].values
    return int(np.nan_to_num(first).view(np.uint32).sum(dtype=np.uint64))


def _without_answer(questions: Sequence[Question]) -> list[bool]:
    """Say whose masks teach: not those of prompts with an answer, which name the regions of the label.

    One at least is decoded, so that every part of the model takes part in every step, as several GPUs need it.
    """
    wanted = [not question.answer for question in questions]
    return wanted if any(wanted) else [True, *wanted[1:]]


def _joined_labels(questions: Sequence[Question], wanted: Sequence[bool], size: tuple[int, ...]) -> Tensor:
    """Return labels uint8 [n, H, W] of the masks that are wanted; unknown where there is none, or it was told."""
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
