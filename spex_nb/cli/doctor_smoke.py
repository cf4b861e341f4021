"""The work itself on a small scene: a raster and polygons written and read, and a mask by the model that ships."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spex_nb.cli.doctor_packages import Finding, judge

SAMPLE, WATER = "river_10m", 1
TILE = {"y": slice(20, 148), "x": slice(180, 308)}
"""A window of the sample that holds half a lake and its shore."""
LEAST_IOU = 0.8
REINSTALL = "Install spex_nb again: its checkpoint does not give the mask that it should."
STRAY = ("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_DATA", "PROJ_LIB")
"""Environment variables that other installations set, and that then break GDAL here."""


def gdal_fix() -> str:
    """Return what to do if rasters or polygons cannot be read or written."""
    stray = [name for name in STRAY if name in os.environ]
    if stray:
        return f"Another installation has set {', '.join(stray)}: unset, then start again."
    return "python -m pip install --force-reinstall --no-deps rasterio pyogrio pyproj"


def check_files() -> Iterator[Finding]:
    """Open a sample, write an index of it as COG and its water as GeoPackage, and read both again."""
    import geopandas as gpd
    import rasterio

    from spex_nb.output.export import save_cog, save_geopackage
    from spex_nb.regions.find import find_regions, regions_frame
    from spex_nb.scene.samples import sample_labels, sample_scene
    from spex_nb.spectral.indices import compute_index

    scene = sample_scene(SAMPLE)
    index = compute_index(scene, "NDVI")
    water = regions_frame(find_regions(sample_labels(SAMPLE) == WATER, scene.spex.valid), scene)
    with tempfile.TemporaryDirectory() as folder:
        raster = save_cog(index, Path(folder) / "ndvi.tif", progress=False)
        with rasterio.open(raster) as file:
            is_same = file.crs == scene.spex.crs and np.array_equal(file.read(1), index.values, equal_nan=True)
        polygons = gpd.read_file(save_geopackage(water, Path(folder) / "water.gpkg"))
    yield judge("rasters", f"GDAL {rasterio.__gdal_version__}: a COG there and back", "" if is_same else gdal_fix())
    is_same = polygons.crs == water.crs and len(polygons) == len(water)
    yield judge("polygons", f"{len(polygons)} in a GeoPackage there and back", "" if is_same else gdal_fix())


def check_model() -> Iterator[Finding]:
    """Load the checkpoint that ships, and compare its mask of the sample's lake with the label."""
    from spex_nb.extraction.mask_models import SHIPPED, load_mask_model
    from spex_nb.language.prompts import build_prompt
    from spex_nb.regions.metrics import confusion_counts, iou
    from spex_nb.scene.samples import sample_labels, sample_scene

    tile, labels = sample_scene(SAMPLE).isel(TILE), sample_labels(SAMPLE).isel(TILE)
    (logits,) = load_mask_model(SHIPPED).predict(tile, ["water"], [build_prompt("water", [])])
    agreement = float(iou(confusion_counts(logits > 0, labels == WATER, tile["valid"])))
    yield judge("model", f"{SHIPPED} finds a lake, IoU {agreement:.2f}", "" if agreement >= LEAST_IOU else REINSTALL)
