"""The scene: opened from a sample or a file, described in words, shown in three bands or an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw
from ipyfilechooser import FileChooser

from spex_nb.errors import (
    FormulaError,
    IndexNameError,
    MissingBandError,
    SceneError,
    SourceNotFoundError,
    UnreadableSourceError,
)
from spex_nb.output.plotting import COMPOSITES
from spex_nb.output.scratch import Scratch
from spex_nb.scene.guard import QUESTION, notes_of_scene, settling_options
from spex_nb.scene.samples import SAMPLES, reopen, source_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.spectral.indices import list_indices
from spex_widgets.band_question import BandQuestion, in_words_of_panel
from spex_widgets.jobs import record_warnings
from spex_widgets.messages import block, note, quiet, table
from spex_widgets.panels.export import UPLOAD_BYTES
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.remedies import WITH_INDEX, Remedy
from spex_widgets.state import WorkbenchState, scene_label, usual_bands

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins. Other formats may point at files of the machine, which an upload has no leave to read."""
RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".nc", ".img", ".zip")
"""Of the files that are offered; others can be typed or chosen."""
PRODUCTS = (".safe", ".zarr")
"""Of the folders that are scenes, beside those that hold several rasters."""
OFFERED = 200
NUMBERS: Mapping[str, tuple[float, float] | None] = {
    "not known": None,
    "reflectance × 10,000": (1e-4, 0.0),
    "reflectance from 0 to 1": (1.0, 0.0),
    "Landsat Collection 2, Level 2": (2.75e-5, -0.2),
}
"""Scale and offset of what numbers of a file may be."""
CALIBRATION = "The file does not say what its numbers are. If you know it, choose it: rules need reflectance."
OWN_BANDS, TRUE, FALSE = "bands of your own", "true colour", "false colour (near infrared)"


class _PlainLabel:
    """How the chooser says what is chosen: a file's name is text, in the colour of the theme."""

    def format(self, text: str, _color: str) -> str:
        return f"<span>{escape(text)}</span>"


class _Chooser(FileChooser):  # type: ignore[misc]
    _LBL_TEMPLATE = _PlainLabel()

    def __init__(self, *places: str, **options: Any) -> None:
        super().__init__(*places, **options)
        self._filename.placeholder = "name of the file"  # nothing is written here, as the library would have it


class ScenePanel(Panel):
    """Opens scenes, and says what they are and why it was decided so.

    Args:
        state: The state of the workbench.
        root: Folder that files are chosen from, and never outside of it; the current one if not given.
    """

    title = "Scene"

    def __init__(self, state: WorkbenchState, root: str | Path | None = None) -> None:
        super().__init__(state)
        self._root = Path(root or Path.cwd()).resolve()
        self.sample = ipw.Dropdown(
            options=[(f"{s.title} ({name})", name) for name, s in SAMPLES.items()],
            value="river_10m",
            description="Sample",
            layout=WIDE,
        )
        self.open_sample = button("Open sample", "Open the chosen sample scene", self.trying(self._open_sample))
        self.file = _Chooser(
            str(self._root), sandbox_path=str(self._root), select_desc="Choose", layout=ipw.Layout(width="98%")
        )
        self.path = ipw.Combobox(
            description="File",
            placeholder="a raster file or a product's folder",
            options=[*_scene_files(self._root)],
            layout=WIDE,
        )
        self.open_file = button(
            "Open file", "Open the file or folder that is named, or else the chosen file", self.trying(self._open_file)
        )
        self.upload = ipw.FileUpload(
            accept=".tif,.tiff", description="Upload a GeoTIFF (up to 9 MB)", layout={"width": "auto"}
        )
        self.upload.observe(self.trying(self._open_upload), "value")
        self._uploads: list[Scratch] = []
        self.warnings, self.question, self.facts = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.settle = button("", "Open the scene again with these arguments", self.trying(self._settle), icon="refresh")
        self.settle.layout.width = "auto"
        self.numbers = ipw.Dropdown(options=[*NUMBERS.items()], description="Numbers", layout=WIDE)
        self.calibration = ipw.VBox([ipw.HTML(quiet(CALIBRATION)), self.numbers])
        """What the numbers mean, where the file does not say it."""
        self.numbers.observe(self.trying(self._choose_numbers), "value")
        self.view = ipw.Dropdown(options=[TRUE, FALSE, OWN_BANDS], description="Colours", layout=WIDE)
        self.bands = [ipw.Dropdown(description=name, layout={"flex": "1 1 160px"}) for name in ("Red", "Green", "Blue")]
        self.index = ipw.Combobox(
            description="Index", placeholder="name of an index, such as NDVI", layout=WIDE, continuous_update=False
        )
        self.view.observe(self.trying(self._choose_colours), "value")
        for dropdown in self.bands:
            dropdown.observe(self.trying(self._choose_bands), "value")
        self.index.observe(self.trying(self._choose_index), "value")
        self.band_question = BandQuestion(self.trying, self._open_with)
        self._unread = SceneSource()
        self.looks = ipw.VBox([self.view, ipw.Box(self.bands, layout={"flex_flow": "row wrap"}), self.index])
        """How the scene is shown; nothing to choose without one."""
        self.lay_out(
            ipw.HBox([self.sample]),
            self.open_sample,
            self.path,
            self.file,
            self.open_file,
            self.upload,
            self.warnings,
            self.error,
            self.band_question,
            self.ways_out,
            self.question,
            self.settle,
            self.calibration,
            self.looks,
            self.facts,
        )
        self._is_showing = False
        self.follow(self._show, "scene")

    def _open_sample(self) -> None:
        self._open(source_of(self.sample.value))

    def _open_file(self) -> None:
        named = self.path.value.strip()
        chosen = str(self._root / Path(named).expanduser()) if named else self.file.selected
        if not chosen:
            raise SourceNotFoundError(
                "No file is chosen",
                found="an empty choice",
                expected=f"a raster file under {self._root}",
                fix="Name it above, or click 'Choose' first.",
            )
        self.open_path(chosen)

    def open_path(self, path: str | Path) -> None:
        """Open a file below the root.

        Raises:
            SourceNotFoundError: If it lies elsewhere.
        """
        if not Path(path).resolve().is_relative_to(self._root):
            raise SourceNotFoundError(
                "The file lies outside the folder that may be opened",
                found=str(path),
                expected=f"a file under {self._root}",
                fix="Pass root=… to the workbench to allow another folder.",
            )
        self._open(source_of(path))

    def _open_upload(self) -> None:
        """Open a GeoTIFF that the browser sent; it lies in a folder of its own until the panel is closed."""
        if not self.upload.value:
            return
        (sent,) = self.upload.value
        self.upload.value = ()
        self._open_sent(sent["name"], len(sent["content"]), bytes(sent["content"]))

    def open_sent(self, name: str, size: int, content: bytes) -> None:
        """Open a GeoTIFF that was dropped on the map; what is wrong with it appears in the panel.

        Args:
            name: The name of the file.
            size: How many bytes it has.
            content: The bytes themselves; none where the page did not send them, for they are too many.
        """
        self.trying(lambda: self._open_sent(name, size, content))()

    def _open_sent(self, sent_name: str, size: int, content: bytes) -> None:
        name = Path(sent_name).name
        if size > UPLOAD_BYTES or not content.startswith(TIFF_STARTS):
            raise UnreadableSourceError(
                "This file cannot be uploaded",
                found=f"{name}, {size / 1e6:,.1f} MB",
                expected=f"a GeoTIFF of at most {UPLOAD_BYTES / 1e6:.0f} MB",
                fix="Put the file beside the notebook, and choose it above.",
            )
        self._uploads.append(Scratch())
        path = self._uploads[-1].folder / name
        path.write_bytes(content)
        self._open(source_of(path))

    def close(self) -> None:
        """Let go of the state, of all widgets and of what was uploaded."""
        super().close()
        for scratch in self._uploads:
            scratch.remove()

    def _settle(self) -> None:
        """Open the scene again with the arguments that settle the question which it carries."""
        source = self._file_of_scene()
        self._open(replace(source, options=dict(source.options) | settling_options(self.state.scene)))

    def _choose_numbers(self) -> None:
        """Open the scene again with the scale that was chosen."""
        if self._is_showing or self.numbers.value is None:
            return
        source, (scale, offset) = self._file_of_scene(), self.numbers.value
        self._open(replace(source, options=dict(source.options) | {"scale": scale, "offset": offset}))

    def _show_calibration(self) -> None:
        """Ask what the numbers are of a file whose scale is not known."""
        scene = self.state.scene
        source = SceneSource() if scene is None else self._file_of_scene()
        is_file = isinstance(source.scene, str | Path) and not source.is_sample
        is_asked = scene is not None and scene.spex.is_relative and is_file
        self.calibration.layout.display = "" if is_asked else "none"
        self.numbers.value = None

    def _file_of_scene(self) -> SceneSource:
        """Return where the scene can be opened again; sessions do not trust it for pixels that lie in memory."""
        source, scene = self.state.source, self.state.scene
        if source.scene is None:
            return scene.spex.source or SceneSource()
        return source

    def _open(self, source: SceneSource) -> None:
        self.open_sample.disabled = self.open_file.disabled = self.settle.disabled = True
        self.warnings.value = block(f"Opening {escape(scene_label(source))} …", "quiet")
        self.state.jobs.start(
            lambda _job: (source, *record_warnings(lambda: reopen(source))),
            self._opened,
            lambda error: self._not_opened(error, source),
        )

    def _open_with(self, options: Mapping[str, Any]) -> None:
        """Open the file whose bands were in question, with the answer."""
        self._open(replace(self._unread, options=dict(self._unread.options) | dict(options)))

    def _opened(self, outcome: tuple[SceneSource, Any, list[str]]) -> None:
        source, scene, warnings = outcome
        self._let_open()
        self.band_question.hide()
        question = scene.attrs.get(QUESTION)  # shown below the warnings, with its button
        self.warnings.value = "".join(note(text) for text in warnings if text != question)
        self.state.show_scene(scene, source)

    def _not_opened(self, error: BaseException, source: SceneSource) -> None:
        self._let_open()
        self.warnings.value = ""
        self._unread = source
        self.band_question.ask(error)
        self.fail(in_words_of_panel(error), lambda: self._open(source))

    def remedies(self, error: BaseException, again: Callable[[], object] | None) -> Sequence[Remedy]:
        """Return what a button can do: the picture again after an index that cannot be, or else the chosen sample."""
        if self.state.index and isinstance(error, MissingBandError | IndexNameError | FormulaError):
            return [Remedy("Show the picture again", "Show no index", lambda: setattr(self.state, "index", ""))]
        sample = f"Open the sample {self.sample.label or self.sample.value}"
        opens = [Remedy(sample, "A scene that comes with spex_nb", self._open_sample)]
        useless = ("Open another scene", WITH_INDEX)  # it is opened here, and no model reads it
        others = [way for way in super().remedies(error, again) if way.label not in useless]
        return [*others, *(opens if isinstance(error, SceneError) else ())]

    def _let_open(self) -> None:
        self.open_sample.disabled = self.open_file.disabled = self.settle.disabled = False

    def _choose_colours(self) -> None:
        scene = self.state.scene
        if scene is None or self._is_showing or self.view.value == OWN_BANDS:
            return
        wanted = COMPOSITES["true" if self.view.value == TRUE else "false"]
        possible = set(wanted) <= set(scene.spex.bands)
        if not possible:
            self.warnings.value = note(f"This scene lacks {', '.join(set(wanted) - set(scene.spex.bands))}.")
        self._show_bands(wanted if possible else usual_bands(scene))

    def _choose_bands(self) -> None:
        if self._is_showing or self.state.scene is None:
            return
        self.view.value = OWN_BANDS
        self._show_bands(tuple(dropdown.value for dropdown in self.bands))

    def _show_bands(self, names: tuple[str, ...]) -> None:
        self._is_showing = True
        for dropdown, name in zip(self.bands, names, strict=True):
            dropdown.value = name
        self.index.value = ""
        self._is_showing = False
        with self.state.hold_trait_notifications():
            self.state.index, self.state.bands = "", names

    def _choose_index(self) -> None:
        if not self._is_showing:
            self.state.index = self.index.value.strip()

    def _show_question(self) -> None:
        """Show the question that the scene carries, and a button where the answer is known and the scene a file."""
        scene = self.state.scene
        self.question.value = "" if scene is None else note(scene.attrs.get(QUESTION, ""))
        can_open = scene is not None and self._file_of_scene().scene is not None
        options = settling_options(scene) if can_open else {}
        self.settle.description = f"Open with {', '.join(f'{name}={value!r}' for name, value in options.items())}"
        self.settle.layout.display = "" if options else "none"

    def _show(self) -> None:
        self._show_question()
        self._show_calibration()
        scene = self.state.scene
        self.looks.layout.display = "none" if scene is None else ""
        if scene is None:
            self.facts.value = block("No scene yet: open a sample or a file.", "quiet")
            return
        self._is_showing = True
        for dropdown, name in zip(self.bands, self.state.bands, strict=True):
            dropdown.options = scene.spex.bands
            dropdown.value = name
        table_of_indices = list_indices(scene)
        self.index.options = [*table_of_indices[table_of_indices["available"]].index.map(str)]
        self.index.value, self.view.value = "", TRUE
        self._is_showing = False
        self.facts.value = block(f"{_notes(scene)}{table(_facts(scene, self.state.source))}")


def _scene_files(root: Path) -> Iterator[str]:
    """Yield what may be a scene in a folder: rasters, and folders of products, at most `OFFERED`."""
    entries = sorted(entry for entry in root.iterdir() if entry.name[0] != ".")
    for entry in entries[:OFFERED]:
        if entry.suffix.lower() in (*RASTERS, *PRODUCTS) or (entry.is_dir() and _holds_rasters(entry)):
            yield entry.name


def _holds_rasters(folder: Path) -> bool:
    try:
        rasters = [entry for entry in folder.iterdir() if entry.suffix.lower() in RASTERS]
    except OSError:  # no leave to look into it
        return False
    return len(rasters) > 1


def _notes(scene: Any) -> str:
    """Return what one should know before the pixels are trusted; the question of the scene stands apart."""
    relative = [scene.spex.number_note] if scene.spex.is_relative else []
    notes = [text for text in notes_of_scene(scene) if text != scene.attrs.get(QUESTION)]
    return "".join(map(note, [*relative, *notes]))


def _facts(scene: Any, source: SceneSource) -> list[tuple[str, ...]]:
    """Return the facts of a scene with their reasons; a Dataset from elsewhere may have fewer."""
    height, width = scene.spex.shape
    waves, attrs, gsd = scene.spex.wavelengths_um, scene.attrs, scene.spex.gsd_m
    place = (
        f"{scene.spex.crs.to_string()}, {gsd:.3g} m a pixel" if scene.spex.crs and gsd else "none: areas are in pixels"
    )
    rows = [
        ("from", scene_label(source)),
        ("size", f"{height:,} × {width:,} px"),
        ("CRS", place),
        ("sensor", _because(attrs, "sensor", "sensor_reason")),
        ("bands", ", ".join(f"{band} {waves[band]:.3g} µm" if band in waves else band for band in scene.spex.bands)),
        ("named by", str(attrs.get("bands_reason", ""))),
        ("values", _because(attrs, "radiometry", "radiometry_reason")),
        ("scale", f"raw × {attrs['scale']:g} {attrs['offset']:+g}" if {"scale", "offset"} <= set(attrs) else ""),
        ("data", str(attrs.get("valid_reason", ""))),
    ]
    return [row for row in rows if row[1]]


def _because(attrs: Any, what: str, why: str) -> str:
    return " — ".join(str(attrs[name]) for name in (what, why) if attrs.get(name))
