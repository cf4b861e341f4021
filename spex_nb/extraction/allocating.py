"""How a worker's process gets memory: dask asks glibc to give all of it back at once, which slows a network down."""

from __future__ import annotations

import ctypes
import sys

LARGEST_BYTES = 32 * 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLDS = {M_MMAP_THRESHOLD: LARGEST_BYTES, M_TRIM_THRESHOLD: 2 * LARGEST_BYTES}
"""As far as glibc goes by itself where nobody has set one."""


def keep_large_arrays() -> None:
    """Let glibc use the memory of arrays that are gone for the next ones, up to 32 MB each.

    With ``MALLOC_TRIM_THRESHOLD_``, which dask sets for its workers, glibc no longer learns how large arrays are, maps
    each one of more than 128 kB anew, and a tile of `tiny` takes three times as long. Elsewhere than on Linux nothing
    is changed. Source: mallopt(3).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries lack it
        if mallopt is not None:
            for name, value in THRESHOLDS.items():
                mallopt(name, value)
