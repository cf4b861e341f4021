"""What the model gives, and what it keeps of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from transformers.utils.generic import ModelOutput


@dataclass
class SpexOutput(ModelOutput):
    """What a forward pass gives.

    Attributes:
        loss: Weighted sum of those below.
        mask_logits: float [N, H, W], or of those prompts whose masks are wanted.
        logits: float [N, L, V] of the language head, only if asked for.
        condensed: float [N, T, D], the tokens that asked for the mask.
        iou: Likewise float [N], the decoder's guess of its IoU.
        text_loss, bce_loss, dice_loss, query_loss, reconstruction_loss: Before weighting.
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
    """What `SpexModel.generate` gives.

    Attributes:
        sequences: int [N, n], the new tokens.
        mask_logits: float [N, H, W].
        condensed: float [N, T, D].
    """

    sequences: Tensor | None = None
    mask_logits: Tensor | None = None
    condensed: Tensor | None = None


class ImageFeatures(NamedTuple):
    """Images of one size as language model and mask decoder see them; kept, further instructions cost no encoder."""

    tokens: Tensor
    """float [N, S, C], the aggregated map's cells, row by row."""
    embedding: Tensor
    """float [N, D, H / 16, W / 16]."""
    fine: Tensor | None
    """float [N, F, H / s, W / s], what masks are refined by; None for a decoder that reads none."""
    size: tuple[int, int]
    """(height, width) of the images before they were filled up."""

    def repeated(self, copies: int) -> ImageFeatures:
        """Return the features of each image several times in a row."""
        return self if copies == 1 else self._each(lambda values: values.repeat_interleave(copies, 0))

    def of(self, image_index: Tensor | None) -> ImageFeatures:
        """Return the features of the image of each prompt."""
        return self if image_index is None else self._each(lambda values: values[image_index])

    def _each(self, chosen: Callable[[Tensor], Tensor]) -> ImageFeatures:
        fine = None if self.fine is None else chosen(self.fine)
        return ImageFeatures(chosen(self.tokens), chosen(self.embedding), fine, self.size)
