"""Stems: bands known by their order, or by their wavelengths."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spex_nb.model.layers.stem import FixedStem, WavelengthStem
from spex_nb.model.runtime.channels import INDEX_CHANNELS

WAVES = torch.tensor([[0.49, 0.07], [0.56, 0.04], [0.66, 0.03], [0.83, 0.1], [1.61, 0.09]])


@pytest.fixture
def stem() -> WavelengthStem:
    torch.manual_seed(0)
    return WavelengthStem(16, index_channels=True).eval()


def test_the_order_of_bands_does_not_matter(stem: WavelengthStem) -> None:
    pixels, order = torch.randn(2, 5, 16, 16), [3, 0, 4, 1, 2]
    for one, other in zip(stem(pixels, WAVES), stem(pixels[:, order], WAVES[order]), strict=True):
        torch.testing.assert_close(one, other)


def test_a_band_that_a_sample_lacks_is_simply_absent(stem: WavelengthStem) -> None:
    pixels = torch.randn(2, 5, 16, 16)
    waves = WAVES.repeat(2, 1, 1)
    waves[1, 3:] = torch.nan
    mixed = stem(pixels, waves)
    torch.testing.assert_close(mixed.base[:1], stem(pixels[:1], WAVES).base)
    torch.testing.assert_close(mixed.base[1:], stem(pixels[1:, :3], WAVES[:3]).base)


def test_bands_are_told_apart_by_centre_and_by_width(stem: WavelengthStem) -> None:
    pixels = torch.randn(1, 1, 16, 16)
    plain, moved, wider = (stem(pixels, torch.tensor([wave])).half for wave in ([0.66, 0.03], [0.7, 0.03], [0.66, 0.1]))
    assert not torch.allclose(plain, moved)
    assert not torch.allclose(plain, wider)


def test_indices_that_are_not_available_change_nothing(stem: WavelengthStem) -> None:
    pixels = torch.randn(1, 5, 16, 16)
    without = stem(pixels, WAVES).base
    torch.testing.assert_close(stem(pixels, WAVES, torch.full((1, INDEX_CHANNELS, 16, 16), torch.nan)).base, without)
    assert not torch.allclose(stem(pixels, WAVES, torch.rand(1, INDEX_CHANNELS, 16, 16)).base, without)


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        (None, "Wavelengths are missing"),
        (1000 * WAVES, "Divide nanometres by 1000"),
        (torch.full((5, 2), torch.nan), "found none"),
        (WAVES[:3], r"do not belong to pixels"),
        (WAVES.repeat(3, 1, 1), r"do not belong to pixels"),
        (WAVES * torch.tensor([1, 1000]), "Widths are expected in micrometres"),
        (WAVES + 8, "leave out thermal bands"),
    ],
)
def test_wavelengths_that_make_no_sense_are_refused(waves: Any, message: str, stem: WavelengthStem) -> None:
    with pytest.raises(ValueError, match=message):
        stem(torch.zeros(2, 5, 16, 16), waves)


def test_a_fixed_stem_takes_its_bands_only() -> None:
    stem = FixedStem(("red", "green", "blue"), 16)
    assert stem(torch.zeros(1, 3, 32, 32)).base.shape == (1, 8, 8, 16)
    with pytest.raises(ValueError, match=r"takes 3 bands \(red, green, blue\), found 4"):
        stem(torch.zeros(1, 4, 32, 32))
