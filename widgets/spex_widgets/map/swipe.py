"""A handle over a map by which one looks at two layers: each on its side of the handle, or both in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

MODES = ("off", "swipe", "blink", "both")
"""Neither is seen, each on its side, both in turn, or both one above the other."""


class Swipe(anywidget.AnyWidget):
    """The handle. It works for any layers of pictures or tiles, and shows nothing where it stands itself.

    Args:
        map: The map widget that the layers lie on.
    """

    _esm = Path(__file__).with_name("swipe.js").read_text(encoding="utf-8")
    map_id = traitlets.Unicode("").tag(sync=True)
    """Of the map widget in the page."""
    left = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Layers that are seen left of the handle, by the ids of their widgets."""
    right = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Layers that are seen right of it."""
    front = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Layers that lie in front of both, such as what changed."""
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """What stands beside the handle, such as two dates."""
    mode = traitlets.Enum(MODES, "off").tag(sync=True)
    position = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    """Of the handle, as a share of the width of the map."""

    def __init__(self, map: Any) -> None:  # noqa: A002 (its name)
        # Not hidden: a widget without a place in the page is never drawn.
        super().__init__(map_id=str(getattr(map, "model_id", "")), layout={"height": "0", "overflow": "hidden"})

    def between(self, left: Any, right: Any, front: Sequence[Any] = (), labels: Sequence[str] = ("", "")) -> None:
        """Set what is seen on either side.

        Args:
            left: A layer of the map: a picture or tiles.
            right: Another one.
            front: Layers in front of both.
            labels: What each side is called.
        """
        with self.hold_sync():
            self.left, self.right = [left.model_id], [right.model_id]
            self.front, self.labels = [layer.model_id for layer in front], [*labels]
