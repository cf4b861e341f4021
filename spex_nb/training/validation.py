"""Measurements during training: the IoU of each target on tiles that the model does not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from spex_nb.model import SpexModel
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spie.tiles import UNKNOWN
from spex_nb.training.batches import Batcher
from spex_nb.training.crops import TileEntry
from spex_nb.training.samples import PromptSampling, Sample, make_sample

PLAIN = PromptSampling(targets=99, prior=0.0, wrong=0.0, attributes=0.0, clicks=0.0)
"""All targets of a tile, without priors, regions or clicks."""

MOST_PX = 512
"""Largest side of a tile in pixels; larger tiles are cut."""


class Validation:
    """Measures models on the same tiles.

    Args:
        tiles: The tiles to measure on.
        batcher: Joins tiles to batches, as in training.
        batch: Tiles in a batch.
    """

    def __init__(self, tiles: Sequence[TileEntry], batcher: Batcher, batch: int = 4) -> None:
        self._batcher, self._batch = batcher, batch
        self._samples = [make_sample(tile, MOST_PX, PLAIN, None, np.random.default_rng(0)) for tile in tiles]

    def __call__(self, model: SpexModel) -> dict[str, float]:
        """Return the IoU of each target, pooled over pixels: ``iou_water`` and so on; NaN where there is none."""
        counts: dict[str, Any] = {}
        was_training = model.training
        model.train(False)
        with torch.inference_mode():
            for start in range(0, len(self._samples), self._batch):
                self._count(model, self._samples[start : start + self._batch], counts)
        model.train(was_training)
        return {f"iou_{target}": float(iou(count)) for target, count in sorted(counts.items())}

    def _count(self, model: SpexModel, samples: Sequence[Sample], counts: dict[str, Any]) -> None:
        inputs = {name: value.to(model.device) for name, value in self._batcher(samples).items()}
        logits = model(**_unlabelled(inputs)).mask_logits.cpu().numpy()
        questions = [question for sample in samples for question in sample.questions]
        for question, map_logits in zip(questions, logits, strict=True):
            height, width = question.label.shape
            known = question.label != UNKNOWN
            mask = map_logits[:height, :width] > 0
            counts[question.target] = counts.get(question.target, 0) + confusion_counts(
                mask, question.label == 1, known
            )


def _unlabelled(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name not in ("labels", "mask_labels", "hidden_cells")}
