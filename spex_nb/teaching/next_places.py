"""Where the next click teaches most: pixels in doubt that look unlike all examples so far and lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.scene.reopen import as_scene
from spex_nb.teaching.logistic import sigmoid
from spex_nb.teaching.scene_sample import PixelFeatures, sample_scene_features
from spex_nb.teaching.taught import Taught

APART_PX = 8
"""Places that are asked about lie further apart than this, and from examples."""
NOVELTY_WEIGHT = 0.5
"""Of how unlike the examples a place looks, against how unsure the class is there."""


@dataclass(frozen=True)
class Place:
    """A place to look at.

    Attributes:
        x_px: Column of the pixel's centre.
        y_px: Row of the pixel's centre.
        probability: That the class is there, so far.
    """

    x_px: float
    y_px: float
    probability: float


def next_places(taught: Taught, scene: Any, count: int = 1, sample: PixelFeatures | None = None) -> list[Place]:
    """Return the places of a scene about which an answer would teach a class most, the most useful first.

    Args:
        taught: The class so far.
        scene: A Dataset of named bands [H, W].
        count: How many places, at least 1.
        sample: Features of pixels of the scene, where they are there already.

    Raises:
        RegionError: If no place is asked for.
        MissingBandError: If the scene lacks a band.
    """
    if count < 1:
        raise RegionError(
            "No place is asked for", found=count, expected="a number of at least 1", fix="Correct count=."
        )
    space = taught.space
    pixels = sample_scene_features(as_scene(scene), space.kind, space.bands) if sample is None else sample
    probability = sigmoid(taught.logits_of_raw(pixels.raw))
    scaled = space.scaled(pixels.raw)
    near = _nearest_distance(scaled, space.scaled(taught.examples.raw))
    is_free = _far_from(pixels.positions, taught.examples.positions)
    places: list[Place] = []
    for _ in range(count):
        if not is_free.any():
            break
        score = _usefulness(probability, near)
        number = int(np.argmax(np.where(is_free, score, -np.inf)))
        row, column = pixels.positions[number]
        places.append(Place(float(column) + 0.5, float(row) + 0.5, float(probability[number])))
        near = np.minimum(near, _nearest_distance(scaled, scaled[number : number + 1]))
        is_free &= _far_from(pixels.positions, pixels.positions[number : number + 1])
    return places


def _usefulness(probability: NDArray[np.float64], near: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much an answer at each pixel would teach."""
    doubt = 1 - np.abs(2 * probability - 1)
    novelty = near / max(float(near.max()), 1e-6)
    usefulness: NDArray[np.float64] = (1 - NOVELTY_WEIGHT) * doubt + NOVELTY_WEIGHT * novelty
    return usefulness


def _nearest_distance(scaled: NDArray[np.float32], examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distance of each pixel to its nearest example, in scaled features: float32 [N]."""
    squares = (scaled**2).sum(axis=1)[:, None] + (examples**2).sum(axis=1) - 2 * scaled @ examples.T
    distances: NDArray[np.float32] = np.sqrt(np.maximum(squares.min(axis=1), 0))
    return distances


def _far_from(positions: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pixels lie further than `APART_PX` from all others."""
    from scipy.spatial import cKDTree

    distances, _ = cKDTree(others).query(positions, distance_upper_bound=APART_PX)
    return np.asarray(~np.isfinite(distances))
