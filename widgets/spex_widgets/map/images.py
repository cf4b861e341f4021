"""The pictures that lie on a map: each drawn beside the kernel for what the map shows; only the latest view counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spex_nb.output.map_images import data_uri
from spex_nb.output.web_mercator import View
from spex_widgets.jobs import Failed, Job, Jobs, when_quiet

FAINT = 128
"""Added to the number of a class where it is drawn faintly: the instruction does not ask for these pixels."""
Kind = Literal["png", "webp"]
Draw = Callable[[View], bytes]
MARGIN_FRAC = 0.25
"""Drawn beyond each edge of the map, so that a small move shows no gap."""
SAME_SCALE = 1e-3
"""By less than this share two views of one zoom differ, since each has whole pixels."""


QUIET_S = 0.3
"""Seconds without a move after which a picture grows beyond what is seen."""


@dataclass(eq=False)
class _MapImage:
    overlay: Any
    draw: Draw | None = None
    kind: Kind = "png"
    wanted: int = 0
    """Number of the latest view that was asked for; older drawings are thrown away."""
    requested_view: View | None = None
    """That view, of what is shown now."""

    def covers(self, seen: View) -> bool:
        """Say whether a view lies in the picture that was asked for last, at the same scale."""
        if self.requested_view is None:
            return False
        (west, south, east, north), drawn = seen.bounds_lonlat, self.requested_view.bounds_lonlat
        is_inside = drawn[0] <= west and drawn[1] <= south and east <= drawn[2] and north <= drawn[3]
        return is_inside and abs(self.requested_view.transform.a / seen.transform.a - 1) < SAME_SCALE


class MapImages:
    """One picture a layer, the lowest first.

    First what is seen is drawn, then, once the map is still, a margin around it. A small move shows no gap then.

    The overlays stay the same from beginning to end: a page that is still loading asks for every widget there is, and
    waits for ever for one that is closed meanwhile.

    Args:
        overlays: What shows each picture, by name: has ``url`` and ``bounds``.
        view: Says what the map shows of the scene, with a margin beyond each edge as a share of the map's size.
        jobs: Where they are drawn.
        failed: Called with what a drawing raised.
    """

    def __init__(
        self, overlays: Mapping[str, Any], view: Callable[[float], View | None], jobs: Jobs, failed: Failed
    ) -> None:
        self._images = {name: _MapImage(overlay) for name, overlay in overlays.items()}
        self._view, self._jobs, self._failed = view, jobs, failed
        self._forget: Callable[[], None] = _nothing

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
        image.draw, image.requested_view, image.overlay.url = None, None, ""
        image.wanted += 1

    def redraw(self, *names: str) -> None:
        """Draw layers anew for what the map shows now: all of them if none is named."""
        for name in names or self._images:
            self._images[name].requested_view = None
        self.follow_move()

    def follow_move(self) -> None:
        """Draw what the map shows now and no picture has yet, and margins once the map is still."""
        seen = self._view(0.0)
        if seen is None:
            return
        for image in self._images.values():
            if image.draw is not None and not image.covers(seen):
                self._draw(image, image.draw, seen)
        self._forget()
        self._forget = when_quiet(self._widen, QUIET_S)

    def close(self) -> None:
        """Draw nothing more."""
        self._forget()

    def _widen(self) -> None:
        """Draw what lies around the part that is seen."""
        wide = self._view(MARGIN_FRAC)
        for image in self._images.values():
            if wide is not None and image.draw is not None and image.requested_view != wide:
                self._draw(image, image.draw, wide)

    def _draw(self, image: _MapImage, draw: Draw, view: View) -> None:
        image.wanted += 1
        image.requested_view = view
        number = image.wanted

        def work(_job: Job) -> bytes | None:
            return draw(view) if image.wanted == number else None

        def done(encoded: bytes | None) -> None:
            if encoded is not None and image.wanted == number:
                west, south, east, north = view.bounds_lonlat
                with image.overlay.hold_sync():
                    image.overlay.bounds = [[south, west], [north, east]]
                    image.overlay.url = data_uri(encoded, image.kind)

        def failed(error: BaseException) -> None:
            image.requested_view = None
            self._failed(error)

        self._jobs.start(work, done, failed)


def _nothing() -> None:
    """Do nothing: no margin waits to be drawn."""
