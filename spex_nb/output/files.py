"""Files and folders that are written whole or not at all, and one error for a disk that is full or fails.

Whatever is written goes into a hidden folder beside its destination, ``.NAME-xxxxxxxx``, so that it lies on the same
disk. It is flushed to the disk and then renamed. The writer holds a lock on the hidden folder. A killed process leaves
a folder that nobody holds, and the next writer of the same name removes it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spex_nb.errors import OutputError, SpexError

if sys.platform != "win32":
    import fcntl

SUFFIX = r"-[a-z0-9_]{8}"
"""What `tempfile.mkdtemp` adds to the name of a hidden folder."""
OLD = "old"
"""Name inside the hidden folder of the result that is being replaced."""
BESIDE = ("tiled.tif", "result", "edits.npz", "check.gpkg", OLD)
"""What a writer may leave in its hidden folder beside files that begin with the name of the destination."""
LONGEST_WRITE_S = 86_400
"""Where a disk knows no locks, a hidden folder that nobody changed for so long is a leftover, s."""
ATTEMPTS = 100
"""Of a hidden folder that another process takes for a leftover between its making and its locking."""


MAKE_ROOM = "Make room, or choose another place."


@contextmanager
def write_whole(
    path: str | Path,
    overwrite: bool = False,
    *,
    needs_bytes: int | None = None,
    removes_leftovers: bool = True,
    fix: str = MAKE_ROOM,
) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: The file that is wanted.
        overwrite: Whether an existing file is replaced (default: no).
        needs_bytes: How large the file will be at most, for the error of a full disk; unknown by default.
        removes_leftovers: Whether to remove first what killed writers of the same file left. It lists the folder; a
            writer of many files calls `remove_leftovers` once instead.
        fix: What the user can do where the disk is full.

    Raises:
        OutputError: If ``path`` exists and may not be overwritten, its folder is missing or read-only, or the disk is
            full or fails.
    """
    target = Path(path)
    _require_writable(target, overwrite)
    if removes_leftovers:
        remove_leftovers(target.parent, target.name)
    with _hidden_folder(target, needs_bytes, fix) as work:
        part = work / target.name
        yield part
        flush(part)
        part.replace(target)
        flush(target.parent)


@contextmanager
def write_folder_whole(
    path: str | Path, overwrite: bool, mark: str, *, needs_bytes: int | None = None
) -> Iterator[Path]:
    """Give an empty folder beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: The folder that is wanted.
        overwrite: Whether an existing folder is replaced. Only an empty one or one that holds ``mark`` ever is.
        mark: The name of a file that tells such folders from others.
        needs_bytes: How large the folder will be at most, for the error of a full disk; unknown by default.

    Raises:
        OutputError: If ``path`` exists and may not be replaced, its parent is missing or read-only, or the disk is full
            or fails.
    """
    target = Path(path)
    remove_leftovers(target.parent, target.name)
    _require_writable(target, overwrite)
    if target.exists() and not _may_replace(target, mark):
        raise OutputError(
            "Something else lies where the result should go",
            found=str(target),
            expected=f"a folder with {mark}",
            fix="Choose another path; only results are ever overwritten.",
        )
    with _hidden_folder(target, needs_bytes) as work:
        part = work / target.name
        part.mkdir()
        yield part
        flush_all(part)
        if target.exists():
            target.replace(work / OLD)
        part.replace(target)
        flush(target.parent)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove the hidden folders of writers that were killed; those of living processes stay.

    A folder that was killed while it replaced an old result becomes what it was about to be.

    Args:
        folder: Where to look; nothing happens if there is no such folder.
        name: Of the file or folder that was written; of any by default.
    """
    pattern = re.compile(rf"\.(?P<name>{re.escape(name) if name else '.+'}){SUFFIX}")
    for work in sorted(folder.glob(".*")) if folder.is_dir() else []:
        match = pattern.fullmatch(work.name)
        is_folder = match is not None and work.is_dir() and not work.is_symlink()
        if match is not None and is_folder and _is_of_a_writer(work, match["name"]):
            _remove_leftover(work, folder / match["name"])


def flush_all(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk.

    Raises:
        OSError: If the disk fails.
    """
    for inner in folder.rglob("*"):
        flush(inner)
    flush(folder)


def flush(path: Path) -> None:
    """Bring the content of a file to the disk, or the names in a folder.

    Raises:
        OSError: If the disk fails.
    """
    if path.is_dir() and sys.platform == "win32":
        return  # Windows opens no folder
    number = os.open(path, os.O_RDONLY if sys.platform != "win32" else os.O_RDWR)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # disks that flush by themselves
            raise
    finally:
        os.close(number)


@contextmanager
def explain_write_errors(path: str | Path, needs_bytes: int | None = None, fix: str = MAKE_ROOM) -> Iterator[None]:
    """Turn the errors of the raster and vector libraries on a full or broken disk into one error.

    Args:
        path: The file or folder that the error names.
        needs_bytes: How large it will be at most; unknown by default.
        fix: What the user can do.

    Raises:
        OutputError: In place of an error of a library.
    """
    try:
        yield
    except SpexError:
        raise
    except _write_errors() as error:
        raise unwritable(path, error, needs_bytes=needs_bytes, fix=fix) from error


def unwritable(
    path: str | Path,
    error: object,
    *,
    written_bytes: int = 0,
    needs_bytes: int | None = None,
    fix: str = MAKE_ROOM,
) -> OutputError:
    """Return the error of a disk that is full or fails.

    Args:
        path: What could not be written.
        error: Why.
        written_bytes: How much of it was written before it failed.
        needs_bytes: How large it is at most; unknown by default.
        fix: What the user can do.
    """
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    free = free_bytes(Path(path))
    wanted = max(written_bytes, needs_bytes or 0)
    up_to = "up to" if needs_bytes is not None and needs_bytes >= written_bytes else "more than"
    size = f"; it needs {up_to} {_megabytes(wanted)}" if wanted else ""
    missing = f", so that {up_to} {_megabytes(wanted - free)} are missing" if wanted > free else ""
    return OutputError(
        "The result cannot be written",
        found=f"{path}: {reason}{size}, and its disk has {_megabytes(free)} free{missing}",
        expected="a disk that works and has enough room",
        fix=fix,
    )


def output_exists(path: Path, reader: str = "") -> OutputError:
    """Return the error of an output that may not be replaced.

    Args:
        path: The output.
        reader: The function that reads such outputs; none by default.
    """
    or_read = f", or read it with {reader}" if reader else ""
    return OutputError(
        "The output exists",
        found=str(path),
        expected="a new path",
        fix=f"Choose another, or allow overwriting{or_read}. The option is overwrite=True, or --overwrite.",
    )


def free_bytes(path: Path) -> int:
    """Return how much room there is on the disk of a path that need not exist yet."""
    place = next((place for place in (path, *path.absolute().parents) if place.is_dir()), Path("/"))
    return shutil.disk_usage(place).free


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


@contextmanager
def _hidden_folder(target: Path, needs_bytes: int | None, fix: str = MAKE_ROOM) -> Iterator[Path]:
    """Give a hidden folder beside a destination, locked; remove it in the end."""
    with explain_write_errors(target, needs_bytes, fix):
        work, lock = new_locked_folder(f".{target.name}-", target.parent)
    try:
        yield work
    except SpexError:
        raise
    except _write_errors() as error:
        written = _size_of(work)
        shutil.rmtree(work, ignore_errors=True)  # before the free room is measured
        raise unwritable(target, error, written_bytes=written, needs_bytes=needs_bytes, fix=fix) from error
    finally:
        _finish_replacement(work, target)
        delete_locked(work, lock)


def new_locked_folder(prefix: str, place: Path) -> tuple[Path, int | None]:
    """Make a folder that this process holds.

    Args:
        prefix: Its name begins so.
        place: The folder in which to make it.

    Returns:
        The folder and its lock, an open file; no lock where the system or the disk knows none.

    Raises:
        OSError: If the disk is full or fails.
    """
    for _ in range(ATTEMPTS):
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            lock = _lock(work)
        except (FileNotFoundError, BlockingIOError):  # another process takes it for a leftover
            continue
        if work.is_dir():
            return work, lock
        if lock is not None:
            os.close(lock)
    raise OSError(errno.EBUSY, "another process removes what this one writes")


def delete_locked(work: Path, lock: int | None) -> None:
    """Delete a folder that `new_locked_folder` made, and let go of its lock."""
    shutil.rmtree(work, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def remove_if_left(work: Path) -> None:
    """Delete a folder that `new_locked_folder` made in a process that has ended; without locks nobody knows that."""
    if work.is_symlink() or not work.is_dir():  # opening a pipe would wait for ever
        return
    try:
        lock = _lock(work)
    except OSError:
        return
    if lock is not None:
        delete_locked(work, lock)


def _lock(work: Path) -> int | None:
    """Lock a folder and return the open file that holds the lock; None where there are no locks.

    Raises:
        BlockingIOError: If another process holds it.
        FileNotFoundError: If the folder is gone.
    """
    if sys.platform == "win32":
        return None
    number = os.open(work, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise
    except OSError:  # a network disk without locks
        os.close(number)
        return None
    return number


def _remove_leftover(work: Path, target: Path) -> None:
    """Remove a hidden folder unless its writer lives. Without locks only its age tells."""
    try:
        lock = _lock(work)
    except OSError:
        return
    if lock is not None or time.time() - work.stat().st_mtime > LONGEST_WRITE_S:
        _finish_replacement(work, target)
        shutil.rmtree(work, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _is_of_a_writer(work: Path, name: str) -> bool:
    """Say whether a hidden folder holds what a writer of this name puts there, and nothing else."""
    return all(inner.name.lstrip(".").startswith((name, *BESIDE)) for inner in work.iterdir())


def _finish_replacement(work: Path, target: Path) -> None:
    """Give a destination whose old result was moved away, and whose new one is whole, the new one."""
    if (work / OLD).exists() and not target.exists():
        source = work / target.name if (work / target.name).exists() else work / OLD
        source.replace(target)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _may_replace(target: Path, mark: str) -> bool:
    return (target / mark).is_file() or (target.is_dir() and not any(target.iterdir()))


def _write_errors() -> tuple[type[Exception], ...]:
    """Return the errors by which Python and libraries report a disk; a library that is not loaded reports none."""
    kinds: list[type[Exception]] = [OSError]
    if "rasterio" in sys.modules:
        from rasterio._err import CPLE_BaseError
        from rasterio.errors import RasterioError

        kinds += [RasterioError, CPLE_BaseError]
    if "pyogrio" in sys.modules:
        from pyogrio.errors import DataLayerError, DataSourceError

        kinds += [DataLayerError, DataSourceError]
    if "safetensors" in sys.modules:
        from safetensors import SafetensorError

        kinds.append(SafetensorError)
    return tuple(kinds)


def _require_writable(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise output_exists(target)
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise OutputError(
            "The output folder cannot be written",
            found=f"{target.parent.absolute()}, {'read-only' if target.parent.is_dir() else 'missing'}",
            expected="a folder that exists and is writable",
            fix="Create it, or choose another.",
        )
