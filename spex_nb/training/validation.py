"""Measurements during training: the IoU of each target on tiles that the model does not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from spex_nb.model import SpexModel
from spex_nb.output.files import write_whole
from spex_nb.output.plotting import picture_of
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spie.tiles import UNKNOWN
from spex_nb.training.batches import Batcher
from spex_nb.training.crops import TileEntry
from spex_nb.training.samples import PromptSampling, Question, make_sample
from spex_nb.types.targets import class_color

PLAIN = PromptSampling(targets=99, prior=0.0, wrong=0.0, attributes=0.0, clicks=0.0)
"""All targets of a tile, without priors, regions or clicks."""

MOST_PX = 512
"""Largest side of a tile in pixels; larger tiles are cut."""


class Validation:
    """Measures models on the same tiles, and draws their predictions.

    Args:
        tiles: The tiles to measure on.
        batcher: Joins tiles to batches, as in training.
        batch: Tiles in a batch.
        folder: Folder of the pictures; made with the first picture.
        pictures: Number of tiles to draw, with the first of their targets.
    """

    def __init__(
        self,
        tiles: Sequence[TileEntry],
        batcher: Batcher,
        batch: int = 4,
        *,
        folder: Path | None = None,
        pictures: int = 0,
    ) -> None:
        self._batcher, self._batch = batcher, batch
        self._folder, self._pictures = folder, pictures if folder is not None else 0
        self._samples = [make_sample(tile, MOST_PX, PLAIN, None, np.random.default_rng(0)) for tile in tiles]

    def __call__(self, model: SpexModel) -> dict[str, float]:
        """Return the IoU of each target, pooled over pixels: ``iou_water`` and so on; NaN where it is undefined."""
        counts: dict[str, Any] = {}
        was_training = model.training
        model.train(False)
        with torch.inference_mode():
            for start in range(0, len(self._samples), self._batch):
                self._measure(model, start, counts)
        model.train(was_training)
        return {f"iou_{target}": float(iou(count)) for target, count in sorted(counts.items())}

    def _measure(self, model: SpexModel, start: int, counts: dict[str, Any]) -> None:
        """Add the counts of one batch, and draw its pictures."""
        samples = self._samples[start : start + self._batch]
        inputs = {name: value.to(model.device) for name, value in self._batcher(samples).items()}
        masks = iter(model(**_unlabelled(inputs)).mask_logits.cpu().numpy() > 0)
        for number, sample in enumerate(samples, start=start):
            for place, question in enumerate(sample.questions):
                height, width = question.label.shape
                mask = next(masks)[:height, :width]
                count = confusion_counts(mask, question.label == 1, question.label != UNKNOWN)
                counts[question.target] = counts.get(question.target, 0) + count
                if place == 0 and number < self._pictures:
                    self._draw(number, sample.scene, question, mask)

    def _draw(self, number: int, scene: xr.Dataset, question: Question, mask: NDArray[np.bool_]) -> None:
        """Draw scene, label and prediction side by side."""
        from PIL import Image

        assert self._folder is not None
        picture = picture_of(scene)
        color = class_color(question.target)
        masks = (question.label == 1, mask)
        panels = [picture, *(np.where(member[..., None], color, 0.4 * picture) for member in masks)]
        self._folder.mkdir(parents=True, exist_ok=True)
        with write_whole(self._folder / f"{number}.png", overwrite=True) as part:
            Image.fromarray((255 * np.concatenate(panels, axis=1)).astype(np.uint8)).save(part)


def _unlabelled(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name not in ("labels", "mask_labels", "hidden_cells")}
