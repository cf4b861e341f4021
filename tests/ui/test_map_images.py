"""Pictures of a map that moves: what is seen comes first, margins once it is still, and small moves draw nothing."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from spex_widgets.jobs import ImmediateExecutor, Jobs
from spex_widgets.map.images import MapImages

from spex_nb.output.web_mercator import View

SIDE_PX = 100


class Overlay:
    """Shows a picture, as far as the drawing of it is concerned."""

    url, bounds = "", None
    hold_sync = staticmethod(nullcontext)


class MovingMap:
    """Shows a part of an endless scene, and notes what is drawn of it."""

    def __init__(self) -> None:
        self.west, self.width, self.failures = 0.0, 1.0, []
        self.drawn: list[View] = []
        self.images = MapImages({"scene": Overlay()}, self.view, Jobs(ImmediateExecutor()), self.failures.append)

    def view(self, margin_frac: float) -> View:
        margin = margin_frac * self.width
        side = round(SIDE_PX * (1 + 2 * margin_frac))
        west, east = self.west - margin, self.west + self.width + margin
        return View((west, -margin, east, self.width + margin), (side, side))

    def draw(self, view: View) -> bytes:
        self.drawn.append(view)
        return b"picture"

    def move(self, by: float) -> None:
        self.west += by
        self.images.follow_move()

    @property
    def edges(self) -> list[float]:
        """Western edges of what was drawn so far."""
        return [round(view.bounds_lonlat[0], 3) for view in self.drawn]


@pytest.fixture
def moving_map(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("spex_widgets.map.images.QUIET_S", 0.01)
    return MovingMap()


def test_what_is_seen_comes_first_and_a_small_move_draws_nothing(moving_map: MovingMap) -> None:
    async def look() -> None:
        moving_map.images.put("scene", moving_map.draw, "png")
        assert moving_map.edges == [0.0]
        await asyncio.sleep(0.1)
        assert moving_map.edges == [0.0, -0.25]
        moving_map.move(0.2)
        assert moving_map.edges == [0.0, -0.25]  # it lies in the margin
        await asyncio.sleep(0.1)
        assert moving_map.edges == [0.0, -0.25, -0.05]
        moving_map.move(0.4)
        assert moving_map.edges[3:] == [0.6]
        moving_map.move(0.4)
        await asyncio.sleep(0.1)
        assert moving_map.edges[4:] == [1.0, 0.75]  # no margin about a place that was left at once

    asyncio.run(look())


def test_another_scale_and_other_content_are_drawn_at_once(moving_map: MovingMap) -> None:
    async def look() -> None:
        moving_map.images.put("scene", moving_map.draw, "png")
        await asyncio.sleep(0.1)
        moving_map.width = 0.5
        moving_map.move(0.1)
        assert moving_map.edges == [0.0, -0.25, 0.1]
        moving_map.images.redraw("scene")
        assert moving_map.edges[3:] == [0.1]
        moving_map.images.close()
        await asyncio.sleep(0.1)
        assert len(moving_map.drawn) == 4  # a closed map draws no margin

    asyncio.run(look())


def test_a_picture_that_failed_is_drawn_again_by_the_next_move(moving_map: MovingMap) -> None:
    def fail(view: View) -> bytes:
        moving_map.drawn.append(view)
        raise OSError("disk")

    async def look() -> None:
        moving_map.images.put("scene", fail, "png")
        moving_map.move(0.0)
        assert len(moving_map.drawn) == len(moving_map.failures) == 2

    asyncio.run(look())
