"""A plain U-Net on bands and indices as a baseline: what a network without words reaches on the same tiles.

After Ronneberger et al. (2015), https://doi.org/10.1007/978-3-319-24574-4_28.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.errors import DatasetError
from spex_nb.evaluation.pixel_features import (
    CLASSIC,
    UNKNOWN,
    PixelSample,
    TrainTiles,
    layers_of,
    positive_weight,
    possible,
    require_askable,
    sample_pixels,
)
from spex_nb.extraction.mask_models import EvidenceExplainer
from spex_nb.types import ModelCard

WIDTHS = (16, 32, 64, 96, 128)
"""Channels at each scale: 923,124 parameters with 11 channels and 4 targets."""
BATCH, CROP_PX = 8, 128
RATE, DECAY, WARM_UP, LAST_RATE, CLIP = 1.5e-3, 0.05, 40, 0.01, 1.0
GAIN, OFFSET = 0.1, 0.01
"""How far bands are jittered in training: standard deviations of a factor, and of reflectance."""


class UNet(nn.Module):
    """Two convolutions at each scale, down by pooling, up by interpolation, with skips.

    Args:
        channels: Of the input.
        outputs: Of the output: one a target.
        widths: Channels at each scale, from the full one down.
    """

    def __init__(self, channels: int, outputs: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        before = [channels, *widths[:-1]]
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(before, widths, strict=True))
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList(_block(a + b, a) for a, b in pairs)
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return mask logits [N, T, H, W] of pixels [N, C, H, W] of any size."""
        height, width = pixels.shape[-2:]
        step = 2 ** (len(self.down) - 1)
        x = F.pad(pixels, (0, -width % step, 0, -height % step), mode="replicate")
        skips: list[Tensor] = []
        for block in self.down:
            x = block(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
        logits: Tensor = self.head(x)[..., :height, :width]
        return logits


@dataclass
class UNetModel(EvidenceExplainer):
    """A trained U-Net; it reads no prompt, prior or click.

    Attributes:
        network: In evaluation mode.
        bands: Its bands, in their order.
        indices: What it sees beside them.
        targets: Of its outputs.
        mean, std: Of each band and index, float32 [C, 1, 1].
    """

    network: UNet
    bands: tuple[str, ...]
    indices: tuple[str, ...]
    targets: tuple[str, ...]
    mean: Any
    std: Any
    id: str = "unet"
    note: str = ""

    @cached_property
    def card(self) -> ModelCard:
        """The targets, bands and size of the network."""
        return ModelCard(
            targets=self.targets,
            required_bands=self.bands,
            explains_evidence=True,
            reads_prompts=False,
            parameters=_size(self.network),
        )

    @torch.inference_mode()
    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], *_: Any, **__: Any) -> Any:
        """Return mask logits float32 [T, H, W]; -inf where the tile has no data.

        Raises:
            ValueError: If targets and prompts do not pair.
            TargetError: If it was not fitted for a target.
            MissingBandError: If the tile lacks a band.
        """
        require_askable(self, tile, targets, prompts)
        self.network.eval()
        logits = self.network(torch.from_numpy(self.channels(tile))[None])[0].numpy()
        chosen = logits[[self.targets.index(target) for target in targets]]
        return np.where(tile.spex.valid.values, chosen, np.float32(-np.inf))

    def channels(self, scene: xr.Dataset) -> Any:
        """Return the standardised input of a scene: float32 [C, H, W], 0 where there are no data."""
        layers = np.stack([*layers_of(scene, self.bands, self.indices).values()])
        return np.nan_to_num((layers - self.mean) / self.std).astype(np.float32)


def fit_unet(
    tiles: TrainTiles,
    targets: Sequence[str],
    *,
    steps: int,
    widths: Sequence[int] = WIDTHS,
    seed: int = 0,
    max_parameters: int | None = None,
    progress: bool = True,
) -> UNetModel:
    """Train a U-Net on the train tiles, with flips, quarter turns and gains and offsets of bands at random.

    Args:
        tiles: To train on.
        targets: Ids; those that the tiles hold nowhere, or everywhere, are left out.
        steps: Of `BATCH` crops of at most `CROP_PX` a side.
        widths: Channels at each scale.
        seed: Of weights, order, crops and augmentation; the same seed gives the same network.
        max_parameters: The widths are narrowed by eighths until it has no more.
        progress: Whether to show a progress bar.

    Raises:
        DatasetError: If there is no target to learn.
    """
    indices = possible(CLASSIC, tiles.bands)
    sample = sample_pixels(tiles, targets, indices, seed=seed)
    divided = tuple(target for target in targets if 0 < sample.share(target) < 1)
    if not divided:
        raise DatasetError(
            "There is nothing to learn",
            found=f"no train tile with and without {' or '.join(targets)}",
            expected="pixels that are a target, and others that are not",
            fix="Build a larger dataset.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(len(sample.layers), len(divided), widths, max_parameters)
        model = UNetModel(network, tiles.bands, indices, divided, *_figures(sample))
        weights = torch.tensor([positive_weight(sample.share(target)) for target in divided])
        _train(model, tiles, weights, steps, np.random.default_rng(seed), progress)
    model.note = f"U-Net: {model.card.parameters:,} parameters, {steps} steps of {BATCH} crops."
    return model


def _network(channels: int, outputs: int, widths: Sequence[int], max_parameters: int | None) -> UNet:
    network = UNet(channels, outputs, widths)
    while max_parameters is not None and _size(network) > max_parameters and max(widths) > 1:
        widths = [max(1, width * 7 // 8) for width in widths]
        network = UNet(channels, outputs, widths)
    return network


def _train(
    model: UNetModel, tiles: TrainTiles, weights: Tensor, steps: int, generator: np.random.Generator, progress: bool
) -> None:
    from tqdm.auto import tqdm

    network = model.network.train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    names = list(tiles.records)
    order: list[str] = []
    for _ in tqdm(range(steps), unit="step", desc="U-Net", disable=not progress):
        crops = []
        for _ in range(BATCH):
            order = order or [names[i] for i in generator.permutation(len(names))]
            crops.append(_crop(model, *tiles.tile(order.pop()), generator))
        loss = _loss(network(_batch([x for x, _ in crops], 0)), _batch([y for _, y in crops], UNKNOWN), weights)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()


def _crop(
    model: UNetModel, scene: xr.Dataset, labels: dict[str, Any], generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return channels [C, h, w] and truth [T, h, w] of a square of a tile, turned and jittered at random."""
    height, width = scene.spex.shape
    row, col = (int(generator.integers(0, max(1, side - CROP_PX + 1))) for side in (height, width))
    part = _jittered(scene.isel(y=slice(row, row + CROP_PX), x=slice(col, col + CROP_PX)), generator)
    unknown = np.full((height, width), UNKNOWN, np.int8)
    truth = np.stack([labels.get(target, unknown) for target in model.targets])
    truth = truth[:, row : row + CROP_PX, col : col + CROP_PX]
    turns, is_flipped = int(generator.integers(4)), bool(generator.integers(2))
    turned = (np.rot90(each, turns, axes=(1, 2)) for each in (model.channels(part), truth))
    pixels, is_known = (np.ascontiguousarray(each[:, ::-1] if is_flipped else each) for each in turned)
    return torch.from_numpy(pixels), torch.from_numpy(is_known)


def _jittered(scene: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    """Return a scene whose bands have other gains and offsets; the indices made of them change with them."""
    changed = scene.copy()
    for band in scene.spex.bands:
        gain, offset = 1 + GAIN * generator.standard_normal(), OFFSET * generator.standard_normal()
        changed[band] = scene[band] * np.float32(gain) + np.float32(offset)
    return changed


def _batch(crops: Sequence[Tensor], fill: float) -> Tensor:
    """Return crops [C, h, w] as one batch [N, C, H, W], filled up to the largest of them."""
    height, width = (max(crop.shape[axis] for crop in crops) for axis in (1, 2))
    sides = [(0, width - crop.shape[2], 0, height - crop.shape[1]) for crop in crops]
    return torch.stack([F.pad(crop, side, value=fill) for crop, side in zip(crops, sides, strict=True)])


def _loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return weighted cross entropy plus Dice (Milletari et al. 2016, https://doi.org/10.1109/3DV.2016.79)."""
    is_known = (truth != UNKNOWN).float()
    wanted = (truth == 1).float()
    entropy = F.binary_cross_entropy_with_logits(
        logits, wanted, pos_weight=weights[:, None, None], weight=is_known, reduction="sum"
    )
    painted = torch.sigmoid(logits) * is_known
    overlap = (painted * wanted).sum((0, 2, 3))
    dice = (2 * overlap + 1) / (painted.sum((0, 2, 3)) + wanted.sum((0, 2, 3)) + 1)
    return entropy / is_known.sum().clamp(min=1) + (1 - dice).mean()


def _rate(step: int, steps: int) -> float:
    """Return the share of the learning rate: up in a line, then down along a cosine."""
    warm_up = min(WARM_UP, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return LAST_RATE + (1 - LAST_RATE) * (1 + float(np.cos(np.pi * done))) / 2


def _figures(sample: PixelSample) -> tuple[Any, Any]:
    """Return mean and standard deviation of each layer, float32 [C, 1, 1]."""
    layers = np.stack([*sample.layers.values()]).astype(np.float64)
    mean, std = np.nanmean(layers, 1), np.nanstd(layers, 1)
    return mean[:, None, None].astype(np.float32), np.maximum(std, 1e-6)[:, None, None].astype(np.float32)


def _block(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (channels, width):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
