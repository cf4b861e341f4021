"""Names of raster files: which are remote, how GDAL opens an archive, and what must lie on this machine."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from spex_nb.errors import SourceNotFoundError, UnreadableSourceError


def is_remote(location: str) -> bool:
    """Whether GDAL would go to the network (or an archive) for this location."""
    return bool(re.match(r"\w+://", location)) or location.startswith("/vsi")


def gdal_file(location: str) -> str:
    """Return the file within a name such as ``NETCDF:"scene.nc":red``; an empty string for any other location.

    It is the longest part between colons that exists; without one, the part that looks most like a path.
    """
    if not re.match(r"[A-Z][A-Z0-9_]{2,}:(?!//)", location) or _exists(Path(location)):
        return ""
    parts = location.split(":")[1:]
    spans = [(start, end) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)]
    runs = [":".join(parts[start:end]).strip('"') for start, end in spans]
    existing = [run for run in runs if run and _exists(Path(run))]
    if existing:
        return max(existing, key=len)
    return max(runs, key=lambda run: (":" not in run, run.count("/") + run.count("."), len(run)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no disk can have: too long, or with a zero byte
        return False


def is_pipe(path: Path) -> bool:
    """Whether a path is there and is neither a file nor a folder: reading a pipe or a device may never end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing is there
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_local(location: str) -> None:
    """Raise unless a local location exists and is not empty; remote ones are GDAL's business."""
    location = gdal_file(location) or location
    if is_remote(location):
        return
    path = Path(location)
    if not _exists(path):
        raise SourceNotFoundError(
            "The scene does not exist",
            found=location,
            expected="a file or folder",
            fix=f"Check the path; the folder that is looked in is {path.absolute().parent}.",
        )
    if is_pipe(path):
        raise UnreadableSourceError(
            "The scene is neither a file nor a folder",
            found=f"{location}, a pipe or device",
            expected="a file, which can be read in any order",
            fix="Write what comes out of it to a file first.",
        )
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableSourceError(
            "The file is empty",
            found=f"{location}, 0 bytes",
            expected="a raster",
            fix="Fetch the file again.",
        )
