"""Editing the mask: clicks and boxes that the model heeds, a brush, regions that are split, merged or deleted."""

from __future__ import annotations

import ipywidgets as ipw

from spex_nb.extraction.refine import UserPrompts
from spex_widgets import editor
from spex_widgets.messages import block, error_html, note, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import TOOLS, WorkbenchState

HELP = {
    "look": "Click a region to choose it.",
    "measure": "Click along a line to measure it; Esc ends.",
    "spectrum": "Click to add a spectrum; see the tab 'Spectra'.",
    "add": "Click where the target is: the model looks again at what the map shows.",
    "remove": "Click where the target is not: the model looks again at what the map shows.",
    "box": "Drag a box around the target: the model looks again.",
    "paint": "Click or draw on the map to paint the class.",
    "erase": "Click or draw on the map to erase.",
    "split": "Click on both sides of a region: it is cut along the line.",
    "merge": "Click two regions: the second takes the class of the first, and a bridge joins them.",
    "delete": "Click regions to delete them.",
}


class EditingPanel(Panel):
    """The tools of the map, and the history of what they did."""

    title = "Correct"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.tool = ipw.ToggleButtons(
            options=[(name, tool) for tool, name in TOOLS.items()],
            description="Tool",
            tooltips=[*HELP.values()],
            style={"button_width": "84px"},
        )
        self.help, self.problem, self.status = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.target = ipw.Dropdown(description="Class", layout=WIDE)
        self.radius = ipw.IntSlider(state.brush_px, min=1, max=50, description="Brush (px)", layout=WIDE)
        self.undo = button("Undo", "Take the last edit back", self.trying(lambda: editor.undo(state)), icon="undo")
        self.redo = button("Redo", "Do it again", self.trying(lambda: editor.redo(state)), icon="repeat")
        self.forget = button("Forget points", "Start anew with clicks", self.trying(self._forget))
        self.delete = button(
            "Delete region", "Remove the chosen region", self.trying(lambda: editor.delete_chosen(state))
        )
        self.tool.observe(self.trying(self._choose_tool), "value")
        self.target.observe(self.trying(self._choose_target), "value")
        self.radius.observe(self.trying(self._choose_radius), "value")
        self.lay_out(
            self.tool,
            self.help,
            self.target,
            self.radius,
            ipw.HBox([self.undo, self.redo]),
            ipw.HBox([self.forget, self.delete]),
            self.problem,
            self.ways_out,
            self.status,
        )
        self.follow(self._show_tool, "tool", "anchor", "brush_px")
        self.follow(self._show_classes, "extraction", "number")
        self.follow(self._show_history, "history", "mask", "user_prompts", "busy", "pending_step", "result")
        self.follow(self._show_problem, "error")

    def _choose_tool(self) -> None:
        with self.state.hold_trait_notifications():
            self.state.tool, self.state.anchor = self.tool.value, None

    def _choose_target(self) -> None:
        if self.target.value and self.target.value != self.state.number:
            with self.state.hold_trait_notifications():
                self.state.number, self.state.user_prompts = self.target.value, UserPrompts()

    def _choose_radius(self) -> None:
        self.state.brush_px = self.radius.value

    def _forget(self) -> None:
        editor.forget_prompts(self.state)

    def _show_tool(self) -> None:
        self.tool.value, self.radius.value = self.state.tool, self.state.brush_px
        first = "" if self.state.anchor is None else " The first click is set; click the second."
        self.help.value = quiet(HELP[self.state.tool] + first)

    def _show_classes(self) -> None:
        names = {} if self.state.extraction is None else self.state.extraction.class_names
        self.target.options = [(label, number) for number, label in enumerate(names.values(), start=1)]
        if names:
            self.target.value = min(self.state.number, len(names))

    def _show_history(self) -> None:
        done, undone = len(self.state.history.done), len(self.state.history.undone)
        self.undo.disabled, self.redo.disabled = not done and self.state.pending_step is None, not undone
        self.forget.disabled = not self.state.user_prompts
        clicks, boxes = len(self.state.user_prompts.clicks), len(self.state.user_prompts.boxes)
        hints = f" {_count(clicks, 'point')}, {_count(boxes, 'box')}." if self.state.user_prompts else ""
        busy = f" {self.state.busy.capitalize()} …" if self.state.busy else ""
        self.status.value = block(f"{_count(done, 'edit')}.{hints}{busy}", "quiet") + self._notes_of_edit()

    def _notes_of_edit(self) -> str:
        """Return what one should know of the edited mask, such as regions that the instruction does not ask for."""
        result, extraction = self.state.result, self.state.extraction
        if result is None or extraction is None:
            return ""
        number_of_pixels, *rest = [text for text in result.notes if text not in extraction.notes] or [""]
        return quiet(number_of_pixels) + "".join(map(note, rest))

    def _show_problem(self) -> None:
        error = self.state.error
        self.problem.value = "" if error is None else error_html(error)
        self.ways_out.offer(() if error is None else self.remedies(error, None))


def _count(number: int, name: str) -> str:
    """Return a number of things in words."""
    several = f"{name}es" if name.endswith("x") else f"{name}s"
    return f"{number} {name if number == 1 else several}"
