"""The door to labelled datasets: their readers by id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spex_nb.spie.sources.catalogue import get_facts
from spex_nb.spie.sources.development_sets import (
    read_chesapeake_naip,
    read_hls,
    read_landsat7_cloud_shadow,
    read_landsat8_zion,
)
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
    "read_chesapeake_naip",
    "read_gid15",
    "read_globe230k",
    "read_hls",
    "read_labelled",
    "read_landsat7_cloud_shadow",
    "read_landsat8_zion",
    "read_segmunich",
    "read_spacenet2",
    "read_spie",
]

Reader = Callable[[str | Path], list[LabelledScene]]

READERS: dict[str, Reader] = {
    "hls": read_hls,
    "chesapeake_naip": read_chesapeake_naip,
    "landsat8_zion": read_landsat8_zion,
    "landsat7_cloud_shadow": read_landsat7_cloud_shadow,
    "chesapeake": read_chesapeake,
    "globe230k": read_globe230k,
    "segmunich": read_segmunich,
    "spacenet2": read_spacenet2,
    "gid15": read_gid15,
}
"""By id of the dataset; each takes its folder and gives its scenes in a fixed order, none of them opened."""


def read_labelled(dataset: str, folder: str | Path) -> list[LabelledScene]:
    """Read the scenes of a labelled dataset.

    Args:
        dataset: Its id, see ``READERS``.
        folder: Where it was unpacked.

    Returns:
        Its scenes, in a fixed order; their pixels are not read.

    Raises:
        DatasetError: If the dataset is unknown, or the folder does not hold it.
    """
    return READERS[get_facts(dataset).id](folder)
