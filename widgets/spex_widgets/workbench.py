"""The workbench: a map that takes instructions, with panels beside it for scene, result and everything between."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.extraction.planning.taught_names import names_of_classes
from spex_nb.language.instructions import parse_instruction
from spex_nb.scene.guard import QUESTION
from spex_nb.scene.reopen import as_scene
from spex_nb.scene.samples import reopen, source_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.types import Instruction, MaskModel
from spex_widgets import editor
from spex_widgets.jobs import Job
from spex_widgets.map.browser_side import BrowserSide
from spex_widgets.map.link import MapLink
from spex_widgets.map.tools import ToolsPanel
from spex_widgets.messages import STYLE, block
from spex_widgets.panels.catalogue import CataloguePanel
from spex_widgets.panels.check import CheckPanel
from spex_widgets.panels.compare import ComparePanel
from spex_widgets.panels.districts import DistrictsPanel
from spex_widgets.panels.editing import EditingPanel
from spex_widgets.panels.export import ExportPanel
from spex_widgets.panels.index import IndexPanel
from spex_widgets.panels.instruction import FRESH, WHOLE, WINDOW, InstructionPanel
from spex_widgets.panels.layers import LayersPanel
from spex_widgets.panels.panel import Panel, close_all, walk_widgets
from spex_widgets.panels.result import ResultPanel
from spex_widgets.panels.scene import ScenePanel
from spex_widgets.panels.spectra import SpectraPanel
from spex_widgets.panels.teach import TeachPanel
from spex_widgets.panels.training import TrainingPanel
from spex_widgets.session import open_session, save_session
from spex_widgets.state import WorkbenchState, scene_label
from spex_widgets.still import still_png, still_text
from spex_widgets.workbench_style import WORKBENCH_STYLE

PANELS = (
    ScenePanel,
    CataloguePanel,
    SpectraPanel,
    IndexPanel,
    InstructionPanel,
    ResultPanel,
    EditingPanel,
    TeachPanel,
    CheckPanel,
    DistrictsPanel,
    ComparePanel,
    ExportPanel,
    TrainingPanel,
)

WITH_ROOT = (ScenePanel, ComparePanel, DistrictsPanel)
"""Panels that open files, and only below one folder."""
TABS = {"Ask": ("Ask", "Result"), "Correct": ("Correct",), "Save": ("Save",)}
"""Titles of the panels that each tab shows, one below the other. All other panels stand behind "More"."""
HEIGHT = "min(70vh, 720px, 100vh - 240px)"
"""Of map and panel: the rest of the window is left to the page, whose bars and first lines take 240 pixels."""
PANEL_WIDTH = "max(300px, 36%)"
DOUBT = " · <strong>these numbers cannot be reflectance: see the tab 'Scene'</strong>"


class Workbench(ipw.VBox):  # type: ignore[misc]
    """A notebook map that takes instructions.

    Args:
        scene: A Dataset of named bands, a path or whatever `open_scene` takes, the name of a sample, or None to choose
            in the notebook (default).
        model: ``index``, ``tiny``, a folder, or any `MaskModel`. By default the model that ships or, without torch, the
            index.
        map: A ``leafmap.Map`` to work on (default: a new one).
        executor: Where jobs run (default: four threads).
        root: Folder that files may be chosen from (default: the current one).
        view: An object in the place of `MapView`, such as in tests.
        height: Of map and panel, in CSS (default: 70 % of the window's height, 720 pixels at most).

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
        height: str = HEIGHT,
    ) -> None:
        super().__init__()
        self.add_class("spex-workbench")
        opened, source = _opened(scene)
        self.state = WorkbenchState(opened, model, source=source, executor=executor)
        """The observable state; change it, and panels and map follow."""
        self.view = _new_view(map, executor) if view is None else view
        self.panels: dict[str, Any] = {
            kind.title: kind(self.state, root) if kind in WITH_ROOT else kind(self.state) for kind in PANELS
        }
        """The panels by their titles."""
        self.layers = LayersPanel(self.state)
        self.tools = ToolsPanel(self.state, self.view.zoom_to_scene)
        self._browser_side = BrowserSide(self.view.widget, str(self.model_id), self._hear)
        self._link = MapLink(self.state, self.view)
        self.panels[ComparePanel.title].show_on(getattr(self.view, "map", None))
        self._made_map = map is None
        self.view.on_notice, self.view.on_shown = self._show_head, self._take_page
        titles_of_tabs = {title for titles in TABS.values() for title in titles}
        self._pages = TABS | {title: (title,) for title in self.panels if title not in titles_of_tabs}
        self.tabs = ipw.ToggleButtons(
            options=[*TABS],
            tooltips=[f"Show {' and '.join(titles)}" for titles in TABS.values()],
            style={"button_width": "auto"},
        )
        self.more = ipw.Dropdown(
            options=[("More …", ""), *((title, title) for title in self._pages if title not in TABS)],
            layout={"width": "96px"},
            tooltip="Further panels",
        )
        self.shown = ipw.Stack([self._page(name) for name in self._pages])
        self.head = ipw.HTML()
        self.tabs.observe(self._turn, "value")
        self.more.observe(self._turn, "value")
        self.state.observe(self._show_head, ["scene", "busy", "error"])
        self.state.observe(self._show_result, ["extraction"])
        self.state.observe(self._tell_browser, ["tool", "brush_px", "scene"])
        self._show_first(height)
        self._first_values = {
            (widget, name): getattr(widget, name) for widget in self._widgets() for name in _input_names(widget)
        }
        """Of controls that users change, as they were when the workbench was made."""

    def _page(self, name: str) -> ipw.VBox:
        """Return a page of the panels that a tab, or a line of the list behind "More", shows."""
        page = ipw.VBox([self.panels[title] for title in self._pages[name]])
        page.add_class("spex-page")
        page.add_class(f"spex-page-{name.lower().replace(' ', '-')}")
        return page

    def _show_first(self, height: str) -> None:
        """Turn to the first panel, and lay everything out."""
        self.state.turn_to = self.show
        self.show(_first_panel(self.state.scene))
        self._show_head()
        self._tell_browser()
        self._lay_out(height)

    @property
    def map(self) -> Any:
        """The ``leafmap.Map``."""
        return self.view.map

    @property
    def result(self) -> Any:
        """The `Extraction` with all edits; None before the first one, and while an edit is measured."""
        return self.state.result

    def ask(self, text: str) -> Instruction:
        """Set the instruction, as if it was typed.

        Args:
            text: What to extract, in any of the nine languages.

        Returns:
            The instruction as the parser understands it; ``meaning`` repeats it in words.

        Raises:
            InstructionError: If the parser does not understand the text.
        """
        self.state.text = text
        return parse_instruction(text, self.state.answered_targets(), classes=names_of_classes(self.state.taught))

    def extract(self, *, visible_only: bool | None = None) -> Job:
        """Start to extract what the instruction asks for; the notebook stays usable meanwhile.

        Args:
            visible_only: Whether only the part of the scene that the map shows is searched. None takes the choice in
                the panel, which is the whole scene at first.

        Returns:
            The job, which `cancel()` stops. `result` holds the extraction once `is_over` is true.

        Raises:
            EmptySceneError: If there is no scene.
            ExtractionError: If another extraction is running.
            InstructionError: If there is no instruction that the parser understands.
        """
        panel = self.panels[InstructionPanel.title]
        if visible_only is not None:
            panel.scope.value = WINDOW if visible_only else WHOLE
        job: Job = panel.start()
        return job

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Save the session; see `save_session`."""
        return save_session(self.state, path, overwrite=overwrite)

    def reopen(self, path: str | Path) -> None:
        """Go on with a session; see `open_session`."""
        open_session(self.state, path)

    def show(self, title: str) -> Panel:
        """Turn to a panel by its title, and return it, so that a cell shows it too.

        Raises:
            KeyError: If there is no panel of this title.
        """
        panel: Panel = self.panels[title]
        page = next(name for name, titles in self._pages.items() if title in titles)
        if page in TABS:
            self.tabs.value = page
        else:
            self.more.value = page
        self._turn({"owner": self.tabs if page in TABS else self.more})
        return panel

    def _lay_out(self, height: str) -> None:
        """Put the panel beside the map, and on the map what is asked, the tools and the layers."""
        if self._made_map:
            self.view.widget.layout.height = "100%"
        self.shown.layout = {"overflow": "auto", "flex": "1 1 auto", "min_height": "0"}
        self.tabs.add_class("spex-tabs")
        heads = ipw.HBox([self.tabs, self.more], layout={"flex": "0 0 auto"})
        narrow = {"flex": f"0 0 {PANEL_WIDTH}", "height": height, "min_width": "0"}
        self._side = ipw.VBox([heads, self.shown], layout=narrow)
        ask_panel = self.panels[InstructionPanel.title]
        ask_panel.children = [part for part in ask_panel.children if part is not ask_panel.ask]
        self._on_map = (ask_panel.ask, self.tools, self.layers)
        for part in self._on_map:
            part.add_class("spex-on-map")
        ask_panel.ask.add_class(FRESH)
        self._left = ipw.VBox(
            [self.view.widget, *self._on_map], layout={"flex": "1 1 auto", "height": height, "min_width": "0"}
        )
        self._left.add_class("spex-map")
        for column in (self._left, self._side):
            column.add_class("spex-fit")
        body = ipw.HBox([self._left, self._side], layout={"width": "100%"})
        style = ipw.HTML(STYLE + WORKBENCH_STYLE, layout={"display": "none"})
        self.children = [style, self.head, body, self._browser_side]

    def _hear(self, kind: str, particulars: Mapping[str, Any], content: bytes) -> None:
        """Do what was done in the page: a key, a region in a sentence that was pressed, a file that was dropped."""
        if kind == "escape":
            editor.leave_tool(self.state)
        elif kind in ("undo", "redo"):
            self.panels[EditingPanel.title].trying(partial(getattr(editor, kind), self.state))()
        elif kind == "region" and isinstance(particulars.get("row"), int):
            self._go_to_region(particulars["row"])
        elif kind == "file":
            self.show(ScenePanel.title)
            self.panels[ScenePanel.title].open_sent(
                str(particulars.get("name")), int(particulars.get("size") or 0), content
            )

    def _go_to_region(self, row: int) -> None:
        """Go to the region of a sentence that was pressed."""
        if self.state.result is not None and 0 <= row < len(self.state.result.regions):
            self.state.region = row

    def _tell_browser(self, _change: Any = None) -> None:
        """Tell the page which tool is in the hand, and how large the brush is."""
        self._browser_side.tool = self.state.tool
        if self.state.scene is not None:
            self._browser_side.brush_m = self.state.brush_px * (self.view.pixel_m() or 0)

    def _take_page(self) -> None:
        """Send a page that has just loaded what it missed, and load the model while the user looks at the scene."""
        self._resend()
        self.state.load_model_meanwhile()

    def _turn(self, change: Any) -> None:
        """Show the page that the tabs or the list behind "More" name, and unmark the other of the two."""
        chosen, other, nothing = (
            (self.tabs, self.more, "") if change["owner"] is self.tabs else (self.more, self.tabs, None)
        )
        if chosen.value:
            other.value = nothing
            self.shown.selected_index = [*self._pages].index(chosen.value)

    def _show_head(self, _what: Any = None) -> None:
        state = self.state
        what = "no scene" if state.scene is None else scene_label(state.source)
        busy = f" · <em>{escape(state.busy)} …</em>" if state.busy else ""
        wrong = " · <strong>see the tab 'Correct'</strong>" if state.error is not None else ""
        doubt = "" if state.scene is None or QUESTION not in state.scene.attrs else DOUBT
        notice = f" · {escape(self.view.notice)}" if self.view.notice else ""
        self.head.value = block(f"<strong>spex_nb</strong> · {escape(what)}{doubt}{busy}{wrong}{notice}")

    def _show_result(self, _change: Any) -> None:
        """Turn to a new result; the examples step back then, until there is another scene."""
        ask_bar = self.panels[InstructionPanel.title].ask
        if self.state.extraction is None:
            ask_bar.add_class(FRESH)
        else:
            ask_bar.remove_class(FRESH)
            self.show(ResultPanel.title)

    def _resend(self) -> None:
        """Send all widgets but the map again, since a page misses what changes while it loads them."""
        for widget in self._widgets():
            untouched = [name for name in _input_names(widget) if self._is_untouched(widget, name)]
            widget.send_state([key for key in widget.keys if key not in untouched] if untouched else None)

    def _widgets(self) -> Iterator[Any]:
        """Yield all widgets but the map."""
        yield from walk_widgets((self.head, *self._on_map, self._side))

    def _is_untouched(self, widget: Any, name: str) -> bool:
        """Say whether a control is as it was at first; what a user does to it meanwhile must not be taken back."""
        first = self._first_values
        return (widget, name) in first and first[widget, name] == getattr(widget, name)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, with a picture and text in its place where a page shows no widgets."""
        bundle = super()._repr_mimebundle_(**options)
        if not isinstance(bundle, dict):
            return bundle
        picture = still_png(self.state)
        pictures = {} if picture is None else {"image/png": b64encode(picture).decode()}
        return {**bundle, **pictures, "text/plain": still_text(self.state)}

    def close(self) -> None:
        """Stop all jobs, and free scene, model, files, threads and widgets; a map that the caller passed stays."""
        self._link.close()
        for panel in self.panels.values():
            panel.close()
        self.panels = {}
        self.layers.close()
        self.tools.close()
        close_all(self._on_map)
        self.view.on_notice, self.view.on_shown = _ignore, _ignore
        self.view.close()
        self.state.close()
        if not self._made_map:
            self._left.children = ()
        close_all(self.children)
        self.children = []
        super().close()


def _first_panel(scene: Any) -> str:
    """Return the title of the panel that is shown first: the scene's where there is none, or a question about it."""
    is_clear = scene is not None and QUESTION not in scene.attrs
    return InstructionPanel.title if is_clear else ScenePanel.title


def _opened(scene: Any) -> tuple[Any, SceneSource]:
    if scene is None:
        return None, SceneSource()
    source = source_of(scene)
    if isinstance(scene, str | Path):
        return reopen(source), source
    return as_scene(scene), source


def _input_names(widget: Any) -> tuple[str, ...]:
    """Return the names of what a user changes in a control."""
    return tuple(name for name in ("value", "index") if name in widget.keys and not isinstance(widget, ipw.HTML))


def _ignore(*_: str) -> None:
    """Keep a map that stays from holding on to the workbench."""


def _new_view(given: Any, executor: Executor | None) -> Any:
    from spex_widgets.map.view import MapView

    return MapView(given, executor)
