"""What is built in a folder, so that a build goes on only with the scenes, labels and settings that it began with."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError
from spex_nb.output.files import write_whole
from spex_nb.spie.make_records import Rewrite
from spex_nb.spie.settings import Settings
from spex_nb.spie.sources.labelled_scene import LabelledScene


def claim_folder(folder: Path, scenes: Sequence[LabelledScene], settings: Settings, rewrite: Rewrite | None) -> None:
    """Note what is built in this folder; refuse to mix it with something else.

    Raises:
        DatasetError: If it holds another build, or cannot be made.
    """
    plan: dict[str, Any] = {
        "settings": json.loads(json.dumps(asdict(settings))),
        "rewrite": None if rewrite is None else getattr(rewrite, "__qualname__", repr(rewrite)),
        "scenes": {scene.id: _fingerprint(scene) for scene in scenes},
    }
    noted = folder / "build.json"
    changed = _changed(noted, plan) if noted.exists() else ""
    if changed:
        raise DatasetError(
            "The folder holds a dataset of other scenes or settings",
            found=f"{folder}: {changed}",
            expected="a new folder, or the scenes, labels and settings that it was begun with",
            fix="Choose another folder, or delete this one.",
        )
    try:
        for name in ("images", "masks", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            "The folder cannot be made", found=f"{folder}: {error.strerror}", expected="a folder that can be written",
            fix="Choose another.",
        ) from error  # fmt: skip
    for leftover in (*folder.glob(".*"), *(folder / "parts").glob(".*")):  # of a build that was killed while writing
        shutil.rmtree(leftover)
    if not noted.exists():
        with write_whole(noted) as part:
            part.write_text(json.dumps(plan, indent=1), encoding="utf-8")


def _changed(noted: Path, plan: dict[str, Any]) -> str:
    """Say what of a plan differs from the one that was begun with; empty if nothing does."""
    try:
        begun = json.loads(noted.read_text(encoding="utf-8"))
        parts = [name for name in ("settings", "rewrite") if begun[name] != plan[name]]
        before, now = begun["scenes"], plan["scenes"]
        parts += [f"scene {name}" for name in {**before, **now} if before.get(name) != now.get(name)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return "a build.json that cannot be read"
    more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""  # noqa: PLR2004 (enough to see)
    return f"other {', '.join(parts[:5])}{more}" if parts else ""


def _fingerprint(scene: LabelledScene) -> str:
    """Return what identifies a scene with its labels: names, coding, and the size and time of its files."""
    paths = [scene.path, *(layer.path for layer in scene.layers)]
    files = [(found.st_size, found.st_mtime_ns) if (found := _stat(path)) else None for path in paths]
    return hashlib.blake2b(repr((asdict(scene), files)).encode(), digest_size=8).hexdigest()


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 (None where there is none)
    except OSError:
        return None
