"""The map in a real browser: pixels of the scene and the mask arrive in JupyterLab, under a base URL, and in Voila."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from matplotlib.image import imread

from tests.browser.test_workbench_in_browser import wait_until

ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
MASK_RGB = (213, 94, 0)
"""Colour of buildings, which nothing in the scene has."""
CELL = """
from spex_nb import sample_labels, sample_scene
from spex_widgets import MapView
scene = sample_scene("river_10m")
view = MapView()
view.set_scene(scene)
view.set_mask((sample_labels("river_10m") == 1), ["building"])
view.map
"""


@pytest.fixture
def notebook(notebooks: Path) -> str:
    """Write the notebook that shows a map; return its name."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cell = {"cell_type": "code", "id": "map", "metadata": {}, "execution_count": None, "outputs": [], "source": CELL}
    content = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (notebooks / "map.ipynb").write_text(json.dumps(content))
    return "map.ipynb"


@pytest.fixture
def asked(page: Any) -> list[str]:
    """Return the hosts that the page asks, as it asks them."""
    hosts: list[str] = []
    page.on("request", lambda request: hosts.append(urlsplit(request.url).hostname or ""))
    return hosts


def screenshot(page: Any, name: str) -> Any:
    """Return the map as it is on the screen, uint8 [H, W, 3], and keep it."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    encoded = page.locator(".leaflet-container").first.screenshot(path=path)
    return np.round(255 * imread(io.BytesIO(encoded))[..., :3]).astype(int)


def share_of(seen: Any, color: tuple[int, int, int]) -> float:
    return float((np.abs(seen - color).max(axis=-1) <= 2).mean())


def overlays(page: Any) -> Any:
    return page.locator(".leaflet-image-layer[src^='data:image/']")


def wait_for_overlays(page: Any) -> None:
    """Wait until scene and mask are on the map, and are decoded."""
    overlays(page).nth(1).wait_for()
    page.wait_for_function(
        "[...document.querySelectorAll('.leaflet-image-layer')].every(image => image.complete && image.naturalWidth)"
    )


def assert_scene_and_mask(page: Any, name: str) -> None:
    wait_until(page, lambda: share_of(screenshot(page, name), MASK_RGB) > 0.004, "the mask is on the map")
    wait_until(page, lambda: colors(screenshot(page, name)) > 200, "the scene is on the map")


def colors(seen: Any) -> int:
    """Return how many colours a picture has, roughly: an empty map has a handful."""
    return len(np.unique(seen.reshape(-1, 3) // 8, axis=0))


def run_in_lab(page: Any, address: str, notebook: str) -> None:
    page.goto(f"{address}/lab/tree/{notebook}?reset")
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_for_overlays(page)


@pytest.mark.browser
def test_scene_and_mask_arrive_under_a_base_url_and_follow_the_map(
    page: Any, asked: list[str], lab_under_base_url: str, notebook: str
) -> None:
    run_in_lab(page, lab_under_base_url, notebook)
    assert_scene_and_mask(page, "map_under_base_url")
    before = overlays(page).nth(0).get_attribute("src")
    page.locator(".leaflet-control-zoom-in").click()
    page.wait_for_function("before => document.querySelector('.leaflet-image-layer').src !== before", arg=before)
    wait_for_overlays(page)
    assert_scene_and_mask(page, "map_zoomed")
    assert set(asked) <= {"127.0.0.1", ""}


@pytest.mark.browser
def test_scene_and_mask_arrive_in_voila(page: Any, asked: list[str], voila: str, notebook: str) -> None:
    page.goto(f"{voila}/{notebook}")
    wait_for_overlays(page)
    assert_scene_and_mask(page, "map_in_voila")
    assert set(asked) <= {"127.0.0.1", ""}
