"""The map's pictures of a 10,000² scene: first pixels, a pan, bytes, memory; beside warping what is seen by GDAL."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from spex_nb.pyramids import Pyramid
from spex_nb.rendering import encode_webp, measure_stretch, render_scene
from spex_nb.web_grid import WEB_MERCATOR, View, WebGrid
from tests.benchmarks.bench_indices import row

SIDE = 10_000
SIZE_PX = (800, 1200)
PANS = 50
BANDS = ("red", "green", "blue")


def write_scenes(folder: Path, side: int) -> tuple[Path, Path]:
    """Write red, green and blue, uint16: as a file without overviews, and as a COG."""
    plain, cog = folder / "plain.tif", folder / "cog.tif"
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "crs": "EPSG:32632"}
    transform = rasterio.transform.from_origin(5e5, 5e6, 10, 10)
    with rasterio.open(
        plain, "w", count=3, height=side, width=side, dtype="uint16", nodata=0, transform=transform, **profile
    ) as file:
        for top in range(0, side, 512):
            rows = min(512, side - top)
            window = rasterio.windows.Window(0, top, side, rows)
            file.write(rng.integers(200, 4000, (3, rows, side), "uint16"), window=window)
        file.descriptions = BANDS
    rasterio.shutil.copy(plain, cog, driver="COG", compress="deflate")
    return plain, cog


def first_pixels(path: Path) -> bytes:
    """Open a scene and draw all of it."""
    pyramid = Pyramid(path, scale=1e-4)
    view = View(WebGrid(pyramid.grid).bounds_lonlat, SIZE_PX)
    return encode_webp(render_scene(pyramid, view, BANDS, measure_stretch(pyramid, BANDS)))


def warp_first(path: Path) -> bytes:
    """Draw all of a scene by warping it as a whole, as a tile server does, one picture instead of tiles."""
    pyramid = Pyramid(path, scale=1e-4)
    view = View(WebGrid(pyramid.grid).bounds_lonlat, SIZE_PX)
    height, width = SIZE_PX
    options = {"crs": WEB_MERCATOR, "transform": view.transform, "height": height, "width": width}
    with rasterio.open(path) as file, WarpedVRT(file, resampling=Resampling.nearest, add_alpha=True, **options) as vrt:
        pixels = vrt.read()
    return encode_webp((pixels // 16).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def seconds(work: Callable[..., Any], *args: Any) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def pans(path: Path) -> tuple[float, float, float]:
    """Return of pans at full detail: median seconds, median kB sent, and by how many MB memory grew over all."""
    pyramid = Pyramid(path, scale=1e-4)
    west, south, east, north = WebGrid(pyramid.grid).bounds_lonlat
    stretch = measure_stretch(pyramid, BANDS)
    width, height = 0.12 * (east - west), 0.08 * (north - south)
    process, taken, sent = psutil.Process(), [], []
    before = process.memory_info().rss
    for frac in np.linspace(0, 0.85, PANS):
        left, bottom = west + frac * (east - west), south + frac * (north - south)
        start = time.perf_counter()
        picture = render_scene(pyramid, View((left, bottom, left + width, bottom + height), SIZE_PX), BANDS, stretch)
        sent.append(len(encode_webp(picture)))
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)), float(np.median(sent)) / 1024, (process.memory_info().rss - before) / 2**20


def run(side: int = SIDE) -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as folder:
        plain, cog = write_scenes(Path(folder), side)
        firsts = {path: (seconds(first_pixels, path), seconds(warp_first, path)) for path in (cog, plain)}
        taken, kilobytes, grown = pans(cog)
        raw = SIZE_PX[0] * SIZE_PX[1] * 4 / 1024
    what, scene = f"map, {side:,}² × 3 uint16", side * side * 6 / 2**20  # MB, as it lies in memory
    return [
        row(f"{what} COG, first pixels; other: warp the scene", *firsts[cog], "s", "none"),
        row(f"{what} without overviews, first pixels; other: warp the scene", *firsts[plain], "s", "none"),
        row(f"{what} COG, a pan at full detail; other: first pixels", taken, firsts[cog][0], "s", "none"),
        row(f"{what} COG of noise, a picture sent; other: uncompressed", kilobytes, raw, "kB", "none"),
        row(
            f"{what} COG, memory grown after {PANS} pans; other: the scene",
            grown,
            scene,
            "MB",
            "none",
        ),
    ]
