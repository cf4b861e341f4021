"""Two dates in a real browser: gain and loss in their colours, the handle dragged and stepped, both in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.test_workbench_in_browser import (
    box_of,
    hosts_asked,
    keep,
    notebook,
    open_all,
    settled,
    share_of,
    turn_to,
    wait_for_more,
    wait_until,
)

GAINED, LOST = (0, 114, 178), (213, 94, 0)
PAIR = """
import numpy as np
from spex_nb import sample_labels, sample_scene
from spex_widgets import Workbench
scene, labels = sample_scene('river_10m'), sample_labels('river_10m').values
spectra = {name: (np.median(scene[name].values[labels == 1]), np.median(scene[name].values[labels == 2]))
           for name in scene.spex.bands}
later = {}
for name in scene.spex.bands:
    pixels = scene[name].values.copy()
    pixels[20:120, 20:120] = spectra[name][0]
    pixels[150:][labels[150:] == 1] = spectra[name][1]
    later[name] = scene[name].copy(data=pixels)
bench = Workbench(scene.assign_attrs(datetime='2020-06-01'), 'index')
panel = bench.show('Two dates')
panel.compare_with(scene.assign(later).assign_attrs(datetime='2021-06-04'), 'water')
bench
"""


def look_at(page: Any, text: str) -> None:
    page.locator(".spex-page-two-dates .widget-toggle-button").get_by_text(text, exact=True).click()


@pytest.mark.browser
@pytest.mark.slow
def test_gain_and_loss_are_seen_and_two_dates_are_swiped_and_blinked(  # noqa: PLR0915 (one story, told once)
    page: Any, lab_under_base_url: str, notebooks: Path
) -> None:
    notebook(notebooks, "two_dates", PAIR)
    asked = hosts_asked(page)
    open_all(page, lab_under_base_url, "two_dates")
    turn_to(page, "Two dates")
    page.get_by_text("between 2020-06-01 and 2021-06-04").first.wait_for()
    page.locator(".spex-swipe").wait_for(state="attached")
    wait_for_more(page, lambda: share_of(page, GAINED), 0.02)
    wait_for_more(page, lambda: share_of(page, LOST), 0.002)
    keep(page, "two_dates_change")

    look_at(page, "swipe")
    handle = page.locator(".spex-swipe")
    expect(handle).to_be_visible()
    wait_until(page, lambda: handle.inner_text().split() == ["⇔", "2020-06-01", "2021-06-04"], "both dates are named")
    wait_until(page, lambda: share_of(page, GAINED) < 0.005, "only the key of water in the legend has its colour")
    keep(page, "two_dates_swipe")
    handle.press("Home")
    expect(handle).to_have_attribute("aria-valuenow", "0")
    after = settled(page)
    handle.press("End")
    expect(handle).to_have_attribute("aria-valuenow", "100")
    before = settled(page)
    assert (np.abs(after - before).max(axis=-1) > 20).mean() > 0.02
    place = box_of(page, ".leaflet-container")
    middle = place["y"] + place["height"] / 2
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, middle)  # its right half lies beyond the edge
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 2, middle, steps=5)
    page.mouse.up()
    page.wait_for_function("Math.abs(document.querySelector('.spex-swipe').ariaValueNow - 50) <= 1")
    half, (height, width) = settled(page), before.shape[:2]
    strip = slice(int(height * 0.15), int(height * 0.85))
    left, right = slice(int(width * 0.05), int(width * 0.4)), slice(int(width * 0.6), int(width * 0.9))
    assert (np.abs(half - before)[strip, left].max(axis=-1) > 20).mean() < 0.02
    assert (np.abs(half - after)[strip, right].max(axis=-1) > 20).mean() < 0.02

    look_at(page, "blink")
    expect(handle).to_be_hidden()
    for turn in ("left", "right", "left"):
        expect(page.locator(".leaflet-container")).to_have_attribute("data-spex-blink", turn)
    assert asked() == {"127.0.0.1"}
