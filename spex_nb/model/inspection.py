"""What happens inside the model on the way to a mask, as pictures to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spex_nb.model.layers.mask_decoder import Attention
from spex_nb.model.modeling import SpexModel


@torch.no_grad()
def look_inside(model: SpexModel, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Run the model on the first prompt of a batch, and keep what it made on the way.

    Args:
        model: In evaluation mode.
        batch: What `SpexModel.forward` takes.

    Returns:
        Pictures by name, in the order of the computation: ``stage 1`` ... ``stage 4`` and ``aggregated`` (strength of
        the features: norm over channels, float32 [h, w]), ``token 1`` ... (where each condensed token looks in the last
        block of the mask decoder: shares that add up to 1, float32 [h, w]) and ``mask_logits`` (float32 [H, W]).
    """
    kept: dict[str, Any] = {}

    def keep_stages(_module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> None:
        kept.update({f"stage {i}": _strength(stage) for i, stage in enumerate(output, start=1)})

    def keep_aggregated(_module: Any, _inputs: Any, output: Tensor) -> None:
        kept["aggregated"] = _strength(output)

    def keep_attention(module: Attention, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        looks = module.weights(*inputs[:2])[0].mean(0)  # [L, S], a mean over heads
        own = 1 + model.config.mask_decoder_config.mask_tokens
        count = model.config.condensation_config.num_tokens
        for i, look in enumerate(looks[own : own + count], start=1):
            kept[f"token {i}"] = look.view(kept["aggregated"].shape).float().cpu().numpy()

    last: Any = model.mask_decoder.blocks[-1]
    hooks: list[tuple[Any, Any]] = [
        (model.encoder, keep_stages),
        (model.aggregation, keep_aggregated),
        (last.token_to_image, keep_attention),
    ]
    with ExitStack() as stack:
        for module, hook in hooks:
            stack.callback(module.register_forward_hook(hook).remove)
        kept["mask_logits"] = model(**batch).mask_logits[0].float().cpu().numpy()
    return kept


def _strength(features: Tensor) -> Any:
    return np.asarray(features[0].float().norm(dim=0).cpu())
