"""Stages that are run: exact resumption, early ends that lose nothing, and what each of them lets learn."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spex_nb.errors import TrainingError

torch = pytest.importorskip("torch", reason="training needs the extra [model]")

from safetensors.torch import load_file  # noqa: E402 (after the check for torch)
from transformers.utils import logging  # noqa: E402

from spex_nb.model import SpexModel, SpexPredictor, SpexProcessor  # noqa: E402
from spex_nb.spie import open_dataset  # noqa: E402
from spex_nb.training import Stage, read_curves, run_stage  # noqa: E402
from spex_nb.training.batches import Batcher, Hiding  # noqa: E402
from spex_nb.training.crops import list_tiles, read_entry  # noqa: E402
from spex_nb.training.samples import PromptSampling, SampleStream  # noqa: E402
from spex_nb.training.setup import load_model, load_processor  # noqa: E402
from spex_nb.training.trainer import BAD_BATCH, StageTrainer  # noqa: E402

pytestmark = pytest.mark.slow

TARGETS = ("water", "vegetation", "building", "bare_soil")
STEPS = 20


@pytest.fixture(scope="module")
def stage(landscapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(
        kind="pretrain",
        data=str(landscapes),
        out=str(tmp_path_factory.mktemp("whole")),
        targets=TARGETS,
        steps=STEPS,
        batch=2,
        size_px=32,
        warmup=2,
        save_every=10,
        workers=0,
        tokenizer_tiles=3,
        hiding=Hiding(batches=0.5),
    )


@pytest.fixture(scope="module")
def whole(stage: Stage) -> Path:
    """Return the checkpoint of a stage that ran without interruption, and left the bars of others as they were."""
    logging.enable_progress_bar()
    result = run_stage(stage)
    assert logging.is_progress_bar_enabled()
    assert (result.steps, result.is_whole) == (STEPS, True)
    return result.folder


def weights_of(folder: Path) -> dict[str, Any]:
    return load_file(folder / "model.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def stopping_at(step: int) -> Any:
    """Return a log that presses Ctrl-C after a step."""

    def on_log(line: Mapping[str, float]) -> None:
        if line["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_log


def test_twenty_steps_are_ten_a_ctrl_c_and_ten_more(stage: Stage, whole: Path, tmp_path: Path) -> None:
    own = replace(stage, out=str(tmp_path))
    broken = run_stage(own, on_log=stopping_at(10))
    assert not broken.is_whole
    assert 10 <= broken.steps < STEPS
    SpexModel.from_pretrained(broken.folder)
    resumed = run_stage(own)
    assert resumed.is_whole
    assert_same_weights(resumed.folder, whole)
    steps = [line["step"] for line in resumed.curves if "loss" in line]
    assert steps == sorted(set(steps))


def test_after_its_end_the_same_call_returns_the_result(stage: Stage, whole: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(StageTrainer, "train", lambda *_args, **_options: pytest.fail("it trained again"))
    again = run_stage(stage)
    assert again.folder == whole
    assert again.curves == read_curves(stage.out)


def test_another_seed_gives_other_weights(stage: Stage, whole: Path, tmp_path: Path) -> None:
    other = run_stage(replace(stage, out=str(tmp_path), steps=2, seed=1)).folder
    assert not torch.equal(weights_of(other)["neck.0.weight"], weights_of(whole)["neck.0.weight"])


def test_a_loss_that_is_no_number_stops_with_its_batch(stage: Stage, tmp_path: Path, monkeypatch: Any) -> None:
    forward = SpexModel.forward

    def broken(self: Any, *args: Any, **inputs: Any) -> Any:
        output = forward(self, *args, **inputs)
        output["loss"] = output.loss * torch.nan
        return output

    monkeypatch.setattr(SpexModel, "forward", broken)
    with pytest.raises(TrainingError, match="Look at the batch"):
        run_stage(replace(stage, out=str(tmp_path)))
    assert "mask_labels" in load_file(tmp_path / BAD_BATCH)


def test_a_full_disk_leaves_the_checkpoints_before_it(stage: Stage, tmp_path: Path, monkeypatch: Any) -> None:
    own = replace(stage, out=str(tmp_path))
    save = StageTrainer._save_optimizer_and_scheduler

    def full(self: StageTrainer, output_dir: str) -> None:
        if self.state.global_step > 10:
            raise OSError(28, "No space left on device")
        save(self, output_dir)

    monkeypatch.setattr(StageTrainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(TrainingError, match="Free some room"):
        run_stage(own)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-10"]
    SpexModel.from_pretrained(tmp_path / "checkpoint-10")


def test_alignment_leaves_the_encoder_as_it_is(stage: Stage, whole: Path, tmp_path: Path) -> None:
    sampling = PromptSampling(targets=2, answers=0.5, regions=1)
    aligned = run_stage(
        replace(stage, kind="align", start=str(whole), out=str(tmp_path), steps=2, sampling=sampling)
    ).folder
    before, after = weights_of(whole), weights_of(aligned)
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"language_model", "projector", "condensation"}


def test_instruction_tuning_changes_every_part_and_gives_a_model_to_use(
    stage: Stage, whole: Path, tmp_path: Path
) -> None:
    sampling = PromptSampling(targets=2, answers=0.5, regions=1, clicks=0.5)
    own = replace(stage, kind="instruct", start=str(whole), out=str(tmp_path), steps=3, sampling=sampling)
    tuned = run_stage(own).folder
    before, after = weights_of(whole), weights_of(tuned)
    parts = {name.split(".")[0] for name in before}
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed >= parts - {"target_queries", "band_readout"}
    predictor = SpexPredictor.from_pretrained(tuned)
    scene, _ = read_entry(list_tiles(open_dataset(stage.data), "val", TARGETS)[0])
    logits = predictor.predict(scene, ["water"], ["<image>\nthe attributes of the water bodies regions"])
    assert logits.shape == (1, *scene.spex.shape)
    assert predictor.card.targets == TARGETS


def test_low_rank_adapters_learn_and_are_merged(stage: Stage, whole: Path, tmp_path: Path) -> None:
    own = replace(
        stage,
        kind="align",
        start=str(whole),
        out=str(tmp_path),
        steps=2,
        lora=2,
        sampling=PromptSampling(targets=1, answers=1.0),
    )
    adapted = run_stage(own).folder
    before, after = weights_of(whole), weights_of(adapted)
    assert before.keys() == after.keys()
    language = [name for name in before if name.startswith("language_model.")]
    changed = [name for name in language if not torch.equal(before[name], after[name])]
    assert changed
    assert all(".q_proj." in name or "_proj." in name for name in changed)


def test_other_targets_than_the_checkpoint_has_are_said(stage: Stage, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the same targets in the same order"):
        run_stage(replace(stage, kind="align", start=str(whole), out=str(tmp_path), targets=("water",)))


def test_curves_say_how_well_held_out_tiles_are_segmented(stage: Stage, tmp_path: Path) -> None:
    lines = run_stage(replace(stage, out=str(tmp_path), steps=2, check_every=1, check_tiles=2)).curves
    measured = [line for line in lines if "iou_vegetation" in line]
    assert [line["step"] for line in measured] == [1, 2]
    assert all(0 <= line["iou_vegetation"] <= 1 for line in measured)


@pytest.mark.parametrize("guided", [False, True])
def test_cells_are_hidden_where_the_index_varies_if_it_guides(stage: Stage, whole: Path, guided: bool) -> None:
    processor = SpexProcessor.from_pretrained(whole, local_files_only=True)
    hiding = Hiding(batches=1.0, share=0.25, guided=guided)
    batcher = Batcher(processor, TARGETS, by_query=True, hiding=hiding)
    (tile, *_) = list_tiles(open_dataset(stage.data), "train", TARGETS)
    sample = SampleStream([tile], size_px=64, length=1)[0]
    for band in sample.scene.spex.bands:
        sample.scene[band].values[:, :32] = 0.2  # calm: every index is the same all over the left half
    hidden = batcher([sample] * 32)["hidden_cells"]
    assert hidden.shape == (32, 4, 4)
    assert hidden.flatten(1).sum(1).tolist() == [4] * 32
    share_left = float(hidden[:, :, :2].sum() / hidden.sum())
    assert share_left < 0.35 if guided else 0.4 < share_left < 0.6


def test_what_is_taught_anew_is_left_to_no_index(stage: Stage, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "start")
    said = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    said |= {"left_to_index": {TARGETS[0]: "always", "snow": "always"}, "weak_without": {TARGETS[0]: "nir"}}
    (tmp_path / "start" / "config.json").write_text(json.dumps(said), encoding="utf-8")
    again = replace(stage, kind="instruct", start=str(tmp_path / "start"))
    config = load_model(again, load_processor(again)).config
    assert (config.left_to_index, config.weak_without) == ({"snow": "always"}, {})


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_prompts_that_tell_their_label_teach_no_mask(stage: Stage, whole: Path, share: float) -> None:
    batcher = Batcher(SpexProcessor.from_pretrained(whole, local_files_only=True), TARGETS)
    tiles = list_tiles(open_dataset(stage.data), "train", TARGETS)
    stream = SampleStream(tiles, size_px=32, length=6, sampling=PromptSampling(answers=share))
    samples = [stream[i] for i in range(6)]
    batch = batcher(samples)
    told = [bool(question.answer) for sample in samples for question in sample.questions]
    wanted = batch["mask_wanted"].tolist()
    assert wanted == ([not one for one in told] if share < 1 else [True, *[False] * (len(told) - 1)])
    assert len(batch["mask_labels"]) == sum(wanted)
    known = [question.label for sample in samples for question in sample.questions if not question.answer]
    assert all((layer.numpy() == label).all() for layer, label in zip(batch["mask_labels"], known, strict=share < 1))
    assert share < 1 or (batch["mask_labels"] == 255).all()
