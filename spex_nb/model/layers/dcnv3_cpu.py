"""DCNv3's operator on processors: sums over bags of table rows, with an explicit backward pass.

A map is a table with a row of channels for each cell and group. An output cell is the weighted sum over a bag of rows,
the four neighbours of each kernel point, which `embedding_bag` finds without copying them. The gradient by the map is
such a sum as well, once the points are sorted by the cells they look at. The gradients by offsets and masks come out of
the products of gradients and neighbours, which `sampled_addmm` finds for just these pairs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

RINGS = 2
"""Rings of zeros around each map: a point out there has four neighbours of zero, so no value and no slope."""
POINTS_AT_ONCE = 2**18
"""Few enough for caches and memory, enough to keep the threads busy."""


@torch.library.custom_op("spex_nb::deform_by_bags", mutates_args=(), device_types="cpu")
def deform_by_bags(x: Tensor, offset: Tensor, mask: Tensor, across: Tensor, down: Tensor, scale: float) -> Tensor:
    """Sum bilinear samples of a map, each with its position and weight; the map is zero outside.

    Args:
        x: float32 or float64 [N, H, W, C].
        offset: like x [N, Ho, Wo, G * P * 2], (x, y) of each of P points of each group, in pixels before ``scale``.
        mask: like x [N, Ho, Wo, G * P], the weights.
        across: like x [Wo, P], the column of x at which a point looks if it is not moved.
        down: like x [Ho, P], the same for the row.
        scale: What offsets are stretched by.

    Returns:
        Like x [N, Ho, Wo, C].
    """
    result = _like_result(x, offset, mask)
    for target, *inputs in _parts(across.shape[-1], result, x, offset, mask):
        target.copy_(_sums(_looks(across, down, scale, *inputs)).view(target.shape))
    return result


@torch.library.custom_op("spex_nb::deform_by_bags_backward", mutates_args=(), device_types="cpu")
def _backward(
    grad: Tensor, x: Tensor, offset: Tensor, mask: Tensor, across: Tensor, down: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    by_x, by_offset, by_mask = _like_inputs(grad, x, offset, mask)
    for to_x, to_offset, to_mask, part, *inputs in _parts(
        across.shape[-1], by_x, by_offset, by_mask, grad, x, offset, mask
    ):
        looks = _looks(across, down, scale, *inputs)
        rows = part.contiguous().view(-1, looks.table.shape[-1])
        to_x.copy_(_spread(looks, rows))
        targets = (*to_offset.unflatten(-1, (-1, 2)).unbind(-1), to_mask)
        for target, slope in zip(targets, _slopes(looks, rows, scale), strict=True):
            target.copy_(slope.view(target.shape))
    return by_x, by_offset, by_mask


@deform_by_bags.register_fake
def _like_result(x: Tensor, _: Tensor, mask: Tensor, *_constants: Any) -> Tensor:
    return x.new_empty(*mask.shape[:3], x.shape[-1])


@_backward.register_fake
def _like_inputs(_: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
    return tuple(torch.empty_like(tensor) for tensor in inputs[:3])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 (torch names them so)
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return *_backward(grad, *ctx.saved_tensors, ctx.scale), None, None, None


deform_by_bags.register_autograd(_gradients, setup_context=_remember)


def _parts(points: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Part tensors [..., G * any] between groups, POINTS_AT_ONCE in a part; the last tensor has one value a point."""
    groups = tensors[-1].shape[-1] // points
    at_once = max(1, POINTS_AT_ONCE * groups // tensors[-1].numel())
    return zip(*(tensor.split(at_once * (tensor.shape[-1] // groups), -1) for tensor in tensors), strict=True)


@dataclass(frozen=True, slots=True)
class _Looks:
    """Where B bags, one for each output cell and group, look with P points each.

    Attributes:
        table: float [T, C / G], the cells of the map inside of rings of zeros, a row for each group.
        size: (N, rows, columns) of the map with its rings.
        row: int32 [B, P], the row of the table that is a point's upper left neighbour.
        jumps: From there to all four: upper left, upper right, lower left, lower right.
        right: float [B, P], the share of the right neighbours, 0..1.
        below: float [B, P], the share of the lower neighbours, 0..1.
        mask: float [B, P], the weights of the points.
    """

    table: Tensor
    size: tuple[int, int, int]
    row: Tensor
    jumps: tuple[int, int, int, int]
    right: Tensor
    below: Tensor
    mask: Tensor


def _looks(across: Tensor, down: Tensor, scale: float, x: Tensor, offset: Tensor, mask: Tensor) -> _Looks:
    """Return where the points look; arguments as above."""
    n, height, width, channels = x.shape
    points = across.shape[-1]
    groups = mask.shape[-1] // points
    size = (n, height + 2 * RINGS, width + 2 * RINGS)
    to_x, to_y = offset.unflatten(-1, (-1, 2)).unbind(-1)
    column, right = _split(across.repeat(1, groups), to_x, scale, width)
    line, below = _split(down.repeat(1, groups).unsqueeze(1), to_y, scale, height)
    return _Looks(
        table=F.pad(x, (0, 0, *[RINGS] * 4)).reshape(-1, channels // groups),
        size=size,
        row=_rows(line, column, size, groups).view(-1, points),
        jumps=(0, groups, size[2] * groups, (size[2] + 1) * groups),
        right=right.view(-1, points),
        below=below.view(-1, points),
        mask=mask.contiguous().view(-1, points),
    )


def _split(unmoved: Tensor, move: Tensor, scale: float, side: int) -> tuple[Tensor, Tensor]:
    """Split places along an axis into cells, int32 counted with the rings, and the rest, 0..1."""
    place = torch.add(unmoved, move, alpha=scale).clamp_(0.5 - RINGS, side + RINGS - 1.5)
    cell = place.floor()
    return cell.to(torch.int32).add_(RINGS), place.sub_(cell)


def _rows(line: Tensor, column: Tensor, size: tuple[int, int, int], groups: int) -> Tensor:
    """Return the rows of the table at these cells: int32 [N, Ho, Wo, G * P]."""
    n, lines, columns = size
    cell = line.mul_(columns).add_(column).clamp_(0, (lines - 1) * columns - 2)  # NaN: any cell, its share stays NaN
    image = torch.arange(n, dtype=torch.int32).view(-1, 1, 1, 1) * (lines * columns * groups)
    group = torch.arange(groups, dtype=torch.int32).repeat_interleave(line.shape[-1] // groups)
    return cell.mul_(groups).add_(image + group)


def _shares(right: Tensor, below: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each neighbour of a point weighs, in the order of the jumps."""
    lower = mask * below
    upper = mask - lower
    upper_right, lower_right = upper * right, lower * right
    return upper.sub_(upper_right), upper_right, lower.sub_(lower_right), lower_right


def _sums(looks: _Looks) -> Tensor:
    """Return what the operator gives: float [B, C / G]."""
    row, starts = looks.row.view(-1), _starts(looks)
    shares = _shares(looks.right, looks.below, looks.mask)
    return reduce(
        Tensor.add_,
        (
            _bags(row, looks.table[jump:], starts, share.view(-1))
            for jump, share in zip(looks.jumps, shares, strict=True)
        ),
    )


def _spread(looks: _Looks, grad: Tensor) -> Tensor:
    """Return the gradient by the map, float [N, H, W, C]: of each cell a bag of all points that look at it."""
    row, order = looks.row.view(-1).sort()
    starts = torch.searchsorted(row, torch.arange(len(looks.table) + 1, dtype=row.dtype), out_int32=True)
    bag = order.to(torch.int32).div_(looks.row.shape[-1], rounding_mode="floor")
    shares = _shares(*(tensor.view(-1).index_select(0, order) for tensor in (looks.right, looks.below, looks.mask)))
    total, *others = (_bags(bag, grad, starts, share) for share in shares)
    for jump, other in zip(looks.jumps[1:], others, strict=True):
        total[jump:] += other[:-jump]
    return total.view(*looks.size, -1)[:, RINGS:-RINGS, RINGS:-RINGS]


def _slopes(looks: _Looks, grad: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients by x and by y of the offset and by the mask: float [B, P] each."""
    upper_left, upper_right, lower_left, lower_right = (_products(looks, grad, jump) for jump in looks.jumps)
    upper = torch.lerp(upper_left, upper_right, looks.right)
    lower = torch.lerp(lower_left, lower_right, looks.right)
    by_mask = torch.lerp(upper, lower, looks.below)
    by_x = torch.lerp(upper_right.sub_(upper_left), lower_right.sub_(lower_left), looks.below)
    weight = looks.mask * scale
    return by_x.mul_(weight), lower.sub_(upper).mul_(weight), by_mask


def _starts(looks: _Looks) -> Tensor:
    return torch.arange(0, looks.row.numel() + 1, looks.row.shape[-1], dtype=torch.int32)


def _bags(row: Tensor, table: Tensor, starts: Tensor, share: Tensor) -> Tensor:
    """Sum the rows of each bag, each times its share; a bag ends where the next one starts."""
    return F.embedding_bag(row, table, starts, mode="sum", per_sample_weights=share, include_last_offset=True)


def _products(looks: _Looks, grad: Tensor, jump: int) -> Tensor:
    """Return the inner products of each bag's gradient with one neighbour of each of its points: float [B, P]."""
    table = looks.table[jump:]
    zeros = table.new_zeros(looks.row.numel())  # they are multiplied by beta: NaN would stay
    size = (len(grad), len(table))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        pairs = torch.sparse_csr_tensor(_starts(looks), looks.row.view(-1), zeros, size, check_invariants=False)
    torch.sparse.sampled_addmm(pairs, grad, table.mT, beta=0.0, out=pairs)
    return pairs.values().view(looks.row.shape)
