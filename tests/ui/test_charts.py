"""Charts as SVG: bars that count, a line where the threshold is, names that are text."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
from spex_widgets.charts import BINS, LEFT, WIDTH, histogram, lines


def test_a_histogram_counts_and_marks_the_threshold_in_the_middle() -> None:
    drawn = histogram(np.repeat([0.0, 1.0, np.nan], [100, 200, 7]), 0.5, "NDVI")
    root = ET.fromstring(drawn)
    bars = [float(bar.get("height")) for bar in root.iter("rect")]
    assert len(bars) == BINS
    assert bars[0] == max(bars) / 2
    marked = next(line for line in root.iter("line") if line.get("stroke") == "#d55e00")
    assert float(marked.get("x1")) == (LEFT + WIDTH) / 2
    assert "threshold 0.500" in root.get("aria-label")
    assert histogram(np.array([np.nan]), 0.5, "NDVI") == ""


def test_lines_leave_out_what_is_no_number_and_names_are_text() -> None:
    drawn = lines({"a<b>": [(0, 1), (1, np.nan), (2, 3)], "c": [(0, 2), (2, 2)]}, "step", "loss")
    assert re.findall(r'<polyline points="([^"]*)"', drawn)[0].count(",") == 2
    assert "a&lt;b&gt;" in drawn
    assert "<b>" not in drawn
    assert lines({"a": []}, "x", "y") == ""
