"""Records of SPIE in the LLaVA form: image, mask, question and answer; reading and writing lists of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError
from spex_nb.output.files import write_whole

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: a tile, a question about it, the answer, and the mask."""

    id: str
    image: str
    """Path of the tile, relative to the dataset's folder."""
    gt_image: str
    """Path of the mask, relative to the dataset's folder."""
    prompt: str
    answer: str
    target: str = ""
    """Id of the target; empty in records of the released form, which do not say it apart from the prompt."""
    source: str = ""
    """What the attributes were made from: ``index``, ``label``, ``drawn``, or ``none`` where no index shows the
    target; empty where the record does not say."""
    language: str = "en"
    """Of the answer."""
    split: str = ""
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record in the LLaVA form, with further entries beside it."""
        plain = asdict(self)
        turns = [{"from": "human", "value": plain.pop("prompt")}, {"from": "gpt", "value": plain.pop("answer")}]
        head = {name: plain.pop(name) for name in ("id", "image", "gt_image")}
        return head | {"conversations": turns} | plain

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Record:
        """Read a record of the LLaVA form, ours or released.

        Raises:
            DatasetError: If a part is missing or of the wrong kind.
        """
        try:
            question, answer = (_text_of(item["conversations"], who) for who in ("human", "gpt"))
            paths = {name: str(item[name]) for name in ("id", "image", "gt_image")}
        except (KeyError, TypeError, StopIteration) as error:
            raise DatasetError(
                "A record is broken",
                found=f"{type(error).__name__} {error} in {str(item)[:120]}",
                expected="id, image, gt_image, and conversations of a human and a gpt turn",
                fix="Mend or remove the record.",
            ) from error
        more = {name: str(item[name]) for name in ("target", "source", "language", "split", "place") if name in item}
        return cls(**paths, prompt=question, answer=answer, **more)


def _text_of(turns: Iterable[Mapping[str, str]], who: str) -> str:
    return next(str(turn["value"]) for turn in turns if turn["from"] == who)


def write_records(records: Iterable[Record], path: Path) -> None:
    """Write records as one JSON list, whole or not at all."""
    with write_whole(path, overwrite=True) as part:
        part.write_text(json.dumps([r.to_json() for r in records], ensure_ascii=False, indent=1), encoding="utf-8")


def read_records(path: Path) -> list[Record]:
    """Read a JSON list of records.

    Raises:
        DatasetError: If the file is missing or no such list, or one of the records is broken.
    """
    return [Record.from_json(item) for item in read_items(path)]


def read_items(path: Path) -> list[Any]:
    """Read a JSON list whose items may be records.

    Raises:
        DatasetError: If the file is missing or no list.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            "The list of records cannot be read",
            found=f"{path}: {error}",
            expected="a JSON list in the LLaVA form",
            fix="Name the file, or build the dataset again.",
        ) from error
    if not isinstance(items, list):
        raise DatasetError(
            "This is no list of records",
            found=f"{type(items).__name__} in {path}",
            expected="a JSON list in the LLaVA form",
            fix="Name the file that holds the list.",
        )
    return items
