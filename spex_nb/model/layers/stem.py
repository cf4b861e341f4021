"""The stem, from bands to the first map of the encoder: it knows bands by their order or by their wavelengths."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import InternImageConfig, SpexConfig
from spex_nb.model.layers.norms import NORM_EPS
from spex_nb.model.runtime.channels import INDEX_CHANNELS

WAVE_FEATURES = 64
"""Sines and cosines that encode a wavelength, and as many that encode a width."""
SLOWEST, FASTEST = 0.125, 8.0
"""Cycles of these sines for each doubling of the wavelength: neighbouring bands stay alike."""
LONGEST_UM = 3.0
"""Wavelengths of reflected sunlight end here; longer ones, or nanometres taken for micrometres, are refused."""
SHORTEST_UM = 0.3
WIDEST_UM = 1.0
SCALE_FEATURES = 8
"""Sines and cosines that encode a ground sampling distance."""
SLOWEST_SCALE = 16.0
"""Doublings of the distance in the slowest of their cycles: from decimetres to kilometres."""


class StemOutput(NamedTuple):
    """Maps of an image [N, B, H, W]."""

    full: Tensor | None
    """float [N, F, H, W], for fine masks; None where the stem makes none."""
    half: Tensor
    """float [N, C', H / 2, W / 2], for fine masks."""
    base: Tensor
    """float [N, H / 4, W / 4, C], the input of the encoder; the pixels for a backbone that has a stem."""


class _Stem(nn.Module):
    """The layers after the first convolution, which both stems share."""

    def __init__(self, hidden: int, channels: int, full_channels: int) -> None:
        super().__init__()
        self.half_channels, self.full_channels = hidden, full_channels
        self.full_norm = nn.BatchNorm2d(full_channels) if full_channels else None
        self.norm1 = nn.LayerNorm(hidden, eps=NORM_EPS)
        self.conv2 = nn.Conv2d(hidden, channels, 3, stride=2, padding=1)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPS)

    def _rest(self, full: Tensor | None, x: Tensor) -> StemOutput:
        if full is not None and self.full_norm is not None:
            full = F.relu(self.full_norm(full))
        half = F.gelu(self.norm1(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return StemOutput(full, half, self.norm2(self.conv2(half).permute(0, 2, 3, 1)))


class FixedStem(_Stem):
    """Two strided convolutions over bands in a fixed order, as released (there of red, green and blue).

    Args:
        bands: Common names, in the order of the input's channels.
        channels: Of the output.
        hidden_channels: Between the convolutions; half the output's if not given.
        full_channels: Of a map at full size; 0 for none.
    """

    def __init__(
        self, bands: tuple[str, ...], channels: int, hidden_channels: int | None = None, full_channels: int = 0
    ) -> None:
        hidden = hidden_channels or channels // 2
        super().__init__(hidden, channels, full_channels)
        self.bands = bands
        self.conv1 = nn.Conv2d(len(bands), hidden, 3, stride=2, padding=1)
        self.full = nn.Conv2d(len(bands), full_channels, 3, padding=1) if full_channels else None

    def forward(self, pixel_values: Tensor, wavelengths_um: Tensor | None = None) -> StemOutput:  # noqa: ARG002
        """Map float [N, B, H, W]; wavelengths are known by the order.

        Raises:
            ValueError: If the number of bands is another.
        """
        _require_bands(pixel_values, self.bands)
        full = None if self.full is None else self.full(pixel_values)
        return self._rest(full, self.conv1(pixel_values))


class WaveConv(nn.Module):
    """A convolution whose weights are made from each band's wavelength and width: any bands, in any order.

    After DOFA (Xiong et al., https://arxiv.org/abs/2403.15356), with a small MLP in place of its transformer.

    Args:
        channels: Of the output.
        stride: Of the convolution.
        index_channels: Whether the `INDICES`, and the priors of `PRIOR_TARGETS`, come in beside the bands.
    """

    def __init__(self, channels: int, stride: int, *, index_channels: bool = False) -> None:
        super().__init__()
        self.stride = stride
        self.kernels = nn.Sequential(
            nn.Linear(2 * WAVE_FEATURES, 2 * WAVE_FEATURES), nn.GELU(), nn.Linear(2 * WAVE_FEATURES, 9 * channels)
        )
        self.bias = nn.Parameter(torch.zeros(channels))
        self.indices = (
            nn.Conv2d(2 * INDEX_CHANNELS, channels, 3, stride=stride, padding=1, bias=False) if index_channels else None
        )

    def forward(self, pixel_values: Tensor, waves_um: Tensor, index_values: Tensor | None) -> Tensor:
        """Map float [N, B, H, W] with waves [1 or N, B, 2] and indices [N, I, H, W] to [N, C, H', W']."""
        is_there = waves_um.isfinite().all(-1)
        kernels = self.kernels(wave_features(waves_um.nan_to_num(1.0)).to(self.bias.dtype))
        kernels = kernels.unflatten(-1, (-1, 3, 3)) * is_there[..., None, None, None]  # [N or 1, B, C, 3, 3]
        # A mean over the bands, so that their number does not change the scale.
        kernels = kernels.movedim(1, 2) / is_there.sum(-1).clamp(min=1).view(-1, 1, 1, 1, 1)
        x = self._convolve(pixel_values, kernels) + self.bias.view(1, -1, 1, 1)
        if self.indices is None or index_values is None:
            return x
        is_defined = index_values.isfinite()
        channels = torch.cat([torch.where(is_defined, index_values, 0), is_defined.to(x.dtype)], 1)
        return x + self.indices(channels.to(x.dtype))

    def _convolve(self, pixels: Tensor, kernels: Tensor) -> Tensor:
        """Convolve each sample with its own kernels [N or 1, C, B, 3, 3]."""
        if len(kernels) == 1:
            return F.conv2d(pixels, kernels[0], stride=self.stride, padding=1)
        n = len(pixels)
        joined, kernels_of_all = pixels.flatten(0, 1)[None], kernels.flatten(0, 1)
        return F.conv2d(joined, kernels_of_all, stride=self.stride, padding=1, groups=n)[0].unflatten(0, (n, -1))


class WavelengthStem(_Stem):
    """A first convolution that knows bands by their wavelengths, and the scale by the ground sampling distance.

    Args:
        channels: Of the output.
        hidden_channels: Between the convolutions; half the output's if not given.
        full_channels: Of a map at full size; 0 for none.
        index_channels: Whether the `INDICES`, and the priors of `PRIOR_TARGETS`, come in beside the bands.
        gsd: Whether the ground sampling distance is read.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int | None = None,
        full_channels: int = 0,
        *,
        index_channels: bool = False,
        gsd: bool = False,
    ) -> None:
        hidden = hidden_channels or channels // 2
        super().__init__(hidden, channels, full_channels)
        self.first = WaveConv(hidden, 2, index_channels=index_channels)
        self.full = WaveConv(full_channels, 1, index_channels=index_channels) if full_channels else None
        self.scale = nn.Linear(SCALE_FEATURES, hidden, bias=False) if gsd else None

    def forward(
        self,
        pixel_values: Tensor,
        wavelengths_um: Tensor | None = None,
        index_values: Tensor | None = None,
        gsd_m: Tensor | None = None,
    ) -> StemOutput:
        """Map any bands.

        Args:
            pixel_values: float [N, B, H, W].
            wavelengths_um: float [B, 2] or [N, B, 2], centre and width in micrometres; NaN where a sample has no band.
            index_values: float [N, I, H, W], the `INDICES` and priors, NaN where undefined or not available.
            gsd_m: float [N], ground sampling distance in metres, NaN where unknown.

        Raises:
            ValueError: If wavelengths are missing, of another number than the bands, or not in micrometres.
        """
        waves = self._require_waves(pixel_values, wavelengths_um)
        x = self.first(pixel_values, waves, index_values)
        if self.scale is not None and gsd_m is not None:
            x = x + self.scale(scale_features(gsd_m).to(x.dtype))[..., None, None]
        full = None if self.full is None else self.full(pixel_values, waves, index_values)
        return self._rest(full, x)

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
        finite = centres[centres.isfinite()]
        if not len(finite) or finite.min() < SHORTEST_UM or finite.max() > LONGEST_UM:
            found_range = f"{finite.min():g} to {finite.max():g}" if len(finite) else "none"
            raise ValueError(
                f"Wavelengths are expected in micrometres, {SHORTEST_UM} to {LONGEST_UM}; found {found_range}. Divide "
                "nanometres by 1000; leave out thermal bands."
            )
        widest = waves[..., 1][centres.isfinite()].max()
        if not widest <= WIDEST_UM:
            raise ValueError(
                f"Widths are expected in micrometres, up to {WIDEST_UM}; found {widest:g}. Divide by 1000."
            )
        return waves


class PixelStem(nn.Module):
    """Passes the pixels of some bands to a backbone that has a stem.

    Args:
        bands: Common names, in the order of the input's channels.
    """

    def __init__(self, bands: tuple[str, ...]) -> None:
        super().__init__()
        self.bands = bands
        self.full_channels = self.half_channels = len(bands)

    def forward(self, pixel_values: Tensor, wavelengths_um: Tensor | None = None) -> StemOutput:  # noqa: ARG002
        """Pass float [N, B, H, W] on.

        Raises:
            ValueError: If the number of bands is another.
        """
        _require_bands(pixel_values, self.bands)
        return StemOutput(pixel_values, F.avg_pool2d(pixel_values, 2), pixel_values)


def make_stem(config: SpexConfig) -> FixedStem | WavelengthStem | PixelStem:
    """Return the stem of a configuration: with a map at full size where fine masks are to be that fine."""
    stem, vision, decoder = config.stem_config, config.vision_config, config.mask_decoder_config
    is_foreign, is_fixed = not isinstance(vision, InternImageConfig), stem.kind == "fixed"
    if is_foreign and is_fixed:
        return PixelStem(stem.bands)
    channels = vision.embedding_size if is_foreign else vision.channels
    full = decoder.fine_channels if decoder.fine_stride == 1 else 0
    if is_fixed:
        return FixedStem(stem.bands, channels, stem.hidden_channels, full)
    return WavelengthStem(channels, stem.hidden_channels, full, index_channels=stem.index_channels, gsd=stem.gsd)


def _require_bands(pixel_values: Tensor, bands: tuple[str, ...]) -> None:
    if pixel_values.shape[1] != len(bands):
        raise ValueError(
            f"This stem takes {len(bands)} bands ({', '.join(bands)}), found {pixel_values.shape[1]}. Give these bands "
            "in this order, or use a model with stem kind 'wavelength', which takes any."
        )


def wave_features(waves_um: Tensor) -> Tensor:
    """Encode centres and widths float [..., 2], in micrometres, by sines and cosines of their logarithm.

    Returns:
        float [..., 2 * WAVE_FEATURES].
    """
    steps = torch.linspace(0, 1, WAVE_FEATURES // 2, device=waves_um.device)
    cycles = SLOWEST * (FASTEST / SLOWEST) ** steps
    logs = waves_um.float().clamp(min=1e-4).log2().unsqueeze(-1) * cycles * 2 * math.pi
    return torch.cat([logs.sin(), logs.cos()], -1).flatten(-2)


def scale_features(gsd_m: Tensor) -> Tensor:
    """Encode ground sampling distances float [N], in metres, by sines and cosines of their logarithm.

    Returns:
        float [N, SCALE_FEATURES]; 0 where the distance is unknown.
    """
    is_known = gsd_m.isfinite() & (gsd_m > 0)
    logs = torch.where(is_known, gsd_m, 1.0).float().log2().unsqueeze(-1)
    turns = logs * 2 * math.pi / SLOWEST_SCALE * 2 ** torch.arange(SCALE_FEATURES // 2, device=gsd_m.device)
    return torch.cat([turns.sin(), turns.cos()], -1) * is_known.unsqueeze(-1)
