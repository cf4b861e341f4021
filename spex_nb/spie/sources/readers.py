"""Readers of labelled datasets, by id of the dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spex_nb.spie.sources.catalogue import get_dataset
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.public_sets import (
    read_chesapeake,
    read_gid15,
    read_globe230k,
    read_segmunich,
    read_spacenet2,
)
from spex_nb.spie.sources.released_spie import read_spie

__all__ = [
    "READERS",
    "read_chesapeake",
    "read_gid15",
    "read_globe230k",
    "read_labelled",
    "read_segmunich",
    "read_spacenet2",
    "read_spie",
]

Reader = Callable[[str | Path], list[LabelledScene]]

READERS: dict[str, Reader] = {
    "chesapeake": read_chesapeake,
    "globe230k": read_globe230k,
    "segmunich": read_segmunich,
    "spacenet2": read_spacenet2,
    "gid15": read_gid15,
}
"""By id of the dataset. A reader takes a folder and returns the scenes in a fixed order, without opening them."""


def read_labelled(dataset: str, folder: str | Path) -> list[LabelledScene]:
    """Read the scenes of a labelled dataset.

    Args:
        dataset: Id of the dataset, see ``READERS``.
        folder: Folder into which the dataset was unpacked.

    Returns:
        The scenes in a fixed order; no pixels are read.

    Raises:
        DatasetError: If the dataset is unknown, or the folder does not hold it.
    """
    return READERS[get_dataset(dataset).id](folder)
