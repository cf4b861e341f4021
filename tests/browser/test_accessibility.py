"""The workbench by keyboard and as screen readers meet it: every page without a serious finding of axe-core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_workbench_in_browser import hosts_asked, keep, notebook, open_all, press, turn_to

PAGES = ("Correct", "Save", "Scene", "Spectra", "Index", "Teach", "Check", "Districts", "Two dates", "Train")
SERIOUS = ("serious", "critical")
CHOSEN_TOOL = ".spex-tools .widget-toggle-button.mod-active"


def serious_findings(page: Any) -> list[str]:
    """Return the serious findings of axe-core on the workbench, each with the element that it is about."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function("!document.querySelector('.spex-workbench .noUi-handle:not([aria-label])')")
    found = Axe().run(page, context=".spex-workbench").response
    assert len(found["passes"]) > 5  # it looked
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def choose_regions(page: Any) -> None:
    """Move through the table by arrow keys, filter and sort it."""
    row = page.locator(".spex-regions tr[data-row='0']")
    row.press("ArrowDown")
    page.locator(".spex-regions tr[data-row='1'][aria-selected='true']").wait_for()
    page.wait_for_function("document.activeElement.dataset.row === '1'")
    page.locator(".leaflet-container path[stroke='#ffffff'][stroke-width='4']").first.wait_for()  # on the map too
    page.get_by_label("Filter the regions").fill("> 40 ha")
    page.get_by_text("1 of 2 regions").wait_for()
    press(page, "Area")
    expect(page.locator(".spex-regions th[aria-sort='descending']")).to_have_text("Area")


def choose_tabs_and_tools(page: Any) -> None:
    """Move between tabs and tools by arrow keys, and leave a tool by Esc."""
    page.get_by_role("tab", name="Ask").press("ArrowRight")
    page.locator("[role=tab][aria-selected=true]", has_text="Correct").wait_for()
    page.get_by_role("radio", name="look: ").press("ArrowUp")
    page.locator(f"{CHOSEN_TOOL}[aria-label^='delete']").press("Escape")
    page.locator(f"{CHOSEN_TOOL}[title^='look']").wait_for()
    page.locator(".leaflet-container").focus()
    for key in "dd":
        page.keyboard.press(key)  # else JupyterLab deletes the cell
    assert page.locator(".spex-workbench").count() == 1


@pytest.mark.browser
def test_every_page_can_be_read_and_worked_without_a_mouse(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    notebook(notebooks, "keys", "from spex_widgets import Workbench\nbench = Workbench('river_10m', 'index')\nbench")
    asked = hosts_asked(page)
    open_all(page, lab_under_base_url, "keys")
    page.get_by_label("Instruction", exact=True).fill("water")
    page.get_by_label("Instruction", exact=True).press("Enter")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    press_title(page, "Layers of the map")
    assert serious_findings(page) == []

    choose_regions(page)
    choose_tabs_and_tools(page)
    for title in PAGES:
        turn_to(page, title)
        assert serious_findings(page) == [], title
    press_title(page, "Full screen and back")
    page.wait_for_function("document.fullscreenElement?.classList.contains('spex-workbench')")
    page.wait_for_function("document.querySelector('.spex-map').clientHeight > 0.85 * innerHeight")
    keep(page, "full_screen")
    assert asked() == {"127.0.0.1"}


def press_title(page: Any, title: str) -> None:
    page.get_by_title(title, exact=True).click()
