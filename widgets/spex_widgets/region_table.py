"""A table of the regions of a result, which the page sorts and filters by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from spex_nb.extraction import Extraction
from spex_widgets.explanations import area_text

LISTED = 2000
"""Rows that are sent to the page; of more regions the first ones, which are the largest of each class."""


class RegionTable(anywidget.AnyWidget):
    """One row a region; a row that is chosen is the ``value``, and a value that is set is the chosen row."""

    _esm = Path(__file__).with_name("region_table.js").read_text(encoding="utf-8")
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Of each region: its row in the result's table, what is sorted by, and the texts of its cells."""
    total = traitlets.Int(0).tag(sync=True)
    """Number of all regions, those that are not listed too."""
    value = traitlets.Int(-1).tag(sync=True)
    """Row of the chosen region in the result's table; -1 for none."""

    def show(self, result: Extraction, chosen: int) -> None:
        """Show the regions of a result.

        Args:
            result: With a table of regions.
            chosen: Row of the chosen one; -1 for none.
        """
        records = result.regions.drop(columns="geometry").head(LISTED).to_dict("records")
        with self.hold_sync():
            self.total = len(result.regions)
            self.rows = [_row(number, record, result.class_names) for number, record in enumerate(records)]
            self.value = chosen if chosen < len(self.rows) else -1


def _row(number: int, record: Mapping[Any, Any], class_names: Mapping[str, str]) -> dict[str, Any]:
    sure, area_m2 = float(record["mean_probability"]), record.get("area_m2")
    has_metres = area_m2 is not None and not math.isnan(area_m2)
    area = float(area_m2) if has_metres and area_m2 is not None else float(record["area_px"])
    name = class_names[record["target"]]
    texts = [
        name,
        int(record["region"]),
        area_text(area) if has_metres else f"{area:,.0f} px",
        _place(record),
        "" if math.isnan(sure) else f"{sure:.0%}",
    ]
    return {
        "row": number,
        "class": name,
        "number": int(record["region"]),
        "area": area,
        "place": _place(record),
        "sure": -1.0 if math.isnan(sure) else sure,
        "cells": texts,
    }


def _place(record: Mapping[Any, Any]) -> str:
    """Return where a region lies in the picture, in the words of the explanation."""
    return str(record["location"]).replace("-", " ").replace("center", "centre")
