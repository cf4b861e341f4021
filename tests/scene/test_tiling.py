"""Scenes are cut at edges and odd sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import GridError
from spex_nb.scene.windows.tiling import Tiling


@st.composite
def tilings(draw: Any) -> Tiling:
    side = draw(st.integers(8, 24))
    return Tiling((draw(st.integers(1, 70)), draw(st.integers(1, 70))), side, draw(st.integers(0, side // 2)))


def test_windows_by_hand() -> None:
    tiling = Tiling((10, 25), 10, 2)
    assert tiling.windows == [(0, 0, 10, 10), (0, 8, 10, 10), (0, 15, 10, 10)]
    assert Tiling((5, 7), 64, 8).windows == [(0, 0, 5, 7)]


def test_weights_by_hand() -> None:
    down, across = (Tiling(shape, 8, 2).weights((0, 0, 8, 8)) for shape in ((14, 8), (8, 14)))
    falling = np.sin(np.pi / 2 * np.array([0.75, 0.25])) ** 2
    np.testing.assert_allclose(down[:, 3], [1] * 6 + falling.tolist(), rtol=1e-6)
    np.testing.assert_array_equal(across, down.T)
    assert falling.sum() == pytest.approx(1)


@given(tilings())
def test_tiles_cover_the_scene_stay_inside_and_count_everywhere(tiling: Tiling) -> None:
    covered = np.zeros(tiling.shape)
    for row, col, height, width in tiling.windows:
        assert min(row, col) >= 0
        covered[row : row + height, col : col + width] += tiling.weights((row, col, height, width))
        assert (height, width) == tiling.size
    assert (covered > 0).all()


@pytest.mark.parametrize("numbers", [((0, 5), 16, 2), ((9, 9), 4, 0), ((9, 9), 16, 9), ((9, 9), 16, -1)])
def test_what_cannot_be_cut_is_refused(numbers: Any) -> None:
    with pytest.raises(GridError, match="Correct tile_px or overlap_px"):
        Tiling(*numbers)
