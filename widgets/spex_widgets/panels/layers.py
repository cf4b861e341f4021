"""The layers of the map, one a row: seen or not, how strong; the result as mask, probability or doubt, and swiped."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as ipw

from spex_widgets.panels.panel import Panel
from spex_widgets.state import LAYERS, WorkbenchState

OPEN_EYE, CLOSED_EYE = "eye", "eye-slash"
SLIM = {"width": "110px"}


class LayersPanel(Panel):
    """The list of layers, the highest first; it folds away behind one button."""

    title = "Layers"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.fold = ipw.ToggleButton(
            icon="clone",
            tooltip="Layers of the map",
            layout={"width": "32px", "height": "30px", "margin": "0", "padding": "0"},
        )
        self.eyes = {name: self._eye(name) for name in LAYERS}
        """A button a layer: pressed while the layer is seen."""
        self.layer = ipw.Dropdown(
            options=["mask", "probability", "doubt"], tooltip="What of the result is shown", layout={"width": "108px"}
        )
        self.opacity, self.wipe = (self._slider(name) for name in ("Opacity of the result", "Swipe the result aside"))
        self.strengths = {name: self._slider(f"Opacity of the {name}") for name in ("index", "scene")}
        """Opacities of what lies below the result."""
        swipe = ipw.HBox([ipw.Label("Swipe result", layout={"width": "118px"}), self.wipe])
        self.list = ipw.VBox([*map(self._row, LAYERS), swipe], layout={"display": "none"})
        self.list.add_class("spex-layer-list")
        self.lay_out(self.fold, self.list)
        self.layout.width = "auto"
        self.add_class("spex-layers")
        self.fold.observe(self.trying(self._unfold), "value")
        self._tie("layer", self.layer)
        self._tie("opacity", self.opacity)
        self._tie("wipe", self.wipe)
        for name, slider in self.strengths.items():
            slider.observe(self.trying(partial(self._set_strength, name)), "value")
        self.follow(self._show_hidden, "hidden")
        self.follow(self._show_strengths, "strengths")

    def _eye(self, name: str) -> ipw.ToggleButton:
        eye = ipw.ToggleButton(
            True, icon=OPEN_EYE, tooltip=f"Show the {name}", layout={"width": "30px", "padding": "0"}
        )
        eye.observe(self.trying(self._set_hidden), "value")
        return eye

    def _slider(self, name: str) -> ipw.FloatSlider:
        return ipw.FloatSlider(1.0, min=0, max=1, step=0.05, readout=False, description=name, layout=SLIM)

    def _row(self, name: str) -> ipw.HBox:
        label = self.layer if name == "result" else ipw.Label(name.capitalize(), layout={"width": "108px"})
        slider = self.opacity if name == "result" else self.strengths.get(name)
        return ipw.HBox([self.eyes[name], label, *([slider] if slider else [])])

    def _unfold(self) -> None:
        self.list.layout.display = None if self.fold.value else "none"

    def _set_hidden(self) -> None:
        self.state.hidden = tuple(name for name, eye in self.eyes.items() if not eye.value)

    def _show_hidden(self) -> None:
        for name, eye in self.eyes.items():
            eye.value = name not in self.state.hidden
            eye.icon = OPEN_EYE if eye.value else CLOSED_EYE

    def _set_strength(self, name: str) -> None:
        self.state.strengths = {**self.state.strengths, name: self.strengths[name].value}

    def _show_strengths(self) -> None:
        for name, slider in self.strengths.items():
            slider.value = self.state.strengths.get(name, 1.0)

    def _tie(self, name: str, control: Any) -> None:
        """Keep a control and a trait of the state alike."""

        def show() -> None:
            control.value = getattr(self.state, name)

        self.follow(show, name)
        control.observe(self.trying(lambda: setattr(self.state, name, control.value)), "value")
