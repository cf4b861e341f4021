"""`spex index` on a Sentinel-2 sized COG: time and peak memory, beside reading everything and computing with NumPy."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio.shutil

from tests.benchmarks.bench_indices import row

SIDE = 10_980
NUMPY_WAY = """
import sys, numpy as np, rasterio
with rasterio.open(sys.argv[1]) as file:
    red, nir = file.read().astype("float32") / 10000
    profile = {"width": file.width, "height": file.height, "crs": file.crs, "transform": file.transform}
with np.errstate(all="ignore"):
    ndvi = (nir - red) / (nir + red)
with rasterio.open(sys.argv[2], "w", driver="COG", count=1, dtype="float32", compress="deflate", **profile) as file:
    file.write(ndvi, 1)
"""
MEASURED = "import resource, sys; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"


def write_cog(path: Path, side: int) -> None:
    """Write red and nir, uint16, as a COG."""
    plain = path.with_name("plain.tif")
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "crs": "EPSG:32632"}
    transform = rasterio.transform.from_origin(5e5, 5e6, 10, 10)
    with rasterio.open(
        plain, "w", count=2, height=side, width=side, dtype="uint16", nodata=0, transform=transform, **profile
    ) as file:
        for top in range(0, side, 512):
            rows = min(512, side - top)
            window = rasterio.windows.Window(0, top, side, rows)
            file.write(rng.integers(200, 4000, (2, rows, side), "uint16"), window=window)
        file.descriptions = ("red", "nir")
    rasterio.shutil.copy(plain, path, driver="COG", compress="deflate")
    plain.unlink()


def measure(command: list[str]) -> tuple[float, float]:
    """Return seconds and peak memory (MB) of a command."""
    wrapped = f"import subprocess, sys; subprocess.run({command!r}, check=True); {MEASURED}"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", wrapped], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def run(side: int = SIDE) -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "scene.tif"
        write_cog(source, side)
        spex = [sys.executable, "-m", "spex_nb.cli", "index", str(source), "NDVI", "--quiet", "--scale", "0.0001"]
        seconds, peak = measure([*spex, "-o", f"{folder}/ours.tif"])
        other_seconds, other_peak = measure([sys.executable, "-c", NUMPY_WAY, str(source), f"{folder}/other.tif"])
    what = f"`spex index` NDVI, {side:,}² uint16 COG to COG"
    return [
        row(f"{what}; other: read all, NumPy, write", seconds, other_seconds, "s", "none"),
        row(f"{what}, peak memory; other: the same", peak, other_peak, "MB", "< 1,024 MB"),
    ]
