"""Checking a map: one point after the other, at two scales and without the mask, answered by the keys 1 to 9."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import ExtractionError
from spex_nb.evaluation import MapCheck, check_map, load_check, read_answers
from spex_nb.evaluation.map_check import NO_ANSWER, UNSURE
from spex_nb.evaluation.sampling import OTHER
from spex_nb.output.map_images import data_uri, measure_stretch
from spex_nb.output.point_pictures import point_picture
from spex_widgets.messages import block, quiet, table
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import WorkbenchState

SIDES_PX = (31, 251)
"""Sides of the two pictures, in pixels of the scene: the pixel itself, and what surrounds it."""
UNSURE_KEYS = "0?"
LAST_KEY = 9
"""Of more classes, the later ones have buttons and no key."""
DESIGNS = ("stratified", "random", "systematic")
CHECKED = "map_check"
"""Entry of the provenance of a result that holds checked areas."""


class CheckPanel(Panel):
    """Draws points, takes answers, and shows accuracy and areas with their intervals."""

    title = "Check"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.number = ipw.BoundedIntText(100, min=1, max=100_000, description="Points", layout={"width": "170px"})
        self.design = ipw.Dropdown(options=DESIGNS, description="Design", layout={"width": "220px"})
        self.seed = ipw.IntText(0, description="Seed", layout={"width": "150px"})
        self.draw = button("Draw points", "Draw points of the map to look at", self.trying(self._draw))
        self.progress, self.pictures, self.figures = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.choices = ipw.HBox(layout={"flex_flow": "row wrap"})
        self.typed = ipw.Text(
            description="Keys",
            placeholder="click here, then answer by 1 to 9; 0 is unsure, Backspace goes back",
            layout=WIDE,
        )
        self.back = button("Back", "Go to the point before", self.trying(lambda: self._move(-1)))
        self.forward = button("Next", "Go to the next point without an answer", self.trying(lambda: self._move(1)))
        self.use = button("Figures now", "Accuracy and areas from the answers so far", self.trying(self._use))
        self.path = ipw.Text("check.gpkg", description="Points file", layout=WIDE)
        self.save = button("Save points", "Write points and answers as a GeoPackage", self.trying(self._save))
        self.load = button("Open points", "Go on with points that were saved", self.trying(self._load))
        self.read = button("Read answers", "Take the answers of another file to these points", self.trying(self._read))
        self.status = ipw.HTML()
        self.point = 0
        """Position of the point that is shown."""
        self._handled, self._wipe, self._stretch = "", 1.0, _Stretch()
        self._points: Any = None
        self.typed.observe(self.trying(self._type), "value")
        self.lay_out(
            ipw.HBox([self.number, self.design, self.seed], layout={"flex_flow": "row wrap"}),
            self.draw,
            self.progress,
            self.pictures,
            self.choices,
            self.typed,
            ipw.HBox([self.back, self.forward, self.use]),
            self.figures,
            self.path,
            ipw.HBox([self.save, self.load, self.read]),
            self.status,
        )
        self.follow(self._show, "check", "extraction", "bands")
        self.follow(self._keep_areas, "result")

    def answer(self, key: str) -> None:
        """Answer the point that is shown, as its key does, and go to the next point without an answer.

        Args:
            key: 1 to 9 for a class in the order shown, 0 or ? for unsure.

        Raises:
            ExtractionError: If there is no point, or no class has this key.
        """
        names = [*self._check.classes]
        if key in UNSURE_KEYS:
            self._take(UNSURE)
        elif key.isdigit() and int(key) <= len(names):
            self._take(names[int(key) - 1])
        else:
            raise ExtractionError(
                "This key answers nothing",
                found=repr(key),
                expected=f"1 to {min(len(names), LAST_KEY)}, or 0 for unsure",
                fix="Press one of these.",
            )

    def _take(self, answer: str) -> None:
        """Answer the point that is shown, and go to the next point without an answer."""
        check = self._check.answer(self.point, answer)
        self.point = self._after(self.point, check)
        self.state.check = check
        if check.first_unanswered is None:
            self._use()

    @property
    def _check(self) -> MapCheck:
        if self.state.check is None:
            raise ExtractionError(
                "There is no point to answer", found="no points", expected="drawn points", fix="Draw points first."
            )
        check: MapCheck = self.state.check
        return check

    def _draw(self) -> None:
        if self.state.result is None:
            raise ExtractionError(
                "There is no map to check", found="no result", expected="a result", fix="Extract something first."
            )
        self._start(check_map(self.state.result, self.number.value, self.design.value, self.seed.value))

    def _start(self, check: MapCheck) -> None:
        self.state.check = check
        self.typed.focus()

    def _begin(self, check: MapCheck) -> None:
        """Go to the first open point, with the mask wiped off the map: whoever answers must not see it."""
        self._points, self.point, self.figures.value = check.points, check.first_unanswered or 0, ""
        if check.first_unanswered is None:
            self._use()
        elif self.state.wipe > 0:
            self._wipe, self.state.wipe = self.state.wipe, 0.0

    def _type(self) -> None:
        """Take the keys that were typed since the last time; the box keeps them, so that none is lost or doubled."""
        text, before = self.typed.value, self._handled
        self._handled = text
        if text.startswith(before):
            for key in text[len(before) :].replace(" ", ""):
                self.answer(key)
        elif before.startswith(text):
            for _ in before[len(text) :]:
                self._move(-1)

    def _move(self, step: int) -> None:
        check = self._check
        self.point = self._after(self.point, check) if step > 0 else max(self.point - 1, 0)
        self._show()

    @staticmethod
    def _after(point: int, check: MapCheck) -> int:
        """Return the next point without an answer, going round; the last point where all have one."""
        count = len(check.answers)
        order = ((point + step) % count for step in range(1, count + 1))
        return next((position for position in order if check.answers[position] == NO_ANSWER), count - 1)

    def _show(self) -> None:
        check: MapCheck | None = self.state.check
        parts = (self.typed, self.choices, self.back, self.forward, self.use, self.save, self.read)
        for part in parts:
            part.layout.display = "none" if check is None else ""
        if check is None:
            hint = "Draw points of the map, and say what is there." if self.state.extraction else "No result yet."
            self.progress.value, self.pictures.value, self.figures.value = quiet(hint), "", ""
            return
        if check.points is not self._points:
            self._begin(check)
        self._show_choices(check)
        self.progress.value = block(_progress_line(check, self.point))
        self.pictures.value = block(self._pictures(check))

    def _show_choices(self, check: MapCheck) -> None:
        keys = [str(number) if number <= LAST_KEY else "·" for number in range(1, len(check.classes) + 1)]
        labels = {f"{key} {title}": name for key, (name, title) in zip(keys, check.classes.items(), strict=True)}
        labels["0 unsure"] = UNSURE
        if [control.description for control in self.choices.children] == [*labels]:
            return
        for control in self.choices.children:
            control.close()
        self.choices.children = [
            button(label, f"Answer {label}", self.trying(lambda name=name: self._take(name)))
            for label, name in labels.items()
        ]

    def _pictures(self, check: MapCheck) -> str:
        scene, bands = self.state.result_scene, self.state.bands
        row, column = (int(number) for number in check.points.iloc[self.point][["row", "column"]])
        stretch = self._stretch.of(self.state.scene, bands)
        addresses = [data_uri(point_picture(scene, bands, stretch, (row, column), side), "png") for side in SIDES_PX]
        return "".join(
            f"<img src='{address}' alt='Point {self.point + 1}, {side} pixels across' "
            "style='width:48%;max-width:300px;image-rendering:pixelated;margin-right:1%'>"
            for address, side in zip(addresses, SIDES_PX, strict=True)
        )

    def _use(self) -> None:
        """Show the figures, put the areas into the result, and show the mask on the map again."""
        check = self._check
        self.figures.value = block(_figures(check))
        if self.state.wipe == 0:
            self.state.wipe = self._wipe
        if self.state.result is not None:
            self.state.result = check.against(self.state.result).apply()

    def _keep_areas(self) -> None:
        """Put the areas into a result that was measured again after an edit."""
        check, result = self.state.check, self.state.result
        is_done = check is not None and check.first_unanswered is None
        if is_done and result is not None and CHECKED not in result.provenance:
            self.state.result = check.against(result).apply()

    def _save(self) -> None:
        path = self._check.save(Path(self.path.value), overwrite=True)
        self.status.value = quiet(f"Written to {path.absolute()}.")

    def _load(self) -> None:
        if self.state.result is None:
            raise ExtractionError(
                "There is no map to check", found="no result", expected="a result", fix="Extract something first."
            )
        self._start(load_check(Path(self.path.value), self.state.result))
        self.status.value = quiet("The points are open again.")

    def _read(self) -> None:
        other = read_answers(self._check, Path(self.path.value))
        if self._check.answered and other.answered:
            self.status.value = quiet(str(self._check.agreement(other)))
        else:
            self._start(other)


class _Stretch:
    """How bands are stretched over a whole scene, measured once for each scene and choice of bands."""

    def __init__(self) -> None:
        self._scene: Any = None
        self._limits: dict[tuple[str, ...], Any] = {}

    def of(self, scene: Any, bands: tuple[str, ...]) -> Any:
        if scene is not self._scene:
            self._scene, self._limits = scene, {}
        if bands not in self._limits:
            self._limits[bands] = measure_stretch(scene, bands)
        return self._limits[bands]


def _progress_line(check: MapCheck, point: int) -> str:
    done = sum(answer != NO_ANSWER for answer in check.answers)
    answer = check.answers[point]
    given = ""
    if answer != NO_ANSWER:
        mapped = check.mapped[point]
        shown = "no data" if mapped < 0 else [*check.classes.values()][mapped]
        given = f" Answered: {escape(check.classes.get(answer, answer))}. The map shows: {escape(shown)}."
    return f"<strong>Point {point + 1} of {len(check.answers)}.</strong> What is in the square? {done} answered.{given}"


def _figures(check: MapCheck) -> str:
    estimates, rows = check.estimates, []
    for number, (name, title) in enumerate(check.classes.items()):
        accuracies = (estimates.users[number], estimates.producers[number])
        area = "" if name == OTHER else str(check.areas[name])
        rows.append((title, area, *(_percent(share.value, share.low, share.high) for share in accuracies)))
    overall = _percent(estimates.overall.value, estimates.overall.low, estimates.overall.high)
    head = ("class", "area on the ground", "user's accuracy", "producer's accuracy")
    remark = f"The map is right for {overall} of the area. Limits are those of 95 % intervals."
    if check.unsure:
        remark += f" Left out as unsure: {check.unsure}."
    return f"<h4>Accuracy and area</h4>{table(rows, head)}<p>{escape(remark)}</p>"


def _percent(value: float, low: float, high: float) -> str:
    return "–" if value != value else f"{value:.0%} ({low:.0%} to {high:.0%})"  # noqa: PLR0124 (NaN)
