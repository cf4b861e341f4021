"""How well a model segments tiles that it does not learn from, in few and plain figures, while it trains."""

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
from spex_nb.training.samples import Asking, Sample, make_sample

PLAIN = Asking(targets=99, prior=0.0, wrong=0.0, attributes=0.0, clicks=0.0)
"""All targets of a tile, by the prompt alone."""

MOST_PX = 512
"""Larger tiles are cut."""


class Validation:
    """The same tiles, measured again and again.

    Args:
        tiles: What is measured.
        batcher: Makes batches as in training.
        batch: Tiles at a time.
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
        return {f"iou_{target}": float(iou(found)) for target, found in sorted(counts.items())}

    def _count(self, model: SpexModel, samples: Sequence[Sample], counts: dict[str, Any]) -> None:
        given = {name: value.to(model.device) for name, value in self._batcher(samples).items()}
        logits = model(**_unlabelled(given)).mask_logits.cpu().numpy()
        questions = [question for sample in samples for question in sample.questions]
        for question, found in zip(questions, logits, strict=True):
            height, width = question.label.shape
            known = question.label != UNKNOWN
            measured = confusion_counts(found[:height, :width] > 0, question.label == 1, known)
            counts[question.target] = counts.get(question.target, 0) + measured


def _unlabelled(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name not in ("labels", "mask_labels", "hidden_cells")}
