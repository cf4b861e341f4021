"""Checkpoints in the folder of a stage: which of them are whole, and the last one of these. It loads no torch."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

NAME = re.compile(r"checkpoint-(\d+)")
STATE = "trainer_state.json"
"""The Trainer writes it last."""
WEIGHTS = "*.safetensors"
ZIPPED = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "scaler.pt")
"""What torch writes as zip archives."""
HEADER_BYTES = 8
"""Of a safetensors file: the length of its header, as a little-endian number."""


def last_checkpoint(folder: str | Path) -> str | None:
    """Return the last whole checkpoint of a folder; None if there is none.

    Args:
        folder: Folder of the stage; it need not exist.
    """
    return next((str(path) for path in reversed(_checkpoints(Path(folder))) if is_whole(path)), None)


def remove_broken(folder: str | Path) -> None:
    """Remove checkpoints that a kill left half written, which nothing can be continued from."""
    for path in _checkpoints(Path(folder)):
        if not is_whole(path):
            shutil.rmtree(path, ignore_errors=True)


def keep_last(folder: str | Path, number: int) -> None:
    """Remove all but the last checkpoints of a folder; one at least stays.

    Args:
        folder: Folder of the stage.
        number: How many stay.
    """
    for path in _checkpoints(Path(folder))[: -max(1, number)]:
        shutil.rmtree(path, ignore_errors=True)


def is_whole(checkpoint: Path) -> bool:
    """Whether all files of a checkpoint are there and none is cut short."""
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        weights = list(checkpoint.glob(WEIGHTS))
        archives = [path for pattern in ZIPPED for path in checkpoint.glob(pattern)]
        names = {path.name for path in archives}
        if "global_step" not in state or not weights or not {"optimizer.pt", "scheduler.pt"} <= names:
            return False
        return all(map(_is_whole_safetensors, weights)) and all(map(_is_whole_zip, archives))
    except (OSError, ValueError, TypeError):
        return False


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder by step, whole or not."""
    paths = [path for path in folder.glob("checkpoint-*") if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(paths, key=lambda path: int(path.name.rpartition("-")[2]))


def _is_whole_safetensors(path: Path) -> bool:
    """Whether a file is as long as its header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(HEADER_BYTES), "little")
        if length > path.stat().st_size:
            return False
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return path.stat().st_size == HEADER_BYTES + length + max(ends, default=0)


def _is_whole_zip(path: Path) -> bool:
    """Whether the directory at the end of an archive is there and each member is as its checksum says."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False
