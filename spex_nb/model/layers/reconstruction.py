"""Masked reconstruction: what hidden cells of an image look like in each band, read off the fine map.

After masked autoencoders (He et al., https://arxiv.org/abs/2111.06377), with a readout that knows bands by their
wavelengths, so that scenes of any bands teach the same encoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.layers.stem import WAVE_FEATURES, wave_features


class BandReadout(nn.Module):
    """Reads any band off a map, by weights that are made from its wavelength and width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.Linear(2 * WAVE_FEATURES, WAVE_FEATURES), nn.GELU(), nn.Linear(WAVE_FEATURES, channels + 1)
        )

    def forward(self, fine: Tensor, wavelengths_um: Tensor) -> Tensor:
        """Read float [N, F, H, W] at waves [B, 2] or [N, B, 2] as bands [N, B, H, W]."""
        waves = wavelengths_um.expand(len(fine), -1, -1)
        weights = self.weights(wave_features(waves.nan_to_num(1.0)).to(fine.dtype))
        return torch.einsum("nbc,nchw->nbhw", weights[..., 1:], fine) + weights[..., :1, None]


def spread_cells(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Spread cells bool [N, h, w] over their pixels: bool [N, 1, H, W]."""
    return F.interpolate(cells[:, None].float(), size, mode="nearest").bool()


def reconstruction_loss(predicted: Tensor, pixel_values: Tensor, hidden: Tensor) -> Tensor:
    """Measure how far bands [N, B, H, W] are from the normalised pixels that were hidden [N, 1, H, W] and are known."""
    size = predicted.shape[-2:]
    aims = pixel_values if pixel_values.shape[-2:] == size else F.avg_pool2d(pixel_values, 2)
    counted = aims.isfinite() & F.interpolate(hidden.float(), size, mode="nearest").bool()
    errors = F.smooth_l1_loss(predicted.float(), aims.nan_to_num(0.0).float(), reduction="none")
    return (errors * counted).sum() / counted.sum().clamp(min=1)
