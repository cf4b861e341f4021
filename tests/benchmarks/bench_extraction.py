"""`extract` on small and Sentinel-2 sized scenes beside a plain loop over tiles that holds everything; exports."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from affine import Affine

from spex_nb import extract
from spex_nb.extraction.mask_models import INDEX, SHIPPED, usual_model
from spex_nb.scene.samples import sample_path
from tests.benchmarks.bench_indices import row
from tests.benchmarks.bench_scenes import measure

SIDES = (2_048, 10_980)
BANDS = ("blue", "green", "red", "nir")
BARS = {"index": "< 1,024 MB", SHIPPED: "< 1,400 MB"}
REGIONS = 20_000
OURS = """
import sys
from spex_nb import extract
if __name__ == "__main__":
    path, model, out, workers = sys.argv[1:]
    client = None
    if int(workers) > 1:
        from distributed import Client
        client = Client(n_workers=int(workers), threads_per_worker=1, dashboard_address=None)
    extract(path, "water", model, out=out, progress=False, client=client)
    if client is not None:
        client.close()
"""
PLAIN = """
import sys, numpy as np, rasterio
from scipy import ndimage
from spex_nb import load_mask_model, open_scene, spectral_prior
from spex_nb.language import build_prompt
path, name, out = sys.argv[1:]
scene, model = open_scene(path, chunks=None), load_mask_model(name)
height, width = scene.spex.shape
side = min(model.card.tile_px, height, width)
step = side if name == "index" else side * 7 // 8
sums, counts = np.zeros((height, width), "float32"), np.zeros((height, width), "float32")
for row in sorted({*range(0, height - side, step), height - side}):
    for col in sorted({*range(0, width - side, step), width - side}):
        tile = scene.spex.window(row, col, side, side)
        priors = None if name == "index" else [spectral_prior(tile, "water").mask.values]
        (logits,) = model.predict(tile, ["water"], [build_prompt("water", [])], priors=priors)
        sums[row:row + side, col:col + side] += logits
        counts[row:row + side, col:col + side] += 1
probability = 1 / (1 + np.exp(-sums / counts))
mask = (probability > 0.5).astype("uint8")
labels, number = ndimage.label(mask)
areas = np.bincount(labels.ravel())
profile = {"driver": "COG", "width": width, "height": height, "count": 1, "crs": scene.rio.crs,
           "transform": scene.rio.transform(), "compress": "deflate"}
for layer, file in ((mask, "mask.tif"), (probability, "probability.tif")):
    with rasterio.open(f"{out}-{file}", "w", dtype=layer.dtype, **profile) as opened:
        opened.write(layer, 1)
"""


def write_scene(path: Path, side: int) -> None:
    """Write four bands of uint16: the river again and again, no two pixels quite alike."""
    with rasterio.open(sample_path("river_10m")) as file:
        numbers = [file.descriptions.index(band) + 1 for band in BANDS]
        pixels, profile = file.read(numbers), file.profile
        scale, offset = file.scales[0], file.offsets[0]
    wide = np.tile(pixels, (1, 1, -(-side // pixels.shape[2])))[:, :, :side]
    profile |= {
        "count": 4,
        "height": side,
        "width": side,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", **profile) as file:
        for top in range(0, side, 512):
            rows = np.take(wide, np.arange(top, min(top + 512, side)), axis=1, mode="wrap")
            noisy = np.where(rows == 0, 0, np.rint(rows * rng.normal(1, 0.01, rows.shape))).astype(pixels.dtype)
            file.write(noisy, window=rasterio.windows.Window(0, top, side, rows.shape[1]))
        file.descriptions, file.scales, file.offsets = BANDS, [scale] * 4, [offset] * 4


def models() -> list[str]:
    """Return the index, and the checkpoint that ships where it is there and can be run."""
    return list(dict.fromkeys([INDEX, usual_model()]))


def scene_rows(side: int, model: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield time and peak memory of one scene and model, on one worker and two."""
    source, script = folder / f"scene_{side}.tif", folder / "ours.py"
    if not source.exists():
        write_scene(source, side)
    script.write_text(OURS)
    out = folder / f"{model}_{side}"
    one, two = (
        measure([sys.executable, str(script), str(source), model, f"{out}_{workers}", str(workers)])
        for workers in (1, 2)
    )
    plain = measure([sys.executable, "-c", PLAIN, str(source), model, f"{out}_plain"])
    what = f"`extract` water by `{model}`, {side:,}², four bands"
    speeds = f"{side**2 / 1e6 / one[0]:.2f} Mpx/s; other: plain loop, {side**2 / 1e6 / plain[0]:.2f} Mpx/s"
    bar = BARS[model] if side == max(SIDES) else "none"
    yield row(f"{what}, {speeds}", one[0], plain[0], "s", "none")
    yield row(f"{what}, peak memory; other: plain loop that holds everything", one[1], plain[1], "MB", bar)
    yield row(
        f"{what}, two dask workers with their start ({side**2 / 1e6 / two[0]:.2f} Mpx/s); other: one process",
        two[0],
        one[0],
        "s",
        "none",
    )
    yield row(f"{what}, the largest of their processes; other: one process", two[1], one[1], "MB", "none")


def many_regions() -> Any:
    """Return a result with as many regions as are exported: wet squares of 2 x 2 pixels, two pixels apart."""
    side = 4 * math.isqrt(REGIONS - 1) + 4
    is_wet = np.kron(np.ones((side // 4, side // 4)), np.pad(np.ones((2, 2)), ((0, 2), (0, 2)))) > 0
    bands = {"green": np.where(is_wet, 0.3, 0.1), "nir": np.where(is_wet, 0.05, 0.3)}
    scene = xr.Dataset({name: (("y", "x"), band.astype(np.float32)) for name, band in bands.items()})
    placed = scene.rio.write_crs("EPSG:32632").rio.write_transform(Affine(10, 0, 5e5, 0, -10, 5.5e6))
    return extract(placed, "water", "index", min_area_px=1, progress=False)


def seconds(write: Callable[[], object]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    write()
    return time.perf_counter() - start


def export_rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the time of exports of many regions, beside GeoJSON."""
    result = many_regions()
    geojson = seconds(lambda: result.to_geojson(folder / "r.geojson"))
    package = seconds(lambda: result.to_geopackage(folder / "r.gpkg"))
    parquet = seconds(lambda: result.to_geoparquet(folder / "r.parquet"))
    what = f"{len(result.regions):,} regions to"
    yield row(f"{what} GeoPackage; other: GeoJSON", package, geojson, "s", "none")
    yield row(f"{what} GeoParquet; other: GeoJSON", parquet, geojson, "s", "none")


def run(sides: tuple[int, ...] = SIDES) -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = [line for side in sides for model in models() for line in scene_rows(side, model, folder)]
        return [*scenes, *export_rows(folder)]


if __name__ == "__main__":
    print(*run(SIDES[:1]), sep="\n")  # noqa: T201 (a benchmark alone, on the small scene)
