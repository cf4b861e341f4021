"""The versions and facts of this machine that a bug report needs."""

from __future__ import annotations

import html
import importlib.metadata
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass

PACKAGES = (
    "spex-nb",
    "numpy",
    "xarray",
    "dask",
    "rasterio",
    "rioxarray",
    "geopandas",
    "pyogrio",
    "matplotlib",
    "spyndex",
    "scikit-image",
    "zarr",
    "h5netcdf",
    "jupyterlab",
    "ipywidgets",
    "leafmap",
    "torch",
    "transformers",
    "onnxruntime",
)
DRIVERS = ("GTiff", "COG", "VRT", "JP2OpenJPEG", "GPKG", "netCDF", "Zarr")


@dataclass(frozen=True)
class Versions:
    """Facts about an installation, by name; prints as text and shows as a table in a notebook."""

    facts: dict[str, str]

    def __str__(self) -> str:
        width = max(map(len, self.facts))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.facts.items())

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in self.facts.items()
        )
        return f"<table>{''.join(rows)}</table>"


def show_versions() -> Versions:
    """Return versions, GDAL drivers, accelerators, cores and memory of this installation."""
    import psutil

    memory = psutil.virtual_memory()
    machine = {
        "Python": f"{platform.python_version()} ({sys.implementation.name})",
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory.total / 2**30:.1f} GB, {memory.available / 2**30:.1f} GB available",
        "accelerator": _accelerator(),
    }
    return Versions({name: _version(name) for name in PACKAGES} | _gdal() | machine)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _gdal() -> dict[str, str]:
    import rasterio
    from rasterio.drivers import is_blacklisted
    from rasterio.env import Env

    with Env() as env:
        present = env.drivers()
    lacking = [name for name in DRIVERS if name not in present]
    readable = [name for name in DRIVERS if name in present and not is_blacklisted(name, "r")]
    drivers = ", ".join(readable) + (f"; missing: {', '.join(lacking)}" if lacking else "")
    return {"GDAL": rasterio.__gdal_version__, "GDAL drivers": drivers}


def _accelerator() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown: torch is not installed"
    import torch

    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name()}"
    return "Apple MPS" if torch.backends.mps.is_available() else "none, torch runs on the CPU"
