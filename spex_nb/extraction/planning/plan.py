"""What an extraction will do, decided before the first tile: who answers what, which tiles, how much memory."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spex_nb import __version__
from spex_nb.errors import ExtractionError
from spex_nb.extraction.facts.quality import require_quality
from spex_nb.extraction.mask_models import INDEX, load_mask_model, model_at_scale
from spex_nb.extraction.planning.free_room import LIBRARIES_BYTES
from spex_nb.extraction.planning.target_assignment import TargetAssignment, assign_targets, stand_ins_of, with_stand_ins
from spex_nb.extraction.planning.taught_names import hashes_of_classes, names_of_classes
from spex_nb.extraction.predict import TileJob, TilePredictor
from spex_nb.language.instructions import parse_instruction
from spex_nb.output.export import BLOCK
from spex_nb.regions.area_of_interest import area_of_interest
from spex_nb.scene.reopen import SceneIdentity, as_scene, hash_memory, open_identified
from spex_nb.scene.windows.area_mask import AreaMask
from spex_nb.scene.windows.pyramid import zoom_to
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.scene.windows.tiling import FEWEST_PX, Tiling
from spex_nb.types import Instruction, MaskModel, TaughtClass, Window, neighbouring_targets

MOST_TILE_PX = 2048
"""Largest side of a tile in pixels, also where tiles of a fine scene are shrunk for a model of coarse ones."""
OVERLAP_PARTS = 8
"""Neighbours overlap by this part of a tile."""
MASK_BYTES = 4
"""Bytes for each pixel of the scene: the mask, its doubt, where one class or region is, and outlines."""
WORK_BYTES = 64
"""Bytes for each pixel that is worked on: indices, probabilities, positions."""
SAVING_BYTES, MOST_SAVING_BYTES = 32, 192 * 2**20
"""Bytes for each pixel while GDAL writes the result, and their limit: GDAL's cache and its blocks in work."""


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
    assignment: TargetAssignment
    model: MaskModel
    job: TileJob
    predictor: TilePredictor
    tiling: Tiling
    choices: Choices
    scene_identity: SceneIdentity

    @property
    def scene(self) -> xr.Dataset:
        """The scene, as it is read."""
        return self.predictor.reader.scene

    @property
    def area(self) -> AreaMask | None:
        """The part of the scene that is asked for; None for all of it."""
        return self.job.area

    @cached_property
    def windows(self) -> list[Window]:
        """The tiles that are predicted: those that the area meets."""
        return [window for window in self.tiling.windows if self.area is None or self.area.meets(window)]

    @property
    def model_hash(self) -> str:
        """See `hash_of`."""
        return hash_of(self.model)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that the logits of a tile depend on."""
        in_memory = isinstance(self.job.source.scene, xr.Dataset)
        area = [] if self.area is None else [self.area.fingerprint]  # with the tiles, which each version compares
        return {
            "scene": self.scene_identity.fingerprint,
            "files": dict(self.scene_identity.files),
            "pixels": hash_memory(self.scene) if in_memory else "",
            "model": [self.model.id, self.model_hash],
            "processor": self.model.card.settings_fingerprint,
            "targets": [*self.assignment.layers],
            "by index": sorted(self.assignment.by_index),
            "tiles": [*self.tiling.shape, self.tiling.tile_px, self.tiling.overlap_px, self.job.zoom, *area],
            "area of interest": area,
            **self._taught_identity,
        }

    @property
    def _taught_identity(self) -> dict[str, Any]:
        """Names and hashes of the taught classes; nothing without any, so that older tiles stay of use."""
        hashes = hashes_of_classes(self.assignment.taught, self.instruction)
        return {"taught": hashes} if hashes else {}

    @property
    def memory_bytes(self) -> int:
        """What the process takes at its peak, at most.

        The model's own weights and work, a scene that is in memory, and more than some ten thousand regions are not
        counted.
        """
        height, width = self.tiling.shape
        reader, layers = self.predictor.reader, len(self.assignment.layers)
        others = len(self.assignment.beside_classes)
        tile = int(np.prod(self.tiling.size)) * WORK_BYTES * layers
        blending = 4 * width * (2 * layers + 1) * (self.tiling.size[0] + BLOCK)
        measuring = reader.rows_bytes + reader.row_step * width * WORK_BYTES
        saving = min(height * width * SAVING_BYTES, MOST_SAVING_BYTES)
        masks = height * width * (MASK_BYTES + others)
        return LIBRARIES_BYTES + masks + max(reader.held_bytes + tile, blending, measuring, saving)

    @property
    def disk_bytes(self) -> int:
        """What finished tiles and probabilities take on disk until the result is written, at most."""
        tile = 4 * len(self.assignment.layers) * int(np.prod(self.tiling.size))
        return len(self.windows) * tile + 4 * len(self.assignment.classes) * int(np.prod(self.tiling.shape))

    def __str__(self) -> str:
        height, width = self.tiling.shape
        return (
            f"{self.instruction.meaning}: {len(self.windows):,} tiles of {self.tiling.size[0]} x "
            f"{self.tiling.size[1]} px of a scene of {height:,} x {width:,} px by {self.model.id}; "
            f"about {self.memory_bytes / 1e6:,.0f} MB of memory beside the model, up to "
            f"{self.disk_bytes / 1e6:,.0f} MB of disk"
        )


def hash_of(model: MaskModel) -> str:
    """Return a hash of a model's weights; the version of this package for a model without any."""
    return model.card.fingerprint or f"spex-nb {__version__}"


def plan_extraction(
    scene: Any,
    instruction: str | Instruction,
    model: str | Path | MaskModel = "tiny",
    *,
    open_options: Mapping[str, Any] | None = None,
    aoi: Any = None,
    aoi_crs: Any = None,
    taught: Sequence[TaughtClass] = (),
    **choices: Any,
) -> Plan:
    """Decide how an extraction will be done; print the plan to see what it takes.

    Arguments and errors as of `extract`.
    """
    checked_choices = Choices(**choices)
    model, taught = _with_taught_model(model, taught)
    classes = names_of_classes(taught)
    parsed = parse_instruction(instruction, classes=classes) if isinstance(instruction, str) else instruction
    model = INDEX if _is_answered_by_classes(parsed, classes) else model  # nothing is left for a model to answer
    if parsed.change is not None:
        parse_instruction(parsed.text, classes=classes)  # which refuses what asks for change, for here is one scene
    in_memory = isinstance(scene, np.ndarray | xr.DataArray | xr.Dataset)
    source = SceneSource(as_scene(scene, open_options)) if in_memory else SceneSource(scene, dict(open_options or {}))
    opened, identity = open_identified(source)
    area = None if aoi is None else area_of_interest(aoi, opened, aoi_crs)
    # After all that can be wrong with words and files, for it takes seconds.
    loaded = model_at_scale(load_mask_model(model), opened.spex.gsd_m)
    if (folder := getattr(loaded, "folder", None)) is not None:
        require_quality(folder)
    if isinstance(instruction, str):
        parsed = parse_instruction(instruction, loaded.card.targets, classes=classes)
    stand_ins = stand_ins_of(parsed, loaded, opened)
    parsed = with_stand_ins(parsed, stand_ins)
    assignment = replace(assign_targets(parsed, loaded, opened, taught), stand_ins=stand_ins)
    zoom = zoom_to(opened.spex.gsd_m, loaded.card) if assignment.asks_model else 1.0
    tiling = _tiling(opened.spex.shape, loaded, zoom, checked_choices, assignment)
    job = TileJob(
        uuid.uuid4().hex,
        source,
        model,
        assignment.layers,
        assignment.by_index,
        tiling.size,
        zoom,
        area,
        assignment.taught,
    )
    return Plan(parsed, assignment, loaded, job, TilePredictor(job, loaded, opened), tiling, checked_choices, identity)


def _with_taught_model(
    model: str | Path | MaskModel, taught: Sequence[TaughtClass]
) -> tuple[str | Path | MaskModel, tuple[TaughtClass, ...]]:
    """Return the model and the taught classes; a class in the place of the model is one of them."""
    if isinstance(model, TaughtClass):
        return INDEX, (*taught, model)
    return model, tuple(taught)


def _is_answered_by_classes(instruction: Instruction, classes: Collection[str]) -> bool:
    names = {*instruction.targets, *instruction.excluded, *neighbouring_targets(instruction)}
    return bool(names) and names <= set(classes)


def _tiling(
    shape: tuple[int, int], model: MaskModel, zoom: float, choices: Choices, assignment: TargetAssignment
) -> Tiling:
    side = choices.tile_px or min(MOST_TILE_PX, max(FEWEST_PX, round(model.card.tile_px / zoom)))
    usual_overlap = 0 if assignment.is_by_index_only else side // OVERLAP_PARTS  # an index looks at single pixels
    return Tiling(shape, side, usual_overlap if choices.overlap_px is None else choices.overlap_px)
