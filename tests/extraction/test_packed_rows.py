"""Rows of a layer that are packed as they come."""

from __future__ import annotations

import numpy as np
import pytest

from spex_nb.extraction.facts import packed_rows
from spex_nb.extraction.facts.packed_rows import PackedRows


def test_the_layer_comes_back_as_it_was_whatever_the_rows() -> None:
    layer = np.random.default_rng(0).integers(0, 256, (37, 23), np.uint8)
    packed = PackedRows(23)
    for top, bottom in ((0, 1), (1, 20), (20, 20), (20, 37)):
        packed.add(layer[top:bottom])
    packed.add(layer[:, ::-1][:0])
    np.testing.assert_array_equal(packed.unpack(), layer)


def test_what_is_mostly_nothing_takes_a_hundredth() -> None:
    packed = PackedRows(1000)
    for _ in range(10):
        packed.add(np.zeros((100, 1000), np.uint8))
    assert sum(map(len, packed._parts)) < 10_000


def test_a_large_layer_unpacks_only_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = np.random.default_rng(0).integers(0, 256, (50, 8), np.uint8)
    packed = PackedRows(8)
    for top in range(0, 50, 20):
        packed.add(layer[top : top + 20])
    assert isinstance(packed.array(), np.ndarray)
    monkeypatch.setattr(packed_rows, "EAGER_BYTES", 399)
    lazy = packed.array()
    assert (lazy.shape, lazy.dtype) == ((50, 8), np.uint8)
    np.testing.assert_array_equal(lazy, layer)
    packed._parts[2] = b"no part of what is asked for"
    np.testing.assert_array_equal(lazy[5:35, 2:], layer[5:35, 2:])
