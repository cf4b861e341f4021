"""Which pixels of a quality layer are clear: the codes of Landsat QA_PIXEL, Sentinel-2 SCL and HLS Fmask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from spex_nb.errors import SensorError
from spex_nb.scene.rasters import Reading

QA_PIXEL_CLOUDY = 0b11111
"""Fill, dilated cloud, cirrus, cloud and cloud shadow: bits 0-4 of Landsat Collection 2 QA_PIXEL (LSDS-1619)."""
SCL_CLOUDY = (0, 1, 3, 8, 9, 10)
"""No data, saturated, cloud shadow, cloud of medium and high probability, cirrus: Sentinel-2 L2A SCL."""
FMASK_CLOUDY = 0b1110
"""Cloud, adjacent to cloud or shadow, cloud shadow: bits 1-3 of HLS Fmask (HLS user guide 2.0)."""
FMASK_FILL = 255


def qa_pixel_clear(quality: Any) -> Any:
    """Return True where Landsat Collection 2 QA_PIXEL (uint16, any shape) flags neither fill, cloud nor shadow."""
    return (quality.astype(np.uint16) & QA_PIXEL_CLOUDY) == 0


def scl_clear(quality: Any) -> Any:
    """Return True where the Sentinel-2 scene classification (uint8, any shape) is neither cloud nor shadow."""
    return ~np.isin(quality, SCL_CLOUDY)


def fmask_clear(quality: Any) -> Any:
    """Return True where HLS Fmask (uint8, any shape) flags neither fill, cloud, its surroundings nor shadow."""
    return ((quality.astype(np.uint8) & FMASK_CLOUDY) == 0) & (quality != FMASK_FILL)


CODINGS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"qa_pixel": qa_pixel_clear, "scl": scl_clear, "fmask": fmask_clear}
)


@dataclass(frozen=True)
class ClearSky:
    """Reads a quality layer and says where the sky is clear."""

    reading: Reading
    coding: str

    def __call__(self, window: Any) -> Any:
        """Return bool [1, H, W] of a window."""
        return CODINGS[self.coding](self.reading(window))


def coding_of(path: str) -> str:
    """Return the coding that the name of a quality layer tells.

    Raises:
        SensorError: If the name tells none.
    """
    name = Path(path).name.lower()
    for coding in CODINGS:
        if re.search(rf"(^|[._-]){coding}([._-]|$)", name):
            return coding
    raise SensorError(
        "The quality layer is of no coding that is known here",
        found=name,
        expected="a file name that holds QA_PIXEL, SCL or Fmask",
        fix="Rename the file, or set scene['valid'] from a mask of your own.",
    )
