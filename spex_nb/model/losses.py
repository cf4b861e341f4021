"""Losses: of the mask over the pixels with a label, and of the text over the tokens of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from spex_nb.model.configuration import SpexConfig
from spex_nb.model.outputs import SpexOutput

DICE_EPS = 1e-3
"""As released."""
IGNORED = 255
"""Value of ``mask_labels`` where the label is unknown."""
IGNORED_TOKEN = -100
"""Value of ``labels`` outside the answer."""


class MaskLosses(NamedTuple):
    """Means over the batch."""

    bce: Tensor
    dice: Tensor


def upsample_logits(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Resize mask logits float [N, h, w] bilinearly to [N, H, W]; thresholds come last, after this."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits[:, None], tuple(size), mode="bilinear", align_corners=False)[:, 0]


def mask_losses(logits: Tensor, target: Tensor, counted: Tensor, positive_weights: Tensor | None = None) -> MaskLosses:
    """Measure how far mask logits are from a label.

    Args:
        logits: float [N, H, W]; any value where a pixel does not count.
        target: float [N, H, W], 0 or 1; any value where a pixel does not count.
        counted: bool [N, H, W], the pixels that count.
        positive_weights: float [N], weights of the target's pixels in the cross-entropy; 1 if not given.

    Returns:
        Binary cross-entropy, a mean over counted pixels, and Dice with squared denominators
        (https://arxiv.org/abs/1606.04797), a mean over samples.
    """
    target, logits = torch.where(counted, target, 0), torch.where(counted, logits, 0)
    weights = None if positive_weights is None else positive_weights.view(-1, 1, 1)
    pixels = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=weights)
    bce = (pixels * counted).sum() / counted.sum().clamp(min=1)
    probability = (logits.sigmoid() * counted).flatten(1)
    flat = target.flatten(1)
    shared = (probability * flat).sum(1)
    both = (probability**2).sum(1) + (flat**2).sum(1)
    dice = 1 - (2 * shared) / (both + 2 * DICE_EPS)
    return MaskLosses(bce, dice.mean())


def label_losses(logits: Tensor, mask_labels: Tensor, positive_weights: Tensor | None = None) -> MaskLosses:
    """Measure how far mask logits float [N, H, W] are from labels int [N, H, W]; see `mask_losses`.

    Raises:
        ValueError: If labels are not as large as masks.
    """
    if mask_labels.shape != logits.shape:
        raise ValueError(f"mask_labels is {tuple(mask_labels.shape)}; expected {tuple(logits.shape)}, as the image.")
    return mask_losses(logits.float(), mask_labels.float(), mask_labels != IGNORED, positive_weights)


def weights_of(target_index: Tensor | None, positive_weights: Sequence[float]) -> Tensor | None:
    """Return the weight of the pixels of each prompt's target int [N]: float [N], 1 for target -1."""
    if target_index is None or not positive_weights:
        return None
    return torch.tensor([*positive_weights, 1.0], device=target_index.device)[target_index]


def text_loss(hidden: Tensor, labels: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
    """Measure how unexpected the tokens of the answer are.

    Args:
        hidden: float [N, L, D], last hidden states of the language model.
        labels: int [N, L], `IGNORED_TOKEN` outside the answer; the state before a token predicts it.
        head: From states to logits of all tokens; it runs only on states that predict the answer.

    Returns:
        Cross-entropy, a mean over tokens of the answer; 0 where there are none.
    """
    is_answer = labels[:, 1:] != IGNORED_TOKEN
    logits = head(hidden[:, :-1][is_answer])
    total = F.cross_entropy(logits.float(), labels[:, 1:][is_answer], reduction="sum")
    return total / is_answer.sum().clamp(min=1)


def weighted_sum(output: SpexOutput, config: SpexConfig) -> Tensor | None:
    """Return the sum of an output's losses, each by its weight; None where there are none."""
    parts = (
        (config.reconstruction_weight, output.reconstruction_loss),
        (config.query_weight, output.query_loss),
        (config.text_weight, output.text_loss),
        (config.bce_weight, output.bce_loss),
        (config.dice_weight, output.dice_loss),
    )
    weighted = [weight * loss for weight, loss in parts if loss is not None]
    return torch.stack(weighted).sum() if weighted else None
