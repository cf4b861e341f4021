"""SAM's mask decoder with the condensed tokens as sparse prompts, and a head that makes its mask as fine as the image.

Source: Kirillov et al., Segment Anything, https://arxiv.org/abs/2304.02643. Our own file, since transformers' module
cannot apply softmax twice, which the released SPEX weights were trained with.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.configuration import MaskDecoderConfig
from spex_nb.model.layers.norms import NORM_EPS, ChannelNorm
from spex_nb.model.losses import upsample_logits

FINAL_NORM_EPS = 1e-5


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


class Mlp(nn.Sequential):
    """Three linear layers with ReLU between them."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, out))


class FineHead(nn.Module):
    """Adds a fine map of the image and the prior to a mask; each prompt weights their channels."""

    def __init__(self, embed_dim: int, channels: int) -> None:
        super().__init__()
        self.hypernetwork = Mlp(embed_dim, channels + 2)

    def forward(self, token: Tensor, fine: Tensor, signs: Tensor | None = None) -> Tensor:
        """Read a map.

        Args:
            token: float [N, D], the mask token of each prompt.
            fine: float [M, F, H, W], from `PixelDecoder`. Of M images each has N / M prompts, one behind the other.
            signs: float [N, s H, s W], the prior: 1, -1, and 0 where there is none.

        Returns:
            float [N, H, W], to add to the mask logits.
        """
        weights = self.hypernetwork(token)
        by_image = weights[:, 2:].unflatten(0, (len(fine), -1))
        read = torch.einsum("mnc,mchw->mnhw", by_image, fine).flatten(0, 1) + weights[:, 0, None, None]
        if signs is None:
            return read
        resized = F.avg_pool2d(signs, signs.shape[-1] // fine.shape[-1]).to(fine.dtype)
        return read + weights[:, 1, None, None] * resized


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
            fine: float [M, F, s H, s W], the image's fine map, if the decoder reads one; see `FineHead`.
            signs: float [N, 16 H, 16 W], the prior, see `FineHead`.

        Returns:
            Mask logits float [N, 4 H, 4 W], with a fine map of its size, and the expected IoU float [N].
        """
        n, _, height, width = image.shape
        output_tokens = torch.cat([self.iou_token, self.mask_tokens]).expand(n, -1, -1)
        token_pe = torch.cat([output_tokens, sparse], 1)
        tokens = token_pe
        pixels = (image + dense).flatten(2).transpose(1, 2)
        pixel_pe = image_pe.flatten(0, 1).to(pixels.dtype)
        for block in self.blocks:
            tokens, pixels = block(tokens, pixels, token_pe, pixel_pe)
        tokens = self.final_norm(tokens + self.final_attn(tokens + token_pe, pixels + pixel_pe, pixels))
        upscaled = self.upscale1(pixels.transpose(1, 2).unflatten(2, (height, width)))
        upscaled = F.gelu(self.upscale2(F.gelu(self.upscale_norm(upscaled))))
        logits = torch.einsum("nc,nchw->nhw", self.hypernetworks[0](tokens[:, 1]), upscaled)
        if self.fine is not None and fine is not None:
            added = self.fine(tokens[:, 1], fine, signs)
            logits = upsample_logits(logits, tuple(added.shape[-2:])) + added
        return logits, self.iou_head(tokens[:, 0])[:, 0]
