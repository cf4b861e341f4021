"""The texts that a model will read and write, for a tokenizer of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from spex_nb.spie.dataset import open_dataset
from spex_nb.training.crops import list_tiles
from spex_nb.training.samples import SampleStream
from spex_nb.training.stage import Stage
from spex_nb.training.tokenizer import train_tokenizer


def tokenizer_for(stage: Stage, vocab_size: int) -> Any:
    """Train a tokenizer on prompts and answers about the tiles of a stage."""
    return train_tokenizer(texts_of(stage), vocab_size)


def texts_of(stage: Stage) -> Iterator[str]:
    """Yield prompts and answers in all languages."""
    asking = replace(stage.asking, texts=1.0, targets=len(stage.targets))
    stream = SampleStream(
        list_tiles(open_dataset(stage.data), "train", stage.targets),
        size_px=stage.size_px, asking=asking, seed=stage.seed, length=stage.tokenizer_tiles,
    )  # fmt: skip
    for number in range(len(stream)):
        for question in stream[number].questions:
            yield question.prompt
            yield question.answer
