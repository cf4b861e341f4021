"""Running a stage: the Trainer with model and samples, and a checkpoint at the end or after an interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spex_nb.errors import OutputError, TrainingError
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.model.progress_bar import without_progress_bar
from spex_nb.output.files import remove_leftovers, write_folder_whole
from spex_nb.training.checkpoints import last_checkpoint, remove_broken
from spex_nb.training.curves import FINAL, Line, read_curves
from spex_nb.training.setup import batcher_of, load_model, load_processor, stream_of, validation_of
from spex_nb.training.stage import Kind, Stage, read_stage
from spex_nb.training.trainer import GO_ON, CurveWriter, GracefulInterrupt, StageTrainer


@dataclass(frozen=True)
class StageResult:
    """The result of a stage.

    Attributes:
        folder: Folder of the checkpoint, with model and processor.
        steps: Number of finished steps.
        is_whole: Whether the stage is finished; False after an interruption.
        curves: Losses by step, and IoU where it was measured.
    """

    folder: Path
    steps: int
    is_whole: bool
    curves: list[dict[str, float]]


def run_stage(
    stage: Stage, *, on_log: Callable[[Line], None] | None = None, stop: threading.Event | None = None
) -> StageResult:
    """Train one stage, or continue it from its last checkpoint. After its end, the same call returns the result.

    Ctrl-C ends it after the current step, with a checkpoint from which the same call continues.

    Args:
        stage: Settings of the stage.
        on_log: Called with each new line of losses or measurements, for instance to draw them.
        stop: An event that ends the stage as Ctrl-C does.

    Raises:
        TrainingError: If the settings make no sense, the loss is no longer a number, or the disk is full.
        DatasetError: If there is nothing to train on.
        CheckpointError: If ``start`` cannot be loaded.
    """
    final = Path(stage.out) / FINAL
    remove_leftovers(Path(stage.out))
    if final.exists():
        return StageResult(final, stage.steps, True, read_curves(stage.out))
    remove_broken(stage.out)
    with without_progress_bar():  # the curves show the progress
        return _train(stage, on_log, stop, final)


def _train(
    stage: Stage, on_log: Callable[[Line], None] | None, stop: threading.Event | None, final: Path
) -> StageResult:
    """Train the steps that are left, and write the checkpoint if those were all."""
    torch.manual_seed(stage.seed)
    processor = load_processor(stage)
    batcher = batcher_of(stage, processor)
    with GracefulInterrupt(stop) as interrupt:
        trainer = StageTrainer(
            stage,
            model=load_model(stage, processor),
            train_dataset=stream_of(stage),
            data_collator=batcher,
            processing_class=processor,
            callbacks=[
                CurveWriter(Path(stage.out), on_log, validation_of(stage, batcher), stage.check_every),
                interrupt,
            ],
        )
        trainer.train(resume_from_checkpoint=last_checkpoint(stage.out))
    steps = trainer.state.global_step
    if steps < stage.steps:
        return StageResult(Path(str(last_checkpoint(stage.out))), steps, False, read_curves(stage.out))
    save_whole(trainer.accelerator.unwrap_model(trainer.model), processor, final)
    return StageResult(final, steps, True, read_curves(stage.out))


def save_whole(model: SpexModel, processor: SpexProcessor, folder: Path) -> None:
    """Write model and processor, with adapters merged. The folder gets its name only once it is complete.

    Raises:
        TrainingError: If the disk is full.
    """
    if hasattr(model.language_model, "merge_and_unload"):
        model.language_model = model.language_model.merge_and_unload()
    try:
        with write_folder_whole(folder, overwrite=False, mark="config.json") as part:
            model.save_pretrained(part)
            processor.save_pretrained(part)
    except OutputError as error:
        raise TrainingError(
            "The model cannot be written", found=error.found, expected="room on the disk", fix=GO_ON
        ) from error


def pretrain(config: str | Path, **changes: Any) -> StageResult:
    """Run multispectral visual pre-training.

    Args:
        config: TOML file of the stage.
        **changes: Settings that replace those of the file, such as ``steps=100``; see `Stage`.

    Raises:
        TrainingError: If the settings make no sense or are those of another stage, and as `run_stage`.
    """
    return _run("pretrain", config, changes)


def align(config: str | Path, **changes: Any) -> StageResult:
    """Run the alignment of visual tokens and words; arguments and errors as those of `pretrain`."""
    return _run("align", config, changes)


def instruct(config: str | Path, **changes: Any) -> StageResult:
    """Run joint instruction tuning; arguments and errors as those of `pretrain`."""
    return _run("instruct", config, changes)


def _run(kind: Kind, config: str | Path, changes: Mapping[str, Any]) -> StageResult:
    return run_stage(read_stage(config, kind=kind, changes=changes))
