"""DCNv3: all formulations give the same, are differentiable, and refuse what does not fit."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from spex_nb.model.layers import dcnv3_cpu
from spex_nb.model.layers.dcnv3 import DCNv3, Method, Sampling, deform_conv3

pytestmark = pytest.mark.slow

METHODS = [method for method in get_args(Method) if method != "auto"]
every_method = pytest.mark.parametrize("method", METHODS)


def inputs(sampling: Sampling, dtype: Any = torch.float64, size: tuple[int, int] = (5, 6)) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    count = sampling.groups * sampling.points
    height, width = sampling.output_size(*size)
    x = torch.randn(2, *size, 2 * sampling.groups, generator=random, dtype=dtype)
    offset = 1.5 * torch.randn(2, height, width, 2 * count, generator=random, dtype=dtype)
    mask = torch.rand(2, height, width, count, generator=random, dtype=dtype)
    return [x, offset, mask]


every_sampling = pytest.mark.parametrize(
    "sampling",
    [
        Sampling(groups=2, offset_scale=2.0),
        Sampling(stride=2, groups=3),
        Sampling(padding=0),
        Sampling(dilation=2, padding=2, groups=3),
        Sampling(5, 1, 2, 1, 2),
    ],
)


def gradients(given: list[torch.Tensor], sampling: Sampling, method: Any) -> tuple[torch.Tensor, ...]:
    """Gradients by map, offsets and masks of a sum whose parts all weigh differently."""
    trained = [one.detach().clone().requires_grad_() for one in given]
    result = deform_conv3(*trained, sampling, method)
    return torch.autograd.grad((result * result.detach().cos()).sum(), trained)


@every_sampling
@every_method
def test_all_formulations_give_the_same(method: Any, sampling: Sampling) -> None:
    given = inputs(sampling)
    expected = deform_conv3(*given, sampling, "all_points")
    torch.testing.assert_close(deform_conv3(*given, sampling, method), expected)
    torch.testing.assert_close(deform_conv3(*given, sampling), expected)


@pytest.mark.parametrize("points_at_once", [1, 150, 2**18])
@every_sampling
def test_gradients_of_bags_are_those_of_the_plain_form(
    sampling: Sampling, points_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dcnv3_cpu, "POINTS_AT_ONCE", points_at_once)
    x, offset, mask = inputs(sampling)
    offset[:, 0] *= 1e6  # some look far outside of the map
    given = [x.transpose(1, 2).contiguous().transpose(1, 2), offset, mask]
    expected = gradients(given, sampling, "all_points")
    torch.testing.assert_close(gradients(given, sampling, "by_bags"), expected)


@every_method
def test_gradients_are_those_of_finite_differences(method: Any) -> None:
    sampling = Sampling(groups=2)
    given = [one.requires_grad_() for one in inputs(sampling, size=(3, 4))]
    assert torch.autograd.gradcheck(lambda *tensors: deform_conv3(*tensors, sampling, method), given)


@every_method
def test_without_offsets_it_is_a_plain_convolution(method: Any) -> None:
    sampling = Sampling(groups=1)
    x, offset, _ = inputs(sampling)
    weights = torch.rand(9, dtype=torch.float64)
    mask = weights.expand(*offset.shape[:3], 9)
    kernel = weights.view(3, 3).T.expand(2, 1, 3, 3)  # columns are the slow index of the masks
    plain = F.conv2d(x.permute(0, 3, 1, 2), kernel, padding=1, groups=2).permute(0, 2, 3, 1)
    torch.testing.assert_close(deform_conv3(x, 0 * offset, mask, sampling, method), plain)


@every_method
def test_far_outside_of_the_map_there_is_zero(method: Any) -> None:
    sampling = Sampling(groups=1)
    x, offset, mask = inputs(sampling)
    for far in (1e3, -1e3):
        assert not deform_conv3(x, offset + far, mask, sampling, method).any()


def test_an_offset_that_is_no_number_spoils_its_own_cell_only() -> None:
    sampling = Sampling(groups=2)
    x, offset, mask = (one.requires_grad_() for one in inputs(sampling))
    spoilt = offset.detach().clone()
    spoilt[1, 2, 3, 0] = torch.nan
    result = deform_conv3(x, spoilt.requires_grad_(), mask, sampling, "by_bags")
    cells = result.isnan().any(-1).nonzero().tolist()
    assert cells == [[1, 2, 3]]
    result.sum().backward()
    assert spoilt.grad is not None
    assert spoilt.grad.isnan().any(-1).nonzero().tolist() == [[1, 2, 3]]


def test_bags_keep_what_torch_asks_of_an_operator() -> None:
    across, down = torch.rand(2, 6, 9).unbind()
    tensors = [torch.randn(2, 4, 6, 8), torch.randn(2, 6, 6, 36), torch.rand(2, 6, 6, 18), across, down]
    torch.library.opcheck(
        dcnv3_cpu.deform_by_bags, (*(one.requires_grad_(i < 3) for i, one in enumerate(tensors)), 2.0)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close_to_full_on_large_maps_too(dtype: Any) -> None:
    module = DCNv3(32, 4, offset_scale=2.0).eval()
    torch.nn.init.normal_(module.offset.weight, std=0.2)
    x = torch.randn(1, 100, 128, 32)
    full = module(x)
    half = module.to(dtype)(x.to(dtype)).float()
    assert (half - full).abs().mean() < 0.02 * full.std()
    assert (half - full).abs().max() < 0.5 * full.std()


def test_it_can_be_compiled() -> None:
    module = DCNv3(16, 4).eval()
    x = torch.randn(1, 8, 8, 16)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x))


@pytest.mark.parametrize("way", ["compiled", "checkpoint", "autocast"])
def test_maps_of_many_points_train(way: str) -> None:
    torch.manual_seed(0)
    module = DCNv3(32, 4, offset_scale=2.0)
    torch.nn.init.normal_(module.offset.weight, std=0.2)
    x = torch.randn(2, 32, 24, 32, requires_grad=True)
    expected = torch.autograd.grad(module(x).square().sum(), [x, *module.parameters()])
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    run = compiled if way == "compiled" else lambda x: checkpoint(module, x, use_reentrant=False)
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
        result = run(x)
    found = torch.autograd.grad(result.float().square().sum(), [x, *module.parameters()])
    for ours, plain in zip(found, expected, strict=True):
        far = 0.25 if way == "autocast" else 1e-4
        assert (ours - plain).norm() <= far * plain.norm()


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_shapes_that_do_not_belong_together_are_refused(wrong: int) -> None:
    sampling = Sampling(groups=2)
    given = inputs(sampling)
    given[wrong] = given[wrong][..., :-1]
    with pytest.raises(ValueError, match=r"expected offset .*mask.*groups"):
        deform_conv3(*given, sampling)
