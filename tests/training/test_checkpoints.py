"""Training goes on from the last checkpoint that is whole; half ones are removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra [model]")

import torch
from safetensors.torch import save_file

from spex_nb.training.checkpoints import STATE, is_whole, keep_last, last_checkpoint, remove_broken


def write_checkpoint(folder: Path, step: int) -> Path:
    """Write the files that the Trainer writes."""
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    save_file({"weight": torch.zeros(10)}, path / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.zeros(100)}, path / name)
    (path / STATE).write_text(json.dumps({"global_step": step}))
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: cut(path / "model.safetensors"),
        lambda path: cut(path / "optimizer.pt"),
        lambda path: cut(path / STATE),
        lambda path: (path / "rng_state.pth").write_bytes(b""),
        lambda path: (path / "model.safetensors").write_bytes(b""),
        lambda path: (path / STATE).unlink(),
        lambda path: (path / "scheduler.pt").unlink(),
        lambda path: (shutil.rmtree(path), path.mkdir()),
    ],
    ids=["weights", "optimiser", "state", "random numbers", "empty", "no state", "no scheduler", "no file"],
)
def test_the_last_whole_checkpoint_is_taken(damage: Callable[[Path], Any], tmp_path: Path) -> None:
    before, last = write_checkpoint(tmp_path, 90), write_checkpoint(tmp_path, 100)
    assert last_checkpoint(tmp_path) == str(last)
    damage(last)
    assert not is_whole(last)
    assert last_checkpoint(tmp_path) == str(before)
    remove_broken(tmp_path)
    assert list(tmp_path.iterdir()) == [before]


def test_strangers_are_no_checkpoints_and_the_last_ones_stay(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "missing") is None
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-7").write_text("a file")
    assert last_checkpoint(tmp_path) is None
    for step in (5, 10, 20):
        write_checkpoint(tmp_path, step)
    keep_last(tmp_path, 2)
    remove_broken(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-10", "checkpoint-20", "checkpoint-7", "checkpoint-best"]
