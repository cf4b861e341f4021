"""What happens in the browser without asking the kernel: cursors, rubber bands, keys, full screen, names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets


class BrowserSide(anywidget.AnyWidget):
    """The part of a workbench that runs in the page; it shows nothing by itself.

    Args:
        map: The map widget; None where there is none to follow.
        on_escape: Called when Esc is pressed.
        on_region: Called with the row of a region whose number in a sentence was pressed.
    """

    _esm = Path(__file__).with_name("browser_side.js").read_text(encoding="utf-8")
    map_id = traitlets.Unicode("").tag(sync=True)
    """Of the map widget in the page."""
    tool = traitlets.Unicode("look").tag(sync=True)
    brush_m = traitlets.Float(0.0).tag(sync=True)
    """Radius of the brush in metres of Web Mercator, in which maps measure their screen."""

    def __init__(self, map: Any, on_escape: Callable[[], None], on_region: Callable[[int], None]) -> None:  # noqa: A002 (its name)
        super().__init__(map_id=str(getattr(map, "model_id", "")), layout={"display": "none"})
        self._on_escape, self._on_region = on_escape, on_region
        self.on_msg(self._hear)

    def close(self) -> None:
        """Hear no more, and let go of who was called."""
        self._on_escape, self._on_region = _ignore, _ignore
        super().close()

    def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("kind") == "escape":
            self._on_escape()
        elif content.get("kind") == "region" and isinstance(content.get("row"), int):
            self._on_region(content["row"])


def _ignore(*_: Any) -> None:
    """Do nothing: the workbench is closed."""
