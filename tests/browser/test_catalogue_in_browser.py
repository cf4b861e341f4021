"""The catalogue in a real browser: from a place to bands on the map, by a real STAC API on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_workbench_in_browser import keep, notebook, open_all, press, turn_to
from tests.scene.test_catalogue_search import api, files

__all__ = ["api", "files"]


@pytest.mark.browser
def test_a_scene_is_searched_looked_at_and_opened(
    page: Any,
    lab_under_base_url: str,
    notebooks: Path,
    api: str,
) -> None:
    notebook(
        notebooks,
        "catalogue",
        "from spex_nb import open_scene\nfrom spex_nb.scene.samples import sample_path\n"
        "from spex_widgets import Workbench\nWorkbench(open_scene(sample_path('river_10m')), 'index')",
    )
    open_all(page, lab_under_base_url, "catalogue")
    turn_to(page, "Catalogue")
    place = page.get_by_label("Place", exact=True)
    press(page, "Place of the scene")
    page.wait_for_function("box => box.value.startsWith('10.39')", arg=place.element_handle())
    for label, text in (("Catalogue", api), ("Dates", "2024-05/2024-08")):
        page.get_by_label(label, exact=True).fill(text)
        page.get_by_label(label, exact=True).press("Tab")
    press(page, "Search")
    page.get_by_text("2 scenes.").wait_for()
    page.get_by_label("Found", exact=True).select_option(index=1)
    press(page, "Pictures")
    page.get_by_text("1 of 2 scenes have a picture").wait_for()
    page.locator(".spex img[src^='data:image/png']").wait_for()
    keep(page, "catalogue")
    press(page, "Open this place")
    page.get_by_text("Opened. The scene is in memory now.").wait_for()
    keep(page, "catalogue_opened")
