"""A class that a user taught: its examples, its classifier, and what it answers as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.teaching.assessment import Assessment
from spex_nb.analysis.teaching.cover_network import load_network
from spex_nb.analysis.teaching.features import FeatureSpace, feature_strips
from spex_nb.analysis.teaching.logistic import Vector, logits_of
from spex_nb.errors import MissingBandError, TargetError, TeachingError
from spex_nb.types import Evidence, Fact, ModelCard

TILE_PX = 512
BANDS_TOLD = 2
"""Bands that the explanation tells the difference to the rest in."""
OTHER_SIZE = 1.5
"""Pixels so many times larger or smaller than those that taught are said to be others."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a class was taught by.

    Attributes:
        raw: float32 [N, F], raw features.
        light: float32 [N, B], the bands themselves.
        truth: bool [N], True for the class.
        weights: float64 [N], how much each counts.
        places: int64 [N], numbers of places; pixels near each other share one.
        positions: int64 [N, 2], row and column in their scene.
        scenes: int64 [N], number of the scene.
        is_clicked: bool [N], False for negatives that an existing target gave.
    """

    raw: NDArray[np.float32]
    light: NDArray[np.float32]
    truth: NDArray[np.bool_]
    weights: Vector
    places: NDArray[np.int64]
    positions: NDArray[np.int64]
    scenes: NDArray[np.int64]
    is_clicked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Lesson:
    """Where a class was taught.

    Attributes:
        scenes: Names of the scenes.
        gsd_m: Ground sampling distance in metres; None where it is unknown.
        is_relative: Whether the bands were digital numbers.
        other_than: Ids of targets that gave negatives.
        seed: Of all draws.
    """

    scenes: tuple[str, ...]
    gsd_m: float | None
    is_relative: bool
    other_than: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Taught:
    """A class of the user's own. It is a `MaskModel` of one target, which `extract` takes as ``taught=[…]``.

    Attributes:
        name: What it is called; also its id among targets.
        names: Further names, by ISO 639-1 code of the language.
        definition: What it means, in the user's words.
        color: ``#rrggbb``.
        space: Its features.
        solution: float64 [D + 1], weights of the classifier, calibrated; the bias is last.
        examples: What it was taught by.
        assessment: How good it is on the scene that taught.
        lesson: Where it was taught.
    """

    name: str
    names: Mapping[str, tuple[str, ...]]
    definition: str
    color: str
    space: FeatureSpace
    solution: Vector
    examples: Examples = field(repr=False)
    assessment: Assessment
    lesson: Lesson

    @property
    def id(self) -> str:
        """Its name as that of a model."""
        return f"taught: {self.name}"

    @cached_property
    def card(self) -> ModelCard:
        """Its name as the one target, the bands that it reads, a hash of its weights."""
        content = (self.solution.tobytes(), self.space.mean.tobytes(), self.space.spread.tobytes())
        network = load_network().fingerprint if self.space.kind == "covers" else ""
        digest = blake2b(b"".join([*content, network.encode(), " ".join(self.space.bands).encode()]), digest_size=16)
        return ModelCard(
            targets=(self.name,),
            required_bands=self.space.bands,
            tile_px=TILE_PX,
            explains_evidence=True,
            reads_prompts=False,
            parameters=self.solution.size,
            fingerprint=digest.hexdigest(),
        )

    def logits(self, tile: xr.Dataset) -> NDArray[np.float32]:
        """Return calibrated logits of a tile, float32 [H, W]; -inf where it has no data.

        Args:
            tile: Bands [H, W] in memory.

        Raises:
            MissingBandError: If the tile lacks a band.
        """
        height, width = tile.spex.shape
        strips = feature_strips(tile, self.space.kind, self.space.bands)
        layer = np.concatenate([self.logits_of_raw(rows.reshape(-1, rows.shape[-1])) for rows in strips])
        layer = layer.reshape(height, width)
        return np.where(tile.spex.valid.values, layer, np.float32(-np.inf))

    def logits_of_raw(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated logits float32 [N] of raw features [N, F]."""
        return logits_of(self.space.scaled(raw), self.solution)

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], *_: Any, **__: Any) -> Any:
        """Return mask logits float32 [T, H, W] of a tile; it reads no prompt, prior or click.

        Args:
            tile: Bands [H, W] in memory.
            targets: Only its own name, as often as it is wanted.
            prompts: As many; not read.

        Raises:
            ValueError: If prompts and targets do not pair.
            TargetError: If another target is asked for.
            MissingBandError: If the tile lacks a band.
        """
        if len(targets) != len(prompts) or not targets:
            raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
        strange = [target for target in targets if target != self.name]
        if strange:
            raise TargetError(
                "The class was taught one name",
                found=", ".join(strange),
                expected=repr(self.name),
                fix="Ask for this name, or for other targets by another model.",
            )
        layer = self.logits(tile)
        return np.stack([layer] * len(targets))

    def require_scene(self, scene: xr.Dataset) -> None:
        """Raise unless the class can be asked about a scene.

        Args:
            scene: Bands [H, W]; no pixel is read.

        Raises:
            MissingBandError: If the scene lacks a band.
            TeachingError: If it holds digital numbers and the class was taught on reflectance, or the other way round.
        """
        missing = [band for band in self.space.bands if band not in scene.spex.bands]
        if missing:
            raise MissingBandError(
                f"The class {self.name!r} was taught on bands that the scene lacks",
                found=", ".join(scene.spex.bands),
                expected=", ".join(self.space.bands),
                fix=f"Open a scene that also has {', '.join(missing)}, or teach the class on this sensor.",
            )
        if bool(scene.spex.is_relative) != self.lesson.is_relative:
            kinds = {True: "digital numbers", False: "reflectance"}
            raise TeachingError(
                f"The class {self.name!r} was taught on numbers of another kind",
                found=kinds[bool(scene.spex.is_relative)],
                expected=kinds[self.lesson.is_relative],
                fix="Open the scene with its scale and offset, or teach the class on this scene.",
            )

    def facts_in(self, scene: xr.Dataset) -> tuple[Fact, ...]:
        """Return what the class was taught by, how good it is there, and what speaks against it in a scene."""
        assessment, gsd_m = self.assessment, scene.spex.gsd_m
        facts = [
            Fact("taught.yes", float(assessment.yes_places), "points", "scene", "instruction", "places"),
            Fact("taught.no", float(assessment.no_places), "points", "scene", "instruction", "places"),
            Fact("taught.iou", assessment.iou, "number", "mask", "points", "places held out in turn"),
        ]
        if assessment.iou is not None:
            facts.append(Fact("taught.low", assessment.low, "number", "mask", "points", "90 % interval"))
            facts.append(Fact("taught.high", assessment.high, "number", "mask", "points", "90 % interval"))
        clear = [overlap.name for overlap in assessment.overlaps if overlap.name in self.space.bands][:BANDS_TOLD]
        if clear:
            facts.append(Fact("taught.bands", " ".join(clear), "bands", "mask", "points", "least overlap"))
        facts.append(Fact("taught.advice", assessment.advice, "name", "mask", "points"))
        if gsd_m and self.lesson.gsd_m and not 1 / OTHER_SIZE < gsd_m / self.lesson.gsd_m < OTHER_SIZE:
            facts.append(Fact("taught.gsd", self.lesson.gsd_m, "m", "scene", "instruction"))
        return tuple(facts)

    def explain(
        self,
        overview: Any,  # noqa: ARG002 (what it was taught by is known without the scene)
        prompt: str,  # noqa: ARG002
        language: str = "en",  # noqa: ARG002
        evidence: Evidence | None = None,  # noqa: ARG002
    ) -> Iterator[str]:
        """Yield what the class was taught by, how good it is there, and how it differs from the rest; in English."""
        yield self.describe()

    def describe(self) -> str:
        """Return what the class was taught by, how good it is there, and how it differs from the rest."""
        yes, no = int(self.examples.truth.sum()), int((~self.examples.truth).sum())
        others = f", of which {self._target_px} from {', '.join(self.lesson.other_than)}" if self._target_px else ""
        sentences = [
            f"{self.name!r} was taught by {yes:,} pixels of yes and {no:,} of no{others}.",
            str(self.assessment),
        ]
        return " ".join(sentences)

    @property
    def _target_px(self) -> int:
        return int((~self.examples.is_clicked).sum())

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the class as a small file, ``NAME.spex-class``; see `save_taught`."""
        from spex_nb.analysis.teaching.class_files import save_taught

        return save_taught(self, path, overwrite=overwrite)

    def __str__(self) -> str:
        return self.describe()
