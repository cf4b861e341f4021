"""Clicks and boxes as facts: by numbers worked out by hand on a scene of two halves, and by property."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.extraction.heeding import NEAR_PX, SURE, heed

SIDE = 160


def halves() -> xr.Dataset:
    """Return a dark upper and a bright lower half, which are more than ``ALIKE`` apart, and a corner without data."""
    pixels = np.full((SIDE, SIDE), 0.1, np.float32)
    pixels[SIDE // 2 :] = 0.5
    pixels[:4, :4] = np.nan
    return xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))


def wrong(value: float = -5.0) -> Any:
    return np.full((SIDE, SIDE), value, np.float32)


def test_a_click_that_the_model_missed_is_heeded_and_so_is_what_looks_alike_and_lies_near() -> None:
    heeded = heed(wrong(), halves(), [(80.5, 40.5, True)])
    assert heeded[40, 80] == SURE
    # -5 + 8 / 1.01 * exp(-(d / NEAR_PX)**2 / 2) is zero at 46.1 px
    assert NEAR_PX == 48
    assert heeded[40, 80 + 45] > 0 > heeded[40, 80 + 47]
    assert heeded[40, 80 + 40] == pytest.approx(-5 + 8 / 1.01 * np.exp(-((40 / 48) ** 2) / 2), abs=1e-3)
    assert (heeded[SIDE // 2 + 1 :] < 0).all()
    assert (heeded[:4, :4] == -5).all()


def test_what_the_model_knew_already_stays_as_it_was() -> None:
    logits = wrong()
    logits[:80] = 4
    assert np.array_equal(heed(logits, halves(), [(80.5, 40.5, True), (80.5, 120.5, False)]), logits)
    assert heed(logits, halves(), []) is logits


def test_the_rim_of_what_is_taken_away_goes_with_it_unless_it_was_clicked_or_leads_on() -> None:
    pixels = np.full((SIDE, SIDE), 0.5, np.float32)
    pixels[30:50, 30:50], pixels[31:49, 31:49] = 0.3, 0.1  # a dark pond within a rim of mixed pixels
    pond = xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))
    logits = wrong()
    logits[30:50, 30:50] = 4
    assert (heed(logits, pond, [(40.5, 40.5, False)]) < 0).all()
    kept = heed(logits, pond, [(40.5, 40.5, False), (30.5, 40.5, True)])
    assert kept[40, 30] > 0 > kept[40, 40]
    logits[35, 50:100] = 4  # a ditch that leads away from the pond
    led = heed(logits, pond, [(40.5, 40.5, False)])
    assert (led[35, 60:100] > 0).all()
    assert (led[32:48, 32:48] < 0).all()


def test_holes_in_what_is_added_are_filled() -> None:
    pixels = np.full((SIDE, SIDE), 0.1, np.float32)
    pixels[80:], pixels[40, 85] = 0.5, 0.5
    speckled = xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))
    heeded = heed(wrong(), speckled, [(80.5, 40.5, True)])
    assert (heeded[35:45, 80:95] > 0).all()
    assert (heeded[90:] < 0).all()


def test_one_click_holds_back_another() -> None:
    alone = heed(wrong(), halves(), [(80.5, 40.5, True)])
    both = heed(wrong(), halves(), [(80.5, 40.5, True), (100.5, 40.5, False)])
    assert alone[40, 100] > 0 > both[40, 100]
    assert both[40, 80] == SURE


def test_of_two_clicks_on_a_pixel_the_later_counts_and_one_without_data_not_at_all() -> None:
    again = heed(wrong(), halves(), [(80.2, 40.2, True), (80.8, 40.8, False)])
    assert np.array_equal(again, wrong())
    empty = wrong()
    empty[:4, :4] = -np.inf
    assert np.array_equal(heed(empty, halves(), [(1.5, 1.5, True)]), empty)
    nothing = halves() * np.nan
    assert heed(wrong(), nothing, [(80.5, 40.5, True)])[40, 81] == -5


def test_a_box_means_what_looks_like_its_middle_within_it() -> None:
    heeded = heed(wrong(), halves(), [], [(20.0, 10.0, 150.0, 90.0)])
    assert (heeded[12:78, 22:148] > 0).all()
    assert (heeded[84:, :] < 0).all()
    assert np.array_equal(heeded > 0, (heeded > 0) & (np.indices((SIDE, SIDE))[1] >= 20))


@given(
    st.dictionaries(
        st.tuples(st.integers(5, SIDE - 1), st.integers(5, SIDE - 1)), st.booleans(), min_size=1, max_size=6
    ),
    st.floats(-9, 9),
)
def test_every_click_is_agreed_with(clicks: dict[tuple[int, int], bool], value: float) -> None:
    heeded = heed(wrong(value), halves(), [(x + 0.5, y + 0.5, yes) for (x, y), yes in clicks.items()])
    assert all((heeded[y, x] > 0) == yes for (x, y), yes in clicks.items())
    assert np.isfinite(heeded).all()
