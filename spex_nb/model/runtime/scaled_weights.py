"""Which of a checkpoint's weights read a scene: those for aerial pictures lie in a folder beside the others."""

from __future__ import annotations

from pathlib import Path

AERIAL, AERIAL_GSD_M = "aerial", 2.0
"""Folder beside the weights with those that learned from aerial pictures, and the largest pixel in metres for them."""


def scaled_folder(folder: Path, gsd_m: float | None) -> Path | None:
    """Return the folder of the weights that learned from pixels of a size; None where those of ``folder`` did.

    Args:
        folder: Of the checkpoint.
        gsd_m: Ground sampling distance in metres; None where it is unknown.
    """
    aerial = folder / AERIAL
    return aerial if gsd_m is not None and gsd_m <= AERIAL_GSD_M and aerial.is_dir() else None
