"""Losses by step: kept beside the checkpoints while training goes on, for terminal, notebook and report alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

FILE = "curves.jsonl"


class Curves(TrainerCallback):
    """Writes a line for each log of the Trainer.

    Args:
        folder: Of the stage.
        on_log: Called with each line.
    """

    def __init__(self, folder: Path, on_log: Callable[[dict[str, float]], None] | None = None) -> None:
        self._path, self._on_log = folder / FILE, on_log

    def on_train_begin(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002 (Trainer's)
        """Forget lines of steps that are done again."""
        kept = [line for line in self.read() if line["step"] <= state.global_step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_more: Any) -> None:  # noqa: ARG002
        """Keep a line."""
        line = {"step": state.global_step} | {name: float(value) for name, value in (logs or {}).items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
        if self._on_log is not None:
            self._on_log(line)

    def read(self) -> list[dict[str, float]]:
        """Return the lines so far."""
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
