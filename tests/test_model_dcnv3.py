"""DCNv3: all formulations give the same, are differentiable, and refuse what does not fit."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.nn import functional as F

from spex_nb.model.dcnv3 import DCNv3, Method, Sampling, deform_conv3

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


@pytest.mark.parametrize(
    "sampling",
    [Sampling(groups=2, offset_scale=2.0), Sampling(stride=2, groups=1), Sampling(padding=0), Sampling(5, 1, 2, 1, 2)],
)
@every_method
def test_all_formulations_give_the_same(method: Any, sampling: Sampling) -> None:
    given = inputs(sampling)
    expected = deform_conv3(*given, sampling, "all_points")
    torch.testing.assert_close(deform_conv3(*given, sampling, method), expected)
    torch.testing.assert_close(deform_conv3(*given, sampling), expected)


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


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_shapes_that_do_not_belong_together_are_refused(wrong: int) -> None:
    sampling = Sampling(groups=2)
    given = inputs(sampling)
    given[wrong] = given[wrong][..., :-1]
    with pytest.raises(ValueError, match=r"expected offset .*mask.*groups"):
        deform_conv3(*given, sampling)
