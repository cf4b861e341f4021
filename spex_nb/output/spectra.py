"""Spectra of single pixels as a table, by wavelength."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from spex_nb.output.files import write_whole
from spex_nb.scene.open import require_inside

if TYPE_CHECKING:
    import pandas as pd


def spectra_frame(scene: xr.Dataset, points: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """Return the values of pixels.

    Args:
        scene: The scene to read, bands [H, W].
        points: Label and pixel position (x, y) of each.

    Returns:
        One row a band, by wavelength where it is known: band, wavelength_um (NaN where it is not), then one column a
        point.

    Raises:
        GridError: If a point lies outside the scene.
    """
    import pandas as pd

    for label, (x, y) in points.items():
        require_inside(scene, label, x, y)
    waves = scene.spex.wavelengths_um
    bands = sorted(scene.spex.bands, key=lambda band: waves.get(band, np.inf))
    table = pd.DataFrame({"band": bands, "wavelength_um": [waves.get(band, np.nan) for band in bands]})
    for label, (x, y) in points.items():
        pixel = scene[bands].isel(x=x, y=y).compute()
        table[label] = [float(pixel[band]) for band in bands]
    return table


def save_spectra(
    scene: xr.Dataset, points: Mapping[str, tuple[int, int]], path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the values of pixels as CSV; arguments as of `spectra_frame`.

    Raises:
        GridError: If a point lies outside the scene.
        OutputError: If the path cannot be written.
    """
    table = spectra_frame(scene, points)
    with write_whole(path, overwrite) as part:
        table.to_csv(part, index=False)
    return Path(path)
