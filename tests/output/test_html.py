"""Pages hold what they need and run nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jinja2 import Environment, UndefinedError
from markupsafe import Markup

from spex_nb.errors import OutputError
from spex_nb.output.html import data_uri, render, table_html, write_page

EVIL = "<script>alert('1')</script>\"><img src=x onerror=alert(1)>"
TEMPLATES = sorted(path.name for path in files("spex_nb.output").joinpath("templates").iterdir())


def tile_page(text: str) -> Markup:
    pictures = [{"target": text, "kind": text, "tile": text, "place": text, "iou": 0.5, "pictures": {text: PICTURE}}]
    return render("tile_pictures.html", pictures=pictures, differences={text: (1, 2, 3)})


PICTURE = np.zeros((4, 4, 3), np.uint8)


def test_text_in_a_page_and_in_attributes_is_escaped() -> None:
    page = tile_page(EVIL)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;script&gt;") == 8


def test_a_rendered_piece_is_taken_as_it_is_and_text_is_not() -> None:
    piece = tile_page("lake")
    assert isinstance(piece, Markup)
    assert f"{piece}".startswith("<p>")
    assert Markup("{}").format("<b>") == "&lt;b&gt;"


def test_a_table_escapes_its_text() -> None:
    table = pd.DataFrame({"<b>name</b>": [EVIL, "lake"], "share": [0.12345, np.nan]})
    html = table_html(table)
    assert "<script" not in html
    assert "<b>" not in html
    assert "<td>0.123</td>" in html
    assert "<td>–</td>" in html


def test_a_value_that_is_missing_is_an_error_and_no_page(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="model"):
        write_page("evaluation.html", tmp_path / "page.html", title="Evaluation")
    assert [*tmp_path.iterdir()] == []


def test_a_page_that_exists_is_replaced_only_if_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(OutputError, match="allow overwriting"):
        write_page("page.html", path, title="t")
    assert path.read_text() == "mine"
    assert "<title>&lt;b&gt;</title>" in write_page("page.html", path, overwrite=True, title="<b>").read_text()


def test_a_large_picture_is_thinned() -> None:
    assert len(data_uri(np.zeros((2_000, 1_000, 3), np.uint8))) < 2_000
    assert data_uri(PICTURE).startswith("data:image/png;base64,")


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_switch_no_escaping_off_and_fetch_nothing(name: str) -> None:
    source = files("spex_nb.output").joinpath("templates", name).read_text(encoding="utf-8")
    Environment(autoescape=True).parse(source)
    assert "autoescape" not in source
    assert not any(word in source for word in ("://", "<script", "@import", "url("))
    unescaped = [line for line in source.splitlines() if "safe" in line and "nbsp" not in line]
    assert unescaped == []
