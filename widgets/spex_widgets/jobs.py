"""Work beside the kernel's main thread: progress and cancel while it goes on, results handed back on the kernel's loop.

It knows no widget. What a job gives back, or how it failed, always reaches the caller: nothing is lost in a thread.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Event, Lock, get_ident
from typing import Any, TypeVar

from spex_nb.errors import JobCancelledError, SpexWarning

THREADS = 4
Failed = Callable[[BaseException], None]
Result = TypeVar("Result")
_RECORDING = Lock()
"""Python records warnings for the whole process, so only one piece of work at a time may record its own."""


class ImmediateExecutor(Executor):
    """An executor that does the work at once, in the thread that asks for it: jobs of tests are synchronous."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Do the work, and return a finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **options))
        except BaseException as error:  # noqa: BLE001 (as any executor: it is the future's)
            future.set_exception(error)
        return future


class Job:
    """One piece of work, as the one who does it and the one who waits for it see it."""

    def __init__(self, deliver: Callable[..., None], progress: Callable[[float, str], None] | None) -> None:
        self._deliver, self._progress = deliver, progress
        self._stop, self._start = Event(), time.monotonic()
        self.is_over = False
        """Whether it was handed back."""

    def cancel(self) -> None:
        """Ask the work to stop; it does where it looks next."""
        self._stop.set()

    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def require_wanted(self) -> None:
        """Raise if it was asked to stop.

        Raises:
            JobCancelledError: If so.
        """
        if self.is_cancelled():
            raise JobCancelledError(
                "The work was cancelled", found="a click on Cancel", expected="none", fix="Start it again any time."
            )

    def report(self, share: float, text: str = "") -> None:
        """Say how far the work is, 0..1, and in words; time left is added once there is something to go by."""
        if self._progress is not None:
            self._deliver(self._progress, share, f"{text}{self._time_left(share)}")

    def call(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function on the kernel's loop, such as to show what is made so far."""
        self._deliver(function, *args)

    def _time_left(self, share: float) -> str:
        if not 0 < share < 1:
            return ""
        left = (time.monotonic() - self._start) * (1 - share) / share
        return f", about {left:.0f} s left" if left < 90 else f", about {left / 60:.0f} min left"  # noqa: PLR2004 (seconds)


class Jobs:
    """The jobs of one workbench.

    Args:
        executor: Where the work is done; threads of its own if not given.
        threads: Number of those.
    """

    def __init__(self, executor: Executor | None = None, threads: int = THREADS) -> None:
        self._executor, self._pool = executor, None if executor else ThreadPoolExecutor(threads, "spex")
        self._running: set[Job] = set()
        self._is_closed = False

    def start(
        self,
        work: Callable[[Job], Any],
        done: Callable[[Any], None],
        failed: Failed,
        progress: Callable[[float, str], None] | None = None,
    ) -> Job:
        """Start a job.

        Args:
            work: Called beside the main thread with the job, which it tells its progress and asks whether to go on.
            done: Called with what the work gave.
            failed: Called with what the work, or ``done``, raised.
            progress: Called with a share 0..1 and a text.

        Returns:
            The job. All three are called on the kernel's loop where there is one, and never after `close`.
        """
        loop, this_thread = _running_loop(), get_ident()

        def deliver(function: Callable[..., None], *args: Any) -> None:
            if self._is_closed:
                return
            if loop is None or get_ident() == this_thread:  # on the loop already
                self._call(function, failed, *args)
            else:
                loop.call_soon_threadsafe(self._call, function, failed, *args)

        job = Job(deliver, progress)
        self._running.add(job)

        def run() -> None:
            try:
                result = work(job)
            except BaseException as error:  # noqa: BLE001 (handed to the one who waits)
                deliver(self._end, job, failed, error)
            else:
                deliver(self._end, job, done, result)

        (self._executor or self._pool).submit(run)  # type: ignore[union-attr]  # one of both is there
        return job

    def _end(self, job: Job, function: Callable[[Any], None], value: Any) -> None:
        job.is_over = True
        self._running.discard(job)
        function(value)

    def _call(self, function: Callable[..., None], failed: Failed, *args: Any) -> None:
        if self._is_closed:
            return
        try:
            function(*args)
        except Exception as error:  # noqa: BLE001 (on a loop nobody would see it)
            failed(error)

    def close(self) -> None:
        """Ask all jobs to stop, and forget them."""
        self._is_closed = True
        for job in self._running:
            job.cancel()
        self._running.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # no kernel: a plain script or a test
        return None


def when_quiet(action: Callable[[], None], seconds: float) -> Callable[[], None]:
    """Call something after a while on the kernel's loop; at once where no loop runs. Return what forgets it.

    Args:
        action: What is called.
        seconds: How long to wait.
    """
    loop = _running_loop()
    if loop is None:
        action()
        return _nothing
    return loop.call_later(seconds, action).cancel


def _nothing() -> None:
    """Do nothing: there is nothing to forget."""


def record_warnings(work: Callable[[], Result]) -> tuple[Result, list[str]]:
    """Do a piece of work; return what it gives, and the texts of the warnings of spex_nb meanwhile."""
    with _RECORDING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpexWarning)
        result = work()
    return result, [str(warning.message) for warning in caught if issubclass(warning.category, SpexWarning)]
