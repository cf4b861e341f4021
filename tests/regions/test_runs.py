"""Runs are found, joined, painted and summed block by block as if the mask were looked at whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from spex_nb.regions.runs import RegionSums, label_runs, paint_runs

MASKS = arrays(bool, st.tuples(st.integers(0, 12), st.integers(0, 12)))


@given(MASKS, st.sampled_from([4, 8]), st.sampled_from([1, 20, 2**22]))
def test_regions_are_those_of_a_label_array(mask: Any, connectivity: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spex_nb.regions.runs.BLOCK_PX", block)
        found, numbers = label_runs(mask, connectivity)
    expected, _ = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    assert (expected[found[:, 0], found[:, 1]] - 1).tolist() == numbers.tolist()
    again = np.zeros(mask.shape, bool)
    for row, first, end in found:
        again[row, first:end] = True
    np.testing.assert_array_equal(again, mask)


@given(MASKS, st.sampled_from([1, 20, 2**22]))
def test_what_is_painted_is_the_mask(mask: Any, block: int) -> None:
    runs, numbers = label_runs(mask, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spex_nb.regions.runs.BLOCK_PX", block)
        painted = paint_runs(runs[::-1], (numbers % 254 + 1)[::-1], mask.shape)
    expected, _ = ndimage.label(mask, np.ones((3, 3)))
    np.testing.assert_array_equal(painted, expected)


@given(MASKS, st.integers(1, 5))
def test_sums_over_rows_are_sums_over_the_whole(mask: Any, step: int) -> None:
    runs, numbers = label_runs(mask, 8)
    count = numbers.max(initial=-1) + 1
    sums = RegionSums([runs[numbers == i] for i in range(count)], ["noise"])
    values = np.random.default_rng(0).normal(size=mask.shape)
    values[::3, ::2] = np.nan
    for top in range(0, mask.shape[0], step):
        sums.add(top, {"noise": values[top : top + step]})
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    for i in range(count):
        inside = values[(labels == i + 1) & np.isfinite(values)]
        expected = (inside.mean(), inside.std()) if inside.size else (np.nan, np.nan)
        np.testing.assert_allclose((sums.means("noise")[i], sums.spreads("noise")[i]), expected, atol=1e-9)
