"""What is done with one tile: prior → regions → prompt → mask logits. Here, or on a worker of a cluster."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import DeviceMemoryError, SpexError
from spex_nb.extraction.mask_models import IndexModel, load_mask_model
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.scene.open import open_source
from spex_nb.scene.reader import SceneReader, SceneSource
from spex_nb.scene.resample import resample, zoom_tile
from spex_nb.spectral.priors import prior_of
from spex_nb.targets import TARGETS
from spex_nb.types import DeviceModel, MaskModel, Prior, Side, Window

PROMPT_MIN_AREA_PX = 4
"""Smaller regions of a prior are not told to the model, as in the data that it learned from."""
LARGEST_LOGIT = 30.0
"""What a model is surer of than this counts as this; its float32 probability is 0 or 1 all the same."""
LARGEST_BYTES = 32 * 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLDS = {M_MMAP_THRESHOLD: LARGEST_BYTES, M_TRIM_THRESHOLD: 2 * LARGEST_BYTES}
"""As far as glibc goes by itself where nobody has set one."""


@dataclass(frozen=True)
class IndexExtreme:
    """How near an index came to its threshold, over the valid pixels: the value on the target's side of it."""

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

    logits: Any
    """float32 [T, h, w], NaN where there is no data; None where there is none at all."""
    best: dict[str, IndexExtreme] = field(default_factory=dict)
    """By target, where an index shows it."""
    notes: tuple[str, ...] = ()
    """What did not go as usual."""
    failure: str = ""
    """Why there are no logits though there are data."""


@dataclass(frozen=True)
class TileJob:
    """All that is needed to predict tiles anywhere.

    Attributes:
        token: Of this run: a worker keeps scene and model for it.
        source: The scene.
        model: A name, folder or model.
        targets: Ids, one a layer of logits.
        by_index: Those among them that the spectral prior answers instead of the model.
        tile_px: (height, width) of the tiles.
        zoom: The model's pixels for each pixel of the scene.
    """

    token: str
    source: SceneSource
    model: str | Path | MaskModel
    targets: tuple[str, ...]
    by_index: frozenset[str]
    tile_px: tuple[int, int]
    zoom: float = 1.0

    @property
    def is_light(self) -> bool:
        """Whether it holds names only, no pixels and no weights."""
        return not isinstance(self.source.scene, xr.Dataset) and isinstance(self.model, str | Path)


class TilePredictor:
    """A scene and a model, open, that tiles are asked of."""

    def __init__(self, job: TileJob, model: MaskModel | None = None, scene: xr.Dataset | None = None) -> None:
        self.reader = SceneReader(open_source(job.source) if scene is None else scene, job.tile_px)
        self._job = job
        self._model = _Patient(load_mask_model(job.model) if model is None else model)
        self._index = _Patient(IndexModel())
        self._lock = threading.Lock()

    def predict(self, window: Window) -> TilePrediction:
        """Predict a tile. It is tried twice, for a drive may have hiccuped; then the result says why it failed."""
        with self._lock:  # neither the kept chunks nor a model's kept features are for two threads at once
            try:
                return self._attempt(self.reader.read(window))
            except Exception:  # noqa: BLE001 (whatever it is, it may pass)
                try:
                    return self._attempt(self.reader.read_again(window))
                except Exception as error:  # noqa: BLE001 (the other tiles go on, and it is reported)
                    return TilePrediction(None, failure=f"{type(error).__name__}: {error}")

    def _attempt(self, tile: xr.Dataset) -> TilePrediction:
        valid = tile.spex.valid.values
        if not valid.any():
            return TilePrediction(None)
        job = self._job
        zoomed = zoom_tile(tile, job.zoom)
        priors = {target: prior for target in job.targets if (prior := prior_of(zoomed, target)) is not None}
        notes: list[str] = []
        logits: dict[str, Any] = {}
        for model, is_index in ((self._index, True), (self._model, False)):
            asked = [target for target in job.targets if (target in job.by_index) == is_index]
            logits |= model.ask(zoomed, [model.question(zoomed, target, priors.get(target)) for target in asked], notes)
        best = {target: _best_of(prior, zoomed.spex.valid.values) for target, prior in priors.items()}
        stacked = np.stack([logits[target] for target in job.targets])
        return TilePrediction(_on_pixels(stacked, zoomed.spex.valid.values, valid), best, tuple(notes))


Question = tuple[str, str, Any]
"""Target, prompt, and prior mask bool [H, W] or None."""


class _Patient:
    """A model that is asked for fewer targets at a time, then on the CPU, when its device has too little memory."""

    def __init__(self, model: MaskModel) -> None:
        self._model = model
        self._at_once = len(TARGETS)

    def question(self, tile: xr.Dataset, target: str, prior: Prior | None) -> Question:
        """Return what the model is asked of a tile; none is made for a model that reads none."""
        if prior is None or not self._model.card.reads_prompts:
            return target, build_prompt(target, []), None
        mask, valid = prior.mask.values, tile.spex.valid.values
        return target, build_prompt(target, find_regions(mask, valid, min_area_px=PROMPT_MIN_AREA_PX)), mask

    def ask(self, tile: xr.Dataset, questions: Sequence[Question], notes: list[str]) -> dict[str, Any]:
        """Return mask logits [H, W] by target; what had to be changed for it is noted."""
        answered: dict[str, Any] = {}
        while len(answered) < len(questions):
            batch = questions[len(answered) : len(answered) + self._at_once]
            targets, prompts, priors = zip(*batch, strict=True)
            try:
                logits = self._model.predict(tile, targets, prompts, priors=priors)
            except DeviceMemoryError:
                changed = self._take_less(len(batch))
                if not changed:
                    raise
                notes.append(changed)
            else:
                answered |= zip(targets, logits, strict=True)
        return answered

    def _take_less(self, asked: int) -> str:
        """Make the model need less memory, and say how; an empty string if it cannot."""
        if asked > 1:
            self._at_once = asked // 2
            return f"The device has too little memory for {asked} targets at a time: {self._at_once} were asked for."
        if isinstance(self._model, DeviceModel) and self._model.use_cpu():
            return "The device has too little memory: the model went on on the CPU."
        return ""


def _best_of(prior: Prior, valid: Any) -> IndexExtreme:
    values = np.where(valid, prior.index.values, np.nan)
    known = values[np.isfinite(values)]
    best = known.max(initial=-np.inf) if prior.side == "above" else known.min(initial=np.inf)
    return IndexExtreme(prior.index_name, float(best), prior.threshold, prior.side, prior.guard)


def _on_pixels(logits: Any, known: Any, valid: Any) -> Any:
    """Return logits of a zoomed tile on the pixels of the scene, NaN where these have no data.

    Raises:
        SpexError: If the model gave logits of another shape, or none for a pixel with data.
    """
    if logits.shape[1:] != known.shape or np.isnan(logits[:, known]).any():
        raise SpexError(
            "The model's logits make no sense",
            found=f"shape {logits.shape}, {np.isnan(logits).mean():.1%} of them NaN",
            expected=f"a number for every pixel with data of {known.shape}",
            fix="Check the model's predict().",
        )
    limited = np.where(known, np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT), np.nan).astype(np.float32)
    back = limited if known.shape == valid.shape else resample(limited, valid.shape)
    return np.where(valid, back, np.float32(np.nan))


_held: dict[str, TilePredictor] = {}
_holding = threading.Lock()


def predict_on_worker(job: TileJob, window: Window) -> TilePrediction:
    """Predict a tile on a worker, which opens the scene and loads the model once."""
    with _holding:
        if job.token not in _held:
            _held.clear()
            keep_large_arrays()
            _held[job.token] = TilePredictor(job)
        predictor = _held[job.token]
    return predictor.predict(window)


def keep_large_arrays() -> None:
    """Let glibc use the memory of arrays that are gone for the next ones, up to 32 MB each.

    With ``MALLOC_TRIM_THRESHOLD_``, which dask sets for its workers, glibc no longer learns how large arrays are, maps
    each one of more than 128 kB anew, and a tile of `tiny` takes three times as long. Elsewhere than on Linux nothing
    is changed. Source: mallopt(3).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries lack it
        if mallopt is not None:
            for name, value in THRESHOLDS.items():
                mallopt(name, value)
