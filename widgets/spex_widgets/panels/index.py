"""From an index to words, live on the map: a target, its threshold, and the prompt that the model would read."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as ipw
import numpy as np
import xarray as xr

from spex_nb.errors import MissingBandError, TargetError
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.spectral.priors import RULES, spectral_prior
from spex_nb.types import Prior, Region
from spex_nb.types.targets import TARGETS
from spex_widgets.charts import histogram
from spex_widgets.messages import block, quiet, table
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import Preview, WorkbenchState

STEPS = 200
LONGEST_PX = 512
"""Larger windows are thinned to this for the live prior."""
MIN_AREA_PX = 10
SHOWN_REGIONS = 5


class IndexPanel(Panel):
    """The spectral prior of a target in the visible window, with its threshold in your hand."""

    title = "Index"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.regions: list[Region] = []
        """What the prompt speaks of."""
        self.prior: Prior | None = None
        """Of the window, thinned where it is large."""
        self.target = ipw.Dropdown(description="Target", layout=WIDE)
        self.slider = ipw.FloatSlider(description="Threshold", readout_format=".3f", layout=WIDE, min=-1, max=1)
        self.again = button("This window", "Use what the map shows now", self.trying(self._restart))
        self.reset = button("Measured", "Go back to the measured threshold", self.trying(self._reset))
        self.stop = button("Hide", "Take the prior off the map", self.trying(self.hide))
        self.reason, self.histogram, self.words = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.target.observe(self.trying(self._restart), "value")
        self.slider.observe(self.trying(self._refresh), "value")
        self.lay_out(
            self.target,
            self.slider,
            ipw.HBox([self.again, self.reset, self.stop]),
            self.reason,
            self.histogram,
            self.words,
        )
        self._window: Any = None
        self._measured = 0.0
        self._is_moving = False
        self.follow(self._offer, "scene")

    def _offer(self) -> None:
        """Offer the targets that this scene's bands show."""
        self.hide()
        scene = self.state.scene
        pixel = None if scene is None else scene.isel(y=slice(0, 1), x=slice(0, 1))
        possible = [] if pixel is None else [target for target in RULES if _shows(pixel, target)]
        self.target.options = [("choose …", ""), *((TARGETS[target].word, target) for target in possible)]
        self.target.value = ""

    def _restart(self) -> None:
        if not self.target.value:
            self.hide()
            return
        window = self.state.view_window
        step = max(1, -(-max(window[2:]) // LONGEST_PX))
        self._window = _thinned(self.state.scene.spex.window(*window), step).compute()
        prior = spectral_prior(self._window, self.target.value)
        self._measured = prior.threshold
        self._is_moving = True
        self._set_range(prior)
        self._is_moving = False
        self._refresh()

    def _set_range(self, prior: Prior) -> None:
        values = prior.index.values[np.isfinite(prior.index.values)]
        ends = np.percentile(values, (1, 99)) if values.size else (-1.0, 1.0)
        low, high = min(float(ends[0]), prior.threshold), max(float(ends[1]), prior.threshold)
        high = high if high > low else low + 1e-3
        self.slider.min, self.slider.max = min(self.slider.min, low), max(self.slider.max, high)
        self.slider.value = prior.threshold
        self.slider.min, self.slider.max, self.slider.step = low, high, (high - low) / STEPS

    def _reset(self) -> None:
        self.slider.value = self._measured

    def _refresh(self) -> None:
        if self._is_moving or self._window is None or not self.target.value:
            return
        is_measured = abs(self.slider.value - self._measured) < self.slider.step / 2
        chosen = None if is_measured else round(self.slider.value, 4)
        prior = spectral_prior(self._window, self.target.value, threshold=chosen)
        self.prior, valid = prior, self._window.spex.valid
        self.regions = find_regions(prior.mask, valid, index=prior.index, min_area_px=MIN_AREA_PX)
        self.state.preview = Preview(self.target.value, chosen)
        self.reason.value = block(escape(prior.reason), "quiet")
        self.histogram.value = block(histogram(prior.index.values, prior.threshold, prior.index_name))
        self.words.value = self._words(float(prior.mask.values.sum() / max(1, int(valid.values.sum()))))

    def _words(self, share: float) -> str:
        rows = [
            (
                str(i),
                f"{region.area_px:,} px" if region.area_m2 is None else f"{region.area_m2 / 1e4:,.2f} ha",
                region.size,
                region.location,
                f"{region.mean_index:.3f}",
            )
            for i, region in enumerate(self.regions[:SHOWN_REGIONS], start=1)
        ]
        listed = table(rows, ("", "area", "size", "place", "mean")) if rows else ""
        prompt = escape(build_prompt(self.target.value, self.regions[:SHOWN_REGIONS]))
        summary = f"<p>{share:.1%} of the window, {len(self.regions)} regions.</p>"
        return block(f"{summary}{listed}<h4>What the model would read</h4><pre>{prompt}</pre>")

    def hide(self) -> None:
        """Take the prior off the map."""
        self._window = self.prior = self.state.preview = None
        self.reason.value = quiet(
            "Choose a target: its index is cut where it was measured, and the slider moves the cut."
        )
        self.histogram.value = self.words.value = ""


def _shows(pixel: xr.Dataset, target: str) -> bool:
    try:
        spectral_prior(pixel, target)
    except (TargetError, MissingBandError):
        return False
    return True


def _thinned(scene: xr.Dataset, step: int) -> xr.Dataset:
    if step == 1:
        return scene
    from affine import Affine

    thin = scene.isel(y=slice(None, None, step), x=slice(None, None, step))
    placed: xr.Dataset = thin.rio.write_transform(scene.spex.transform @ Affine.scale(step))
    return placed
