"""What stands about the picture of a map: legend, readout, and scale bar and north where there is a CRS."""

from __future__ import annotations

from typing import Any

import ipyleaflet
import ipywidgets as ipw

from spex_widgets.messages import block

NORTH = "<span title='North is up' aria-label='North is up'>▲ N</span>"
EMPTY_BOX = {"display": "none"}


class Furniture:
    """Legend, scale bar, north and readout of a map.

    A bar of metres is shown only where pixels have a place on the Earth.

    Args:
        map: With ``controls``.
    """

    def __init__(self, map: Any) -> None:  # noqa: A002 (its name)
        self._map = map
        self._legends = {"index": "", "classes": ""}
        self.legend, self.readout = ipw.HTML(layout=EMPTY_BOX), ipw.HTML(layout=EMPTY_BOX)
        self.legend.add_class("spex-legend")
        self.readout.add_class("spex-readout")
        self._scales = [control for control in map.controls if isinstance(control, ipyleaflet.ScaleControl)]
        self._scale = None if self._scales else ipyleaflet.ScaleControl(position="bottomleft", imperial=False)
        self._controls = [
            ipyleaflet.WidgetControl(widget=self.legend, position="bottomright"),
            ipyleaflet.WidgetControl(widget=self.readout, position="bottomleft"),
        ]
        self._north = ""

    @property
    def widgets(self) -> list[Any]:
        """All that it made."""
        scales = [] if self._scale is None else [self._scale]
        return [self.legend, self.readout, *self._controls, *scales]

    def show_place(self, is_on_earth: bool) -> None:
        """Show legend and readout; scale bar and north only for a scene that lies on the Earth."""
        scales = self._scales if self._scale is None else [self._scale]
        others = [control for control in self._map.controls if control not in (*self._controls, *scales)]
        self._map.controls = (*others, *(scales if is_on_earth else []), *self._controls)
        self._north = NORTH if is_on_earth else ""
        self.show_readout("")

    def show_legend(self, part: str, inner: str) -> None:
        """Set one part of the legend, ``index`` or ``classes``, as HTML; empty for none."""
        self._legends[part] = inner
        whole = "".join(self._legends.values())
        self.legend.value = block(whole) if whole else ""
        self.legend.layout.display = None if whole else "none"

    def show_readout(self, inner: str) -> None:
        """Set the line under the pointer, as HTML, after the arrow to the north."""
        parts = [part for part in (self._north, inner) if part]
        self.readout.value = block(" · ".join(parts)) if parts else ""
        self.readout.layout.display = None if parts else "none"

    def close(self) -> None:
        """Take all of it off the map; scale bars that were there before come back."""
        others = [control for control in self._map.controls if control not in (*self._controls, *self._scales)]
        self._map.controls = (*(control for control in others if control is not self._scale), *self._scales)
        for widget in self.widgets:
            widget.close()
