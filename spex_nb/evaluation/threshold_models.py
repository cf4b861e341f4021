"""Thresholds as baselines: the literature's, those tuned on the train split, and Otsu's of each tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import ThresholdError
from spex_nb.evaluation.pixel_features import CLASSIC, UNKNOWN, TrainTiles, possible, require_askable, sample_pixels
from spex_nb.extraction.mask_models import EvidenceExplainer
from spex_nb.regions import metrics
from spex_nb.spectral.catalogue import index_info
from spex_nb.spectral.indices import compute_index, compute_indices
from spex_nb.spectral.priors import RULES
from spex_nb.spectral.thresholds import find_threshold
from spex_nb.types import ModelCard, Side
from spex_nb.types.targets import get_target

SIGNS: Mapping[Side, int] = {"above": 1, "below": -1}
VISIBLE = ("NGRDI", "BCC", "GLI")
"""Indices of the visible bands, for scenes without any other."""


@dataclass(frozen=True)
class Cut:
    """One index, cut.

    Attributes:
        index: Name in the catalogue.
        side: Which side of the threshold belongs to the target.
        threshold: In units of the index; None for Otsu's of each tile.
    """

    index: str
    side: Side
    threshold: float | None = None

    def __str__(self) -> str:
        return f"{self.index} {'>' if self.side == 'above' else '<'} {_threshold_text(self.threshold)}"


FIXED: tuple[tuple[str, Cut], ...] = (
    ("water", Cut("NDWI", "above", 0.0)),
    ("water", Cut("MNDWI", "above", 0.0)),
    ("vegetation", Cut("NDVI", "above", 0.2)),
    ("built_up", Cut("NDBI", "above", 0.0)),
)
"""What most users would do."""


@dataclass
class ThresholdModel(EvidenceExplainer):
    """Cuts one index for each target; it reads no prompt, prior or click."""

    id: str
    cuts: Mapping[str, Cut]
    note: str = ""

    @cached_property
    def card(self) -> ModelCard:
        """The targets and bands of the cuts."""
        bands = [band for cut in self.cuts.values() for band in index_info(cut.index).bands]
        return ModelCard(
            targets=tuple(self.cuts),
            required_bands=tuple(dict.fromkeys(bands)),
            explains_evidence=True,
            reads_prompts=False,
        )

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], *_: Any, **__: Any) -> Any:
        """Return how far the index of each target lies beyond its threshold, in its own units: float32 [T, H, W].

        -inf where it is undefined, and everywhere where Otsu's method finds no two classes.

        Raises:
            ValueError: If targets and prompts do not pair.
            TargetError: If it has no cut for a target.
            MissingBandError: If the tile lacks a band.
        """
        require_askable(self, tile, targets, prompts)
        return np.stack([self._logits(tile, self.cuts[target]) for target in targets])

    def _logits(self, tile: xr.Dataset, cut: Cut) -> Any:
        index = compute_index(tile, cut.index)
        return _beyond(index, cut, _otsu(index) if cut.threshold is None else cut.threshold)


def fixed_models(targets: Sequence[str]) -> list[ThresholdModel]:
    """Return a model for each threshold of the literature whose target is asked for."""
    return [ThresholdModel(str(cut), {target: cut}) for target, cut in FIXED if target in targets]


def fit_tuned(tiles: TrainTiles, targets: Sequence[str], seed: int = 0) -> ThresholdModel:
    """Choose for each target the index, side and threshold of the highest pooled IoU on a sample of train pixels.

    Args:
        tiles: To fit on.
        targets: Ids; those that no index can be computed for, or that the sample does not hold, are left out.
        seed: Of the sample.
    """
    candidates = {target: possible(_indices(target), tiles.bands) for target in targets}
    names = tuple(dict.fromkeys(name for some in candidates.values() for name in some))
    sample = sample_pixels(tiles, targets, names, seed=seed)
    cuts: dict[str, Cut] = {}
    notes = []
    for target, indices in candidates.items():
        is_known = sample.truth[target] != UNKNOWN
        tried = [
            (score, Cut(name, side, threshold))
            for name in indices
            for side in SIGNS
            for threshold, score in best_threshold(
                sample.layers[name][is_known], sample.truth[target][is_known] == 1, side
            )
        ]
        if tried:
            score, cuts[target] = max(tried, key=lambda pair: pair[0])
            notes.append(f"{target}: {cuts[target]} (IoU {score:.2f} on train pixels)")
    return ThresholdModel("tuned", cuts, f"Tuned thresholds. {'; '.join(notes)}.")


def best_threshold(values: Any, truth: Any, side: Side) -> list[tuple[float, float]]:
    """Find the threshold of the highest IoU among all that there are.

    Args:
        values: Of an index, float [N]; NaN counts as not called the target.
        truth: Which of them are the target, bool [N].
        side: Which side is called the target.

    Returns:
        [(threshold, IoU)]; empty where no value is finite, or none is the target.
    """
    finite = np.isfinite(values)
    if not truth.any() or not finite.any():
        return []
    signed = SIGNS[side] * values[finite].astype(np.float64)
    order = np.argsort(-signed, kind="stable")
    ordered, hits = signed[order], np.cumsum(truth[finite][order])
    last_of_equals = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    scores = hits[last_of_equals] / (truth.sum() + last_of_equals + 1 - hits[last_of_equals])
    best = int(last_of_equals[np.argmax(scores)])
    beyond = ordered[best + 1] if best + 1 < len(ordered) else ordered[best] - 1
    return [(SIGNS[side] * float(ordered[best] + beyond) / 2, float(scores.max()))]


def fit_otsu(tiles: TrainTiles, targets: Sequence[str]) -> ThresholdModel:
    """Choose for each target the index and side of the highest pooled IoU on the train tiles, cut by Otsu's method.

    Args:
        tiles: To fit on.
        targets: Ids; those that no index can be computed for, or that are nowhere there, are left out.
    """
    counts: dict[tuple[str, Cut], Any] = {}
    candidates = {target: possible(_indices(target), tiles.bands) for target in targets}
    for scene, labels in tiles:
        names = list(dict.fromkeys(name for target in labels for name in candidates.get(target, ())))
        indices = compute_indices(scene, names) if names else {}
        thresholds = {name: _otsu(indices[name]) for name in names}
        for target, label in labels.items():
            for cut in [Cut(name, side) for name in candidates.get(target, ()) for side in SIGNS]:
                mask = _beyond(indices[cut.index], cut, thresholds[cut.index]) > 0
                count = metrics.confusion_counts(mask, label == 1, label != UNKNOWN)
                counts[target, cut] = counts.get((target, cut), 0) + count
    scores = {what: float(metrics.iou(count)) for what, count in counts.items() if metrics.recall(count) >= 0}
    cuts = {}
    for target in targets:
        cut_scores = {cut: score for (name, cut), score in scores.items() if name == target}
        if cut_scores:
            cuts[target] = max(cut_scores, key=lambda cut: cut_scores[cut])
    chosen = "; ".join(
        f"{target}: {cut} (IoU {scores[target, cut]:.2f} on train tiles)" for target, cut in cuts.items()
    )
    return ThresholdModel("otsu", cuts, f"Otsu's threshold of each tile. {chosen}.")


def _indices(target: str) -> tuple[str, ...]:
    """Return the indices that may separate a target."""
    return (*CLASSIC, *VISIBLE, *get_target(target).indices, *(rule.index for rule in RULES.get(target, ())))


def _beyond(index: Any, cut: Cut, threshold: float) -> Any:
    """Return by how much an index [H, W] lies beyond a threshold, float32; -inf where that is not defined."""
    beyond = (SIGNS[cut.side] * (index.values - threshold)).astype(np.float32)
    return np.where(np.isfinite(beyond), beyond, np.float32(-np.inf))


def _otsu(index: xr.DataArray) -> float:
    """Return Otsu's threshold; NaN where the index has one value all over, or none: there are no two classes."""
    try:
        return find_threshold(index, "otsu")
    except ThresholdError:
        return float("nan")


def _threshold_text(threshold: float | None) -> str:
    return "Otsu" if threshold is None else f"{threshold:.3g}"
