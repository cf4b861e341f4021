"""Two thousand districts of 7 km² on a mask of a whole Sentinel-2 tile, beside exactextract."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from scipy.ndimage import gaussian_filter, zoom

from tests.benchmarks.bench_indices import held_kb, row

SIDE, DISTRICTS, CORNERS, RADIUS_M = 10_980, 2_000, 96, 1_490.0
TRANSFORM = Affine(10, 0, 600_000, 0, -10, 5_300_040)
COARSE = 20
"""Pixels of the mask for each random number."""


def write_mask(path: Path, side: int) -> None:
    """Write a mask of two classes in patches of some hundred metres."""
    noise = np.random.default_rng(0).random((side // COARSE, side // COARSE), dtype=np.float32)
    field = zoom(gaussian_filter(noise, 3), COARSE, order=1)
    first, second = np.quantile(field[::10, ::10], [0.2, 0.5])
    mask = (field > first).astype(np.uint8) + (field > second).astype(np.uint8)
    profile = {"driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint8", "nodata": 255}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(path, "w", crs="EPSG:32632", transform=TRANSFORM, **profile, **tiles) as file:
        file.write(mask, 1)


def write_districts(path: Path, side: int, number: int) -> None:
    """Write polygons of 7 km² with a wavy outline at random places of the mask."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    centres = np.random.default_rng(1).uniform(2_000, side * 10 - 2_000, (number, 2)) * [1, -1]
    places = centres + np.array([TRANSFORM.c, TRANSFORM.f])
    radii = [RADIUS_M * (1 + 0.15 * np.sin(3 * turn + i) + 0.1 * np.cos(7 * turn)) for i in range(number)]
    shapes = [shapely.Polygon(place + radius[:, None] * around) for place, radius in zip(places, radii, strict=True)]
    gpd.GeoDataFrame({"id": np.arange(number)}, geometry=shapes, crs="EPSG:32632").to_file(path)


def by_spex(mask: Path, districts: Path) -> list[list[float]]:
    """Return the shares of both classes within each district."""
    import rioxarray

    from spex_nb import extract, sample_scene, zonal_table

    result = extract(sample_scene("river_10m"), "water and vegetation", "index", progress=False)
    start = time.perf_counter()
    pixels = rioxarray.open_rasterio(mask)[0].drop_vars("band").load()
    table = zonal_table(replace(result, mask=pixels), districts)
    report(start)
    return [[*map(float, shares)] for shares in table[["water_frac", "vegetation_frac"]].to_numpy()]


def by_exactextract(mask: Path, districts: Path) -> list[list[float]]:
    """Return the same by exactextract."""
    from exactextract import exact_extract

    start = time.perf_counter()
    frame = gpd.read_file(districts)
    table = exact_extract(str(mask), frame, ["unique", "frac", "count"], include_cols=["id"], output="pandas")
    report(start)
    shares = [dict(zip(*pair, strict=True)) for pair in zip(table["unique"], table["frac"], strict=True)]
    return [[float(share.get(number, 0)) for number in (1, 2)] for share in shares]


def report(start: float) -> None:
    """Write seconds since a start and the peak memory of this process, MB, to standard error."""
    sys.stderr.write(f"{time.perf_counter() - start} {held_kb() / 1000}")


def measure(way: str, folder: Path) -> tuple[float, float, Any]:
    """Return seconds, peak memory and the shares of one way, from a fresh process."""
    places = f"Path({str(folder / 'mask.tif')!r}), Path({str(folder / 'districts.gpkg')!r})"
    code = f"import json; from pathlib import Path; from tests.benchmarks.bench_districts import {way} as way; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(json.dumps(way({places})))"], capture_output=True, text=True, check=True
    )
    seconds, peak = map(float, done.stderr.split()[-2:])
    return seconds, peak, np.array(json.loads(done.stdout))


def run(side: int = SIDE, number: int = DISTRICTS) -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as folder:
        write_mask(Path(folder) / "mask.tif", side)
        write_districts(Path(folder) / "districts.gpkg", side, number)
        ours, other = (measure(way, Path(folder)) for way in ("by_spex", "by_exactextract"))
    differ = float(np.abs(ours[2] - other[2]).max())
    what = f"`zonal_table`, {number:,} polygons of 7 km² on {side:,}²"
    return [
        row(f"{what}, shares within {differ:.0e} of the other's; other: exactextract", ours[0], other[0], "s", "≤ 1"),
        row(f"{what}, peak memory of the process; other: exactextract", ours[1], other[1], "MB", "none"),
    ]
