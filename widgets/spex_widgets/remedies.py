"""What a button can do about an error: another scene, the index in place of a model, the same once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as ipw

from spex_nb.errors import (
    BandError,
    CheckpointError,
    DeviceMemoryError,
    EmptySceneError,
    ExtractionError,
    InstructionError,
    MissingExtraError,
    OutputError,
    RegionError,
    SceneError,
    SessionError,
    SpexError,
    TargetError,
)
from spex_nb.extraction.mask_models import INDEX, usual_model
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import get_language
from spex_nb.language.parsing.paraphrase import describe
from spex_widgets.state import WorkbenchState

WITHOUT_MODEL = (CheckpointError, MissingExtraError, DeviceMemoryError, BandError, ExtractionError)
"""Errors that the spectral index does not run into where a model did."""
WITH_INDEX = "Use the index instead"
MISSING = ", missing"
"""How an `OutputError` ends the path of a folder that is not there."""
ASK, SCENE = "Ask", "Scene"
"""Titles of panels that buttons lead to."""


class Remedy(NamedTuple):
    """Something that a button does about an error."""

    label: str
    tooltip: str
    act: Callable[[], object]


def remedies_of(
    error: BaseException, state: WorkbenchState, again: Callable[[], object] | None = None
) -> tuple[Remedy, ...]:
    """Return what helps against an error, the most helpful first.

    Args:
        error: That is shown.
        state: Of the workbench.
        again: Repeats what failed; None where it cannot be repeated.
    """
    return (
        *_another_model(error, state, again),
        *_without_filters(error, state, again),
        *_first_step(error, state),
        *_another_scene(error, state),
        *_folder(error, again),
        *_once_more(error, again),
    )


def _another_model(error: BaseException, state: WorkbenchState, again: Callable[[], object] | None) -> Iterator[Remedy]:
    if again is None:
        return
    if isinstance(error, WITHOUT_MODEL) and state.model != INDEX:
        yield _with_model(INDEX, WITH_INDEX, state, again)
    elif isinstance(error, TargetError) and state.model == INDEX and usual_model() != INDEX:
        yield _with_model(usual_model(), f"Use the model {usual_model()}", state, again)


def _with_model(name: str, label: str, state: WorkbenchState, again: Callable[[], object]) -> Remedy:
    def act() -> None:
        state.model = name
        again()

    return Remedy(label, "Ask the same of another model", act)


def _without_filters(
    error: BaseException, state: WorkbenchState, again: Callable[[], object] | None
) -> Iterator[Remedy]:
    """Offer the instruction without its filters where one of these cannot be measured."""
    instruction = state.instruction
    if (
        again is None
        or not isinstance(error, RegionError)
        or instruction is None
        or not (instruction.filters or instruction.own_filters)
    ):
        return
    plain = describe(get_language(instruction.language), instruction.targets, instruction.excluded)
    try:
        parse_instruction(plain)
    except InstructionError:  # such as a taught class, which only the state knows
        return

    def act() -> None:
        state.text = plain
        again()

    yield Remedy(f"Ask for: {plain}", "The same without size, place and distance", act)


def _first_step(error: BaseException, state: WorkbenchState) -> Iterator[Remedy]:
    """Lead to where a scene is opened or an instruction is given, if that is what is missing."""
    if state.scene is not None and state.extraction is None and _lacks_result(error):
        yield from _leads_to(ASK, "Ask for something first", state)
    elif state.scene is None and isinstance(error, EmptySceneError):
        yield from _leads_to(SCENE, "Open a scene", state)


def _lacks_result(error: BaseException) -> bool:
    return isinstance(error, SpexError) and error.found in ("no result", "no change")


def _another_scene(error: BaseException, state: WorkbenchState) -> Iterator[Remedy]:
    needs_other = isinstance(error, SceneError | SessionError | TargetError) and not isinstance(error, EmptySceneError)
    if needs_other:
        yield from _leads_to(SCENE, "Open another scene", state)


def _leads_to(title: str, label: str, state: WorkbenchState) -> Iterator[Remedy]:
    if state.turn_to is not None:
        yield Remedy(label, f"Show the panel {title}", partial(state.turn_to, title))


def _folder(error: BaseException, again: Callable[[], object] | None) -> Iterator[Remedy]:
    """Offer to make the folder that is missing."""
    if again is None or not isinstance(error, OutputError) or not error.found.endswith(MISSING):
        return
    folder = Path(error.found.removesuffix(MISSING))

    def act() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        again()

    yield Remedy(f"Make the folder {folder.name}", f"Make {folder}, and write into it", act)


def _once_more(error: BaseException, again: Callable[[], object] | None) -> Iterator[Remedy]:
    """Offer to try once more what failed for a reason of the machine; the same words fail again."""
    if again is not None and not isinstance(error, SpexError):
        yield Remedy("Try again", "Do the same once more", again)


class RemedyRow(ipw.HBox):  # type: ignore[misc]
    """Buttons below an error. They are made when they are first needed, and stay: a page waits for closed widgets.

    Args:
        trying: Wraps what a button does, so that its errors are shown.
    """

    def __init__(self, trying: Callable[[Callable[[], object]], Callable[..., None]]) -> None:
        super().__init__(layout={"flex_flow": "row wrap"})
        self._trying = trying
        self.offered: tuple[Remedy, ...] = ()
        """What the buttons do, in their order."""
        self._buttons: list[Any] = []

    def offer(self, remedies: Sequence[Remedy]) -> None:
        """Show one button a remedy, in place of those before."""
        self.offered = tuple(remedies)
        new = [self._make_button(number) for number in range(len(self._buttons), len(self.offered))]
        if new:
            self._buttons += new
            self.children = tuple(self._buttons)
        for number, button in enumerate(self._buttons):
            is_offered = number < len(self.offered)
            button.layout.display = None if is_offered else "none"
            if is_offered:
                button.description, button.tooltip = self.offered[number].label, self.offered[number].tooltip

    def _make_button(self, number: int) -> ipw.Button:
        button = ipw.Button(layout={"width": "auto"})
        button.on_click(lambda _button: self._trying(self.offered[number].act)())
        return button
