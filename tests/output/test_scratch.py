"""Temporary folders: nobody's folder is left behind by a kill for longer than until the next one is made."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from spex_nb.errors import OutputError
from spex_nb.output.scratch import Scratch


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def in_a_child_that_stays() -> int:
    """Make a scratch folder in a forked child, which then waits; return its id."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        scratch = Scratch()
        (scratch.folder / "half").write_bytes(b"x")
        os.write(writing, b"made")
        signal.pause()
    os.close(writing)
    assert os.read(reading, 4) == b"made"
    os.close(reading)
    return pid


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(place: Path) -> None:
    pid = in_a_child_that_stays()
    (theirs,) = place.iterdir()
    ours = Scratch()
    assert sorted(place.iterdir()) == sorted([theirs, ours.folder])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    last = Scratch()
    assert sorted(place.iterdir()) == sorted([ours.folder, last.folder])


def test_a_folder_goes_with_its_object(place: Path) -> None:
    scratch = Scratch()
    scratch.remove()
    scratch.remove()
    with Scratch() as inner:
        assert inner.folder.is_dir()
    assert inner.folder.is_dir()
    del inner
    assert [*place.iterdir()] == []


def test_a_folder_goes_with_an_error(place: Path) -> None:
    with pytest.raises(KeyError), Scratch():
        raise KeyError
    assert [*place.iterdir()] == []


def test_folders_of_others_stay(place: Path) -> None:
    (place / "spex-notes").mkdir()
    (place / "spex-scratch-file").write_text("mine")
    os.mkfifo(place / "spex-scratch-pipe")  # waits for ever where it is opened
    Scratch()
    assert (place / "spex-notes").is_dir()
    assert (place / "spex-scratch-file").read_text() == "mine"
    assert (place / "spex-scratch-pipe").exists()


def test_no_place_for_temporary_files_is_one_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "gone"))
    with pytest.raises(OutputError, match="gone"):
        Scratch()
