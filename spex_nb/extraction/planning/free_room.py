"""What machine and disk have left for an extraction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spex_nb.errors import ExtractionError, OutputError
from spex_nb.output.files import free_bytes

if TYPE_CHECKING:
    from spex_nb.extraction.planning.plan import Plan

LIBRARIES_BYTES = 450 * 2**20
"""Python and the libraries, without torch, with the memory that they keep for later."""
CONTROL_GROUP = Path("/sys/fs/cgroup")


def require_room(plan: Plan, folder: Path) -> None:
    """Raise unless machine and disk have what a plan says that it takes.

    Args:
        plan: The plan.
        folder: Where tiles and result will lie; it need not exist. What it holds already needs no more room.

    Raises:
        OutputError: If the disk has less.
        ExtractionError: If the machine has less memory.
    """
    held_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    disk_bytes, free_disk = plan.disk_bytes - held_bytes, free_bytes(folder)
    memory_bytes, free_memory = plan.memory_bytes - LIBRARIES_BYTES, free_memory_bytes()  # those are loaded by now
    if disk_bytes > free_disk:
        raise OutputError(
            "The disk may be too small for the extraction",
            found=f"{_megabytes(free_disk)} free at {folder}; up to {_megabytes(disk_bytes - free_disk)} are missing",
            expected=f"up to {_megabytes(disk_bytes)}",
            fix="Make room, choose another output, cut the scene, or begin with anyway=True (--anyway).",
        )
    if memory_bytes > free_memory:
        raise ExtractionError(
            "The memory may be too small for the extraction",
            found=f"{_megabytes(free_memory)} free; up to {_megabytes(memory_bytes - free_memory)} are missing",
            expected=f"up to {_megabytes(memory_bytes)}, beside the model",
            fix="Close other programs, choose smaller tiles, cut the scene, or begin with anyway=True (--anyway).",
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def free_memory_bytes(control_group: Path = CONTROL_GROUP) -> int:
    """Return how much memory is free: on the machine, and in the container if there is one with a limit.

    Args:
        control_group: Where Linux keeps the limits of the container.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = control_group / "memory.max"
    if not limit.is_file() or limit.read_text().strip() == "max":
        return free
    stat = dict(line.split() for line in (control_group / "memory.stat").read_text().splitlines())
    in_use = int((control_group / "memory.current").read_text()) - int(stat["inactive_file"])  # files that were read
    return min(free, int(limit.read_text()) - in_use)
