"""Lessons in a real JupyterLab: all cells run, pictures arrive on the screen, and a slider changes a prompt."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import expect

ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"


PICTURES = ".jp-OutputArea-output img"
ERRORS = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"


def run_all(page: Any, lab: str, lesson: str) -> None:
    """Open a lesson, and run all of its cells."""
    page.goto(f"{lab}/lab/tree/{lesson}.ipynb?reset")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")


@pytest.mark.browser
def test_the_first_lesson_shows_its_pictures(page: Any, lab: str) -> None:
    run_all(page, lab, "01_open_a_scene")
    pictures = page.locator(PICTURES)
    expect(pictures).to_have_count(9)
    expect(page.locator(ERRORS)).to_have_count(0)
    pictures.nth(1).scroll_into_view_if_needed()
    page.wait_for_function(
        f"[...document.querySelectorAll('{PICTURES}')].every(one => one.complete && one.naturalWidth)"
    )
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "lesson_01.png")
    seen = imread(io.BytesIO(pictures.nth(1).screenshot()))[..., :3]
    red = (seen[..., 0] > 0.5) & (seen[..., 0] > 1.5 * seen[..., 1])  # vegetation in false colour
    assert red.mean() > 0.05
    assert np.std(seen) > 0.1


@pytest.mark.browser
def test_in_the_third_lesson_a_threshold_changes_what_the_model_is_told(page: Any, lab: str) -> None:
    run_all(page, lab, "03_from_index_to_words")
    prompt = page.locator(".jp-OutputArea-output .widget-html pre")
    prompt.wait_for()
    assert prompt.inner_text().count("Size of area") == 2
    page.locator(PICTURES).nth(6).wait_for()  # the explorer's two, and five below
    slider = page.locator(".noUi-handle")
    slider.focus()
    slider.press("End")
    regions_told = "document.querySelector('.widget-html pre').innerText.split('Size of area').length - 1"
    page.wait_for_function(f"{regions_told} > 2")  # the river falls to pieces
    expect(page.locator(ERRORS)).to_have_count(0)
    slider.scroll_into_view_if_needed()
    page.screenshot(path=ARTIFACTS / "lesson_03.png")
