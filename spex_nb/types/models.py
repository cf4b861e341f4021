"""What extraction asks of a model, and what a model says that it can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from spex_nb.types.facts import Fact


@dataclass(frozen=True)
class ModelCard:
    """What a model can do, and what it needs.

    Attributes:
        targets: Ids of the targets that the model may be asked for.
        required_bands: Bands that a scene must have; empty where any bands will do.
        gsd_m: Ground sampling distance in metres that the model was made for; None for any.
        largest_gsd_m: The largest pixels in metres that the model reads as they are. Larger ones are made as small as
            that by interpolation; None where they need not be.
        tile_px: Side of a tile in pixels.
        weak_without: By target, the band without which the model finds far less of it.
        left_to_index: Targets that a spectral index finds better: ``always``, or in scenes that are ``uncalibrated`` or
            ``reflectance``. Extraction asks the index for them, where the scene allows it. ``only`` the index answers
            what the model does not find: where there is no index, nobody does. Where a target is left to an index that
            there is not, what it is a part of answers in its place.
        accepts_points: Whether `predict` uses points and boxes.
        explains_evidence: Whether `explain` takes the evidence; see there.
        reads_prompts: Whether `predict` reads prompts and priors. Extraction makes none for a model that does not.
        parameters: Number of parameters; None for a model without any.
        fingerprint: A hash of the weights; empty for a model without any.
        settings_fingerprint: A hash of what shapes its answers beside the weights, such as the tokenizer; may be empty.
    """

    targets: tuple[str, ...]
    required_bands: tuple[str, ...] = ()
    gsd_m: float | None = None
    largest_gsd_m: float | None = None
    tile_px: int = 512
    weak_without: Mapping[str, str] = field(default_factory=dict)
    left_to_index: Mapping[str, str] = field(default_factory=dict)
    accepts_points: bool = False
    explains_evidence: bool = False
    reads_prompts: bool = True
    parameters: int | None = None
    fingerprint: str = ""
    settings_fingerprint: str = ""

    def read_gsd_m(self, gsd_m: float | None) -> float | None:
        """Return the size of pixels in metres that the model reads in place of a size; None where it takes them so."""
        if self.gsd_m is not None or self.largest_gsd_m is None or gsd_m is None:
            return self.gsd_m
        return self.largest_gsd_m if gsd_m > self.largest_gsd_m else None

    @property
    def is_index(self) -> bool:
        """Whether the model leaves all of its targets to the index always: it is the index itself."""
        return bool(self.targets) and all(self.left_to_index.get(target) == "always" for target in self.targets)


@runtime_checkable
class MaskModel(Protocol):
    """What extraction asks of a model, whatever is behind it."""

    @property
    def id(self) -> str:
        """Name of the model in results."""

    @property
    def card(self) -> ModelCard:
        """What the model can do, and what it needs."""

    def predict(
        self,
        tile: Any,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> Any:
        """Return mask logits float32 [T, H, W] of a tile, one a target.

        Raises:
            DeviceMemoryError: If the device has too little memory for the batch.
        """

    def explain(self, overview: Any, prompt: str, language: str = "en") -> Iterator[str]:
        """Yield an explanation piece by piece.

        A model whose card says ``explains_evidence`` takes one keyword more, ``evidence``: the `Evidence` of the
        finished mask, whose figures it may put into its sentences. Other models are never given it.
        """


@runtime_checkable
class TaughtClass(MaskModel, Protocol):
    """A model of one class that a user taught. Instructions call it by its names."""

    @property
    def name(self) -> str:
        """What it is called: the one target of its card."""

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Further names, by ISO 639-1 code of their language."""

    @property
    def color(self) -> str:
        """How it is drawn, as ``#rrggbb``."""

    def require_scene(self, scene: Any) -> None:
        """Raise unless the class can be asked about a scene.

        Raises:
            MissingBandError: If the scene lacks a band.
            TeachingError: If its numbers are of another kind than those that taught.
        """

    def facts_in(self, scene: Any) -> tuple[Fact, ...]:
        """Return what the class was taught by, and what that says of a scene."""


@runtime_checkable
class ScaledModel(Protocol):
    """A model with other weights for small pixels."""

    def at_scale(self, gsd_m: float | None) -> MaskModel:
        """Return the model whose weights learned from pixels of a size.

        Args:
            gsd_m: Ground sampling distance in metres; None where it is unknown.
        """


@runtime_checkable
class DeviceModel(Protocol):
    """A model that can leave its device. Extraction asks it to, where the device has no memory for a tile."""

    def use_cpu(self) -> bool:
        """Move to the CPU; return whether the model was elsewhere."""
