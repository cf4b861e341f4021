"""Quality layers: how each is coded, and where it says that the sky is clear."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from spex_nb.errors import (
    RadiometryError,
    SensorError,
)
from spex_nb.scene.band_source import Quality, bands_of_file
from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.rasters import Reading, open_raster

Clouds = bool | str | Path | Mapping[str, str | Path]
QA_PIXEL_CLOUDY = 0b11111
"""Fill, dilated cloud, cirrus, cloud and cloud shadow: bits 0-4 of Landsat Collection 2 QA_PIXEL (LSDS-1619)."""
SCL_CLEAR = (2, 4, 5, 6, 7, 11)
"""Dark, vegetation, no vegetation, water, unclassified, snow: of the classes 0 to 11 of the Sentinel-2 L2A SCL."""
FMASK_CLOUDY = 0b1110
"""Cloud, adjacent to cloud or shadow, cloud shadow: bits 1-3 of HLS Fmask (HLS user guide 2.0)."""
FMASK_FILL = 255
FMASK_CLASSES_CLEAR = (1, 4, 5)
"""Clear land, snow and water: of the classes 0 to 5 that python-fmask writes (0 no data, 2 cloud, 3 shadow)."""
CFMASK_CLEAR = (0, 1, 3)
"""Clear land, water and snow: of the classes 0 to 4 of CFMask and of Fmask in MATLAB (2 shadow, 4 cloud, 255 fill)."""


def qa_pixel_clear(quality: Any) -> Any:
    """Return True where Landsat Collection 2 QA_PIXEL (uint16, any shape) flags neither fill, cloud nor shadow."""
    return (quality.astype(np.uint16) & QA_PIXEL_CLOUDY) == 0


def scl_clear(quality: Any) -> Any:
    """Return True where the Sentinel-2 scene classification (uint8, any shape) is neither cloud nor shadow."""
    return np.isin(quality, SCL_CLEAR)


def fmask_clear(quality: Any) -> Any:
    """Return True where HLS Fmask (uint8, any shape) flags neither fill, cloud, its surroundings nor shadow."""
    return ((quality.astype(np.uint8) & FMASK_CLOUDY) == 0) & (quality != FMASK_FILL)


def fmask_classes_clear(quality: Any) -> Any:
    """Return True where the classes of python-fmask (uint8, any shape) are clear land, snow or water."""
    return np.isin(quality, FMASK_CLASSES_CLEAR)


def cfmask_clear(quality: Any) -> Any:
    """Return True where the classes of CFMask or Fmask in MATLAB (uint8, any shape) are clear land, water or snow."""
    return np.isin(quality, CFMASK_CLEAR)


CODINGS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "qa_pixel": qa_pixel_clear,
        "scl": scl_clear,
        "fmask": fmask_clear,
        "fmask_classes": fmask_classes_clear,
        "cfmask": cfmask_clear,
    }
)
CODING_FILL: Mapping[str, float] = MappingProxyType(
    {"qa_pixel": 1, "scl": 0, "fmask": FMASK_FILL, "fmask_classes": 0, "cfmask": FMASK_FILL}
)
"""The code of each quality layer that says "no data": it fills what a warp finds outside the layer."""


@dataclass(frozen=True)
class ClearSky:
    """Reads a quality layer and says where the sky is clear."""

    reading: Reading
    coding: str

    def __call__(self, window: Any) -> Any:
        """Return bool [1, H, W] of a window."""
        return CODINGS[self.coding](self.reading(window))


def coding_of(path: str) -> str:
    """Return the coding that the name of a quality layer tells; of "fmask", which has three, by its values too.

    Raises:
        SensorError: If the name tells none, or neither name nor values tell which.
    """
    name = Path(path).name.lower()
    if re.search(r"c?fmask", name):
        return _fmask_coding(path)
    for coding in CODINGS:
        if re.search(rf"(^|[._-]){coding}([._-]|$)", name):
            return coding
    raise SensorError(
        "The quality layer is of no coding that is known here",
        found=name,
        expected="a file name that holds QA_PIXEL, SCL or Fmask",
        fix=f"Pass clouds={{coding: path}} with one of {', '.join(CODINGS)}; or set scene['valid'] yourself.",
    )


def _fmask_coding(path: str) -> str:
    """Tell the bits of HLS from the classes of python-fmask (0 to 5) and of CFMask (0 to 4, and 255).

    Odd numbers below 6 are classes: HLS leaves its lowest bit unused. Of classes 5 is water of python-fmask; without
    it the number of no data decides, 0 for python-fmask and 255 for CFMask.
    """
    name = Path(path).name.lower()
    if name.startswith("hls."):
        return "fmask"
    values, nodata = _values_of(path)
    classes = values - {FMASK_FILL}
    if classes and max(classes) > max(FMASK_CLASSES_CLEAR):
        return "fmask"
    if max(FMASK_CLASSES_CLEAR) in classes:
        return "fmask_classes"
    if classes & {1, 3} or "cfmask" in name:
        if "cfmask" in name or "fmask4" in name or FMASK_FILL in (*values, nodata):
            return "cfmask"
        if nodata == 0:
            return "fmask_classes"
    raise SensorError(
        "The coding of the cloud layer cannot be told: fmask stands for several",
        found=f"{path} with the values {sorted(values)}",
        expected="bits of HLS, classes 0 to 5 of python-fmask, or classes 0 to 4 of CFMask",
        fix=f"Pass clouds={{'fmask': {path!r}}}, or with 'fmask_classes' or 'cfmask' in place of 'fmask'.",
    )


def _values_of(path: str) -> tuple[set[int], float | None]:
    """Return the distinct values of an 8-bit layer, read block by block, and its number of no data."""
    with open_raster(path) as file:
        values: set[int] = set()
        for _, window in file.block_windows(1):
            values |= set(np.unique(file.read(1, window=window)).tolist())
        return values, file.nodata


def quality_of(clouds: str | Path | Mapping[str, str | Path]) -> Quality:
    """Return the layer that the caller names, with the coding that is given or that its name and values tell."""
    if not isinstance(clouds, Mapping):
        return Quality(str(clouds), coding_of(str(clouds)))
    if len(clouds) != 1 or not set(clouds) <= set(CODINGS):
        raise SensorError(
            "The coding of the quality layer is unknown",
            found=f"clouds={dict(clouds)!r}",
            expected=f"one of {', '.join(CODINGS)}, with the path of the layer",
            fix="Pass clouds={'scl': 'path/to/layer.tif'} or the like.",
        )
    ((coding, path),) = clouds.items()
    return Quality(str(path), coding)


def clear_sky(layer: Quality | None, grid: Grid) -> ClearSky:
    """Return what reads a quality layer on the grid of a scene.

    Raises:
        RadiometryError: If the scene has no quality layer.
    """
    if layer is None:
        raise RadiometryError(
            "The scene has no quality layer",
            found="clouds=True on a source without QA_PIXEL, SCL or Fmask",
            expected="a Landsat or Sentinel-2 level 2 folder, or the path of the layer",
            fix="Pass clouds='path/to/…_QA_PIXEL.TIF'.",
        )
    file = bands_of_file(layer.path)[0].file
    onto = None if file is None else file.onto(grid)
    return ClearSky(Reading(layer.path, (1,), onto, CODING_FILL.get(layer.coding), categories=True), layer.coding)
