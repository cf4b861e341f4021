"""SAM's mask decoder with the condensed tokens as sparse prompts, and its prompt encoder for masks, points and boxes.

Source: Kirillov et al., Segment Anything, https://arxiv.org/abs/2304.02643. Our own file, since transformers' module
cannot apply softmax twice, which the released SPEX weights were trained with.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import MaskDecoderConfig
from spex_nb.model.losses import upsample_logits
from spex_nb.model.norms import NORM_EPS, ChannelNorm

FINAL_NORM_EPS = 1e-5
POINT_KINDS = 4
"""Negative point, positive point, upper left corner, lower right corner of a box."""
NOT_A_POINT = -1


class Attention(nn.Module):
    """Attention in a space that may be narrower than its input.

    Args:
        embed_dim: Of queries, keys, values and output.
        heads: Number of heads.
        inner_dim: Of the space in which attention takes place.
        double_softmax: Whether weights pass through softmax twice, as the released weights were trained.
    """

    def __init__(self, embed_dim: int, heads: int, inner_dim: int, *, double_softmax: bool = False) -> None:
        super().__init__()
        self.heads, self.double_softmax = heads, double_softmax
        self.q_proj = nn.Linear(embed_dim, inner_dim)
        self.k_proj = nn.Linear(embed_dim, inner_dim)
        self.v_proj = nn.Linear(embed_dim, inner_dim)
        self.out_proj = nn.Linear(inner_dim, embed_dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from float [N, L, D] to [N, S, D]."""
        v = self._by_head(self.v_proj(value))
        if self.double_softmax:
            attended = self.weights(query, key) @ v
        else:
            q, k = self._by_head(self.q_proj(query)), self._by_head(self.k_proj(key))
            attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """Return how much each query float [N, L, D] attends to each key [N, S, D]: [N, heads, L, S]."""
        q, k = self._by_head(self.q_proj(query)), self._by_head(self.k_proj(key))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        return weights.softmax(-1) if self.double_softmax else weights

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image to the tokens."""

    def __init__(self, config: MaskDecoderConfig, *, is_first: bool) -> None:
        super().__init__()
        dim, inner = config.embed_dim, config.embed_dim // config.attention_downsample
        self.is_first = is_first
        self.self_attn = Attention(dim, config.heads, dim)
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.token_to_image = Attention(dim, config.heads, inner, double_softmax=config.double_softmax)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(dim, config.mlp_dim), nn.ReLU(), nn.Linear(config.mlp_dim, dim))
        self.norm3 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.image_to_token = Attention(dim, config.heads, inner)
        self.norm4 = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor) -> tuple[Tensor, Tensor]:
        """Update tokens float [N, L, D] and image [N, S, D]; ``*_pe`` say where they are."""
        if self.is_first:
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            placed = tokens + token_pe
            tokens = self.norm1(tokens + self.self_attn(placed, placed, tokens))
        tokens = self.norm2(tokens + self.token_to_image(tokens + token_pe, image + image_pe, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.image_to_token(image + image_pe, tokens + token_pe, tokens))
        return tokens, image


class PositionEncoding(nn.Module):
    """Random Fourier features of places in the image (arXiv 2006.10739)."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, embed_dim // 2))
        self.frequencies: Tensor

    def forward(self, points_frac: Tensor) -> Tensor:
        """Encode float [..., 2], (x, y) as shares of width and height, to [..., D]."""
        angles = 2 * math.pi * ((2 * points_frac - 1).to(self.frequencies.dtype) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def grid(self, height: int, width: int) -> Tensor:
        """Encode the centres of a map's cells: [H, W, D]."""
        like = {"device": self.frequencies.device, "dtype": torch.float32}
        y = (torch.arange(height, **like) + 0.5) / height  # type: ignore[call-overload]
        x = (torch.arange(width, **like) + 0.5) / width  # type: ignore[call-overload]
        return self(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1))


class PromptEncoder(nn.Module):
    """Points, boxes and a mask as what the decoder understands."""

    def __init__(self, config: MaskDecoderConfig) -> None:
        super().__init__()
        dim, hidden = config.embed_dim, config.mask_channels
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


class Mlp(nn.Sequential):
    """Three linear layers with ReLU between them."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, out))


class FineHead(nn.Module):
    """What a fine map of the image and the prior itself add to a mask: each prompt weighs their channels anew."""

    def __init__(self, embed_dim: int, channels: int) -> None:
        super().__init__()
        self.hypernetwork = Mlp(embed_dim, channels + 2)

    def forward(self, token: Tensor, fine: Tensor, signs: Tensor) -> Tensor:
        """Read a map.

        Args:
            token: float [N, D], the mask token of each prompt.
            fine: float [N, F, H, W], from `PixelDecoder`.
            signs: float [N, H, W], the prior: 1, -1, and 0 where there is none.

        Returns:
            What is added to the mask logits, float [N, H, W].
        """
        weights = self.hypernetwork(token)
        read = torch.einsum("nc,nchw->nhw", weights[:, 2:], fine)
        return read + weights[:, 0, None, None] + weights[:, 1, None, None] * signs


class MaskDecoder(nn.Module):
    """From image embedding and prompts to mask logits at four times the embedding's size.

    Of SAM's four mask tokens the first gives the mask; the others are kept for its weights' sake.
    """

    def __init__(self, config: MaskDecoderConfig, fine_channels: int = 0) -> None:
        super().__init__()
        dim = config.embed_dim
        self.fine = FineHead(dim, fine_channels) if fine_channels else None
        self.iou_token = nn.Parameter(torch.randn(1, dim))
        self.mask_tokens = nn.Parameter(torch.randn(config.mask_tokens, dim))
        self.blocks = nn.ModuleList(TwoWayBlock(config, is_first=i == 0) for i in range(config.blocks))
        inner = dim // config.attention_downsample
        self.final_attn = Attention(dim, config.heads, inner)
        self.final_norm = nn.LayerNorm(dim, eps=FINAL_NORM_EPS)
        self.upscale1 = nn.ConvTranspose2d(dim, dim // 4, 2, stride=2)
        self.upscale_norm = ChannelNorm(dim // 4)
        self.upscale2 = nn.ConvTranspose2d(dim // 4, dim // 8, 2, stride=2)
        self.hypernetworks = nn.ModuleList(Mlp(dim, dim // 8) for _ in range(config.mask_tokens))
        self.iou_head = Mlp(dim, config.mask_tokens)

    def forward(
        self,
        image: Tensor,
        image_pe: Tensor,
        sparse: Tensor,
        dense: Tensor,
        fine: Tensor | None = None,
        signs: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode one mask.

        Args:
            image: float [N, D, H, W], the image embedding.
            image_pe: float [H, W, D], where its cells are.
            sparse: float [N, P, D], condensed tokens and encoded points.
            dense: float [N, D, H, W], the encoded mask prompt.
            fine: float [N, F, s H, s W], the image's fine map, if the decoder reads one.
            signs: float [N, s H, s W], the prior on its grid.

        Returns:
            Mask logits float [N, 4 H, 4 W], with a fine map of its size, and the expected IoU float [N].
        """
        n, _, height, width = image.shape
        own = torch.cat([self.iou_token, self.mask_tokens]).expand(n, -1, -1)
        token_pe = torch.cat([own, sparse], 1)
        tokens = token_pe
        pixels = (image + dense).flatten(2).transpose(1, 2)
        pixel_pe = image_pe.flatten(0, 1).to(pixels.dtype)
        for block in self.blocks:
            tokens, pixels = block(tokens, pixels, token_pe, pixel_pe)
        tokens = self.final_norm(tokens + self.final_attn(tokens + token_pe, pixels + pixel_pe, pixels))
        upscaled = self.upscale1(pixels.transpose(1, 2).unflatten(2, (height, width)))
        upscaled = F.gelu(self.upscale2(F.gelu(self.upscale_norm(upscaled))))
        logits = torch.einsum("nc,nchw->nhw", self.hypernetworks[0](tokens[:, 1]), upscaled)
        if self.fine is not None and fine is not None and signs is not None:
            added = self.fine(tokens[:, 1], fine, signs)
            logits = upsample_logits(logits, tuple(added.shape[-2:])) + added
        return logits, self.iou_head(tokens[:, 0])[:, 0]
