"""The workbench in a real browser: from an instruction to coloured pixels, clicks, edits, files and sessions."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import geopandas as gpd
import numpy as np
import pytest
from matplotlib.image import imread

QUICKSTART = Path(__file__).parent.parent.parent / "notebooks" / "00_quickstart.ipynb"
ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
PATIENCE_MS = 240_000
MODEL = """
import time
import numpy as np
from spex_nb import spectral_prior
from spex_widgets import Workbench

class Slow:
    id, targets, required_bands, gsd_m, tile_px, pause = "slow", ("water",), (), None, 64, 0.0
    def predict(self, tile, targets, prompts, priors=None, points=None, boxes=None):
        time.sleep(self.pause)
        found = spectral_prior(tile, "water").mask.values.copy()
        y, x = np.mgrid[0.5:found.shape[0], 0.5:found.shape[1]]
        for cx, cy, yes in (points or [()])[0]:
            found[np.hypot(x - cx, y - cy) < 30] = yes
        return np.where(found, 4, -4).astype("float32")[None]
    def explain(self, overview, prompt, language="en"):
        yield "Water covers 99 % of the scene. "
        yield "<img src=x onerror=window.evil=1>"
"""
WATER = np.array([0, 114, 178])


def notebook(folder: Path, name: str, *cells: str) -> None:
    """Write a notebook of these code cells."""
    made = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text, "execution_count": None, "outputs": []}
        for i, text in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{name}.ipynb").write_text(json.dumps(content))


def open_all(page: Any, address: str, name: str) -> None:
    """Open a notebook, and run all of its cells."""
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=PATIENCE_MS)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".leaflet-container").wait_for()


def turn_to(page: Any, title: str) -> None:
    page.locator(".widget-toggle-button", has_text=title).first.click()


def press(page: Any, text: str) -> None:
    page.locator("button:visible", has_text=text).first.click()


def bluish(page: Any) -> float:
    """Return the share of the map that has the hue of water as it is drawn over any scene."""
    seen = imread(io.BytesIO(page.locator(".leaflet-container").screenshot()))[..., :3] * 255
    return float(((seen[..., 2] - seen[..., 0] > 50) & (seen[..., 2] > seen[..., 1] + 20)).mean())


def wait_for_blue(page: Any, more_than: float) -> float:
    """Wait until more of the map is blue."""
    for _ in range(120):
        share = bluish(page)
        if share > more_than:
            return share
        page.wait_for_timeout(500)
    raise AssertionError(f"only {share:.3f} of the map is blue, expected more than {more_than:.3f}")


def keep(page: Any, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"workbench_{name}.png")


@pytest.mark.browser
def test_from_an_instruction_to_a_corrected_map_and_a_file(  # noqa: PLR0915 (one story, told once)
    page: Any, lab_under_base_url: str, notebooks: Path, tmp_path: Path
) -> None:
    notebook(notebooks, "bench", f"{MODEL}\nmodel = Slow()\nbench = Workbench('river_10m', model)\nbench")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_all(page, lab_under_base_url, "bench")
    box = page.locator("textarea[placeholder^='such as']")
    box.fill("water")
    page.locator(".said", has_text="water bodies").first.wait_for()
    before = bluish(page)
    press(page, "Extract")
    page.get_by_text("Evidence").first.wait_for()
    found = wait_for_blue(page, before + 0.005)
    assert page.locator(".contradicts").first.inner_text() == "99 %"
    assert page.evaluate("window.evil") is None
    assert page.get_by_text("<img src=x").first.is_visible()
    keep(page, "result")

    turn_to(page, "Edit")
    press(page, "+ point")
    area = page.locator(".leaflet-container").bounding_box()
    page.mouse.click(area["x"] + 0.45 * area["width"], area["y"] + 0.4 * area["height"])
    page.get_by_text("1 edit.").wait_for()
    clicked = wait_for_blue(page, found + 0.002)
    keep(page, "refined")
    press(page, "Undo")
    page.get_by_text("0 edits.").wait_for()
    press(page, "Redo")
    page.get_by_text("1 edit.").wait_for()
    wait_for_blue(page, clicked - 0.002)

    turn_to(page, "Take home")
    page.locator("input[type=text]:visible").first.fill(str(tmp_path))
    page.locator("input[type=text]:visible").first.press("Tab")
    press(page, "GeoPackage")
    page.get_by_text("Written to").wait_for()
    assert len(gpd.read_file(tmp_path / "result.gpkg")) > 1
    press(page, "Save session")
    page.get_by_text("Session saved").wait_for()
    keep(page, "export")
    outside = {urlparse(url).hostname for url in asked if url.startswith(("http", "ws"))} - {"127.0.0.1"}
    assert outside == set()

    notebook(notebooks, "again", f"from spex_widgets import Workbench\nbench = Workbench('river_10m', 'index')\n"
             f"bench.reopen({str(tmp_path / 'session.spex')!r})\nbench")  # fmt: skip
    open_all(page, lab_under_base_url, "again")
    assert wait_for_blue(page, found) > found
    turn_to(page, "Edit")
    page.get_by_text("1 edit.").wait_for()


@pytest.mark.browser
def test_a_slow_run_is_cancelled_while_the_kernel_answers(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    notebook(
        notebooks, "slow", f"{MODEL}\nmodel = Slow()\nmodel.pause = 3.0\nbench = Workbench('river_10m', model)\nbench"
    )
    open_all(page, lab_under_base_url, "slow")
    box = page.locator("textarea[placeholder^='such as']")
    box.fill("water")
    page.locator(".said", has_text="water bodies").first.wait_for()
    press(page, "Extract")
    page.get_by_text("tile 2 of").wait_for()
    press(page, "Cancel")
    page.get_by_text("Cancelled.").wait_for()
    box.fill("lakes in the north")
    page.locator(".said", has_text="in the north").first.wait_for()


@pytest.mark.browser
def test_behind_a_prefix_the_quickstart_shows_its_mask(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    shutil.copy(QUICKSTART, notebooks)
    open_all(page, lab_under_base_url, "00_quickstart")
    page.get_by_text("Evidence").first.wait_for()
    wait_for_blue(page, 0.005)
    keep(page, "quickstart")
