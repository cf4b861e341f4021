"""Memory that was freed goes back to the system, so that the peak of a large scene stays low."""

from __future__ import annotations

import ctypes
import sys

MANY_PX = 2**24
"""Work on fewer pixels leaves little, and asking the system for memory again would take a tenth of its time."""


def return_free_memory(worked_on_px: int) -> None:
    """Give memory that was freed back to the system, after work on many pixels.

    The C library of Linux keeps it, in pieces that are too small for the next array. Other systems have no such call.

    Args:
        worked_on_px: Number of pixels; nothing happens below `MANY_PX`.
    """
    if sys.platform == "linux" and worked_on_px >= MANY_PX:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
