"""What one takes home: mask, regions and report as files, and the whole session to go on with another day."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import OutputError
from spex_nb.extraction import Extraction
from spex_nb.extraction.finish import correct_result
from spex_nb.extraction.result_page import write_result_page
from spex_widgets.jobs import record_warnings
from spex_widgets.messages import block, note, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.remedies import Remedy
from spex_widgets.session import open_session, save_session
from spex_widgets.state import WorkbenchState

Write = Callable[[Extraction, Path, bool], Any]
FORMATS: dict[str, tuple[str, Write]] = {
    "GeoPackage": (".gpkg", lambda result, path, over: result.to_geopackage(path, overwrite=over)),
    "GeoParquet": (".parquet", lambda result, path, over: result.to_geoparquet(path, overwrite=over)),
    "GeoJSON": (".geojson", lambda result, path, over: result.to_geojson(path, overwrite=over)),
    "Mask (COG)": (".tif", lambda result, path, over: result.to_cog(path, overwrite=over)),
    "Report": (".html", lambda result, path, over: write_result_page(result, path, overwrite=over)),
}
"""Suffix of each kind of file, and how it is written."""


UPLOAD_BYTES = 9_000_000
"""Servers of notebooks close a connection that sends more than 10 MB at once."""
DOWNLOAD_BYTES = 2_000_000
"""Of a file that the page itself can carry: servers of notebooks drop messages above 3 MB."""


class ExportPanel(Panel):
    """Writes the edited result in the formats of GIS, and saves and reopens sessions."""

    title = "Save"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.folder = ipw.Text(".", description="Folder", layout=WIDE)
        self.name = ipw.Text("result", description="Name", layout=WIDE)
        self.overwrite = ipw.Checkbox(False, description="Replace files that exist", indent=False)
        self.buttons = {
            name: button(name, f"Write {name} as {suffix}", self.trying(lambda n=name: self._export(n)))
            for name, (suffix, _) in FORMATS.items()
        }
        self.session = ipw.Text("session.spex", description="Session", layout=WIDE)
        self.save = button("Save session", "Scene, instruction, result and edits as one file", self.trying(self._save))
        self.open = button("Open session", "Go on where it was saved", self.trying(self._open))
        self.status = ipw.HTML()
        self._last: Callable[[], object] | None = None
        buttons = [*self.buttons.values()]
        self.lay_out(
            self.folder,
            self.name,
            self.overwrite,
            ipw.HBox(buttons[:3]),
            ipw.HBox(buttons[3:]),
            self.session,
            ipw.HBox([self.save, self.open]),
            self.status,
        )
        self.follow(self._show, "extraction", "scene")

    def _show(self) -> None:
        for control in self.buttons.values():
            control.disabled = self.state.extraction is None
        self.save.disabled = self.state.scene is None

    def _export(self, name: str) -> None:
        if self.state.extraction is None:
            raise OutputError("There is nothing to write", found="no result", expected="one", fix="Extract first.")
        self.status.value = ""
        suffix, write = FORMATS[name]
        path, over = self._place(f"{self.name.value.strip() or 'result'}{suffix}"), self.overwrite.value
        extraction, mask, scene = self.state.extraction, self.state.mask.values, self.state.result_scene
        measured = self.state.result

        def work(_job: Any) -> tuple[Path, list[str]]:
            result = correct_result(extraction, mask, scene) if measured is None else measured
            _, notes = record_warnings(lambda: write(result, path, over))
            return path, notes

        self._last = lambda: self._export(name)
        self._start(work, f"Writing {name} …")

    def _place(self, name: str) -> Path:
        folder = Path(self.folder.value or ".").expanduser()
        if Path(name).name != name:
            raise OutputError(
                "This is no name of a file",
                found=name,
                expected="a name without folders",
                fix="Put the folder into the box above.",
            )
        path = folder / name
        if self.overwrite.value or not path.exists():
            return path
        numbered = (path.with_stem(f"{path.stem}_{number}") for number in count(2))
        return next(free for free in numbered if not free.exists())

    def _start(self, work: Callable[[Any], tuple[Path, list[str]]], text: str) -> None:
        self.status.value = quiet(text)
        self.state.jobs.start(work, self._written, self._not_written)

    def _written(self, outcome: tuple[Path, list[str]]) -> None:
        path, notes = outcome
        self.status.value = quiet(f"Written to {path.absolute()}.") + download_link(path) + "".join(map(note, notes))

    def _not_written(self, error: BaseException) -> None:
        self.status.value = ""
        self.fail(error, self._last)

    def remedies(self, error: BaseException, again: Callable[[], object] | None) -> Sequence[Remedy]:
        """Return what a button can do about an error; a file that is in the way can be replaced."""
        others = super().remedies(error, again)
        if again is None:
            return others

        def replace_file() -> None:
            self.overwrite.value = True
            again()

        return [*replacing(error, replace_file), *others]

    def _save(self) -> None:
        self.status.value = ""  # what was saved before says nothing about this time
        path = save_session(
            self.state, Path(self.folder.value or ".") / self.session.value, overwrite=self.overwrite.value
        )
        self.status.value = quiet(f"Session saved to {path.absolute()}.") + download_link(path)

    def _open(self) -> None:
        self.status.value = ""
        open_session(self.state, Path(self.folder.value or ".") / self.session.value)
        self.status.value = quiet("The session is open again.")


def replacing(error: BaseException, replace_file: Callable[[], object]) -> list[Remedy]:
    """Return the button that writes over a file which is in the way; none against other errors."""
    if not isinstance(error, OutputError) or not Path(error.found).is_file():
        return []
    return [Remedy(f"Replace {Path(error.found).name}", "Write over it", replace_file)]


def download_link(path: Path) -> str:
    """Return a link by which the browser takes a file; where it is too large for that, the words that say so."""
    if path.stat().st_size > DOWNLOAD_BYTES:
        return quiet(f"With {path.stat().st_size / 1e6:,.0f} MB it is too large to be downloaded from this page.")
    data, name = base64.b64encode(path.read_bytes()).decode(), escape(path.name)
    return block(f'<a download="{name}" href="data:application/octet-stream;base64,{data}">Download {name}</a>')
