"""How far a run is: shown as a bar, told to a function such as a user interface has, or kept quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        part: What is being done: ``tiles``, ``assembling``, ``regions``, ``survey``, ``explanation`` or ``saving``.
        done: Tiles that need no more work, those of an earlier run included.
        total: All tiles.
        seconds_left: What the other tiles take at the pace so far; None where there is nothing to go by yet, and once
            all are done.
    """

    part: str
    done: int
    total: int
    seconds_left: float | None = None


class Telling:
    """Tells how far a run is.

    Args:
        progress: True shows a bar, False nothing; a function is called with what it is to show.
        total: Number of tiles.
        done: How many of them an earlier run did.
    """

    def __init__(self, progress: bool | Callable[[Progress], None], total: int, done: int = 0) -> None:
        self._shows_bar = progress is True
        self._tell = progress if callable(progress) else _keep_quiet
        self._total, self._done = total, done

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        from tqdm.auto import tqdm

        if self._shows_bar:
            tqdm.write(text, file=sys.stderr)

    def begin(self, part: str) -> None:
        """Say what is being done next."""
        self._tell(Progress(part, self._done, self._total))

    @contextmanager
    def tiles(self) -> Iterator[Callable[[], None]]:
        """Give what is to be called after each tile."""
        from tqdm.auto import tqdm

        start, before = time.monotonic(), self._done

        def one_more() -> None:
            self._done += 1
            bar.update()
            waiting = self._total - self._done
            pace = (time.monotonic() - start) / (self._done - before)
            self._tell(Progress("tiles", self._done, self._total, pace * waiting if waiting else None))

        with tqdm(total=self._total, initial=before, unit="tile", disable=not self._shows_bar) as bar:
            yield one_more


def _keep_quiet(_: Progress) -> None:
    """Tell nobody."""
