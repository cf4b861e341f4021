"""Files of a stored result, read as data only: nothing that they point at, and nothing that their headers do not bear.

Each file is read by the one format that this package writes it in. What a file could do beyond holding numbers is
refused first: pixels and links elsewhere, objects, tables that are programs.
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from spex_nb.errors import ExtractionError, SceneError, SourceNotFoundError, explain_malformed
from spex_nb.types.typed_json import require_room, require_writable

LARGEST_SIDE, MOST_DIMS = 4096, 2
"""Of an overview: the scene is thinned to 1,024 pixels."""
LARGEST_CHUNK = 2**28
"""Bytes of one chunk of an overview."""
GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11", b"GP12")
SQLITE, ID_AT, ID_BYTES = b"SQLite format 3\x00", 68, 4
"""How a GeoPackage begins, and where it says that it is one."""
COLUMN_TYPE = r"u?int(8|16|32|64)|float(32|64)|bool|object|str|string(\[\w+\])?"
"""Types of columns that a table of regions may have."""


@contextmanager
def reading_stored(
    place: Path,
    description: str,
    what: str,
    *,
    writer: str,
    version: int,
    again: str,
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Look for a stored folder, and turn whatever reading it raises into one error.

    Args:
        place: The folder.
        description: Name of the file that tells such folders from others.
        what: What is stored, such as ``result``.
        writer: What writes such folders.
        version: Of the format that is read.
        again: What makes such a folder anew, such as ``extract again``.
        also: Further errors of a damaged folder, beside those of rasters and scenes.

    Raises:
        SourceNotFoundError: If there is no such folder.
        ExtractionError: If it is damaged, or a later version wrote it.
    """
    if not (place / description).is_file():
        raise SourceNotFoundError(
            f"There is no {what} here",
            found=f"{place}, without {description}",
            expected=f"a folder that {writer} wrote",
            fix="Check the path.",
        )
    with explain_malformed(
        ExtractionError,
        f"The {what} cannot be read",
        where=place,
        expected=f"a whole folder of format {version}",
        fix=f"Update spex-nb if a later version wrote it; else {again}.",
        also=(SceneError, RasterioError, *also),
    ):
        yield


def require_plain_file(path: Path) -> None:
    """Raise unless a path is a file of its folder: no pipe, no device, no link that leads out.

    Raises:
        ValueError: If it is not.
    """
    if not path.is_file():
        raise ValueError(f"{path.name} is {'no file' if path.exists() else 'missing'}")
    if path.resolve().parent != path.parent.resolve():
        raise ValueError(f"{path.name} is a link out of its folder")


def read_arrays(path: Path, largest_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file, after their sizes were compared with its manifest.

    Args:
        path: The file.
        largest_bytes: What all arrays may take together; half of the free memory by default.

    Raises:
        ValueError: If it holds anything but arrays of numbers, or more than fits into memory.
        OSError, zipfile.BadZipFile: If it is no such file.
    """
    require_plain_file(path)
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        whole = sum(info.file_size for info in archive.infolist())
        require_room(whole, path.name)
        if largest_bytes is not None and whole > largest_bytes:
            raise ValueError(f"{path.name} unpacks to {whole:,} bytes, and {largest_bytes:,} are the most")
        for info in archive.infolist():
            with archive.open(info) as file:
                shape, dtype, order = _array_header(file, info.filename)
                size = int(np.prod(shape, dtype=object)) * dtype.itemsize
                if size > info.file_size:
                    raise ValueError(f"{info.filename} promises {size:,} bytes and holds {info.file_size:,}")
                numbers = np.frombuffer(file.read(size), dtype)
            arrays[info.filename.removesuffix(".npy")] = numbers.reshape(shape, order=order).copy()
    return arrays


def _array_header(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any], Any]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of version {version} of the format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {dtype}, which is no number (as with allow_pickle=False)")
    return shape, dtype, "F" if is_fortran else "C"


def read_overview(path: Path) -> xr.Dataset:
    """Return the thinned scene of a result, from NetCDF that holds all its numbers itself.

    Raises:
        ValueError: If it links to other files, has groups, or is larger than an overview.
        OSError, KeyError: If it is damaged.
    """
    require_plain_file(path)
    _require_plain_hdf5(path)
    with xr.open_dataset(path, engine="h5netcdf", decode_coords="all") as file:
        require_writable(file.attrs, path.name)
        for name, variable in file.variables.items():
            require_writable(variable.attrs, str(name))
        return file.load()


def _require_plain_hdf5(path: Path) -> None:
    import h5py

    size = 0
    with h5py.File(path, "r") as file:
        for name in file:
            is_own = isinstance(file.get(name, getlink=True), h5py.HardLink)
            size += _plain_size(file[name] if is_own else None, f"{name} in {path.name}")
    require_room(size, path.name)


def _plain_size(item: Any, name: str) -> int:
    """Return the bytes of a variable whose numbers stand in its own file.

    Raises:
        ValueError: If they do not, or there are more than an overview has.
    """
    import h5py

    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
        raise ValueError(f"{name} is a link or a group, or its numbers lie in other files")
    if item.ndim > MOST_DIMS or any(side > LARGEST_SIDE for side in item.shape) or item.dtype.kind not in "biufSO":
        raise ValueError(f"{name} is {item.dtype} {item.shape}, which is no layer of an overview")
    if item.chunks and int(np.prod(item.chunks, dtype=object)) * item.dtype.itemsize > LARGEST_CHUNK:
        raise ValueError(f"{name} has chunks of {item.chunks}")
    return int(item.size) * int(item.dtype.itemsize)


def read_regions(path: Path) -> Any:
    """Return the GeoDataFrame of a GeoPackage that holds tables only.

    Raises:
        ValueError: If it is no GeoPackage, or holds views or virtual tables that run.
        sqlite3.Error, RuntimeError: If it is damaged.
    """
    import geopandas as gpd

    require_plain_geopackage(path)
    return gpd.read_file(path, layer="regions")


def require_plain_geopackage(path: Path) -> None:
    """Raise unless a file is a GeoPackage of tables only, which its own driver opens.

    Raises:
        ValueError: If it is not, or would not fit into memory.
        sqlite3.Error: If it is damaged.
    """
    require_plain_file(path)
    with path.open("rb") as file:
        head = file.read(ID_AT + ID_BYTES)
    if not head.startswith(SQLITE) or head[ID_AT:] not in GEOPACKAGE_IDS:
        raise ValueError(f"{path.name} is no GeoPackage")
    _require_plain_tables(path)
    require_room(path.stat().st_size * 8, path.name)


def _require_plain_tables(path: Path) -> None:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    try:
        entries = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    finally:
        connection.close()
    for kind, name, sql in entries:
        words = " ".join(str(sql or "").upper().split())
        is_program = words.startswith("CREATE VIRTUAL") and " USING RTREE" not in words
        if kind not in ("table", "index", "trigger") or is_program:
            raise ValueError(f"{path.name} holds the {kind} {str(name)[:40]}, which is no plain table")
