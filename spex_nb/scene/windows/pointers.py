"""Local files that point elsewhere: descriptions in text, which are read before GDAL follows them."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from spex_nb.errors import UnreadableSourceError
from spex_nb.scene.windows.locations import is_pipe
from spex_nb.scene.windows.network import names_address

CLOSED = (
    b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+",
    b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51", b"\x89PNG", b"\xff\xd8\xff", b"\x89HDF", b"CDF\x01", b"CDF\x02",
)  # fmt: skip
"""Beginnings of files that hold their pixels themselves: TIFF, JPEG 2000, PNG, JPEG, HDF5 and NetCDF."""
SIDECARS = (".aux.xml", ".ovr", ".msk", ".aux")
"""Files beside a raster that GDAL reads with it, and that may point elsewhere."""
LARGEST_TEXT = 64 * 2**20
"""No description of a raster is larger, in bytes."""
MOST_FILES = 10_000
"""So many files are looked into behind one description; GDAL can fetch nothing for the others either."""
DESCRIPTIONS = (
    "VRTDataset", "GDAL_WMS", "TMS", "TileMap", "GDAL_WMTS", "Capabilities", "WCS_GDAL", "WMS_Capabilities",
    "WMT_MS_Capabilities", "WMS_Tile_Service", "MRF_META", "GDALTileIndexDataset", "OGRVRTDataSource",
    "OGRWMSDataSource", "kml", "OGCAPIDataset", "VRTTIDataset",
)  # fmt: skip
"""Roots of XML files that name other files or servers."""
TEXTS = ("Description", "Category", "UnitType")
"""Elements that hold words for people."""
NAMES_OF_CRS = r"https?://(www\.)?opengis\.net/(def|gml)/"
VECTOR_DESCRIPTION, VECTOR_HEAD_BYTES = rb"<OGR\w+DataSource", 4096
"""How a description of vector data elsewhere begins, whatever its file is called."""
CRS_MEMBER = rb'"' + rb"".join(rb"(?:%c|\\u00%02x|\\u00%02x)" % (x, x, x - 32) for x in b"crs") + rb'"\s*:\s*(?=\{)'
"""Name of the CRS of a GeoJSON file, also with escaped letters."""
LONGEST_CRS = 2**16
"""No CRS in a GeoJSON file is longer, in bytes."""


def is_closed(location: str) -> bool:
    """Whether a local file holds its pixels itself, and no sidecar lies beside it: it cannot lead to the network."""
    path = Path(location)
    if any(Path(f"{location}{ending}").exists() for ending in SIDECARS):
        return False
    return path.is_file() and _head(path).startswith(CLOSED)


def require_no_address(location: str) -> None:
    """Raise if a local file, a file that it names, or a sidecar of it points at the network.

    Args:
        location: A path; anything else passes.

    Raises:
        UnreadableSourceError: If one does; the message shows the address.
    """
    waiting, seen = [Path(location)], set[Path]()
    while waiting and len(seen) < MOST_FILES:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        _require_no_pipe(path)
        for name in _names_in(path):
            if names_address(name):
                raise points_elsewhere(location, str(path), name)
            waiting.append(path.parent / name)
        waiting += [side for ending in SIDECARS if (side := Path(f"{path}{ending}")).is_file()]


def _require_no_pipe(path: Path) -> None:
    if is_pipe(path):
        raise UnreadableSourceError(
            "What the file points at is a pipe or a device",
            found=str(path),
            expected="a file, which can be read in any order",
            fix="Write what comes out of it to a file first.",
        )


def _names_in(path: Path) -> Iterator[str]:
    """Yield what a description in text names: files, servers, datasets; nothing of any other file."""
    head = _head(path).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith((b"<", b"{")) or path.stat().st_size > LARGEST_TEXT:
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    yield from _names_in_json(text) if head.startswith(b"{") else _names_in_xml(text)


def _names_in_json(text: str) -> Iterator[str]:
    """Yield the texts of a JSON file that GDAL itself would follow: links and addresses of its assets."""
    for match in re.finditer(r'"(?:href|url|\w*[uU]rl|uri)"\s*:\s*"((?:[^"\\]|\\.)*)"', text):
        yield match[1].replace("\\/", "/")


def _names_in_xml(text: str) -> Iterator[str]:
    try:
        root = ET.fromstring(text.lstrip("\ufeff \t\r\n"))
    except (ET.ParseError, ValueError):
        yield from re.findall(r">\s*([^<>\s][^<>]*)<", text)  # what GDAL's lenient parser may still read
        return
    name = root.tag.rpartition("}")[2]
    if name == "PAMDataset":
        yield from (item.text or "" for item in root.iter("MDI") if item.get("key") == "OVERVIEW_FILE")
    elif name in DESCRIPTIONS:
        yield from _names_below(root)


def _names_below(node: ET.Element) -> Iterator[str]:
    """Yield texts and attributes of an element, but for metadata and names of CRS, which nobody follows."""
    if node.tag in TEXTS or (node.tag == "Metadata" and node.get("domain") != "OVERVIEWS"):
        return
    for text in (node.text or "", *node.attrib.values()):
        stripped = text.strip()
        if stripped and not re.match(NAMES_OF_CRS, stripped) and not node.tag.endswith(("SRS", "GeogCS")):
            yield stripped
    for child in node:
        yield from _names_below(child)


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe would never end
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""


def vector_pointer(path: Path) -> str:
    """Return what of a vector file lies elsewhere; an empty string where nothing does.

    Args:
        path: A file. Of anything else nothing is read.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return ""
    with path.open("rb") as file:
        head = file.read(VECTOR_HEAD_BYTES)
        if re.search(VECTOR_DESCRIPTION, head):
            return "a description of data that lie elsewhere"
        if b"{" not in head or b"\x00" in head:
            return ""
        text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with its last match
        starts = (match.end() for match in re.finditer(CRS_MEMBER, text, re.IGNORECASE))
        is_linked = any(_is_link(text[start : start + LONGEST_CRS]) for start in starts)
    return "a link to a server in place of its CRS, which is never asked" if is_linked else ""


def _is_link(text: bytes) -> bool:
    """Whether a CRS in JSON is an address that GDAL would fetch, or cannot be understood."""
    try:
        crs, _ = json.JSONDecoder().raw_decode(text.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return True
    members = [crs, crs.get("properties")]
    fields = {name.lower(): value for part in members if isinstance(part, dict) for name, value in part.items()}
    links = [str(fields[name]) for name in ("href", "url") if name in fields]
    return any(not re.match(NAMES_OF_CRS, link) for link in links)


def points_elsewhere(location: str, path: str, name: str) -> UnreadableSourceError:
    """Return the error for a local file that points at the network.

    Args:
        location: What was to be opened.
        path: The file that holds the address: the same, or one that it names.
        name: The address.
    """
    shown = name if len(name) < LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
    by = "" if path == location else f", by way of {Path(path).name}"
    return UnreadableSourceError(
        "The file lies on this machine, but what it points at lies on the network",
        found=f"{location}{by}: {shown}",
        expected="pixels on this machine, for the path of a file is no leave to use the network",
        fix="Pass remote=True to open_scene if you trust the file, or fetch what it points at first.",
    )


LONGEST_SHOWN = 120
HEAD_BYTES = 512
