"""The model beside plain formulations: deformable convolution on InternImage-L's stages, one tile through `tiny`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from spex_nb.model import SpexConfig, SpexModel
from spex_nb.model.layers.dcnv3 import Sampling, deform_conv3
from spex_nb.model.runtime.channels import language_cells
from tests.benchmarks.bench_indices import best_of, row

STAGES = ((128, 160, 10), (64, 320, 20), (32, 640, 40), (16, 1280, 80))
"""Side, channels and groups of the four stages for 512 x 512 pixels."""
THREADS = 2
TILE_PX = 512
BARS = (("≤ 0.33", "≤ 0.5"), ("≤ 1", "≤ 1"), ("≤ 1", "≤ 1"), ("≤ 1", "≤ 1"))
"""Of forward, and of forward with backward, at each stage."""


def deformable_rows() -> list[dict[str, str]]:
    """Measure forward, and forward with backward, of each stage."""
    found = []
    for (side, channels, groups), bars in zip(STAGES, BARS, strict=True):
        sampling = Sampling(groups=groups, offset_scale=2.0)
        given = [
            torch.randn(1, side, side, channels),
            torch.randn(1, side, side, groups * 18),
            torch.rand(1, side, side, groups * 9),
        ]
        trained = [one.clone().requires_grad_() for one in given]

        def forward(compute: Any, given: Any = given) -> Any:
            with torch.no_grad():
                return compute(*given)

        def both(compute: Any, trained: Any = trained) -> None:
            compute(*trained).sum().backward()

        def ours(*tensors: Tensor, sampling: Sampling = sampling) -> Tensor:
            return deform_conv3(*tensors, sampling)

        def plain(*tensors: Tensor, sampling: Sampling = sampling) -> Tensor:
            return deform_conv3(*tensors, sampling, "all_points")

        for what, run, bar in zip(("forward", "forward + backward"), (forward, both), bars, strict=True):
            times = best_of(7, *(lambda f=f, run=run: run(f) for f in (ours, plain)))
            mine, other = (1000 * seconds for seconds in times)
            text = f"DCNv3 {what}, {side}² x {channels}; other: all points in one call"
            found.append(row(text, mine, other, "ms", bar))
    return found


def tile_row() -> dict[str, str]:
    """Measure one pass of `tiny`, beside generating 32 words before the mask as the release does."""
    torch.manual_seed(0)
    config = SpexConfig.preset("tiny", image_token_id=2)
    cells = math.prod(language_cells((TILE_PX, TILE_PX), config.language_grid))
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
