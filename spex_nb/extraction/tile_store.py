"""Finished tiles on disk: what a run that was cancelled or killed goes on from.

A tile carries a hash of itself, its place and the plan. One that is cut, foreign or changed counts as not done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import OutputError
from spex_nb.extraction.predict import IndexExtreme, TilePrediction
from spex_nb.output.files import remove_leftovers, unwritable, write_whole
from spex_nb.scene.windows.scene_files import changes_of
from spex_nb.types import Window

PLAN = "plan.json"
GO_ON = "Make room or choose another output; finished tiles are kept, and the same call goes on after them."
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a file raises that is no whole tile."""


@dataclass(frozen=True)
class TileStore:
    """A folder that holds what came of each finished tile, and the plan that they belong to.

    Attributes:
        folder: Where the tiles lie.
    """

    folder: Path
    _plan: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The plan as text, once the run has begun."""
    _whole: set[Window] = field(default_factory=set, init=False, repr=False, compare=False)
    """Tiles that were found whole."""

    def begin(self, plan: Mapping[str, Any], overwrite: bool = False) -> None:
        """Begin a run, or go on with one of the same plan.

        Args:
            plan: All that the logits of a tile depend on, as JSON; ``files`` holds the state of each file.
            overwrite: Whether an unfinished run of another plan is thrown away.

        Raises:
            OutputError: If the folder holds a run of another plan, or cannot be made.
        """
        plan = json.loads(json.dumps(plan))
        begun = self._begun()
        changed = [] if begun is None else _changes(begun, plan)
        if changed and not overwrite:
            raise OutputError(
                "An unfinished run of something else lies here",
                found=f"{self.folder}, with other {', '.join(changed)}",
                expected="no unfinished run, or one of the same scene, instruction, model and tiles",
                fix="Repeat that run to finish it, choose another output, or allow overwriting.",
            )
        if changed:
            self.remove()
        self._plan["text"] = json.dumps(plan, sort_keys=True)
        try:
            self._tiles.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
            remove_leftovers(self._tiles)
        except OSError as error:
            raise unwritable(self.folder, error, fix=GO_ON) from error
        if begun is not None and not changed and FILES not in begun:
            self._seal_tiles()
        with write_whole(self.folder / PLAN, overwrite=True, fix=GO_ON) as part:
            part.write_text(json.dumps(plan, indent=1), encoding="utf-8")

    def is_done(self, window: Window) -> bool:
        """Whether a tile is finished; its file is read once, since it may be cut or of another run."""
        if not self._path(window).exists():
            return False
        if window not in self._whole and self._is_whole(window):
            self._whole.add(window)
        return window in self._whole

    def put(self, window: Window, prediction: TilePrediction) -> None:
        """Write what came of a tile.

        Raises:
            OutputError: If the disk is full.
        """
        extremes = {target: asdict(extreme) for target, extreme in prediction.extremes.items()}
        meta = json.dumps({"best": extremes, "notes": prediction.notes}).encode()
        logits = np.empty(0, np.float32) if prediction.logits is None else prediction.logits
        self._write(window[:2], logits, meta)
        self._whole.add(window)

    def logits(self, window: Window) -> NDArray[np.float32] | None:
        """Return the logits [T, h, w] of a tile; None where it has no data or failed."""
        if not self.is_done(window):
            return None
        with self._path(window).open("rb") as file, np.load(file) as arrays:
            logits: NDArray[np.float32] = arrays["logits"]
        return logits if logits.size else None

    def meta(self, window: Window) -> tuple[dict[str, IndexExtreme], tuple[str, ...]]:
        """Return the index extremes and the notes of a finished tile."""
        with self._path(window).open("rb") as file, np.load(file) as arrays:
            meta = json.loads(arrays["said"].tobytes())
        return {target: IndexExtreme(**extreme) for target, extreme in meta["best"].items()}, tuple(meta["notes"])

    def delete_tiles(self) -> None:
        """Delete the tiles, and keep what lies beside them."""
        shutil.rmtree(self._tiles, ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def holds(self, plan: Mapping[str, Any]) -> bool:
        """Whether the folder holds a run of exactly this plan."""
        return bool(self._begun() == json.loads(json.dumps(plan)))

    @property
    def _tiles(self) -> Path:
        return self.folder / "tiles"

    def _path(self, window: tuple[int, ...]) -> Path:
        return self._tiles / f"{window[0]}-{window[1]}.npz"

    def _write(self, corner: tuple[int, int], logits: NDArray[np.float32], meta: bytes) -> None:
        path = self._path(corner)
        if path.is_dir():
            shutil.rmtree(path)
        meta_bytes = np.frombuffer(meta, np.uint8)
        seal = np.frombuffer(self._hash(corner, logits, meta), np.uint8)
        with write_whole(
            path, overwrite=True, needs_bytes=logits.nbytes + len(meta), removes_leftovers=False, fix=GO_ON
        ) as part:
            np.savez(part, logits=logits, said=meta_bytes, hash=seal)  # as version 0.1 calls it

    def _hash(self, corner: tuple[int, int], logits: NDArray[np.float32], meta: bytes) -> bytes:
        """Return a hash of a tile, its place and the plan, 16 bytes."""
        digest = hashlib.blake2b(self._plan.get("text", "").encode(), digest_size=16)
        digest.update(repr((*map(int, corner), logits.shape, logits.dtype.str)).encode())
        digest.update(np.ascontiguousarray(logits).data)
        digest.update(meta)
        return digest.digest()

    def _is_whole(self, window: Window) -> bool:
        """Whether the file of a tile can be read and is what `put` wrote for this plan."""
        try:
            with self._path(window).open("rb") as file, np.load(file) as arrays:
                logits, meta, stored = arrays["logits"], arrays["said"].tobytes(), arrays["hash"].tobytes()
            fits = not logits.size or (logits.ndim == 3 and logits.shape[1:] == tuple(window[2:]))  # noqa: PLR2004
            return bool(fits and stored == self._hash(window[:2], logits, meta))
        except BROKEN:
            return False

    def _seal_tiles(self) -> None:
        """Give the tiles of a run that version 0.1 began the hashes that it did not write."""
        for path in sorted(self._tiles.glob("*.npz")):
            try:
                corner = tuple(map(int, path.stem.split("-")))
                with path.open("rb") as file, np.load(file) as arrays:
                    logits, meta = arrays["logits"], arrays["said"].tobytes()
                is_sane = logits.dtype == np.float32 and (not logits.size or not np.isnan(logits).all())
            except BROKEN:
                continue
            if is_sane and len(corner) == 2:  # noqa: PLR2004 (row and column)
                self._write((corner[0], corner[1]), logits, meta)

    def _begun(self) -> dict[str, Any] | None:
        """Return the plan of the run that was begun here; None if there is none that can be read."""
        try:
            plan = json.loads((self.folder / PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return plan if isinstance(plan, dict) else None


FILES = "files"


def _changes(begun: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """Name what differs between two plans: the files one by one. What version 0.1 did not write is not compared."""
    names = [name for name in plan if name in begun and name != FILES and begun[name] != plan[name]]
    return [*changes_of(begun.get(FILES), plan.get(FILES)), *names]
