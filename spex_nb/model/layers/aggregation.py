"""Multiscale feature aggregation: four stages become one map, which two users read: language model and mask decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.layers.norms import ChannelNorm

ORDER = (2, 0, 1, 3)
"""The stage whose size is kept comes first, as in the released weights."""
GROUPS = 16


class Aggregation(nn.Module):
    """All stages, resized to 1/16 of the input, become one map.

    Args:
        stage_channels: Of the four stages.
        channels: Of the map.
        dropout: Share of the map that is zeroed while training.
    """

    def __init__(self, stage_channels: Sequence[int], channels: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(sum(stage_channels), channels, 1)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Aggregate float [N, C_i, H_i, W_i] of four stages to [N, C, H / 16, W / 16]."""
        size = features[ORDER[0]].shape[-2:]
        resized = [
            F.interpolate(features[i], size, mode="bilinear", align_corners=True)
            if features[i].shape[-2:] != size
            else features[i]
            for i in ORDER
        ]
        out: Tensor = self.dropout(F.gelu(self.norm(self.fuse(torch.cat(resized, dim=1)))))
        return out


class Neck(nn.Sequential):
    """From the aggregated map to the image embedding of the mask decoder: float [N, C, H, W] -> [N, D, H, W]."""

    def __init__(self, channels: int, embed_dim: int) -> None:
        super().__init__(
            nn.Conv2d(channels, embed_dim, 1, bias=False),
            ChannelNorm(embed_dim),
            nn.Conv2d(embed_dim, embed_dim, 3, padding=1, bias=False),
            ChannelNorm(embed_dim),
        )


class Projector(nn.Sequential):
    """From visual tokens to the width of the language model: float [N, L, C] -> [N, L, D]."""

    def __init__(self, channels: int, hidden_size: int) -> None:
        super().__init__(nn.Linear(channels, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size))
