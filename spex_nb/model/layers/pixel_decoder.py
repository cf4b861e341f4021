"""From the features of all sizes to one fine map of the image, which every prompt reads by a few weights of its own.

A feature pyramid (Lin et al., https://arxiv.org/abs/1612.03144) that ends at the pixels themselves. It is computed once
an image, however many masks are asked of it, and knows no prompts: its cost is most of a small decoder's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import MaskDecoderConfig
from spex_nb.model.layers.norms import ChannelNorm

WIDTHS = (6, 6, 4, 3, 2, 1)
"""Channels at 1/32, 1/16, 1/8, 1/4, 1/2 and full size, in units of those at full size."""

BY_CELL = 4
"""Sizes whose maps are normed cell by cell. At 1/2 and full size that would hide how bright a pixel is: there maps are
normed by what batches are like on average."""


class PixelDecoder(nn.Module):
    """The pyramid.

    Args:
        channels: At full size.
        sources: Channels of the four stages from the coarsest on, of the stem's map at 1/2, and, where the fine map is
            to be at full size, of its map at full size.
    """

    def __init__(self, channels: int, sources: Sequence[int]) -> None:
        super().__init__()
        widths = [channels * times for times in WIDTHS[: len(sources)]]
        self.channels = widths[-1]
        self.laterals = nn.ModuleList(nn.Conv2d(given, width, 1) for given, width in zip(sources, widths, strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in widths)
        self.norms = nn.ModuleList(
            ChannelNorm(width) if i < BY_CELL else nn.BatchNorm2d(width) for i, width in enumerate(widths)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Join float [N, C_i, H_i, W_i], coarsest first, into one map of the finest size: [N, channels, H, W]."""
        x = self._mixed(0, self.laterals[0](features[0]))
        for i, finer in enumerate(features[1:], start=1):
            coarse = F.interpolate(self.narrow[i - 1](x), finer.shape[-2:], mode="bilinear", align_corners=False)
            x = self._mixed(i, F.relu(coarse + self.laterals[i](finer)))
        return x

    def _mixed(self, i: int, x: Tensor) -> Tensor:
        return x + F.relu(self.norms[i](self.mix[i](x)))


def make_pixel_decoder(
    config: MaskDecoderConfig, stage_channels: Sequence[int], half_channels: int, full_channels: int
) -> PixelDecoder | None:
    """Return the pyramid over stages and stem; None for masks that are not fine."""
    if not config.fine_channels:
        return None
    finest = [full_channels] if config.fine_stride == 1 else []
    return PixelDecoder(config.fine_channels, [*stage_channels[::-1], half_channels, *finest])
