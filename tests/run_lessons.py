"""Run every lesson with its solutions in a kernel of its own, offline, and say how long it took and what it needed.

``python -m tests.run_lessons [LESSON]...`` (or ``make lessons``) writes the lessons with their outputs to
``build/lessons``, solved ones to ``build/lessons/solutions``. It fails if a cell does, or if a section has no picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from spex_nb.cli.lessons import SOLUTION, Lesson, find_lessons

OUT = Path("build/lessons")
LONGEST_CELL_S = 1800
POLL_S = 0.25
MB = 2**20
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {name: NOWHERE for door in ("http", "https", "all") for name in (f"{door}_proxy", f"{door}_proxy".upper())}
"""What wants out is sent to a port at which nobody listens."""
INSIDE = {"no_proxy": "localhost,127.0.0.1", "NO_PROXY": "localhost,127.0.0.1", "HF_HUB_OFFLINE": "1"}


class PeakMemory:
    """The most that the processes started by this one held at a time, as the sum of what each has resident."""

    def __init__(self) -> None:
        self.bytes, self._done = 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(POLL_S):
            self.bytes = max(self.bytes, sum(map(_resident, psutil.Process().children(recursive=True))))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@dataclass(frozen=True)
class Run:
    """What came of one lesson."""

    name: str
    seconds: float
    peak_mb: float
    wrong: str

    def __str__(self) -> str:
        return f"{self.name:<28} {self.seconds:6.0f} s {self.peak_mb:8,.0f} MB  {'failed' if self.wrong else 'fine'}"


def run(lesson: Lesson, out: Path) -> Run:
    """Execute a lesson as its learners do, then its solutions in the same kernel."""
    notebook = lesson.solved()
    wrong, began = "", time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, PeakMemory() as peak:
        client = NotebookClient(notebook, timeout=LONGEST_CELL_S, resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except CellExecutionError as error:
            wrong = str(error)
    seconds = time.perf_counter() - began
    _write(notebook, out / "solutions" / lesson.notebook.name)
    given = lesson.read()
    _write(_with_outputs(given, notebook), out / lesson.notebook.name)
    bare = [] if wrong else sections_without_picture(given)
    return Run(lesson.name, seconds, peak.bytes / MB, wrong or "".join(f"No picture in: {title}\n" for title in bare))


def sections_without_picture(notebook: Any) -> list[str]:
    """Return the headings of an executed lesson that ask a question below which nothing is shown."""
    shown: dict[str, bool] = {}
    title = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            title = cell.source.splitlines()[0].removeprefix("## ")
            shown |= {title: False} if title.endswith("?") else {}
        elif cell.cell_type == "code" and title in shown:
            shown[title] |= any(map(_is_picture, cell.outputs))
    return [title for title, is_shown in shown.items() if not is_shown]


def _is_picture(output: Any) -> bool:
    data = output.get("data", {})
    return bool({"image/png", "application/vnd.jupyter.widget-view+json"} & set(data)) or "<img" in "".join(
        data.get("text/html", "")
    )


def _with_outputs(lesson: Any, executed: Any) -> Any:
    """Give a lesson, whose answers are empty, the outputs of its other cells."""
    by_id = {cell.id: cell for cell in executed.cells if SOLUTION not in cell.metadata.get("tags", ())}
    lesson.cells = [by_id.get(cell.id, cell) for cell in lesson.cells]
    lesson.metadata = executed.metadata
    return lesson


def _write(notebook: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def main(names: list[str]) -> int:
    """Run lessons one after the other; what fails does not keep the others from their turn."""
    os.environ |= OFFLINE | INSIDE
    runs = []
    for lesson in find_lessons(names):
        runs.append(run(lesson, OUT))
        print(runs[-1], runs[-1].wrong, sep="\n" if runs[-1].wrong else "", flush=True)
    print(f"{'all':<28} {sum(one.seconds for one in runs):6.0f} s {max(one.peak_mb for one in runs):8,.0f} MB at most")
    return int(any(one.wrong for one in runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
