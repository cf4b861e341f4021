"""A file server on this machine that answers range requests, as object stores do, and counts what it sends.

It is a process of its own: GDAL holds the interpreter while it opens a file, so a thread could not answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COUNTS = "/counts"
"""Address that says what was sent."""


@dataclass(frozen=True)
class RangeServer:
    """Serves the files of a folder at an address."""

    address: str

    def counts(self) -> tuple[int, list[str]]:
        """Return the bytes of content that were sent, and the requests: path and range."""
        with urllib.request.urlopen(f"{self.address}{COUNTS}", timeout=20) as answer:
            sent, requests = json.load(answer)
        return sent, requests


@contextmanager
def serving(folder: Path) -> Iterator[RangeServer]:
    """Serve a folder in the meantime."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield RangeServer(process.stdout.readline().strip())
        finally:
            process.kill()


class Handler(BaseHTTPRequestHandler):
    """Answers for the files of a folder."""

    protocol_version = "HTTP/1.1"
    folder = Path()
    sent = 0
    requests: list[str] = []  # noqa: RUF012 (of the one server of this process)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        if self.path == COUNTS:
            self._send(HTTPStatus.OK, json.dumps([Handler.sent, Handler.requests]).encode())
        else:
            self._answer(with_content=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, *, with_content: bool) -> None:
        path, wanted = self.folder / self.path.lstrip("/"), self.headers.get("Range", "")
        Handler.requests.append(f"{self.command} {self.path} {wanted}")
        if not path.is_file():
            self._send(HTTPStatus.NOT_FOUND, b"")
            return
        size = path.stat().st_size
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        first, last = (int(match[1]), int(match[2] or size - 1)) if match else (0, size - 1)
        with path.open("rb") as file:
            file.seek(first)
            content = file.read(last + 1 - first)
        extra = {"Content-Range": f"bytes {first}-{first + len(content) - 1}/{size}"} if match else {}
        status = HTTPStatus.PARTIAL_CONTENT if match else HTTPStatus.OK
        self._send(status, content, with_content=with_content, **extra)
        Handler.sent += len(content) * with_content

    def _send(self, status: HTTPStatus, content: bytes, *, with_content: bool = True, **extra: str) -> None:
        self.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)


def write_tile(path: Path, side_px: int, window: tuple[int, int, int, int], dtype: str = "uint16") -> int:
    """Write a COG of a whole tile with detail about a window only, and return the bytes of the blocks that it touches.

    Args:
        path: The file.
        side_px: Rows and columns.
        window: (row, column, height, width).
        dtype: Of the numbers.
    """
    import numpy as np
    import rasterio
    from affine import Affine
    from rasterio.shutil import copy
    from rasterio.windows import Window

    row, column, height, width = window
    margin = 512
    top, left = max(row - margin, 0), max(column - margin, 0)
    shape = min(height + 2 * margin, side_px - top), min(width + 2 * margin, side_px - left)
    detail = np.random.default_rng(0).integers(1000, 3000, shape).astype(dtype)
    profile = {"crs": "EPSG:32632", "transform": Affine(10, 0, 600_000, 0, -10, 5_400_000), "dtype": dtype, "count": 1}
    plain = path.with_suffix(".plain.tif")
    size = {"height": side_px, "width": side_px, "tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(plain, "w", driver="GTiff", sparse_ok=True, compress="zstd", **size, **profile) as file:
        file.write(detail, 1, window=Window(left, top, shape[1], shape[0]))
    copy(plain, path, driver="COG", compress="deflate", level=1, blocksize=512, overviews="auto")
    plain.unlink()
    return block_bytes(path, window)


def block_bytes(path: Path, window: tuple[int, int, int, int]) -> int:
    """Return the bytes of the blocks of a GeoTIFF that a window touches."""
    import rasterio

    row, column, height, width = window
    with rasterio.open(path) as file:
        (rows, columns), total = file.block_shapes[0], 0
        for i in range(row // rows, (row + height - 1) // rows + 1):
            for j in range(column // columns, (column + width - 1) // columns + 1):
                size = file.get_tag_item(f"BLOCK_SIZE_{j}_{i}", "TIFF", bidx=1)
                total += int(size or 0)
    return total


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
