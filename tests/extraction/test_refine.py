"""A window predicted again with hints: where it lies, in which pixels hints arrive, and what it replaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spex_nb import load_mask_model, sample_scene
from spex_nb.errors import ExtractionError
from spex_nb.extraction.refine import Hints, hints_within, refine_window, replace_window, window_about


def test_the_window_is_what_is_seen_or_a_tile_about_a_hint_outside_of_its_middle() -> None:
    seen = (100, 200, 300, 300)
    assert window_about((1000, 1000), seen, 300, Hints(((350.0, 250.0, True),))) == (100, 200, 300, 300)
    assert window_about((1000, 1000), (0, 0, 1000, 1000), 200, Hints(((50.0, 900.0, True),))) == (800, 0, 200, 200)
    assert window_about((1000, 1000), (0, 0, 1000, 1000), 200, Hints((), ((490.0, 480.0, 510.0, 520.0),)))[0] == 400
    assert window_about((90, 80), (0, 0, 90, 80), 512, Hints(((1.0, 1.0, True),))) == (0, 0, 90, 80)


def test_hints_move_to_the_window_and_its_pixels() -> None:
    hints = Hints(((15.0, 25.0, False),), ((10.0, 20.0, 14.0, 24.0),))
    moved = hints.moved(10, 20, 0.5)
    assert moved == Hints(((2.5, 2.5, False),), ((0.0, 0.0, 2.0, 2.0),))
    assert hints_within(hints, (20, 10, 4, 4)) == Hints((), hints.boxes)
    assert not Hints()


def test_a_click_changes_its_window_and_nothing_else(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    window = (10, 200, 64, 96)
    plain = refine_window(scene, fake_model, "water", window, Hints())
    found = refine_window(scene, fake_model, "water", window, Hints(((250.5, 30.5, True),)))
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
    plain = refine_window(scene, tiny, "water", whole, Hints())
    lake, river = np.s_[35:90, 205:255], np.s_[110:210]
    clicked = refine_window(scene, tiny, "water", whole, Hints(((230.5, 62.5, False),)))
    assert plain[lake].mean() > 0.7
    assert clicked[lake].mean() < 0.005
    assert (clicked[river] != plain[river]).mean() < 0.001


def test_a_model_of_coarser_pixels_gets_coarser_clicks(fake_model: Any) -> None:
    fake_model.gsd_m = 20.0
    refine_window(sample_scene("river_10m"), fake_model, "water", (0, 0, 64, 64), Hints(((33.0, 17.0, True),)))
    assert fake_model.asked[-1][1] == [((16.5, 8.5, True),)]


def test_what_heeds_no_click_says_so(fake_model: Any) -> None:
    scene = sample_scene("river_10m")
    with pytest.raises(ExtractionError, match="Use the brush"):
        refine_window(scene, load_mask_model("index"), "water", (0, 0, 64, 64), Hints(((1.0, 1.0, True),)))
    with pytest.raises(ExtractionError, match="trained on the target"):
        refine_window(scene, fake_model, "snow", (0, 0, 64, 64), Hints(((1.0, 1.0, True),)))
