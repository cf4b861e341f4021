"""The workbench in a real browser: from an instruction to coloured pixels, clicks, edits, files and sessions."""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from matplotlib.image import imread
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS

QUICKSTART = Path(__file__).parent.parent.parent / "notebooks" / "00_quickstart.ipynb"
DASHBOARD = QUICKSTART.with_name("dashboard.ipynb")
ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
TABS = ("Ask", "Correct", "Save")
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
MODEL = """
import time
import numpy as np
from spex_nb import spectral_prior
from spex_nb.types import ModelCard
from spex_widgets import Workbench

class Slow:
    id, gate, card = "slow", None, ModelCard(("water",), tile_px=64, accepts_points=True)
    def predict(self, tile, targets, prompts, priors=None, points=None, boxes=None):
        is_first = tile.spex.transform.c == bench.state.scene.spex.transform.c
        while self.gate is not None and not is_first and not self.gate.exists():
            time.sleep(0.05)
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
    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".spex-workbench[data-ready]").wait_for()
    picture_of_scene(page).wait_for()
    settled(page)


def turn_to(page: Any, title: str) -> None:
    """Show a panel by its tab, or by the list behind "More", and wait until it is there."""
    if title in TABS:
        page.get_by_role("tab", name=title, exact=True).click()
    else:
        page.locator("select", has=page.locator("option", has_text="More …")).first.select_option(title)
    page.locator(f".spex-page-{title.lower().replace(' ', '-')}").wait_for()


def press(page: Any, text: str) -> None:
    page.locator("button:visible", has_text=text).first.click()


def picture_of_scene(page: Any) -> Any:
    """Return the first picture on the map, once it is there."""
    return page.locator(".leaflet-image-layer[src^='data:image/']").first


def wait_until(page: Any, is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so that only this process can tell, such as the colours of a picture."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"It never was so: {what}")
        page.wait_for_timeout(200)


def settled(page: Any) -> Any:
    """Return the map, uint8 [H, W, 3], once it looks the same twice in a row: nothing fades in or moves."""
    pictures_so_far = [seen(page)]

    def is_still() -> bool:
        pictures_so_far.append(seen(page))
        return np.array_equal(pictures_so_far[-2], pictures_so_far[-1])

    wait_until(page, is_still, "the map is still")
    return pictures_so_far[-1]


def seen(page: Any) -> Any:
    """Return the map as it is on the screen: uint8 [H, W, 3]."""
    return np.round(imread(io.BytesIO(page.locator(".leaflet-container").screenshot()))[..., :3] * 255).astype(int)


def different_colors(page: Any) -> int:
    """Return how many colours the map has, roughly: an empty one has a handful."""
    return len(np.unique(seen(page).reshape(-1, 3) // 8, axis=0))


def expect_pictures(page: Any, number: int) -> None:
    """Wait until this many pictures lie on the map."""
    expect(page.locator(".leaflet-image-layer[src^='data:image/']")).to_have_count(number)


def expect_many_colors(page: Any) -> None:
    """Wait until the scene is seen."""
    wait_until(page, lambda: different_colors(page) > 200, "more than 200 colours are on the map")


def box_of(page: Any, css: str) -> Any:
    """Return where an element lies on the screen."""
    return page.locator(css).bounding_box()


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
    shares: list[float] = []
    wait_until(
        page, lambda: shares.append(share()) or shares[-1] > least, f"more than {least:.3f} of the map has the colour"
    )
    return shares[-1]


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
    wait_for_blue(page, before + 0.005)
    settled(page)
    found = bluish(page)
    expect(page.locator(".contradicts").first).to_have_text("99 %")
    expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert page.evaluate("window.evil") is None
    keep(page, "result")

    turn_to(page, "Correct")
    press(page, "+ point")
    area = page.locator(".leaflet-container").bounding_box()
    page.mouse.click(area["x"] + 0.45 * area["width"], area["y"] + 0.4 * area["height"])
    page.get_by_text("1 edit.").wait_for()
    wait_for_blue(page, found + 0.002)
    settled(page)
    clicked = bluish(page)
    keep(page, "refined")
    press(page, "Undo")
    page.get_by_text("0 edits.").wait_for()
    wait_until(page, lambda: bluish(page) < clicked - 0.001, "the water of the click is gone")
    press(page, "Redo")
    page.get_by_text("1 edit.").wait_for()
    wait_for_blue(page, clicked - 0.001)

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
    wait_for_blue(page, found)
    turn_to(page, "Correct")
    page.get_by_text("1 edit.").wait_for()


@pytest.mark.browser
def test_a_slow_run_is_cancelled_while_the_kernel_answers(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    gate = notebooks / "the_model_may_go_on"
    held = f"from pathlib import Path\nmodel = Slow()\nmodel.gate = Path({str(gate)!r})"
    notebook(notebooks, "slow", f"{MODEL}\n{held}\nbench = Workbench('river_10m', model)\nbench")
    open_all(page, lab_under_base_url, "slow")
    box = page.locator("input[placeholder^='such as']")
    box.fill("water")
    page.locator(".quote", has_text="water bodies").first.wait_for()
    press(page, "Extract")
    page.get_by_text("tile 2 of").wait_for()
    expect(page.locator("button:visible", has_text="Extract")).to_be_disabled()
    box.fill("lakes in the north")  # while the model thinks
    said = page.locator(".quote", has_text="in the north").first
    expect(said).to_contain_text("north")
    expect(page.get_by_text(re.compile(r"tile \d of"))).to_have_count(1)
    press(page, "Cancel")
    page.get_by_text("Stopping after this tile").wait_for()
    gate.touch()
    page.get_by_text("Cancelled.").wait_for()
    expect_pictures(page, 1)  # the scene, and no mask of the tiles that were done
    expect(page.locator("button:visible", has_text="Extract")).to_be_enabled()


@pytest.mark.browser
def test_voila_shows_what_was_found_while_its_page_was_loading(page: Any, voila: str, notebooks: Path) -> None:
    asked = hosts_asked(page)
    shown = f"{MODEL}\nbench = Workbench('river_10m', Slow())\nbench.state.opacity = 1.0\nbench"
    notebook(notebooks, "dashboard", shown, WHEN_THE_PAGE_KNOWS_ITS_WIDGETS)
    drawing = re.compile(r"(jupyter-leaflet|jupyterlab-manager)/static/\d+\.")
    page.route(drawing, lambda route: (page.wait_for_timeout(3000), route.continue_()))
    page.goto(f"{voila}/dashboard.ipynb")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    wait_for_color(page, WATER)
    expect_many_colors(page)
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
    expect(page.locator("button:visible", has_text="Open with")).to_have_count(0)
    picture_of_scene(page).wait_for()
    wait_until(page, lambda: bool((seen(page).std(axis=(0, 1)) > 20).all()), "the lake and its shore are seen")
    keep(page, "question_settled")


@pytest.mark.browser
def test_the_dashboard_answers_an_instruction_in_voila(page: Any, voila: str, notebooks: Path) -> None:
    asked = hosts_asked(page)
    shutil.copy(DASHBOARD, notebooks / "page.ipynb")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{voila}/page.ipynb")
    page.locator(".spex-workbench[data-ready]").wait_for()
    picture_of_scene(page).wait_for()
    assert page.locator("h1").count() == 0  # neither lesson nor exercises
    wait_until(page, lambda: box_of(page, ".leaflet-container")["height"] > 0.85 * 720, "the map fills the page")
    root = box_of(page, ".spex-workbench")
    assert root["y"] + root["height"] <= 720
    expect_many_colors(page)
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
    page.locator(".spex-legend", has_text=re.compile(r"vegetation.* px")).wait_for()
    page.get_by_title("Show the result").click()
    wait_until(page, lambda: share_of(page, VEGETATION) < 0.01, "only the legend has the colour of vegetation")
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
    expect_many_colors(page)
    expect_pictures(page, 2)  # scene and mask
    assert asked() == {"127.0.0.1"}
    keep(page, "quickstart")


@pytest.mark.browser
def test_jupyterlab_opens_on_a_scene_that_takes_instructions(page: Any, lab: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{lab}/lab/tree/00_quickstart.ipynb?reset")
    picture_of_scene(page).wait_for()  # nobody ran a cell
    page.locator(".spex-workbench[data-ready]").wait_for()
    settled(page)
    assert page.locator(".spex-workbench").count() == 1
    map_box, side = box_of(page, ".spex-map"), page.locator(".spex-fit").nth(1).bounding_box()
    assert map_box["height"] <= 0.7 * 720 + 1
    assert side["x"] >= map_box["x"] + map_box["width"] - 1  # beside the map, with the file browser open
    assert side["width"] >= 300
    assert side["x"] + side["width"] <= 1280
    keep(page, "first_sight")
    press(page, "vegetation")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    page.locator("[data-region='0']:visible").first.click()
    page.locator(".leaflet-container path[stroke='#ffffff'][stroke-width='4']").first.wait_for()  # its outline
    page.locator("body").press("Escape")
    keep(page, "first_answer")
