"""From bands to the encoder's first map: by their order, or by their wavelengths."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.norms import NORM_EPS

WAVE_FEATURES = 64
"""Sines and cosines that a wavelength and a width are told by, each."""
SLOWEST, FASTEST = 0.125, 8.0
"""Cycles of these sines for each doubling of the wavelength: neighbouring bands stay alike."""
LONGEST_UM = 3.0
"""Wavelengths of reflected sunlight end here; longer ones, or nanometres taken for micrometres, are refused."""
SHORTEST_UM = 0.3
WIDEST_UM = 1.0
INDICES = ("NDVI", "NDWI", "MNDWI", "NDBI")
"""Optional further channels, where the bands allow them."""


class StemOutput(NamedTuple):
    """Two maps of an image [N, B, H, W]."""

    half: Tensor
    """float [N, C', H / 2, W / 2], for fine masks."""
    base: Tensor
    """What the encoder reads: float [N, H / 4, W / 4, C]; the pixels themselves for a backbone with its own stem."""


class _Stem(nn.Module):
    """What both stems share: the layers after the first convolution."""

    def __init__(self, hidden: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden, eps=NORM_EPS)
        self.conv2 = nn.Conv2d(hidden, channels, 3, stride=2, padding=1)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPS)

    def _rest(self, x: Tensor) -> StemOutput:
        half = F.gelu(self.norm1(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return StemOutput(half, self.norm2(self.conv2(half).permute(0, 2, 3, 1)))


class FixedStem(_Stem):
    """Two strided convolutions over bands in a fixed order, as released (there of red, green and blue).

    Args:
        bands: Common names, in the order of the input's channels.
        channels: Of the output.
        hidden_channels: Between the convolutions; half the output's if not given.
    """

    def __init__(self, bands: tuple[str, ...], channels: int, hidden_channels: int | None = None) -> None:
        hidden = hidden_channels or channels // 2
        super().__init__(hidden, channels)
        self.bands = bands
        self.conv1 = nn.Conv2d(len(bands), hidden, 3, stride=2, padding=1)

    def forward(self, pixel_values: Tensor, wavelengths_um: Tensor | None = None) -> StemOutput:  # noqa: ARG002
        """Map float [N, B, H, W]; wavelengths are known by the order.

        Raises:
            ValueError: If the number of bands is another.
        """
        _require_bands(pixel_values, self.bands)
        return self._rest(self.conv1(pixel_values))


class WavelengthStem(_Stem):
    """A first convolution whose weights are made from each band's wavelength and width: any bands, in any order.

    After DOFA (Xiong et al., https://arxiv.org/abs/2403.15356), with a small MLP in place of its transformer.

    Args:
        channels: Of the output.
        hidden_channels: Between the convolutions; half the output's if not given.
        index_channels: Whether NDVI, NDWI, MNDWI and NDBI come in beside the bands.
    """

    def __init__(self, channels: int, hidden_channels: int | None = None, *, index_channels: bool = False) -> None:
        hidden = hidden_channels or channels // 2
        super().__init__(hidden, channels)
        self.kernels = nn.Sequential(
            nn.Linear(2 * WAVE_FEATURES, 2 * WAVE_FEATURES), nn.GELU(), nn.Linear(2 * WAVE_FEATURES, 9 * hidden)
        )
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.indices = (
            nn.Conv2d(2 * len(INDICES), hidden, 3, stride=2, padding=1, bias=False) if index_channels else None
        )

    def forward(
        self, pixel_values: Tensor, wavelengths_um: Tensor | None = None, index_values: Tensor | None = None
    ) -> StemOutput:
        """Map any bands.

        Args:
            pixel_values: float [N, B, H, W].
            wavelengths_um: float [B, 2] or [N, B, 2], centre and width in micrometres; NaN where a sample has no band.
            index_values: float [N, 4, H, W], the `INDICES`, NaN where undefined or not available.

        Raises:
            ValueError: If wavelengths are missing, of another number than the bands, or not in micrometres.
        """
        waves = self._require_waves(pixel_values, wavelengths_um)
        is_there = waves.isfinite().all(-1)
        kernels = self.kernels(wave_features(waves.nan_to_num(1.0)).to(self.bias.dtype))
        kernels = kernels.unflatten(-1, (-1, 3, 3)) * is_there[..., None, None, None]  # [N or 1, B, C', 3, 3]
        # A mean over the bands, so that their number does not change the scale.
        kernels = kernels.movedim(1, 2) / is_there.sum(-1).clamp(min=1).view(-1, 1, 1, 1, 1)
        x = _convolve(pixel_values, kernels) + self.bias.view(1, -1, 1, 1)
        if self.indices is not None and index_values is not None:
            known = index_values.isfinite()
            x = x + self.indices(torch.cat([torch.where(known, index_values, 0), known.to(x.dtype)], 1).to(x.dtype))
        return self._rest(x)

    def _require_waves(self, pixel_values: Tensor, wavelengths_um: Tensor | None) -> Tensor:
        if wavelengths_um is None:
            raise ValueError(
                "Wavelengths are missing: this model knows bands by their wavelengths. Pass wavelengths_um, centre and "
                "width of each band in micrometres; SpexProcessor does it from the bands' names."
            )
        waves = wavelengths_um if wavelengths_um.ndim == 3 else wavelengths_um[None]  # noqa: PLR2004 ([N, B, 2])
        if waves.shape[1:] != (pixel_values.shape[1], 2) or waves.shape[0] not in (1, len(pixel_values)):
            raise ValueError(
                f"Wavelengths {tuple(wavelengths_um.shape)} do not belong to pixels {tuple(pixel_values.shape)}; "
                f"expected [{pixel_values.shape[1]}, 2] or [{len(pixel_values)}, {pixel_values.shape[1]}, 2], centre "
                "and width of each band."
            )
        centres = waves[..., 0]
        known = centres[centres.isfinite()]
        if not len(known) or known.min() < SHORTEST_UM or known.max() > LONGEST_UM:
            found = f"{known.min():g} to {known.max():g}" if len(known) else "none"
            raise ValueError(
                f"Wavelengths are expected in micrometres, {SHORTEST_UM} to {LONGEST_UM}; found {found}. Divide "
                "nanometres by 1000; leave out thermal bands."
            )
        widest = waves[..., 1][centres.isfinite()].max()
        if not widest <= WIDEST_UM:
            raise ValueError(
                f"Widths are expected in micrometres, up to {WIDEST_UM}; found {widest:g}. Divide by 1000."
            )
        return waves


class PixelStem(nn.Module):
    """Hands the pixels of some bands to a backbone that has a stem of its own.

    Args:
        bands: Common names, in the order of the input's channels.
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        super().__init__()
        self.bands = bands

    def forward(self, pixel_values: Tensor, wavelengths_um: Tensor | None = None) -> StemOutput:  # noqa: ARG002
        """Pass float [N, B, H, W] on.

        Raises:
            ValueError: If the number of bands is another.
        """
        _require_bands(pixel_values, self.bands)
        return StemOutput(F.avg_pool2d(pixel_values, 2), pixel_values)


def _require_bands(pixel_values: Tensor, bands: tuple[str, ...]) -> None:
    if pixel_values.shape[1] != len(bands):
        raise ValueError(
            f"This stem takes {len(bands)} bands ({', '.join(bands)}), found {pixel_values.shape[1]}. Give these bands "
            "in this order, or use a model with stem kind 'wavelength', which takes any."
        )


def wave_features(waves_um: Tensor) -> Tensor:
    """Tell centres and widths float [..., 2] by sines and cosines of their logarithm: [..., 2 * WAVE_FEATURES]."""
    steps = torch.linspace(0, 1, WAVE_FEATURES // 2, device=waves_um.device)
    cycles = SLOWEST * (FASTEST / SLOWEST) ** steps
    logs = waves_um.float().clamp(min=1e-4).log2().unsqueeze(-1) * cycles * 2 * math.pi
    return torch.cat([logs.sin(), logs.cos()], -1).flatten(-2)


def _convolve(pixels: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each sample with its own kernels [N or 1, C', B, 3, 3]."""
    if len(kernels) == 1:
        return F.conv2d(pixels, kernels[0], stride=2, padding=1)
    n = len(pixels)
    merged = F.conv2d(pixels.flatten(0, 1)[None], kernels.flatten(0, 1), stride=2, padding=1, groups=n)
    return merged[0].unflatten(0, (n, -1))
