"""Scenes of a catalogue: searched by place, date and clouds, looked at as small pictures, and opened."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import EmptySceneError, GridError, SourceNotFoundError
from spex_nb.output.web_mercator import WebGrid
from spex_nb.scene.grid import Grid
from spex_nb.scene.sources.catalogue_search import CATALOGUES, FoundScenes, search_scenes
from spex_nb.scene.windows.scene_source import SceneSource
from spex_widgets.jobs import record_warnings
from spex_widgets.messages import block, note, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import WorkbenchState

LARGEST_SIDE_PX = 4096
"""Of a place that is opened: its pixels are fetched at once."""
HALF_TURN = 180
"""Longitudes go on beyond it where a scene crosses the antimeridian; a search has none beyond."""
HINT = "Searching, pictures and opening ask the network; nothing else here does."


class CataloguePanel(Panel):
    """Searches a STAC catalogue, and opens the searched place of one of its scenes."""

    title = "Catalogue"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.place = ipw.Text(description="Place", placeholder="west, south, east, north in degrees", layout=WIDE)
        self.here = button("Place of the scene", "Take the place of the open scene", self.trying(self._take_place))
        self.dates = ipw.Text(description="Dates", placeholder="2024-05/2024-07; any if empty", layout=WIDE)
        self.clouds = ipw.BoundedIntText(20, min=0, max=100, description="Clouds ≤ %", layout={"width": "170px"})
        self.catalogue = ipw.Combobox(
            value=next(iter(CATALOGUES)),
            options=[*CATALOGUES],
            description="Catalogue",
            layout=WIDE,
        )
        self.search = button("Search", "Ask the catalogue, by the network", self.trying(self._search), icon="search")
        self.listed = ipw.Select(description="Found", layout=WIDE, rows=6)
        self.pictures = button("Pictures", "Fetch small pictures of what was found", self.trying(self._fetch_pictures))
        self.open = button("Open this place", "Fetch the bands of the place", self.trying(self._open), icon="download")
        self.status, self.picture = ipw.HTML(), ipw.HTML()
        self.scenes: FoundScenes | None = None
        """What the last search found."""
        self.listed.observe(self.trying(self._show_chosen), "value")
        self.lay_out(
            self.place,
            self.here,
            self.dates,
            self.clouds,
            self.catalogue,
            self.search,
            self.listed,
            ipw.HBox([self.open, self.pictures]),
            self.status,
            self.picture,
        )
        self._show_found(None)
        self.follow(self._show_scene, "scene")

    def _show_scene(self) -> None:
        scene = self.state.scene
        self.here.disabled = scene is None or scene.spex.crs is None

    def _take_place(self) -> None:
        scene = self.state.scene
        height, width = scene.spex.shape
        place = WebGrid(Grid(height, width, scene.spex.transform, scene.spex.crs))
        west, south, east, north = place.bounds_lonlat
        bounds = west, south, east - 360 if east > HALF_TURN else east, north
        self.place.value = ", ".join(f"{degrees:.4f}" for degrees in bounds)

    def _search(self) -> None:
        place, dates = self.place.value.replace(",", " ").split(), self.dates.value.strip() or None
        catalogue, clouds = self.catalogue.value.strip(), self.clouds.value
        if not place:
            raise SourceNotFoundError(
                "The place is missing",
                found="nothing",
                expected="west, south, east, north in degrees",
                fix="Write four numbers above, such as 11.0, 47.9, 11.4, 48.2.",
            )
        self._ask(
            f"Asking {escape(catalogue)} …",
            lambda: search_scenes(place, dates, catalogue, max_cloud=clouds),
            self._show_found,
        )

    def _ask(self, text: str, work: Any, done: Any) -> None:
        """Do something that asks the network, beside the kernel; no second thing meanwhile."""
        self._set_busy(True)
        self.status.value = quiet(text)

        def finished(outcome: Any) -> None:
            self._set_busy(False)
            done(outcome)

        def failed(error: BaseException) -> None:
            self._set_busy(False)
            self.status.value = quiet(HINT)
            self.fail(error)

        self.state.jobs.start(lambda _job: work(), finished, failed)

    def _set_busy(self, is_busy: bool) -> None:
        self.search.disabled = is_busy
        self.open.disabled = self.pictures.disabled = is_busy or not self.scenes

    def _show_found(self, scenes: FoundScenes | None) -> None:
        """List what a search found."""
        self.scenes = scenes
        rows = [] if scenes is None else [_line(row) for _, row in scenes.table.iterrows()]
        self.listed.options = [(text, number) for number, text in enumerate(rows)]
        self.listed.layout.display = "" if rows else "none"
        self.open.disabled = self.pictures.disabled = not rows
        if scenes is None:
            self.status.value = quiet(HINT)
            return
        count = f"{len(rows):,} scenes." if rows else "No scene: allow more clouds or another time, or check the place."
        self.status.value = quiet(count) + "".join(map(note, scenes.notes))
        self._show_chosen()

    def _fetch_pictures(self) -> None:
        scenes = self._require_found()
        self._ask("Fetching pictures …", scenes.with_thumbnails, self._show_pictures)

    def _show_pictures(self, scenes: FoundScenes) -> None:
        self.scenes = scenes
        self.status.value = quiet(f"{len(scenes.pictures):,} of {len(scenes):,} scenes have a picture.")
        self._show_chosen()

    def _show_chosen(self) -> None:
        """Show the picture of the chosen scene, where it was fetched."""
        number = self.listed.value
        if self.scenes is None or number is None:
            self.picture.value = ""
            return
        name = str(self.scenes.items[number].get("id"))
        picture = self.scenes.pictures.get(name)
        shown = "" if picture is None else f'<img src="data:image/png;base64,{b64encode(picture).decode()}" alt="">'
        self.picture.value = block(f"{shown}<br>{escape(name)}", "quiet")

    def _open(self) -> None:
        scenes, number = self._require_found(), self.listed.value or 0
        self._ask(
            "Fetching the bands of the place …", lambda: record_warnings(lambda: _fetch(scenes, number)), self._opened
        )

    def _opened(self, outcome: tuple[Any, list[str]]) -> None:
        scene, warnings = outcome
        self.status.value = quiet("Opened. The scene is in memory now.") + "".join(map(note, warnings))
        self.state.show_scene(scene, SceneSource())

    def _require_found(self) -> FoundScenes:
        if not self.scenes:
            raise EmptySceneError("Nothing is found yet", found="no scene", expected="a search", fix="Search first.")
        return self.scenes


def _fetch(scenes: FoundScenes, number: int) -> Any:
    """Return the bands of the searched place, in memory.

    Raises:
        GridError: If the place is too large to be fetched at once.
    """
    scene = scenes.open(number, place_only=True)
    height, width = scene.spex.shape
    if max(height, width) > LARGEST_SIDE_PX:
        raise GridError(
            "The place is too large to be fetched at once",
            found=f"{height:,} × {width:,} px",
            expected=f"at most {LARGEST_SIDE_PX:,} px a side",
            fix="Search a smaller place; extract() and spex extract take larger ones.",
        )
    return scene.compute()


def _line(row: Any) -> str:
    """Return what a found scene is, in a line."""
    cover = "clouds not stated" if row.cloud_percent is None else f"{row.cloud_percent:.0f} % clouds"
    covered = "" if row.covers_frac is None else f"{row.covers_frac:.0%} of the place"
    return " · ".join(str(part) for part in (row.date, cover, covered, row.platform) if part)
