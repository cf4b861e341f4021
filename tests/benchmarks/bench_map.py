"""The map of a 10,000² scene: first pixels, pans, a live threshold, bytes, memory; and a click on the model."""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio.shutil
import torch
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from spex_widgets import MapView, Workbench
from spex_widgets.jobs import ImmediateExecutor

from spex_nb import load_mask_model, spectral_prior
from spex_nb.extraction.refine import UserPrompts, refine_window
from spex_nb.output.map_images import encode_webp
from spex_nb.output.web_mercator import WEB_MERCATOR, View, WebGrid
from spex_nb.scene.windows.pyramid import Pyramid
from tests.benchmarks.bench_indices import best_of, row, scene_of

SIDE = 10_000
SIZE_PX = (800, 1200)
PANS = 50
BANDS = ("green", "red", "nir")
SHOWN = ("nir", "red", "green")
CLICKED_PX = 512
WAVES_UM = {"blue": 0.49, "green": 0.56, "red": 0.66, "nir": 0.83}
THREADS = 2
Bounds = tuple[float, float, float, float]


def write_scenes(folder: Path, side: int) -> tuple[Path, Path]:
    """Write green, red and nir, uint16: as a file without overviews, and as a COG."""
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
        file.scales = [1e-4] * 3
    rasterio.shutil.copy(plain, cog, driver="COG", compress="deflate")
    return plain, cog


def move(map_: Any, bounds: Bounds) -> None:
    """Move a map as the browser would say it."""
    with map_.hold_trait_notifications():
        map_.zoom = float(np.log2(360 / 256 * SIZE_PX[1] / (bounds[2] - bounds[0])))
        for name, value in zip(("west", "south", "east", "north"), bounds, strict=True):
            map_.set_trait(name, value)


def bounds_of(path: Path) -> Bounds:
    """Return the bounds of a scene."""
    return WebGrid(Pyramid(path).grid).bounds_lonlat


def first_pixels(path: Path, executor: Executor) -> MapView:
    """Open a scene on a map that shows all of it."""
    view = MapView(executor=executor)
    view.set_scene(path)
    view.show_composite(SHOWN)
    move(view.map, bounds_of(path))
    assert sent(view, "scene") > 0
    return view


def sent(view: MapView, name: str) -> int:
    """Return the bytes of the picture that a layer shows."""
    return len(next((layer.url for layer in view.map.layers if layer.name == name), ""))


def warp(path: Path, bounds: Bounds) -> bytes:
    """Draw a view by warping the file, as a tile server does, one picture instead of tiles."""
    with rasterio.open(path) as source:
        view, (height, width) = View(bounds, SIZE_PX), SIZE_PX
        options = {"crs": WEB_MERCATOR, "transform": view.transform, "height": height, "width": width}
        with WarpedVRT(source, resampling=Resampling.nearest, add_alpha=True, **options) as vrt:
            return data_uri(vrt.read())


def read_all(path: Path) -> bytes:
    """Draw a scene by reading all of it, as one would for an ImageOverlay of one's own."""
    with rasterio.open(path) as file:
        pixels = file.read()
    step = -(-max(pixels.shape) // max(SIZE_PX))
    return data_uri(pixels[:, ::step, ::step])


def data_uri(pixels: Any) -> bytes:
    return base64.b64encode(encode_webp((pixels // 16).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)))


def seconds(work: Callable[..., Any], *args: Any) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def panned(bounds: Bounds) -> Iterator[Bounds]:
    """Yield views at full detail, from one corner of a scene towards another."""
    west, south, east, north = bounds
    width, height = 0.12 * (east - west), 0.08 * (north - south)
    for frac in np.linspace(0, 0.85, PANS):
        left, bottom = west + frac * (east - west), south + frac * (north - south)
        yield left, bottom, left + width, bottom + height


async def pan(view: MapView, bounds: Bounds) -> tuple[list[float], list[int]]:
    """Pan as in a kernel, and so fast that no margin is drawn between: each view is drawn whole.

    Returns:
        Seconds until what is seen is there, and the bytes sent of it, a value a pan.
    """
    taken, sizes = [], []
    for seen in panned(bounds):
        taken.append(seconds(move, view.map, seen))
        sizes.append(sent(view, "scene"))
    return taken, sizes


def pan_rows(path: Path, what: str, scene_mb: float) -> list[dict[str, str]]:
    """Measure pans at full detail: seconds, kB sent, and by how many MB the kernel grew over all."""
    view, bounds = first_pixels(path, ImmediateExecutor()), bounds_of(path)
    process = psutil.Process()
    before = process.memory_info().rss
    taken, sizes = asyncio.run(pan(view, bounds))
    grown = (process.memory_info().rss - before) / 2**20
    warped = [seconds(warp, path, seen) for seen in [*panned(bounds)][::5]]
    view.close()
    pan_s, size, raw = np.median(taken), np.median(sizes) / 1024, SIZE_PX[0] * SIZE_PX[1] * 4 / 1024
    return [
        row(f"{what} COG, a pan at full detail; other: warp what is seen", pan_s, np.median(warped), "s", "≤ 1.5"),
        row(f"{what} COG of noise, a picture sent; other: uncompressed", size, raw, "kB", "none"),
        row(f"{what} COG, growth of the kernel in {PANS} pans; other: the scene", grown, scene_mb, "MB", "none"),
    ]


def threshold_row(path: Path, what: str) -> dict[str, str]:
    """Measure a move of the threshold's slider: prior, regions, prompt and picture of what is seen, at full detail."""
    bench = Workbench(path, "index", executor=ImmediateExecutor())
    panel = bench.panels["Index"]
    move(bench.map, next(panned(bounds_of(path))))
    panel.target.value = "water"
    low, high = panel.slider.min, panel.slider.max
    taken = []
    for frac in np.linspace(0.2, 0.8, 9):
        taken.append(seconds(setattr, panel.slider, "value", low + frac * (high - low)))
        assert sent(bench.view, "live mask") > 0
    other = seconds(whole_prior, bench.state.scene)
    bench.close()
    what = f"{what}, the threshold moved for what is seen; other: the whole scene"
    return row(what, np.median(taken), other, "s", "≤ 0.3 s")


def whole_prior(scene: Any) -> Any:
    return spectral_prior(scene, "water", threshold=0.1).mask.compute()


def click_row() -> dict[str, str]:
    """Measure one click on a tile that `tiny` knows already, beside a tile that it never saw."""
    torch.set_num_threads(THREADS)
    scene, model = scene_of(CLICKED_PX), load_mask_model("tiny")
    for name, wave in WAVES_UM.items():
        scene[name].attrs = {"wavelength_um": wave, "width_um": 0.06}
    window, click = (0, 0, CLICKED_PX, CLICKED_PX), UserPrompts(((200.5, 200.5, True),))

    def ask_unseen() -> None:
        model._last = None
        refine_window(scene, model, "water", window, click)

    clicked, asked = best_of(5, lambda: refine_window(scene, model, "water", window, click), ask_unseen)
    return row(f"a click on {CLICKED_PX}², `tiny`, CPU; other: a tile it never saw", clicked, asked, "s", "≤ 1 s")


def run(side: int = SIDE) -> list[dict[str, str]]:
    """Return the measured rows."""
    what, scene_mb = f"map, {side:,}² × 3 uint16", side * side * 6 / 2**20
    with tempfile.TemporaryDirectory() as folder:
        plain, cog = write_scenes(Path(folder), side)
        first_pixels(cog, ImmediateExecutor()).close()  # imports what it needs
        firsts = [seconds(lambda path=path: first_pixels(path, ImmediateExecutor()).close()) for path in (cog, plain)]
        warped, read = seconds(warp, cog, bounds_of(cog)), seconds(read_all, plain)
        return [
            row(f"{what} COG, first pixels; other: warp the scene", firsts[0], warped, "s", "none"),
            row(f"{what} without overviews, first pixels; other: read all of it", firsts[1], read, "s", "none"),
            *pan_rows(cog, what, scene_mb),
            threshold_row(cog, what),
            click_row(),
        ]
