"""Two scenes and what changed between them, as pictures on a map that may show others beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipyleaflet
import xarray as xr

from spex_nb.analysis.change.result import CLASS_COLORS, GAINED, LOST, Change
from spex_nb.output import map_images
from spex_nb.output.web_mercator import View, WebGrid
from spex_nb.scene.windows.pyramid import Pyramid
from spex_widgets.jobs import Failed, Jobs
from spex_widgets.map.images import Draw, MapImages
from spex_widgets.map.swipe import Swipe
from spex_widgets.map.viewport import Viewport

NAMES = ("before", "after", "change")
NEAR_INFRARED = ("nir", "red", "green")


class ComparedLayers:
    """The pictures of a change, and the handle between the two scenes.

    Args:
        map: The map widget.
        jobs: Where pictures are drawn.
        failed: Called with what a drawing raised.
    """

    def __init__(self, map: Any, jobs: Jobs, failed: Failed) -> None:  # noqa: A002 (its name)
        self._map = map
        self._place: WebGrid | None = None
        self.layers = {name: ipyleaflet.ImageOverlay(name=name) for name in NAMES}
        self.swipe = Swipe(map)
        self._images = MapImages(self.layers, self._view, jobs, failed)
        self._viewport = Viewport(map, _ignore, self._images.follow_move)

    def show(self, change: Change, before: xr.Dataset, after: xr.Dataset, target: str) -> None:
        """Lay two scenes and the gain and loss of a target on the map.

        Args:
            change: Of the two scenes.
            before: The scene before, bands [H, W].
            after: The scene after.
            target: Whose change is shown.
        """
        classes = Pyramid(change.classes[target])
        self._place = WebGrid(classes.grid)
        pictures = {"before": _scene_picture(before), "after": _scene_picture(after)}
        for name, draw in pictures.items():
            self._images.put(name, draw, "webp")
        self._images.put("change", lambda view: _change_picture(classes, view), "png")
        self.swipe.between(
            self.layers["before"],
            self.layers["after"],
            front=[self.layers["change"]],
            labels=(change.date_before or "before", change.date_after or "after"),
        )
        self._lay([*self.layers.values()])

    def set_mode(self, mode: str, *, with_change: bool) -> None:
        """Choose how the scenes are seen: ``off``, ``swipe``, ``blink`` or ``both``; and whether the change is too."""
        self.swipe.mode = mode
        self.layers["change"].opacity = 1.0 if with_change else 0.0

    def clear(self) -> None:
        """Take all pictures off the map."""
        self.swipe.mode = "off"
        for name in NAMES:
            self._images.drop(name)
        self._lay([])

    def close(self) -> None:
        """Take all pictures off the map, and let go of it."""
        self._viewport.close()
        self._images.close()
        self.clear()
        for widget in (*self.layers.values(), self.swipe):
            widget.close()

    def _lay(self, layers: Sequence[Any]) -> None:
        others = [layer for layer in self._map.layers if layer not in self.layers.values()]
        self._map.layers = (*others, *layers)

    def _view(self, margin_frac: float) -> View | None:
        return None if self._place is None else self._viewport.view(self._place, margin_frac)


def _scene_picture(scene: xr.Dataset) -> Draw:
    """Return what draws a scene, in true colour or else in near infrared."""
    pyramid = Pyramid(scene)
    bands = _shown_bands(scene)
    stretches: list[Any] = []

    def draw(view: View) -> bytes:
        if not stretches:
            stretches.append(map_images.measure_stretch(pyramid, bands))
        return map_images.encode_webp(map_images.render_scene(pyramid, view, bands, stretches[0]))

    return draw


def _shown_bands(scene: xr.Dataset) -> tuple[str, ...]:
    names: tuple[str, ...] = scene.spex.bands
    for wanted in (("red", "green", "blue"), NEAR_INFRARED):
        if set(wanted) <= set(names):
            return wanted
    return names[:1] * 3


def _change_picture(classes: Pyramid, view: View) -> bytes:
    """Draw gain in blue and loss in vermilion; what was kept is left to the scene."""
    colors = {number: CLASS_COLORS[number] for number in (GAINED, LOST)}
    return map_images.encode_png(map_images.render_mask(classes, colors, view))


def _ignore() -> None:
    """Do nothing when a page shows the map for the first time: the workbench sends all layers then."""
