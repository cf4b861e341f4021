"""Argleton's probes of rasters: answers that look fine and are wrong, beside its reader that trusts what a file holds.

Each trap has a twin without the trap. A system must answer the twins right, or refusing everything would win.
https://doi.org/10.5281/zenodo.22206349
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from adapters import engine_naive
from argleton import model, score
from argleton import run as runner
from rasterio.windows import Window

from spex_nb import compute_index, open_scene
from spex_nb.errors import GridWarning, SpexWarning
from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.rasters import Reading, probe
from tests.benchmarks.bench_indices import row

Outcome = model.Outcome
ELEVATION = {"bands": ["red"], "scale": 1.0, "offset": 0.0}
"""An elevation model has one layer of numbers as they are; any band's name will do."""


class Adapter:
    """Asks spex_nb what a probe asks; operations on vectors and tables are unsupported."""

    name = "spex_nb"

    def run(self, probe: Any, workdir: Path) -> Any:
        """Return the answer; a warning about the place on the map is taken as a refusal."""
        operation = getattr(self, f"_{probe.operation}", None)
        if operation is None:
            return Outcome(unsupported=True)
        path, *options = probe.arguments
        named = dict(option.split("=", 1) for option in options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpexWarning)
            warnings.simplefilter("error", GridWarning)
            try:
                return Outcome(answer=float(operation(workdir / path, **named)))
            except GridWarning as warning:
                return Outcome(refusal=str(warning))

    @staticmethod
    def _raster_mean(path: Path) -> Any:
        scene = open_scene(path, **ELEVATION)
        return scene["red"].where(scene["valid"]).mean(dtype="float64")

    @staticmethod
    def _ndvi_mean(path: Path, red_band: str, nir_band: str) -> Any:
        return compute_index(open_scene(path, bands={"red": int(red_band), "nir": int(nir_band)}), "NDVI").mean()

    @staticmethod
    def _class_area_m2(path: Path, resolution: str, **wanted: str) -> Any:
        file, side = probe(path), float(resolution)
        ends = file.grid.transform @ (file.grid.width, file.grid.height)
        start = file.grid.transform @ (0, 0)
        width, height = (round(abs(end - begin) / side) for end, begin in zip(ends, start, strict=True))
        scale = (file.grid.width / width, file.grid.height / height)
        grid = Grid(height, width, file.grid.transform @ file.grid.transform.scale(*scale), file.grid.crs)
        classes = Reading(str(path), (1,), grid, categories=True)(Window(0, 0, width, height))
        return int((classes == int(wanted["class"])).sum()) * side**2

    @staticmethod
    def _lowest_cell_easting(path: Path) -> Any:
        scene = open_scene(path, **ELEVATION)
        return scene["red"].where(scene["red"] == scene["red"].min(), drop=True).x.item()

    @staticmethod
    def _mean_slope_degrees(path: Path) -> Any:
        elevation = open_scene(path, **ELEVATION)["red"].astype("float64")
        slopes = [elevation.differentiate(axis) for axis in ("y", "x")]
        return np.degrees(np.arctan(np.hypot(*slopes))).mean()

    @staticmethod
    def _raster_ground_area_m2(path: Path) -> Any:
        scene: xr.Dataset = open_scene(path, **ELEVATION)
        height, width = scene.spex.shape
        return abs(scene.spex.transform.determinant) * height * width  # in the plane of its CRS, as the probe asks


def verdicts(adapter: Any) -> list[Any]:
    """Return the verdict on each probe that the adapter of spex_nb can be asked."""
    probes = [one for one in model.discover(runner.ROOT) if hasattr(Adapter, f"_{one.operation}")]
    return [runner.run_probe(adapter, one)[1] for one in probes]


def run() -> list[dict[str, str]]:
    """Return the measured rows."""
    ours, other = (score.summarise(verdicts(adapter)) for adapter in (Adapter(), engine_naive.Adapter()))
    what = f"argleton: silent errors in {ours['traps_run']} raster traps, {ours['completion_rate']:.2f} of their twins"
    return [
        row(
            f"{what} answered; other: its reader that trusts the file",
            ours["silent_error_rate"],
            other["silent_error_rate"],
            "of them",
            "≤ 0",
        )
    ]
