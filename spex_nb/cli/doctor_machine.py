"""Memory, disk and the terminal: what no package can bring."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spex_nb.cli.doctor_findings import Finding, judged

GB = 2**30
MEMORY_GB = 1.6
"""Free memory that every lesson gets by with: what the largest of them, 10 with its workers, was seen to hold."""
DISK_GB = 1.0
"""Free disk that every lesson gets by with."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container, such as a learner's place on a hub, may use."""
SPOKEN = "µ ✓ é я 水 न ع"
"""One letter of each script that is written."""


def check_memory() -> Iterator[Finding]:
    """Hold free memory, that of the container if there is one, against what the lessons take."""
    free = _free_memory() / GB
    fix = "Close other programs and kernels (in JupyterLab: Kernel, Shut Down All Kernels), or ask the hub for 2 GB."
    yield judged("memory", f"{free:.1f} GB free, lessons take up to {MEMORY_GB} GB", "" if free >= MEMORY_GB else fix)


def _free_memory() -> int:
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = CONTROL_GROUP / "memory.max"
    if not limit.is_file() or limit.read_text().strip() == "max":
        return free
    return min(free, int(limit.read_text()) - _held())


def _held() -> int:
    """Return the bytes that the container holds and cannot let go of: files that were read can be read again."""
    stat = dict(line.split() for line in (CONTROL_GROUP / "memory.stat").read_text().splitlines())
    return int((CONTROL_GROUP / "memory.current").read_text()) - int(stat["inactive_file"])


def check_disk() -> Iterator[Finding]:
    """See whether results can be written here, and temporary files where this system puts them."""
    for name, folder in (("folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / GB
        yield judged(name, f"{free:.1f} GB free in {folder}", _disk_fix(folder, free))


def _disk_fix(folder: Path, free: float) -> str:
    if not os.access(folder, os.W_OK):
        return f"{folder} cannot be written to: go to a folder of your own, or set TMPDIR to one."
    return "" if free >= DISK_GB else f"Make room: {DISK_GB:.0f} GB should be free in {folder}."


def check_terminal() -> Iterator[Finding]:
    """See whether explanations in nine languages can be printed."""
    encoding = sys.stdout.encoding or "ascii"
    fix = "Set the environment variable PYTHONUTF8=1 and start again."
    yield judged("terminal", f"writes {encoding}", "" if _can_write(encoding) else fix)


def _can_write(encoding: str) -> bool:
    return bool(SPOKEN.encode(encoding, "ignore").decode(encoding) == SPOKEN)
