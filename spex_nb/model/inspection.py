"""Tools for lessons: what the model computes on the way to a mask, and how well it can fit one batch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spex_nb.model.layers.mask_decoder import Attention
from spex_nb.model.modeling import SpexModel

RATE = 1e-3
LARGEST_GRADIENT = 1.0
"""Gradients are clipped to this norm."""


@torch.no_grad()
def look_inside(model: SpexModel, batch: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Run the model on the first prompt of a batch, and record intermediate results as pictures.

    Args:
        model: The model to look into, in evaluation mode.
        batch: Inputs of `SpexModel.forward`, of one prompt or more.

    Returns:
        Pictures by name, in the order of the computation. ``stage 1`` … ``stage 4`` and ``aggregated`` hold the norm of
        the features over channels, float32 [h, w]. ``token 1`` … hold where each condensed token attends in the last
        block of the mask decoder: shares that add up to 1, float32 [h, w]. ``mask_logits`` is float32 [H, W].
    """
    pictures: dict[str, NDArray[np.float32]] = {}

    def keep_stages(_module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> None:
        pictures.update({f"stage {i}": _strength(stage) for i, stage in enumerate(output, start=1)})

    def keep_aggregated(_module: Any, _inputs: Any, output: Tensor) -> None:
        pictures["aggregated"] = _strength(output)

    def keep_attention(module: Attention, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        weights = module.weights(*inputs[:2])[0].mean(0)  # [L, S], a mean over heads
        first = 1 + model.config.mask_decoder_config.mask_tokens
        count = model.config.condensation_config.num_tokens
        for i, row in enumerate(weights[first : first + count], start=1):
            pictures[f"token {i}"] = row.view(pictures["aggregated"].shape).float().cpu().numpy()

    last: Any = model.mask_decoder.blocks[-1]
    hooks: list[tuple[Any, Any]] = [
        (model.encoder, keep_stages),
        (model.aggregation, keep_aggregated),
        (last.token_to_image, keep_attention),
    ]
    with ExitStack() as stack:
        for module, hook in hooks:
            stack.callback(module.register_forward_hook(hook).remove)
        pictures["mask_logits"] = model(**batch).mask_logits[0].float().cpu().numpy()
    return pictures


def _strength(features: Tensor) -> NDArray[np.float32]:
    return np.asarray(features[0].float().norm(dim=0).cpu())


def fit_batch(model: SpexModel, batch: Mapping[str, Any], steps: int = 100, rate: float = RATE) -> list[float]:
    """Train on one batch only. It is the first test of new data: a model that cannot fit them cannot learn from them.

    Args:
        model: Trained in place; in evaluation mode afterwards.
        batch: Inputs of `SpexModel.forward`, with ``labels`` or ``mask_labels``.
        steps: Number of optimiser steps to take.
        rate: Learning rate of AdamW.

    Returns:
        The loss before each step.

    Raises:
        ValueError: If the batch holds no labels.
    """
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    model.train()
    losses = []
    for _ in range(steps):
        loss = model(**batch).loss
        if loss is None:
            raise ValueError("The batch holds nothing to learn; expected labels or mask_labels.")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        losses.append(float(loss.detach()))
    model.train(False)
    return losses
