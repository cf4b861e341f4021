"""How the result lies over the scene: as mask, probability or doubt, how strong, and wiped away to compare."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw

from spex_widgets.panels.panel import Panel
from spex_widgets.state import WorkbenchState


class LayersPanel(Panel):
    """The controls below the map."""

    title = "Layers"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.layer = ipw.Dropdown(
            options=["mask", "probability", "doubt"], description="Show", layout={"width": "180px"}
        )
        self.opacity, self.wipe = (
            ipw.FloatSlider(min=0, max=1, step=0.05, description=name, readout=False, layout={"width": "200px"})
            for name in ("Opacity", "Swipe")
        )
        self.lay_out(ipw.HBox([self.layer, self.opacity, self.wipe], layout={"flex_flow": "row wrap"}))
        self._tie("layer", self.layer)
        self._tie("opacity", self.opacity)
        self._tie("wipe", self.wipe)

    def _tie(self, name: str, control: Any) -> None:
        """Keep a control and a trait of the state alike."""

        def show() -> None:
            control.value = getattr(self.state, name)

        self.follow(show, name)
        control.observe(self.trying(lambda: setattr(self.state, name, control.value)), "value")
