"""Losses of the mask: binary cross-entropy and Dice, over the pixels whose label is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

DICE_EPS = 1e-3
"""As released."""


class MaskLosses(NamedTuple):
    """Means over the batch."""

    bce: Tensor
    dice: Tensor


def upsample_logits(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Resize mask logits float [N, h, w] bilinearly to [N, H, W]; thresholds come last, after this."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits[:, None], tuple(size), mode="bilinear", align_corners=False)[:, 0]


def mask_losses(logits: Tensor, target: Tensor, known: Tensor, positive_weights: Tensor | None = None) -> MaskLosses:
    """Measure how far mask logits are from a label.

    Args:
        logits: float [N, H, W]; anything where not known.
        target: float [N, H, W], 0 or 1; anything where not known.
        known: bool [N, H, W]; other pixels count for nothing.
        positive_weights: float [N], of the target's pixels in the cross-entropy; 1 if not given.

    Returns:
        Binary cross-entropy, a mean over known pixels, and Dice with squared denominators
        (https://arxiv.org/abs/1606.04797), a mean over samples.
    """
    target, logits = torch.where(known, target, 0), torch.where(known, logits, 0)
    weights = None if positive_weights is None else positive_weights.view(-1, 1, 1)
    pixels = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=weights)
    bce = (pixels * known).sum() / known.sum().clamp(min=1)
    probability = (logits.sigmoid() * known).flatten(1)
    flat = target.flatten(1)
    shared = (probability * flat).sum(1)
    both = (probability**2).sum(1) + (flat**2).sum(1)
    dice = 1 - (2 * shared) / (both + 2 * DICE_EPS)
    return MaskLosses(bce, dice.mean())
