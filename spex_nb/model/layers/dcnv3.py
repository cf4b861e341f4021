"""DCNv3, the deformable convolution of InternImage, in plain PyTorch: exact, differentiable, on any device.

It knows nothing of images, stages or configurations. Source: Wang et al., InternImage, https://arxiv.org/abs/2211.05778.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.layers.dcnv3_cpu import deform_by_bags
from spex_nb.model.layers.norms import NORM_EPS

FEW_POINTS = 2**15
"""So few are sampled most quickly in one plain call."""
Method = Literal["auto", "all_points", "by_point", "by_bags"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Where a deformable convolution looks, apart from its offsets."""

    kernel_size: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1
    offset_scale: float = 1.0

    @property
    def points(self) -> int:
        """Number of kernel points."""
        return self.kernel_size**2

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of the output."""
        reach = self.dilation * (self.kernel_size - 1)
        return tuple((side + 2 * self.padding - reach - 1) // self.stride + 1 for side in (height, width))  # type: ignore[return-value]


def deform_conv3(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling, method: Method = "auto") -> Tensor:
    """Sum samples of a map, each point of a kernel moved by its own offset and weighted by its own mask.

    Samples are bilinear; outside the map there is zero.

    Args:
        x: float [N, H, W, C].
        offset: float [N, Ho, Wo, G * K * K * 2], (x, y) of each kernel point of each group, in pixels before
            ``offset_scale``; the columns of the kernel are its slow index.
        mask: float [N, Ho, Wo, G * K * K], the weights.
        sampling: Kernel, stride, padding, dilation, groups, scale of the offsets.
        method: How it is computed; all give the same. ``auto`` takes what was quickest where it was measured
            (docs/benchmarks.md).

    Returns:
        float [N, Ho, Wo, C].

    Raises:
        ValueError: If the shapes do not belong together.
    """
    _require_shapes(x, offset, mask, sampling)
    chosen = _quickest(mask) if method == "auto" else method
    # In full precision: halves cannot say where to sample on a map of 128 cells, and torch's kernel reads elsewhere.
    kind = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        return _METHODS[chosen](x.to(kind), offset.to(kind), mask.to(kind), sampling).to(x.dtype)


def _quickest(mask: Tensor) -> Method:
    if mask.device.type == "cuda" or mask.numel() <= FEW_POINTS:
        return "all_points"  # a GPU has room for all maps at once, and waits for fewer calls
    return "by_bags" if mask.device.type == "cpu" else "by_point"


def _all_points(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling) -> Tensor:
    """Sample all points in one call: the plain form, which holds K * K maps at once."""
    grid = _grids(x, offset, sampling).movedim(0, 3)  # [N * G, Ho, Wo, P, 2]
    sampled = F.grid_sample(_grouped(x, sampling), grid.flatten(2, 3), align_corners=False)
    weights = _points_first(mask.unflatten(-1, (sampling.groups, -1))).movedim(0, 3).unsqueeze(1)
    total = (sampled.unflatten(-1, (-1, sampling.points)) * weights).sum(-1)
    return _ungrouped(total, offset.shape[0])


def _by_point(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling) -> Tensor:
    """Sample one point at a time and add it up: the memory of one map only, and all of it side by side."""
    weights = _points_first(mask.unflatten(-1, (sampling.groups, -1))).unsqueeze(2)
    grouped = _grouped(x, sampling)
    total: Tensor | None = None
    for grid, weight in zip(_grids(x, offset, sampling).unbind(), weights.unbind(), strict=True):
        sampled = F.grid_sample(grouped, grid, align_corners=False)
        total = sampled * weight if total is None else torch.addcmul(total, sampled, weight)
    assert total is not None
    return _ungrouped(total, offset.shape[0])


def _by_bags(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling) -> Tensor:
    """Sum over bags of table rows, for which processors have quick kernels."""
    across, down = _undeformed(offset, sampling)
    return deform_by_bags(x, offset, mask, across, down, sampling.offset_scale)


_METHODS: dict[str, Callable[[Tensor, Tensor, Tensor, Sampling], Tensor]] = {
    "all_points": _all_points,
    "by_point": _by_point,
    "by_bags": _by_bags,
}


def _grids(x: Tensor, offset: Tensor, sampling: Sampling) -> Tensor:
    """Return where each point looks, as `grid_sample` wants it: [P, N * G, Ho, Wo, 2], (x, y) in -1..1."""
    size = torch.tensor(x.shape[2:0:-1], device=x.device, dtype=offset.dtype)  # (width, height)
    across, down = _undeformed(offset, sampling)
    places = torch.stack(torch.broadcast_tensors(across, down.unsqueeze(1)), -1)  # [Ho, Wo, P, 2]
    undeformed = ((2 * places + 1) / size - 1).movedim(2, 0).unsqueeze(1)
    moved = _points_first(offset.unflatten(-1, (sampling.groups, sampling.points, 2)))
    return torch.addcmul(undeformed, moved, 2 * sampling.offset_scale / size)


def _undeformed(offset: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Return at which columns [Wo, P] and rows [Ho, P] of the map points look that are not moved."""
    like: dict[str, Any] = {"device": offset.device, "dtype": offset.dtype}
    reach = sampling.dilation * (sampling.kernel_size - 1)
    middle = reach // 2 - sampling.padding
    down, across = (
        (middle + sampling.stride * torch.arange(count, **like)).unsqueeze(-1) for count in offset.shape[1:3]
    )
    steps = sampling.offset_scale * (sampling.dilation * torch.arange(sampling.kernel_size, **like) - reach // 2)
    across = across + steps.repeat_interleave(sampling.kernel_size)  # the kernel's columns are its slow index
    return across, down + steps.repeat(sampling.kernel_size)


def _points_first(values: Tensor) -> Tensor:
    """[N, Ho, Wo, G, P, ...] -> [P, N * G, Ho, Wo, ...], side by side in memory."""
    return values.permute(4, 0, 3, 1, 2, *range(5, values.ndim)).flatten(1, 2).contiguous()


def _grouped(x: Tensor, sampling: Sampling) -> Tensor:
    """[N, H, W, C] -> [N * G, C / G, H, W]."""
    return x.permute(0, 3, 1, 2).reshape(x.shape[0] * sampling.groups, -1, *x.shape[1:3])


def _ungrouped(total: Tensor, n: int) -> Tensor:
    """[N * G, C / G, Ho, Wo] -> [N, Ho, Wo, C]."""
    return total.reshape(n, -1, *total.shape[-2:]).permute(0, 2, 3, 1).contiguous()


def _require_shapes(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling) -> None:
    count = sampling.groups * sampling.points
    size = (x.shape[0], *sampling.output_size(*x.shape[1:3]))
    if offset.shape != (*size, 2 * count) or mask.shape != (*size, count) or x.shape[-1] % sampling.groups:
        raise ValueError(
            f"x {tuple(x.shape)}, offset {tuple(offset.shape)} and mask {tuple(mask.shape)} do not belong together; "
            f"expected offset {(*size, 2 * count)}, mask {(*size, count)} and channels in {sampling.groups} "
            "groups. Check kernel, stride, padding and groups."
        )


class DCNv3(nn.Module):
    """The operator with the layers that make its offsets and masks out of its input.

    Args:
        channels: C.
        groups: Groups of channels, each with its offsets.
        kernel_size: Of the operator.
        dilation: Of the operator; the padding keeps the size.
        offset_scale: What offsets and kernel are stretched by.
        depthwise_size: Kernel of the convolution that offsets and masks are made from; ``kernel_size`` if not given.
        center_scale: Whether each group is blended with what was there before, as in InternImage-H.
    """

    def __init__(
        self,
        channels: int,
        groups: int,
        kernel_size: int = 3,
        dilation: int = 1,
        offset_scale: float = 1.0,
        depthwise_size: int | None = None,
        *,
        center_scale: bool = False,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.sampling = Sampling(kernel_size, 1, padding, dilation, groups, offset_scale)
        side = depthwise_size or kernel_size
        self.depthwise = nn.Conv2d(channels, channels, side, padding=(side - 1) // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.offset = nn.Linear(channels, groups * self.sampling.points * 2)
        self.mask = nn.Linear(channels, groups * self.sampling.points)
        self.input_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self.center = nn.Linear(channels, groups) if center_scale else None

    def forward(self, x: Tensor) -> Tensor:
        """Map float [N, H, W, C] to the same shape."""
        local = self.depthwise(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        local = F.gelu(self.norm(local))
        mask = self.mask(local).unflatten(-1, (self.sampling.groups, -1)).softmax(-1).flatten(-2)
        before = self.input_proj(x)
        after = deform_conv3(before, self.offset(local), mask, self.sampling)
        if self.center is not None:
            share = self.center(local).sigmoid().repeat_interleave(after.shape[-1] // self.sampling.groups, -1)
            after = torch.lerp(after, before, share)
        return self.output_proj(after)
