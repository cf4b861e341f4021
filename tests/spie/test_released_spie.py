"""Records in the released form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spex_nb.errors import DatasetError
from spex_nb.spie.sources.readers import read_spie


@pytest.fixture
def released(tmp_path: Path) -> Path:
    folder = tmp_path / "released"
    for name in ("images/1.png", "masks/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    turns = [{"from": "human", "value": "<image>\nBased on"}, {"from": "gpt", "value": "A lake."}]
    record = {"id": 7, "image": "images/1.png", "gt_image": "masks/1.png", "conversations": turns}
    for name in ("b", "a"):
        (folder / f"{name}.json").write_text(json.dumps([record | {"id": name}]))
    return folder


def test_released_records_are_read_in_order_with_their_files(released: Path) -> None:
    assert [record.id for record in read_spie(released)] == ["a", "b"]
    (record,) = read_spie(released / "b.json")
    assert record.image == str(released / "images/1.png")
    assert record.gt_image == str(released / "masks/1.png")
    assert (record.prompt, record.answer) == ("<image>\nBased on", "A lake.")
    assert record.conversations == (("human", "<image>\nBased on"), ("gpt", "A lake."))


def test_released_paths_can_start_elsewhere(released: Path, tmp_path: Path) -> None:
    moved = shutil.copy(released / "a.json", tmp_path / "moved.json")
    assert read_spie(moved, images=released)[0].image == str(released / "images/1.png")
    with pytest.raises(DatasetError, match=r"images/1\.png in .*moved\.json, record 0.*images="):
        read_spie(moved)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", r"a\.json"),
        ("{}", r"a\.json: a dict"),
        ("[3]", r"record 0: a int"),
        ('[{"id": 1, "image": "x"}]', r"record 0: no gt_image, conversations"),
    ],
)
def test_what_is_no_released_file_is_named(released: Path, text: str, says: str) -> None:
    (released / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=rf"not of the released form.*{says}"):
        read_spie(released)


@pytest.mark.parametrize("turns", [[], "text", [{"from": "human"}]])
def test_released_conversations_must_be_turns(released: Path, turns: Any) -> None:
    record = json.loads((released / "a.json").read_text())[0] | {"conversations": turns}
    (released / "a.json").write_text(json.dumps([record]))
    with pytest.raises(DatasetError, match=r"record 0: conversations that are no list"):
        read_spie(released)


def test_released_folder_without_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no JSON file"):
        read_spie(tmp_path)
