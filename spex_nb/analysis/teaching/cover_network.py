"""A small network that learned land covers elsewhere: its answers are features of classes that nobody trained it on.

It reads what one pixel and its surroundings show in six bands, and gives a logit for each cover of ESA WorldCover. It
learned on 132 tiles of 30 m. `recipes/own_classes/learn_covers.py` made the weights; docs/own_classes.md says how well
they help, also for covers that were withheld while it learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
COVERS = ("tree", "shrub", "grass", "crop", "built-up", "bare", "snow", "water", "wetland", "moss", "mangrove")
"""What the logits are about, in their order."""
INPUTS = 96
"""Twelve layers as they are, their means over four squares, and their standard deviations over three."""
WEIGHTS = Path(__file__).with_name("cover_network.npz")
LARGEST_INPUT = 6.0

Array = NDArray[np.float32]


@dataclass(frozen=True)
class CoverNetwork:
    """Three layers of weights.

    Attributes:
        mean: float32 [96], of each input over the tiles that it learned on.
        spread: float32 [96], its standard deviation there.
        layers: Weights [in, out] and biases [out], in their order.
        fingerprint: Hash of all of them.
    """

    mean: Array
    spread: Array
    layers: tuple[tuple[Array, Array], ...]
    fingerprint: str


@cache
def load_network() -> CoverNetwork:
    """Return the network that comes along; its file is read once."""
    content = WEIGHTS.read_bytes()
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        layers = tuple(
            (arrays[f"weight{number}"].astype(np.float32), arrays[f"bias{number}"].astype(np.float32))
            for number in range(3)
        )
        mean, spread = arrays["mean"].astype(np.float32), arrays["spread"].astype(np.float32)
    return CoverNetwork(mean, spread, layers, blake2b(content, digest_size=8).hexdigest())


def cover_logits(inputs: Array) -> Array:
    """Return a logit of each cover, float32 [N, 11].

    Args:
        inputs: float32 [N, 96], see `features.pixel_inputs`, of reflectance in `BANDS`.
    """
    network = load_network()
    hidden: Array = np.clip((inputs - network.mean) / network.spread, -LARGEST_INPUT, LARGEST_INPUT)
    for number, (weight, bias) in enumerate(network.layers):
        hidden = (hidden @ weight + bias).astype(np.float32)
        if number < len(network.layers) - 1:
            np.maximum(hidden, 0, out=hidden)
    return hidden
