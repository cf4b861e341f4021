"""Running a stage: model and samples from a `Stage`, the Trainer, and a checkpoint at the end, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from spex_nb.errors import TrainingError
from spex_nb.model import SpexConfig, SpexModel, SpexProcessor
from spex_nb.model.configuration import PRESETS
from spex_nb.spie.dataset import open_dataset
from spex_nb.training.batches import Batcher
from spex_nb.training.curves import Curves
from spex_nb.training.cutting import list_tiles
from spex_nb.training.samples import Asking, SampleStream
from spex_nb.training.stages import Stage
from spex_nb.training.texts import tokenizer_for
from spex_nb.training.trainer import StageTrainer, last_checkpoint

FINAL = "final"
"""Folder of the result, in that of the stage."""


@dataclass(frozen=True)
class StageResult:
    """What a stage made.

    Attributes:
        folder: The checkpoint: model and processor.
        steps: How many were done in all.
        is_whole: Whether these were all of them; False after an interruption.
        curves: Losses by step.
    """

    folder: Path
    steps: int
    is_whole: bool
    curves: list[dict[str, float]]


def run_stage(stage: Stage, *, on_log: Callable[[dict[str, float]], None] | None = None) -> StageResult:
    """Train one stage, or go on where it was left; run again after its end, it returns the result.

    Ctrl-C ends it after the current step with a checkpoint from which the same call goes on.

    Args:
        stage: What is trained.
        on_log: Called with the losses every few steps, such as to draw them.

    Raises:
        TrainingError: If the stage makes no sense, the loss is no number any more, or the disk is full.
        DatasetError: If there is nothing to train on.
        CheckpointError: If ``start`` cannot be loaded.
    """
    torch.manual_seed(stage.seed)
    processor = load_processor(stage)
    model = load_model(stage, processor)
    curves = Curves(Path(stage.out), on_log)
    trainer = StageTrainer(
        stage,
        model=model,
        train_dataset=stream_of(stage),
        data_collator=batcher_of(stage, processor),
        processing_class=processor,
        callbacks=[curves],
    )
    is_whole = _train(trainer, stage)
    final = Path(stage.out) / FINAL
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if stage.lora:
        trained.language_model = trained.language_model.merge_and_unload()
    trained.save_pretrained(final)
    processor.save_pretrained(final)
    return StageResult(final, trainer.state.global_step, is_whole, curves.read())


def _train(trainer: StageTrainer, stage: Stage) -> bool:
    """Train to the end; return whether it was reached."""
    try:
        trainer.train(resume_from_checkpoint=last_checkpoint(stage.out))
    except KeyboardInterrupt:
        trainer.save_now()
        return False
    return True


def load_processor(stage: Stage) -> SpexProcessor:
    """Return the processor of the checkpoint that a stage starts from, or make one for a preset."""
    if stage.start in PRESETS:
        config = SpexConfig.preset(stage.start)
        return SpexProcessor(
            tokenizer_for(stage, config.text_config.vocab_size),
            index_channels=config.stem_config.index_channels,
            bands=None if config.stem_config.kind == "wavelength" else config.stem_config.bands,
            language_grid=config.language_grid,
        )
    return SpexProcessor.from_pretrained(stage.start, local_files_only=True)


def load_model(stage: Stage, processor: SpexProcessor) -> SpexModel:
    """Return the model that a stage starts from, with the parts at rest that do not learn.

    Raises:
        TrainingError: If the checkpoint was made for other targets.
    """
    weights = tuple(stage.positive_weights.get(target, 1.0) for target in stage.targets)
    if stage.start in PRESETS:
        text = {**PRESETS[stage.start]["text_config"], "vocab_size": len(processor.tokenizer),
                "eos_token_id": processor.tokenizer.eos_token_id, "pad_token_id": processor.tokenizer.pad_token_id,
                "bos_token_id": None}  # fmt: skip
        model = SpexModel(
            SpexConfig.preset(
                stage.start,
                text_config=text,
                image_token_id=processor.image_token_id,
                targets=stage.targets,
                positive_weights=weights,
            )
        )
    else:
        model = SpexModel.from_pretrained(stage.start)
        if model.config.targets != stage.targets:
            raise TrainingError(
                "The checkpoint has queries of other targets",
                found=", ".join(model.config.targets) or "none",
                expected=", ".join(stage.targets),
                fix="Name the same targets in the same order, or start from a preset.",
            )
        model.config.positive_weights = weights
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(stage.learns(name))
    if stage.lora:
        _add_adapters(model, stage)
    return model


def _add_adapters(model: SpexModel, stage: Stage) -> None:
    """Let low-rank adapters learn in the language model's place (https://arxiv.org/abs/2106.09685)."""
    from peft import LoraConfig, get_peft_model

    kept = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    settings = LoraConfig(r=stage.lora, lora_alpha=2 * stage.lora, target_modules="all-linear")
    model.language_model = get_peft_model(model.language_model, settings)
    for name, parameter in model.named_parameters():
        if not name.startswith("language_model."):
            parameter.requires_grad_(kept[name])


def stream_of(stage: Stage, split: str = "train") -> SampleStream:
    """Return the samples of a stage."""
    tiles = list_tiles(open_dataset(stage.data), split, stage.targets)
    return SampleStream(
        tiles,
        size_px=stage.size_px,
        asking=stage.asking if stage.kind != "pretrain" else _without_words(stage.asking),
        augmentation=stage.augmentation,
        shares=stage.shares or None,
        seed=stage.seed,
        length=stage.steps * stage.batch * stage.accumulate * _processes(),
    )


def _without_words(asking: Asking) -> Asking:
    return replace(asking, attributes=0.0, texts=0.0)


def _processes() -> int:
    from accelerate import PartialState

    return int(PartialState().num_processes)


def batcher_of(stage: Stage, processor: SpexProcessor) -> Batcher:
    """Return what makes a stage's batches."""
    return Batcher(processor, stage.targets, by_query=stage.kind == "pretrain", hiding=stage.hiding, seed=stage.seed)
