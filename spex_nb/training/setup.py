"""The parts of a stage: model and processor, samples, batches and measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState

from spex_nb.errors import TrainingError
from spex_nb.model import SpexConfig, SpexModel, SpexProcessor
from spex_nb.model.checkpoint_files import resolve_checkpoint
from spex_nb.model.configuration import PRESETS
from spex_nb.spie.dataset import open_dataset
from spex_nb.training.batches import Batcher
from spex_nb.training.crops import list_tiles
from spex_nb.training.curves import SAMPLES
from spex_nb.training.samples import PromptSampling, SampleStream
from spex_nb.training.stage import Stage
from spex_nb.training.tokenizer import tokenizer_for
from spex_nb.training.validation import Validation


def load_processor(stage: Stage) -> SpexProcessor:
    """Return the processor of the checkpoint that a stage starts from, or a new one with a new tokenizer."""
    if stage.start:
        return SpexProcessor.from_pretrained(resolve_checkpoint(stage.start), local_files_only=True)
    config = SpexConfig.preset(stage.preset)
    return SpexProcessor(
        tokenizer_for(stage, config.text_config.vocab_size),
        index_channels=config.stem_config.index_channels,
        bands=None if config.stem_config.kind == "wavelength" else config.stem_config.bands,
        language_grid=config.language_grid,
        named_regions=stage.sampling.regions,
    )


def load_model(stage: Stage, processor: SpexProcessor) -> SpexModel:
    """Return the model that a stage starts from; only the parameters that the stage trains require gradients.

    Raises:
        TrainingError: If the checkpoint has other targets than the stage.
    """
    model = _old_model(stage) if stage.start else _new_model(stage, processor)
    model.config.positive_weights = tuple(stage.positive_weights.get(target, 1.0) for target in stage.targets)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(stage.learns(name))
    if stage.lora:
        _add_adapters(model, stage)
    return model


def _new_model(stage: Stage, processor: SpexProcessor) -> SpexModel:
    tokenizer = processor.tokenizer
    text = {
        **PRESETS[stage.preset]["text_config"],
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    return SpexModel(
        SpexConfig.preset(
            stage.preset, text_config=text, image_token_id=processor.image_token_id, targets=stage.targets
        )
    )


def _old_model(stage: Stage) -> SpexModel:
    model = SpexModel.from_pretrained(stage.start, dtype=torch.float32)
    if model.config.targets != stage.targets:
        raise TrainingError(
            "The checkpoint has queries of other targets",
            found=", ".join(model.config.targets) or "none",
            expected=", ".join(stage.targets),
            fix="Name the same targets in the same order, or start without a checkpoint.",
        )
    _forget_weakness(model.config, set(open_dataset(stage.data).index["target"]))
    return model


def _forget_weakness(config: SpexConfig, taught: set[str]) -> None:
    """Remove the notes about the old weights for targets that the stage trains."""
    config.weak_without, config.left_to_index = (
        {target: note for target, note in notes.items() if target not in taught}
        for notes in (config.weak_without, config.left_to_index)
    )


def _add_adapters(model: SpexModel, stage: Stage) -> None:
    """Let low-rank adapters learn in the language model's place (https://arxiv.org/abs/2106.09685)."""
    from peft import LoraConfig, get_peft_model

    learns = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    settings = LoraConfig(r=stage.lora, lora_alpha=2 * stage.lora, target_modules="all-linear")
    model.language_model = get_peft_model(model.language_model, settings)
    for name, parameter in model.named_parameters():
        if not name.startswith("language_model."):
            parameter.requires_grad_(learns[name])


def stream_of(stage: Stage, split: str = "train") -> SampleStream:
    """Return the samples of a stage."""
    tiles = list_tiles(open_dataset(stage.data), split, stage.targets)
    return SampleStream(
        tiles,
        size_px=stage.size_px,
        sampling=stage.sampling if stage.kind != "pretrain" else _without_answers(stage.sampling),
        augmentation=stage.augmentation,
        shares=stage.shares or None,
        seed=stage.seed,
        length=stage.steps * stage.batch * stage.accumulate * _processes(),
    )


def validation_of(stage: Stage, batcher: Batcher) -> Validation | None:
    """Return the measurement of a stage, on tiles spread over its split; None for a stage without measurements."""
    if not stage.check_every:
        return None
    tiles = list_tiles(open_dataset(stage.data), stage.check_split, stage.targets)
    step = max(1, len(tiles) // stage.check_tiles)
    folder = Path(stage.out) / SAMPLES
    return Validation(tiles[::step][: stage.check_tiles], batcher, folder=folder, pictures=stage.check_pictures)


def _without_answers(sampling: PromptSampling) -> PromptSampling:
    return replace(sampling, attributes=0.0, answers=0.0)


def _processes() -> int:
    """Return the number of devices that train the stage."""
    return int(PartialState().num_processes)


def batcher_of(stage: Stage, processor: SpexProcessor) -> Batcher:
    """Return the batcher of a stage."""
    return Batcher(processor, stage.targets, by_query=stage.kind == "pretrain", hiding=stage.hiding, seed=stage.seed)
