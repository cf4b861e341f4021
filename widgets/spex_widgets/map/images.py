"""The pictures that lie on a map: each drawn beside the kernel for what the map shows; only the latest view counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spex_nb.output.map_images import data_uri
from spex_nb.output.web_mercator import View
from spex_widgets.jobs import Failed, Job, Jobs

FAINT = 128
"""Added to the number of a class where it is drawn faintly: the instruction does not ask for these pixels."""
Kind = Literal["png", "webp"]
Draw = Callable[[View], bytes]


@dataclass(eq=False)
class _MapImage:
    overlay: Any
    draw: Draw | None = None
    kind: Kind = "png"
    wanted: int = 0
    """Number of the latest view that was asked for; older drawings are thrown away."""


class MapImages:
    """One picture a layer, the lowest first.

    The overlays stay the same from beginning to end: a page that is still loading asks for every widget there is, and
    waits for ever for one that is closed meanwhile.

    Args:
        overlays: What shows each picture, by name: has ``url`` and ``bounds``.
        view: Says what the map shows of the scene.
        jobs: Where they are drawn.
        failed: Called with what a drawing raised.
    """

    def __init__(
        self, overlays: Mapping[str, Any], view: Callable[[], View | None], jobs: Jobs, failed: Failed
    ) -> None:
        self._images = {name: _MapImage(overlay) for name, overlay in overlays.items()}
        self._view, self._jobs, self._failed = view, jobs, failed

    @property
    def shown(self) -> list[Any]:
        """The overlays that have something to show."""
        return [image.overlay for image in self._images.values() if image.draw is not None]

    def put(self, name: str, draw: Draw, kind: Kind) -> None:
        """Show what is drawn now, and whenever the map moves.

        Args:
            name: Of the layer.
            draw: Called on the executor with a view, returns the encoded picture.
            kind: How it is encoded.
        """
        image = self._images[name]
        image.draw, image.kind = draw, kind
        self.redraw(name)

    def drop(self, name: str) -> None:
        """Show nothing in a layer."""
        image = self._images[name]
        image.draw, image.overlay.url = None, ""
        image.wanted += 1

    def redraw(self, *names: str) -> None:
        """Draw layers for what the map shows now: all of them if none is named."""
        view = self._view()
        for name in names or self._images:
            image = self._images[name]
            if view is not None and image.draw is not None:
                self._draw(image, image.draw, view)

    def _draw(self, image: _MapImage, draw: Draw, view: View) -> None:
        image.wanted += 1
        number = image.wanted

        def work(_job: Job) -> bytes | None:
            return draw(view) if image.wanted == number else None

        def done(encoded: bytes | None) -> None:
            if encoded is not None and image.wanted == number:
                west, south, east, north = view.bounds_lonlat
                with image.overlay.hold_sync():
                    image.overlay.bounds = [[south, west], [north, east]]
                    image.overlay.url = data_uri(encoded, image.kind)

        self._jobs.start(work, done, self._failed)
