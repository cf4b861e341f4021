"""What is done with one tile: prior → regions → prompt → mask logits. Here, or on a worker of a cluster."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import DeviceMemoryError, SpexError
from spex_nb.extraction.mask_models import IndexModel, load_mask_model, logits_of, model_at_scale, prefers_index
from spex_nb.language.prompts import write_prompt
from spex_nb.regions.find import find_regions
from spex_nb.scene.reopen import open_source
from spex_nb.scene.windows.area_mask import AreaMask
from spex_nb.scene.windows.pyramid import resample, zoom_tile
from spex_nb.scene.windows.reader import SceneReader
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.spectral.indices import within_range
from spex_nb.spectral.priors import prior_of
from spex_nb.types import DeviceModel, MaskModel, Prior, Side, TaughtClass, Window
from spex_nb.types.targets import TARGETS, are_exclusive, target_or_class

PROMPT_MIN_AREA_PX = 4
"""Smaller regions of a prior are left out of prompts, as in the data that the model learned from."""
LARGEST_LOGIT = 30.0
"""Larger logits are cut to this. The float32 probability is 0 or 1 all the same."""
LARGEST_BYTES = 32 * 2**20
"""Size up to which glibc uses the memory of freed arrays again; its own limit where nobody has set one."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLDS = {M_MMAP_THRESHOLD: LARGEST_BYTES, M_TRIM_THRESHOLD: 2 * LARGEST_BYTES}

T = TypeVar("T")


@dataclass(frozen=True)
class IndexExtreme:
    """How near an index came to its threshold over the valid pixels: the value furthest on the target's side."""

    index_name: str
    value: float
    threshold: float
    side: Side
    guard: str = ""

    def further(self, other: IndexExtreme) -> IndexExtreme:
        """Return the one that lies further on the target's side."""
        sign = 1 if self.side == "above" else -1
        return self if sign * self.value >= sign * other.value else other


@dataclass(frozen=True)
class TilePrediction:
    """What came of a tile."""

    logits: NDArray[np.float32] | None
    """[T, h, w], NaN where there is no data; None where the tile has none at all."""
    extremes: dict[str, IndexExtreme] = field(default_factory=dict)
    """By target, where an index shows it."""
    notes: tuple[str, ...] = ()
    """What did not go as usual."""
    failure: str = ""
    """Why there are no logits though there are data."""


@dataclass(frozen=True)
class TileJob:
    """All that is needed to predict tiles anywhere.

    Attributes:
        token: Name of this run; a worker keeps scene and model for it.
        source: The scene.
        model: A name, folder or model.
        targets: Ids, one a layer of logits.
        by_index: Those among them that the spectral prior answers instead of the model.
        tile_px: (height, width) of the tiles.
        zoom: The model's pixels for each pixel of the scene.
        area: The part of the scene that is asked for; all of it by default.
        taught: Taught classes among the targets; each answers its name, on the pixels of the scene.
    """

    token: str
    source: SceneSource
    model: str | Path | MaskModel
    targets: tuple[str, ...]
    by_index: frozenset[str]
    tile_px: tuple[int, int]
    zoom: float = 1.0
    area: AreaMask | None = None
    taught: tuple[TaughtClass, ...] = ()

    @property
    def is_light(self) -> bool:
        """Whether it holds names only, no pixels and no weights."""
        return not isinstance(self.source.scene, xr.Dataset) and isinstance(self.model, str | Path)


class MemoryFallbackModel:
    """A model that gets fewer targets at a time, then runs on the CPU, where its device has too little memory."""

    def __init__(self, model: MaskModel) -> None:
        self.model = model
        self._at_once = len(TARGETS)

    def predict(
        self,
        tile: xr.Dataset,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any],
        notes: list[str],
        **user_prompts: Any,
    ) -> list[NDArray[np.float32]]:
        """Return mask logits [H, W], one a target; what had to be changed is noted.

        Args:
            tile: Bands [H, W].
            targets: Ids.
            prompts: As many.
            priors: As many, each a mask bool [H, W] or None.
            notes: Gets a sentence for each change.
            **user_prompts: ``points`` and ``boxes`` of one target, as in `MaskModel.predict`.
        """
        layers: list[NDArray[np.float32]] = []
        while len(layers) < len(targets):
            batch = slice(len(layers), len(layers) + self._at_once)
            try:
                logits = self.model.predict(tile, targets[batch], prompts[batch], priors=priors[batch], **user_prompts)
            except DeviceMemoryError:
                change = self._need_less(len(targets[batch]))
                if not change:
                    raise
                notes.append(change)
            else:
                layers += list(logits)
        return layers

    def _need_less(self, targets: int) -> str:
        """Make the model need less memory, and say how; an empty string if it cannot."""
        if targets > 1:
            self._at_once = targets // 2
            return f"The device has too little memory for {targets} targets at a time: {self._at_once} were asked for."
        if isinstance(self.model, DeviceModel) and self.model.use_cpu():
            return "The device has too little memory: the model went on on the CPU."
        return ""


class TileStep:
    """The way of one tile: to the model's resolution, through prompts to logits, and back to its own pixels.

    Args:
        tile: Bands [H, W] and ``valid``, in memory.
        zoom: The model's pixels for each pixel of the tile.
        targets: Ids; the prior of each is made, where the bands allow it.
        inside: bool [H, W], the pixels that are asked for; all by default. The model sees the others beside them.
    """

    def __init__(
        self, tile: xr.Dataset, zoom: float, targets: Sequence[str], inside: NDArray[np.bool_] | None = None
    ) -> None:
        self._valid = tile.spex.valid.values if inside is None else tile.spex.valid.values & inside
        self.zoomed = zoom_tile(tile, zoom)
        self._zoomed_valid = self.zoomed.spex.valid.values
        self._judged = self._zoomed_valid if inside is None else self._zoomed_valid & _zoomed(inside, self.zoomed)
        self._targets = tuple(targets)
        self._priors: dict[str, Prior | None] = {}
        self.notes: list[str] = []

    def ask(
        self, model: MemoryFallbackModel, targets: Sequence[str], **user_prompts: Any
    ) -> dict[str, NDArray[np.float32]]:
        """Return the model's mask logits by target, [H, W] on the zoomed tile.

        Args:
            model: The model.
            targets: Ids; none gives an empty dict.
            **user_prompts: ``points`` and ``boxes`` of one target, in pixels of the zoomed tile.

        Raises:
            SpexError: If the model gives logits of another shape, or none for a pixel with data.
        """
        if not targets:
            return {}
        reads_prompts = model.model.card.reads_prompts
        masks = [self._prior_mask(target) if reads_prompts else None for target in targets]
        prompts = [self._prompt(target, mask) for target, mask in zip(targets, masks, strict=True)]
        layers = model.predict(self.zoomed, targets, prompts, masks, self.notes, **user_prompts)
        self._require_logits(layers)
        return {name: self._outvoted(name, layer, model.model) for name, layer in zip(targets, layers, strict=True)}

    def _outvoted(self, target: str, layer: NDArray[np.float32], model: MaskModel) -> NDArray[np.float32]:
        """Return a model's logits, below 0 where an index that the model leaves targets to says that it cannot be.

        It shows a target that excludes this one, or not what this one is a part of: trees are green. So no pixel is two
        things, and parts lie inside their parents, whatever is asked for. Without near infrared the rules of an index
        are no better than the model, and take nothing from it.
        """
        card, has_nir = model.card, "nir" in self.zoomed.spex.bands
        may_outvote = has_nir and not card.is_index
        rivals = [name for name in card.left_to_index if may_outvote and are_exclusive(name, target)]
        for rival in rivals:
            prior = self._prior(rival) if prefers_index(card, rival, self.zoomed) else None
            if prior is not None:
                layer = np.where(prior.mask.values, np.minimum(layer, -logits_of(prior)), layer)
        parent = TARGETS[target].parent if target in TARGETS else None
        if may_outvote and parent is not None and prefers_index(card, parent, self.zoomed):
            prior = self._prior(parent)
            if prior is not None:
                layer = np.where(prior.mask.values, layer, np.minimum(layer, logits_of(prior)))
        return layer

    def _require_logits(self, layers: Sequence[NDArray[np.float32]]) -> None:
        has_data = self._zoomed_valid
        for layer in layers:
            if layer.shape != has_data.shape or np.isnan(layer[has_data]).any():
                raise SpexError(
                    "The model's logits make no sense",
                    found=f"shape {layer.shape}, {np.isnan(layer).mean():.1%} of them NaN",
                    expected=f"a number for every pixel with data of {has_data.shape}",
                    fix="Check the model's predict().",
                )

    def extremes(self) -> dict[str, IndexExtreme]:
        """Return how near each target's index came to its threshold."""
        priors = {target: self._prior(target) for target in self._targets}
        return {target: _extreme_of(prior, self._judged) for target, prior in priors.items() if prior is not None}

    def on_scene_pixels(self, layers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return logits [T, h, w] on the pixels of the tile, NaN where it has no data."""
        cut = np.clip(np.stack(layers), -LARGEST_LOGIT, LARGEST_LOGIT)
        cut = np.where(self._zoomed_valid, cut, np.float32(np.nan)).astype(np.float32)
        back = cut if cut.shape[1:] == self._valid.shape else resample(cut, self._valid.shape)
        return np.where(self._valid, back, np.float32(np.nan))

    def _prior(self, target: str) -> Prior | None:
        """Return the prior of any target on this tile, made once; None where the bands allow none."""
        if target not in self._priors:
            self._priors[target] = prior_of(self.zoomed, target)
        return self._priors[target]

    def _prior_mask(self, target: str) -> NDArray[np.bool_] | None:
        prior = self._prior(target)
        return None if prior is None else prior.mask.values

    def _prompt(self, target: str, mask: NDArray[np.bool_] | None) -> str:
        word = target_or_class(target).word
        if mask is None:
            return write_prompt(word, [])
        return write_prompt(word, find_regions(mask, self._zoomed_valid, min_area_px=PROMPT_MIN_AREA_PX))


def _zoomed(inside: NDArray[np.bool_], zoomed: xr.Dataset) -> NDArray[np.bool_]:
    """Return which pixels of a zoomed tile lie for the most part inside."""
    if zoomed.spex.shape == inside.shape:
        return inside
    return np.asarray(resample(inside.astype(np.float32)[None], zoomed.spex.shape)[0] > HALF)


HALF = 0.5


def _logits_of_class(taught: TaughtClass, tile: xr.Dataset, has_data: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the logits of a taught class, [h, w], NaN where there is no data."""
    (layer,) = taught.predict(tile, [taught.name], [""])
    return np.where(has_data, np.clip(layer, -LARGEST_LOGIT, LARGEST_LOGIT), np.float32(np.nan)).astype(np.float32)


def _extreme_of(prior: Prior, valid: NDArray[np.bool_]) -> IndexExtreme:
    values = within_range(prior.index).values[valid]
    values = values[np.isfinite(values)]
    value = values.max(initial=-np.inf) if prior.side == "above" else values.min(initial=np.inf)
    return IndexExtreme(prior.index_name, float(value), prior.threshold, prior.side, prior.guard)


def try_twice(reader: SceneReader, window: Window, work: Callable[[xr.Dataset], T]) -> T:
    """Do some work on a tile, and once more if it fails, for a drive may fail for a moment.

    Args:
        reader: Of the scene.
        window: Of the tile.
        work: Called with the tile.
    """
    try:
        return work(reader.read(window))
    except Exception:  # noqa: BLE001 (whatever it is, it may pass)
        return work(reader.read_again(window))


class TilePredictor:
    """A scene and a model, both open, that predict tile after tile."""

    def __init__(self, job: TileJob, model: MaskModel | None = None, scene: xr.Dataset | None = None) -> None:
        opened = open_source(job.source) if scene is None else scene
        self.reader = SceneReader(opened, job.tile_px, job.area)
        self._job = job
        scaled = model_at_scale(load_mask_model(job.model), opened.spex.gsd_m) if model is None else model
        self._model = MemoryFallbackModel(scaled)
        self._index = MemoryFallbackModel(IndexModel())
        self._lock = threading.Lock()

    def predict(self, window: Window) -> TilePrediction:
        """Predict a tile, in two attempts; after the second the result says why it failed."""
        with self._lock:  # neither the stored chunks nor a model's stored features are for two threads at once
            try:
                return try_twice(self.reader, window, partial(self._predict, window))
            except Exception as error:  # noqa: BLE001 (the other tiles go on, and it is reported)
                return TilePrediction(None, failure=f"{type(error).__name__}: {error}")

    def _predict(self, window: Window, tile: xr.Dataset) -> TilePrediction:
        job, valid = self._job, tile.spex.valid.values
        inside = None if job.area is None else job.area.inside(window)
        if not (valid if inside is None else valid & inside).any():
            return TilePrediction(None)
        step = TileStep(tile, job.zoom, job.targets, inside)
        class_names = {taught.name for taught in job.taught}
        names = [name for name in job.targets if name not in class_names]
        logits = step.ask(self._index, [name for name in names if name in job.by_index])
        logits |= step.ask(self._model, [name for name in names if name not in job.by_index])
        planes = step.on_scene_pixels([logits[name] for name in names]) if names else ()
        layers = dict(zip(names, planes, strict=True))
        has_data = valid if inside is None else valid & inside
        layers |= {taught.name: _logits_of_class(taught, tile, has_data) for taught in job.taught}
        return TilePrediction(np.stack([layers[name] for name in job.targets]), step.extremes(), tuple(step.notes))


_predictors: dict[str, TilePredictor] = {}
_predictors_lock = threading.Lock()


def predict_on_worker(job: TileJob, window: Window) -> TilePrediction:
    """Predict a tile on a worker, which opens the scene and loads the model once."""
    with _predictors_lock:
        if job.token not in _predictors:
            _predictors.clear()
            keep_large_arrays()
            _predictors[job.token] = TilePredictor(job)
        predictor = _predictors[job.token]
    return predictor.predict(window)


def keep_large_arrays() -> None:
    """Let glibc use the memory of freed arrays for the next ones, up to 32 MB each.

    dask sets ``MALLOC_TRIM_THRESHOLD_`` for its workers. glibc then no longer learns how large arrays are and maps each
    one of more than 128 kB afresh, so that a tile of `tiny` takes three times as long. Nothing changes on other systems
    than Linux. Source: mallopt(3).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries lack it
        if mallopt is not None:
            for name, value in THRESHOLDS.items():
                mallopt(name, value)
