"""Learned tokens that ask for a target without words, in the place of condensed ones: they train the image side alone.

Condensed tokens are drawn to them afterwards, so that language takes over what the decoder has learned to answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TargetQueries(nn.Embedding):
    """Some tokens for each target of a configuration.

    Args:
        targets: How many.
        num_tokens: Of each, as many as are condensed.
        dim: Of the mask decoder.
    """

    def __init__(self, targets: int, num_tokens: int, dim: int) -> None:
        super().__init__(targets, num_tokens * dim)
        self.num_tokens = num_tokens

    def forward(self, target_index: Tensor) -> Tensor:
        """Return the tokens of targets int [N]: float [N, T, D].

        Raises:
            ValueError: If there is no such target.
        """
        if len(target_index) and not 0 <= int(target_index.min()) <= int(target_index.max()) < self.num_embeddings:
            raise ValueError(
                f"target_index is {target_index.tolist()}; expected numbers from 0 to {self.num_embeddings - 1}, the "
                "configuration's targets; -1 for another only beside input_ids."
            )
        return super().forward(target_index).unflatten(1, (self.num_tokens, -1))

    def distance(self, condensed: Tensor, target_index: Tensor) -> Tensor:
        """Return how far condensed tokens float [N, T, D] are from their targets', in units of the queries' spread.

        The queries stand still; prompts with target -1 count for nothing.
        """
        known = target_index != -1
        if not known.any():
            return condensed.sum() * 0
        aims = self(target_index[known]).detach()
        everyone = self(torch.arange(self.num_embeddings, device=target_index.device)).detach()
        return (condensed[known] - aims).square().mean() / everyone.square().mean()
