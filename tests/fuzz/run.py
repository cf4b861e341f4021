"""Run seeded cases in child processes with limits of time and memory, and count how they end.

Run it as ``python -m tests.fuzz.run [share [first]]``: a share of 0.1 is a tenth of the cases, from the first seed on.
A case that fails is shown with its kind and seed: ``run_case(kind, seed, folder)`` repeats it.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

CASES = {"raster": 10_000, "text": 1_000, "checkpoint": 500, "result": 500, "session": 500}
LIMIT_S = {"raster": 120, "text": 30, "checkpoint": 120, "result": 60, "session": 90}
"""Processor time of a case."""
WAITS = 20
"""Times its processor time that a case may take by the clock: a busy machine is slow, and no clock tells why."""
LOOK_S = 2.0
MEMORY_BYTES = 8 * 2**30
"""Address space of a child: libraries map 3 GB of it."""
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a child writes: in memory, where flushing costs nothing; the usual place for temporary files without one."""
AT_ONCE = 50
"""Cases that one child handles before the next kind, or another child, has its turn."""
Case = tuple[str, int]
Ending = tuple[str, int, str]


def run(cases: list[Case], children: int = 2) -> tuple[Counter[tuple[str, str]], list[Ending]]:
    """Do all cases.

    Args:
        cases: Kind and seed of each.
        children: Processes at a time.

    Returns:
        How many cases of each kind ended ``right``, ``typed`` and ``bad``; and the bad ones with what happened.
    """
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[Ending] = []
    parts = [cases[start : start + AT_ONCE] for start in range(0, len(cases), AT_ONCE)]
    with ThreadPoolExecutor(children) as threads:
        for endings in threads.map(lambda part: [*_in_children(part)], parts):
            for kind, seed, ending in endings:
                word = ending if ending in ("right", "typed") else "bad"
                counts[kind, word] += 1
                if word == "bad":
                    bad.append((kind, seed, ending))
                    sys.stderr.write(f"{kind} {seed}: {ending}\n")
    return counts, bad


def _in_children(cases: list[Case]) -> Iterator[Ending]:
    """Do cases in one child, and go on in another where it dies or hangs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.cases", "tests.fuzz.warm"])
    waiting = list(cases)
    while waiting:
        here, there = context.Pipe()
        child = context.Process(target=_serve, args=(there,), daemon=True)
        child.start()
        there.close()
        while waiting:
            kind, seed = waiting.pop(0)
            ending = _ask(here, psutil.Process(child.pid), kind, seed)
            yield kind, seed, ending
            if ending.startswith(("hangs", "dies")):
                break
        here.close()
        child.kill()
        child.join()


def _ask(here: Connection, child: psutil.Process, kind: str, seed: int) -> str:
    try:
        here.send((kind, seed))
        start, began = _processor_s(child), time.monotonic()
        while not here.poll(LOOK_S):
            if _processor_s(child) - start > LIMIT_S[kind]:
                return f"hangs: more than {LIMIT_S[kind]} s of processor time"
            if time.monotonic() - began > WAITS * LIMIT_S[kind]:
                return f"hangs: waits for {WAITS * LIMIT_S[kind]} s"
        return str(here.recv())
    except (EOFError, OSError, psutil.Error):
        return "dies"


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _serve(there: Connection) -> None:
    from tests.fuzz.cases import run_case

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with tempfile.TemporaryDirectory(prefix="spex-fuzz-", dir=SCRATCH) as place, suppress(EOFError, OSError):
        while True:
            kind, seed = there.recv()
            folder = Path(place) / "case"
            folder.mkdir()
            try:
                ending = run_case(kind, seed, folder)
            except Exception as error:  # noqa: BLE001 (whatever is not of the family is what is looked for)
                frames = [f for f in traceback.extract_tb(error.__traceback__) if "spex" in f.filename]
                where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
                ending = f"{type(error).__name__} at {where}: {str(error)[:200]}"
            shutil.rmtree(folder, ignore_errors=True)
            there.send(ending)


def cases_of(share: float, first_seed: float = 0) -> list[Case]:
    """Return a share of all cases, kind by kind."""
    return [
        (kind, int(first_seed) + seed) for kind, count in CASES.items() for seed in range(max(1, int(count * share)))
    ]


def table(counts: Counter[tuple[str, str]]) -> str:
    """Return the counts as a table in Markdown."""
    words = ("right", "typed", "bad")
    rows = [
        [kind, sum(counts[kind, word] for word in words), *(counts[kind, word] for word in words)] for kind in CASES
    ]
    lines = [" | ".join(map(str, row)) for row in [["cases", "tried", *words], ["---"] * 5, *rows]]
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    totals, faults = run(cases_of(*(float(word) for word in sys.argv[1:] or ["1"])))
    sys.stdout.write(table(totals) + "\n")
    sys.exit(bool(faults))
