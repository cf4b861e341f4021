"""SAM's prompt encoder: points, boxes and a prior as tokens and maps that the mask decoder reads.

Source: Kirillov et al., Segment Anything, https://arxiv.org/abs/2304.02643.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import MaskDecoderConfig
from spex_nb.model.layers.norms import ChannelNorm
from spex_nb.model.runtime.channels import CELL

POINT_KINDS = 4
"""Negative point, positive point, upper left corner, lower right corner of a box."""
NOT_A_POINT = -1


class MaskPrompts(NamedTuple):
    """Prompts of the mask decoder beside the condensed tokens: a prior, points and boxes, of each of N prompts."""

    prior: Tensor | None = None
    """float [N, H, W], 0..1; NaN all over where a prompt has none."""
    points_frac: Tensor | None = None
    """float [N, P, 2], (x, y) as shares of width and height, from the outer edges of the image."""
    point_kinds: Tensor | None = None
    """int [N, P], see `PromptEncoder.points`."""

    def of(self, rows: Tensor, size: tuple[int, int]) -> MaskPrompts:
        """Return those of some prompts int [n], whose images fill (height, width) in the upper left corner."""
        prior, *points = self.among(rows)
        return MaskPrompts(None if prior is None else prior[:, : size[0], : size[1]], *points)

    def among(self, selected: Tensor) -> MaskPrompts:
        """Return those of the selected prompts, bool [N] or their numbers int [n]."""
        return MaskPrompts(*(None if values is None else values[selected] for values in self))

    def repeated(self, copies: int) -> MaskPrompts:
        """Return those of a batch in which every prompt stands ``copies`` times in a row."""
        return MaskPrompts(*(None if values is None else values.repeat_interleave(copies, 0) for values in self))

    def require_fit(self, shape: tuple[int, ...]) -> None:
        """Raise unless they belong to masks of a shape (N, H, W).

        Raises:
            ValueError: If a prior has another shape, or points and their kinds do not pair.
        """
        if self.prior is not None and tuple(self.prior.shape) != shape:
            raise ValueError(f"prior is {tuple(self.prior.shape)}; expected {shape}, as the images.")
        points, kinds = (None if values is None else tuple(values.shape) for values in self[1:])
        if points is None and kinds is None:
            return
        if points is None or kinds is None or points != (*kinds, 2) or kinds[0] != shape[0]:
            raise ValueError(
                f"points_frac is {points}, point_kinds {kinds}; expected ({shape[0]}, P, 2) and ({shape[0]}, P). "
                "Pass both, or neither."
            )


class EncodedPrompts(NamedTuple):
    """The inputs of the mask decoder beside the image."""

    image_pe: Tensor
    """float [H, W, D], encoded positions of the cells of the image."""
    sparse: Tensor
    """float [N, P, D], condensed tokens and encoded points."""
    dense: Tensor
    """float [N, D, H, W], the encoded prior, or the embedding for no prior."""
    signs: Tensor | None
    """float [N, 16 H, 16 W], the prior itself: 1, -1, and 0 where there is none; None without any prior."""


class PositionEncoding(nn.Module):
    """Random Fourier features of positions in the image (https://arxiv.org/abs/2006.10739)."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, embed_dim // 2))
        self.frequencies: Tensor

    def forward(self, points_frac: Tensor) -> Tensor:
        """Encode float [..., 2], (x, y) as shares of width and height, to [..., D]."""
        angles = 2 * math.pi * ((2 * points_frac - 1).to(self.frequencies.dtype) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def grid(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """Encode the centres of a map's cells: [H, W, D]."""
        y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
        x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
        return self(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1))


class PromptEncoder(nn.Module):
    """Encodes condensed tokens, points, boxes and a prior for the mask decoder."""

    def __init__(self, config: MaskDecoderConfig) -> None:
        super().__init__()
        dim, hidden = config.embed_dim, config.mask_channels
        self.reads_prior = config.dense_prior
        self.position = PositionEncoding(dim)
        self.kinds = nn.Embedding(POINT_KINDS, dim)
        self.not_a_point = nn.Parameter(torch.zeros(dim))
        self.no_mask = nn.Parameter(torch.zeros(dim))
        self.mask = nn.Sequential(
            nn.Conv2d(1, hidden // 4, 2, stride=2),
            ChannelNorm(hidden // 4),
            nn.GELU(),
            nn.Conv2d(hidden // 4, hidden, 2, stride=2),
            ChannelNorm(hidden),
            nn.GELU(),
            nn.Conv2d(hidden, dim, 1),
        )

    def forward(
        self, condensed: Tensor, mask_prompts: MaskPrompts, cells: tuple[int, int], size: tuple[int, int]
    ) -> EncodedPrompts:
        """Encode prompts.

        Args:
            condensed: float [N, T, D].
            mask_prompts: Prior, points and boxes of each prompt.
            cells: (height, width) of the image embedding.
            size: (height, width) of the images in pixels; the cells may reach beyond them.
        """
        sparse = condensed
        if mask_prompts.points_frac is not None and mask_prompts.point_kinds is not None:
            points_frac = mask_prompts.points_frac * _image_share(cells, size, condensed.device)
            points = self.points(points_frac, mask_prompts.point_kinds)
            sparse = torch.cat([condensed, points.to(condensed.dtype)], 1)
        dense, signs = self.dense(None, len(condensed), *cells), None
        if mask_prompts.prior is not None and self.reads_prior:
            signs = _signs(mask_prompts.prior, cells)
            has_prior = mask_prompts.prior.isfinite().flatten(1).any(1).view(-1, 1, 1, 1)
            small = F.interpolate(signs[:, None], tuple(4 * side for side in cells), mode="bilinear", antialias=True)
            dense = torch.where(has_prior, self.dense(small.to(dense.dtype), len(condensed), *cells), dense)
        return EncodedPrompts(self.position.grid(*cells, condensed.device), sparse, dense, signs)

    def points(self, points_frac: Tensor, kinds: Tensor) -> Tensor:
        """Encode points.

        Args:
            points_frac: float [N, P, 2], (x, y) as shares of width and height.
            kinds: int [N, P]: 0 is not the target, 1 is the target, 2 and 3 the corners of a box, -1 nothing.

        Returns:
            float [N, P, D].
        """
        is_point = (kinds != NOT_A_POINT).unsqueeze(-1)
        encoded = self.position(points_frac) + self.kinds(kinds.clamp(min=0))
        return torch.where(is_point, encoded, self.not_a_point)

    def dense(self, mask: Tensor | None, n: int, height: int, width: int) -> Tensor:
        """Encode a mask float [N, 1, 4 H, 4 W] to [N, D, H, W]; None as the embedding for no mask."""
        if mask is None:
            return self.no_mask.view(1, -1, 1, 1).expand(n, -1, height, width)
        encoded: Tensor = self.mask(mask)
        return encoded


def _image_share(cells: tuple[int, int], size: tuple[int, int], device: torch.device) -> Tensor:
    """Return which share (x, y) of the cells their image fills."""
    return torch.tensor(size[::-1], device=device) / (CELL * torch.tensor(cells[::-1], device=device))


def _signs(prior: Tensor, cells: tuple[int, int]) -> Tensor:
    """Return a prior as SAM's mask prompts, -1 and 1, with 0 where it is undefined and in the padding."""
    height, width = prior.shape[-2:]
    padding = (0, CELL * cells[1] - width, 0, CELL * cells[0] - height)
    return F.pad((2 * prior.float() - 1).nan_to_num(0.0), padding)
