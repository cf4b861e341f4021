"""The norms that all parts share."""

from __future__ import annotations

from torch import Tensor, nn

NORM_EPS = 1e-6
"""As InternImage and SAM have it."""


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map float [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over C."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
