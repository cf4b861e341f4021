"""The picture of the house agrees with the layers that import-linter holds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

HOUSE: dict[str, Any] = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "site" / "house.py"))


def test_the_picture_is_that_of_the_layers() -> None:
    drawn = HOUSE["draw"](HOUSE["layers"]())
    assert HOUSE["PICTURE"].read_text(encoding="utf-8") == drawn, "draw it anew: python docs/site/house.py"


def test_every_module_is_in_it_once() -> None:
    drawn, rows = HOUSE["draw"](HOUSE["layers"]()), HOUSE["layers"]()
    assert sum(map(len, rows)) > 70
    assert [name for row in rows for name in row if drawn.count(f">{name}</text>") != 1] == []
    assert [row for storey in HOUSE["storeys"](rows) for row in storey] == rows


def test_the_page_of_the_architecture_names_every_module_in_the_same_order() -> None:
    page = (HOUSE["ROOT"] / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = page.split("```")[1].splitlines()
    named = [name for line in lines if line[:1].isalpha() for name in re.split("  ", line)[0].split(" · ")]
    assert named == [name for row in HOUSE["layers"]() for name in row]


def test_a_storey_without_its_first_module_is_no_storey() -> None:
    with pytest.raises(StopIteration):
        HOUSE["storeys"]([["cli"], ["errors"]])
