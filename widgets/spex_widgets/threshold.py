"""A slider from an index to words: move the threshold, and see regions, attributes and prompt change."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as ipw
import numpy as np
import xarray as xr

from spex_nb.language.prompts import build_prompt
from spex_nb.output.plotting import plot_histogram, plot_regions
from spex_nb.regions.find import find_regions, regions_frame
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types import Region

STEPS = 100
SHOWN_COLUMNS = ["area_px", "area_m2", "share_frac", "size", "location", "mean_index"]


class ThresholdExplorer(ipw.VBox):  # type: ignore[misc]
    """The spectral prior of a target, with its threshold in your hand; its guards stay as they are.

    Args:
        scene: Any Dataset of named bands [H, W]; small enough to be measured again at every move.
        target: Id of a target that an index shows, such as ``water``.
        min_area_px: Smaller regions are left out.

    Raises:
        TargetError, MissingBandError: As ``spectral_prior``.
    """

    def __init__(self, scene: xr.Dataset, target: str = "water", min_area_px: int = 10) -> None:
        self._scene, self._target, self._min_area_px = scene, target, min_area_px
        measured = spectral_prior(scene, target)
        self.regions: list[Region] = []
        """What the prompt speaks of."""
        low, high = (float(v) for v in np.nanpercentile(measured.index.values, [1, 99]))
        low, high = min(low, measured.threshold), max(high, measured.threshold)
        self.slider = ipw.FloatSlider(
            value=measured.threshold,
            min=low,
            max=high,
            step=(high - low) / STEPS,
            readout_format=".3f",
            description=measured.index_name,
            continuous_update=False,
            layout={"width": "60%"},
        )
        self.reason = ipw.HTML()
        self.picture, self.histogram = (
            ipw.Image(format="png", layout={"max_width": "48%", "height": "auto", "align_self": "flex-start"})
            for _ in range(2)
        )
        self.table, self.prompt = ipw.HTML(), ipw.HTML()
        self.slider.observe(self._refresh, "value")
        self._refresh()
        super().__init__([self.reason, self.slider, ipw.HBox([self.picture, self.histogram]), self.table, self.prompt])

    def _refresh(self, _change: Any = None) -> None:
        prior = spectral_prior(self._scene, self._target, threshold=round(self.slider.value, 3))
        self.regions = find_regions(
            prior.mask, self._scene.spex.valid, index=prior.index, min_area_px=self._min_area_px
        )
        self.reason.value = html.escape(prior.reason)
        self.picture.value = _png(plot_regions(self._scene, self.regions))
        self.histogram.value = _png(plot_histogram(prior.index, prior.threshold))
        self.table.value = regions_frame(self.regions, self._scene)[SHOWN_COLUMNS].round(3).to_html(border=0)
        self.prompt.value = f"<pre style='white-space: pre-wrap'>{html.escape(self.text)}</pre>"

    @property
    def text(self) -> str:
        """The prompt as it stands."""
        return build_prompt(self._target, self.regions)


def _png(figure: Any) -> bytes:
    picture: bytes = figure._repr_png_()
    return picture
