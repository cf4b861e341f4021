"""The workbench: a map that you talk to, with everything that is known of scene and result beside it."""

from __future__ import annotations

from concurrent.futures import Executor
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.scene.open import open_scene
from spex_nb.scene.reader import SceneSource
from spex_nb.scene.samples import reopen, source_of
from spex_nb.types import MaskModel
from spex_widgets.map.link import MapLink
from spex_widgets.messages import STYLE, block
from spex_widgets.panels.editing import EditingPanel
from spex_widgets.panels.export import ExportPanel
from spex_widgets.panels.index import IndexPanel
from spex_widgets.panels.instruction import InstructionPanel
from spex_widgets.panels.layers import LayersPanel
from spex_widgets.panels.panel import close_all, every
from spex_widgets.panels.result import ResultPanel
from spex_widgets.panels.scene import ScenePanel
from spex_widgets.panels.spectra import SpectraPanel
from spex_widgets.panels.training import TrainingPanel
from spex_widgets.session import open_session, save_session
from spex_widgets.state import WorkbenchState

PANELS = (ScenePanel, SpectraPanel, IndexPanel, InstructionPanel, ResultPanel, EditingPanel, ExportPanel, TrainingPanel)
FIRST = "Instruct"


class Workbench(ipw.VBox):  # type: ignore[misc]
    """A notebook map that you talk to.

    Args:
        scene: A Dataset of named bands, a path or whatever `open_scene` takes, the name of a sample, or None to choose
            in the notebook.
        model: ``index``, ``tiny``, a folder, or any `MaskModel`; the model that ships if not given, else the index.
        map: A ``leafmap.Map`` to work on; a new one if not given.
        executor: Where jobs are done; threads of its own if not given.
        root: Folder that files may be chosen from; the current one if not given.
        view: What stands in for `MapView`, such as in tests.

    Raises:
        SpexError: As `open_scene`.
    """

    def __init__(
        self,
        scene: Any = None,
        model: str | Path | MaskModel | None = None,
        map: Any = None,  # noqa: A002 (its name)
        executor: Executor | None = None,
        *,
        root: str | Path | None = None,
        view: Any = None,
    ) -> None:
        super().__init__()
        opened, origin = _opened(scene)
        self.state = WorkbenchState(opened, model, origin=origin, executor=executor)
        """What the workbench is about; change it, and panels and map follow."""
        self.view = _new_view(map, executor) if view is None else view
        self.panels = {
            kind.title: kind(self.state, root) if kind is ScenePanel else kind(self.state) for kind in PANELS
        }
        """By title."""
        self.layers = LayersPanel(self.state)
        self._link = MapLink(self.state, self.view)
        self._is_own_map = map is None
        self.view.on_notice, self.view.on_shown = self._show_head, self._say_again
        self.tabs = ipw.ToggleButtons(
            options=[*self.panels],
            value=FIRST if scene is not None else ScenePanel.title,
            tooltips=[f"Show the panel {title}" for title in self.panels],
            style={"button_width": "auto"},
        )
        self.shown = ipw.Stack([*self.panels.values()])
        self.head = ipw.HTML()
        self.tabs.observe(self._turn, "value")
        self.state.observe(self._show_head, ["scene", "busy", "error"])
        self.state.observe(self._show_result, ["extraction"])
        self._turn()
        self._show_head()
        self._lay_out()

    @property
    def map(self) -> Any:
        """The ``leafmap.Map``."""
        return self.view.map

    @property
    def result(self) -> Any:
        """The `Extraction` as edited; None where there is none, or while it is measured."""
        return self.state.result

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Save the session; see `save_session`."""
        return save_session(self.state, path, overwrite=overwrite)

    def reopen(self, path: str | Path) -> None:
        """Go on with a session; see `open_session`."""
        open_session(self.state, path)

    def show(self, title: str) -> None:
        """Turn to a panel by its title."""
        self.tabs.value = title

    def _lay_out(self) -> None:
        narrow = {"flex": "1 1 380px", "min_width": "340px", "max_height": "640px", "overflow": "auto"}
        self._side = ipw.VBox([self.tabs, self.shown], layout=narrow)
        self._left = ipw.VBox([self.view.widget, self.layers], layout={"flex": "1 1 520px", "min_width": "320px"})
        body = ipw.HBox([self._left, self._side], layout={"flex_flow": "row wrap", "width": "100%"})
        self.children = [ipw.HTML(STYLE, layout={"display": "none"}), self.head, body]

    def _turn(self, _change: Any = None) -> None:
        self.shown.selected_index = [*self.panels].index(self.tabs.value)

    def _show_head(self, _what: Any = None) -> None:
        state = self.state
        what = "no scene" if state.scene is None else str(state.origin)
        busy = f" · <em>{escape(state.busy)} …</em>" if state.busy else ""
        wrong = " · <strong>see the tab 'Edit'</strong>" if state.error is not None else ""
        notice = f" · {escape(self.view.notice)}" if self.view.notice else ""
        self.head.value = block(f"<strong>spex_nb</strong> · {escape(what)}{busy}{wrong}{notice}")

    def _show_result(self, _change: Any) -> None:
        if self.state.extraction is not None:
            self.show(ResultPanel.title)

    def _say_again(self) -> None:
        """Send all but the map once more: what changed while a page was loading its widgets never arrived there."""
        for one in every((self.head, self.layers, self._side)):
            one.send_state()

    def close(self) -> None:
        """Stop all jobs, and let go of scene, model, files, threads and widgets; a map that was given stays."""
        self._link.close()
        for panel in self.panels.values():
            panel.close()
        self.panels = {}
        self.layers.close()
        self.view.on_notice, self.view.on_shown = _nobody_listens, _nobody_listens
        self.view.close()
        self.state.close()
        if not self._is_own_map:
            self._left.children = ()
        close_all(self.children)
        self.children = []
        super().close()


def _opened(scene: Any) -> tuple[Any, SceneSource]:
    if scene is None:
        return None, SceneSource()
    source = source_of(scene)
    if isinstance(scene, str | Path):
        return reopen(source), source
    is_scene = hasattr(scene, "spex")
    return (scene if is_scene else open_scene(scene)), source


def _nobody_listens(*_: str) -> None:
    """Keep a map that stays from holding on to the workbench."""


def _new_view(given: Any, executor: Executor | None) -> Any:
    from spex_widgets.map.view import MapView

    return MapView(given, executor)
