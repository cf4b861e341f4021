"""A stage in a process of its own, for real: it learns, is scored, and hands over a checkpoint that extracts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from spex_nb import extract, sample_scene
from spex_nb.errors import TrainingError
from spex_nb.language.prompts import build_prompt
from spex_nb.training.background import Training, checkpoint_targets
from spex_nb.training.corrected_results import add_example, build_examples

pytestmark = pytest.mark.slow


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Write a tiny model that knows nothing yet."""
    pytest.importorskip("torch")
    from spex_nb.model import SpexConfig, SpexModel, SpexProcessor
    from spex_nb.model.configuration import PRESETS
    from spex_nb.training import train_tokenizer

    tokenizer = train_tokenizer([build_prompt("water", [])], 300)
    plain = SpexConfig.preset("tiny")
    processor = SpexProcessor(
        tokenizer, index_channels=plain.stem_config.index_channels, bands=None, language_grid=plain.language_grid
    )
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    text: dict[str, Any] = {**PRESETS["tiny"]["text_config"], **words, "pad_token_id": tokenizer.pad_token_id}
    config = SpexConfig.preset("tiny", text_config=text, image_token_id=processor.image_token_id, targets=("water",))
    SpexModel(config).save_pretrained(tmp_path / "start")
    processor.save_pretrained(tmp_path / "start")
    return tmp_path / "start"


@pytest.fixture
def stage(tmp_path: Path, checkpoint: Path) -> dict[str, Any]:
    """Return the settings of a short stage on one corrected result."""
    scene = sample_scene("river_10m").isel(y=slice(0, 96), x=slice(0, 96))
    mask = (scene["nir"] < 0.1).values.astype(np.uint8)
    add_example(tmp_path / "examples", "river", scene, mask, ["water"])
    built = build_examples(tmp_path / "examples")
    return {
        "kind": "instruct",
        "data": str(built.folder),
        "out": str(tmp_path / "run"),
        "start": str(checkpoint),
        "targets": [*checkpoint_targets(checkpoint)],
        "steps": 2,
        "batch": 1,
        "workers": 0,
        "warmup": 0,
        "size_px": 64,
        "save_every": 1,
        "rate": 1e-4,
        "check_every": 1,
        "check_split": "train",
        "check_pictures": 4,
        "sampling": {"answers": 0.3},
    }


def test_a_stage_learns_in_a_process_and_its_checkpoint_extracts(stage: dict[str, Any]) -> None:
    scene = sample_scene("river_10m").isel(y=slice(0, 96), x=slice(0, 96))
    training = Training(stage)
    training.start()
    with pytest.raises(TrainingError, match="Pause it first"):
        training.start()
    assert training._process is not None
    training._process.wait(600)
    progress = training.progress()
    assert progress.error == ""
    assert (progress.steps, progress.is_whole) == (2, True)
    assert progress.curves[-1]["step"] == 2
    assert [step for step, _ in progress.scores] == [1, 2]
    assert 0 <= progress.scores[-1][1] <= 1
    assert len(progress.samples) == 1
    result = extract(scene, "water", str(progress.checkpoint), progress=False)
    assert result.provenance["answered_by"] == {"water": result.provenance["model"]}
    training.close()


def test_a_paused_stage_leaves_a_checkpoint_and_continues_from_it(stage: dict[str, Any]) -> None:
    training = Training(stage | {"steps": 3, "check_every": 0})
    training.start()
    training.pause()
    assert training._process is not None
    training._process.wait(600)
    paused = training.progress()
    assert paused.error == ""
    assert not paused.is_whole
    assert paused.checkpoint == training.folder / "checkpoint-1"
    training.start()
    training._process.wait(600)
    assert training.progress().is_whole
    training.close()


PARENT = """
import json, sys, time
from spex_nb.training.background import Training

training = Training(json.loads(sys.argv[1]))
training.start()
print(training._process.pid, flush=True)
time.sleep(600)
"""


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if no parent has collected its status."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_the_child_ends_with_its_parent_and_leaves_a_checkpoint(stage: dict[str, Any]) -> None:
    settings = stage | {"steps": 100_000, "check_every": 0, "save_every": 100_000}
    command = [sys.executable, "-c", PARENT, json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    while not has_ended(child):
        time.sleep(0.1)
    run = Path(stage["out"])
    assert [path.name for path in run.glob("checkpoint-*")]
    assert not (run / "final").exists()


def test_what_goes_wrong_in_the_process_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    training = Training({"kind": "instruct", "data": str(tmp_path / "none"), "out": str(tmp_path / "run"), "steps": 1})
    training.start()
    assert training._process is not None
    training._process.wait(600)
    assert "Name the dataset's folder" in training.progress().error
    training.close()
