"""Generated pairs of scenes whose change is known to a quarter of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

FINE = 4
"""Parts of a pixel along its side, on which landscapes are painted."""
SIDE = 240
"""Pixels along the side of a landscape."""
UTM = Affine(10, 0, 500_000, 0, -10, 5_500_000)
WATER, LAND = (0.06, 0.07, 0.05, 0.02), (0.05, 0.08, 0.07, 0.32)
BANDS = ("blue", "green", "red", "nir")
Pond = tuple[float, float, float]
"""Row, column and radius, px."""
PONDS: Sequence[Pond] = ((50, 60, 24), (150, 80, 30), (80, 170, 20), (180, 190, 26), (120, 130, 9))


@dataclass
class Landscape:
    """Fields with ponds, painted finer than any picture of it."""

    ponds: Sequence[Pond] = PONDS
    seed: int = 1

    @property
    def water(self) -> NDArray[np.bool_]:
        """Where water is, bool [fine rows, fine columns], a margin of 8 pixels included."""
        row, column = np.mgrid[: (SIDE + 16) * FINE, : (SIDE + 16) * FINE] / FINE - 8
        wave = 3 * np.sin(row / 9) + 3 * np.cos(column / 7)  # no shore is a circle
        water = np.zeros(row.shape, bool)
        for y, x, radius in self.ponds:
            water |= np.hypot(row - y, column - x) < radius + wave * min(1, radius / 15)
        return water

    def coverage(self, shift: tuple[int, int] = (0, 0)) -> NDArray[np.float64]:
        """Return the share of water of each pixel, [H, W], moved by a shift (x, y) in parts of pixels."""
        return _averaged(self.water.astype(float), shift)

    def picture(
        self, shift: tuple[int, int] = (0, 0), noise: float = 0.004, noise_seed: int = 5, gain: float = 1.0
    ) -> xr.Dataset:
        """Return a scene of 10 m pixels."""
        random = np.random.default_rng(self.seed)
        texture = ndimage.gaussian_filter(random.normal(size=self.water.shape), 3)
        fields = ndimage.zoom(random.uniform(0.8, 1.2, (16, 16)), self.water.shape[0] / 16, order=0)
        noises = np.random.default_rng(noise_seed)
        bands = {}
        for name, wet, dry in zip(BANDS, WATER, LAND, strict=True):
            fine = np.where(self.water, wet, dry * fields * (1 + texture / texture.std() * 0.1))
            pixels = gain * _averaged(fine, shift) + noises.normal(0, noise, (SIDE, SIDE))
            bands[name] = (("y", "x"), pixels.astype(np.float32))
        return placed(xr.Dataset(bands, attrs={"radiometry": "reflectance", "sensor": "planetscope4"}), UTM)


def _averaged(fine: NDArray[np.float64], shift: tuple[int, int]) -> NDArray[np.float64]:
    left, top = (8 * FINE - part for part in shift)
    cut = fine[top : top + SIDE * FINE, left : left + SIDE * FINE]
    averaged: NDArray[np.float64] = cut.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
    return averaged


def placed(scene: xr.Dataset, transform: Affine, crs: str = "EPSG:32632") -> xr.Dataset:
    """Return a scene with a place on the map, and ``valid``."""
    valid = np.isfinite(scene["nir"].values)
    here: xr.Dataset = scene.assign(valid=(("y", "x"), valid)).rio.write_crs(crs).rio.write_transform(transform)
    return here


@pytest.fixture(scope="session")
def landscape() -> Callable[..., Landscape]:
    """Return the painter of landscapes."""
    return Landscape


@pytest.fixture(scope="session")
def place() -> Callable[..., Any]:
    """Return the function that puts a scene on the map."""
    return placed
