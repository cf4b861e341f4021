"""Scenes with a class that is known: ponds, fields and a third cover that looks a little like the class."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

SIDE = 96
SPECTRA = {
    "reeds": (0.03, 0.06, 0.05, 0.30, 0.16, 0.08),
    "fields": (0.05, 0.09, 0.06, 0.42, 0.24, 0.12),
    "soil": (0.10, 0.14, 0.19, 0.27, 0.36, 0.30),
    "water": (0.05, 0.04, 0.03, 0.01, 0.005, 0.004),
}
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


def covers_of(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """Return the number of a cover for each pixel: blocks of 8 px."""
    generator = np.random.default_rng(seed)
    blocks = generator.integers(0, len(SPECTRA), (side // 8, side // 8))
    return np.kron(blocks, np.ones((8, 8), int))


def scene_of(covers: np.ndarray, seed: int = 0, noise: float = 0.006) -> xr.Dataset:
    """Return reflectance of some covers, with noise."""
    generator = np.random.default_rng(seed)
    spectra = np.array([*SPECTRA.values()])
    planes = spectra[covers] + generator.normal(0, noise, (*covers.shape, len(BANDS)))
    bands = {name: (("y", "x"), planes[..., number].astype(np.float32)) for number, name in enumerate(BANDS)}
    return xr.Dataset(bands, attrs={"radiometry": "reflectance", "gsd_m": 30.0})


def centres(covers: np.ndarray, number: int, count: int) -> list[tuple[int, int]]:
    """Return positions (x, y) in the middle of blocks of one cover."""
    middles = covers[4::8, 4::8]
    rows, columns = np.nonzero(middles == number)
    return [(int(column) * 8 + 4, int(row) * 8 + 4) for row, column in zip(rows, columns, strict=True)][:count]


@pytest.fixture(scope="session")
def covers() -> np.ndarray:
    return covers_of()


@pytest.fixture(scope="session")
def scene(covers: np.ndarray) -> xr.Dataset:
    return scene_of(covers)


@pytest.fixture(scope="session")
def clicks(covers: np.ndarray) -> dict[str, list[tuple[int, int]]]:
    """Six clicks of reeds, and six of the rest."""
    others = [position for number in (1, 2, 3) for position in centres(covers, number, 2)]
    return {"yes": centres(covers, 0, 6), "no": others}
