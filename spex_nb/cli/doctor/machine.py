"""The machine at work: memory, disk, terminal, widgets and kernel, files there and back, and the model that ships."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from spex_nb.cli.doctor.packages import Finding, judge

GB = 2**30
MEMORY_GB = 1.6
"""Free memory that is enough for every lesson: lesson 10 with its workers takes most, and was measured."""
DISK_GB = 1.0
"""Free disk that is enough for every lesson."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux keeps the limits of a container, such as the place of a learner on a hub."""
LETTERS = "µ ✓ é я 水 न ع"
"""One letter of each script that explanations use."""
FRONT_ENDS: Mapping[str, str] = MappingProxyType(
    {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "jupyter-leaflet": "jupyter-leaflet"}
)
"""Extensions of JupyterLab that draw the widgets, and the package that brings each."""
KERNEL_FIX = "python -m ipykernel install --sys-prefix"
WIDGETS = ("ipywidgets", "ipyleaflet", "ipyfilechooser", "leafmap")
SAMPLE, WATER = "river_10m", 1
TILE = {"y": slice(20, 148), "x": slice(180, 308)}
"""A window of the sample that holds half a lake and its shore."""
LEAST_IOU = 0.8
RUNTIMES = {"torch": ("torch", "torch"), "onnx": ("ONNX Runtime", "onnxruntime")}
"""What may compute the model: its name, and the package that has its version."""
REINSTALL = "Install spex_nb again: its checkpoint does not give the mask that it should."
STRAY = ("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_DATA", "PROJ_LIB")
"""Environment variables that other installations set, and that then break GDAL here."""


def check_memory() -> Iterator[Finding]:
    """Compare free memory, that of the container if there is one, with what the lessons take."""
    from spex_nb.extraction.planning.free_room import free_memory_bytes

    free = free_memory_bytes(CONTROL_GROUP) / GB
    fix = "Close other programs and kernels (in JupyterLab: Kernel, Shut Down All Kernels), or ask the hub for 2 GB."
    yield judge("memory", f"{free:.1f} GB free, lessons take up to {MEMORY_GB} GB", "" if free >= MEMORY_GB else fix)


def check_disk() -> Iterator[Finding]:
    """Check that results can be written here, and temporary files where this system puts them."""
    for name, folder in (("folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / GB
        yield judge(name, f"{free:.1f} GB free in {folder}", _disk_fix(folder, free))


def _disk_fix(folder: Path, free: float) -> str:
    if not os.access(folder, os.W_OK):
        return f"{folder} cannot be written to: go to a folder of your own, or set TMPDIR to one."
    return "" if free >= DISK_GB else f"Make room: {DISK_GB:.0f} GB should be free in {folder}."


def check_terminal() -> Iterator[Finding]:
    """Check that the terminal can print explanations in nine languages."""
    encoding = sys.stdout.encoding or "ascii"
    fix = "Set the environment variable PYTHONUTF8=1 and start again."
    yield judge("terminal", f"writes {encoding}", "" if _can_write(encoding) else fix)


def _can_write(encoding: str) -> bool:
    return bool(LETTERS.encode(encoding, "ignore").decode(encoding) == LETTERS)


def check_widgets() -> Iterator[Finding]:
    """Check that Python can import the widgets, and that JupyterLab has the extensions that draw them."""
    for name in WIDGETS:
        importlib.import_module(name)
    yield Finding("widgets", "ok", f"{', '.join(WIDGETS)} can be imported")
    present, disabled = _lab_extensions()
    for name, package in FRONT_ENDS.items():
        yield _front_end(name, package, present, disabled)


def _lab_extensions() -> tuple[dict[str, Any], list[str]]:
    """Return the extensions that JupyterLab would find, by name, and the names of those that are switched off."""
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    folders = jupyter_path("labextensions")
    return get_federated_extensions(folders), get_page_config(folders)["disabledExtensions"]


def _front_end(name: str, package: str, present: Mapping[str, Any], disabled: list[str]) -> Finding:
    subject = f"JupyterLab: {name}"
    reinstall = f"python -m pip install --force-reinstall --no-deps {package}=={importlib.metadata.version(package)}"
    if name not in present:
        return judge("front end", f"{subject} is missing", f"{reinstall}, then reload the page.")
    if name in disabled:
        return judge("front end", f"{subject} is switched off", f"jupyter labextension enable {name}")
    extension, shipped = present[name], _shipped(name, package)
    if extension["version"] != shipped:
        where = f"is {extension['version']} in {extension['ext_path']}, where {package} brought {shipped}"
        return judge("front end", f"{subject} {where}", f"Remove {extension['ext_path']} and reload the page.")
    return judge("front end", f"{subject} {shipped}", "")


def _shipped(name: str, package: str) -> str:
    """Return the version of an extension as its package brought it; another copy may lie before it."""
    files = importlib.metadata.files(package) or []
    (listed,) = (file for file in files if file.as_posix().endswith(f"labextensions/{name}/package.json"))
    return str(json.loads(listed.read_text())["version"])


def check_kernel() -> Iterator[Finding]:
    """Check that the kernel "Python 3" of JupyterLab is this Python, not one where spex_nb is missing."""
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager

    started = KernelSpecManager().get_kernel_spec(NATIVE_KERNEL_NAME).argv[0]
    is_this = not Path(started).is_absolute() or Path(started).parent == Path(sys.executable).parent
    yield judge("kernel", f"JupyterLab starts {started}", "" if is_this else KERNEL_FIX)


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
        polygons = gpd.read_file(save_geopackage(water, Path(folder) / "water.gpkg"), layer="regions")
    yield judge("rasters", f"GDAL {rasterio.__gdal_version__}: a COG there and back", "" if is_same else gdal_fix())
    is_same = polygons.crs == water.crs and len(polygons) == len(water)
    yield judge("polygons", f"{len(polygons)} in a GeoPackage there and back", "" if is_same else gdal_fix())


def check_model() -> Iterator[Finding]:
    """Load the checkpoint that ships, and compare its mask of the sample's lake with the label."""
    from spex_nb.extraction.mask_models import SHIPPED, chosen_runtime, load_mask_model
    from spex_nb.language.prompts import build_prompt
    from spex_nb.regions.metrics import confusion_counts, iou
    from spex_nb.scene.samples import sample_labels, sample_scene

    tile, labels = sample_scene(SAMPLE).isel(TILE), sample_labels(SAMPLE).isel(TILE)
    (logits,) = load_mask_model(SHIPPED).predict(tile, ["water"], [build_prompt("water", [])])
    agreement = float(iou(confusion_counts(logits > 0, labels == WATER, tile["valid"])))
    name, package = RUNTIMES[chosen_runtime(SHIPPED)]
    where = f"{name} {importlib.metadata.version(package)}"
    fix = "" if agreement >= LEAST_IOU else REINSTALL
    yield judge("model", f"{SHIPPED} on {where} finds a lake, IoU {agreement:.2f}", fix)
