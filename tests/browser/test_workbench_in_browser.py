"""The workbench in a real browser: from an instruction to coloured pixels, clicks, edits, files and sessions."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from matplotlib.image import imread

QUICKSTART = Path(__file__).parent.parent.parent / "notebooks" / "00_quickstart.ipynb"
DASHBOARD = QUICKSTART.with_name("dashboard.ipynb")
ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
PATIENCE_MS = 240_000
MODEL = """
import time
import numpy as np
from spex_nb import spectral_prior
from spex_nb.types import ModelCard
from spex_widgets import Workbench

class Slow:
    id, pause, card = "slow", 0.0, ModelCard(("water",), tile_px=64, accepts_points=True)
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
WHEN_THE_PAGE_KNOWS_ITS_WIDGETS = """
import asyncio
from ipywidgets import Widget
tell = Widget._handle_control_comm_msg
def tell_and_start(message):
    tell(message)
    bench.state.text = "water"
    asyncio.get_running_loop().call_soon(bench.panels["Ask"].start)
Widget._handle_control_comm_msg = tell_and_start
"""
"""Then it does not listen to them yet: it still loads what draws them."""
WATER, VEGETATION = (0, 114, 178), (0, 158, 115)
"""Colours of their masks, which no scene has."""


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
    """Show a panel by its tab, or by the list behind "More"."""
    tab = page.locator(".widget-toggle-button", has_text=title)
    if tab.count():
        tab.first.click()
    else:
        page.locator("select", has=page.locator("option", has_text="More …")).first.select_option(title)


def press(page: Any, text: str) -> None:
    page.locator("button:visible", has_text=text).first.click()


def seen(page: Any) -> Any:
    """Return the map as it is on the screen: uint8 [H, W, 3]."""
    return np.round(imread(io.BytesIO(page.locator(".leaflet-container").screenshot()))[..., :3] * 255).astype(int)


def different_colors(page: Any) -> int:
    """Return how many colours the map has, roughly: an empty one has a handful."""
    return len(np.unique(seen(page).reshape(-1, 3) // 8, axis=0))


def pictures(page: Any) -> int:
    """Return how many pictures lie on the map."""
    return int(page.locator(".leaflet-image-layer[src^='data:image/']").count())


def share_of(page: Any, color: tuple[int, int, int]) -> float:
    return float((np.abs(seen(page) - color).max(axis=-1) <= 2).mean())


def bluish(page: Any) -> float:
    """Return the share of the map that has the hue of water as it is drawn over any scene."""
    red, green, blue = seen(page).transpose(2, 0, 1)
    return float(((blue - red > 50) & (blue > green + 20)).mean())


def greenish(page: Any) -> float:
    """Return the share of the map that has the hue of vegetation as it is drawn over any scene."""
    red, green, blue = seen(page).transpose(2, 0, 1)
    return float(((green - red > 60) & (green > blue + 10)).mean())


def wait_for_more(page: Any, share: Callable[[], float], least: float) -> float:
    """Wait until more of the map has a colour; return how much."""
    for _ in range(120):
        if (now := share()) > least:
            return now
        page.wait_for_timeout(500)
    raise AssertionError(f"{now:.3f} of the map has the colour, expected more than {least:.3f}")


def wait_for_color(page: Any, color: tuple[int, int, int]) -> float:
    return wait_for_more(page, lambda: share_of(page, color), 0.004)


def wait_for_blue(page: Any, more_than: float) -> float:
    return wait_for_more(page, lambda: bluish(page), more_than)


def hosts_asked(page: Any) -> Callable[[], set[str | None]]:
    """Return what says which hosts the page has asked so far."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    return lambda: {urlparse(url).hostname for url in urls if url.startswith(("http", "ws"))}


def keep(page: Any, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"workbench_{name}.png")


@pytest.mark.browser
def test_from_an_instruction_to_a_corrected_map_and_a_file(  # noqa: PLR0915 (one story, told once)
    page: Any, lab_under_base_url: str, notebooks: Path, tmp_path: Path
) -> None:
    notebook(notebooks, "bench", f"{MODEL}\nmodel = Slow()\nbench = Workbench('river_10m', model)\nbench")
    asked = hosts_asked(page)
    open_all(page, lab_under_base_url, "bench")
    box = page.locator("input[placeholder^='such as']")
    box.fill("water")
    page.locator(".quote", has_text="water bodies").first.wait_for()
    before = bluish(page)
    press(page, "Extract")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    found = wait_for_blue(page, before + 0.005)
    assert page.locator(".contradicts").first.inner_text() == "99 %"
    assert page.evaluate("window.evil") is None
    assert page.get_by_text("<img src=x").first.is_visible()
    keep(page, "result")

    turn_to(page, "Correct")
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

    turn_to(page, "Save")
    page.get_by_label("Folder", exact=True).fill(str(tmp_path))
    page.get_by_label("Folder", exact=True).press("Tab")
    press(page, "GeoPackage")
    page.get_by_text("Written to").wait_for()
    assert len(gpd.read_file(tmp_path / "result.gpkg", layer="regions")) > 1
    press(page, "Save session")
    page.get_by_text("Session saved").wait_for()
    keep(page, "export")
    assert asked() == {"127.0.0.1"}

    notebook(
        notebooks,
        "again",
        f"from spex_widgets import Workbench\nbench = Workbench('river_10m', 'index')\n"
        f"bench.reopen({str(tmp_path / 'session.spex')!r})\nbench",
    )
    open_all(page, lab_under_base_url, "again")
    assert wait_for_blue(page, found) > found
    turn_to(page, "Correct")
    page.get_by_text("1 edit.").wait_for()


@pytest.mark.browser
def test_a_slow_run_is_cancelled_while_the_kernel_answers(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    notebook(
        notebooks, "slow", f"{MODEL}\nmodel = Slow()\nmodel.pause = 3.0\nbench = Workbench('river_10m', model)\nbench"
    )
    open_all(page, lab_under_base_url, "slow")
    box = page.locator("input[placeholder^='such as']")
    box.fill("water")
    page.locator(".quote", has_text="water bodies").first.wait_for()
    press(page, "Extract")
    page.get_by_text("tile 2 of").wait_for()
    assert page.locator("button:visible", has_text="Extract").is_disabled()
    box.fill("lakes in the north")  # while the model thinks
    said = page.locator(".quote", has_text="in the north").first
    said.wait_for()
    assert page.get_by_text(re.compile(r"tile \d of")).count() == 1
    assert "north" in said.inner_text()
    press(page, "Cancel")
    page.get_by_text("Cancelled.").wait_for()
    assert pictures(page) == 1  # the scene, and no mask of the tiles that were done
    assert page.locator("button:visible", has_text="Extract").is_enabled()


@pytest.mark.browser
def test_voila_shows_what_was_found_while_its_page_was_loading(page: Any, voila: str, notebooks: Path) -> None:
    asked = hosts_asked(page)
    shown = f"{MODEL}\nbench = Workbench('river_10m', Slow())\nbench.state.opacity = 1.0\nbench"
    notebook(notebooks, "dashboard", shown, WHEN_THE_PAGE_KNOWS_ITS_WIDGETS)
    page.set_default_timeout(PATIENCE_MS)
    drawing = re.compile(r"(jupyter-leaflet|jupyterlab-manager)/static/\d+\.")
    page.route(drawing, lambda route: (page.wait_for_timeout(3000), route.continue_()))
    page.goto(f"{voila}/dashboard.ipynb")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    assert wait_for_color(page, WATER) > 0.004
    assert different_colors(page) > 200
    keep(page, "voila_loaded")
    assert asked() == {"127.0.0.1"}


@pytest.mark.browser
def test_a_question_about_the_numbers_is_settled_by_a_click(
    page: Any, lab_under_base_url: str, notebooks: Path
) -> None:
    reflectance = np.empty((4, 64, 64))
    reflectance[:] = np.array([0.10, 0.14, 0.19, 0.29])[:, None, None]
    reflectance[:, :16] = np.array([0.055, 0.05, 0.03, 0.015])[:, None, None]
    raw = np.rint((reflectance + 0.1) / 2e-5).astype(np.uint16)  # as Landsat Level-1 keeps it
    grid = {"crs": "EPSG:32632", "transform": rasterio.Affine(30, 0, 5e5, 0, -30, 5e6)}
    with rasterio.open(
        notebooks / "level1.tif", "w", driver="GTiff", count=4, height=64, width=64, dtype="uint16", **grid
    ) as file:
        file.write(raw)
        file.descriptions = ("blue", "green", "red", "nir")
    notebook(
        notebooks,
        "question",
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "from spex_nb import open_scene\nfrom spex_widgets import Workbench\n"
        "bench = Workbench(open_scene('level1.tif', sensor='landsat8'), 'index')\nbench",
    )
    open_all(page, lab_under_base_url, "question")
    page.locator(".spex .note", has_text="Level-1 top-of-atmosphere").first.wait_for()
    keep(page, "question")
    press(page, "Open with scale=2e-05")
    page.locator(".spex td", has_text="raw × 2e-05 -0.1").first.wait_for()
    page.locator(".spex .note", has_text="Level-1 top-of-atmosphere").first.wait_for(state="hidden")
    assert page.locator("button:visible", has_text="Open with").count() == 0
    page.locator(".leaflet-image-layer[src^='data:image/']").first.wait_for()
    wait_for_more(page, lambda: float((seen(page).std(axis=(0, 1)) > 20).all()), 0.5)  # the lake and its shore
    keep(page, "question_settled")


@pytest.mark.browser
def test_the_dashboard_answers_an_instruction_in_voila(page: Any, voila: str, notebooks: Path) -> None:
    asked = hosts_asked(page)
    shutil.copy(DASHBOARD, notebooks / "page.ipynb")
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{voila}/page.ipynb")
    page.locator(".leaflet-image-layer[src^='data:image/']").first.wait_for()
    assert page.locator("h1").count() == 0  # neither lesson nor exercises
    map_box, root = page.locator(".leaflet-container").bounding_box(), page.locator(".spex-workbench").bounding_box()
    assert map_box["height"] > 0.85 * 720
    assert root["y"] + root["height"] <= 720
    assert different_colors(page) > 200
    assert share_of(page, VEGETATION) == 0
    box = page.locator("input[placeholder^='such as']")
    box.fill("vegetation <img src=x onerror=window.evil=1>")
    page.get_by_role("alert").first.wait_for()
    page.get_by_title("Layers of the map").click()
    page.get_by_role("slider", name="Opacity of the result").press("End")  # opaque, so that colours are exact
    box.click()
    press(page, "everything except vegetation")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    press(page, "vegetation")
    assert wait_for_more(page, lambda: share_of(page, VEGETATION), 0.1) < 0.6
    legend = page.locator(".spex-legend")
    legend.get_by_text(" px").wait_for()
    page.get_by_title("Show the result").click()
    wait_for_more(page, lambda: float(share_of(page, VEGETATION) < 0.01), 0.5)  # the legend keeps its colour
    assert page.evaluate("window.evil") is None
    keep(page, "voila")
    assert asked() == {"127.0.0.1"}


@pytest.mark.browser
def test_behind_a_prefix_the_quickstart_shows_its_mask(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    shutil.copy(QUICKSTART, notebooks)
    asked = hosts_asked(page)
    open_all(page, lab_under_base_url, "00_quickstart")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    wait_for_more(page, lambda: greenish(page), 0.1)  # the forests
    assert different_colors(page) > 200
    assert pictures(page) == 2  # scene and mask
    assert asked() == {"127.0.0.1"}
    keep(page, "quickstart")


@pytest.mark.browser
def test_jupyterlab_opens_on_a_scene_that_takes_instructions(page: Any, lab: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{lab}/lab/tree/00_quickstart.ipynb?reset")
    page.locator(".leaflet-image-layer[src^='data:image/']").first.wait_for()  # nobody ran a cell
    assert page.locator(".spex-workbench").count() == 1
    map_box, side = page.locator(".spex-map").bounding_box(), page.locator(".spex-fit").nth(1).bounding_box()
    assert map_box["height"] <= 0.7 * 720 + 1
    assert side["x"] >= map_box["x"] + map_box["width"] - 1  # beside the map, with the file browser open
    assert side["width"] >= 300
    assert side["x"] + side["width"] <= 1280
    keep(page, "first_sight")
    page.locator(".spex-workbench[data-ready]").wait_for()
    press(page, "vegetation")
    page.locator("[data-region='0']:visible").first.click()
    page.locator(".leaflet-container path[stroke='#ffffff'][stroke-width='4']").first.wait_for()  # its outline
    page.locator("body").press("Escape")
    keep(page, "first_answer")
