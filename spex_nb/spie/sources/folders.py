"""Folders of datasets: what must be there, and which label belongs to which image. It opens no raster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from spex_nb.errors import DatasetError


def require_folder(folder: str | Path, holds: str) -> Path:
    """Return a folder that must exist.

    Args:
        folder: The folder.
        holds: What should be in it, for the message.

    Raises:
        DatasetError: If it does not exist or is a file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise wrong_folder(path, "a file" if path.exists() else "nothing there", holds)
    return path


def files_of(folder: str | Path, *suffixes: str) -> dict[str, Path]:
    """Return the files of a folder by their stem, in the order of their names.

    Args:
        folder: The folder.
        suffixes: How the files end, such as ``.tif``; upper and lower case alike.

    Raises:
        DatasetError: If the folder does not exist, or holds no such file.
    """
    kinds = " or ".join(suffixes)
    path = require_folder(folder, f"{kinds} files")
    listed = [file for file in sorted(path.iterdir()) if file.suffix.lower() in suffixes and file.name[0] != "."]
    files_by_stem = {file.stem: file for file in listed}
    if len(files_by_stem) < len(listed):
        twice = next(file for file in listed if files_by_stem[file.stem] != file)
        raise wrong_folder(path, f"{twice.name} and {files_by_stem[twice.stem].name}", "one file of each name")
    if not files_by_stem:
        raise wrong_folder(path, "no such file", f"{kinds} files")
    return files_by_stem


def label_of(image: Path, *candidates: Path) -> Path:
    """Return the first of the files that exists.

    Raises:
        DatasetError: If the image has none.
    """
    label = next((path for path in candidates if path.is_file()), None)
    if label is None:
        raise DatasetError(
            "An image has no label",
            found=f"{image}, without {' or '.join(map(str, candidates))}",
            expected="a label for each image",
            fix="Fetch or unpack the labels again, or take the image out of the folder.",
        )
    return label


def names_listed(file: Path, among: Iterable[str]) -> list[str]:
    """Return the names in a list of a split, one a line, without suffixes.

    Args:
        file: The list.
        among: Names of the images that are there.

    Raises:
        DatasetError: If it lists an image that is not there.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    names_there = set(among)
    names = [line if line in names_there else Path(line).stem for line in map(str.strip, lines) if line]
    missing = sorted(set(names) - names_there)
    if missing:
        raise DatasetError(
            "A split lists images that are not there",
            found=f"{file}: {len(missing)} of {len(names)}, the first is {missing[0]}",
            expected="an image for each line",
            fix="Fetch or unpack the images again.",
        )
    return names


def first_folder(folder: str | Path, holding: Sequence[str], inner: Sequence[str]) -> Path:
    """Return the folder, or one inside it, that holds all of some folders.

    Args:
        folder: Where to look.
        holding: Names of the folders that it must hold.
        inner: Names of the folders in which archives unpack themselves.

    Raises:
        DatasetError: If none does.
    """
    wanted = f"the folders {' and '.join(holding)}"
    outer = require_folder(folder, wanted)
    for place in (outer, *(outer / name for name in inner)):
        if all((place / name).is_dir() for name in holding):
            return place
    raise wrong_folder(outer, contents(outer), wanted)


def contents(folder: Path) -> str:
    """Return the first names in a folder, for a message."""
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "") if names else "empty"  # noqa: PLR2004


def plain_name(text: str) -> str:
    """Return a text as a scene's name: letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)


def wrong_folder(folder: Path, problem: str, holds: str) -> DatasetError:
    """Return the error of a folder that does not hold its dataset."""
    return DatasetError(
        "The folder does not hold the dataset",
        found=f"{folder}: {problem}",
        expected=holds,
        fix="Pass the folder into which the dataset was unpacked; docs/data.md shows each layout.",
    )
