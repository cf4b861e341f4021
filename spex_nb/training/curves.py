"""Losses and IoU by step: read from the folder of a stage, and drawn in notebooks and terminals. It loads no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "curves.jsonl"
"""Curves in the folder of a stage: a JSON object on each line."""
FINAL = "final"
"""Folder of the result in the folder of a stage."""
SAMPLES = "samples"
"""Folder of pictures of predictions in the folder of a stage."""
BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 40
"""Most bars in a terminal."""
Line = Mapping[str, float]


def read_curves(folder: str | Path) -> list[dict[str, float]]:
    """Read the curves of a stage, also while it is training.

    Args:
        folder: Folder of the stage.

    Returns:
        One dict for each finished line, with its ``step``; empty before the first line.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return []
    finished = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in finished.splitlines()]


def curve(lines: Sequence[Line], name: str) -> tuple[list[int], list[float]]:
    """Return steps and values of one figure, such as ``loss`` or ``iou_water``."""
    finite = [line for line in lines if name in line and math.isfinite(line[name])]
    return [int(line["step"]) for line in finite], [line[name] for line in finite]


class LiveCurves:
    """Draws loss and IoU in a notebook during training: pass it as ``on_log``."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._display: Any = None

    def __call__(self, line: Line) -> None:
        """Draw the curves again, in the place of the former picture."""
        from IPython.display import display

        self._lines.append(line)
        picture = plot_curves(self._lines)
        if self._display is None:
            self._display = display(picture, display_id=True)
        else:
            self._display.update(picture)


def plot_curves(lines: Sequence[Line]) -> Figure:
    """Draw loss and IoU by step."""
    from spex_nb.output.plotting import Picture

    figure = Picture(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*curve(lines, "loss"), color="#0072B2")
    left.set(xlabel="step", ylabel="loss")
    names = sorted({name for line in lines for name in line if name.startswith("iou_")})
    for name in names:
        right.plot(*curve(lines, name), marker=".", label=name.removeprefix("iou_"))
    right.set(xlabel="step", ylabel="IoU on held-out tiles", ylim=(0, 1))
    if names:
        right.legend(frameon=False, fontsize="small")
    return figure


def sparkline(values: Sequence[float]) -> str:
    """Return the last values as a row of bars for a terminal."""
    last = [value for value in values if math.isfinite(value)][-MOST_BARS:]
    if not last:
        return ""
    low, high = min(last), max(last)
    reach = (high - low) or 1.0
    return "".join(BARS[round((value - low) / reach * (len(BARS) - 1))] for value in last)
