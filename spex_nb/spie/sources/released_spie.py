"""Reader of the released SPIE JSON: the LLaVA form, a list of {id, image, gt_image, conversations}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError
from spex_nb.spie.sources.folders import require_folder, wrong_folder

KEYS = ("id", "image", "gt_image", "conversations")


@dataclass(frozen=True)
class ReleasedRecord:
    """One record as it was released.

    Attributes:
        id: As released.
        image: File of the picture, found.
        gt_image: File of the mask, found.
        conversations: Turns of (speaker, text), in order; speakers are ``human`` and ``gpt``.
    """

    id: str
    image: str
    gt_image: str
    conversations: tuple[tuple[str, str], ...]

    @property
    def prompt(self) -> str:
        """The first text of the human; `spex_nb.language.parse_prompt` understands it."""
        return self._first("human")

    @property
    def answer(self) -> str:
        """The first text of the model."""
        return self._first("gpt")

    def _first(self, speaker: str) -> str:
        return next((text for who, text in self.conversations if who == speaker), "")


def read_spie(source: str | Path, images: str | Path | None = None) -> list[ReleasedRecord]:
    """Read records in the released form.

    Args:
        source: The JSON file; or a folder, of which all JSON files are read in the order of their names.
        images: The folder that paths in the records start from; that of each JSON file by default.

    Returns:
        The records, in their order.

    Raises:
        DatasetError: If a file or folder is missing, a file is no such list, or a record lacks a part or its files.
    """
    path = Path(source)
    if path.is_file():
        return _records(path, Path(images or path.parent))
    files = sorted(require_folder(path, "JSON files of the released form, or one such file").glob("*.json"))
    if not files:
        raise wrong_folder(path, "no JSON file", "JSON files of the released form")
    return [record for file in files for record in _records(file, Path(images or file.parent))]


def _records(file: Path, images: Path) -> list[ReleasedRecord]:
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _broken(str(file), str(error)) from error
    if not isinstance(listed, list):
        raise _broken(str(file), f"a {type(listed).__name__}")
    return [_record(entry, f"{file}, record {number}", images) for number, entry in enumerate(listed)]


def _record(entry: Any, where: str, images: Path) -> ReleasedRecord:
    if not isinstance(entry, Mapping):
        raise _broken(where, f"a {type(entry).__name__}")
    missing = [key for key in KEYS if key not in entry]
    if missing:
        raise _broken(where, f"no {', '.join(missing)}")
    return ReleasedRecord(
        id=str(entry["id"]),
        image=_present(images / str(entry["image"]), where),
        gt_image=_present(images / str(entry["gt_image"]), where),
        conversations=_turns(entry["conversations"], where),
    )


def _turns(listed: Any, where: str) -> tuple[tuple[str, str], ...]:
    turns = listed if isinstance(listed, list) else []
    if not turns or not all(isinstance(turn, Mapping) and {"from", "value"} <= set(turn) for turn in turns):
        raise _broken(where, "conversations that are no list of {from, value}")
    return tuple((str(turn["from"]), str(turn["value"])) for turn in turns)


def _present(path: Path, where: str) -> str:
    if not path.is_file():
        raise DatasetError(
            "A record names a file that does not exist",
            found=f"{path} in {where}",
            expected="a file",
            fix="Pass images=, the folder that the paths in the records start from.",
        )
    return str(path)


def _broken(where: str, problem: str) -> DatasetError:
    return DatasetError(
        "The file is not of the released form",
        found=f"{where}: {problem}",
        expected=f"a list of records with {', '.join(KEYS)}",
        fix="Check that it was fetched completely, and that it is a SPIE file.",
    )
