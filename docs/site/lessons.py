"""Lessons with their outputs: where `make lessons` left an executed copy in build/lessons, that copy is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

FOLDER = "notebooks/"
WIDGET = "application/vnd.jupyter.widget-view+json"
PROGRESS = "%|"
"""In what a progress bar says of itself as text."""
NO_KERNEL = "A widget stands here when the lesson runs in JupyterLab."


def show_lesson(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the executed copy of a lesson, if there is one, in the place of its source; make it fit for a page."""
    if not docname.startswith(FOLDER) or not Path(app.srcdir, f"{docname}.ipynb").is_file():
        return
    executed = Path(app.config.executed_lessons, f"{docname.removeprefix(FOLDER)}.ipynb")
    source[0] = as_page(executed.read_text(encoding="utf-8") if executed.is_file() else source[0])


def as_page(notebook: str) -> str:
    """Return a notebook without progress bars, with a sentence in the place of widgets: a page has no kernel.

    Args:
        notebook: Its JSON.
    """
    read = nbformat.reads(notebook, as_version=4)
    read.metadata.setdefault("language_info", {})["pygments_lexer"] = "ipython3"  # knows `!command` and `%magic`
    read.metadata.pop("widgets", None)
    for cell in read.cells:
        if cell.cell_type == "code":
            cell.outputs = [_drawn(output) for output in cell.outputs if not _is_progress(output)]
    return str(nbformat.writes(read))


def _is_progress(output: Any) -> bool:
    data = output.get("data", {})
    return WIDGET in data and PROGRESS in data.get("text/plain", "")


def _drawn(output: Any) -> Any:
    if WIDGET in output.get("data", {}):
        output.data = {"text/plain": NO_KERNEL}
    return output


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_config_value("executed_lessons", str(Path(app.srcdir, "build", "lessons")), "env")
    app.connect("source-read", show_lesson)
    return {"parallel_read_safe": True}
