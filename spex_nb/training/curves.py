"""Losses and agreement by step: kept beside the checkpoints, for terminal, notebook and report alike."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE = "curves.jsonl"
BARS = "▁▂▃▄▅▆▇█"
SHOWN = 40
"""Bars in a terminal."""
Line = Mapping[str, float]


class Curves(TrainerCallback):
    """Writes a line for each log of the Trainer, and for each measurement.

    Args:
        folder: Of the stage.
        on_log: Called with each line.
        measure: Measures the model on tiles that it does not learn from.
        every: Steps from one measurement to the next; 0 for none.
    """

    def __init__(
        self,
        folder: Path,
        on_log: Callable[[Line], None] | None = None,
        measure: Callable[[Any], dict[str, float]] | None = None,
        every: int = 0,
    ) -> None:
        self._path, self._on_log = folder / FILE, on_log
        self._measure, self._every = measure, every

    def on_train_begin(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002 (Trainer's)
        """Forget lines of steps that are done again."""
        kept = [line for line in self.read() if line["step"] <= state.global_step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_more: Any) -> None:  # noqa: ARG002
        """Keep what the Trainer says."""
        self._add({"step": state.global_step} | {name: float(value) for name, value in (logs or {}).items()})

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_more: Any) -> None:  # noqa: ARG002
        """Measure now and then."""
        if self._measure is not None and self._every and state.global_step % self._every == 0:
            self._add({"step": state.global_step} | self._measure(model))

    def _add(self, line: dict[str, float]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
        if self._on_log is not None:
            self._on_log(line)

    def read(self) -> list[dict[str, float]]:
        """Return the lines so far."""
        return read_curves(self._path.parent)


def read_curves(folder: str | Path) -> list[dict[str, float]]:
    """Return the lines of a stage's folder so far, each with its ``step``; none before the first."""
    path = Path(folder) / FILE
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curve(lines: Sequence[Line], name: str) -> tuple[list[int], list[float]]:
    """Return steps and values of one figure, such as ``loss`` or ``iou_water``."""
    known = [line for line in lines if name in line and math.isfinite(line[name])]
    return [int(line["step"]) for line in known], [line[name] for line in known]


class LiveCurves:
    """Draws loss and IoU in a notebook while they are made: pass it as ``on_log``."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._shown: Any = None

    def __call__(self, line: Line) -> None:
        """Draw the curves anew in the place where they stand."""
        from IPython.display import display

        self._lines.append(line)
        picture = plot_curves(self._lines)
        if self._shown is None:
            self._shown = display(picture, display_id=True)
        else:
            self._shown.update(picture)


def plot_curves(lines: Sequence[Line]) -> Figure:
    """Draw loss and IoU by step, as far as they are known."""
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
    """Return values as a row of bars for a terminal; the last are shown if there are many."""
    shown = [value for value in values if math.isfinite(value)][-SHOWN:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    reach = (high - low) or 1.0
    return "".join(BARS[round((value - low) / reach * (len(BARS) - 1))] for value in shown)
