"""Which tile comes next, and how: sets by a share, places by the root of their tiles, scales between 0.3 and 1.2 m."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import changes
import numpy as np
from changes import Sample, happens
from numpy.random import Generator
from tiles import LANDSAT_BANDS, OUTLINED, PICTURE_BANDS, Tile

AERIAL_SHARES: Mapping[str, float] = {
    "oam_buildings": 0.30,
    "inria_buildings": 0.20,
    "spacenet2_buildings": 0.10,
    "spacenet3_roads": 0.13,
    "gsi_roads": 0.14,
    "naip_california": 0.07,
    OUTLINED: 0.16,
    "chesapeake_naip": 0.06,
}
SATELLITE_SHARES: Mapping[str, float] = {"hls": 0.88, "landsat8_zion": 0.12}
Kind = Literal["satellites", "aerial"]
"""What weights read, and learn from."""
BATCH: Mapping[Kind, tuple[int, int]] = {"satellites": (10, 128), "aerial": (8, 256)}
"""Samples of each step, and their sides: a roof needs ground around it."""
TRAINING_SPLITS = frozenset({"train"})
LEAST_SIDE_PX = 48
"""Of tiles that are shrunk beside each other."""
COARSEST_M = 1.2
"""Ground sampling distance to which aerial tiles are shrunk at most."""


class Sampler:
    """Draws batches of the tiles of the training places, by number: the same number gives the same batch.

    Args:
        tiles: Of any split; only those of the splits below are drawn.
        seed: Of every draw.
        kind: Which of them. Aerial pictures come in red, green and blue, the only bands in which roofs are labelled.
        splits: The training places, and at the very end those held back, once all settings are chosen on them.
    """

    def __init__(self, tiles: Sequence[Tile], seed: int, kind: Kind, splits: Collection[str] = TRAINING_SPLITS) -> None:
        self.seed, self.kind = seed, kind
        self._by_place: dict[str, dict[str, list[Tile]]] = defaultdict(lambda: defaultdict(list))
        for tile in tiles:
            if tile.split in splits:
                self._by_place[tile.dataset][tile.place].append(tile)

    def batch(self, number: int) -> list[Sample]:
        """Return the samples of a step."""
        rng = np.random.default_rng((self.seed, number))
        count, side_px = BATCH[self.kind]
        draw = self.satellite if self.kind == "satellites" else self.aerial
        return [draw(side_px, rng) for _ in range(count)]

    def aerial(self, side_px: int, rng: Generator) -> Sample:
        """Return an aerial sample at its own scale or shrunk; small tiles are shrunk beside each other."""
        dataset = self._dataset(AERIAL_SHARES, rng)
        tile = self._tile(dataset, rng)
        sample = self._at_scale(dataset, tile, side_px, tile.gsd_m * _shrink(tile, rng), rng)
        sample = changes.with_bands(sample, PICTURE_BANDS)
        return changes.with_unsure_facts(changes.as_another_camera(sample, rng), rng)

    def satellite(self, side_px: int, rng: Generator) -> Sample:
        """Return a sample of reflectance at 15 to 45 m: of all bands, of four, of three, or of any three and more."""
        tile = self._tile(self._dataset(SATELLITE_SHARES, rng), rng)
        shrink = 1.0 if happens(0.75, rng) else float(rng.choice((0.5, 0.75, 1.5)))
        sample = changes.cut(tile, side_px, shrink, rng)
        sample = changes.with_bands(sample, _some_bands(sample.bands, rng))
        if happens(0.2, rng):
            sample = changes.under_clouds(sample, rng)
        return changes.with_unsure_facts(changes.as_another_day(sample, rng), rng)

    def _at_scale(self, dataset: str, tile: Tile, side_px: int, gsd_m: float, rng: Generator) -> Sample:
        """Return a tile at a scale. Where it is too small for that, four of its set lie beside each other."""
        shrink, half = gsd_m / tile.gsd_m, side_px // 2
        if round(side_px * shrink) <= min(tile.allowed.shape) or half < LEAST_SIDE_PX:
            return changes.cut(tile, side_px, shrink, rng)
        members = [tile, *(self._tile(dataset, rng) for _ in range(3))]
        return changes.beside_each_other([self._at_scale(dataset, each, half, gsd_m, rng) for each in members])

    def _dataset(self, shares: Mapping[str, float], rng: Generator) -> str:
        names = [name for name in shares if self._by_place[name]]
        weights = np.array([shares[name] for name in names])
        return names[rng.choice(len(names), p=weights / weights.sum())]

    def _tile(self, dataset: str, rng: Generator) -> Tile:
        places = list(self._by_place[dataset].values())
        weights = np.sqrt([len(members) for members in places])
        members = places[rng.choice(len(places), p=weights / weights.sum())]
        return members[rng.integers(len(members))]


def _shrink(tile: Tile, rng: Generator) -> float:
    """Draw how much larger the pixels of an aerial tile become: not, a little smaller, or up to the coarsest."""
    coarser = math.log(max(1.0, COARSEST_M / tile.gsd_m))
    drawn = 1.0, rng.uniform(0.6, 1), np.exp(rng.uniform(0, coarser))
    shares = (0.4, 0.1, 0.5) if tile.dataset != OUTLINED else (0.15, 0.7, 0.15)  # read at a finer scale in use
    return float(drawn[rng.choice(3, p=shares)])


def _some_bands(bands: Sequence[str], rng: Generator) -> Sequence[str]:
    """Draw which bands are left of a satellite's: all, four, three, or any three and more."""
    some = [bands[i] for i in rng.permutation(len(bands))[: rng.integers(3, len(bands) + 1)]]
    drawn = bands, [band for band in LANDSAT_BANDS if band in bands], PICTURE_BANDS, some
    return drawn[rng.choice(4, p=(0.5, 0.18, 0.2, 0.12))]
