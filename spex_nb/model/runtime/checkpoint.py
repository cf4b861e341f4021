"""A checkpoint's folder, read without torch and transformers: settings, tokenizer, weights and graphs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import CheckpointError, explain_malformed
from spex_nb.model.runtime.band_arrays import BandSettings
from spex_nb.model.runtime.graphs import FOLDER, Graphs
from spex_nb.model.runtime.prompt_arrays import IMAGE_TOKEN
from spex_nb.types.typed_json import decode, read_json, require_room

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONFIG, PROCESSOR, TOKENIZER, TOKENIZER_CONFIG = (
    "config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
TIED = ("language_model.lm_head.weight", "language_model.model.embed_tokens.weight")
"""Two names of one weight where the language model ties them; the file holds the second."""
WHOLE_PRECISION = 4
"""Bytes of the narrowest numbers that a hash is made of: half precision is widened before."""


@dataclass(frozen=True)
class MaskSettings:
    """What the configuration says of targets and masks; see `SpexConfig`."""

    targets: tuple[str, ...]
    weak_without: Mapping[str, str]
    left_to_index: Mapping[str, str]
    cores: Mapping[str, tuple[float, float, float]]
    largest_gsd_m: float | None
    joint: bool
    reads_prior: bool
    """Whether the decoder reads the prior of a prompt."""


@dataclass(frozen=True)
class TextSettings:
    """What the configuration and the processor say of prompts.

    Attributes:
        image_token_id: Stands where a visual token goes.
        pad_token_id: Fills shorter prompts up.
        end_token_id: Ends an answer.
        language_grid: See `language_cells`.
        named_regions: Most regions of a prompt; None for all.
        max_length: Most tokens of a prompt.
        num_tokens: Condensed tokens of a prompt.
        past_shape: (layers, heads, width) of the keys and values that reading a token leaves.
    """

    image_token_id: int
    pad_token_id: int
    end_token_id: int
    language_grid: int | None
    named_regions: int | None
    max_length: int
    num_tokens: int
    past_shape: tuple[int, int, int]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read; `read_checkpoint` makes it."""

    folder: Path
    bands: BandSettings
    masks: MaskSettings
    text: TextSettings
    tokenizer: Tokenizer
    weights: Mapping[str, NDArray[Any]]
    """float32 arrays by name."""
    graphs: Graphs

    def fingerprint(self, *further: Path) -> str:
        """Return a hash of the weights and of further files, 16 hexadecimal digits: the one that torch's model has."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        for file in further:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def settings_fingerprint(self) -> str:
        """Return a hash of what shapes the answers beside the weights, the graphs among it: 16 hexadecimal digits."""
        digest = hashlib.sha256(b"onnxruntime")
        files = [self.folder / name for name in (CONFIG, PROCESSOR, TOKENIZER, TOKENIZER_CONFIG)]
        for file in (*files, *sorted((self.folder / FOLDER).iterdir())):
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint, and refuse one that is not complete.

    Raises:
        CheckpointError: If a file is missing or damaged, or the files do not belong together.
    """
    from safetensors import SafetensorError
    from tokenizers import Tokenizer

    with explain_malformed(
        CheckpointError,
        "The checkpoint is damaged, or not of this model",
        where=folder,
        expected=f"{CONFIG}, {PROCESSOR}, {TOKENIZER} and safetensors that belong together",
        fix="Fetch it again; or save model and processor into the same folder with save_pretrained.",
        also=(SafetensorError, Exception),  # tokenizers raises nothing more exact
    ):
        config, processor = (decode(Mapping[str, Any], read_json(folder / name)) for name in (CONFIG, PROCESSOR))
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        weights = _with_tied(_read_weights(folder), config["text_config"])
        text = _text_settings(config, processor, tokenizer, read_json(folder / TOKENIZER_CONFIG))
        bands, masks = _band_settings(processor), _mask_settings(config)
    return Checkpoint(folder, bands, masks, text, tokenizer, weights, Graphs(folder, weights))


def _band_settings(processor: Mapping[str, Any]) -> BandSettings:
    bands = decode(tuple[str, ...] | None, processor.get("bands"), "bands")
    mean, std = (decode(Mapping[str, float], processor.get(name) or {}, name) for name in ("mean", "std"))
    return BandSettings(
        bands,
        mean,
        std,
        decode(bool, processor["index_channels"], "index_channels"),
        decode(bool, processor.get("prior_channels", True), "prior_channels"),
    )


def _mask_settings(config: Mapping[str, Any]) -> MaskSettings:
    cores = decode(Mapping[str, tuple[float, ...]], config.get("cores") or {}, "cores")
    return MaskSettings(
        decode(tuple[str, ...], config["targets"], "targets"),
        decode(Mapping[str, str], config.get("weak_without") or {}, "weak_without"),
        decode(Mapping[str, str], config.get("left_to_index") or {}, "left_to_index"),
        {target: (sure, share, gsd_m) for target, (sure, share, gsd_m) in cores.items()},
        decode(float | None, config.get("largest_gsd_m"), "largest_gsd_m"),
        decode(bool, config.get("joint", False), "joint"),
        decode(bool, config["mask_decoder_config"].get("dense_prior", True), "dense_prior"),
    )


def _text_settings(
    config: Mapping[str, Any], processor: Mapping[str, Any], tokenizer: Tokenizer, special: Mapping[str, Any]
) -> TextSettings:
    image, end, fill = (
        decode(int, tokenizer.token_to_id(token), token)
        for token in (IMAGE_TOKEN, special["eos_token"], special["pad_token"])
    )
    text = config["text_config"]
    if image != config["image_token_id"] or tokenizer.get_vocab_size() > text["vocab_size"]:
        raise ValueError(
            f"the tokenizer has the image token {image} and {tokenizer.get_vocab_size():,} tokens, the model "
            f"{config['image_token_id']} and at most {text['vocab_size']:,}"
        )
    heads, width = int(text["num_key_value_heads"]), int(text["hidden_size"]) // int(text["num_attention_heads"])
    return TextSettings(
        image_token_id=image,
        pad_token_id=fill,
        end_token_id=end,
        language_grid=decode(int | None, config.get("language_grid"), "language_grid"),
        named_regions=decode(int | None, processor.get("named_regions"), "named_regions"),
        max_length=decode(int, processor["max_length"], "max_length"),
        num_tokens=int(config["condensation_config"]["num_tokens"]),
        past_shape=(int(text["num_hidden_layers"]), heads, width),
    )


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder."""
    return sorted(folder.glob("*.safetensors"))


def _read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load_file

    files = weight_files(folder)
    if not files:
        raise ValueError("there is no safetensors file")
    weights: dict[str, NDArray[Any]] = {}
    for file in files:
        require_room(2 * file.stat().st_size, file.name)
        weights |= {name: _widened(value) for name, value in load_file(file).items()}
    return weights


def _widened(value: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of half precision in single precision, and others as they are."""
    is_half = value.dtype.kind == "f" and value.dtype.itemsize < WHOLE_PRECISION
    return value.astype(np.float32) if is_half else value


def _with_tied(weights: Mapping[str, NDArray[Any]], text_config: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return weights by all of their names, as torch's model has them."""
    head, embedding = TIED
    return {**weights, head: weights[embedding]} if text_config["tie_word_embeddings"] else {**weights}
