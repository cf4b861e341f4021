"""The model beside plain formulations: deformable convolution on InternImage-L's stages, one tile through `tiny`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spex_nb.model import SpexConfig, SpexModel
from spex_nb.model.dcnv3 import Sampling, deform_conv3
from tests.benchmarks.bench_indices import best_of, row

STAGES = ((128, 160, 10), (64, 320, 20), (32, 640, 40), (16, 1280, 80))
"""Side, channels and groups of the four stages for 512 x 512 pixels."""
THREADS = 2
TILE_PX, CELL = 512, 16
BARS = ("≤ 0.33 / ≤ 0.5", "≤ 1", "≤ 1", "≤ 1")


def by_gathering(x: Tensor, offset: Tensor, mask: Tensor, sampling: Sampling) -> Tensor:
    """Compute the operator as bags of table rows: four neighbours of each kernel point, weighted."""
    n, height, width, channels = x.shape
    groups, points = sampling.groups, sampling.points
    steps = torch.arange(3.0) - 1
    kernel = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).view(-1, 2)
    centres = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1)
    at = centres[:, :, None, None] + sampling.offset_scale * (offset.unflatten(-1, (groups, points, 2)) + kernel)
    low = at.detach().floor()
    right = at - low
    column, line = low.long().unbind(-1)
    first = torch.arange(n * groups).view(n, 1, 1, groups, 1) * (height * width)
    rows, weights = [], []
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, z = line + dy, column + dx
        inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
        across, down = (right if d else 1 - right for d in (dx, dy))
        rows.append(first + y.clamp(0, height - 1) * width + z.clamp(0, width - 1))
        weights.append(mask.unflatten(-1, (groups, points)) * across[..., 0] * down[..., 1] * inside)
    table = x.view(n, height * width, groups, -1).transpose(1, 2).reshape(-1, channels // groups)
    bags = F.embedding_bag(
        torch.cat(rows, -1).view(-1, 4 * points),
        table,
        per_sample_weights=torch.cat(weights, -1).view(-1, 4 * points),
        mode="sum",
    )
    return bags.view(n, height, width, channels)


def deformable_rows() -> list[dict[str, str]]:
    """Measure forward, and forward with backward, of each stage."""
    found = []
    for (side, channels, groups), bar in zip(STAGES, BARS, strict=True):
        sampling = Sampling(groups=groups, offset_scale=2.0)
        given = [
            torch.randn(1, side, side, channels),
            torch.randn(1, side, side, groups * 18),
            torch.rand(1, side, side, groups * 9),
        ]
        trained = [one.clone().requires_grad_() for one in given]
        torch.testing.assert_close(by_gathering(*given, sampling), deform_conv3(*given, sampling), atol=1e-3, rtol=1e-3)

        def forward(compute: Any, given: Any = given) -> Any:
            with torch.no_grad():
                return compute(*given)

        def both(compute: Any, trained: Any = trained) -> None:
            compute(*trained).sum().backward()

        def ours(*tensors: Tensor, sampling: Sampling = sampling) -> Tensor:
            return deform_conv3(*tensors, sampling)

        def plain(*tensors: Tensor, sampling: Sampling = sampling) -> Tensor:
            return deform_conv3(*tensors, sampling, "all_points")

        def gathered(*tensors: Tensor, sampling: Sampling = sampling) -> Tensor:
            return by_gathering(*tensors, sampling)

        for what, run in (("forward", forward), ("forward + backward", both)):
            times = best_of(5, *(lambda f=f, run=run: run(f) for f in (ours, plain, gathered)))
            mine, other, bags = (1000 * seconds for seconds in times)
            text = f"DCNv3 {what}, {side}² x {channels}; other: all points in one call (as bags of rows: {bags:.0f} ms)"
            found.append(row(text, mine, other, "ms", bar))
    return found


def tile_row() -> dict[str, str]:
    """Measure one pass of `tiny`, beside generating 32 words before the mask as the release does."""
    torch.manual_seed(0)
    cells = (TILE_PX // CELL) ** 2
    config = SpexConfig.preset("tiny", image_token_id=2)
    model = SpexModel(config).eval()
    waves = torch.tensor([[0.49, 0.07], [0.56, 0.04], [0.66, 0.03], [0.83, 0.1]])
    given = {
        "pixel_values": torch.randn(1, 4, TILE_PX, TILE_PX),
        "wavelengths_um": waves,
        "input_ids": torch.tensor([[*[2] * cells, *range(10, 74)]]),
    }
    ours, other = best_of(
        3, lambda: model.segment(**given), lambda: model.generate(**given, min_new_tokens=32, max_new_tokens=32)
    )
    rate = TILE_PX**2 / ours / 1e6
    text = f"`segment` of `tiny`, 512², four bands, {THREADS} threads ({rate:.2f} Mpx/s); other: 32 words first"
    return row(text, 1000 * ours, 1000 * other, "ms", "≤ 500 ms")


def run() -> list[dict[str, str]]:
    """Return the measured rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return [*deformable_rows(), tile_row()]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    for line in run():
        print(line)  # noqa: T201 (a benchmark alone)
