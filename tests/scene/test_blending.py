"""Tiles are put together again, exactly, at edges and odd sizes, in bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.scene.windows.blending import blend, in_steps
from spex_nb.scene.windows.tiling import Tiling
from spex_nb.types import Window
from tests.scene.test_tiling import tilings


def cut(values: Any, window: Window) -> Any:
    row, col, height, width = window
    return values[:, row : row + height, col : col + width]


def whole(tiling: Tiling, logits: Any) -> Any:
    return np.concatenate([rows for _, rows in blend(tiling, lambda w: cut(logits, w), len(logits))], axis=1)


@given(tilings(), st.integers(1, 3))
def test_what_no_tile_changes_is_blended_into_itself(tiling: Tiling, layers: int) -> None:
    logits = np.random.default_rng(0).normal(size=(layers, *tiling.shape)).astype(np.float32)
    np.testing.assert_allclose(whole(tiling, logits), logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(whole(tiling, logits) > 0, logits > 0)


def test_no_data_stays_no_data_and_is_never_mixed_in() -> None:
    logits = np.ones((2, 40, 50), np.float32)
    logits[:, 10:20, :30] = np.nan
    np.testing.assert_array_equal(np.isnan(whole(Tiling((40, 50), 16, 6), logits)), np.isnan(logits))
    np.testing.assert_allclose(whole(Tiling((40, 50), 16, 6), logits)[:, 20:], 1, rtol=1e-6)


def test_a_tile_without_logits_is_served_by_its_neighbours_where_they_reach() -> None:
    tiling = Tiling((10, 26), 10, 2)
    rows = next(blend(tiling, lambda w: None if w[1] == 8 else np.full((1, 10, 10), float(w[1]), np.float32), 1))[1]
    assert np.isnan(rows[0, 0]).tolist() == [False] * 10 + [True] * 6 + [False] * 10
    assert rows[0, 0, [9, 16]].tolist() == [0, 16]


def test_neighbours_that_disagree_change_into_each_other_without_a_step() -> None:
    tiling = Tiling((20, 30), 20, 10)
    rows = next(blend(tiling, lambda w: np.full((1, 20, 20), float(w[1]), np.float32), 1))[1][0, 0]
    steps = np.diff(rows)
    assert (steps >= 0).all()
    assert steps.max() < 2
    assert (rows[0], rows[-1]) == (0, 10)


def test_memory_does_not_grow_with_the_height_of_the_scene() -> None:
    tile = np.ones((1, 64, 64), np.float32)

    def peak(height: int) -> int:
        tracemalloc.start()
        for _ in blend(Tiling((height, 256), 64, 16), lambda _: tile, 1):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(4000) < 1.2 * peak(400)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 7))
def test_rows_are_cut_anew(heights: list[int], step: int) -> None:
    rows = np.arange(sum(heights), dtype=np.float32)[None, :, None] * np.ones((2, 1, 3), np.float32)
    ends = np.cumsum(heights)
    pieces = [(int(end) - h, rows[:, end - h : end]) for h, end in zip(heights, ends, strict=True)]
    again = list(in_steps(pieces, step))
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in again], axis=1), rows)
    assert [top for top, _ in again] == list(range(0, sum(heights), step))
    assert {piece.shape[1] for _, piece in again[:-1]} <= {step}
