"""Index arithmetic on a Sentinel-2 sized scene in memory, beside bare numexpr, NumPy and spyndex."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numexpr
import numpy as np
import spyndex
import xarray as xr

from spex_nb import compute_index, compute_indices

SIDE = 10_980
FIVE = ["NDVI", "NDWI", "EVI", "SAVI", "MSAVI"]
BARE = "where(valid & (nir + red != 0), (nir - red) / (nir + red), nan)"


def scene_of(side: int, bands: tuple[str, ...] = ("blue", "green", "red", "nir")) -> xr.Dataset:
    """Return seeded reflectance [side, side], one hundredth of it not valid."""
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {name: (("y", "x"), rng.random((side, side), "float32")) for name in bands}
    made["valid"] = (("y", "x"), rng.random((side, side), "float32") > 0.01)
    return xr.Dataset(made)


def best_of(runs: int, *ways: Callable[[], Any]) -> list[float]:
    """Return the best time of each way, seconds; the ways take turns, after one warming run."""
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(runs + 1):
        for way, spent in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            if turn:
                spent.append(time.perf_counter() - start)
    return [min(spent) for spent in times]


def bare(scene: xr.Dataset) -> Any:
    """Return NDVI by one numexpr call that gives the same NaNs."""
    local = {name: scene[name].values for name in ("nir", "red", "valid")} | {"nan": np.float32(np.nan)}
    return numexpr.evaluate(BARE, local_dict=local)


def five_by_numpy(scene: xr.Dataset) -> list[Any]:
    """Return the five indices as a user would write them."""
    b, g, r, n = (scene[name].values for name in ("blue", "green", "red", "nir"))
    with np.errstate(all="ignore"):
        return [
            (n - r) / (n + r),
            (g - n) / (g + n),
            2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1),
            1.5 * (n - r) / (n + r + 0.5),
            0.5 * (2 * n + 1 - np.sqrt((2 * n + 1) ** 2 - 8 * (n - r))),
        ]


def by_spyndex(scene: xr.Dataset) -> Any:
    """Return NDVI by spyndex on xarray."""
    return spyndex.computeIndex("NDVI", params={"N": scene["nir"], "R": scene["red"]})


def extra_peak_mb(side: int) -> float:
    """Return by how much computing NDVI raises the peak memory of a fresh process, MB."""
    code = f"from tests.benchmarks.bench_indices import peak; peak({side})"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def peak(side: int) -> None:
    """Write the extra peak of NDVI, MB, to standard output."""
    compute_index(scene_of(64), "NDVI")
    scene = scene_of(side, ("red", "nir"))
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts again from what is held now
    before = held_kb()
    compute_index(scene, "NDVI")
    sys.stdout.write(str((held_kb() - before) / 1024))


def held_kb() -> int:
    """Return the peak memory of this process since it was last reset, kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def row(what: str, ours: float, other: float, unit: str, bar: str) -> dict[str, str]:
    """Return a line of the table."""
    return {
        "what": what,
        "ours": f"{ours:.2f} {unit}",
        "other": f"{other:.2f} {unit}",
        "ratio": f"{ours / other:.2f}",
        "bar": bar,
    }


def run(side: int = SIDE) -> list[dict[str, str]]:
    """Return the measured rows."""
    scene = scene_of(side)
    warnings.simplefilter("ignore", RuntimeWarning)
    mine, numexpr_s, spyndex_s = best_of(
        4, lambda: compute_index(scene, "NDVI"), lambda: bare(scene), lambda: by_spyndex(scene)
    )
    fused, numpy_s = best_of(2, lambda: compute_indices(scene, FIVE), lambda: five_by_numpy(scene))
    output = 4 * side * side / 2**20
    size = f"{side:,}²"
    return [
        row(f"NDVI, {size} float32 in memory; other: one bare numexpr call", mine, numexpr_s, "s", "≤ 1.2"),
        row(f"NDVI, {size}; other: spyndex on xarray", mine, spyndex_s, "s", "< 1"),
        row(f"NDVI, {size}, extra peak memory; other: the output itself", extra_peak_mb(side), output, "MB", "≤ 1.2"),
        row(f"{' '.join(FIVE)} fused, {size}; other: five NumPy expressions", fused, numpy_s, "s", "≤ 0.5"),
    ]
