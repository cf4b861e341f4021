"""Areas by district: the user's own polygons, hectares and shares of each target within each of them, and a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from spex_nb.errors import ExtractionError, SourceNotFoundError, UnreadableSourceError
from spex_nb.evaluation.districts import NOTES, TARGETS_KEY, save_zonal_table, zonal_table
from spex_nb.extraction.finish import correct_result
from spex_nb.output.scratch import Scratch
from spex_widgets.explanations import area_text
from spex_widgets.messages import block, note, quiet, table
from spex_widgets.panels.export import UPLOAD_BYTES, download_link, replacing
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.remedies import Remedy
from spex_widgets.state import WorkbenchState

if TYPE_CHECKING:
    import geopandas as gpd

SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".parquet", ".geoparquet", ".kml")
"""Of the files that are offered; others can be typed."""
OFFERED = 200
LISTED = 300
"""Rows that the panel shows; the file holds all."""
SENT_STARTS = (b"SQLite format 3\0", b"{", b"\xef\xbb\xbf{")
"""How a GeoPackage and a GeoJSON file begin: only these are taken from a page."""
HINT = "Name a file of polygons, such as municipalities or fields. Each target is measured within each of them."


class DistrictsPanel(Panel):
    """Measures the result within polygons of a file, and again after each edit.

    Args:
        state: The state of the workbench.
        root: Folder that the file may lie in, and never outside of it; the current one if not given.
    """

    title = "Districts"

    def __init__(self, state: WorkbenchState, root: str | Path | None = None) -> None:
        super().__init__(state)
        self._root = Path(root or Path.cwd()).resolve()
        self.file = ipw.Combobox(
            description="Polygons",
            placeholder="a GeoPackage, GeoJSON or Shapefile",
            options=[*_vector_files(self._root)],
            continuous_update=False,
            layout=WIDE,
        )
        self.upload = ipw.FileUpload(
            accept=".gpkg,.geojson,.json", description="Upload polygons (up to 9 MB)", layout={"width": "auto"}
        )
        self.layer = ipw.Text(description="Layer", placeholder="the only one", layout=WIDE)
        self.crs = ipw.Text(description="CRS", placeholder="as the file states it", layout=WIDE)
        self.measure = button("Measure", "Measure each target within each polygon", self.trying(self._measure))
        self.status, self.figures = ipw.HTML(), ipw.HTML()
        self.path = ipw.Text("districts.gpkg", description="Save as", layout=WIDE)
        self.save = button("Save table", "Write .gpkg or .parquet with the polygons, or .csv", self.trying(self._save))
        self._upload: Scratch | None = None
        self._sent: Path | None = None
        self._latest = 0
        self._measured_result: Any = None
        self.upload.observe(self.trying(self._take_upload), "value")
        less_often = ipw.Accordion([ipw.VBox([self.layer, self.crs])], titles=["Layer, CRS"])
        self.lay_out(
            self.file,
            self.upload,
            less_often,
            self.measure,
            self.status,
            self.figures,
            self.path,
            self.save,
        )
        self.follow(self._show, "districts")
        self.follow(self._follow_result, "result", "extraction")

    def measure_within(self, path: str | Path, *, layer: str | None = None, crs: str | None = None) -> None:
        """Measure the result within the polygons of a file, as if it was typed.

        Args:
            path: Of a vector file below the root.
            layer: Of a file that has several.
            crs: Of a file that states none.
        """
        self.file.value, self.layer.value, self.crs.value = str(path), layer or "", crs or ""
        self.trying(self._measure)()

    def close(self) -> None:
        """Let go of the state, of all widgets and of what was uploaded."""
        super().close()
        if self._upload is not None:
            self._upload.remove()

    def _take_upload(self) -> None:
        """Take polygons that the browser sent; they lie in a folder of their own until the panel is closed."""
        if not self.upload.value:
            return
        (sent,) = self.upload.value
        self.upload.value = ()
        name, content = Path(sent["name"]).name, bytes(sent["content"])
        if len(content) > UPLOAD_BYTES or not content.lstrip().startswith(SENT_STARTS):
            raise UnreadableSourceError(
                "This file cannot be uploaded",
                found=f"{name}, {len(content) / 1e6:,.1f} MB",
                expected=f"a GeoPackage or a GeoJSON file of at most {UPLOAD_BYTES / 1e6:.0f} MB",
                fix="Put the file beside the notebook, and name it above.",
            )
        if self._upload is not None:
            self._upload.remove()
        self._upload = Scratch()
        self._sent = self._upload.folder / name
        self._sent.write_bytes(content)
        self.file.value = name
        self._measure()

    def _place(self) -> Path:
        """Return the file that is named: the one that was sent, or one below the root."""
        text = self.file.value.strip()
        if self._sent is not None and text == self._sent.name:
            return self._sent
        path = (self._root / Path(text).expanduser()).resolve()
        if not text or not path.exists() or not path.is_relative_to(self._root):
            raise SourceNotFoundError(
                "There are no polygons",
                found=text or "nothing",
                expected=f"a vector file below {self._root}",
                fix="Choose or type its path. Pass root=… to the workbench to allow another folder.",
            )
        return path

    def _measure(self) -> None:
        state, path = self.state, self._place()
        if state.extraction is None:
            raise ExtractionError(
                "There is nothing to measure", found="no result", expected="one", fix="Extract something first."
            )
        layer, crs = self.layer.value.strip() or None, self.crs.value.strip() or None
        extraction, mask, scene, edited = state.extraction, state.mask, state.result_scene, state.result
        self._latest += 1
        number = self._latest

        def work(_job: Any) -> tuple[Any, gpd.GeoDataFrame]:
            result = correct_result(extraction, mask.values, scene) if edited is None else edited
            return edited, zonal_table(result, path, layer=layer, crs=crs)

        def done(outcome: tuple[Any, gpd.GeoDataFrame]) -> None:
            if self._latest == number and state.extraction is extraction:  # else a newer one follows
                self._measured_result, state.districts = outcome

        def failed(error: BaseException) -> None:
            if self._latest == number:
                self.status.value = ""
                self.fail(error, self._measure)

        self.status.value = quiet("Measuring …")
        state.jobs.start(work, done, failed)

    def _follow_result(self) -> None:
        """Measure again what an edit changed; districts of another result are let go."""
        result = self.state.result
        if self.state.extraction is None:
            self._latest += 1
            self.state.districts = None
        elif self.state.districts is not None and result is not None and result is not self._measured_result:
            self._measure()

    def _show(self) -> None:
        measured = self.state.districts
        self.save.disabled = measured is None
        if measured is None:
            self.status.value, self.figures.value = quiet(HINT), ""
            return
        self.status.value = quiet(f"{len(measured):,} polygons.")
        self.figures.value = block(_figures(measured)) + "".join(map(note, measured.attrs[NOTES]))

    def _save(self) -> None:
        if self.state.districts is None:
            raise ExtractionError("There is no table", found="none", expected="one", fix="Measure first.")
        path = save_zonal_table(self.state.districts, Path(self.path.value.strip()).expanduser())
        self.status.value = quiet(f"Written to {path.absolute()}.") + download_link(path)

    def remedies(self, error: BaseException, again: Any) -> Sequence[Remedy]:
        """Return what a button can do about an error; a table that is in the way can be replaced."""

        def replace_file() -> None:
            Path(self.path.value.strip()).expanduser().unlink()
            self._save()

        return [*replacing(error, replace_file), *super().remedies(error, again)]


def _vector_files(root: Path) -> Iterator[str]:
    """Yield the vector files in a folder and in the folders in it, relative to it, at most `OFFERED`."""
    count = 0
    for folder in (root, *sorted(entry for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")):
        if not os.access(folder, os.R_OK | os.X_OK):
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and count < OFFERED:
                count += 1
                yield str(path.relative_to(root))


def _figures(measured: gpd.GeoDataFrame) -> str:
    """Return the areas and shares of each target in each polygon as a table, with what is to be said of a polygon."""
    targets = measured.attrs[TARGETS_KEY]
    rows = measured.head(LISTED).to_dict("records")
    names = _names(measured)
    cells = [
        (name, *(text for target in targets for text in _cells(row, target)), str(row["note"]))
        for name, row in zip(names, rows, strict=False)
    ]
    heads = [head for target in targets for head in (target, "share")]
    more = "" if len(measured) <= LISTED else quiet(f"The first {LISTED} of {len(measured):,}; the file holds all.")
    return table(cells, ("polygon", *heads, "note")) + more


def _names(measured: gpd.GeoDataFrame) -> list[str]:
    """Return what each polygon is called: by the first column of text that tells them apart, else its number."""
    ours = {"note", measured.geometry.name}
    for column in measured.columns:
        values = measured[column]
        is_text = column not in ours and all(isinstance(value, str) for value in values)
        if is_text and values.is_unique:
            return [str(value) for value in values]
    return [str(number) for number in range(1, len(measured) + 1)]


def _cells(row: Any, target: str) -> tuple[str, str]:
    """Return area and share of a target in a polygon; a dash where nothing was measured."""
    share = row[f"{target}_frac"]
    if share != share:  # noqa: PLR0124 (NaN)
        return "–", "–"
    hectares = row.get(f"{target}_ha")
    area = f"{row[f'{target}_px']:,.1f} px" if hectares is None else area_text(hectares * 1e4)
    return area, f"{share:.1%}"
