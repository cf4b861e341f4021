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
from spex_nb.errors import ExtractionError, MissingBandError, OutputError, TargetError, TeachingError
from spex_nb.extraction.facts.quality import require_quality
from spex_nb.extraction.mask_models import INDEX, is_left_to_index, load_mask_model, model_at_scale
from spex_nb.extraction.predict import TileJob, TilePredictor
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import get_language
from spex_nb.output.export import BLOCK
from spex_nb.output.files import free_bytes
from spex_nb.regions.area_of_interest import area_of_interest
from spex_nb.scene.reopen import SceneIdentity, as_scene, hash_memory, open_identified
from spex_nb.scene.windows.area_mask import AreaMask
from spex_nb.scene.windows.pyramid import zoom_to
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.scene.windows.tiling import FEWEST_PX, Tiling
from spex_nb.spectral.priors import NO_INDEX, RULES, spectral_prior
from spex_nb.targets import EVERYTHING_ELSE, TARGETS, stand_in
from spex_nb.types import Filter, Instruction, MaskModel, TaughtClass, Window, neighbouring_targets

MOST_TILE_PX = 2048
"""Largest side of a tile in pixels, also where tiles of a fine scene are shrunk for a model of coarse ones."""
OVERLAP_PARTS = 8
"""Neighbours overlap by this part of a tile."""
LIBRARIES_BYTES = 450 * 2**20
"""Python and the libraries, without torch, with the memory that they keep for later."""
MASK_BYTES = 4
"""Bytes for each pixel of the scene: the mask, its doubt, where one class or region is, and outlines."""
WORK_BYTES = 64
"""Bytes for each pixel that is worked on: indices, probabilities, positions."""
SAVING_BYTES, MOST_SAVING_BYTES = 32, 192 * 2**20
"""Bytes for each pixel while GDAL writes the result, and their limit: GDAL's cache and its blocks in work."""
CONTROL_GROUP = Path("/sys/fs/cgroup")


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
class TargetAssignment:
    """The targets of an instruction, by what they are for.

    Attributes:
        targets: Classes of the mask, in the order that they were asked for; none if all but ``excluded`` is asked for.
        excluded: What is taken out of the mask.
        near: What regions must lie beside: near to, far from, within, on one side of.
        by_index: Those that the spectral prior answers, because the model does not know them or finds them less well.
        stand_ins: Of what was asked for and cannot be seen or is not known, the parent that answers.
        taught: Taught classes among the targets.
    """

    targets: tuple[str, ...]
    excluded: tuple[str, ...]
    near: tuple[str, ...]
    by_index: frozenset[str] = frozenset()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    taught: tuple[TaughtClass, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Everything that is predicted, each target once."""
        return tuple(dict.fromkeys((*self.targets, *self.excluded, *self.near)))

    @property
    def classes(self) -> tuple[str, ...]:
        """What the mask shows, for 1, 2, 3 …."""
        return self.targets or (EVERYTHING_ELSE,)

    @property
    def beside_classes(self) -> tuple[str, ...]:
        """Targets whose masks are needed beside those of the classes, for filters and for "everything but"."""
        return (*self.near, *(() if self.targets else self.excluded))

    @property
    def is_by_index_only(self) -> bool:
        """Whether the index answers all targets."""
        return len(self.by_index) == len(self.layers)

    @property
    def asks_model(self) -> bool:
        """Whether the model answers any target."""
        return len(self.by_index) + len(self.taught) < len(self.layers)

    @property
    def answered_by(self) -> dict[str, str]:
        """What answers each target that the model does not: ``index``, or the name of a taught class as a model."""
        return dict.fromkeys(self.by_index, INDEX) | {taught.name: taught.id for taught in self.taught}

    @property
    def explained_by_model(self) -> frozenset[str]:
        """Targets that the model explains: those of the mask, or those left out of it, that no index answers."""
        return frozenset(self.targets or self.excluded) - self.answered_by.keys()


def assign_targets(
    instruction: Instruction, model: MaskModel, scene: xr.Dataset, taught: Sequence[TaughtClass] = ()
) -> TargetAssignment:
    """Decide which targets the model answers, and which the index.

    Args:
        instruction: The parsed instruction.
        model: Answers its targets. Those that it was not trained on, or leaves to an index, go to the spectral prior.
        scene: The scene, for its bands; one pixel is computed.
        taught: Taught classes, each of which answers its name.

    Raises:
        TeachingError: If a class was taught on numbers of another kind.
        MissingBandError: If the scene lacks a band that the model needs, or that the index of a target needs.
        TargetError: If neither the model nor an index knows a target.
    """
    near = neighbouring_targets(instruction)
    assignment = TargetAssignment(instruction.targets, instruction.excluded, near)
    classes = tuple(taught_class for taught_class in taught if taught_class.name in assignment.layers)
    names = {taught_class.name for taught_class in classes}
    for taught_class in classes:
        taught_class.require_scene(scene)
    others = [target for target in assignment.layers if target not in names]
    unknown = frozenset(target for target in others if not _is_answered(target, model))
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))  # one pixel shows which indices the bands allow
    for target in unknown:
        _require_index(target, model, pixel)
    by_index = unknown | {target for target in others if is_left_to_index(model.card, target, pixel)}
    assignment = replace(assignment, by_index=by_index, taught=classes)
    if assignment.asks_model:
        _require_bands(model, scene)
    return assignment


def stand_ins_of(instruction: Instruction, model: MaskModel, gsd_m: float | None) -> dict[str, str]:
    """Return which parents answer for targets of an instruction, by the id of what was asked for.

    Raises:
        TargetError: If one target would be both wanted and left out.
    """
    answered = {target for target in model.card.targets if _is_answered(target, model)}
    answerable = answered | {*RULES, *NO_INDEX}
    names = dict.fromkeys((*instruction.targets, *instruction.excluded, *neighbouring_targets(instruction)))
    answers = {name: stand_in(name, answerable, gsd_m) for name in names}
    both = {answers[name] for name in instruction.targets} & {answers[name] for name in instruction.excluded}
    filtered = [answers[name] for name in instruction.own_filters if name in answers]
    both |= {name for name in filtered if filtered.count(name) > 1}
    if both:
        parts = ", ".join(name for name in names if answers[name] in both)
        raise TargetError(
            "These targets cannot be told from each other here",
            found=f"{parts}, with {'pixels of an unknown size' if gsd_m is None else f'pixels of {gsd_m:g} m'}",
            expected="targets that the model or an index tells apart in such a scene",
            fix=f"Ask for {' and '.join(TARGETS[name].word for name in sorted(both))} as a whole.",
        )
    return {name: answer for name, answer in answers.items() if answer != name}


def with_stand_ins(instruction: Instruction, stand_ins: Mapping[str, str]) -> Instruction:
    """Return an instruction that asks for the parents in place of what cannot be answered."""
    if not stand_ins:
        return instruction
    targets, excluded = (
        tuple(dict.fromkeys(stand_ins.get(name, name) for name in names))
        for names in (instruction.targets, instruction.excluded)
    )
    filters = _filters_with_stand_ins(instruction.filters, stand_ins)
    own_filters = {
        stand_ins.get(name, name): _filters_with_stand_ins(rules, stand_ins)
        for name, rules in instruction.own_filters.items()
    }
    return replace(instruction, targets=targets, excluded=excluded, filters=filters, own_filters=own_filters)


def _filters_with_stand_ins(filters: Sequence[Filter], stand_ins: Mapping[str, str]) -> tuple[Filter, ...]:
    changed = []
    for rule in filters:
        names = {name: str(getattr(rule, name, "")) for name in ("target", "first", "second")}
        parents: dict[str, Any] = {name: stand_ins[target] for name, target in names.items() if target in stand_ins}
        changed.append(replace(rule, **parents))
    return tuple(changed)


def class_names(classes: Sequence[str], instruction: Instruction) -> tuple[str, ...]:
    """Return what classes are called in the language of the instruction."""
    words = get_language(instruction.language).targets
    return tuple(instruction.meaning if name == EVERYTHING_ELSE else words.get(name, (name,))[0] for name in classes)


def _is_answered(target: str, model: MaskModel) -> bool:
    """Whether a model answers a target in some scenes at least."""
    card = model.card
    return not card.is_index and target in card.targets and card.left_to_index.get(target) != "only"


def _require_index(target: str, model: MaskModel, scene: xr.Dataset) -> None:
    try:
        spectral_prior(scene, target)
    except TargetError as error:
        if model.card.is_index:
            raise
        answered = [name for name in model.card.targets if _is_answered(name, model)]
        raise TargetError(
            f"Neither the model {model.id!r} nor a spectral index knows {target!r}",
            found=f"a model for {', '.join(answered) or 'no target'}. No index: {error.found}",
            expected="a target of the model, or one that an index shows in this scene",
            fix=f"Ask for another target, or use a model that was trained on it. For the index: {error.fix}",
        ) from error


def _require_bands(model: MaskModel, scene: xr.Dataset) -> None:
    missing = [band for band in model.card.required_bands if band not in scene.spex.bands]
    if missing:
        raise MissingBandError(
            f"The model {model.id!r} needs bands that the scene lacks",
            found=", ".join(scene.spex.bands),
            expected=", ".join(model.card.required_bands),
            fix=f"Open a scene that also has {', '.join(missing)}, or use model='index'.",
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


def require_room(plan: Plan, folder: Path) -> None:
    """Raise unless machine and disk have what a plan says that it takes.

    Args:
        plan: The plan.
        folder: Where tiles and result will lie; it need not exist. What it holds already needs no more room.

    Raises:
        OutputError: If the disk has less.
        ExtractionError: If the machine has less memory.
    """
    held_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    disk_bytes, free_disk = plan.disk_bytes - held_bytes, free_bytes(folder)
    memory_bytes, free_memory = plan.memory_bytes - LIBRARIES_BYTES, free_memory_bytes()  # those are loaded by now
    if disk_bytes > free_disk:
        raise OutputError(
            "The disk may be too small for the extraction",
            found=f"{_megabytes(free_disk)} free at {folder}; up to {_megabytes(disk_bytes - free_disk)} are missing",
            expected=f"up to {_megabytes(disk_bytes)}",
            fix="Make room, choose another output, cut the scene, or begin with anyway=True (--anyway).",
        )
    if memory_bytes > free_memory:
        raise ExtractionError(
            "The memory may be too small for the extraction",
            found=f"{_megabytes(free_memory)} free; up to {_megabytes(memory_bytes - free_memory)} are missing",
            expected=f"up to {_megabytes(memory_bytes)}, beside the model",
            fix="Close other programs, choose smaller tiles, cut the scene, or begin with anyway=True (--anyway).",
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def free_memory_bytes(control_group: Path = CONTROL_GROUP) -> int:
    """Return how much memory is free: on the machine, and in the container if there is one with a limit.

    Args:
        control_group: Where Linux keeps the limits of the container.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = control_group / "memory.max"
    if not limit.is_file() or limit.read_text().strip() == "max":
        return free
    stat = dict(line.split() for line in (control_group / "memory.stat").read_text().splitlines())
    in_use = int((control_group / "memory.current").read_text()) - int(stat["inactive_file"])  # files that were read
    return min(free, int(limit.read_text()) - in_use)


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
    stand_ins = stand_ins_of(parsed, loaded, opened.spex.gsd_m)
    parsed = with_stand_ins(parsed, stand_ins)
    assignment = replace(assign_targets(parsed, loaded, opened, taught), stand_ins=stand_ins)
    zoom = zoom_to(opened.spex.gsd_m, loaded.card.gsd_m) if assignment.asks_model else 1.0
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


def names_of_classes(taught: Sequence[TaughtClass]) -> dict[str, tuple[str, ...]]:
    """Return all names of taught classes, by the name that is their id.

    Raises:
        TeachingError: If two classes share a name.
    """
    names = {
        taught_class.name: tuple(
            dict.fromkeys([taught_class.name, *(word for words in taught_class.names.values() for word in words)])
        )
        for taught_class in taught
    }
    words = [word.casefold() for of_class in names.values() for word in of_class]
    twice = sorted({word for word in words if words.count(word) > 1})
    if len(names) < len(taught) or twice:
        raise TeachingError(
            "Two taught classes share a name",
            found=", ".join(twice) or ", ".join(taught_class.name for taught_class in taught),
            expected="a name for each class",
            fix="Teach one of them under another name.",
        )
    return names


def hashes_of_classes(taught: Sequence[TaughtClass], instruction: Instruction) -> list[list[str]]:
    """Return name and hash of the weights of each taught class that an instruction names."""
    names = {*instruction.targets, *instruction.excluded, *neighbouring_targets(instruction)}
    return [[taught_class.name, taught_class.card.fingerprint] for taught_class in taught if taught_class.name in names]


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
