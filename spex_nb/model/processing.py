"""The inputs of the model from scenes and texts: bands with their wavelengths, prompts with visual tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import Tensor
from transformers import AutoProcessor, BatchFeature
from transformers.processing_utils import ProcessorMixin

from spex_nb.language.prompts import keep_regions
from spex_nb.model.checkpoint_checks import checkpoint_errors, local_folder, require_sound_processor
from spex_nb.model.configuration import SpexConfig
from spex_nb.model.losses import IGNORED_TOKEN
from spex_nb.model.runtime.band_arrays import BandSettings, band_arrays
from spex_nb.model.runtime.channels import INDEX_CHANNELS, language_cells
from spex_nb.model.runtime.prompt_arrays import IMAGE_TOKEN, prior_array, prompt_points, prompt_tokens, require_length


class SpexProcessor(ProcessorMixin):
    """Makes the model's inputs.

    Args:
        tokenizer: With a token ``<image>``, and one that fills up.
        bands: Those that the model reads, for a fixed stem in its order; None where the model takes any.
        mean, std: By band: what reflectance is normalised with.
        index_channels: Whether to compute `INDICES` and the priors of `PRIOR_TARGETS`, both in `runtime.channels`.
        prior_channels: Whether these priors are given; otherwise they count as unknown.
        max_length: Longest prompt, in tokens, visual ones included.
        language_grid: As in the model's configuration.
        named_regions: How many regions a prompt lists at most, the largest; None for all. A model reads as many as it
            was trained with.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (each is saved with the processor)
        self,
        tokenizer: Any = None,
        bands: Sequence[str] | None = None,
        mean: Mapping[str, float] | None = None,
        std: Mapping[str, float] | None = None,
        index_channels: bool = False,
        max_length: int = 4096,
        language_grid: int | None = None,
        named_regions: int | None = None,
        prior_channels: bool = True,
        chat_template: str | None = None,
    ) -> None:
        self.bands = None if bands is None else list(bands)
        self.mean, self.std = dict(mean or {}), dict(std or {})
        self.index_channels, self.max_length, self.language_grid = index_channels, max_length, language_grid
        self.named_regions, self.prior_channels = named_regions, prior_channels
        super().__init__(tokenizer, chat_template=chat_template)
        if tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) in (None, tokenizer.unk_token_id):
            raise ValueError(f"The tokenizer has no token {IMAGE_TOKEN}; add it as a special token before training.")

    @property
    def image_token_id(self) -> int:
        """The token in whose place visual tokens go."""
        return int(self.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | Path, *args: Any, local_files_only: bool = True, **options: Any
    ) -> SpexProcessor:
        """Load the processor of a checkpoint: of ``tiny``, which ships, of a folder, or of a name on the hub.

        Args:
            pretrained_model_name_or_path: ``tiny``, a folder, or a name on the hub.
            *args: Positional arguments for `from_pretrained` of transformers.
            local_files_only: False allows the network.
            **options: Further options for `from_pretrained` of transformers.

        Raises:
            CheckpointError: If there is no such checkpoint, a file of it is missing or damaged, or a key is unknown.
        """
        folder = local_folder(pretrained_model_name_or_path, local_files_only=local_files_only)
        require_sound_processor(folder, cls)
        with checkpoint_errors(folder):
            loaded: SpexProcessor = super().from_pretrained(folder, *args, **options | {"local_files_only": True})
        return loaded

    def __call__(
        self,
        images: xr.Dataset | Sequence[xr.Dataset],
        text: str | Sequence[str],
        *,
        answers: Sequence[str] | None = None,
        image_index: Sequence[int] | None = None,
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
        padding_side: str = "right",
    ) -> BatchFeature:
        """Make a batch.

        Args:
            images: Datasets of named reflectance bands [H, W], with ``valid`` if they have one. They may be of several
                sizes.
            text: Prompts; each holds ``<image>`` once.
            answers: What the model should say, "" where that is left open; gives ``labels``.
            image_index: The image of each prompt; one each if not given.
            priors: For each prompt a mask [H, W] on the grid of its image, or None.
            points: For each prompt points (x, y, is the target) in pixels; column c covers x from c to c + 1.
            boxes: For each prompt boxes (x0, y0, x1, y1) in pixels.
            padding_side: Where shorter prompts are filled up: ``right``, or ``left`` before generating.

        Returns:
            Tensors for `SpexModel.forward` and ``generate``.

        Raises:
            ValueError: If prompts, images, bands or sizes do not belong together, or a prompt is too long.
            MissingBandError: If a band of a fixed stem is not there.
        """
        scenes = [images] if isinstance(images, xr.Dataset) else list(images)
        prompt_inputs = self.questions(
            [text] if isinstance(text, str) else list(text),
            [scene.spex.shape for scene in scenes],
            answers=answers,
            image_index=image_index,
            priors=priors,
            points=points,
            boxes=boxes,
            padding_side=padding_side,
        )
        return BatchFeature(self.pixels(scenes) | prompt_inputs)

    def questions(
        self,
        prompts: Sequence[str],
        shapes: Sequence[tuple[int, int]],
        *,
        answers: Sequence[str] | None = None,
        image_index: Sequence[int] | None = None,
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
        padding_side: str = "right",
    ) -> dict[str, Tensor]:
        """Return what the model is asked of images (height, width), without their pixels; see `__call__`."""
        if self.named_regions is not None:
            prompts = [keep_regions(prompt, self.named_regions) for prompt in prompts]
        index = list(range(len(prompts))) if image_index is None else list(image_index)
        if len(index) != len(prompts) or not shapes or max(index) >= len(shapes):
            raise ValueError(
                f"{len(prompts)} prompts and {len(shapes)} images do not pair; expected an image each, or image_index."
            )
        data = self._tokens(prompts, answers, [self._cells(shapes[i]) for i in index], padding_side)
        data["image_index"] = torch.tensor(index)
        if len(set(shapes)) > 1:
            data["image_sizes"] = torch.tensor(shapes)
        if priors is not None:
            size = _common_size(shapes)
            data["prior"] = torch.stack(
                [torch.from_numpy(prior_array(prior, shapes[i], size)) for prior, i in zip(priors, index, strict=True)]
            )
        if points is not None or boxes is not None:
            none: list[Any] = [()] * len(prompts)
            placed = prompt_points(points or none, boxes or none, [shapes[i] for i in index])
            data |= {"points_frac": torch.from_numpy(placed.shares), "point_kinds": torch.from_numpy(placed.kinds)}
        return data

    def _cells(self, size: tuple[int, int]) -> int:
        """Return how many visual tokens an image has."""
        rows, columns = language_cells(size, self.language_grid)
        return rows * columns

    def decode(self, *args: Any, **kwargs: Any) -> str:
        """Return tokens as text; takes what the tokenizer's ``decode`` takes."""
        return str(self.tokenizer.decode(*args, **({"skip_special_tokens": True} | kwargs)))

    @property
    def band_settings(self) -> BandSettings:
        """How bands become channels."""
        bands = None if self.bands is None else tuple(self.bands)
        return BandSettings(bands, self.mean, self.std, self.index_channels, self.prior_channels)

    def pixels(self, scenes: Sequence[xr.Dataset]) -> dict[str, Tensor]:
        """Return what the model sees of scenes, without any prompt; see `Images`."""
        arrays = [band_arrays(scene, self.band_settings) for scene in scenes]
        size = _common_size([scene.spex.shape for scene in scenes])
        most = max(len(scene.pixels) for scene in arrays)
        pixels = torch.full((len(scenes), most, *size), torch.nan)
        waves = torch.full((len(scenes), most, 2), torch.nan)
        indices = torch.full((len(scenes), INDEX_CHANNELS, *size), torch.nan) if self.index_channels else None
        for i, scene in enumerate(arrays):
            count, height, width = scene.pixels.shape
            pixels[i, :count, :height, :width] = torch.from_numpy(scene.pixels)
            waves[i, :count] = torch.from_numpy(scene.waves_um)
            if indices is not None:
                indices[i, :, :height, :width] = torch.from_numpy(scene.indices)
        distances = torch.tensor([scene.gsd_m for scene in arrays])
        data = {"pixel_values": pixels, "wavelengths_um": waves, "gsd_m": distances}
        return data if indices is None else data | {"index_values": indices}

    def _tokens(
        self, prompts: Sequence[str], answers: Sequence[str] | None, cells: Sequence[int], side: str
    ) -> dict[str, Tensor]:
        rows, labels = [], []
        for i, prompt in enumerate(prompts):
            ids = self._prompt_ids(prompt, cells[i])
            answer = self._answer_ids(answers[i]) if answers is not None and answers[i] else []
            rows.append(ids + answer)
            labels.append([IGNORED_TOKEN] * len(ids) + answer)
        longest = max(map(len, rows))
        require_length(longest, max(cells), self.max_length)
        fill = self.tokenizer.pad_token_id
        data = {
            "input_ids": torch.tensor([_padded(row, longest, fill, side) for row in rows]),
            "attention_mask": torch.tensor([_padded([1] * len(row), longest, 0, side) for row in rows]),
        }
        if answers is not None:
            data["labels"] = torch.tensor([_padded(row, longest, IGNORED_TOKEN, side) for row in labels])
        return data

    def _prompt_ids(self, prompt: str, cells: int) -> list[int]:
        return prompt_tokens(prompt, self._encode, self.image_token_id, cells)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _answer_ids(self, answer: str) -> list[int]:
        end = self.tokenizer.eos_token_id
        ids = self._encode(answer)
        return ids if end is None else [*ids, end]


def _common_size(shapes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the size (height, width) that images of several shapes are filled up to."""
    return tuple(map(max, zip(*shapes, strict=True)))


def _padded(row: list[int], length: int, fill: int, side: str) -> list[int]:
    rest = [fill] * (length - len(row))
    return rest + row if side == "left" else row + rest


AutoProcessor.register(SpexConfig, SpexProcessor)
