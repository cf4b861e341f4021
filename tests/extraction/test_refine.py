"""A window predicted again with hints: where it lies, in which pixels hints arrive, and what it replaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from spex_nb import load_mask_model, sample_scene
from spex_nb.errors import ExtractionError
from spex_nb.extraction.refine import (
    CLICK_LOGIT,
    NEAR_PX,
    UserPrompts,
    enforce_clicks,
    prompts_within,
    refine_window,
    replace_window,
    window_about,
)

pytestmark = pytest.mark.slow


def test_the_window_is_what_is_seen_or_a_tile_about_a_hint_outside_of_its_middle() -> None:
    seen = (100, 200, 300, 300)
    assert window_about((1000, 1000), seen, 300, UserPrompts(((350.0, 250.0, True),))) == (100, 200, 300, 300)
    assert window_about((1000, 1000), (0, 0, 1000, 1000), 200, UserPrompts(((50.0, 900.0, True),))) == (
        800,
        0,
        200,
        200,
    )
    assert (
        window_about((1000, 1000), (0, 0, 1000, 1000), 200, UserPrompts((), ((490.0, 480.0, 510.0, 520.0),)))[0] == 400
    )
    assert window_about((90, 80), (0, 0, 90, 80), 512, UserPrompts(((1.0, 1.0, True),))) == (0, 0, 90, 80)


def test_hints_move_to_the_window_and_its_pixels() -> None:
    hints = UserPrompts(((15.0, 25.0, False),), ((10.0, 20.0, 14.0, 24.0),))
    moved = hints.moved(10, 20, 0.5)
    assert moved == UserPrompts(((2.5, 2.5, False),), ((0.0, 0.0, 2.0, 2.0),))
    assert prompts_within(hints, (20, 10, 4, 4)) == UserPrompts((), hints.boxes)
    assert not UserPrompts()


def test_a_click_changes_its_window_and_nothing_else(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    window = (10, 200, 64, 96)
    plain = refine_window(scene, fake_model, "water", window, UserPrompts())
    found = refine_window(scene, fake_model, "water", window, UserPrompts(((250.5, 30.5, True),)))
    assert found.shape == (64, 96)
    assert found[20, 50]
    added = np.argwhere(found & ~plain)
    assert np.hypot(*(added + 0.5 - [20.5, 50.5]).T).max() < 8
    mask = np.full(scene.spex.shape, 2, np.uint8)
    mask[0, 0], mask[11, 201] = 255, 255
    replaced = replace_window(mask, window, 1, found)
    assert np.array_equal(replaced[10:74, 200:296] == 1, found & (mask[10:74, 200:296] != 255))
    assert replaced[11, 201] == 255
    assert (replaced[:10] == mask[:10]).all()


def test_the_checkpoint_that_ships_gives_way_to_a_click() -> None:
    pytest.importorskip("torch", reason="the model needs the extra [model]")
    scene, tiny, whole = sample_scene("river_10m"), load_mask_model("tiny"), (0, 0, 320, 320)
    plain = refine_window(scene, tiny, "water", whole, UserPrompts())
    lake, river = np.s_[35:90, 205:255], np.s_[110:210]
    clicked = refine_window(scene, tiny, "water", whole, UserPrompts(((230.5, 62.5, False),)))
    assert plain[lake].mean() > 0.7
    assert clicked[lake].mean() < 0.005
    assert (clicked[river] != plain[river]).mean() < 0.001


def test_a_model_of_coarser_pixels_gets_coarser_clicks(fake_model: Any) -> None:
    fake_model.card = replace(fake_model.card, gsd_m=20.0)
    refine_window(sample_scene("river_10m"), fake_model, "water", (0, 0, 64, 64), UserPrompts(((33.0, 17.0, True),)))
    assert fake_model.asked[-1][1] == [((16.5, 8.5, True),)]


def test_what_heeds_no_click_says_so(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    with pytest.raises(ExtractionError, match="Use the brush"):
        refine_window(scene, load_mask_model("index"), "water", (0, 0, 64, 64), UserPrompts(((1.0, 1.0, True),)))
    with pytest.raises(ExtractionError, match="trained on the target"):
        refine_window(scene, fake_model, "snow", (0, 0, 64, 64), UserPrompts(((1.0, 1.0, True),)))


SIDE = 160


def halves() -> xr.Dataset:
    """Return a dark upper and a bright lower half, further apart than ``SPECTRAL_SIGMA``, and a corner without data."""
    pixels = np.full((SIDE, SIDE), 0.1, np.float32)
    pixels[SIDE // 2 :] = 0.5
    pixels[:4, :4] = np.nan
    return xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))


def wrong(value: float = -5.0) -> Any:
    return np.full((SIDE, SIDE), value, np.float32)


def test_a_click_that_the_model_missed_is_heeded_and_so_is_what_looks_alike_and_lies_near() -> None:
    heeded = enforce_clicks(wrong(), halves(), [(80.5, 40.5, True)])
    assert heeded[40, 80] == CLICK_LOGIT
    # -5 + 8 / 1.01 * exp(-(d / NEAR_PX)**2 / 2) is zero at 46.1 px
    assert NEAR_PX == 48
    assert heeded[40, 80 + 45] > 0 > heeded[40, 80 + 47]
    assert heeded[40, 80 + 40] == pytest.approx(-5 + 8 / 1.01 * np.exp(-((40 / 48) ** 2) / 2), abs=1e-3)
    assert (heeded[SIDE // 2 + 1 :] < 0).all()
    assert (heeded[:4, :4] == -5).all()


def test_what_the_model_knew_already_stays_as_it_was() -> None:
    logits = wrong()
    logits[:80] = 4
    assert np.array_equal(enforce_clicks(logits, halves(), [(80.5, 40.5, True), (80.5, 120.5, False)]), logits)
    assert enforce_clicks(logits, halves(), []) is logits


def test_the_rim_of_what_is_taken_away_goes_with_it_unless_it_was_clicked_or_leads_on() -> None:
    pixels = np.full((SIDE, SIDE), 0.5, np.float32)
    pixels[30:50, 30:50], pixels[31:49, 31:49] = 0.3, 0.1  # a dark pond within a rim of mixed pixels
    pond = xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))
    logits = wrong()
    logits[30:50, 30:50] = 4
    assert (enforce_clicks(logits, pond, [(40.5, 40.5, False)]) < 0).all()
    kept = enforce_clicks(logits, pond, [(40.5, 40.5, False), (30.5, 40.5, True)])
    assert kept[40, 30] > 0 > kept[40, 40]
    logits[35, 50:100] = 4  # a ditch that leads away from the pond
    led = enforce_clicks(logits, pond, [(40.5, 40.5, False)])
    assert (led[35, 60:100] > 0).all()
    assert (led[32:48, 32:48] < 0).all()


def test_holes_in_what_is_added_are_filled() -> None:
    pixels = np.full((SIDE, SIDE), 0.1, np.float32)
    pixels[80:], pixels[40, 85] = 0.5, 0.5
    speckled = xr.Dataset(dict.fromkeys(("red", "nir"), (("y", "x"), pixels)))
    heeded = enforce_clicks(wrong(), speckled, [(80.5, 40.5, True)])
    assert (heeded[35:45, 80:95] > 0).all()
    assert (heeded[90:] < 0).all()


def test_one_click_holds_back_another() -> None:
    alone = enforce_clicks(wrong(), halves(), [(80.5, 40.5, True)])
    both = enforce_clicks(wrong(), halves(), [(80.5, 40.5, True), (100.5, 40.5, False)])
    assert alone[40, 100] > 0 > both[40, 100]
    assert both[40, 80] == CLICK_LOGIT


def test_of_two_clicks_on_a_pixel_the_later_counts_and_one_without_data_not_at_all() -> None:
    again = enforce_clicks(wrong(), halves(), [(80.2, 40.2, True), (80.8, 40.8, False)])
    assert np.array_equal(again, wrong())
    empty = wrong()
    empty[:4, :4] = -np.inf
    assert np.array_equal(enforce_clicks(empty, halves(), [(1.5, 1.5, True)]), empty)
    nothing = halves() * np.nan
    assert enforce_clicks(wrong(), nothing, [(80.5, 40.5, True)])[40, 81] == -5


def test_a_box_means_what_looks_like_its_middle_within_it() -> None:
    heeded = enforce_clicks(wrong(), halves(), [], [(20.0, 10.0, 150.0, 90.0)])
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
    heeded = enforce_clicks(wrong(value), halves(), [(x + 0.5, y + 0.5, yes) for (x, y), yes in clicks.items()])
    assert all((heeded[y, x] > 0) == yes for (x, y), yes in clicks.items())
    assert np.isfinite(heeded).all()
