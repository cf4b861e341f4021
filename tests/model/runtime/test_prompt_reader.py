"""Averages over spans, as torch makes them."""

from __future__ import annotations

import numpy as np
import pytest

from spex_nb.model.runtime.prompt_reader import averaging


def test_spans_overlap_where_the_length_is_no_multiple() -> None:
    np.testing.assert_array_equal(averaging(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(averaging(5, 2) * 3, [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]], rtol=1e-6)
    np.testing.assert_array_equal(averaging(1, 3), [[1], [1], [1]])


@pytest.mark.parametrize(("length", "parts"), [(1, 4), (7, 4), (16, 4), (33, 4), (3, 3)])
def test_they_are_those_of_torch(length: int, parts: int) -> None:
    torch = pytest.importorskip("torch", reason="torch comes with the extra [model]")
    row = torch.randn(1, 1, length)
    expected = torch.nn.functional.adaptive_avg_pool1d(row, parts)[0, 0]
    np.testing.assert_allclose(averaging(length, parts) @ row[0, 0].numpy(), expected, atol=1e-6)
