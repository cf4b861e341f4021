"""show_versions(): the facts that a bug report needs."""

from __future__ import annotations

import numpy as np

import spex_nb
from spex_nb.cli.environment import Versions


def test_report_names_versions_drivers_and_memory() -> None:
    facts = spex_nb.show_versions().facts
    assert facts["numpy"] == np.__version__
    assert facts["spex-nb"] == spex_nb.__version__
    assert "COG" in facts["GDAL drivers"]
    assert "GB" in facts["memory"]
    assert "accelerator" in str(spex_nb.show_versions())


def test_report_escapes_html() -> None:
    assert "<img" not in Versions({"system": "<img src=x>"})._repr_html_()
