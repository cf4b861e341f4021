"""A checkpoint from elsewhere is held against itself before a weight is loaded: files, keys, types, sizes.

Sizes come from the headers of the weights. The configuration may ask for no other parameters, so that no number in it
makes the model larger than its file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import torch
from huggingface_hub.errors import HFValidationError, StrictDataclassError
from safetensors import SafetensorError, safe_open

from spex_nb.errors import CheckpointError, explain_malformed
from spex_nb.model.checkpoint_files import require_all, resolve_checkpoint, weight_files
from spex_nb.model.configuration import CondensationConfig, InternImageConfig, MaskDecoderConfig, SpexConfig, StemConfig
from spex_nb.scene.windows.locations import is_pipe
from spex_nb.types.typed_json import decode, read_json, require_room

CONFIG, PROCESSOR, TOKENIZER = "config.json", "processor_config.json", "tokenizer.json"
FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is fetched of a checkpoint on the hub, with leave."""
DEPTH = r"layers|blocks|depths?|n_layer"
"""Keys that say how many layers there are: never more than tensors."""
PARTS: Mapping[str, Any] = {
    "stem_config": StemConfig,
    "vision_config": InternImageConfig,
    "condensation_config": CondensationConfig,
    "mask_decoder_config": MaskDecoderConfig,
}
COMMON_PROCESSOR_KEYS = ("processor_class", "tokenizer_class")


def local_folder(name: str | Path, *, local_files_only: bool) -> Path:
    """Return the folder of a checkpoint on this machine: one that ships, one that is named, or one of the hub.

    Args:
        name: As in `resolve_checkpoint`.
        local_files_only: Whether the hub is asked for nothing: then only what was fetched before is found.

    Raises:
        CheckpointError: If there is no such checkpoint here, or the hub does not give it.
    """
    folder = resolve_checkpoint(name)
    if Path(folder).is_dir():
        return Path(folder)
    from huggingface_hub import snapshot_download

    with explain_malformed(
        CheckpointError,
        "The checkpoint is not on this machine" if local_files_only else "The hub does not give the checkpoint",
        where=name,
        expected="a folder, or a checkpoint that was fetched before",
        fix="Pass local_files_only=False to fetch it from the hub, or the path of its folder.",
        also=(HFValidationError,),
    ):
        return Path(snapshot_download(folder, local_files_only=local_files_only, allow_patterns=[*FILES]))


@contextmanager
def checkpoint_errors(folder: Path) -> Iterator[None]:
    """Turn whatever a damaged checkpoint raises into one error.

    Raises:
        CheckpointError: In place of an error of a library.
    """
    with explain_malformed(
        CheckpointError,
        "The checkpoint is damaged, or not of this model",
        where=folder,
        expected="config.json, processor_config.json, tokenizer.json and safetensors that belong together",
        fix="Fetch it again; or save model and processor into the same folder with save_pretrained.",
        also=(SafetensorError, HFValidationError, StrictDataclassError),
    ):
        yield


def require_sound_model(folder: Path) -> None:
    """Raise unless configuration and weights of a folder ask for the same parameters; no weight is loaded.

    Raises:
        CheckpointError: If a key is unknown or of another type, or parameters are missing, surplus or mis-shaped.
    """
    with checkpoint_errors(folder):
        _require_no_pipe(folder)
        config = _object(folder / CONFIG)
        shapes = _shapes(folder)
        _require_types(SpexConfig, config, "")
        for name, kind in PARTS.items():
            part = config.get(name) or {}
            if decode(Mapping[str, Any], part, name).get("model_type", kind.model_type) == kind.model_type:
                _require_types(kind, part, name)
        _require_depths(config, len(shapes))
        _require_same(SpexConfig.from_pretrained(folder, local_files_only=True), shapes)


def _require_no_pipe(folder: Path) -> None:
    pipes = sorted(path.name for path in folder.iterdir() if is_pipe(path))
    if pipes:
        raise ValueError(f"{', '.join(pipes)}: a pipe or a device, not a file")


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"there is no {path.name}")
    value = read_json(path)
    if not isinstance(value, dict):
        raise TypeError(f"{path.name} holds a {type(value).__name__}, not an object")
    return value


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by its name, from the headers of the weights."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weight_files(folder):
        require_room(file.stat().st_size, file.name)
        with safe_open(file, "pt") as tensors:
            shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return shapes


def _require_types(kind: Any, values: Mapping[str, Any], where: str) -> None:
    """Raise unless the values of a configuration are of the types that its arguments state."""
    hints = get_type_hints(kind.__init__)
    for name in inspect.signature(kind.__init__).parameters:
        if name in values and not name.endswith("_config") and name not in ("self", "kwargs"):
            decode(hints[name], values[name], f"{where}.{name}".lstrip("."))


def _require_depths(tree: Any, most: int, key: str = "") -> None:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            _require_depths(value, most, str(name))
    elif isinstance(tree, list):
        for value in tree:
            _require_depths(value, most, key)
    elif isinstance(tree, int) and re.search(DEPTH, key) and tree > most:
        raise ValueError(f"{key} is {tree:,}, and the weights hold {most:,} tensors")


def _require_same(config: SpexConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise unless the model of a configuration has the parameters of the weights; it is made without memory."""
    from spex_nb.model.modeling import SpexModel

    with torch.device("meta"):
        state = SpexModel(config).state_dict()
    is_tied = bool(config.text_config.tie_word_embeddings)
    tied = {name for name in state if is_tied and name.endswith("lm_head.weight")}
    wrong = [name for name, shape in shapes.items() if name in state and tuple(state[name].shape) != shape]
    require_all(state.keys() - shapes.keys() - tied, shapes.keys() - state.keys(), wrong)


def require_sound_processor(folder: Path, kind: Any) -> None:
    """Raise unless a folder holds the settings and the tokenizer of a processor, every key known and of its type.

    Args:
        folder: Of the checkpoint.
        kind: The class of the processor.

    Raises:
        CheckpointError: If a file is missing or damaged, or a key is unknown or of another type.
    """
    with checkpoint_errors(folder):
        _require_no_pipe(folder)
        settings = _object(folder / PROCESSOR)
        names = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "tokenizer")]
        unknown = sorted(set(settings) - {*names, *COMMON_PROCESSOR_KEYS})
        if unknown:
            raise ValueError(f"{PROCESSOR} has the unknown keys {', '.join(unknown)}")
        hints = get_type_hints(kind.__init__) | {"bands": tuple[str, ...] | None}
        for name in set(names) & set(settings):
            decode(hints[name], settings[name], name)
        if any(number <= 0 for number in (settings.get("std") or {}).values()):
            raise ValueError("std holds a number that is not above zero")
    _require_tokenizer(folder)


def _require_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    with explain_malformed(
        CheckpointError,
        "The tokenizer of the checkpoint cannot be read",
        where=path,
        expected="tokenizer.json",
        fix="Fetch it again, or save the processor into the folder.",
        also=(Exception,),  # tokenizers raises nothing more exact
    ):
        read_json(path)
        Tokenizer.from_file(str(path))


def require_pair(folder: Path, *, image_token_id: int, wanted_id: int, tokens: int, vocabulary: int) -> None:
    """Raise unless the tokenizer of a processor and the vocabulary of a model are of one checkpoint.

    Args:
        folder: Of the checkpoint.
        image_token_id: Of the tokenizer.
        wanted_id: Of the model's configuration.
        tokens: Size of the tokenizer.
        vocabulary: Size of the model's vocabulary.

    Raises:
        CheckpointError: If they are not.
    """
    if image_token_id == wanted_id and tokens <= vocabulary:
        return
    raise CheckpointError(
        "Tokenizer and model do not belong together",
        found=f"{folder}: image token {image_token_id} and {tokens:,} tokens",
        expected=f"image token {wanted_id} and at most {vocabulary:,} tokens, as the configuration says",
        fix="Save model and processor into the same folder.",
    )
