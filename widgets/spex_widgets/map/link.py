"""Between state and map: what the state says is shown, what is done on the map changes the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.extraction.facts.doubt import STEPS
from spex_nb.extraction.refine import UserPrompts
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types import MASK_NODATA, Point, Window
from spex_widgets import editor
from spex_widgets.explanations import legend
from spex_widgets.map.images import FAINT
from spex_widgets.map.readout import Readout
from spex_widgets.measuring import ruler_text
from spex_widgets.state import Preview, StateObserver, WorkbenchState

MASKS = ("mask", "live mask", "probability")
"""Layers of the map that lie over the scene."""


class MapLink:
    """Keeps a map and a state alike.

    Args:
        state: Of the workbench.
        view: A `MapView`.
    """

    def __init__(self, state: WorkbenchState, view: Any) -> None:
        self.state, self.view = state, view
        state.visible_window = view.visible_window
        self._is_clicking = False
        self._has_outlines = True
        self._shown_scene: Any = None
        """The scene that the map shows: while another one is taken over, nothing of that one can be laid on the map."""
        self._observer = StateObserver(state)
        self._observer.follow(self._show_scene, "scene")
        self._observer.follow(self._show_picture, "bands", "index")
        self._observer.follow(self._show_mask, "mask", "preview", "layer", "number")
        self._observer.follow(self._show_left_out, "result")
        self._observer.follow(self._show_strength, "opacity", "wipe")
        self._observer.follow(self._show_wiped_regions, "wipe")
        self._observer.follow(self._show_regions, "result", "extraction")
        self._observer.follow(self._show_districts, "districts")
        self._observer.follow(self._show_region, "region")
        self._observer.follow(self._go_to_spot, "spot")
        self._observer.follow(self._show_pins, "user_prompts")
        self._observer.follow(self._take_tool, "tool")
        self._observer.follow(self._show_legend, "result", "extraction", "layer", "preview")
        self._observer.follow(self._show_hidden, "hidden")
        self._observer.follow(self._show_ruler, "ruler")
        self._observer.follow(self._show_strengths, "strengths")
        self._readout = Readout(state, view.set_readout)
        view.on_click(self._clicked)
        view.on_move(self._readout.follow)
        self._show_strength()
        self._show_scene()
        self._take_tool()

    def _show_scene(self) -> None:
        if self.state.scene is not None:
            self.view.set_scene(self.state.scene)
            self._shown_scene = self.state.scene
            for show in (self._show_picture, self._show_mask, self._show_regions, self._show_pins, self._show_ruler):
                show()

    @property
    def _is_on_map(self) -> bool:
        return self.state.scene is not None and self._shown_scene is self.state.scene

    def _show_picture(self) -> None:
        if not self._is_on_map:
            return
        self.view.show_composite(self.state.bands)
        if self.state.index:
            self.view.show_index(self.state.index)

    def _show_mask(self) -> None:
        state = self.state
        if not self._is_on_map:
            return
        if state.preview is not None:
            self.view.set_live_mask(_prior_of(state.preview), [state.preview.target])
        elif state.mask is None:
            self.view.clear_mask()
        elif state.layer == "mask":
            self.view.clear_mask()
            self.view.colors = state.extraction.class_colors
            hatched = (True,) if state.extraction.is_untrusted else ()
            self.view.set_mask(self._on_scene(self._marked_mask(), MASK_NODATA), state.extraction.class_names, *hatched)
        elif state.layer == "doubt":
            self._show_doubt()
        else:
            self.view.clear_mask()
            self.view.colors = state.extraction.class_colors
            chosen = min(state.number, len(state.extraction.class_names)) - 1
            probability = self._on_scene(state.extraction.probability[chosen], np.nan)
            self.view.set_probability(probability, [*state.extraction.class_names][chosen])

    def _marked_mask(self) -> xr.DataArray:
        """Return the mask, on which what the instruction does not ask for is faint, as far as that was measured."""
        mask: xr.DataArray = self.state.mask
        left_out = _left_out(self.state)
        return mask if left_out is None else mask.copy(data=np.where(left_out, mask.values + FAINT, mask.values))

    def _show_left_out(self) -> None:
        """Show once an edit is measured what of it does not count."""
        if _left_out(self.state) is not None:
            self._show_mask()

    def _show_doubt(self) -> None:
        """Show the doubt of the result as a strength of colour; nothing in results that have none."""
        self.view.clear_mask()
        result = self.state.result or self.state.extraction
        if result.doubt is not None:
            shares = np.where(result.doubt == MASK_NODATA, np.nan, result.doubt / np.float32(STEPS))
            self.view.set_probability(self._on_scene(result.doubt.copy(data=shares), np.nan), "")

    def _go_to_spot(self) -> None:
        if self.state.spot:
            self.view.zoom_to_window(self.state.spot)

    def _on_scene(self, layer: xr.DataArray, nodata: float) -> xr.DataArray | NDArray[Any]:
        """Return a layer of the result on all pixels of the scene, without data where the result does not reach."""
        shape = self.state.scene.spex.shape
        if layer.shape == shape:
            return layer
        row, column, height, width = self.state.window
        whole = np.full(shape, nodata, layer.dtype)
        whole[row : row + height, column : column + width] = layer.values
        return whole

    def _show_strength(self) -> None:
        for name in MASKS:
            self.view.set_opacity(name, self.state.opacity)
        self.view.set_wipe(self.state.wipe)

    def _show_wiped_regions(self) -> None:
        """Take the outlines off the map where all of the mask is wiped aside, and show them again afterwards."""
        if self._has_outlines != (self.state.wipe > 0):
            self._show_regions()

    def _show_regions(self) -> None:
        """Show outlines; while an edit is measured, those of before stay."""
        self._has_outlines = self.state.wipe > 0
        if not self._is_on_map:
            return
        if self.state.result is not None and self._has_outlines:
            self.view.set_regions(self.state.result.regions)
        elif self.state.extraction is None or not self._has_outlines:
            self.view.set_regions(_nothing())

    def _show_districts(self) -> None:
        """Show the polygons of the user where both they and the scene have a place on the Earth."""
        if not self._is_on_map:
            return
        districts, crs = self.state.districts, self.state.scene.spex.crs
        has_place = districts is not None and districts.crs is not None and crs is not None
        self.view.set_districts(districts.to_crs(crs) if has_place else None)

    def _show_region(self) -> None:
        region = self.state.region
        self.view.select_region(None if region < 0 else region)
        if region >= 0 and not self._is_clicking:
            self.view.zoom_to_region(region)

    def _show_pins(self) -> None:
        if self._is_on_map:
            self.view.set_pins(self.state.user_prompts.clicks, self.state.user_prompts.boxes)

    def _show_legend(self) -> None:
        """Name on the map what was found, with areas; while an edit is measured, those of before stay."""
        state = self.state
        if state.preview is not None:
            self.view.set_legend(legend({state.preview.target: f"{state.preview.target}, preview"}))
        elif state.extraction is None:
            self.view.set_legend("")
        elif state.layer == "doubt":
            self.view.set_legend("<p>doubt: the stronger, the less sure</p>")
        elif state.result is not None:
            self.view.set_legend(
                legend(state.extraction.class_names, state.result.evidence, state.extraction.class_colors)
            )

    def _show_hidden(self) -> None:
        self.view.set_hidden(self.state.hidden)

    def _show_strengths(self) -> None:
        for name in ("scene", "index"):
            self.view.set_opacity(name, self.state.strengths.get(name, 1.0))

    def _show_ruler(self) -> None:
        state = self.state
        if self._is_on_map:
            self.view.set_ruler(state.ruler)
            self.view.set_readout(escape(ruler_text(state.scene, state.ruler)))

    def _take_tool(self) -> None:
        """Let drags mean what the tool says; without one that draws, they move the map."""
        if self.state.tool == "box":
            self.view.on_draw_box(self._boxed)
        else:
            self.view.on_brush(self._brushed if self.state.tool in ("paint", "erase") else None)

    def _clicked(self, row: int, col: int, _x_crs: float, _y_crs: float) -> None:
        self._is_clicking = True
        self._trying(lambda: editor.click(self.state, (col + 0.5, row + 0.5)))
        self._is_clicking = False

    def _boxed(self, window: Window) -> None:
        row, column, height, width = window
        box, user_prompts = (column, row, column + width, row + height), self.state.user_prompts
        self._trying(lambda: editor.ask_model(self.state, UserPrompts(user_prompts.clicks, (*user_prompts.boxes, box))))

    def _brushed(self, stroke: Sequence[Point]) -> None:
        self._trying(lambda: editor.draw(self.state, list(stroke)))

    def _trying(self, action: Callable[[], None]) -> None:
        """Do something that a hand on the map asked for; what goes wrong is the state's error, whatever it is."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 (the map has no place to show it; the panels do)
            self.state.error = error

    def close(self) -> None:
        """Let go of the state; the map is closed by who made it."""
        self._observer.close()
        self.state.visible_window = None


def _prior_of(preview: Preview) -> Callable[[xr.Dataset], Any]:
    return lambda scene: spectral_prior(scene, preview.target, threshold=preview.threshold).mask.values


def _left_out(state: WorkbenchState) -> NDArray[np.bool_] | None:
    """Return the edited pixels [h, w] that the instruction does not ask for; None where there are none."""
    if state.result is None or state.result.mask is state.mask:
        return None
    differs: NDArray[np.bool_] = state.result.mask.values != state.mask.values
    return differs if differs.any() else None


def _nothing() -> Any:
    import geopandas as gpd

    return gpd.GeoDataFrame({"area_px": []}, geometry=[])
