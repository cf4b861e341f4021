"""One fine feature map of the image, which every mask reads by a few weights; and a readout of bands from this map.

A feature pyramid (Lin et al., https://arxiv.org/abs/1612.03144) ends at the pixels themselves. It is computed once an
image, however many masks are decoded, and reads no prompts. It is most of the cost of a small decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import MaskDecoderConfig
from spex_nb.model.layers.norms import ChannelNorm
from spex_nb.model.layers.stem import WAVE_FEATURES, wave_features

WIDTHS = (6, 6, 4, 3, 2, 1)
"""Channels at 1/32, 1/16, 1/8, 1/4, 1/2 and full size, in units of those at full size."""

BY_CELL = 4
"""Sizes whose maps are normed cell by cell. At 1/2 and full size that would hide how bright a pixel is. There maps are
normed by the statistics of batches."""


class PixelDecoder(nn.Module):
    """The pyramid.

    Args:
        channels: Channels of the map at full size.
        sources: Channels of the four stages from the coarsest on, and of the stem's map at 1/2. Where the fine map is
            to be at full size, those of the stem's map at full size follow.
    """

    def __init__(self, channels: int, sources: Sequence[int]) -> None:
        super().__init__()
        widths = [channels * times for times in WIDTHS[: len(sources)]]
        self.channels = widths[-1]
        self.laterals = nn.ModuleList(
            nn.Conv2d(source, width, 1) for source, width in zip(sources, widths, strict=True)
        )
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
    """Return the pyramid over stages and stem; None for a decoder without a fine map."""
    if not config.fine_channels:
        return None
    finest = [full_channels] if config.fine_stride == 1 else []
    return PixelDecoder(config.fine_channels, [*stage_channels[::-1], half_channels, *finest])


class BandReadout(nn.Module):
    """Predicts any band from a map, by weights that are made from its wavelength and width.

    It serves masked reconstruction (He et al., https://arxiv.org/abs/2111.06377): the map must hold what hidden cells
    of an image look like in each band. Scenes of any bands teach the same encoder.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.Linear(2 * WAVE_FEATURES, WAVE_FEATURES), nn.GELU(), nn.Linear(WAVE_FEATURES, channels + 1)
        )

    def forward(self, fine: Tensor, wavelengths_um: Tensor) -> Tensor:
        """Predict bands.

        Args:
            fine: float [N, F, H, W], the fine map.
            wavelengths_um: float [B, 2] or [N, B, 2], centre and width in micrometres; NaN where a band is missing.

        Returns:
            float [N, B, H, W], normalised reflectance.
        """
        waves = wavelengths_um.expand(len(fine), -1, -1)
        weights = self.weights(wave_features(waves.nan_to_num(1.0)).to(fine.dtype))
        return torch.einsum("nbc,nchw->nbhw", weights[..., 1:], fine) + weights[..., :1, None]


def spread_cells(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Spread cells bool [N, h, w] over their pixels: bool [N, 1, H, W]."""
    return F.interpolate(cells[:, None].float(), size, mode="nearest").bool()


def reconstruction_loss(predicted: Tensor, pixel_values: Tensor, hidden: Tensor) -> Tensor:
    """Measure how far predicted bands are from the pixels that were hidden from the encoder.

    Args:
        predicted: float [N, B, H, W], at the size of the fine map.
        pixel_values: float [N, B, H, W] or twice that size, normalised; NaN where there is no data.
        hidden: bool [N, 1, H, W], at the size of the pixels.

    Returns:
        Smooth L1 loss, a mean over hidden pixels with data; 0 where there are none.
    """
    size = predicted.shape[-2:]
    truth = pixel_values if pixel_values.shape[-2:] == size else F.avg_pool2d(pixel_values, 2)
    counted = truth.isfinite() & F.interpolate(hidden.float(), size, mode="nearest").bool()
    errors = F.smooth_l1_loss(predicted.float(), truth.nan_to_num(0.0).float(), reduction="none")
    return (errors * counted).sum() / counted.sum().clamp(min=1)
