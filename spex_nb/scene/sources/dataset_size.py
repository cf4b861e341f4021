"""The size of NetCDF and Zarr datasets by their metadata, before a chunk of them is planned or read."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import xarray as xr

from spex_nb.errors import UnreadableSourceError
from spex_nb.scene.windows.rasters import LARGEST_BLOCK, LONGEST_PX, MOST_PX

MOST_CHUNKS = 200_000
"""Of one variable: planning the reading of each takes some microseconds and a kilobyte."""


def require_readable_size(location: str, **options: Any) -> None:
    """Raise if the metadata of a dataset promise more pixels, larger chunks, or more chunks than can be read.

    Args:
        location: Path or address of the dataset.
        **options: Of ``xarray.open_dataset``, such as ``engine`` and ``group``.

    Raises:
        UnreadableSourceError: If they do.
        OSError, ValueError, KeyError, ImportError: If xarray cannot open it.
    """
    with xr.open_dataset(location, decode_cf=False, create_default_indexes=False, cache=False, **options) as dataset:
        for name, variable in dataset.variables.items():
            problem = _problem_of(variable)
            if problem:
                raise UnreadableSourceError(
                    "The dataset is larger than any that can be read",
                    found=f"{location}: {name} {dict(variable.sizes)} by its metadata, {problem}",
                    expected=f"at most {MOST_PX:.0e} pixels, {LONGEST_PX:,} on a side, "
                    f"in at most {MOST_CHUNKS:,} chunks of at most 2 GB",
                    fix="Cut the part that you need first, or write it with chunks of about 1,000 x 1,000 pixels.",
                )


def _problem_of(variable: xr.Variable) -> str:
    """Return what is too large about a variable; an empty string if nothing is."""
    count = math.prod(variable.shape)
    if count > MOST_PX or max(variable.shape, default=0) > LONGEST_PX:
        return f"{count:,} numbers"
    parts: dict[Hashable, int] = variable.encoding.get("preferred_chunks", {})  # none where all lies in one piece
    chunk_bytes = math.prod(parts.values()) * variable.dtype.itemsize
    if parts and chunk_bytes > LARGEST_BLOCK:
        return f"chunks of {chunk_bytes / 1e6:,.0f} MB"
    chunks = math.prod(-(-variable.sizes[name] // max(1, side)) for name, side in parts.items())
    return f"{chunks:,} chunks" if chunks > MOST_CHUNKS else ""
