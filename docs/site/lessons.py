"""Lessons with their outputs: where `make lessons` left an executed copy in build/lessons, that copy is shown."""

from __future__ import annotations

from pathlib import Path

import nbformat
from sphinx.application import Sphinx

FOLDER = "notebooks/"
WIDGET = "application/vnd.jupyter.widget-view+json"
NO_KERNEL = "A widget stands here when the lesson runs in JupyterLab."


def show_executed(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the executed copy of a lesson, if there is one, in the place of its source."""
    if not docname.startswith(FOLDER):
        return
    executed = Path(app.config.executed_lessons, f"{docname.removeprefix(FOLDER)}.ipynb")
    if executed.is_file():
        source[0] = without_widgets(executed.read_text(encoding="utf-8"))


def without_widgets(notebook: str) -> str:
    """Return a notebook, as JSON, in which a sentence takes the place of widgets: a page has no kernel to draw them.

    Args:
        notebook: Its JSON.
    """
    read = nbformat.reads(notebook, as_version=4)
    for cell in read.cells:
        for output in cell.get("outputs", ()):
            if WIDGET in output.get("data", {}):
                output.data = {"text/plain": NO_KERNEL}
    return nbformat.writes(read)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("executed_lessons", str(Path(app.srcdir, "build", "lessons")), "env")
    app.connect("source-read", show_executed)
    return {"parallel_read_safe": True}
