"""Two dates: another scene beside the open one, what was gained and lost between them, swiped or in turn."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import xarray as xr

from spex_nb.analysis.change import Change, TargetChange, compare
from spex_nb.analysis.change.result import CLASS_COLORS, GAINED, LOST
from spex_nb.errors import OutputError, SourceNotFoundError
from spex_nb.extraction import Progress
from spex_nb.scene.reopen import as_scene
from spex_nb.scene.samples import SAMPLES, reopen, source_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.types.targets import TARGETS
from spex_widgets.jobs import Job
from spex_widgets.messages import block, quiet, table
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import OtherScene, WorkbenchState

EARLIER, LATER = "the earlier one", "the later one"
VIEWS = {
    "change over both": ("both", True),
    "swipe": ("swipe", False),
    "swipe with change": ("swipe", True),
    "blink": ("blink", False),
    "off": ("off", False),
}
"""How the two scenes are seen, and whether gain and loss lie over them."""


class ComparePanel(Panel):
    """Compares the open scene with another one, and shows gain and loss on the map.

    Args:
        state: The state of the workbench.
        root: Folder that the other scene may lie in, and never outside of it; the current one if not given.
    """

    title = "Two dates"

    def __init__(self, state: WorkbenchState, root: str | Path | None = None) -> None:
        super().__init__(state)
        self._root = Path(root or Path.cwd()).resolve()
        self.layers: Any = None
        """The `ComparedLayers` of the map; None where there is no map."""
        self.other = ipw.Text("", description="Other scene", placeholder="a file, or the name of a sample", layout=WIDE)
        self.order = ipw.Dropdown(options=[EARLIER, LATER], description="Open one is", layout=WIDE)
        self.question = ipw.Text(
            "water", description="Compare", placeholder="water, or: new lakes larger than 1 ha", layout=WIDE
        )
        self.start = button("Compare", "Extract both scenes, and show what changed", self.trying(self._start))
        self.cancel = button("Cancel", "Stop the comparison", self.trying(self._cancel), disabled=True)
        self.look = ipw.ToggleButtons(
            options=[*VIEWS], description="Look", style={"button_width": "auto"}, layout={"display": "none"}
        )
        self.progress, self.answer, self.table = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.folder = ipw.Text("change", description="Folder", layout=WIDE)
        self.save = button("Save change", "Raster, polygons and explanation with both dates", self.trying(self._save))
        self._job: Job | None = None
        self._scenes: tuple[Change, xr.Dataset, xr.Dataset] | None = None
        """A change, and the scenes before and after that it is of."""
        self._other_scene: xr.Dataset | None = None
        self.look.observe(self.trying(self._show_look), "value")
        self.handle = ipw.VBox()
        self.lay_out(
            self.other,
            self.order,
            self.question,
            ipw.HBox([self.start, self.cancel]),
            self.progress,
            self.look,
            self.answer,
            self.table,
            self.folder,
            self.save,
            self.handle,
        )
        self.follow(self._show, "change")

    def show_on(self, map: Any) -> None:  # noqa: A002 (its name)
        """Show changes on a map.

        Args:
            map: The map widget; nothing is shown on what is no widget.
        """
        if isinstance(map, ipw.Widget):
            from spex_widgets.map.compared_layers import ComparedLayers

            self.layers = ComparedLayers(map, self.state.jobs, self.fail)
            self.handle.children = [self.layers.swipe]

    def close(self) -> None:
        """Let go of the map, the state and all widgets."""
        if self.layers is not None:
            self.layers.close()
            self.layers = None
        super().close()

    def compare_with(self, other: Any, question: str | None = None) -> Job:
        """Start to compare the open scene with another one, as if it was typed.

        Args:
            other: A path below the root, the name of a sample, or a Dataset of named bands.
            question: Id of a target, or an instruction about two dates; what is typed if not given.

        Raises:
            SourceNotFoundError: If there is no open scene, or the other one lies outside of the root.
        """
        if question is not None:
            self.question.value = question
        self._other_scene = as_scene(other) if isinstance(other, xr.Dataset) else None
        self.other.value = "a scene in memory" if self._other_scene is not None else str(other)
        return self._start()

    def _start(self) -> Job:
        if self.state.scene is None:
            raise SourceNotFoundError(
                "There is no scene to compare", found="no open scene", expected="one", fix="Open a scene first."
            )
        source = None if self._other_scene is not None else source_of(self._allowed(self.other.value.strip()))
        scene, question, memory = self.state.scene, self.question.value.strip() or "water", self._other_scene
        is_first = self.order.value == EARLIER

        def work(job: Job) -> tuple[Change, OtherScene, tuple[xr.Dataset, xr.Dataset]]:
            other: xr.Dataset = memory if memory is not None else reopen(source or SceneSource())
            before, after = (scene, other) if is_first else (other, scene)

            def tell(progress: Progress) -> None:
                job.report(progress.done / max(progress.total, 1), f"{progress.part} …")

            with self.state.model_lock:
                model = self.state.loaded_model()
                change = compare(before, after, question, model, progress=tell, cancel=job.is_cancelled)
            return change, OtherScene(source or SceneSource(), is_first), (before, after)

        self.start.disabled, self.cancel.disabled = True, False
        self.progress.value = quiet("Comparing …")
        self._job = self.state.jobs.start(work, self._compared, self._failed, self._tell)
        return self._job

    def _allowed(self, text: str) -> str | Path:
        """Return a sample's name or a path below the root."""
        if text in SAMPLES:
            return text
        path = (self._root / Path(text).expanduser()).resolve()
        if not text or not path.exists() or not path.is_relative_to(self._root):
            raise SourceNotFoundError(
                "There is no other scene",
                found=text or "nothing",
                expected=f"a file below {self._root}, or one of {', '.join(SAMPLES)}",
                fix="Type its path. Pass root=… to the workbench to allow another folder.",
            )
        return path

    def _tell(self, share: float, text: str) -> None:
        self.progress.value = quiet(f"{text} {share:.0%}")

    def _compared(self, outcome: tuple[Change, OtherScene, tuple[xr.Dataset, xr.Dataset]]) -> None:
        change, other, pair = outcome
        self._end()
        if not any(part is self.state.scene for part in pair):
            self.progress.value = quiet("Another scene was opened meanwhile: the comparison is dropped.")
            return
        self._scenes = (change, *pair)
        self.state.other, self.state.change = other, change

    def _failed(self, error: BaseException) -> None:
        self._end()
        self.fail(error, self._start)

    def _end(self) -> None:
        self.start.disabled, self.cancel.disabled = False, True
        self.progress.value, self._job = "", None

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _show(self) -> None:
        change = self.state.change
        is_there = change is not None
        has_scenes = is_there and self._scenes is not None and self._scenes[0] is change
        self.look.layout.display = None if has_scenes and self.layers is not None else "none"
        self.save.layout.display = self.folder.layout.display = None if is_there else "none"
        self.answer.value = _answer(change) if is_there else ""
        self.table.value = "".join(map(_figures, change.targets.values())) if is_there else ""
        if change is not None:
            self.folder.value = _folder_name(change)
        if has_scenes:
            self._lay()
        elif self.layers is not None:
            self.layers.clear()
            self._open_other()

    def _lay(self) -> None:
        """Lay both scenes and the change on the map."""
        if self.layers is not None and self._scenes is not None:
            change, before, after = self._scenes
            self.layers.show(change, before, after, next(iter(change.targets)))
            self._show_look()

    def _open_other(self) -> None:
        """Open the other scene of a session again, where a file or a sample holds it."""
        change, other, scene = self.state.change, self.state.other, self.state.scene
        if change is None or other is None or scene is None or other.source.kind == "memory":
            return

        def opened(second: xr.Dataset) -> None:
            if self.state.change is change:
                self._scenes = (change, scene, second) if other.is_later else (change, second, scene)
                self._show()

        self.state.jobs.start(lambda _job: reopen(other.source), opened, self._failed)

    def _show_look(self) -> None:
        if self.layers is not None and self.state.change is not None:
            mode, with_change = VIEWS[self.look.value]
            self.layers.set_mode(mode, with_change=with_change)

    def _save(self) -> None:
        change = self.state.change
        if change is None:
            raise OutputError("There is nothing to write", found="no change", expected="one", fix="Compare first.")
        folder = change.save(self.folder.value.strip() or _folder_name(change))
        self.progress.value = quiet(f"Written to {folder.absolute()}.")


def _figures(change: TargetChange) -> str:
    """Return the areas of a target, each beside what shift and noise alone would show."""
    rows = [
        ("before", str(change.before), ""),
        ("after", str(change.after), ""),
        ("gained", str(change.gain), str(change.floor.gain)),
        ("lost", str(change.loss), str(change.floor.loss)),
        ("kept", str(change.unchanged), ""),
    ]
    return block(table(rows, (TARGETS[change.target].word, "area", "floor")))


def _folder_name(change: Change) -> str:
    """Return a name that holds both dates, where they are known."""
    dates = [date for date in (change.date_before, change.date_after) if date]
    return "_".join(["change", *dates])


def _answer(change: Change) -> str:
    """Return the first sentence, the colours of gain and loss, and what else is known of it, to unfold."""
    first, *others = change.statements
    colors = " · ".join(
        f'<span style="color:rgb{CLASS_COLORS[number]}" aria-hidden="true">■</span> {word}'
        for number, word in ((GAINED, "gained"), (LOST, "lost"))
    )
    rest = " ".join(escape(statement.text) for statement in others)
    return block(
        f"<p><strong>{escape(first.text)}</strong></p><p>{colors}</p>"
        f"<details><summary>How sure is it?</summary><p>{rest}</p></details>"
    )
