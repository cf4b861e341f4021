"""A checkpoint on ONNX Runtime behind the `MaskModel` protocol: the masks of torch, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.language.answers import fill_answer
from spex_nb.language.evidence import measure_prediction
from spex_nb.model.runtime.band_arrays import BandArrays, band_arrays, tile_digest
from spex_nb.model.runtime.channels import padded_size
from spex_nb.model.runtime.checkpoint import Checkpoint, read_checkpoint, weight_files
from spex_nb.model.runtime.cores import enforce_cores
from spex_nb.model.runtime.prompt_arrays import PromptPoints, prior_array, prompt_points, require_fitting_prior
from spex_nb.model.runtime.prompt_reader import PromptReader
from spex_nb.model.runtime.scaled_weights import AERIAL, scaled_folder
from spex_nb.types import Evidence, ModelCard
from spex_nb.types.targets import TARGETS

TILE_PX = 512


class OnnxPredictor:
    """A model on ONNX Runtime. It keeps the features of the last tile, so that another prompt or a click is quick.

    Args:
        checkpoint: With its graphs.
        name: Name of the model in results.

    Attributes:
        id: ``name``.
        folder: Where the checkpoint lies; extraction reads there how good the model was measured.
    """

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self.id, self.folder, self._checkpoint = name, checkpoint.folder, checkpoint
        self._reader = PromptReader(checkpoint)
        self._last: _EncodedTile | None = None
        self._aerial: Self | None = None

    @classmethod
    def from_pretrained(cls, folder: str | Path, name: str | None = None) -> Self:
        """Load a checkpoint.

        Args:
            folder: Of the checkpoint, with graphs in its folder ``onnx``.
            name: Name of the model in results; that of the folder if not given.

        Raises:
            CheckpointError: If weights, tokenizer or graphs are missing, or do not belong together.
        """
        checkpoint = read_checkpoint(Path(folder))
        checkpoint.graphs.listed  # noqa: B018 (a checkpoint without graphs is refused now, not at its first tile)
        return cls(checkpoint, name or Path(folder).name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way to a worker process, which loads the files again."""
        return type(self).from_pretrained, (self.folder, self.id)

    def at_scale(self, gsd_m: float | None) -> Self:
        """Return the model whose weights learned from pixels of a size: this one, or its aerial one.

        Args:
            gsd_m: Ground sampling distance in metres; None where it is unknown.

        Raises:
            CheckpointError: If the aerial weights cannot be read.
        """
        folder = scaled_folder(self.folder, gsd_m)
        if folder is None:
            return self
        if self._aerial is None:
            self._aerial = type(self).from_pretrained(folder, self.id)
        return self._aerial

    @cached_property
    def card(self) -> ModelCard:
        """What the model can do, and what it needs; of the weights at the first call."""
        masks, checkpoint = self._checkpoint.masks, self._checkpoint
        return ModelCard(
            targets=self._targets,
            required_bands=checkpoint.bands.bands or (),
            largest_gsd_m=masks.largest_gsd_m,
            tile_px=TILE_PX,
            weak_without=dict(masks.weak_without),
            left_to_index=dict(masks.left_to_index),
            accepts_points=True,
            explains_evidence=True,
            parameters=checkpoint.graphs.listed["parameters"],
            fingerprint=checkpoint.fingerprint(*weight_files(self.folder / AERIAL)),
            settings_fingerprint=checkpoint.settings_fingerprint(),
        )

    @property
    def _targets(self) -> tuple[str, ...]:
        return self._checkpoint.masks.targets or tuple(TARGETS)

    def predict(
        self,
        tile: xr.Dataset,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[NDArray[np.bool_] | None] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> NDArray[np.float32]:
        """Segment a tile for several targets in one pass.

        Args:
            tile: Reflectance bands [H, W] by name.
            targets: Ids of the targets, one for each prompt.
            prompts: Texts from `build_prompt`, which name the targets.
            priors: For each target a mask [H, W] or None; no priors by default.
            points: For each target points (x, y, is the target) in pixels; no points by default.
            boxes: For each target boxes (x0, y0, x1, y1) in pixels; no boxes by default.

        Returns:
            Mask logits float32 [T, H, W]; -inf where the tile has no data.

        Raises:
            ValueError: If prompts and targets do not pair, or the tile does not suit the model.
            DeviceMemoryError: If memory does not suffice.
        """
        if len(targets) != len(prompts) or not targets:
            raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
        encoded = self._encoded(tile)
        condensed = self._reader.condensed(prompts, encoded.shape, encoded.features["aggregated"])
        marks = _marks(points, boxes, len(prompts), encoded.shape)
        logits = self._decoded(encoded, condensed, priors, marks)
        if self._checkpoint.masks.joint:
            logits = self._compete(logits, targets, encoded)
        layers = np.where(encoded.valid, logits, np.float32(-np.inf))
        return enforce_cores(layers, targets, self._checkpoint.masks.cores, tile.spex.gsd_m, [points, boxes])

    def explain(
        self, overview: xr.Dataset, prompt: str, language: str = "en", evidence: Evidence | None = None
    ) -> Iterator[str]:
        """Write an explanation, sentence by sentence.

        The model chooses sentences, sizes and places. Where it leaves a figure open (see `answer_template`), the
        figure of the evidence is filled in.

        Args:
            overview: The scene, thinned to the size of a tile.
            prompt: The text of a prompt, from `build_prompt`.
            language: ISO 639-1 code of the answer's language.
            evidence: Figures of the mask; by default those of the model's own mask of the overview.

        Yields:
            Sentences as the model writes them.

        Raises:
            PromptError: If there is no evidence, and the prompt names no target to measure it on.
            DeviceMemoryError: If memory does not suffice.
        """
        if evidence is None:
            evidence = measure_prediction(self.predict, overview, prompt)
        encoded = self._encoded(overview)
        pieces = self._reader.answer(prompt, language, encoded.shape, encoded.features["aggregated"])
        yield from fill_answer(pieces, evidence, language)

    def _encoded(self, tile: xr.Dataset) -> _EncodedTile:
        """Return the features of a tile; those of the last tile if it is the same."""
        tile = tile.compute()
        valid = tile.spex.valid.values
        digest = tile_digest(tile, valid, self._checkpoint.bands)
        if self._last is None or self._last.digest != digest:
            self._last = None  # frees the features of the last tile before the next ones are computed
            inputs = _padded(band_arrays(tile, self._checkpoint.bands))
            aggregated, embedding, fine = self._checkpoint.graphs.run("image", **inputs)
            features = {"aggregated": aggregated, "embedding": embedding, "fine": fine}
            self._last = _EncodedTile(digest, valid, features)
        return self._last

    def _decoded(
        self,
        encoded: _EncodedTile,
        condensed: NDArray[np.float32],
        priors: Sequence[NDArray[np.bool_] | None] | None = None,
        marks: PromptPoints | None = None,
    ) -> NDArray[np.float32]:
        """Return mask logits float32 [N, H, W] of condensed tokens float32 [N, T, D]."""
        height, width = encoded.shape
        whole = padded_size(encoded.shape)
        shares, kinds = marks or _no_points(len(condensed))
        inputs: dict[str, NDArray[Any]] = {
            "embedding": encoded.features["embedding"],
            "fine": encoded.features["fine"],
            "condensed": condensed,
            # The cells may reach beyond the image, whose shares the points are.
            "points": shares * (np.array([width, height], np.float32) / np.array(whole[::-1], np.float32)),
            "kinds": kinds,
        }
        for prior in priors or ():
            require_fitting_prior(prior, encoded.shape)
        if self._checkpoint.masks.reads_prior:
            inputs |= _prior_inputs(priors or [None] * len(condensed), encoded.shape)
        (logits,) = self._checkpoint.graphs.run("mask", **inputs)
        return logits[:, :height, :width]

    def _compete(
        self, logits: NDArray[np.float32], targets: Sequence[str], encoded: _EncodedTile
    ) -> NDArray[np.float32]:
        """Return log-odds [T, H, W] of targets that compete; targets without a query stay as they are.

        The queries of the targets that nobody asked for give their logits.
        """
        competitors = self._targets
        rivals_of = self._checkpoint.graphs.listed["rivals"]
        asked_for = [name for name in targets if name in competitors]
        wanted = {rival for name in asked_for for rival in rivals_of[name]}
        rivals = [name for name in competitors if name in wanted and name not in asked_for]
        everyone = np.zeros((len(competitors), *logits.shape[1:]), np.float32)
        for name, row in zip(targets, logits, strict=True):
            if name in competitors:
                everyone[competitors.index(name)] = row
        if rivals:
            numbers = [competitors.index(name) for name in rivals]
            queries = self._checkpoint.weights["target_queries.weight"][numbers]
            everyone[numbers] = self._decoded(
                encoded, queries.reshape(len(numbers), self._checkpoint.text.num_tokens, -1)
            )
        (log_odds,) = self._checkpoint.graphs.run("compete", logits=everyone)
        rows = [
            log_odds[competitors.index(name)] if name in competitors else row
            for name, row in zip(targets, logits, strict=True)
        ]
        return np.stack(rows)


@dataclass
class _EncodedTile:
    """The features of a tile."""

    digest: bytes
    valid: NDArray[np.bool_]
    """bool [H, W]."""
    features: Mapping[str, NDArray[np.float32]] = field(repr=False)
    """``aggregated`` [1, C, h, w], ``embedding`` [1, D, h, w] and ``fine`` [1, F, H, W], float32."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels, without padding."""
        height, width = self.valid.shape
        return height, width


def _padded(arrays: BandArrays) -> dict[str, NDArray[Any]]:
    """Return the inputs of the image graph: no data counts as the mean, and padding is no data."""
    height, width = arrays.pixels.shape[1:]
    rows, columns = padded_size((height, width))
    padding = ((0, 0), (0, rows - height), (0, columns - width))
    pixels = np.pad(np.nan_to_num(arrays.pixels, nan=0.0, posinf=0.0, neginf=0.0), padding)
    assert arrays.indices is not None
    return {
        "pixels": pixels[None],
        "waves_um": arrays.waves_um,
        "indices": np.pad(arrays.indices, padding, constant_values=np.nan)[None],
        "gsd_m": np.array([arrays.gsd_m], np.float32),
    }


def _marks(
    points: Sequence[Sequence[tuple[float, float, bool]]] | None,
    boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None,
    count: int,
    shape: tuple[int, int],
) -> PromptPoints | None:
    """Return points and boxes of prompts about one image; None where nothing was given."""
    if points is None and boxes is None:
        return None
    empty: list[Any] = [()] * count
    return prompt_points(points or empty, boxes or empty, [shape] * count)


def _no_points(count: int) -> PromptPoints:
    return PromptPoints(np.zeros((count, 0, 2), np.float32), np.zeros((count, 0), np.int64))


def _prior_inputs(priors: Sequence[NDArray[np.bool_] | None], shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Return priors as SAM's mask prompts, -1 and 1, with 0 where there is none, and which prompts have one."""
    arrays = np.stack([prior_array(prior, shape, shape) for prior in priors])
    has_prior = np.asarray(np.isfinite(arrays).any((1, 2)))
    rows, columns = padded_size(shape)
    padding = ((0, 0), (0, rows - shape[0]), (0, columns - shape[1]))
    return {"signs": np.pad(np.nan_to_num(2 * arrays - 1, nan=0.0), padding), "has_prior": has_prior}
