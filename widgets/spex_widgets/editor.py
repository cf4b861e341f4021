"""Edits of the mask by hand: strokes and splits with a history, clicks that ask the model, figures measured again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.extraction.finish import correct_result
from spex_nb.extraction.refine import UserPrompts, prompts_within, refine_window, replace_window, window_about
from spex_nb.regions.editing import History, brush, delete, merge, split
from spex_nb.types import Point
from spex_widgets.jobs import Job
from spex_widgets.state import PromptStep, WorkbenchState

MaskPixels = NDArray[np.uint8]
"""A mask [h, w]: 0 none, 1 ... n the classes, 255 no data."""


def change(state: WorkbenchState, edit: Callable[[MaskPixels], MaskPixels]) -> None:
    """Change the mask; an error becomes the error of the state.

    Args:
        state: With a result.
        edit: From the pixels uint8 [h, w] of the mask to others.
    """
    try:
        before = _pixels(state)
        after = edit(before)
        _add_step(state, state.history.add(before, after), after)
    except RegionError as error:
        state.error = error
    else:
        state.error = None


def _add_step(state: WorkbenchState, history: History, pixels: MaskPixels, step: PromptStep | None = None) -> None:
    """Take over a history that has one more step; what was undone before cannot be done again."""
    if history is not state.history:
        number = len(history.done)
        steps = {earlier: prompts for earlier, prompts in state.prompt_steps.items() if earlier < number}
        state.prompt_steps = steps if step is None else {**steps, number: step}
    _take(state, history, pixels)


def undo(state: WorkbenchState) -> None:
    """Take back what a hand did last: an edit, a point or box with the answer to it, or a question that still runs.

    While a tool is in the hand that leaves the mask alone, it is the last point of that tool.
    """
    if _takes_point_back(state) or state.mask is None:
        return
    if state.pending_step is not None:
        _take_prompts(state, state.pending_step.number, state.pending_step.before)
        return
    step = state.prompt_steps.get(len(state.history.done))
    _take(state, *state.history.undo(_pixels(state)))
    if step is not None:
        _take_prompts(state, step.number, step.before)


def _takes_point_back(state: WorkbenchState) -> bool:
    """Take back the first of two clicks, a corner of the line, or a point of a spectrum; say whether there was one."""
    if state.anchor is not None:
        state.anchor = None
    elif state.tool == "measure" and state.ruler:
        state.ruler = state.ruler[:-1]
    elif state.tool == "spectrum" and state.points:
        state.points = dict([*state.points.items()][:-1])
    else:
        return False
    return True


def redo(state: WorkbenchState) -> None:
    """Do again what was taken back last."""
    if state.mask is not None:
        _take(state, *state.history.redo(_pixels(state)))
        step = state.prompt_steps.get(len(state.history.done))
        if step is not None:
            _take_prompts(state, step.number, step.after)


def forget_prompts(state: WorkbenchState) -> None:
    """Remove all points and boxes; the mask stays as it is, and `undo` brings them back."""
    if not state.user_prompts:
        return
    step = PromptStep(state.number, state.user_prompts, UserPrompts())
    state.user_prompts = UserPrompts()
    if state.mask is not None:
        _add_step(state, state.history.add_step(), _pixels(state), step)


def _take_prompts(state: WorkbenchState, number: int, prompts: UserPrompts) -> None:
    """Take over points and boxes, with the class that they are of; a question that still runs has no answer then."""
    with state.hold_trait_notifications():
        if state.pending_step is not None:
            state.pending_step, state.busy = None, ""
        state.number, state.user_prompts = number, prompts


def draw(state: WorkbenchState, stroke: list[Point]) -> None:
    """Paint or erase, as the tool says, along points (x, y) in pixels of the scene."""
    value = 0 if state.tool == "erase" else state.number
    inside = [_in_result(state, point) for point in stroke]
    change(state, lambda mask: brush(mask, inside, state.brush_px, value))


def click(state: WorkbenchState, point: Point) -> None:
    """Do what the tool does at a point (x, y) in pixels of the scene."""
    state.error = None
    if state.tool == "spectrum":
        state.add_point(*point)
    elif state.tool == "measure":
        state.ruler = (*state.ruler, point)
    elif state.tool in ("add", "remove"):
        ask_model(
            state, UserPrompts((*state.user_prompts.clicks, (*point, state.tool == "add")), state.user_prompts.boxes)
        )
    elif state.tool in ("paint", "erase"):
        draw(state, [point])
    elif state.tool in ("split", "merge"):
        _second_click(state, point)
    elif state.tool == "delete":
        change(state, lambda mask: delete(mask, _in_result(state, point)))
    elif state.tool == "look":
        choose(state, point)


def leave_tool(state: WorkbenchState) -> None:
    """Let clicks look again, and drop a first click and a line that is measured."""
    with state.hold_trait_notifications():
        state.tool, state.anchor, state.ruler = "look", None, ()


def choose(state: WorkbenchState, point: Point) -> None:
    """Choose the region under a point (x, y) in pixels of the scene; none where there is none."""
    if state.result is None:
        return
    import shapely

    x, y = state.result_scene.spex.transform @ _in_result(state, point)
    under = np.flatnonzero(shapely.contains_xy(state.result.regions.geometry.values, x, y))
    state.region = int(under[0]) if len(under) else -1


def _second_click(state: WorkbenchState, point: Point) -> None:
    if state.anchor is None:
        state.anchor = point
        return
    first, second = (_in_result(state, point) for point in (state.anchor, point))
    state.anchor = None
    edit = split if state.tool == "split" else merge
    change(state, lambda mask: edit(mask, first, second))


def delete_chosen(state: WorkbenchState) -> None:
    """Remove the chosen region."""
    if state.result is None or state.region < 0:
        state.error = RegionError(
            "No region is chosen",
            found="none",
            expected="one of the list, or one that was clicked",
            fix="Choose a region first.",
        )
        return
    inside = state.result.regions.geometry.iloc[state.region].representative_point()
    x, y = ~state.result_scene.spex.transform @ (inside.x, inside.y)
    change(state, lambda mask: delete(mask, (x, y)))


def ask_model(state: WorkbenchState, user_prompts: UserPrompts) -> None:
    """Ask the model again about the window of the last prompt; its answer replaces the mask there.

    Args:
        state: With a result.
        user_prompts: In pixels of the scene; at least one.
    """
    try:
        _pixels(state)
        target = _target(state)
    except RegionError as error:
        state.error = error
        return
    before = state.user_prompts if state.pending_step is None else state.pending_step.before
    step = PromptStep(state.number, before, user_prompts)
    state.pending_step, state.user_prompts, state.busy = step, user_prompts, "asking the model again"
    scene, (top, left, *_), number = state.result_scene, state.window, state.number
    row, column, height, width = state.view_window
    prompts, view = user_prompts.moved(left, top), (row - top, column - left, height, width)

    def work(_job: Job) -> Any:
        model = state.loaded_model()
        window = window_about(scene.spex.shape, view, model.card.tile_px, prompts)
        with state.model_lock:
            return window, refine_window(scene, model, target, window, prompts_within(prompts, window))

    def done(answer: Any) -> None:
        if state.pending_step is step:  # else it was taken back, or there are newer prompts, whose answer follows
            state.pending_step, state.busy, state.error = None, "", None
            mask = _pixels(state)
            refined = replace_window(mask, answer[0], number, answer[1])
            history = state.history.add(mask, refined)
            _add_step(state, state.history.add_step() if history is state.history else history, refined, step)

    def failed(error: BaseException) -> None:
        if state.pending_step is step:
            _take_prompts(state, step.number, step.before)
        state.error = error

    state.jobs.start(work, done, failed)


def _target(state: WorkbenchState) -> str:
    names: list[str] = [*state.extraction.class_names]
    if state.number > len(names):
        raise RegionError(
            "There is no such class", found=f"class {state.number}", expected=f"1 to {len(names)}", fix="Choose one."
        )
    return names[state.number - 1]


def _pixels(state: WorkbenchState) -> MaskPixels:
    if state.mask is None:
        raise RegionError(
            "There is no mask to edit", found="no result", expected="one", fix="Give an instruction and extract first."
        )
    pixels: MaskPixels = state.mask.values
    return pixels


def _in_result(state: WorkbenchState, point: Point) -> Point:
    return point[0] - state.window[1], point[1] - state.window[0]


def _take(state: WorkbenchState, history: History, pixels: MaskPixels) -> None:
    """Take over edited pixels, and measure again everything that follows from them."""
    if history is state.history:
        return
    if pixels is state.mask.values or np.array_equal(pixels, state.mask.values):
        state.history = history
        return
    with state.hold_trait_notifications():
        state.history, state.region, state.result = history, -1, None
        state.mask = state.mask.copy(data=pixels)
    measure(state)


def measure(state: WorkbenchState) -> None:
    """Measure the edited mask in a job; only the figures of the newest mask are taken."""
    mask, extraction, scene = state.mask, state.extraction, state.result_scene

    def done(result: Any) -> None:
        if state.mask is mask:
            state.result = result

    def failed(error: BaseException) -> None:
        state.error = error

    state.jobs.start(lambda _job: correct_result(extraction, mask.values, scene), done, failed)
