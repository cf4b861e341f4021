"""Thresholds of an index, and the mask that a threshold gives. The module knows no band and no target."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr

from spex_nb.errors import ThresholdError, nearest
from spex_nb.types import Side

Method = Literal["fixed", "otsu", "multi-otsu", "percentile"]
METHODS: tuple[str, ...] = get_args(Method)
SIDES: tuple[str, ...] = get_args(Side)
SAMPLE_PX = 4_000_000  # 16 MB of float32, whatever the size of the scene
MULTI_OTSU_CLASSES = 3
MAX_PERCENT = 100.0

Index = TypeVar("Index", xr.DataArray, npt.NDArray[Any])


def threshold_index(index: Index, method: Method = "fixed", value: float | None = None, side: Side = "above") -> Index:
    """Cut an index into a mask.

    Args:
        index: Index values [H, W], numeric; NaN where undefined.
        method: The way to find the threshold, see `find_threshold`.
        value: The threshold (``fixed``) or the percentile 0..100 (``percentile``).
        side: Which side of the threshold is True; the threshold itself never is.

    Returns:
        bool [H, W] in the container of ``index``: lazy if it is lazy, False where it is NaN. A DataArray keeps its
        coordinates and carries ``method``, ``threshold`` and ``side`` in its attributes.

    Raises:
        ThresholdError: If method, value or side make no sense, or the index has no finite pixel to find one from.
    """
    _require_name("side", side, SIDES)
    threshold = find_threshold(index, method, value)
    # A comparison with NaN is False on both sides: undefined pixels drop out by themselves.
    mask = index > threshold if side == "above" else index < threshold
    if isinstance(mask, xr.DataArray):
        mask = mask.rename("mask").assign_attrs(method=method, threshold=threshold, side=side)
    return mask


def find_threshold(
    index: xr.DataArray | npt.NDArray[Any], method: Method = "fixed", value: float | None = None
) -> float:
    """Find where to cut an index, in units of the index.

    ``fixed`` returns ``value`` and reads no pixel. The other methods read at most 4 million finite pixels: every n-th
    row and column of a larger scene. A lazy scene then computes its chunks one after another and keeps only the sample.
    ``otsu`` splits two classes. ``multi-otsu`` splits three and returns the upper split, which suits a target that is
    rare and high. ``percentile`` returns the ``value``-th percentile. These three find a split in any scene, even
    without the target.

    Args:
        index: Index values [H, W], numeric; NaN where undefined.
        method: One of ``fixed``, ``otsu``, ``multi-otsu``, ``percentile``.
        value: The threshold (``fixed``) or the percentile 0..100 (``percentile``); None for the others.

    Returns:
        The threshold.

    Raises:
        ThresholdError: If the method is unknown, its value makes no sense, or no finite pixels differ.

    References:
        Otsu (1979), https://doi.org/10.1109/TSMC.1979.4310076;
        Liao, Chen and Chung (2001), http://www.iis.sinica.edu.tw/page/jise/2001/200109_01.html.
    """
    _require_name("method", method, METHODS)
    _require_value(method, value)
    if method == "fixed" and value is not None:
        return float(value)
    sample = _finite_sample(index)
    if method == "percentile" and value is not None:
        return float(np.percentile(sample, value))
    return _otsu(sample, method)


def _otsu(sample: npt.NDArray[Any], method: str) -> float:
    """Return Otsu's split of two classes, or the upper one of three."""
    import skimage.filters

    filters: Any = skimage.filters  # its types are incomplete

    levels = 2 if method == "otsu" else MULTI_OTSU_CLASSES
    distinct = np.unique(sample).size
    if distinct < levels:
        raise ThresholdError(
            "The index is constant" if distinct == 1 else "The index has too few different values",
            found=f"{distinct} different value(s), {float(sample[0]):g} among them",
            expected=f"at least {levels} for method '{method}'",
            fix="Give the threshold yourself: method='fixed', value=...",
        )
    if method == "otsu":
        return float(filters.threshold_otsu(sample))
    return float(filters.threshold_multiotsu(sample, classes=MULTI_OTSU_CLASSES)[-1])


def _finite_sample(index: xr.DataArray | npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the finite pixels of a bounded, evenly strided part of the index."""
    stride = max(1, math.ceil(math.sqrt(index.size / SAMPLE_PX)))
    part = np.asarray(index[::stride, ::stride])
    sample: npt.NDArray[Any] = part[np.isfinite(part)]
    if sample.size == 0:
        raise ThresholdError(
            "The index is empty",
            found=f"no finite pixel among {part.size}",
            expected="at least one pixel with data",
            fix="Check the scene's valid mask, or give the threshold yourself: method='fixed', value=...",
        )
    return sample


def _require_name(what: str, name: str, names: tuple[str, ...]) -> None:
    """Refuse a method or side that does not exist."""
    if name not in names:
        raise ThresholdError(
            f"Unknown threshold {what}",
            found=repr(name),
            expected=f"one of {', '.join(names)}",
            fix=nearest(str(name), names) or f"Use {names[0]!r}.",
        )


def _require_value(method: str, value: float | None) -> None:
    """Refuse a value that the method lacks, cannot use, or that lies out of its range."""
    if method in ("otsu", "multi-otsu"):
        problem = "" if value is None else f"Method '{method}' finds the threshold by itself"
        expected, fix = "no value", "Drop value, or use method='fixed'."
    elif method == "fixed":
        problem = "" if value is not None and math.isfinite(value) else "Method 'fixed' needs a threshold"
        expected, fix = "a finite number", "Pass value=..., in units of the index, such as value=0.2."
    else:
        in_range = value is not None and 0 <= value <= MAX_PERCENT
        problem = "" if in_range else "Method 'percentile' needs a percentile"
        expected, fix = "a number from 0 to 100", "Pass value=..., such as value=90 for the highest tenth."
    if problem:
        raise ThresholdError(problem, found=f"value={value}", expected=expected, fix=fix)
