"""Between state and map: what the state says is shown, what is done on the map changes the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from spex_nb.errors import GridError
from spex_nb.refining import Hints
from spex_nb.targets import TARGETS
from spex_nb.types import Point
from spex_widgets import editor
from spex_widgets.state import WorkbenchState


class MapLink:
    """Keeps a map and a state alike.

    Args:
        state: Of the workbench.
        view: A `MapView`.
    """

    def __init__(self, state: WorkbenchState, view: Any) -> None:
        self.state, self.view = state, view
        state.visible_window = view.visible_window
        self._is_clicking = False
        self._ties: list[tuple[Callable[[Any], None], list[str]]] = []
        self._follow(self._show_scene, "scene")
        self._follow(self._show_picture, "bands", "index")
        self._follow(self._show_mask, "mask", "preview")
        self._follow(self._show_regions, "result")
        self._follow(self._show_region, "region")
        self._show_scene()
        self._show_mask()
        self._show_regions()
        view.on_click(self._clicked)
        view.on_draw_box(self._boxed)
        view.on_brush(self._brushed)

    def _follow(self, show: Callable[[], None], *names: str) -> None:
        def changed(_change: Any) -> None:
            show()

        self.state.observe(changed, list(names))
        self._ties.append((changed, list(names)))

    def _show_scene(self) -> None:
        if self.state.scene is not None:
            self.view.set_scene(self.state.scene)
            self._show_picture()
            self.view.zoom_to_scene()

    def _show_picture(self) -> None:
        if self.state.scene is None:
            return
        if self.state.index:
            self.view.show_index(self.state.index)
        elif self.state.bands:
            self.view.show_composite(self.state.bands)

    def _show_mask(self) -> None:
        state = self.state
        if state.preview is not None:
            self.view.set_mask(state.preview, {state.preview_target: TARGETS[state.preview_target].word})
        elif state.mask is not None:
            self.view.set_mask(state.mask, state.extraction.class_names)
            self.view.set_probability(state.extraction.probability)
        else:
            self.view.clear_mask()

    def _show_regions(self) -> None:
        result = self.state.result
        self.view.set_regions(None if result is None else result.regions)

    def _show_region(self) -> None:
        region = self.state.region
        self.view.select_region(None if region < 0 else region)
        if region >= 0 and not self._is_clicking:
            self.view.zoom_to_region(region)

    def _clicked(self, row: float, col: float, _x_crs: float, _y_crs: float) -> None:
        if self.state.scene is not None and self._is_inside(row, col):
            self._is_clicking = True
            self._trying(lambda: editor.click(self.state, (col + 0.5, row + 0.5)))
            self._is_clicking = False

    def _boxed(self, x0: float, y0: float, x1: float, y1: float) -> None:
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        hints = self.state.hints
        self._trying(lambda: editor.hint(self.state, Hints(hints.clicks, (*hints.boxes, box))))

    def _brushed(self, stroke: Sequence[Point]) -> None:
        if self.state.tool in ("paint", "erase") and stroke:
            self._trying(lambda: editor.draw(self.state, list(stroke)))

    def _trying(self, action: Callable[[], None]) -> None:
        """Do something that a hand on the map asked for; what goes wrong is the state's error, whatever it is."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 (the map has no place to show it; the panels do)
            self.state.error = error

    def _is_inside(self, row: float, col: float) -> bool:
        height, width = self.state.scene.spex.shape
        inside: bool = 0 <= row < height and 0 <= col < width
        if not inside:
            self.state.error = GridError(
                "The click lies outside the scene", found=f"row {row:.0f}, column {col:.0f}",
                expected=f"{height} × {width} px", fix="Click on the scene.",
            )  # fmt: skip
        return inside

    def close(self) -> None:
        """Let go of the state; the map is closed by who made it."""
        for changed, names in self._ties:
            with suppress(ValueError):  # the state was closed first
                self.state.unobserve(changed, names)
        self._ties.clear()
        self.state.visible_window = None
