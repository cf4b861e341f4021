"""The observable state of a workbench. Panels and map are views of it; it computes nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import traitlets
import xarray as xr

from spex_nb.extraction.mask_models import load_mask_model, usual_model
from spex_nb.extraction.refine import UserPrompts
from spex_nb.regions.editing import History
from spex_nb.scene.reader import SceneSource
from spex_nb.scene.samples import source_of
from spex_nb.types import MaskModel, Window
from spex_widgets.jobs import Jobs

TOOLS = {
    "look": "look",
    "spectrum": "spectra",
    "add": "+ point",
    "remove": "− point",
    "box": "box",
    "paint": "brush",
    "erase": "eraser",
    "split": "split",
    "merge": "merge",
    "delete": "delete",
}
"""What a click on the map does, and the text of its button."""


class ByIdentity(traitlets.Any):
    """A trait that changes whenever it gets another object, since scenes and masks have no useful ``==``."""

    def set(self, obj: Any, value: Any) -> None:
        """Take a value, and notify the observers unless it is the very same object."""
        old = obj._trait_values.get(self.name, self.default_value)
        obj._trait_values[self.name] = value
        if old is not value:
            obj._notify_trait(self.name, old, value)


class Preview(NamedTuple):
    """A prior that the map shows while the user moves its threshold."""

    target: str
    threshold: float | None
    """None takes the measured threshold."""


class WorkbenchState(traitlets.HasTraits):
    """The values that panels and map share.

    Args:
        scene: Bands [H, W], or None until one is opened.
        model: A name, a folder, or a `MaskModel`. By default the model that ships or, without torch, the index.
        source: Where the scene comes from (default: what the scene itself states).
        executor: Where jobs run (default: four threads).
    """

    scene = ByIdentity(None, allow_none=True)
    source = traitlets.Instance(SceneSource, args=())
    """Where the scene comes from, for sessions."""
    bands = traitlets.Tuple()
    """Names of the three bands that the map shows as red, green and blue."""
    index = traitlets.Unicode("")
    """Name of the index that the map shows instead of bands; empty for none."""
    model = ByIdentity()
    text = traitlets.Unicode("")
    """The text of the instruction."""
    instruction = ByIdentity(None, allow_none=True)
    """The parsed instruction; None where the parser does not understand the text."""
    past = traitlets.Tuple()
    """Texts of earlier instructions, the last one first."""
    preview = ByIdentity(None, allow_none=True)
    """A `Preview` that the map shows instead of the mask; None for none."""
    layer = traitlets.Enum(["mask", "probability"], "mask")
    """The layer of the result that the map shows."""
    opacity = traitlets.Float(0.7, min=0, max=1)
    """Opacity of that layer, 0..1."""
    wipe = traitlets.Float(1.0, min=0, max=1)
    """The layer is shown left of this share of the map's width, 0..1."""
    extraction = ByIdentity(None, allow_none=True)
    """The result before any edit; None for none."""
    window = traitlets.Tuple(default_value=(0, 0, 0, 0))
    """(row, column, height, width) of the part of the scene that the result covers, px."""
    mask = ByIdentity(None, allow_none=True)
    """The mask with all edits: uint8 [h, w]; None for none."""
    history = traitlets.Instance(History, args=())
    result = ByIdentity(None, allow_none=True)
    """The result of the edited mask; None for none, and while an edit is measured."""
    region = traitlets.Int(-1)
    """Row of the chosen region in the table of the result; -1 for none."""
    tool = traitlets.Enum([*TOOLS], "look")
    brush_px = traitlets.Int(4, min=1)
    number = traitlets.Int(1, min=1)
    """Number of the class that strokes paint and clicks refine."""
    user_prompts = traitlets.Instance(UserPrompts, args=())
    """Clicks and boxes, in pixels of the scene."""
    anchor = ByIdentity(None, allow_none=True)
    """The first of two clicks: (x, y) in pixels of the scene."""
    points = traitlets.Dict()
    """Points whose spectra are shown: (x, y) in pixels of the scene, by label."""
    point_name = traitlets.Unicode("")
    """Label of the next point."""
    busy = traitlets.Unicode("")
    """The work that goes on, in words; empty for none."""
    error = ByIdentity(None, allow_none=True)
    """The error of the last edit; None for none."""

    def __init__(
        self,
        scene: xr.Dataset | None = None,
        model: str | Path | MaskModel | None = None,
        *,
        source: SceneSource | None = None,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(model=usual_model() if model is None else model)
        self.jobs = Jobs(executor)
        self.visible_window: Callable[[], Window | None] | None = None
        """Returns the window of the scene that the map shows; None without a map."""
        self.model_lock = Lock()
        """Guards the model, which keeps the features of one tile at a time."""
        self._loaded: tuple[Any, MaskModel] | None = None
        if scene is not None:
            self.show_scene(scene, source or source_of(scene))

    def show_scene(self, scene: xr.Dataset, source: SceneSource) -> None:
        """Show another scene, and drop the result of the last one."""
        with self.hold_trait_notifications():
            self.forget_result()
            self.source, self.index, self.points = source, "", {}
            self.bands = usual_bands(scene)
            self.scene = scene

    def forget_result(self) -> None:
        """Drop mask, regions and edits."""
        with self.hold_trait_notifications():
            self.extraction = self.result = self.mask = self.preview = self.anchor = self.error = None
            self.history, self.user_prompts, self.region, self.number = History(), UserPrompts(), -1, 1

    def show_result(self, extraction: Any, window: Window) -> None:
        """Show a new result.

        Args:
            extraction: The extraction from the scene, or from a window of it.
            window: (row, column, height, width) of the part that it covers, px.
        """
        with self.hold_trait_notifications():
            self.forget_result()
            self.window, self.extraction, self.result, self.mask = window, extraction, extraction, extraction.mask

    def add_point(self, x: float, y: float) -> None:
        """Add a point whose spectrum is shown; a label that exists already gets a number.

        Args:
            x: In pixels of the scene.
            y: In pixels of the scene.
        """
        name, taken = self.point_name.strip() or "point", self.points
        numbered = (f"{name} {number}" for number in range(2, len(taken) + 3))
        self.points = {**taken, next(text for text in (name, *numbered) if text not in taken): (int(x), int(y))}

    @property
    def result_scene(self) -> xr.Dataset:
        """The part of the scene that the result covers."""
        return self.scene.spex.window(*self.window)  # type: ignore[no-any-return]

    @property
    def view_window(self) -> Window:
        """(row, column, height, width) of the part of the scene that the map shows, px; all of it without a map."""
        seen = None if self.visible_window is None else self.visible_window()
        return seen or (0, 0, *self.scene.spex.shape)

    def loaded_model(self) -> MaskModel:
        """Return the model; the first call loads it, which takes seconds.

        Raises:
            CheckpointError, MissingExtraError: If it cannot be loaded.
        """
        if self._loaded is None or self._loaded[0] is not self.model:
            self._loaded = self.model, load_mask_model(self.model)
        return self._loaded[1]

    def close(self) -> None:
        """Free scene, model, result and threads."""
        self.unobserve_all()
        self.jobs.close()
        self.forget_result()
        self.scene = self.model = self._loaded = self.visible_window = None


def usual_bands(scene: xr.Dataset) -> tuple[str, ...]:
    """Return the bands that show a scene in true colour; its first one in grey where it lacks them."""
    natural = ("red", "green", "blue")
    return natural if set(natural) <= set(scene.spex.bands) else scene.spex.bands[:1] * 3
