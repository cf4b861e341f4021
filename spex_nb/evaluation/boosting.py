"""Pixel-wise gradient boosting on bands and indices as a baseline: what can be learned from spectra alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from sklearn.ensemble import HistGradientBoostingClassifier

from spex_nb.evaluation.pixel_features import (
    CLASSIC,
    UNKNOWN,
    PixelSample,
    TrainTiles,
    layers_of,
    positive_weight,
    possible,
    require_askable,
    sample_pixels,
)
from spex_nb.extraction.mask_models import EvidenceExplainer
from spex_nb.types import ModelCard

ROUNDS = 200


@dataclass
class BoostingModel(EvidenceExplainer):
    """One classifier for each target; it reads no prompt, prior or click."""

    bands: tuple[str, ...]
    indices: tuple[str, ...]
    classifiers: Mapping[str, Any]
    id: str = "boosting"

    @cached_property
    def card(self) -> ModelCard:
        """The targets of the classifiers, and the bands that they read."""
        return ModelCard(
            targets=tuple(self.classifiers), required_bands=self.bands, explains_evidence=True, reads_prompts=False
        )

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], *_: Any, **__: Any) -> Any:
        """Return logits float32 [T, H, W]; -inf where the tile has no data.

        Raises:
            ValueError: If targets and prompts do not pair.
            TargetError: If it was not fitted for a target.
            MissingBandError: If the tile lacks a band.
        """
        require_askable(self, tile, targets, prompts)
        valid = tile.spex.valid.values
        layers = layers_of(tile, self.bands, self.indices)
        pixels = np.stack([layer[valid] for layer in layers.values()], axis=1)
        logits = np.full((len(targets), *valid.shape), -np.inf, np.float32)
        for layer, target in zip(logits, targets, strict=True):
            if len(pixels):
                layer[valid] = self.classifiers[target].decision_function(pixels)
        return logits


def fit_boosting(tiles: TrainTiles, targets: Sequence[str], seed: int = 0) -> BoostingModel:
    """Fit a classifier for each target on a sample of train pixels, rare targets weighing more.

    Args:
        tiles: To fit on.
        targets: Ids; those that the sample holds nowhere, or everywhere, are left out.
        seed: Of sample and classifiers.
    """
    indices = possible(CLASSIC, tiles.bands)
    sample = sample_pixels(tiles, targets, indices, seed=seed)
    divided = [target for target in targets if 0 < sample.share(target) < 1]
    return BoostingModel(tiles.bands, indices, {target: _fit(sample, target, seed) for target in divided})


def _fit(sample: PixelSample, target: str, seed: int) -> HistGradientBoostingClassifier:
    is_known = sample.truth[target] != UNKNOWN
    pixels = np.stack([layer[is_known] for layer in sample.layers.values()], axis=1)
    truth = sample.truth[target][is_known]
    weights = np.where(truth == 1, positive_weight(sample.share(target)), 1.0)
    return HistGradientBoostingClassifier(max_iter=ROUNDS, early_stopping=False, random_state=seed).fit(
        pixels, truth, sample_weight=weights
    )
