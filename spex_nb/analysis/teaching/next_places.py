"""Where the next click teaches most: places like many others, unlike all examples, on the side with fewer examples.

Asking where the classifier is least sure was tried first. Such pixels are mixed ones along borders, and teach less than
random ones (docs/own_classes.md). So the queue keeps yes and no in balance, and covers what the scene holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.teaching.logistic import sigmoid
from spex_nb.analysis.teaching.scene_sample import PixelFeatures, sample_scene_features
from spex_nb.analysis.teaching.taught import Taught
from spex_nb.errors import RegionError
from spex_nb.scene.reopen import as_scene

APART_PX = 8
"""Places that are asked about lie further apart than this, and from examples."""
MOST_PX = 2048
"""Pixels of the sample that the queue chooses among."""
WIDTH = 0.3
"""Pixels are alike within this share of the usual distance of two pixels."""
FEWEST = 20
"""Pixels of a side of the classifier, below which the likeliest ones stand for it."""


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
    step = -(-len(pixels) // MOST_PX)
    positions, raw = pixels.positions[::step], pixels.raw[::step]
    probability = sigmoid(taught.logits_of_raw(raw))
    scaled = space.scaled(raw) * space.scales[0]
    near = _nearest_distance(scaled, space.scaled(taught.examples.raw) * space.scales[0])
    density = np.sqrt(_density(scaled))
    is_free = _far_from(positions, taught.examples.positions)
    yes, no = int(taught.assessment.yes_places), int(taught.assessment.no_places)
    places: list[Place] = []
    for _ in range(count):
        if not is_free.any():
            break
        side = _side(probability, wants_yes=yes <= no)
        number = int(np.argmax(np.where(is_free, near * density * side, -1)))
        row, column = positions[number]
        places.append(Place(float(column) + 0.5, float(row) + 0.5, float(probability[number])))
        yes, no = yes + (probability[number] > HALF), no + (probability[number] <= HALF)
        near = np.minimum(near, _nearest_distance(scaled, scaled[number : number + 1]))
        is_free &= _far_from(positions, positions[number : number + 1])
    return places


HALF = 0.5


def _side(probability: NDArray[np.float64], *, wants_yes: bool) -> NDArray[np.float64]:
    """Return 1 for pixels of the side that needs an example, and a little for the others: 0 if there are enough."""
    towards = probability if wants_yes else 1 - probability
    is_side = towards > HALF
    if is_side.sum() < FEWEST:
        is_side = towards >= np.partition(towards, -min(2 * FEWEST, len(towards)))[-min(2 * FEWEST, len(towards))]
    return np.where(is_side, 1.0, 1e-6)


def _density(scaled: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how many pixels look like each, float64 [N]."""
    squares = (scaled**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0))
    width = max(WIDTH * float(np.median(distances)), 1e-6)
    density: NDArray[np.float64] = np.exp(-((distances / width) ** 2)).sum(axis=1, dtype=np.float64)
    return density


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
