"""report(): the facts that a bug report needs."""

from __future__ import annotations

import numpy as np

import spex_nb
from spex_nb.cli.environment import Report


def test_report_names_versions_drivers_and_memory() -> None:
    facts = spex_nb.report().facts
    assert facts["numpy"] == np.__version__
    assert facts["spex-nb"] == spex_nb.__version__
    assert "COG" in facts["GDAL drivers"]
    assert "GB" in facts["memory"]
    assert "accelerator" in str(spex_nb.report())


def test_report_escapes_html() -> None:
    assert "<img" not in Report({"system": "<img src=x>"})._repr_html_()
