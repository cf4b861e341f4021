"""The first lesson in a real JupyterLab: all cells run, and pictures arrive on the screen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"


@pytest.mark.browser
def test_the_first_lesson_shows_its_pictures(page: Any, lab: str) -> None:
    page.goto(f"{lab}/lab/tree/01_open_a_scene.ipynb?reset")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=90_000)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    pictures = page.locator(".jp-OutputArea-output img")
    pictures.nth(3).wait_for(timeout=120_000)
    assert pictures.count() == 4
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    pictures.nth(1).scroll_into_view_if_needed()
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "lesson_01.png")
    seen = imread(io.BytesIO(pictures.nth(1).screenshot()))[..., :3]
    red = (seen[..., 0] > 0.5) & (seen[..., 0] > 1.5 * seen[..., 1])  # vegetation in false colour
    assert red.mean() > 0.05
    assert np.std(seen) > 0.1
