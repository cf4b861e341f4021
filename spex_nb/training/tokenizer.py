"""A byte-pair tokenizer of one's own, trained on the texts that a model will read and write."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

FILL, END, IMAGE = "<pad>", "<end>", "<image>"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 8192) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (https://arxiv.org/abs/1909.03341).

    Every text can be written, whatever it was trained on. Digits stand alone, so that all numbers are read alike.

    Args:
        texts: Prompts and answers.
        vocab_size: How many tokens at most.

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
        special_tokens=[FILL, END, IMAGE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(list(texts), trainer)  # an iterator would run in a thread of small stack: GDAL dies there
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token=FILL, eos_token=END, additional_special_tokens=[IMAGE]
    )
