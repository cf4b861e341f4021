"""The inputs of the model from scenes and texts: bands with their wavelengths, prompts with visual tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin

from spex_nb.errors import MissingBandError
from spex_nb.language.prompts import keep_regions
from spex_nb.model.batch import language_cells
from spex_nb.model.channel_rules import CHANNEL_RULES
from spex_nb.model.checkpoint_checks import checkpoint_errors, local_folder, require_sound_processor
from spex_nb.model.configuration import INDEX_CHANNELS, INDICES, PRIOR_TARGETS
from spex_nb.model.losses import IGNORED_TOKEN
from spex_nb.spectral.indices import compute_indices, is_available
from spex_nb.spectral.priors import mask_by_rules

IMAGE_TOKEN = "<image>"
MEAN, STD = 0.15, 0.15
"""Mean and deviation of reflectance for a band without figures in the processor."""
BOX_CORNERS = (2, 3)


class SpexProcessor(ProcessorMixin):
    """Makes the model's inputs.

    Args:
        tokenizer: With a token ``<image>``, and one that fills up.
        bands: Those that the model reads, for a fixed stem in its order; None where the model takes any.
        mean, std: By band: what reflectance is normalised with.
        index_channels: Whether to compute `configuration.INDICES` and the priors of `configuration.PRIOR_TARGETS`.
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
                [_prior(prior, shapes[i], size) for prior, i in zip(priors, index, strict=True)]
            )
        if points is not None or boxes is not None:
            none: list[Any] = [()] * len(prompts)
            data |= _prompt_points(points or none, boxes or none, [shapes[i] for i in index])
        return data

    def _cells(self, size: tuple[int, int]) -> int:
        """Return how many visual tokens an image has."""
        rows, columns = language_cells(size, self.language_grid)
        return rows * columns

    def decode(self, *args: Any, **kwargs: Any) -> str:
        """Return tokens as text; takes what the tokenizer's ``decode`` takes."""
        return str(self.tokenizer.decode(*args, **({"skip_special_tokens": True} | kwargs)))

    def pixels(self, scenes: Sequence[xr.Dataset]) -> dict[str, Tensor]:
        """Return what the model sees of scenes, without any prompt; see `Images`."""
        names = [self.bands or scene.spex.bands for scene in scenes]
        size = _common_size([scene.spex.shape for scene in scenes])
        most = max(map(len, names))
        pixels = torch.full((len(scenes), most, *size), torch.nan)
        waves = torch.full((len(scenes), most, 2), torch.nan)
        for i, (scene, bands) in enumerate(zip(scenes, names, strict=True)):
            height, width = scene.spex.shape
            for j, band in enumerate(bands):
                pixels[i, j, :height, :width] = self._band(scene, band)
                waves[i, j] = torch.tensor(_wave(scene, band, is_needed=self.bands is None or self.index_channels))
        distances = [scene.spex.gsd_m or torch.nan for scene in scenes]
        data = {"pixel_values": pixels, "wavelengths_um": waves, "gsd_m": torch.tensor(distances)}
        if self.index_channels:
            indices = torch.full((len(scenes), INDEX_CHANNELS, *size), torch.nan)
            for channels, scene in zip(indices, scenes, strict=True):
                seen = scene if self.bands is None else _with_bands(scene, self.bands)
                _fill_indices(channels, seen, PRIOR_TARGETS if self.prior_channels else ())
            data["index_values"] = indices
        return data

    def _band(self, scene: xr.Dataset, band: str) -> Tensor:
        if band not in scene:
            raise MissingBandError(
                "The model needs a band that the scene lacks",
                found=", ".join(scene.spex.bands),
                expected=", ".join(self.bands or ()),
                fix="Open a scene with this band, or use a model that takes any bands.",
            )
        values = torch.from_numpy(np.where(scene.spex.valid.values, scene[band].values, np.nan).astype(np.float32))
        return (values - self.mean.get(band, MEAN)) / self.std.get(band, STD)

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
        if longest > self.max_length:
            raise ValueError(
                f"The longest prompt has {longest} tokens, up to {max(cells)} of them visual; expected at most "
                f"{self.max_length}. Use smaller tiles, or build_prompt(…, max_tokens=…), which drops small regions."
            )
        fill = self.tokenizer.pad_token_id
        data = {
            "input_ids": torch.tensor([_padded(row, longest, fill, side) for row in rows]),
            "attention_mask": torch.tensor([_padded([1] * len(row), longest, 0, side) for row in rows]),
        }
        if answers is not None:
            data["labels"] = torch.tensor([_padded(row, longest, IGNORED_TOKEN, side) for row in labels])
        return data

    def _prompt_ids(self, prompt: str, cells: int) -> list[int]:
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        image = self.image_token_id
        if ids.count(image) != 1:
            raise ValueError(
                f"The prompt holds {IMAGE_TOKEN} {ids.count(image)} times: {prompt[:60]!r}; expected once. "
                "build_prompt puts it there."
            )
        at = ids.index(image)
        return [*ids[:at], *[image] * cells, *ids[at + 1 :]]

    def _answer_ids(self, answer: str) -> list[int]:
        end = self.tokenizer.eos_token_id
        ids: list[int] = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return ids if end is None else [*ids, end]


def _common_size(shapes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the size (height, width) that images of several shapes are filled up to."""
    return tuple(map(max, zip(*shapes, strict=True)))


def _with_bands(scene: xr.Dataset, bands: Sequence[str]) -> xr.Dataset:
    """Return a scene without the bands that a model does not read."""
    return scene.drop_vars([band for band in scene.spex.bands if band not in bands])


def _wave(scene: xr.Dataset, band: str, *, is_needed: bool) -> tuple[float, float]:
    """Return centre and width of a band, in micrometres."""
    attributes = scene[band].attrs
    centre, width = (attributes.get(key) for key in ("wavelength_um", "width_um"))
    if centre is None and is_needed:
        raise ValueError(
            f"The wavelength of band {band!r} is not known; expected attribute wavelength_um. Open the scene with its "
            "sensor, or set scene[band].attrs['wavelength_um'] and ['width_um']."
        )
    return (float("nan") if centre is None else float(centre)), float(width or 0.05)


def _fill_indices(channels: Tensor, scene: xr.Dataset, priors: Sequence[str]) -> None:
    """Write indices and priors of a scene [h, w] into its channels [I, H, W].

    NaN where there is no data, where an index is undefined, and all over where the bands allow no index or prior. Where
    only the index of a prior is undefined, the prior is 0.
    """
    height, width = scene.spex.shape
    valid = scene.spex.valid.values
    computed = chain(_indices(scene), (mask_by_rules(scene, CHANNEL_RULES[name]) for name in priors))
    for channel, values in zip(channels, computed, strict=False):
        if values is not None:
            channel[:height, :width] = torch.from_numpy(np.where(valid, values, np.float32(np.nan)).astype(np.float32))


def _indices(scene: xr.Dataset) -> list[Any]:
    """Return each of the `INDICES` between -1 and 1; None where the bands do not allow it."""
    available = [name for name in INDICES if is_available(scene, name)]
    layers = compute_indices(scene, available) if available else {}
    return [np.clip(layers[name].values, -1, 1) if name in layers else None for name in INDICES]


def _prior(prior: Any, shape: tuple[int, int], size: tuple[int, ...]) -> Tensor:
    """Return a prior [h, w] on the grid of its image, filled up to [H, W]; None is NaN all over."""
    if prior is None:
        return torch.full(size, torch.nan)
    if np.shape(prior) != tuple(shape):
        raise ValueError(f"A prior of {np.shape(prior)} pixels does not fit its image; expected {tuple(shape)}.")
    return _filled(prior, size)


def _filled(values: Any, size: tuple[int, ...]) -> Tensor:
    """Return an array [..., h, w] as a tensor [..., H, W], NaN where it ends."""
    given = torch.from_numpy(np.array(values, np.float32))
    height, width = given.shape[-2:]
    filled = torch.full((*given.shape[:-2], *size), torch.nan)
    filled[..., :height, :width] = given
    return filled


def _prompt_points(
    points: Sequence[Sequence[tuple[float, float, bool]]],
    boxes: Sequence[Sequence[tuple[float, float, float, float]]],
    shapes: Sequence[tuple[int, int]],
) -> dict[str, Tensor]:
    """Return points and corners of boxes as shares of each prompt's image, filled up with points that are none."""
    rows = []
    for clicks, frames in zip(points, boxes, strict=True):
        row = [(x, y, int(is_target)) for x, y, is_target in clicks]
        for x0, y0, x1, y1 in frames:
            row += [(x0, y0, BOX_CORNERS[0]), (x1, y1, BOX_CORNERS[1])]
        rows.append(row)
    most = max(1, *map(len, rows))
    table = torch.tensor([row + [(0.0, 0.0, -1)] * (most - len(row)) for row in rows])
    shares = table[..., :2] / torch.tensor(shapes).flip(1)[:, None]
    return {"points_frac": shares, "point_kinds": table[..., 2].long()}


def _padded(row: list[int], length: int, fill: int, side: str) -> list[int]:
    rest = [fill] * (length - len(row))
    return rest + row if side == "left" else row + rest
