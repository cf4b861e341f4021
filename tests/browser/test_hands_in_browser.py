"""Hands in a real browser: strokes that nobody asked for, errors with buttons, a class that is taught."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_workbench_in_browser import (
    KERNEL,
    box_of,
    keep,
    notebook,
    open_all,
    press,
    seen,
    turn_to,
    wait_for_more,
)

LAKES = "lakes larger than 2 ha"
SAMPLES = Path(__file__).parent.parent.parent / "data_samples"
DROPPED = """content => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), dropped = new DataTransfer();
    dropped.items.add(new File([bytes], "dropped.tif", { type: "image/tiff" }));
    return dropped;
}"""
"""Makes what a browser passes on when a file is dropped."""
BUSY = "import pathlib, time\nwhile not pathlib.Path({gate!r}).exists(): time.sleep(0.05)"
"""A cell that keeps the kernel busy until a file is there."""
TAUGHT = (0x88, 0x22, 0x55)
"""Colour of the first class that a user teaches."""


def ask(page: Any, text: str) -> None:
    """Type an instruction, and run it by Enter once it is said back."""
    box = page.locator("input[placeholder^='such as']")
    box.fill(text)
    page.locator(".spex-ask .quote:visible").first.wait_for()
    box.press("Enter")


def click_at(page: Any, x: float, y: float) -> None:
    """Click on the map at shares of its width and height."""
    area = box_of(page, ".leaflet-container")
    page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])


@pytest.mark.browser
def test_a_small_stroke_counts_nowhere_and_undo_takes_it_back(  # noqa: PLR0915 (one story, told once)
    page: Any, lab_under_base_url: str, notebooks: Path, tmp_path: Path
) -> None:
    notebook(notebooks, "hands", "from spex_widgets import Workbench\nbench = Workbench('lake_30m', 'index')\nbench")
    open_all(page, lab_under_base_url, "hands")
    ask(page, LAKES)
    page.locator(".spex h4", has_text="Evidence").first.wait_for()
    rows, listed = page.locator(".spex-regions tbody tr"), page.locator(".spex-regions [role=status]")
    listed.wait_for()
    before = int(listed.inner_text().split()[0])
    expect(rows).to_have_count(before)
    turn_to(page, "Correct")
    page.locator(".widget-slider", has_text="Brush").get_by_role("slider").press("Home")  # a pixel wide: 0.1 ha
    press(page, "brush")
    click_at(page, 0.5, 0.9)
    left_out = page.locator(".note", has_text="left out of the mask and of all figures")
    left_out.first.wait_for()
    keep(page, "left_out")
    turn_to(page, "Ask")
    expect(listed).to_have_text(f"{before} regions")
    expect(rows).to_have_count(before)
    turn_to(page, "Correct")
    page.locator(".leaflet-container").focus()
    page.keyboard.press("Control+z")
    page.get_by_text("0 edits.").wait_for()
    left_out.first.wait_for(state="hidden")

    turn_to(page, "Save")
    page.get_by_label("Folder", exact=True).fill(str(tmp_path / "new"))
    page.get_by_label("Folder", exact=True).press("Tab")
    press(page, "GeoPackage")
    press(page, "Make the folder new")
    page.get_by_text("Written to").wait_for()
    assert (tmp_path / "new" / "result.gpkg").is_file()
    press(page, "Save session")
    page.get_by_text("Session saved").wait_for()
    press(page, "Save session")
    page.get_by_role("alert").first.wait_for()
    expect(page.get_by_text("Session saved")).to_have_count(0)
    press(page, "Replace session.spex")
    page.get_by_text("Session saved").wait_for()
    expect(page.get_by_role("alert")).to_have_count(0)

    turn_to(page, "Ask")
    page.locator("input[placeholder^='such as']").fill("qwertzuiop")
    page.get_by_role("alert").first.wait_for()
    keep(page, "refused")

    content = base64.b64encode((SAMPLES / "river_10m.tif").read_bytes()).decode()
    dropped = page.evaluate_handle(DROPPED, content)
    page.dispatch_event(".spex-map", "drop", {"dataTransfer": dropped})
    page.get_by_text("dropped.tif (uploaded)").first.wait_for()
    keep(page, "dropped")


@pytest.mark.browser
def test_a_class_is_taught_by_clicks_and_found(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    notebook(notebooks, "teach", "from spex_widgets import Workbench\nbench = Workbench('river_10m', 'index')\nbench")
    open_all(page, lab_under_base_url, "teach")
    turn_to(page, "Teach")
    page.get_by_label("Class", exact=True).fill("shallows")
    page.get_by_label("Class", exact=True).press("Tab")
    press(page, "+ it is here")
    for x, y in ((0.35, 0.3), (0.4, 0.35), (0.45, 0.4)):
        click_at(page, x, y)
    press(page, "− not here")
    for x, y in ((0.6, 0.3), (0.6, 0.7), (0.5, 0.8)):
        click_at(page, x, y)
    learnt = page.locator(".spex-page-teach .quote")
    expect(learnt).to_contain_text("from 3 places of yes and 3 of no")
    keep(page, "taught")
    turn_to(page, "Spectra")
    clicked = ", ".join(f"{sign} shallows{number}" for sign in "+−" for number in ("", " 2", " 3"))
    page.get_by_role("img", name=f"reflectance by wavelength (µm): {clicked}", exact=True).wait_for()
    page.locator(".spex-workbench").press("Escape")
    ask(page, "shallows")
    expect(page.locator(".spex-ask .quote")).to_contain_text("shallows")
    page.locator(".spex-page-ask .spex strong", has_text="shallows").first.wait_for()
    page.locator(".spex-legend", has_text=re.compile(r"shallows.*(ha|km²|m²|px)")).wait_for()
    page.get_by_title("Layers of the map").click()
    page.get_by_role("slider", name="Opacity of the result").press("End")
    wait_for_more(page, lambda: float((abs(seen(page) - TAUGHT).max(axis=-1) <= 2).mean()), 0.004)
    keep(page, "taught_class_found")


@pytest.mark.browser
def test_a_busy_kernel_hears_in_its_order_what_hands_did(page: Any, lab_under_base_url: str, notebooks: Path) -> None:
    """While the kernel works, the page keeps back what controls change, but no click: it would overtake its tool."""
    notebook(notebooks, "busy", "from spex_widgets import Workbench\nbench = Workbench('river_10m', 'index')\nbench")
    open_all(page, lab_under_base_url, "busy")
    turn_to(page, "Teach")
    page.get_by_label("Class", exact=True).fill("shallows")
    page.get_by_label("Class", exact=True).press("Tab")
    gate = notebooks / "the_kernel_may_go_on"
    page.evaluate(f"code => {{ {KERNEL}.requestExecute({{ code }}); }}", BUSY.format(gate=str(gate)))
    page.wait_for_function(f"{KERNEL}.status === 'busy'")
    press(page, "+ it is here")
    for x, y in ((0.35, 0.3), (0.4, 0.35)):
        click_at(page, x, y)
    press(page, "− not here")
    click_at(page, 0.6, 0.3)
    page.locator(".spex-page-teach .widget-toggle-button", has_text="look").click()
    click_at(page, 0.6, 0.7)
    page.locator("input[placeholder^='such as']").press_sequentially("water")
    page.locator("input[placeholder^='such as']").press("Enter")
    gate.touch()
    page.locator(".spex-legend", has_text="water").wait_for()
    turn_to(page, "Teach")
    expect(page.locator(".spex-page-teach .quote")).to_contain_text("2 places of yes and 1 of no")
