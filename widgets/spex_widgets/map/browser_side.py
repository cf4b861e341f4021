"""What happens in the browser without asking the kernel: cursors, rubber bands, keys, full screen, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

Hear = Callable[[str, Mapping[str, Any], bytes], None]


class BrowserSide(anywidget.AnyWidget):
    """The part of a workbench that runs in the page; it shows nothing by itself.

    Args:
        map: The map widget; None where there is none to follow.
        whole_id: Of the workbench in the page.
        hear: Called with the kind of what was done in the page, its particulars, and the bytes of a file.
    """

    _esm = Path(__file__).with_name("browser_side.js").read_text(encoding="utf-8")
    map_id = traitlets.Unicode("").tag(sync=True)
    """Of the map widget in the page."""
    whole_id = traitlets.Unicode("").tag(sync=True)
    """Of the workbench in the page: the changes of its controls arrive before the click that follows them."""
    tool = traitlets.Unicode("look").tag(sync=True)
    brush_m = traitlets.Float(0.0).tag(sync=True)
    """Radius of the brush in metres of Web Mercator, in which maps measure their screen."""

    def __init__(self, map: Any, whole_id: str, hear: Hear) -> None:  # noqa: A002 (its name)
        super().__init__(map_id=str(getattr(map, "model_id", "")), whole_id=whole_id, layout={"display": "none"})
        self._hear_page = hear
        self.on_msg(self._hear)

    def close(self) -> None:
        """Hear no more, and let go of who was called."""
        self._hear_page = _ignore
        super().close()

    def _hear(self, _widget: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict):
            self._hear_page(str(content.get("kind")), content, bytes(buffers[0]) if buffers else b"")


def _ignore(*_: Any) -> None:
    """Do nothing: the workbench is closed."""
