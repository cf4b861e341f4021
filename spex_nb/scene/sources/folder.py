"""The files of a product: in a folder, or in a zip or tar archive, which GDAL reads as they are."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from spex_nb.errors import UnknownLayoutError, UnreadableSourceError
from spex_nb.scene.windows.scene_files import note_files

ARCHIVES = {".zip": "/vsizip/", ".tar": "/vsitar/", ".tgz": "/vsitar/", ".tar.gz": "/vsitar/"}
"""Endings of archives that GDAL reads without unpacking, and what it wants before their names."""
LARGEST_METADATA = 64 * 2**20
"""No metadata file is larger than this, in bytes; a larger one is not read into memory."""

LONGEST_IN_TAR = 99
"""GDAL finds no longer names in a tar archive, whose header has room for as many characters."""


@dataclass(frozen=True)
class ProductFolder:
    """The names of all files of a product, and how each is read.

    Attributes:
        root: The folder or archive, as the caller names it.
        prefix: What stands before a name so that GDAL finds it.
        names: Paths within the product, with slashes, sorted.
    """

    root: str
    prefix: str
    names: tuple[str, ...]

    def matching(self, pattern: str) -> list[str]:
        """Return the names in which a regular expression is found, in any case."""
        return [name for name in self.names if re.search(pattern, name, re.IGNORECASE)]

    def location(self, name: str) -> str:
        """Return what GDAL opens to read a file."""
        if self.root.lower().endswith(".tar") and len(name) > LONGEST_IN_TAR:
            return _part_of_tar(Path(self.root), name)
        return self.prefix + name

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a metadata file.

        Raises:
            UnreadableSourceError: If it cannot be read, or is too large for metadata.
        """
        try:
            content = _read(self, name)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise _broken(self.location(name), error, "a readable file") from error
        return content

    def xml(self, name: str) -> ET.Element:
        """Return the root of an XML file.

        Raises:
            UnreadableSourceError: If it is no XML.
        """
        try:
            return ET.fromstring(self.read_bytes(name))
        except ET.ParseError as error:
            raise _broken(self.location(name), error, "XML") from error

    def json(self, name: str) -> dict[str, Any]:
        """Return the object of a JSON file.

        Raises:
            UnreadableSourceError: If it is no JSON, or no object.
        """
        return read_json(self.read_bytes(name), self.location(name))


def open_folder(location: str, *, deep: bool = False) -> ProductFolder:
    """Return the files of a folder, or of a zip or tar archive.

    Args:
        location: The folder or archive.
        deep: Whether the files of all folders below count too; in an archive they always do.

    Raises:
        UnreadableSourceError: If the archive is damaged.
    """
    path = Path(location)
    if path.is_dir():
        files = path.rglob("*") if deep else path.iterdir()
        names = tuple(sorted(file.relative_to(path).as_posix() for file in files if file.is_file()))
        return ProductFolder(location, f"{path.as_posix()}/", names)
    try:
        names = tuple(sorted(_members(path)))
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise _broken(location, error, "a zip or tar archive") from error
    return ProductFolder(location, f"{archive_prefix(location)}{path.as_posix()}/", names)


def archive_prefix(location: str) -> str:
    """Return what GDAL wants before the name of an archive; an empty string for any other file."""
    lower = location.lower()
    return next((prefix for ending, prefix in ARCHIVES.items() if lower.endswith(ending)), "")


def read_json(content: bytes, location: str) -> dict[str, Any]:
    """Return the object that a JSON text holds.

    Raises:
        UnreadableSourceError: If it is no JSON, or no object.
    """
    try:
        loaded = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _broken(location, error, "JSON") from error
    if not isinstance(loaded, dict):
        raise _broken(location, TypeError(f"a {type(loaded).__name__}"), "a JSON object")
    return loaded


def require_files(files: Sized, where: object, wanted: str) -> None:
    """Raise unless a product holds at least one band file.

    Raises:
        UnknownLayoutError: If it holds none.
    """
    if len(files) == 0:
        raise UnknownLayoutError(
            "There is no band file",
            found=f"{where}, without bands",
            expected=wanted,
            fix="Unpack or fetch the product completely.",
        )


def _members(path: Path) -> list[str]:
    if archive_prefix(str(path)) == "/vsizip/":
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if not info.is_dir()]
    with tarfile.open(path) as archive:
        return [info.name.removeprefix("./") for info in archive.getmembers() if info.isfile()]


def _read(folder: ProductFolder, name: str) -> bytes:
    path = Path(folder.root)
    note_files(path / name if path.is_dir() else path)
    if path.is_dir():
        return (path / name).read_bytes()
    if archive_prefix(folder.root) == "/vsizip/":
        with zipfile.ZipFile(path) as archive:
            _require_small(archive.getinfo(name).file_size)
            return archive.read(name)
    with tarfile.open(path) as archive:
        member = _member(archive, name)
        _require_small(member.size)
        file = archive.extractfile(member)
        return file.read() if file else b""


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    return next(info for info in archive.getmembers() if info.name.removeprefix("./") == name)


def _part_of_tar(path: Path, name: str) -> str:
    """Return a file of a tar archive by where it begins in it, as GDAL reads any part of a file."""
    with tarfile.open(path) as archive:
        member = _member(archive, name)
    return f"/vsisubfile/{member.offset_data}_{member.size},{path.as_posix()}"


def _require_small(size: int) -> None:
    if size > LARGEST_METADATA:
        raise OSError(f"{size:,} bytes are too many for metadata")


def _broken(location: str, error: Exception, kind: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        "The metadata cannot be read", found=f"{location} ({error})", expected=kind, fix="Fetch the product again."
    )
