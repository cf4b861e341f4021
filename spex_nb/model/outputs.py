"""What the model gives, and what it keeps of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from transformers.utils.generic import ModelOutput


@dataclass
class SpexOutput(ModelOutput):
    """What a forward pass gives.

    Attributes:
        loss: Weighted sum of those below.
        mask_logits: float [N, H, W].
        logits: float [N, L, V] of the language head, only if asked for.
        condensed: float [N, T, D], the tokens that asked for the mask.
        iou: float [N], the decoder's guess of its IoU.
        text_loss, bce_loss, dice_loss: Before weighting.
    """

    loss: Tensor | None = None
    mask_logits: Tensor | None = None
    logits: Tensor | None = None
    condensed: Tensor | None = None
    iou: Tensor | None = None
    text_loss: Tensor | None = None
    bce_loss: Tensor | None = None
    dice_loss: Tensor | None = None


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
    """An image as language model and mask decoder see it; kept, further instructions cost no encoder."""

    tokens: Tensor
    """float [N, S, C], the aggregated map's cells, row by row."""
    embedding: Tensor
    """float [N, D, H / 16, W / 16]."""
    half: Tensor
    """float [N, C', H / 2, W / 2], from the stem."""
    quarter: Tensor
    """float [N, C, H / 4, W / 4], the first stage."""
    size: tuple[int, int]
    """(height, width) of the image before it was filled up."""

    def repeated(self, copies: int) -> ImageFeatures:
        """Return the features of each image several times in a row."""
        if copies == 1:
            return self
        tokens, embedding, half, quarter = (one.repeat_interleave(copies, 0) for one in self[:4])
        return ImageFeatures(tokens, embedding, half, quarter, self.size)

    def of(self, image_index: Tensor | None) -> ImageFeatures:
        """Return the features of the image of each prompt."""
        if image_index is None:
            return self
        tokens, embedding, half, quarter = (one[image_index] for one in self[:4])
        return ImageFeatures(tokens, embedding, half, quarter, self.size)
