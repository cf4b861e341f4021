"""Spectra of clicked points, by wavelength and side by side; saved as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import GridError
from spex_nb.output.spectra import save_spectra, spectra_frame
from spex_widgets.charts import lines
from spex_widgets.messages import block, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import WorkbenchState

SURFACES = ("water", "forest", "field", "bare soil", "asphalt", "roof", "snow")


class SpectraPanel(Panel):
    """Collects points of the map and draws their spectra together."""

    title = "Spectra"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.pick = ipw.ToggleButton(
            description="Pick points", tooltip="Clicks on the map add points", icon="crosshairs"
        )
        self.label = ipw.Combobox(
            description="Call it", options=SURFACES, placeholder="water, forest, asphalt …", layout=WIDE
        )
        self.clear = button("Clear", "Remove all points", self.trying(self._clear))
        self.path = ipw.Text("spectra.csv", description="Save as", layout=WIDE)
        self.save = button("Save CSV", "Write the spectra as a table", self.trying(self._save))
        self.picture, self.status = ipw.HTML(), ipw.HTML()
        self.pick.observe(self.trying(self._pick), "value")
        self.lay_out(ipw.HBox([self.pick, self.clear]), self.label, self.picture, self.path, self.save, self.status)
        self.label.observe(self.trying(self._name), "value")
        self.follow(self._show, "scene", "points")
        self.follow(self._show_tool, "tool")

    def _name(self) -> None:
        self.state.point_name = self.label.value

    def _pick(self) -> None:
        if self.pick.value or self.state.tool == "spectrum":  # else another tool was chosen meanwhile
            self.state.tool = "spectrum" if self.pick.value else "look"

    def _show_tool(self) -> None:
        self.pick.value = self.state.tool == "spectrum"

    def _clear(self) -> None:
        self.state.points = {}

    def _show(self) -> None:
        points = self.state.points
        self.save.disabled = not points
        self.picture.value = block(_chart(self.state.scene, points)) if points else ""
        hint = "" if points else "Name a surface, pick points, and click on the map."
        self.status.value = quiet(hint)

    def _save(self) -> None:
        if not self.state.points:
            raise GridError("There is no spectrum", found="no point", expected="at least one", fix="Click on the map.")
        path = save_spectra(self.state.scene, self.state.points, Path(self.path.value), overwrite=True)
        self.status.value = quiet(f"Written to {path}.")


def _chart(scene: Any, points: Mapping[str, tuple[int, int]]) -> str:
    table = spectra_frame(scene, points).dropna(subset="wavelength_um")
    across = [*table["wavelength_um"]]
    up = "relative reflectance" if scene.spex.is_relative else "reflectance"
    return lines({label: [*zip(across, table[label], strict=True)] for label in points}, "wavelength (µm)", up)
