"""What an extraction will do, decided before the first tile: who answers what, which tiles, how much memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spex_nb import __version__
from spex_nb.errors import ExtractionError
from spex_nb.extraction.assignment import Asked, ask
from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.extraction.predict import TileJob, TilePredictor
from spex_nb.language.instructions import parse_instruction
from spex_nb.output.export import BLOCK
from spex_nb.scene.reader import SceneSource
from spex_nb.scene.resample import zoom_to
from spex_nb.scene.tiling import FEWEST_PX, Tiling
from spex_nb.types import Instruction, MaskModel

MOST_TILE_PX = 2048
"""Tiles of fine scenes that are shrunk for a model of coarse ones grow no larger than this."""
OVERLAP_PARTS = 8
"""Neighbours overlap by this part of a tile."""
LIBRARIES_BYTES = 450 * 2**20
"""What Python and the libraries take, torch not counted, with what they keep for the next time."""
MASK_BYTES = 3
"""Of each pixel: the mask, where one class is or one region, and outlines."""
WORK_BYTES = 64
"""Of each pixel that is worked on: indices, probabilities, positions."""


@dataclass(frozen=True)
class Choices:
    """What a user may choose beside scene, instruction and model; see `extract`."""

    tile_px: int | None = None
    overlap_px: int | None = None
    threshold: float = 0.5
    min_area_px: int = 4
    seed: int = 0
    drawn: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ExtractionError: If a number is out of its range.
        """
        if not 0 < self.threshold < 1 or self.min_area_px < 1:
            raise ExtractionError(
                "An extraction cannot be run like this",
                found=f"threshold={self.threshold}, min_area_px={self.min_area_px}",
                expected="a probability between 0 and 1, and at least 1 pixel",
                fix="Correct the argument.",
            )


@dataclass(frozen=True)
class Plan:
    """An extraction, decided and opened, before its first tile."""

    instruction: Instruction
    asked: Asked
    model: MaskModel
    job: TileJob
    predictor: TilePredictor
    tiling: Tiling
    choices: Choices

    @property
    def scene(self) -> xr.Dataset:
        """The scene, as it is read."""
        return self.predictor.reader.scene

    @property
    def model_hash(self) -> str:
        """What tells this model's weights from others."""
        return hash_of(self.model)

    @property
    def identity(self) -> dict[str, Any]:
        """All that the logits of a tile depend on."""
        return {
            "scene": self.job.source.fingerprint(self.scene),
            "model": [self.model.id, self.model_hash],
            "targets": [*self.asked.layers],
            "tiles": [*self.tiling.shape, self.tiling.tile_px, self.tiling.overlap_px, self.job.zoom],
        }

    @property
    def memory_bytes(self) -> int:
        """What the process takes at its peak, at most.

        The model's own weights and work, a scene that is in memory, and more than some ten thousand regions are not
        counted.
        """
        height, width = self.tiling.shape
        reader, layers = self.predictor.reader, len(self.asked.layers)
        others = len(self.asked.near) + (0 if self.asked.targets else len(self.asked.excluded))
        tile = int(np.prod(self.tiling.size)) * WORK_BYTES * layers
        blending = 4 * width * (2 * layers + 1) * (self.tiling.size[0] + BLOCK)
        surveying = reader.rows_bytes + reader.row_step * width * WORK_BYTES
        masks = height * width * (MASK_BYTES + others)
        return LIBRARIES_BYTES + masks + max(reader.held_bytes + tile, blending, surveying)

    @property
    def disk_bytes(self) -> int:
        """What finished tiles and probabilities take on disk until the result is written, at most."""
        tile = 4 * len(self.asked.layers) * int(np.prod(self.tiling.size))
        return len(self.tiling.windows) * tile + 4 * len(self.asked.classes) * int(np.prod(self.tiling.shape))

    def __str__(self) -> str:
        height, width = self.tiling.shape
        return (
            f"{self.instruction.meaning}: {len(self.tiling.windows):,} tiles of {self.tiling.size[0]} x "
            f"{self.tiling.size[1]} px of a scene of {height:,} x {width:,} px by {self.model.id}; "
            f"about {self.memory_bytes / 1e6:,.0f} MB of memory beside the model, up to "
            f"{self.disk_bytes / 1e6:,.0f} MB of disk"
        )


def hash_of(model: MaskModel) -> str:
    """Return what tells a model's weights from others; for a model without any, its version."""
    return str(getattr(model, "fingerprint", "") or f"spex-nb {__version__}")


def plan_extraction(
    scene: Any,
    instruction: str | Instruction,
    model: str | Path | MaskModel = "tiny",
    *,
    open_options: Mapping[str, Any] | None = None,
    **choices: Any,
) -> Plan:
    """Decide how an extraction will be done; print the plan to see what it takes.

    Arguments and errors as of `extract`.
    """
    chosen = Choices(**choices)
    understood = parse_instruction(instruction) if isinstance(instruction, str) else instruction
    loaded = load_mask_model(model)
    source = SceneSource(scene, dict(open_options or {}))
    opened = source.open()
    asked = ask(understood, loaded, opened)
    zoom = 1.0 if len(asked.by_index) == len(asked.layers) else zoom_to(opened.spex.gsd_m, loaded.gsd_m)
    tiling = _tiling(opened.spex.shape, loaded, zoom, chosen, asked)
    job = TileJob(uuid.uuid4().hex, source, model, asked.layers, asked.by_index, tiling.size, zoom)
    return Plan(understood, asked, loaded, job, TilePredictor(job, loaded, opened), tiling, chosen)


def _tiling(shape: tuple[int, int], model: MaskModel, zoom: float, choices: Choices, asked: Asked) -> Tiling:
    side = choices.tile_px or min(MOST_TILE_PX, max(FEWEST_PX, round(model.tile_px / zoom)))
    sees_pixels_only = len(asked.by_index) == len(asked.layers)
    usual = 0 if sees_pixels_only else side // OVERLAP_PARTS
    return Tiling(shape, side, usual if choices.overlap_px is None else choices.overlap_px)
