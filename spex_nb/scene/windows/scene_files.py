"""The files behind a scene and the state of each: what tells that a scene has changed since it was read.

Whoever opens a file for a scene notes it here. It knows neither rasters nor products.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from xml.etree import ElementTree as ET

from spex_nb.scene.windows.locations import gdal_file

HASHED_BYTES = 8 * 2**20
"""Files up to this size are told apart by their content; larger ones by what the disk says of them."""
ALL_HASHED_BYTES = 2**30
"""Most that is hashed of many files together."""
MOST_FILES = 2000
"""A folder of more files, such as a Zarr store, has one state for all of them."""
SIDECARS = (".msk", ".aux.xml", ".ovr")
"""What GDAL reads beside a raster, after its whole name: a mask, statistics and georeference, overviews."""
VRT_HEAD = b"<VRTDataset"
CHUNK_BYTES = 2**20
NAMED = 5
"""Changes that a message names; the others are counted."""

_noted: ContextVar[set[str] | None] = ContextVar("noted_files", default=None)


@contextmanager
def noting_files() -> Iterator[set[str]]:
    """Give a set that gets the location of each file and folder that is opened for a scene in the meantime."""
    locations: set[str] = set()
    token = _noted.set(locations)
    try:
        yield locations
    finally:
        _noted.reset(token)


def note_files(*locations: object) -> None:
    """Note files or folders that a scene is made from, if anybody asks."""
    noted = _noted.get()
    if noted is not None:
        noted.update(map(str, locations))


def are_noted() -> bool:
    """Whether anybody asks which files a scene is made from."""
    return _noted.get() is not None


def states_of(locations: Iterable[str]) -> dict[str, str]:
    """Return the state of each file behind some locations, by absolute path.

    Args:
        locations: Paths, names that GDAL understands, or addresses. An address has no state. A VRT stands for itself
            and for what it refers to; a folder stands for all that is in it.
    """
    paths = sorted({inner for location in locations for inner in _files_behind(location)})
    largest = min(HASHED_BYTES, ALL_HASHED_BYTES // max(1, len(paths)))
    if len(paths) <= MOST_FILES:
        return {str(path): state_of(path, largest) for path in paths}
    folders: dict[str, list[Path]] = {}
    for path in paths:
        folders.setdefault(str(path.parent), []).append(path)
    return {folder: _joint_state(members) for folder, members in _top_folders(folders).items()}


def state_of(path: Path, hashed_bytes: int = HASHED_BYTES) -> str:
    """Return what tells the content of a file from another one.

    Args:
        path: The file.
        hashed_bytes: A file up to this size has a hash of its content. A larger one has size, times and inode.
    """
    try:
        status = path.stat()
        if status.st_size <= hashed_bytes:
            return f"{status.st_size} bytes, content {_hash_of(path)}"
    except OSError as error:
        return f"unreadable: {error.strerror}"
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_size} bytes, changed {times}, inode {status.st_ino}"


def changes_of(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[str]:
    """Name the files whose states differ; none where either is unknown."""
    if before is None or now is None:
        return []
    changes = [
        f"{path} ({'is new' if path not in before else 'is gone' if path not in now else 'changed'})"
        for path in sorted({**before, **now})
        if before.get(path) != now.get(path)
    ]
    return changes if len(changes) <= NAMED else [*changes[:NAMED], f"{len(changes) - NAMED} more files"]


def _files_behind(location: str) -> Iterator[Path]:
    """Yield the files that a location stands for."""
    path = _local_path(location)
    if path is None:
        return
    if path.is_dir():
        yield from (inner for inner in path.rglob("*") if inner.is_file())
        return
    waiting, seen = [path], set[Path]()
    while waiting:
        current = waiting.pop()
        if current in seen or not current.is_file():
            continue
        seen.add(current)
        yield current
        beside = (current.with_name(current.name + ending) for ending in SIDECARS)
        waiting += [*beside, *_vrt_sources(current)]


def _local_path(location: str) -> Path | None:
    """Return the file of this machine in which a location lies; None for an address."""
    inner = re.sub(r"^(/vsi(zip|tar|gzip|7z|rar|sparse|cached)/)+", "", gdal_file(location) or location)
    if re.match(r"\w+://", inner) or inner.startswith("/vsi"):
        return None
    path = Path(inner.strip("{}")).absolute()
    existing = (outer for outer in (path, *path.parents) if outer.exists())
    place = next(existing, None)
    return place if place is not None and (place == path or place.is_file()) else None


def _vrt_sources(path: Path) -> list[Path]:
    """Return the files that a VRT refers to; none of any other file."""
    with path.open("rb") as file:
        if VRT_HEAD not in file.read(len(VRT_HEAD) + 64):
            return []
    try:
        nodes = ET.parse(path).getroot().iter()
    except ET.ParseError:
        return []
    sources = [node for node in nodes if node.text and node.tag in ("SourceFilename", "SourceDataset")]
    located = [
        str(path.parent / str(node.text)) if node.get("relativeToVRT", node.get("relativetoVRT")) == "1" else node.text
        for node in sources
    ]
    return [source for source in (_local_path(str(text)) for text in located) if source is not None]


def _hash_of(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=12)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _top_folders(folders: Mapping[str, list[Path]]) -> dict[str, list[Path]]:
    """Return fewer folders, each with the files of those below, so that no more than `MOST_FILES` are named."""
    while len(folders) > MOST_FILES:
        joined: dict[str, list[Path]] = {}
        deepest = max(len(Path(folder).parts) for folder in folders)
        for folder, members in folders.items():
            place = Path(folder)
            top = place.parent if len(place.parts) == deepest else place
            joined.setdefault(str(top), []).extend(members)
        folders = joined
    return dict(folders)


def _joint_state(paths: Iterable[Path]) -> str:
    """Return one state of many files, from their sizes, times and inodes."""
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(paths):
        digest.update(f"{path} {state_of(path, 0)}\n".encode())
    return f"files of state {digest.hexdigest()}"
