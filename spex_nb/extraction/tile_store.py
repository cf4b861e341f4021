"""Finished tiles on disk: what a run that was cancelled or killed goes on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import OutputError
from spex_nb.extraction.predict import IndexExtreme, TilePrediction
from spex_nb.output.files import write_whole
from spex_nb.types import Window

PLAN = "plan.json"


@dataclass(frozen=True)
class TileStore:
    """A folder that holds what came of each finished tile, and the plan that they belong to."""

    folder: Path

    def begin(self, plan: Mapping[str, Any], overwrite: bool = False) -> None:
        """Begin a run, or go on with one of the same plan.

        Args:
            plan: All that the logits of a tile depend on, as JSON.
            overwrite: Whether an unfinished run of another plan is thrown away.

        Raises:
            OutputError: If the folder holds a run of another plan, or cannot be made.
        """
        begun = self._begun()
        changed = [name for name in plan if begun is not None and begun.get(name) != plan[name]]
        if changed and not overwrite:
            raise OutputError(
                "An unfinished run of something else lies here",
                found=f"{self.folder}, with other {', '.join(changed)}",
                expected="no unfinished run, or one of the same scene, instruction, model and tiles",
                fix="Repeat that run to finish it, choose another output, or allow overwriting.",
            )
        if changed:
            self.remove()
        try:
            (self.folder / "tiles").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        for leftover in (self.folder / "tiles").glob(".*"):  # of a run that was killed while writing
            shutil.rmtree(leftover)
        with write_whole(self.folder / PLAN, overwrite=True) as part:
            part.write_text(json.dumps(plan, indent=1), encoding="utf-8")

    def is_done(self, window: Window) -> bool:
        """Whether a tile is finished."""
        return self._path(window).exists()

    def put(self, window: Window, prediction: TilePrediction) -> None:
        """Write what came of a tile.

        Raises:
            OutputError: If the disk is full.
        """
        extremes = {target: asdict(extreme) for target, extreme in prediction.extremes.items()}
        meta = json.dumps({"best": extremes, "notes": prediction.notes}).encode()
        logits = np.empty(0, np.float32) if prediction.logits is None else prediction.logits
        try:
            with write_whole(self._path(window)) as part:
                np.savez(part, logits=logits, said=np.frombuffer(meta, np.uint8))  # as version 0.1 calls it
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def logits(self, window: Window) -> NDArray[np.float32] | None:
        """Return the logits [T, h, w] of a tile; None where it has no data or failed."""
        if not self.is_done(window):
            return None
        with np.load(self._path(window)) as arrays:
            logits: NDArray[np.float32] = arrays["logits"]
        return logits if logits.size else None

    def meta(self, window: Window) -> tuple[dict[str, IndexExtreme], tuple[str, ...]]:
        """Return the index extremes and the notes of a finished tile."""
        with np.load(self._path(window)) as arrays:
            meta = json.loads(arrays["said"].tobytes())
        return {target: IndexExtreme(**extreme) for target, extreme in meta["best"].items()}, tuple(meta["notes"])

    def delete_tiles(self) -> None:
        """Delete the tiles, and keep what lies beside them."""
        shutil.rmtree(self.folder / "tiles", ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, window: Window) -> Path:
        return self.folder / "tiles" / f"{window[0]}-{window[1]}.npz"

    def _begun(self) -> dict[str, Any] | None:
        """Return the plan of the run that was begun here; None if there is none."""
        try:
            plan: dict[str, Any] = json.loads((self.folder / PLAN).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return plan


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error of a disk that is full or may not be written, which keeps what is there."""
    return OutputError(
        "The result cannot be written",
        found=f"{path}: {error.strerror or error}",
        expected="a folder that can be written, with enough room",
        fix="Make room or choose another output; finished tiles are kept, and the same call goes on after them.",
    )
