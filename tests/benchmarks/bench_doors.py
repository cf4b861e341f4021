"""Doors to other tools: a window of a tile behind range requests, and a question of an agent to its checked answer."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
import rasterio
from rasterio.windows import Window

from spex_nb import open_scene
from spex_nb.scene.samples import sample_path
from tests.benchmarks.bench_indices import row
from tests.scene.range_server import serving, write_tile

SIDE, WINDOW = 10_980, (4200, 5100, 1000, 1000)
BAND = "nir"


def item(address: str) -> dict[str, Any]:
    """Return a STAC item of one band at an address."""
    band = {"name": BAND, "common_name": BAND}
    asset = {"href": address, "type": "image/tiff; application=geotiff", "eo:bands": [band]}
    properties = {"datetime": "2024-05-01T10:00:00Z", "platform": "sentinel-2a"}
    base = {"type": "Feature", "stac_version": "1.0.0", "id": "tile", "collection": "sentinel-2-l2a", "links": []}
    scale = {"raster:bands": [{"scale": 1e-4, "offset": 0.0}]}
    return base | {"geometry": None, "properties": properties, "assets": {BAND: asset | scale}}


def fetched_mb(folder: Path) -> tuple[float, float, float]:
    """Return MB that a window costs by spex_nb and by rasterio, and MB of the blocks that it touches."""
    blocks = write_tile(folder / f"{BAND}.tif", SIDE, WINDOW)
    row_at, column, height, width = WINDOW
    with serving(folder) as server:
        scene = open_scene(item(f"{server.address}/{BAND}.tif"))
        before, _ = server.counts()
        scene.spex.window(*WINDOW).compute()
        ours = server.counts()[0] - before
    with serving(folder) as server, rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        with rasterio.open(f"{server.address}/{BAND}.tif") as file:
            before, _ = server.counts()
            file.read(1, window=Window(column, row_at, width, height))
        other = server.counts()[0] - before
    return ours / 1e6, other / 1e6, blocks / 1e6


def question_seconds(folder: Path) -> tuple[float, float]:
    """Return seconds from a question to its answer through the protocol, and by `extract` in this process."""
    from mcp import Client, StdioServerParameters

    from spex_nb import extract

    shutil.copy(sample_path("river_10m"), folder / "river.tif")
    question = "how much water is there?"

    async def ask() -> float:
        arguments = ["-m", "spex_nb.cli", "mcp", "--root", str(folder)]
        async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
            await client.call_tool("look", {"path": "river.tif"})
            start = time.perf_counter()
            answer = await client.call_tool("ask", {"scene": "river.tif", "question": question})
            assert not answer.is_error
            return time.perf_counter() - start

    by_agent = anyio.run(ask)
    start = time.perf_counter()
    extract(folder / "river.tif", question, "index", progress=False)
    return by_agent, time.perf_counter() - start


def run() -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as folder:
        ours, other, blocks = fetched_mb(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        agent, here = question_seconds(Path(folder))
    window = f"a window of 1,000² of a COG of {SIDE:,}² by range requests, fetched after opening"
    return [
        row(f"{window}; other: the blocks that it touches", ours, blocks, "MB", "≤ 1.2"),
        row(f"{window}; other: rasterio", ours, other, "MB", "none"),
        row("an agent's question to a checked answer on `river_10m`; other: `extract` here", agent, here, "s", "≤ 3 s"),
    ]
