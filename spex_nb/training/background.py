"""A stage of training in a process of its own, watched from a notebook: started, paused, gone on with, scored.

Importing this loads no torch; only the process does. The process writes what there is to see into the stage's folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.errors import SpexError, TrainingError, require_extra
from spex_nb.extraction.mask_models import CHECKPOINTS
from spex_nb.output.files import write_whole

STAGE, CURVES, SCORES, DONE, FAILED, LOG = (
    "stage.json", "curves.jsonl", "scores.jsonl", "done.json", "failed.json", "training.log",
)  # fmt: skip
SAMPLES = "samples"
"""Folder of the pictures of sample predictions."""
SCORED_TILES = 4
"""Tiles that each checkpoint is scored on."""
PATIENCE_S = 60
"""How long a process may take to write its checkpoint before it is ended."""


@dataclass(frozen=True)
class Watched:
    """What there is to see of a training.

    Attributes:
        curves: Losses by step.
        scores: IoU by step, one row a checkpoint.
        samples: Pictures of the last predictions: scene, label, prediction.
        checkpoint: Folder of the result, once there is one.
        steps: Done so far.
        is_whole: Whether these were all.
        error: What went wrong; empty if nothing did.
    """

    curves: list[dict[str, float]] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    samples: list[Path] = field(default_factory=list)
    checkpoint: Path | None = None
    steps: int = 0
    is_whole: bool = False
    error: str = ""


class Training:
    """One stage, trained in a process of its own.

    Args:
        stage: As `spex_nb.training.stage.make_stage` takes it: kind, data, out, start, targets, steps, rate, ….

    Raises:
        MissingExtraError: If torch and transformers are not installed.
    """

    def __init__(self, stage: Mapping[str, Any]) -> None:
        require_extra("model", "Training")
        self.folder = Path(stage["out"])
        self.steps = int(stage["steps"])
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_whole(self.folder / STAGE, overwrite=True) as part:
            part.write_text(json.dumps(dict(stage), indent=1), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is at work."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, or go on after the last checkpoint.

        Raises:
            TrainingError: If it runs already.
        """
        if self.is_running:
            raise TrainingError(
                "It is training already", found="a process at work", expected="none", fix="Pause it first."
            )
        for name in (DONE, FAILED):
            (self.folder / name).unlink(missing_ok=True)
        command = [sys.executable, "-m", "spex_nb.training.background", str(self.folder)]
        with (self.folder / LOG).open("ab") as log:
            # A session of its own: an interrupt of the kernel is not meant for it.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment(), start_new_session=True
            )

    def pause(self) -> None:
        """Ask the process to write a checkpoint and end; `start` goes on from there."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Pause, and end the process if it does not end by itself."""
        if self._process is None:
            return
        self.pause()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def look(self) -> Watched:
        """Return what there is to see."""
        curves = _lines(self.folder / CURVES)
        done, failed = _read(self.folder / DONE), _read(self.folder / FAILED)
        ended = self._process is not None and self._process.poll() is not None
        error = str(failed.get("error", ""))
        if ended and not done and not error:
            error = f"The process ended: {self._last_lines()}"
        return Watched(
            curves=curves,
            scores=_lines(self.folder / SCORES),
            samples=sorted((self.folder / SAMPLES).glob("*.png")),
            checkpoint=Path(done["checkpoint"]) if done else None,
            steps=int(done.get("steps", curves[-1]["step"] if curves else 0)),
            is_whole=bool(done.get("is_whole")),
            error=error,
        )

    def _last_lines(self) -> str:
        return (self.folder / LOG).read_text(encoding="utf-8", errors="replace")[-600:]


def checkpoint_targets(start: str | Path) -> tuple[str, ...]:
    """Return the targets that a checkpoint was trained on; the same ones in the same order must be trained again.

    Args:
        start: Name of a checkpoint that ships, or a folder.

    Raises:
        TrainingError: If there is no such checkpoint.
    """
    shipped = CHECKPOINTS / start
    folder = shipped if shipped.is_dir() else Path(start)
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return tuple(said["targets"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            "There is no checkpoint to go on from", found=f"{folder}: {error}", expected="config.json with targets",
            fix="Name the folder of a checkpoint, or leave the field empty to start anew.",
        ) from error  # fmt: skip


def _environment() -> dict[str, str]:
    """Return this environment, with the places that this process imports from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _lines(path: Path) -> list[dict[str, float]]:
    """Return the whole lines of a file that is being written."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def train(folder: Path) -> None:
    """Train the stage that a folder describes; what comes of it is written there."""
    from spex_nb.training.run import run_stage
    from spex_nb.training.stage import make_stage

    stage = make_stage(json.loads((folder / STAGE).read_text(encoding="utf-8")))
    scorer = _Scorer(stage, folder)
    result = run_stage(stage, on_log=scorer.look)
    scorer.score(result.folder, result.steps)
    _write(folder / DONE, {"checkpoint": str(result.folder), "steps": result.steps, "is_whole": result.is_whole})


class _Scorer:
    """Scores each checkpoint on tiles that were kept back, or on some that it learns from where none were."""

    def __init__(self, stage: Any, folder: Path) -> None:
        from spex_nb.errors import DatasetError
        from spex_nb.spie.dataset import open_dataset
        from spex_nb.training.crops import list_tiles

        self._folder, self._parent = folder, os.getppid()
        self._targets = stage.targets
        try:
            self.split, tiles = "val", list_tiles(open_dataset(stage.data), "val", stage.targets)
        except DatasetError:  # too few examples to keep one back
            self.split, tiles = "train", list_tiles(open_dataset(stage.data), "train", stage.targets)
        self._tiles = tiles[:: max(1, len(tiles) // SCORED_TILES)][:SCORED_TILES]
        self._scored = {int(line["step"]) for line in _lines(folder / SCORES)}

    def look(self, _losses: Mapping[str, float]) -> None:
        """Score the newest checkpoint, once; end where the notebook is gone."""
        if os.getppid() != self._parent:
            raise KeyboardInterrupt
        written = self._folder.glob("checkpoint-*/config.json")
        steps = [int(path.parent.name.rpartition("-")[2]) for path in written]
        if steps and max(steps) not in self._scored:
            self.score(self._folder / f"checkpoint-{max(steps)}", max(steps))

    def score(self, checkpoint: Path, step: int) -> None:
        """Measure the IoU of a checkpoint over all scored tiles, and draw what it finds."""
        from spex_nb.language.prompts import build_prompt
        from spex_nb.model.predictor import SpexPredictor
        from spex_nb.regions.metrics import confusion_counts, iou
        from spex_nb.spie.tiles import UNKNOWN
        from spex_nb.training.crops import read_entry

        model = SpexPredictor.from_pretrained(checkpoint, device="cpu")
        counts: dict[str, Any] = {}
        for number, entry in enumerate(self._tiles):
            tile, labels = read_entry(entry)
            targets = [*labels]
            masks = model.predict(tile, targets, [build_prompt(target, []) for target in targets]) > 0
            for target, mask in zip(targets, masks, strict=True):
                one = confusion_counts(mask, labels[target] == 1, labels[target] != UNKNOWN)
                counts[target] = one + counts.get(target, 0)
            _draw(self._folder / SAMPLES / f"{number}.png", tile, labels[targets[0]] == 1, masks[0], targets[0])
        figures = {target: float(iou(one)) for target, one in counts.items()}
        known = [value for value in figures.values() if np.isfinite(value)]
        self._scored.add(step)
        line = {"step": step, "iou": float(np.mean(known)) if known else 0.0}
        with (self._folder / SCORES).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


def _draw(path: Path, tile: Any, label: Any, mask: Any, target: str) -> None:
    """Draw scene, label and prediction of a tile side by side."""
    from PIL import Image

    from spex_nb.output.plotting import picture_of
    from spex_nb.targets import class_color

    picture = picture_of(tile)
    pictures = [picture, *(np.where(one[..., None], class_color(target), 0.4 * picture) for one in (label, mask))]
    path.parent.mkdir(exist_ok=True)
    with write_whole(path, overwrite=True) as part:
        Image.fromarray((255 * np.concatenate(pictures, axis=1)).astype(np.uint8)).save(part)


def _write(path: Path, value: Any) -> None:
    with write_whole(path, overwrite=True) as part:
        part.write_text(json.dumps(value), encoding="utf-8")


def main(folder: str) -> int:
    """Train; return the exit status. What went wrong is written for the one who watches."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background hands on that it is ignored
    try:
        train(Path(folder))
    except KeyboardInterrupt:
        _write(Path(folder) / FAILED, {"error": "It was paused before its first step."})
        return 1
    except SpexError as error:
        _write(Path(folder) / FAILED, {"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
