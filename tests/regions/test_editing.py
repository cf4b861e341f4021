"""Edits of a mask by hand: few pixels, counted by hand; every edit taken back gives the mask before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import RegionError
from spex_nb.regions.editing import History, Patch, brush, delete, merge, region_at, split
from spex_nb.regions.find import find_regions


def blank(height: int = 7, width: int = 9) -> Any:
    return np.zeros((height, width), np.uint8)


def test_a_dab_paints_the_pixels_whose_centre_is_near() -> None:
    painted = brush(blank(), [(4.5, 3.5)], 1.0, 2)
    assert sorted(map(tuple, np.argwhere(painted).tolist())) == [(2, 4), (3, 3), (3, 4), (3, 5), (4, 4)]
    assert set(np.unique(painted)) == {0, 2}


def test_a_stroke_reaches_from_its_first_point_to_its_last_and_over_no_edge() -> None:
    painted = brush(blank(), [(-3, 3.5), (4.5, 3.5), (4.5, 20)], 0.5, 1)
    assert painted[3].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert painted[:, 4].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert not brush(blank(), [(-9, -9)], 2, 1).any()


def test_where_there_is_no_data_nothing_is_painted_and_the_given_mask_stays() -> None:
    mask = blank()
    mask[3, 4] = 255
    painted = brush(mask, [(4.5, 3.5)], 3, 1)
    assert painted[3, 4] == 255
    assert painted[3, 5] == 1
    assert set(np.unique(mask)) == {0, 255}


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_cut_from_edge_to_edge_leaves_two_regions(top: int, bottom: int) -> None:
    mask = np.ones((40, 40), np.uint8)
    cut = split(mask, (top, -2), (bottom, 42))
    parts = find_regions(cut == 1, min_area_px=1, connectivity=8)
    assert len(parts) <= 2
    assert len(parts) == 2 or min(top, bottom) < 2 or max(top, bottom) > 38


def test_a_region_reaches_over_corners_but_not_over_other_classes() -> None:
    mask = blank(3, 4)
    mask[0, 0] = mask[1, 1] = 1
    mask[1, 2] = 2
    assert np.argwhere(region_at(mask, (0.2, 0.9))).tolist() == [[0, 0], [1, 1]]
    assert delete(mask, (1.5, 1.5)).sum() == 2
    with pytest.raises(RegionError, match="Click into a coloured area"):
        region_at(mask, (3.5, 0.5))
    with pytest.raises(RegionError, match="outside the mask"):
        region_at(mask, (-1, 0))


def test_merging_bridges_the_gap_and_keeps_the_first_class() -> None:
    mask = blank()
    mask[2:5, 0:2], mask[2:5, 6:8] = 1, 2
    joined = merge(mask, (0.5, 3.5), (7.5, 3.5))
    assert set(np.unique(joined)) == {0, 1}
    (region,) = find_regions(joined == 1)
    assert region.area_px == 6 + 6 + 4
    with pytest.raises(RegionError, match="another region"):
        merge(joined, (0.5, 3.5), (7.5, 3.5))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=6))
def test_taking_all_edits_back_gives_the_first_mask_and_doing_them_again_the_last(dabs: list[Any]) -> None:
    first = blank()
    first[0, 0] = 255
    history, mask = History(), first
    for x, y, value in dabs:
        after = brush(mask, [(x + 0.5, y + 0.5)], 1.5, value)
        history, mask = history.add(mask, after), after
    last = mask
    for _ in range(len(dabs) + 1):
        history, mask = history.undo(mask)
    assert np.array_equal(mask, first)
    for _ in range(len(dabs) + 1):
        history, mask = history.redo(mask)
    assert np.array_equal(mask, last)


def test_a_new_edit_forgets_what_was_taken_back_and_none_is_no_edit() -> None:
    first = blank()
    second = brush(first, [(1, 1)], 1, 1)
    history, mask = History().add(first, second).undo(second)
    assert len(history.undone) == 1
    assert history.add(mask, mask) is history
    assert history.add(mask, brush(mask, [(5, 5)], 1, 1)).undone == ()
    assert Patch.between(first, first) is None
