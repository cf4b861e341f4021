"""A stage in a process of its own, for real: it learns, is scored, and hands over a checkpoint that extracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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


def test_a_stage_learns_in_a_process_and_its_checkpoint_extracts(tmp_path: Path, checkpoint: Path) -> None:
    scene = sample_scene("river_10m").isel(y=slice(0, 96), x=slice(0, 96))
    mask = (scene["nir"] < 0.1).values.astype(np.uint8)
    add_example(tmp_path / "examples", "river", scene, mask, ["water"])
    built = build_examples(tmp_path / "examples")
    stage = {
        "kind": "instruct", "data": str(built.folder), "out": str(tmp_path / "run"), "start": str(checkpoint),
        "targets": [*checkpoint_targets(checkpoint)], "steps": 2, "batch": 1, "workers": 0, "warmup": 0, "size_px": 64,
        "save_every": 1, "rate": 1e-4,
    }  # fmt: skip
    training = Training(stage)
    training.start()
    with pytest.raises(TrainingError, match="Pause it first"):
        training.start()
    assert training._process is not None
    training._process.wait(600)
    seen = training.look()
    assert seen.error == ""
    assert (seen.steps, seen.is_whole) == (2, True)
    assert seen.curves[-1]["step"] == 2
    assert 0 <= seen.scores[-1]["iou"] <= 1
    assert len(seen.samples) == 1
    result = extract(scene, "water", str(seen.checkpoint), progress=False)
    assert result.provenance["answered_by"] == {"water": result.provenance["model"]}
    training.close()


def test_what_goes_wrong_in_the_process_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    training = Training({"kind": "instruct", "data": str(tmp_path / "none"), "out": str(tmp_path / "run"), "steps": 1})
    training.start()
    assert training._process is not None
    training._process.wait(600)
    assert "Name the dataset's folder" in training.look().error
