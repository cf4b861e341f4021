"""Token context condensation: hidden states of the language model become a few prompt tokens of the mask decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Condensation(nn.Module):
    """Pool tokens to a fixed number, then map them to the width of the mask decoder.

    Args:
        hidden_size: Of the language model.
        embed_dim: Of the mask decoder.
        num_tokens: How many are left.
        widths: Of the two hidden layers; 8 and 2 times ``embed_dim`` if not given, as released.
    """

    def __init__(
        self, hidden_size: int, embed_dim: int, num_tokens: int = 4, widths: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        widths = widths or (8 * embed_dim, 2 * embed_dim)
        self.num_tokens = num_tokens
        self.mlp = nn.Sequential(
            nn.Linear(hidden_size, widths[0]),
            nn.ReLU(),
            nn.Linear(widths[0], widths[1]),
            nn.ReLU(),
            nn.Linear(widths[1], embed_dim),
        )

    def pool(self, tokens: Sequence[Tensor]) -> Tensor:
        """Average each float [l, D] in ``num_tokens`` spans of about the same length: [N, num_tokens, D]."""
        return torch.stack([F.adaptive_avg_pool1d(one.T, self.num_tokens).T for one in tokens])

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """Condense float [l, D] of each sample, of any precision, to [N, num_tokens, embed_dim]."""
        condensed: Tensor = self.mlp(self.pool(tokens).to(next(self.parameters()).dtype))
        return condensed
