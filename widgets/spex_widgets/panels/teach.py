"""A class of the user's own by clicks: + and − under a name, how good it is so far, and where to look next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.analysis.teaching import PixelFeatures, Taught, load_taught, next_places, sample_scene_features, teach
from spex_nb.analysis.teaching.features import band_names, kind_of
from spex_nb.errors import EmptySceneError, TeachingError
from spex_widgets.messages import block, quiet, table
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import WorkbenchState

YES, NO = "+", "−"
"""How the points of a class begin, among the points whose spectra are shown."""
SPOT_PX = 96
"""Side of what the map shows of a place to look at."""
BANDS_SHOWN = 4
COLORS = ("#882255", "#aa4499", "#44aa99", "#ddcc77", "#332288")
"""Of taught classes, in their order; no target has one of them. They are of Tol's muted scheme."""
HINT = "Name the class, choose +, click on places where it is; then choose −, and click on places where it is not."


class TeachPanel(Panel):
    """Collects clicks of yes and no, and teaches a class by them after each click.

    The clicks are points of the panel "Spectra" too, so that their spectra show whether yes and no overlap.
    """

    title = "Teach"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.name = ipw.Text(description="Class", placeholder="reeds", layout=WIDE)
        self.sign = ipw.ToggleButtons(
            options=[("look", ""), ("+ it is here", YES), ("− not here", NO)],
            tooltips=["Clicks teach nothing", "Clicks say where the class is", "Clicks say where it is not"],
            style={"button_width": "auto"},
        )
        self.ask = button("Where next?", "Go to the place that would teach most", self.trying(self._ask))
        self.clear = button("Forget clicks", "Remove the clicks of this class", self.trying(self._clear))
        self.status, self.figures = ipw.HTML(), ipw.HTML()
        self.path = ipw.Text("my.spex-class", description="File", layout=WIDE)
        self.save = button("Save class", "Write the class as a file to share", self.trying(self._save))
        self.load = button("Open class", "Take a class from a file, for instructions", self.trying(self._load))
        self.taught: Taught | None = None
        """The class as the clicks so far teach it; None without a click of each kind."""
        self._sample: tuple[Any, PixelFeatures] | None = None
        self._is_teaching = self._is_late = False
        self.sign.observe(self.trying(self._choose), "value")
        self.name.observe(self.trying(self._rename), "value")
        self.lay_out(
            self.name,
            self.sign,
            ipw.HBox([self.ask, self.clear]),
            self.status,
            self.figures,
            self.path,
            ipw.HBox([self.save, self.load]),
        )
        self.follow(self._show_tool, "tool")
        self.follow(self._take_points, "points", "scene")

    def clicks(self, sign: str) -> list[tuple[int, int]]:
        """Return the positions (x, y) of the clicks of yes or of no for this class.

        Args:
            sign: `YES` for the class, `NO` for everything else.
        """
        start = f"{sign} {self.name.value.strip()}"
        points = self.state.points.items()
        return [position for label, position in points if label == start or label.rpartition(" ")[0] == start]

    def _choose(self) -> None:
        if self.sign.value and not self.name.value.strip():
            self.sign.value = ""
            raise TeachingError("The class has no name", found="nothing", expected="a name", fix="Write it above.")
        self._name_points()
        if self.sign.value or self.state.tool == "spectrum":  # else another tool was chosen meanwhile
            self.state.tool = "spectrum" if self.sign.value else "look"

    def _name_points(self) -> None:
        if self.sign.value:
            self.state.point_name = f"{self.sign.value} {self.name.value.strip()}"

    def _rename(self) -> None:
        self._name_points()
        self._take_points()

    def _show_tool(self) -> None:
        if self.state.tool != "spectrum":
            self.sign.value = ""

    def _take_points(self) -> None:
        """Teach by the clicks so far, beside the kernel; clicks that come meanwhile are taught after it."""
        yes, no = self.clicks(YES), self.clicks(NO)
        self._is_late = self._is_teaching
        self.save.disabled = self.ask.disabled = not (yes and no)
        if not (yes and no) or self.state.scene is None:
            self.taught, self.figures.value = None, ""
            self.status.value = quiet(f"{len(yes)} × +, {len(no)} × −. {HINT}")
            return
        if self._is_late:
            return
        self._is_teaching, scene, name = True, self.state.scene, self.name.value.strip()
        self.status.value = quiet("Learning …")
        self.state.jobs.start(lambda _: self._teach(scene, name, yes, no), self._taught, self._failed)

    def _teach(self, scene: Any, name: str, yes: Any, no: Any) -> Taught:
        if self._sample is None or self._sample[0] is not scene:
            kind = kind_of(scene)
            self._sample = scene, sample_scene_features(scene, kind, band_names(scene, kind))
        return teach(scene, name, yes=yes, no=no, samples=[self._sample[1]], color=self._color(name))

    def _color(self, name: str) -> str:
        """Return the colour of a class: the one that it has, else one that no other taught class has."""
        taken = {taught.name: taught.color for taught in self.state.taught}
        free = [color for color in COLORS if color not in taken.values()]
        return taken.get(name) or (free or COLORS)[0]

    def _taught(self, taught: Taught) -> None:
        if self._teach_later_clicks():
            return
        self._use(taught)
        assessment = taught.assessment
        self.status.value = block(str(assessment), "quote")
        rows = [
            (overlap.name, f"{overlap.yes:.3f}", f"{overlap.no:.3f}", f"{overlap.overlap_frac:.0%}")
            for overlap in assessment.overlaps[:BANDS_SHOWN]
        ]
        self.figures.value = table(rows, ("band", "+", "−", "overlap"))

    def _failed(self, error: BaseException) -> None:
        if not self._teach_later_clicks():
            self.status.value = ""
            self.fail(error, self._take_points)

    def _teach_later_clicks(self) -> bool:
        """End the teaching that went on; where clicks came or went meanwhile, drop it, and teach by those there are."""
        self._is_teaching = False
        if self._is_late:
            self._take_points()
            return True
        return False

    def _use(self, taught: Taught) -> None:
        """Let instructions name a class, in place of one of the same name."""
        self.taught = taught
        others = [other for other in self.state.taught if other.name != taught.name]
        self.state.taught = (*others, taught)

    def _ask(self) -> None:
        taught, scene = self.taught, self.state.scene
        if taught is None or scene is None:
            raise EmptySceneError("Nothing is taught yet", found="no class", expected="a click of each kind", fix=HINT)
        sample = None if self._sample is None or self._sample[0] is not scene else self._sample[1]
        (place,) = next_places(taught, scene, 1, sample)
        height, width = scene.spex.shape
        side = min(SPOT_PX, height, width)
        top = min(max(int(place.y_px) - side // 2, 0), height - side)
        left = min(max(int(place.x_px) - side // 2, 0), width - side)
        self.state.spot = (top, left, side, side)
        where = f"column {place.x_px:g}, row {place.y_px:g}"
        self.status.value = quiet(f"Look at {where}, in the middle of the map: is it {taught.name}? So far: "
                                  f"{place.probability:.0%}.")  # fmt: skip

    def _clear(self) -> None:
        gone = {*self.clicks(YES), *self.clicks(NO)}
        self.state.points = {label: position for label, position in self.state.points.items() if position not in gone}

    def _save(self) -> None:
        if self.taught is None:
            raise TeachingError("Nothing is taught yet", found="no class", expected="a click of each kind", fix=HINT)
        path = self.taught.save(Path(self.path.value), overwrite=True)
        self.status.value = quiet(f"Written to {path}.")

    def _load(self) -> None:
        taught = load_taught(Path(self.path.value))
        self._use(taught)
        self.status.value = quiet(f"Instructions may name {taught.name!r} now. {taught.assessment}")
