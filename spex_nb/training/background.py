"""A stage that trains in a child process, for notebooks: start it, watch its curves, pause it, continue it.

The child is the command ``spex train``, which writes curves and pictures into the folder of the stage. Importing this
module loads no torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.errors import TrainingError, require_extra
from spex_nb.extraction.mask_models import CHECKPOINTS
from spex_nb.output.files import write_whole
from spex_nb.training.checkpoints import last_checkpoint
from spex_nb.training.curves import FINAL, SAMPLES, read_curves

CONFIG, LOG = "stage.toml", "training.log"
INTERRUPTED = 130
"""Exit status of ``spex train`` when it was stopped."""
PATIENCE_S = 60
"""Longest wait for the child to write its checkpoint, in seconds; then it is killed."""
LOG_TAIL = 600
"""Characters of the log that an error shows."""


@dataclass(frozen=True)
class TrainingProgress:
    """The state of a training.

    Attributes:
        curves: Losses and IoU by step, as `read_curves` returns them.
        samples: Pictures of the last predictions: scene, label, prediction.
        checkpoint: Folder of the result, or of the last checkpoint of a paused training; None before.
        steps: Number of finished steps.
        is_whole: Whether the training is finished.
        error: Message of a failure; empty without one.
    """

    curves: list[dict[str, float]] = field(default_factory=list)
    samples: list[Path] = field(default_factory=list)
    checkpoint: Path | None = None
    steps: int = 0
    is_whole: bool = False
    error: str = ""

    @property
    def losses(self) -> list[tuple[float, float]]:
        """(step, loss), in order."""
        return [(line["step"], line["loss"]) for line in self.curves if "loss" in line]

    @property
    def scores(self) -> list[tuple[float, float]]:
        """(step, mean IoU over targets), in order; 0 where no target has an IoU."""
        scores = []
        for line in self.curves:
            figures = [value for name, value in line.items() if name.startswith("iou_")]
            if figures:
                finite = [value for value in figures if np.isfinite(value)]
                scores.append((line["step"], float(np.mean(finite)) if finite else 0.0))
        return scores


class Training:
    """One stage, trained by ``spex train`` in a child process, which ends with this process.

    Args:
        stage: The settings of `spex_nb.training.stage.make_stage`: kind, data, out, start, targets, steps, rate, ….

    Raises:
        MissingExtraError: If torch and transformers are not installed.
    """

    def __init__(self, stage: Mapping[str, Any]) -> None:
        require_extra("model", "Training")
        self.folder, self.kind, self.steps = Path(stage["out"]), str(stage["kind"]), int(stage["steps"])
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_whole(self.folder / CONFIG, overwrite=True) as part:
            part.write_text(_toml(stage), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the child is running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the child; it continues from the last checkpoint, if there is one.

        Raises:
            TrainingError: If it is running already.
        """
        if self.is_running:
            raise TrainingError(
                "It is training already", found="a process at work", expected="none", fix="Pause it first."
            )
        self.close()  # lets go of a child that has ended
        command = [sys.executable, "-m", "spex_nb.cli", "train", self.kind, "--config", str(self.folder / CONFIG)]
        with (self.folder / LOG).open("wb") as log:
            # The child stops when its input closes: on `pause`, and when this process dies. A new session keeps an
            # interrupt of the notebook's kernel from the child.
            self._process = subprocess.Popen(
                [*command, "--stop-with-input"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )

    def pause(self) -> None:
        """Ask the child to write a checkpoint and end; `start` continues from there."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def close(self) -> None:
        """Pause, and kill the child if it does not end in time."""
        if self._process is None:
            return
        self.pause()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def progress(self) -> TrainingProgress:
        """Return the state of the training, read from the folder of the stage."""
        curves, final = read_curves(self.folder), self.folder / FINAL
        is_whole = final.is_dir()
        checkpoint = final if is_whole else None if self.is_running else self._last_checkpoint()
        steps = self.steps if is_whole else max([0, *(int(line["step"]) for line in curves)])
        return TrainingProgress(
            curves=curves,
            samples=sorted((self.folder / SAMPLES).glob("*.png")),
            checkpoint=checkpoint,
            steps=steps,
            is_whole=is_whole,
            error=self._error(),
        )

    def _last_checkpoint(self) -> Path | None:
        checkpoint = last_checkpoint(self.folder)
        return None if checkpoint is None else Path(checkpoint)

    def _error(self) -> str:
        """Return the end of the log if the child has failed."""
        status = None if self._process is None else self._process.poll()
        if status in (None, 0, INTERRUPTED):
            return ""
        return (self.folder / LOG).read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()


def checkpoint_targets(start: str | Path) -> tuple[str, ...]:
    """Return the targets of a checkpoint. A stage that starts from it must train the same ones in the same order.

    Args:
        start: Name of a checkpoint that ships with the package, or a folder.

    Raises:
        TrainingError: If there is no such checkpoint.
    """
    shipped = CHECKPOINTS / start
    folder = shipped if shipped.is_dir() else Path(start)
    try:
        return tuple(json.loads((folder / "config.json").read_text(encoding="utf-8"))["targets"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            "There is no checkpoint to go on from",
            found=f"{folder}: {error}",
            expected="config.json with targets",
            fix="Name the folder of a checkpoint, or leave the field empty to start anew.",
        ) from error


def _environment() -> dict[str, str]:
    """Return the environment of this process, with the paths that it imports from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _toml(stage: Mapping[str, Any]) -> str:
    """Return settings as TOML; JSON writes its plain values in the same way."""
    lines = []
    for name, value in stage.items():
        entries = (
            {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}
        )
        lines += [f"{key} = {json.dumps(part, ensure_ascii=False)}\n" for key, part in entries.items()]
    return "".join(lines)
