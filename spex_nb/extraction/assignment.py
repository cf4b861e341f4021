"""What an instruction asks of a model: which targets are predicted, which become classes of the mask, who answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from spex_nb.errors import MissingBandError, TargetError
from spex_nb.extraction.mask_models import IndexModel
from spex_nb.language.languages import get_language
from spex_nb.spectral.priors import prior_of, spectral_prior
from spex_nb.types import Instruction, MaskModel, NearFilter

UNCALIBRATED = "uncalibrated"
EVERYTHING_ELSE = "everything_else"
"""The one class of an instruction that only says what to leave out."""


@dataclass(frozen=True)
class Asked:
    """The targets of an instruction, by what they are for.

    Attributes:
        targets: Classes of the mask, in the order that they were asked for; none if all but ``excluded`` is asked for.
        excluded: What is taken out of the mask.
        near: What regions must be near to, or far from.
        by_index: Those that the spectral prior answers, because the model does not know them or finds them less well.
    """

    targets: tuple[str, ...]
    excluded: tuple[str, ...]
    near: tuple[str, ...]
    by_index: frozenset[str] = frozenset()

    @property
    def layers(self) -> tuple[str, ...]:
        """Everything that is predicted, each target once."""
        return tuple(dict.fromkeys((*self.targets, *self.excluded, *self.near)))

    @property
    def classes(self) -> tuple[str, ...]:
        """What the mask shows, for 1, 2, 3 …."""
        return self.targets or (EVERYTHING_ELSE,)

    @property
    def spoken_of(self) -> tuple[str, ...]:
        """What the explanation is about: the targets, or what was left out of everything."""
        return self.targets or self.excluded


def ask(instruction: Instruction, model: MaskModel, scene: xr.Dataset) -> Asked:
    """Decide who answers what.

    Args:
        instruction: What was asked.
        model: What is asked first; targets that it was not trained on, or leaves to an index, go to the spectral prior.
        scene: Whose bands are at hand; no pixel is computed.

    Raises:
        MissingBandError: If the scene lacks a band that the model needs, or that the index of a target needs.
        TargetError: If neither the model nor an index knows a target.
    """
    near = tuple(dict.fromkeys(one.target for one in instruction.filters if isinstance(one, NearFilter)))
    asked = Asked(instruction.targets, instruction.excluded, near)
    unknown = frozenset(
        target for target in asked.layers if isinstance(model, IndexModel) or target not in model.targets
    )
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))  # which indices there are, one pixel tells
    for target in unknown:
        _require_index(target, model, pixel)
    by_index = unknown | {target for target in asked.layers if _is_left(target, model, pixel)}
    if len(by_index) < len(asked.layers):
        _require_bands(model, scene)
    return Asked(asked.targets, asked.excluded, near, by_index)


def class_names(classes: Sequence[str], instruction: Instruction) -> tuple[str, ...]:
    """Return what classes are called in the language of the instruction."""
    words = get_language(instruction.language).targets
    return tuple(instruction.meaning if name == EVERYTHING_ELSE else words[name][0] for name in classes)


def _is_left(target: str, model: MaskModel, scene: xr.Dataset) -> bool:
    """Whether a model leaves a target of such a scene to the index, and there is one."""
    when = getattr(model, "left_to_index", {}).get(target)
    if when is None or (when == UNCALIBRATED and not scene.spex.is_relative):
        return False
    return prior_of(scene, target) is not None


def _require_index(target: str, model: MaskModel, scene: xr.Dataset) -> None:
    try:
        spectral_prior(scene, target)
    except TargetError as error:
        raise TargetError(
            f"Neither the model {model.id!r} nor a spectral index knows {target!r}",
            found=f"a model for {', '.join(model.targets)}; {error.found}",
            expected="a target of the model, or one that an index shows in this scene",
            fix="Ask for another target, or use a model that was trained on it.",
        ) from error


def _require_bands(model: MaskModel, scene: xr.Dataset) -> None:
    missing = [band for band in model.required_bands if band not in scene.spex.bands]
    if missing:
        raise MissingBandError(
            f"The model {model.id!r} needs bands that the scene lacks",
            found=", ".join(scene.spex.bands),
            expected=", ".join(model.required_bands),
            fix=f"Open a scene that also has {', '.join(missing)}, or use model='index'.",
        )
