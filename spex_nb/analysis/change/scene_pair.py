"""Two scenes opened, brought onto one grid, and extracted there by the same model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.change.alignment.opened_scene import identity_of, open_compared
from spex_nb.analysis.change.alignment.overlap import extent_text, grid_of, halfway_grid, overlap_of
from spex_nb.analysis.change.alignment.registration import Registration, register
from spex_nb.analysis.change.alignment.scene_on_grid import SceneOnGrid, loaded_if_small
from spex_nb.analysis.change.doubts import ComparedScene, distrust_of
from spex_nb.analysis.change.unfinished import ExtractionChoices, RunSettings, extract_or_load
from spex_nb.errors import BandError, EmptySceneError
from spex_nb.extraction.facts.dates import date_of
from spex_nb.extraction.memory import MANY_PX, return_free_memory
from spex_nb.output.files import explain_write_errors
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid
from spex_nb.types import MASK_NODATA

WORDS = ("before", "after")


@dataclass(frozen=True, eq=False)
class ScenePair:
    """Two scenes on one grid.

    Attributes:
        opened: The scenes as they are.
        identity: What tells the scenes from others, as JSON.
        on_grid: The scenes on the grid, with the bands that both have.
        grid: The grid.
        registration: Their shift, as it was before one of them was moved.
        are_interpolated: Of each scene, whether it was interpolated, which smooths it.
    """

    opened: tuple[xr.Dataset, xr.Dataset]
    identity: Mapping[str, Any]
    on_grid: tuple[xr.Dataset, xr.Dataset]
    grid: Grid
    registration: Registration
    are_interpolated: tuple[bool, bool]

    @cached_property
    def ground(self) -> EqualAreaGrid | None:
        """Measures the pixels; None where they lie off the map."""
        return EqualAreaGrid.of(self.on_grid[0])

    def layer(self, pixels: NDArray[np.uint8], name: str) -> xr.DataArray:
        """Return pixels [H, W] with the place of the grid."""
        return on_grid(xr.DataArray(pixels, dims=("y", "x"), name=name), self.grid)


@dataclass(frozen=True, eq=False)
class SceneMask:
    """What was extracted from one of the scenes.

    Attributes:
        mask: uint8 [H, W]: 0 none, 1 ... n the targets, 255 no data.
        targets: Ids of the targets, in the order of their numbers.
        described: What doubts need to know of the scene.
        provenance: How the mask was made.
    """

    mask: NDArray[np.uint8]
    targets: tuple[str, ...]
    described: ComparedScene
    provenance: Mapping[str, Any]


def open_pair(before: Any, after: Any, open_options: Mapping[str, Any] | None) -> ScenePair:
    """Open two scenes, and bring them onto one grid, one of them moved by the shift between them.

    Args:
        before: The scene before, as `compare` takes it.
        after: The scene after.
        open_options: Of `open_scene`.

    Raises:
        SceneError: If a scene cannot be opened, if they share neither ground nor bands, or if only one lies on the map.
    """
    sources = [open_compared(source, open_options) for source in (before, after)]
    first, second = opened = (loaded_if_small(sources[0].scene), loaded_if_small(sources[1].scene))
    overlap = overlap_of(first, second)
    bands = _common_bands(first, second)
    readers = [SceneOnGrid(scene, overlap.grid, bands) for scene in opened]
    registration = register(readers[0], readers[1], (overlap.grid.height, overlap.grid.width))
    x, y = registration.shift_px
    if overlap.is_before:
        shifts, grid = ((0.0, 0.0), (x, y)), halfway_grid(overlap.grid, grid_of(first), grid_of(second), (x, y))
    else:
        shifts, grid = ((-x, -y), (0.0, 0.0)), halfway_grid(overlap.grid, grid_of(second), grid_of(first), (-x, -y))
    first_reader, second_reader = (
        SceneOnGrid(scene, grid, bands, shift) for scene, shift in zip(opened, shifts, strict=True)
    )
    return ScenePair(
        opened=opened,
        identity=identity_of(sources),
        on_grid=(first_reader.dataset(), second_reader.dataset()),
        grid=grid,
        registration=registration,
        are_interpolated=(first_reader.is_interpolated, second_reader.is_interpolated),
    )


def extract_masks(
    pair: ScenePair, choices: ExtractionChoices, settings: RunSettings, folder: Path | None = None
) -> tuple[SceneMask, SceneMask]:
    """Extract both scenes of a pair; errors as of `compare`.

    Args:
        pair: The scenes on their grid.
        choices: How they are extracted.
        settings: As of `extract`.
        folder: Of an unfinished comparison, which keeps what is done. None keeps nothing.

    Raises:
        EmptySceneError: If no pixel has data in both.
    """
    first = _extract(pair, 0, choices, settings, folder)
    with MaskAside(first.mask) as aside:
        first = replace(first, mask=np.empty((0, 0), np.uint8))
        second = _extract(pair, 1, choices, settings, folder)
        first = replace(first, mask=aside.mask())
    if not ((first.mask != MASK_NODATA) & (second.mask != MASK_NODATA)).any():
        raise EmptySceneError(
            "No pixel has data in both scenes",
            found=f"before: {extent_text(grid_of(pair.opened[0]))}; after: {extent_text(grid_of(pair.opened[1]))}",
            expected="two scenes with data on the same ground",
            fix="Check their no-data and cloud masks, or choose other scenes.",
        )
    return first, second


class MaskAside:
    """A mask that lies on disk, where it is large, while another scene is extracted.

    So two scenes take no more memory than the extraction of one.

    Args:
        mask: uint8 [H, W].
    """

    def __init__(self, mask: NDArray[np.uint8]) -> None:
        self._mask: NDArray[np.uint8] | None = mask
        self._file: Any = None

    def __enter__(self) -> MaskAside:
        mask = self._mask
        if mask is not None and mask.size >= MANY_PX:
            with explain_write_errors(tempfile.gettempdir(), mask.size):
                self._file = tempfile.TemporaryFile(prefix="spex-nb-")
                np.save(self._file, mask)
            self._mask = None
            return_free_memory(mask.size)
        return self

    def mask(self) -> NDArray[np.uint8]:
        """Return the mask."""
        if self._mask is not None:
            return self._mask
        self._file.seek(0)
        mask: NDArray[np.uint8] = np.load(self._file)
        return mask

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _extract(
    pair: ScenePair, number: int, choices: ExtractionChoices, settings: RunSettings, folder: Path | None
) -> SceneMask:
    scene, opened = pair.on_grid[number], pair.opened[number]
    result = extract_or_load(scene, choices, settings, None if folder is None else folder / WORDS[number])
    date = date_of(opened, str(opened.attrs.get("source", "")))
    described = ComparedScene(
        word=WORDS[number],
        scene=scene,
        bands=opened.spex.bands,
        date=None if date is None else date[0],
        gsd_m=opened.spex.gsd_m,
        answered_by=dict(result.provenance["answered_by"]),
        distrust=distrust_of(result),
        failures=len(result.failures),
    )
    return SceneMask(result.mask.values, tuple(result.class_names), described, result.provenance)


def _common_bands(before: xr.Dataset, after: xr.Dataset) -> tuple[str, ...]:
    bands = tuple(name for name in before.spex.bands if name in after.spex.bands)
    if not bands:
        raise BandError(
            "The scenes have no band in common",
            found=f"before: {', '.join(before.spex.bands)}; after: {', '.join(after.spex.bands)}",
            expected="at least one band of the same name",
            fix="Open both with bands= or sensor=, so that their bands have STAC common names.",
        )
    return bands
