"""A map is checked in a real browser: 100 points answered by keyboard, saved, and opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from playwright.sync_api import expect

from tests.browser.test_workbench_in_browser import hosts_asked, keep, notebook, open_all, press, turn_to

POINTS = 100
OPENED = """
from spex_nb import extract, sample_scene
from spex_widgets import Workbench
bench = Workbench('river_10m', 'index')
"""
ASKED = f"{OPENED}bench.ask('water')\nbench.extract()\nbench"
AGAIN = "{opened}bench.reopen({path!r})\nbench"


def answer_by_keyboard(page: Any) -> None:
    """Answer all points by the keys: water, other, and now and then unsure."""
    page.locator("input[placeholder^='click here, then answer']:visible").click()
    for number in range(POINTS):
        page.locator("strong", has_text=f"Point {number + 1} of {POINTS}.").first.wait_for()
        page.keyboard.press("0" if number % 20 == 19 else str(number % 2 + 1))


@pytest.mark.browser
@pytest.mark.slow
def test_a_hundred_points_are_answered_by_keyboard_saved_and_opened_again(
    page: Any, lab_under_base_url: str, notebooks: Path, tmp_path: Path
) -> None:
    notebook(notebooks, "check", ASKED)
    asked = hosts_asked(page)
    open_all(page, lab_under_base_url, "check")
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    turn_to(page, "Check")
    press(page, "Draw points")
    page.locator("img[alt^='Point 1, 31 pixels']").wait_for()
    expect(page.locator("img[alt^='Point 1, 251 pixels']")).to_be_visible()
    keep(page, "check_point")
    answer_by_keyboard(page)
    page.locator(".spex h4", has_text="Accuracy and area").wait_for()
    expect(page.get_by_text("Left out as unsure: 5.")).to_be_visible()
    keep(page, "check_figures")
    area = page.locator("td", has_text="from 95 points").first.inner_text()

    page.get_by_label("Points file").fill(str(tmp_path / "check.gpkg"))
    page.get_by_label("Points file").press("Tab")
    press(page, "Save points")
    page.get_by_text("Written to").wait_for()
    answers = gpd.read_file(tmp_path / "check.gpkg", layer="points")["answer"].value_counts()
    assert answers.to_dict() == {"water": 50, "other": 45, "unsure": 5}

    turn_to(page, "Save")
    page.get_by_label("Folder", exact=True).fill(str(tmp_path))
    page.get_by_label("Folder", exact=True).press("Tab")
    press(page, "Save session")
    page.get_by_text("Session saved").wait_for()
    notebook(notebooks, "check_again", AGAIN.format(opened=OPENED, path=str(tmp_path / "session.spex")))
    open_all(page, lab_under_base_url, "check_again")
    turn_to(page, "Check")
    expect(page.locator("td", has_text="from 95 points").first).to_have_text(area)
    assert asked() == {"127.0.0.1"}
