"""A picture of classes of change, outside pyplot's global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from spex_nb.analysis.change.result import CLASS_COLORS, CLASS_WORDS
from spex_nb.types import MASK_NODATA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_SIDE_PX = 1200
NODATA_GREY = 217


def plot_change(classes: xr.DataArray, title: str) -> Figure:
    """Draw where a target was gained, lost and kept.

    Args:
        classes: uint8 [H, W] of one target.
        title: Above the picture.
    """
    from matplotlib.patches import Patch

    from spex_nb.output.plotting import Picture

    step = max(1, -(-max(classes.shape) // LONGEST_SIDE_PX))
    thin = classes.values[::step, ::step]
    picture = np.full((*thin.shape, 3), 255, np.uint8)
    picture[thin == MASK_NODATA] = NODATA_GREY
    for number, color in CLASS_COLORS.items():
        picture[thin == number] = color
    figure = Picture(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.add_subplot(title=title.replace("$", r"\$"), xticks=[], yticks=[])
    axes.imshow(picture, interpolation="nearest")
    keys = [
        Patch(color=(red / 255, green / 255, blue / 255), label=CLASS_WORDS[number])
        for number, (red, green, blue) in CLASS_COLORS.items()
    ]
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(0, -0.02), frameon=False, ncols=3)
    return figure
