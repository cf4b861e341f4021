"""Rasters of a stored comparison, read as data only: GeoTIFFs of eight bits of one size, with no other numbers."""

from __future__ import annotations

import math
from collections.abc import Container
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.output.stored_files import require_plain_file
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid
from spex_nb.scene.windows.rasters import Reading, probe, read_window
from spex_nb.types.typed_json import require_room

LARGEST = 255
"""Of eight bits."""


def read_layers(file: Path, names: tuple[str, ...], numbers: Container[int], grid: Grid | None = None) -> xr.Dataset:
    """Return the layers of a raster, uint8 [H, W] each, with their grid.

    Args:
        file: A GeoTIFF.
        names: Of its layers, in their order.
        numbers: Which its pixels may have.
        grid: Which it must have; any if not given.

    Raises:
        ValueError: If it is no such file, has other layers, numbers or pixels, or does not fit into memory.
        OSError, RasterioError: If it is damaged.
    """
    require_plain_file(file)
    raster = probe(file, driver="GTiff")
    size = (raster.grid.height, raster.grid.width)
    if set(raster.dtypes) != {"uint8"} or raster.count != len(names):
        raise ValueError(f"{file.name} has {raster.count} layers of {', '.join(raster.dtypes)}")
    if grid is not None and (size != (grid.height, grid.width) or not raster.grid.matches(grid)):
        raise ValueError(f"{file.name} lies on another grid")
    require_room(len(names) * math.prod(size), file.name)
    pixels = read_window(Reading(str(file), tuple(range(1, len(names) + 1)), driver="GTiff"), *size)
    for layer in pixels:
        _require_numbers(layer, numbers, file.name)
    layers = {
        name: on_grid(xr.DataArray(pixels[i], dims=("y", "x"), name=name), raster.grid) for i, name in enumerate(names)
    }
    return xr.Dataset(layers)


def _require_numbers(layer: NDArray[np.uint8], numbers: Container[int], name: str) -> None:
    is_there = np.zeros(LARGEST + 1, bool)
    is_there[layer] = True
    strange = [int(number) for number in np.flatnonzero(is_there) if int(number) not in numbers]
    if strange:
        raise ValueError(f"{name} holds numbers that mean nothing here: {strange[:5]}")
