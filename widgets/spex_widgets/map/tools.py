"""The tools of the map as icons on the map, with home and full screen."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as ipw

from spex_widgets.panels.editing import HELP
from spex_widgets.panels.panel import Panel, button
from spex_widgets.state import TOOLS, WorkbenchState

ICONS = {
    "look": "mouse-pointer",
    "measure": "arrows-h",
    "spectrum": "line-chart",
    "add": "plus-circle",
    "remove": "minus-circle",
    "box": "crop",
    "paint": "paint-brush",
    "erase": "eraser",
    "split": "cut",
    "merge": "link",
    "delete": "trash",
}
SQUARE = {"width": "30px", "height": "28px", "margin": "0", "padding": "0"}


class ToolsPanel(Panel):
    """What a click on the map does, chosen on the map itself.

    Args:
        state: The state of the workbench.
        show_all: Moves the map so that it shows the whole scene.
    """

    title = "Tools"

    def __init__(self, state: WorkbenchState, show_all: Callable[[], None]) -> None:
        super().__init__(state)
        self._move_to_scene = show_all
        self.home = button("", "Show the whole scene", self.trying(self._show_all), icon="home", layout=SQUARE)
        self.full = ipw.Button(tooltip="Full screen and back", icon="arrows-alt", layout=SQUARE)
        self.full.add_class("spex-full")
        self.tool = ipw.ToggleButtons(
            options=[(TOOLS[tool], tool) for tool in ICONS],
            icons=[*ICONS.values()],
            tooltips=[f"{TOOLS[tool]}: {HELP[tool]}" for tool in ICONS],
            style={"button_width": "30px"},
        )
        self.tool.observe(self.trying(self._choose), "value")
        self.lay_out(self.home, self.full, self.tool)
        self.layout.width = "auto"
        self.add_class("spex-tools")
        self.follow(self._show, "tool")

    def _show_all(self) -> None:
        if self.state.scene is not None:
            self._move_to_scene()

    def _choose(self) -> None:
        with self.state.hold_trait_notifications():
            self.state.tool, self.state.anchor = self.tool.value, None

    def _show(self) -> None:
        self.tool.value = self.state.tool
