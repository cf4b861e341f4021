"""How the result lies over the scene: as mask, probability or doubt, how strong, and wiped away to compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from spex_widgets.panels.panel import Panel, button
from spex_widgets.state import WorkbenchState


class LayersPanel(Panel):
    """The controls below the map.

    Args:
        state: The state of the workbench.
        show_all: Moves the map so that it shows the whole scene; without it there is no button for that.
    """

    title = "Layers"

    def __init__(self, state: WorkbenchState, show_all: Callable[[], None] | None = None) -> None:
        super().__init__(state)
        self.home = button(
            "", "Show the whole scene", self.trying(show_all or _nothing), icon="home", layout={"width": "40px"}
        )
        self.home.layout.display = None if show_all else "none"
        self.layer = ipw.Dropdown(
            options=["mask", "probability", "doubt"], description="Show", layout={"width": "180px"}
        )
        self.opacity, self.wipe = (
            ipw.FloatSlider(min=0, max=1, step=0.05, description=name, readout=False, layout={"width": "200px"})
            for name in ("Opacity", "Swipe")
        )
        self.lay_out(ipw.HBox([self.home, self.layer, self.opacity, self.wipe], layout={"flex_flow": "row wrap"}))
        self._tie("layer", self.layer)
        self._tie("opacity", self.opacity)
        self._tie("wipe", self.wipe)

    def _tie(self, name: str, control: Any) -> None:
        """Keep a control and a trait of the state alike."""

        def show() -> None:
            control.value = getattr(self.state, name)

        self.follow(show, name)
        control.observe(self.trying(lambda: setattr(self.state, name, control.value)), "value")


def _nothing() -> None:
    """Do nothing where there is no map."""
