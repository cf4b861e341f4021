"""Tiles are predicted one after another, here or on a cluster, until all are done or the user cancels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from spex_nb.errors import ExtractionCancelledError, lost_cluster
from spex_nb.extraction.memory import MANY_PX, return_free_memory
from spex_nb.extraction.predict import TileJob, TilePrediction, TilePredictor, predict_on_worker
from spex_nb.extraction.tile_store import TileStore
from spex_nb.types import Window

AHEAD = 3
"""Tiles that wait for each thread of a cluster: enough to keep it busy, few enough to hold their results."""
RETRIES = 2
"""Of a tile whose worker was lost."""
POLL_S = 2.0
LONGEST_WITHOUT_WORKERS_S = 60.0
"""So long a cluster may be without any worker, as while it restarts one."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        part: ``tiles``, ``assembling``, ``regions``, ``measurement``, ``explanation`` or ``saving``.
        done: Tiles that need no more work, those of an earlier run included.
        total: All tiles.
        seconds_left: What the other tiles take at the pace so far; None where there is nothing to go by yet, and once
            all are done.
    """

    part: str
    done: int
    total: int
    seconds_left: float | None = None


class ProgressReporter:
    """Shows how far a run is, or reports it to a function.

    Args:
        progress: True shows a bar, False nothing; a function is called with each `Progress`.
        total: Number of tiles.
        done: How many of them an earlier run did.
    """

    def __init__(self, progress: bool | Callable[[Progress], None], total: int, done: int = 0) -> None:
        self._shows_bar = progress is True
        self._report = progress if callable(progress) else _ignore
        self._total, self._done = total, done

    def write(self, text: str) -> None:
        """Write a line above the bar."""
        from tqdm.auto import tqdm

        if self._shows_bar:
            tqdm.write(text, file=sys.stderr)

    def begin(self, part: str) -> None:
        """Report which part begins."""
        self._report(Progress(part, self._done, self._total))

    @contextmanager
    def tiles(self) -> Iterator[Callable[[], None]]:
        """Give a function to call after each tile."""
        from tqdm.auto import tqdm

        start, before = time.monotonic(), self._done

        def tile_done() -> None:
            self._done += 1
            bar.update()
            waiting = self._total - self._done
            pace = (time.monotonic() - start) / (self._done - before)
            self._report(Progress("tiles", self._done, self._total, pace * waiting if waiting else None))

        with tqdm(total=self._total, initial=before, unit="tile", disable=not self._shows_bar) as bar:
            yield tile_done


def _ignore(_: Progress) -> None:
    """Report to nobody."""


class PartTimer:
    """Seconds that each part of a run took.

    Args:
        on_part: Called with the name of each part as it begins.
    """

    def __init__(self, on_part: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._on_part = on_part

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Time what happens inside."""
        self._on_part(part)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = round(time.perf_counter() - start, 3)


def run_tiles(
    job: TileJob,
    predictor: TilePredictor,
    windows: Sequence[Window],
    store: TileStore,
    *,
    reporter: ProgressReporter,
    client: Any = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> dict[Window, str]:
    """Predict the tiles that are not done yet, and keep what comes of each.

    Args:
        job: What the tiles are of.
        predictor: Open for this job.
        windows: Of all tiles.
        store: Where finished tiles are kept.
        reporter: Told of each tile.
        client: A ``distributed.Client``, whose workers do it instead.
        is_cancelled: Called before each tile; True ends the run.

    Returns:
        Tiles that failed, and why. They are not kept: the next run tries them again.

    Raises:
        ExtractionCancelledError: If the user cancelled; what is done stays.
        OutputError: If the disk is full.
        ClusterError: If the scheduler or all workers of the cluster are lost; what is done stays.
    """
    waiting = predictor.reader.in_order(window for window in windows if not store.is_done(window))
    failures: dict[Window, str] = {}
    predicted_px = 0
    with (
        closing(_here(predictor, waiting) if client is None else _on_cluster(job, waiting, client)) as tiles,
        reporter.tiles() as tile_done,
    ):
        for window, predict in tiles:
            if is_cancelled():
                raise _cancelled(sum(map(store.is_done, windows)), len(windows))
            prediction = predict()
            if prediction.failure:
                failures[window] = prediction.failure
            else:
                store.put(window, prediction)
            tile_done()
            predicted_px += window[2] * window[3]
            if predicted_px >= MANY_PX:  # the pieces that tiles leave add up
                return_free_memory(predicted_px)
                predicted_px = 0
    predictor.reader.forget()
    return failures


Work = tuple[Window, Callable[[], TilePrediction]]


def _here(predictor: TilePredictor, windows: Sequence[Window]) -> Generator[Work]:
    for window in windows:
        yield window, partial(predictor.predict, window)


def _on_cluster(job: TileJob, windows: Sequence[Window], client: Any) -> Generator[Work]:
    """Yield tiles as workers finish them; what they have not begun is taken back if nobody asks for more."""
    from distributed import wait

    # What is heavy is sent to each worker once; what is light goes with each tile, and survives any worker.
    shared = job if job.is_light else client.scatter(job, broadcast=True, hash=False)
    waiting, running = iter(windows), dict[Any, Window]()

    def start() -> None:
        begun = {
            client.submit(predict_on_worker, shared, window, pure=False, retries=RETRIES): window
            for window in islice(waiting, max(0, AHEAD * _threads(client) - len(running)))  # workers may get fewer
        }
        running.update(begun)

    try:
        start()
        while running:
            _patiently(client, partial(wait, [*running], timeout=POLL_S, return_when="FIRST_COMPLETED"))
            for future in [future for future in running if future.done()]:
                yield running.pop(future), partial(_result_of, future, client)
                start()
    finally:
        if client.status == "running":
            client.cancel([*running])


Answer = TypeVar("Answer")


def _patiently(client: Any, ask: Callable[[], Answer]) -> Answer:
    """Ask a cluster again and again until it answers.

    Args:
        client: Of the cluster.
        ask: Raises a TimeoutError after `POLL_S` without an answer.

    Raises:
        ClusterError: If no worker is there for `LONGEST_WITHOUT_WORKERS_S`, or the scheduler is lost.
    """
    since = time.monotonic()
    while True:
        try:
            return ask()
        except TimeoutError:
            if client.status != "running":
                raise lost_cluster(f"a client that is {client.status}") from None
            if client.nthreads():
                since = time.monotonic()
            if time.monotonic() - since > LONGEST_WITHOUT_WORKERS_S:
                raise lost_cluster(f"no worker for {LONGEST_WITHOUT_WORKERS_S:g} s") from None


def _threads(client: Any) -> int:
    return max(1, sum(map(int, client.nthreads().values())))


def _result_of(future: Any, client: Any) -> TilePrediction:
    """Return the prediction of a worker. A tile fails if every worker dies with it."""
    from distributed import KilledWorker

    try:
        prediction: TilePrediction = _patiently(client, partial(future.result, timeout=POLL_S))
    except KilledWorker as error:
        return TilePrediction(None, failure=f"KilledWorker: {error}")
    return prediction


def _cancelled(done: int, total: int) -> ExtractionCancelledError:
    return ExtractionCancelledError(
        "The extraction was cancelled",
        found=f"{done} of {total} tiles done",
        expected="all of them",
        fix="Finished tiles are kept beside the output: the same call goes on after them. Without out= it restarts.",
    )
