"""A byte-pair tokenizer, trained on the prompts and answers that a model reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from spex_nb.spie.dataset import open_dataset
from spex_nb.training.crops import list_tiles
from spex_nb.training.samples import SampleStream
from spex_nb.training.stage import Stage

PAD, END, IMAGE = "<pad>", "<end>", "<image>"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 8192) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (https://arxiv.org/abs/1909.03341).

    It can encode every text, whatever it was trained on. Each digit is a token, so that all numbers are read alike.

    Args:
        texts: Prompts and answers to learn from.
        vocab_size: Number of tokens at most.

    Returns:
        The tokenizer, with ``<pad>``, ``<end>`` and ``<image>`` as tokens 0, 1 and 2.
    """
    plain = Tokenizer(models.BPE())
    plain.normalizer = normalizers.NFC()
    plain.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    plain.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, IMAGE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(list(texts), trainer)  # an iterator would run in a thread of small stack: GDAL dies there
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token=PAD, eos_token=END, additional_special_tokens=[IMAGE]
    )


def tokenizer_for(stage: Stage, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on prompts and answers about the tiles of a stage."""
    return train_tokenizer(corpus_of(stage), vocab_size)


def corpus_of(stage: Stage) -> Iterator[str]:
    """Yield prompts and answers about the train tiles of a stage, in all languages."""
    sampling = replace(stage.sampling, answers=1.0, targets=len(stage.targets))
    stream = SampleStream(
        list_tiles(open_dataset(stage.data), "train", stage.targets),
        size_px=stage.size_px,
        sampling=sampling,
        seed=stage.seed,
        length=stage.tokenizer_tiles,
    )
    for number in range(len(stream)):
        for question in stream[number].questions:
            yield question.prompt
            yield question.answer
