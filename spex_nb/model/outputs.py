"""The outputs of the model, and the features of an image that further prompts share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from transformers.utils.generic import ModelOutput

TEXT_INPUTS = ("input_ids", "attention_mask", "labels")
"""Inputs of `SpexModel.forward` that a target asked for by its query does without."""


@dataclass
class SpexOutput(ModelOutput):
    """The output of a forward pass.

    Attributes:
        loss: Weighted sum of the losses below; None without labels.
        mask_logits: float [n, H, W], of the prompts whose masks are wanted; all N by default.
        logits: float [N, L, V] of the language head; only with ``return_logits``.
        condensed: float [N, T, D], the tokens that the mask decoder reads.
        iou: float [n], the decoder's estimate of the IoU of each mask.
        text_loss, bce_loss, dice_loss, query_loss, reconstruction_loss: Losses before weighting.
    """

    loss: Tensor | None = None
    mask_logits: Tensor | None = None
    logits: Tensor | None = None
    condensed: Tensor | None = None
    iou: Tensor | None = None
    text_loss: Tensor | None = None
    bce_loss: Tensor | None = None
    dice_loss: Tensor | None = None
    query_loss: Tensor | None = None
    reconstruction_loss: Tensor | None = None


@dataclass
class SpexGeneration(ModelOutput):
    """The output of `SpexModel.generate`.

    Attributes:
        sequences: int [N, n], the new tokens.
        mask_logits: float [N, H, W].
        condensed: float [N, T, D], the tokens that the mask decoder reads.
    """

    sequences: Tensor | None = None
    mask_logits: Tensor | None = None
    condensed: Tensor | None = None


class ImageFeatures(NamedTuple):
    """Features of images of one size, for language model and mask decoder. Further prompts reuse them."""

    tokens: Tensor
    """float [N, S, C], the cells of the aggregated map, row by row."""
    embedding: Tensor
    """float [N, D, H / 16, W / 16], the image embedding of the mask decoder."""
    fine: Tensor | None
    """float [N, F, H / s, W / s], the fine map of the mask decoder; None for a decoder without one."""
    size: tuple[int, int]
    """(height, width) of the images in pixels, without padding."""

    def repeated(self, copies: int) -> ImageFeatures:
        """Return the features of each image several times in a row."""
        return self if copies == 1 else self._each(lambda values: values.repeat_interleave(copies, 0))

    def of(self, image_index: Tensor | None) -> ImageFeatures:
        """Return the features of the image of each prompt."""
        return self if image_index is None else self._each(lambda values: values[image_index])

    def _each(self, chosen: Callable[[Tensor], Tensor]) -> ImageFeatures:
        fine = None if self.fine is None else chosen(self.fine)
        return ImageFeatures(chosen(self.tokens), chosen(self.embedding), fine, self.size)
