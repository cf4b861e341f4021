"""Jobs: results on the kernel's loop, progress, cancel, and errors that nobody loses."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from spex_widgets.jobs import ImmediateExecutor, Job, Jobs

from spex_nb.errors import JobCancelledError


def test_what_a_job_gives_comes_back_on_the_thread_of_the_kernels_loop() -> None:
    seen: list[Any] = []

    async def kernel() -> None:
        jobs, over = Jobs(), asyncio.Event()

        def done(made: Any) -> None:
            seen.append((made, threading.current_thread() is threading.main_thread()))
            over.set()

        jobs.start(lambda _job: threading.current_thread() is threading.main_thread(), done, seen.append)
        await asyncio.wait_for(over.wait(), 30)
        jobs.close()

    asyncio.run(kernel())
    assert seen == [(False, True)]


def test_work_that_is_done_at_once_is_handed_back_at_once_in_a_kernel_too() -> None:
    seen: list[Any] = []

    async def kernel() -> bool:
        return Jobs(ImmediateExecutor()).start(lambda _job: 7, seen.append, seen.append).is_over

    assert asyncio.run(kernel())
    assert seen == [7]


def test_with_an_executor_of_ones_own_a_job_is_over_when_start_returns() -> None:
    seen: list[Any] = []
    job = Jobs(ImmediateExecutor()).start(
        lambda job: job.report(0.5, "half") or 7, seen.append, seen.append, lambda *a: seen.append(a)
    )
    assert job.is_over
    assert [one for one in seen if one == 7] == [7]
    assert seen[0][0] == 0.5
    assert seen[0][1].startswith("half, about")


@pytest.mark.parametrize("where", ["work", "done"])
def test_an_error_in_the_work_or_in_showing_it_is_handed_over(where: str) -> None:
    failures: list[BaseException] = []

    def breaks(_given: Any) -> None:
        raise ValueError(where)

    work, done = (breaks, print) if where == "work" else (lambda _job: 1, breaks)
    Jobs(ImmediateExecutor()).start(work, done, failures.append)
    assert [str(one) for one in failures] == [where]


def test_a_cancelled_job_says_so_where_it_looks() -> None:
    failures: list[BaseException] = []

    def work(job: Job) -> None:
        job.cancel()
        job.require_wanted()

    Jobs(ImmediateExecutor()).start(work, print, failures.append)
    assert isinstance(failures[0], JobCancelledError)
    with pytest.raises(JobCancelledError, match="Start it again"):
        raise failures[0]


def test_after_the_end_nothing_is_delivered_and_running_jobs_are_asked_to_stop() -> None:
    jobs, seen, go, stopped = Jobs(), [], threading.Event(), threading.Event()

    def work(job: Job) -> None:
        go.wait(30)
        if job.is_cancelled():
            stopped.set()

    jobs.start(work, seen.append, seen.append)
    jobs.close()
    go.set()
    assert stopped.wait(30)
    assert seen == []
