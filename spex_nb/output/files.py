"""Files and folders that are written whole or not at all, and one error for a disk that fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spex_nb.errors import OutputError, SpexError


@contextmanager
def write_whole(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: The file that is wanted.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        OutputError: If ``path`` exists and may not be overwritten, or its folder is missing or read-only.
    """
    target = Path(path)
    _require_writable(target, overwrite)
    folder = tempfile.mkdtemp(prefix=f".{target.stem}-", dir=target.parent)
    part = Path(folder) / target.name
    try:
        yield part
        part.replace(target)
    finally:
        for leftover in Path(folder).iterdir():
            leftover.unlink()
        Path(folder).rmdir()


@contextmanager
def write_folder_whole(path: str | Path, overwrite: bool, mark: str) -> Iterator[Path]:
    """Give an empty folder beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: The folder that is wanted.
        overwrite: Whether an existing folder is replaced. Only an empty one or one that holds ``mark`` ever is.
        mark: The name of a file that tells such folders from others.

    Raises:
        OutputError: If ``path`` exists and may not be replaced, or its parent is missing or read-only.
    """
    target = Path(path)
    _require_writable(target, overwrite)
    if target.exists() and not _may_replace(target, mark):
        raise OutputError(
            "Something else lies where the result should go",
            found=str(target),
            expected=f"a folder with {mark}",
            fix="Choose another path; only results are ever overwritten.",
        )
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    part = work / target.name
    part.mkdir()
    try:
        yield part
        if target.exists():
            target.replace(work / "old")
        part.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def explain_write_errors(path: str | Path) -> Iterator[None]:
    """Turn the errors of the raster and vector libraries on a full or broken disk into one error.

    Args:
        path: The file or folder that the error names.

    Raises:
        OutputError: In place of an error of a library.
    """
    try:
        yield
    except SpexError:
        raise
    except _write_errors() as error:
        raise OutputError(
            "The result cannot be written",
            found=f"{path}: {error}",
            expected="a disk that works and has enough room",
            fix="Make room, or choose another place.",
        ) from error


def _may_replace(target: Path, mark: str) -> bool:
    return (target / mark).is_file() or (target.is_dir() and not any(target.iterdir()))


def _write_errors() -> tuple[type[Exception], ...]:
    from pyogrio.errors import DataLayerError, DataSourceError
    from rasterio.errors import RasterioError

    return OSError, RasterioError, DataLayerError, DataSourceError


def _require_writable(target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise OutputError(
            "The output exists",
            found=str(target),
            expected="a new path",
            fix="Choose another, or allow overwriting.",
        )
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise OutputError(
            "The output folder cannot be written",
            found=f"{target.parent.absolute()}, {'read-only' if target.parent.is_dir() else 'missing'}",
            expected="a folder that exists and is writable",
            fix="Create it, or choose another.",
        )
