"""InternImage: four stages of deformable convolution blocks, at 1/4 to 1/32 of the input's size; or another backbone.

It knows nothing of bands: what comes in is the stem's map. Source: https://arxiv.org/abs/2211.05778; settings of the
family as in its public configurations.
"""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoBackbone, PretrainedConfig

from spex_nb.model.configuration import InternImageConfig
from spex_nb.model.layers.dcnv3 import DCNv3
from spex_nb.model.layers.norms import NORM_EPS

STAGES = 4
THIRD = 2


class Block(nn.Module):
    """Deformable convolution, then MLP, each normalised before or after and added to what came in."""

    def __init__(self, config: InternImageConfig, stage: int, drop_path: float) -> None:
        super().__init__()
        channels = config.channels * 2**stage
        self.post_norm = config.post_norm
        self.dcn = DCNv3(
            channels,
            config.groups[stage],
            config.kernel_size,
            1,
            config.offset_scale,
            config.depthwise_size,
            center_scale=config.center_scale,
        )
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPS)
        hidden = int(channels * config.mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))
        self.after1, self.after2 = (
            nn.LayerNorm(channels, eps=NORM_EPS) if config.branch_norm else nn.Identity() for _ in range(2)
        )
        self.drop_path = DropPath(drop_path)
        if config.layer_scale is not None:
            self.scale1 = nn.Parameter(torch.full((channels,), config.layer_scale))
            self.scale2 = nn.Parameter(torch.full((channels,), config.layer_scale))
        else:
            self.scale1 = self.scale2 = None  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Map float [N, H, W, C] to the same shape."""
        x = x + self.drop_path(self.after1(self._branch(x, self.dcn, self.norm1, self.scale1)))
        return x + self.drop_path(self.after2(self._branch(x, self.mlp, self.norm2, self.scale2)))

    def _branch(self, x: Tensor, layer: nn.Module, norm: nn.Module, scale: Tensor | None) -> Tensor:
        branch: Tensor = norm(layer(x)) if self.post_norm else layer(norm(x))
        return branch if scale is None else scale * branch


class DropPath(nn.Module):
    """Leave out a branch for some samples of a batch while training (stochastic depth, arXiv 1603.09382)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Map float [N, ...] to the same shape."""
        if not self.training or not self.probability:
            return x
        keep_probability = 1 - self.probability
        return x * x.new_empty((len(x), *[1] * (x.ndim - 1))).bernoulli_(keep_probability).div_(keep_probability)


class Downsample(nn.Module):
    """Half the size, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        self.norm = nn.LayerNorm(2 * channels, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [N, H, W, C] to [N, H / 2, W / 2, 2 C]."""
        out: Tensor = self.norm(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return out


class Stage(nn.Module):
    """Blocks of one size."""

    def __init__(self, config: InternImageConfig, stage: int, drop_paths: list[float]) -> None:
        super().__init__()
        channels = config.channels * 2**stage
        self.blocks = nn.ModuleList(Block(config, stage, drop_path) for drop_path in drop_paths)
        is_normed = config.post_norm and not config.center_scale
        self.norm = nn.Identity() if is_normed else nn.LayerNorm(channels, eps=NORM_EPS)
        self.normed_blocks = config.extra_norms if stage == THIRD else ()
        self.extra_norms = nn.ModuleList(nn.LayerNorm(channels, eps=NORM_EPS) for _ in self.normed_blocks)
        self.gradient_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """Map float [N, H, W, C] to the same shape."""
        is_saving = self.gradient_checkpointing and self.training
        for i, block in enumerate(self.blocks):
            x = checkpoint(block, x, use_reentrant=False) if is_saving else block(x)
            if i in self.normed_blocks:
                x = self.extra_norms[self.normed_blocks.index(i)](x)
        normed: Tensor = self.norm(x)
        return normed


class InternImage(nn.Module):
    """The four stages."""

    def __init__(self, config: InternImageConfig) -> None:
        super().__init__()
        self.stage_channels = config.stage_channels
        blocks = sum(config.depths)
        rates = iter(config.drop_path_rate * block / max(1, blocks - 1) for block in range(blocks))
        self.stages = nn.ModuleList(
            Stage(config, i, list(islice(rates, depth))) for i, depth in enumerate(config.depths)
        )
        last = len(config.depths) - 1
        self.downsamples = nn.ModuleList(Downsample(config.channels * 2**stage) for stage in range(last))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of all stages.

        Args:
            x: float [N, H / 4, W / 4, C], from the stem.

        Returns:
            float [N, C * 2^i, H / 2^(i + 2), W / 2^(i + 2)] for i = 0..3.
        """
        features = []
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else self.downsamples[i - 1](x))
            features.append(x.permute(0, 3, 1, 2))
        return tuple(features)


def make_encoder(config: PretrainedConfig, *, reads_pixels: bool = False) -> InternImage | BackboneEncoder:
    """Return the encoder of a configuration.

    Args:
        config: Of InternImage, or of a backbone of transformers.
        reads_pixels: Whether a backbone reads pixels by first layers of its own, not the map of a stem.
    """
    if isinstance(config, InternImageConfig):
        return InternImage(config)
    return BackboneEncoder(config, reads_pixels=reads_pixels)


class BackboneEncoder(nn.Module):
    """Any backbone of transformers with four stages, in InternImage's place.

    Args:
        config: Of the backbone.
        reads_pixels: Whether it keeps its first layers. Without them it reads the map of a stem; a ResNet can.
    """

    def __init__(self, config: PretrainedConfig, *, reads_pixels: bool = True) -> None:
        super().__init__()
        self.reads_pixels = reads_pixels
        self.backbone = AutoBackbone.from_config(config)
        if not reads_pixels:
            self.backbone.embedder = nn.Identity()
        self.stage_channels = tuple(self.backbone.channels)
        if len(self.stage_channels) != STAGES:
            raise ValueError(
                f"The backbone {config.model_type} gives {len(self.stage_channels)} stages; expected {STAGES}, at 1/4 "
                "to 1/32 of the size. Set out_features in its configuration."
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of all stages, of pixels float [N, B, H, W] or a stem's map [N, H / 4, W / 4, C]."""
        return tuple(self.backbone(x if self.reads_pixels else x.permute(0, 3, 1, 2)).feature_maps)
