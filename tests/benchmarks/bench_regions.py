"""The ten largest of 50,000 regions, beside scikit-image's table of regions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops_table

from spex_nb import find_regions
from tests.benchmarks.bench_indices import best_of, row

SIDE = 4096
PROPERTIES = ("area", "centroid", "intensity_mean", "intensity_std")


def speckled(side: int) -> tuple[Any, Any]:
    """Return a mask of about 50,000 regions and the index that it was cut from, [side, side]."""
    index = gaussian_filter(np.random.default_rng(0).random((side, side), dtype=np.float32), 2.5)
    return index > np.quantile(index, 0.8), index


def by_scikit_image(mask: Any, index: Any) -> Any:
    """Return the ten largest regions; their least-area rectangles are not to be had there."""
    table = regionprops_table(label(mask, connectivity=2), index, properties=PROPERTIES)
    return np.argsort(-table["area"], kind="stable")[:10], table


def run(side: int = SIDE) -> list[dict[str, str]]:
    """Return the measured row."""
    mask, index = speckled(side)
    count = int(label(mask, connectivity=2).max())
    ours, other = best_of(1, lambda: find_regions(mask, index=index), lambda: by_scikit_image(mask, index))
    what = f"ten largest of {count:,} regions of a {side:,}² mask; other: scikit-image's regionprops_table"
    return [row(what, ours, other, "s", "≤ 0.2")]
