"""Who answers which target of an instruction: the model, a spectral index, a parent, a taught class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr

from spex_nb.errors import MissingBandError, TargetError
from spex_nb.extraction.mask_models import INDEX, is_left_to_index, prefers_index
from spex_nb.language.languages import get_language
from spex_nb.spectral.priors import NO_INDEX, RULES, spectral_prior
from spex_nb.types import Filter, Instruction, MaskModel, TaughtClass, neighbouring_targets
from spex_nb.types.targets import EVERYTHING_ELSE, TARGETS, stand_in


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


def answered_targets(model: MaskModel, scene: xr.Dataset) -> tuple[str, ...]:
    """Return the targets that a model answers in a scene, or leaves to an index that there is."""
    answered = [target for target in model.card.targets if _is_answered(target, model)]
    return tuple(target for target in answered if target in RULES or not prefers_index(model.card, target, scene))


def stand_ins_of(instruction: Instruction, model: MaskModel, scene: xr.Dataset) -> dict[str, str]:
    """Return which parents answer for targets of an instruction in a scene, by the id of what was asked for.

    Raises:
        TargetError: If one target would be both wanted and left out.
    """
    gsd_m = scene.spex.gsd_m
    answerable = {*answered_targets(model, scene), *RULES, *NO_INDEX}
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
