"""Fit a model to one batch: the first thing to try with new data, for what cannot be fitted cannot be learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from spex_nb.model.modeling import SpexModel

RATE = 1e-3
LONGEST_STEP = 1.0
"""Gradients are clipped to this norm."""


def fit_batch(model: SpexModel, batch: Mapping[str, Any], steps: int = 100, rate: float = RATE) -> list[float]:
    """Train on one batch only.

    Args:
        model: Trained in place; in evaluation mode afterwards.
        batch: What `SpexModel.forward` takes, with ``labels`` or ``mask_labels``.
        steps: How many.
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
        torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST_STEP)
        optimizer.step()
        losses.append(float(loss.detach()))
    model.train(False)
    return losses
