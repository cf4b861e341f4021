"""What a workbench is about, as one value that can be observed: panels and map are views of it. It computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import traitlets
import xarray as xr

from spex_nb.extraction import extract
from spex_nb.extraction.mask_models import load_mask_model, model_at_scale, usual_model
from spex_nb.extraction.planning.target_assignment import answered_targets
from spex_nb.extraction.refine import UserPrompts
from spex_nb.output.scratch import PREFIX as SCRATCH
from spex_nb.regions.editing import History
from spex_nb.scene.samples import source_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.types import MaskModel, Window
from spex_nb.types.targets import TARGETS
from spex_widgets.jobs import Jobs, record_warnings

TOOLS = {
    "look": "look",
    "measure": "measure",
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
"""What a click on the map does, and how it is called."""
LAYERS = ("points", "outlines", "result", "index", "scene")
"""Layers of the map that can be hidden, the highest first."""


WARMING_PX = 64
"""Side of the corner that the model is asked about before anybody asks."""


def scene_label(source: SceneSource) -> str:
    """Return what the user calls a scene: an uploaded file lies in a folder whose name says nothing."""
    path = Path(source.name)
    return f"{path.name} (uploaded)" if path.parent.name.startswith(SCRATCH) else str(source)


class ByIdentity(traitlets.Any):
    """An attribute that changes whenever it holds another object: scenes and masks have no useful ``==``."""

    def set(self, obj: Any, value: Any) -> None:
        """Take over a value, and say so unless it is the very same object."""
        old = obj._trait_values.get(self.name, self.default_value)
        obj._trait_values[self.name] = value
        if old is not value:
            obj._notify_trait(self.name, old, value)


class Preview(NamedTuple):
    """A prior that is tried on the map."""

    target: str
    threshold: float | None
    """None for the measured one."""


class PromptStep(NamedTuple):
    """What a step by hand did to the points and boxes, so that it can be undone."""

    number: int
    """Of the class that they were of."""
    before: UserPrompts
    after: UserPrompts


class OtherScene(NamedTuple):
    """The scene that the open one was compared with."""

    source: SceneSource
    is_later: bool
    """Whether it is the scene after."""


class WorkbenchState(traitlets.HasTraits):
    """All that panels and map share.

    Args:
        scene: Bands [H, W], or None until one is opened.
        model: A name, a folder, or a `MaskModel`; the model that ships if not given, else the spectral index.
        executor: Where jobs are done; separate threads if not given.
    """

    scene = ByIdentity(None, allow_none=True)
    source = traitlets.Instance(SceneSource, args=())
    """Where the scene comes from, for sessions."""
    bands = traitlets.Tuple()
    """The three that are shown as red, green and blue."""
    index = traitlets.Unicode("")
    """Name of the index that is shown instead of them."""
    model = ByIdentity()
    text = traitlets.Unicode("")
    """The instruction as typed."""
    instruction = ByIdentity(None, allow_none=True)
    """As understood; None where it is not."""
    taught = traitlets.Tuple()
    """Taught classes that instructions may name."""
    past = traitlets.Tuple()
    """Instructions that were carried out, last first."""
    preview = ByIdentity(None, allow_none=True)
    """A `Preview` that is shown instead of the mask."""
    layer = traitlets.Enum(["mask", "probability", "doubt"], "mask")
    """What of the result the map shows."""
    opacity = traitlets.Float(0.7, min=0, max=1)
    """Of it."""
    wipe = traitlets.Float(1.0, min=0, max=1)
    """It is shown left of this share of the map's width only."""
    hidden = traitlets.Tuple()
    """Names of the layers that the map does not show, out of `LAYERS`."""
    strengths: traitlets.Dict[str, float] = traitlets.Dict()
    """Opacity 0..1 of ``scene`` and ``index``; 1 where a name is missing."""
    ruler = traitlets.Tuple()
    """Points (x, y) of the line that is measured, in pixels of the scene."""
    extraction = ByIdentity(None, allow_none=True)
    """The result as it was extracted."""
    window = traitlets.Tuple(default_value=(0, 0, 0, 0))
    """(row, column, height, width) of the scene that it covers."""
    mask = ByIdentity(None, allow_none=True)
    """Its mask, with all edits: uint8 [h, w]."""
    history = traitlets.Instance(History, args=())
    result = ByIdentity(None, allow_none=True)
    """The result of the edited mask; None while it is measured."""
    change = ByIdentity(None, allow_none=True)
    """The `Change` between the scene and another one; None without one."""
    other = ByIdentity(None, allow_none=True)
    """The `OtherScene` of the change; None without one."""
    check = ByIdentity(None, allow_none=True)
    """The `MapCheck` of the result: points and answers; None without one."""
    districts = ByIdentity(None, allow_none=True)
    """The table of `zonal_table`, with the polygons of the user; None where nothing was measured."""
    spot = traitlets.Tuple()
    """(row, column, height, width) of the scene that the map goes to; empty for none."""
    region = traitlets.Int(-1)
    """Row of the chosen region in the result's table; -1 for none."""
    tool = traitlets.Enum([*TOOLS], "look")
    brush_px = traitlets.Int(4, min=1)
    number = traitlets.Int(1, min=1)
    """Of the class that is painted and clicked at."""
    user_prompts = traitlets.Instance(UserPrompts, args=())
    """Clicks and boxes, in pixels of the scene."""
    prompt_steps: traitlets.Dict[int, Any] = traitlets.Dict()
    """By the number of an edit that points and boxes belong to: its `PromptStep`."""
    pending_step = ByIdentity(None, allow_none=True)
    """The `PromptStep` that the model is asked about; None where it is not asked."""
    anchor = ByIdentity(None, allow_none=True)
    """The first of two clicks: (x, y) in pixels of the scene."""
    points = traitlets.Dict()
    """Points whose spectra are shown: label → (x, y) in pixels of the scene."""
    point_name = traitlets.Unicode("")
    """What the next of them is called."""
    busy = traitlets.Unicode("")
    """What goes on; empty when nothing does."""
    error = ByIdentity(None, allow_none=True)
    """What went wrong with an edit."""

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
        """Says what is seen of the scene, where there is a map."""
        self.turn_to: Callable[[str], object] | None = None
        """Shows the panel of a title, where there are several."""
        self.model_lock = Lock()
        """ByIdentity by who asks the model: it keeps the features of one tile at a time."""
        self._loaded: tuple[Any, MaskModel] | None = None
        self._answering: tuple[Any, float | None, MaskModel] | None = None
        self._load_lock = Lock()
        if scene is not None:
            self.show_scene(scene, source or source_of(scene))

    def show_scene(self, scene: xr.Dataset, source: SceneSource) -> None:
        """Go over to another scene; what was found in the last one is let go."""
        with self.hold_trait_notifications():
            self.forget_result()
            self.source, self.index, self.points, self.ruler = source, "", {}, ()
            self.change = self.other = None
            self.bands = usual_bands(scene)
            self.scene = scene

    def forget_result(self) -> None:
        """Let go of mask, regions and edits."""
        with self.hold_trait_notifications():
            self.extraction = self.result = self.mask = self.preview = self.anchor = self.error = None
            self.check = self.districts = None
            if self.pending_step is not None:
                self.pending_step, self.busy = None, ""
            self.history, self.user_prompts, self.region, self.number = History(), UserPrompts(), -1, 1
            self.prompt_steps = {}

    def show_result(self, extraction: Any, window: Window) -> None:
        """Take over a new result.

        Args:
            extraction: Of the scene, or of a window of it.
            window: (row, column, height, width) that it covers.
        """
        with self.hold_trait_notifications():
            self.forget_result()
            self.window, self.extraction, self.result, self.mask = window, extraction, extraction, extraction.mask

    def add_point(self, x: float, y: float) -> None:
        """Add a point whose spectrum is shown; names that are taken get a number.

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
        """(row, column, height, width) of what is seen of the scene: all of it where there is no map."""
        seen = None if self.visible_window is None else self.visible_window()
        return seen or (0, 0, *self.scene.spex.shape)

    def loaded_model(self) -> MaskModel:
        """Return the model for the pixels of the scene, loaded once; takes seconds the first time.

        Raises:
            CheckpointError, MissingExtraError: If it cannot be loaded.
        """
        with self._load_lock:  # who asks while it is loaded waits for it
            if self._loaded is None or self._loaded[0] is not self.model:
                self._loaded = self.model, load_mask_model(self.model)
            loaded = self._loaded[1]
        if self.scene is None:
            return loaded
        gsd_m = self.scene.spex.gsd_m
        answering = model_at_scale(loaded, gsd_m)
        self._answering = self.model, gsd_m, answering
        return answering

    def answered_targets(self) -> tuple[str, ...]:
        """Return the targets that the model answers in the scene; none until it is loaded for such pixels."""
        if self.scene is None or self._answering is None or self._answering[:2] != (self.model, self.scene.spex.gsd_m):
            return ()
        return answered_targets(self._answering[2], self.scene)

    def load_model_meanwhile(self) -> None:
        """Load the model beside the kernel, and ask it once about a corner of the scene: the first question is slow.

        Who asks for the model reports what is wrong with it.
        """
        self.jobs.start(lambda _job: record_warnings(self._ask_once), _drop, _drop)

    def _ask_once(self) -> None:
        """Ask about one small window, and drop the answer; later questions find everything loaded."""
        model, scene = self.loaded_model(), self.scene
        if scene is not None and model.card.targets:
            height, width = scene.spex.shape
            corner = scene.spex.window(0, 0, min(height, WARMING_PX), min(width, WARMING_PX))
            with self.model_lock:
                extract(corner, TARGETS[model.card.targets[0]].word, model, progress=False)

    def close(self) -> None:
        """Let go of scene, model, result and threads."""
        self.unobserve_all()
        self.jobs.close()
        self.forget_result()
        self.scene = self.model = self._loaded = self._answering = self.visible_window = self.turn_to = None


def _drop(_outcome: object) -> None:
    """Do nothing with what came of a job."""


def usual_bands(scene: xr.Dataset) -> tuple[str, ...]:
    """Return the bands that show a scene in true colour; its first one in grey where it lacks them."""
    natural = ("red", "green", "blue")
    return natural if set(natural) <= set(scene.spex.bands) else scene.spex.bands[:1] * 3


class StateObserver:
    """What a view follows in a state, so that the view can let go of it.

    Args:
        state: That the view shows.
    """

    def __init__(self, state: WorkbenchState) -> None:
        self._state = state
        self._followed: list[tuple[Callable[[Any], None], list[str]]] = []

    def follow(self, show: Callable[[], None], *names: str) -> None:
        """Call ``show`` whenever one of these traits of the state changes."""

        def changed(_change: Any) -> None:
            show()

        self._state.observe(changed, list(names))
        self._followed.append((changed, list(names)))

    def close(self) -> None:
        """Follow nothing any more."""
        for changed, names in self._followed:
            with suppress(ValueError):  # the state was closed first
                self._state.unobserve(changed, names)
        self._followed.clear()
