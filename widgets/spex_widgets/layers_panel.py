"""How the result lies over the scene: as mask or probability, how strong, and wiped away to compare."""

from __future__ import annotations

import ipywidgets as ipw

from spex_widgets.panel import Panel
from spex_widgets.state import WorkbenchState


class LayersPanel(Panel):
    """The controls below the map."""

    title = "Layers"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.layer = ipw.Dropdown(options=["mask", "probability"], description="Show", layout={"width": "180px"})
        self.opacity, self.wipe = (
            ipw.FloatSlider(min=0, max=1, step=0.05, description=name, readout=False, layout={"width": "200px"})
            for name in ("Opacity", "Swipe")
        )
        ties = (("layer", self.layer), ("opacity", self.opacity), ("wipe", self.wipe))
        for name, control in ties:
            control.observe(self.trying(lambda n=name, c=control: setattr(state, n, c.value)), "value")
        self.lay_out(ipw.HBox([self.layer, self.opacity, self.wipe], layout={"flex_flow": "row wrap"}))
        for name, control in ties:
            self.follow(lambda n=name, c=control: setattr(c, "value", getattr(state, n)), name)
