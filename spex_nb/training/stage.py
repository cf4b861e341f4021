"""The settings of a stage of training: which parts learn, from which data, for how long. They are read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from spex_nb.errors import TrainingError
from spex_nb.training.augmentation import Augmentation
from spex_nb.training.batches import Hiding
from spex_nb.training.samples import PromptSampling

Kind = Literal["pretrain", "align", "instruct"]
ENCODER = ("stem.", "encoder.", "aggregation.", "neck.", "pixel_decoder.", "band_readout.")
DECODER = ("mask_decoder.", "prompt_encoder.", "target_queries.")
LANGUAGE = ("projector.", "language_model.", "condensation.")
LEARNING: Mapping[Kind, tuple[str, ...]] = {
    "pretrain": (*ENCODER, *DECODER),
    "align": LANGUAGE,
    "instruct": (*ENCODER, *DECODER[:2], *LANGUAGE),  # words are drawn to the queries, not they to words
}
"""Parts that learn in each stage, as prefixes of parameter names."""
WITHOUT_LOSS = ("mask_decoder.iou_head.", *(f"mask_decoder.hypernetworks.{i}." for i in (1, 2, 3)))
"""Of SAM's decoder: what serves several masks an image, and their choice. One mask is all that training compares."""


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    ``pretrain`` is multispectral visual pre-training: queries ask for targets without words, and hidden cells are
    filled in. ``align`` teaches the language model to answer, and its condensed tokens to mean what the queries mean,
    while the encoder rests. ``instruct`` trains all parts together on prompts.

    Attributes:
        kind: One of the three kinds of stage.
        data: Folder of a SPIE dataset.
        out: Folder for checkpoints, curves and the result.
        start: Folder or name of a checkpoint to continue, such as ``tiny``; empty for a new model.
        preset: Preset of a new model.
        targets: Ids of the targets.
        steps, batch, accumulate: Optimiser steps; tiles a step and device; and how many batches make a step.
        rate: Learning rate of the parts that ``rates`` does not name.
        rates: Learning rates by the beginning of parameters' names; 0 for parts that rest.
        weight_decay, warmup, clip, last_rate: Of AdamW and its cosine schedule; the last as a share of the rate.
        size_px: Side of the tiles.
        shares: Relative frequency of each dataset.
        positive_weights: By target, see `SpexConfig`.
        sampling, augmentation, hiding: See `PromptSampling`, `Augmentation` and `Hiding`.
        lora: Rank of low-rank adapters of the language model, which then rests otherwise; 0 for none.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        save_every, keep: Steps between checkpoints, and how many stay.
        check_every: Steps between measurements; 0 for none.
        check_tiles: Most tiles to measure on.
        check_split: Split of these tiles, ``val`` or ``train``.
        check_pictures: Of how many of these tiles to draw scene, label and prediction, as PNG in ``out/samples``.
        workers: Processes that make samples.
        tokenizer_tiles: Tiles whose prompts and answers the tokenizer of a new model learns from.
        seed: Seed of all random draws.
    """

    kind: Kind
    data: str
    out: str
    start: str = ""
    preset: str = "tiny"
    targets: tuple[str, ...] = ("water", "vegetation", "built_up", "bare_soil", "building", "road")
    steps: int = 1000
    batch: int = 8
    accumulate: int = 1
    rate: float = 1e-3
    rates: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.05
    warmup: int = 40
    clip: float = 1.0
    last_rate: float = 0.01
    size_px: int = 128
    shares: Mapping[str, float] = field(default_factory=dict)
    positive_weights: Mapping[str, float] = field(default_factory=dict)
    sampling: PromptSampling = field(default_factory=PromptSampling)
    augmentation: Augmentation = field(default_factory=Augmentation)
    hiding: Hiding = field(default_factory=Hiding)
    lora: int = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    save_every: int = 250
    keep: int = 2
    check_every: int = 0
    check_tiles: int = 32
    check_split: str = "val"
    check_pictures: int = 0
    workers: int = 1
    tokenizer_tiles: int = 1500
    seed: int = 0

    def learns(self, name: str) -> bool:
        """Whether the parameter of this name learns."""
        is_of_stage = name.startswith(LEARNING[self.kind]) and not name.startswith(WITHOUT_LOSS)
        return is_of_stage and self.rate_of(name) > 0

    def rate_of(self, name: str) -> float:
        """Return the learning rate of the parameter of this name: that of its longest beginning."""
        prefixes = [prefix for prefix in self.rates if name.startswith(prefix)]
        return self.rates[max(prefixes, key=len)] if prefixes else self.rate


_PARTS = {"sampling": PromptSampling, "augmentation": Augmentation, "hiding": Hiding}


def read_stage(path: str | Path, *, kind: Kind | None = None, changes: Mapping[str, Any] | None = None) -> Stage:
    """Read a stage from a TOML file.

    Args:
        path: The file; its keys are the attributes of `Stage`.
        kind: Which stage is expected; any if not given.
        changes: Settings that replace those of the file, such as ``{"steps": 100}``; names with a point reach into
            parts (``sampling.prior``).

    Raises:
        TrainingError: If the file cannot be read, or holds unknown keys or values that make no sense.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(
            "The stage cannot be read",
            found=f"{path}: {error}",
            expected="a TOML file of a stage",
            fix="See recipes/tiny for examples.",
        ) from error
    for name, value in (changes or {}).items():
        *parents, last = name.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    if kind is not None and table.setdefault("kind", kind) != kind:
        raise TrainingError(
            "The settings are those of another stage",
            found=f"kind {table['kind']!r} in {path}",
            expected=repr(kind),
            fix=f"Name a file of {kind}, or run the stage {table['kind']}.",
        )
    return make_stage(table)


def make_stage(table: Mapping[str, Any]) -> Stage:
    """Return the stage that a table describes.

    Raises:
        TrainingError: If a key is unknown or missing, or a value makes no sense.
    """
    values = {
        name: _PARTS[name](**_checked(_PARTS[name], part, name)) if (name in _PARTS) else part
        for name, part in _checked(Stage, table, "a stage").items()
    }
    if "targets" in values:
        values["targets"] = tuple(values["targets"])
    missing = [name for name in ("kind", "data", "out") if name not in values]
    if missing or values["kind"] not in get_args(Kind):
        raise TrainingError(
            "This is no stage",
            found=f"no {', '.join(missing)}" if missing else f"kind {values['kind']!r}",
            expected="kind (pretrain, align or instruct), data and out",
            fix="Name them in the file, or with --set name=value.",
        )
    return Stage(**values)


def _checked(kind: Any, table: Mapping[str, Any], what: str) -> dict[str, Any]:
    names = {setting.name for setting in fields(kind)}
    strange = sorted(set(table) - names)
    if strange:
        raise TrainingError(
            f"Unknown settings of {what}",
            found=", ".join(strange),
            expected=f"some of {', '.join(sorted(names))}",
            fix="Correct the names.",
        )
    return dict(table)
