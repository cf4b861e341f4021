"""An unfinished comparison on disk: what the same call goes on from after a kill or a cancel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from spex_nb.extraction import Extraction, extract, load_extraction
from spex_nb.extraction.extract_scene import remove_traces
from spex_nb.extraction.planning.plan import hash_of
from spex_nb.extraction.run import Progress
from spex_nb.extraction.tile_store import TileStore
from spex_nb.output.unfinished import partial_folder
from spex_nb.types import Instruction, MaskModel


@dataclass(frozen=True)
class ExtractionChoices:
    """How each scene is extracted."""

    instruction: Instruction
    model: MaskModel
    threshold: float
    min_area_px: int

    @property
    def identity(self) -> dict[str, Any]:
        """All of it that a mask depends on, as JSON."""
        return {
            "instruction": [self.instruction.text, *self.instruction.targets],
            "model": [self.model.id, hash_of(self.model), self.model.card.settings_fingerprint],
            "threshold": self.threshold,
            "min_area_px": self.min_area_px,
        }


@dataclass(frozen=True)
class RunSettings:
    """How a comparison reports, ends early and begins in spite of a plan; each as of `extract`."""

    progress: bool | Callable[[Progress], None] = True
    cancel: Any = None
    anyway: bool = False


@dataclass(frozen=True)
class UnfinishedComparison:
    """A folder beside the output that keeps what is done.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @classmethod
    def beside(cls, out: Path) -> UnfinishedComparison:
        """Return the unfinished comparison of an output."""
        return cls(partial_folder(out))

    def begin(self, identity: Mapping[str, Any], overwrite: bool) -> None:
        """Begin a comparison, or go on with the same one.

        Raises:
            OutputError: If another one lies here and may not be thrown away, or the folder cannot be made.
        """
        TileStore(self.folder).begin(identity, overwrite)

    def holds(self, identity: Mapping[str, Any]) -> bool:
        """Whether exactly this comparison was begun here."""
        return TileStore(self.folder).holds(identity)

    def remove(self) -> None:
        """Delete the folder."""
        TileStore(self.folder).remove()


def extract_or_load(
    scene: xr.Dataset, choices: ExtractionChoices, settings: RunSettings, out: Path | None
) -> Extraction:
    """Extract a scene, or go on where an earlier run of the same comparison stopped.

    Args:
        scene: On the shared grid.
        choices: How it is extracted.
        settings: As of `extract`, like the errors.
        out: Folder inside of an unfinished comparison of the same scenes and choices. None keeps nothing.
    """
    if out is not None and out.exists():
        remove_traces(out)
        return load_extraction(out)
    return extract(
        scene,
        choices.instruction,
        choices.model,
        out=out,
        threshold=choices.threshold,
        min_area_px=choices.min_area_px,
        progress=settings.progress,
        cancel=settings.cancel,
        anyway=settings.anyway,
    )
