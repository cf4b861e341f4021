"""Sentinel-2 as EOPF Zarr, the format that follows SAFE: the same numbers, in one group a resolution."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from rasterio.crs import CRS

from spex_nb.errors import GridError, UnreadableSourceError
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import require_sane
from spex_nb.scene.sources.dataset_size import require_readable_size
from spex_nb.scene.sources.folder import require_files
from spex_nb.scene.windows.scene_files import note_files

REFLECTANCE = "measurements/reflectance"
GROUPS = ("r10m", "r20m", "r60m")
"""Groups of the bands, finest first: of a band that stands in several the finest is read."""


def is_product(location: str) -> bool:
    """Whether a Zarr store is an EOPF product of Sentinel-2."""
    return (Path(location) / REFLECTANCE).is_dir()


def from_eopf(location: str) -> Source:
    """Return the bands of an EOPF product, unread, each in its finest resolution.

    Raises:
        UnknownLayoutError: If it holds no band.
        UnreadableSourceError: If a group cannot be read.
        GridError: If it states no CRS.
    """
    note_files(location)
    attributes = list(_attributes(location))
    crs = _crs(attributes, location)
    bands: dict[str, BandSource] = {}
    for group in GROUPS:
        for label, variable in _variables(location, group):
            bands.setdefault(label, _band(label, variable, crs, location))
    require_files(bands, location, f"variables such as {REFLECTANCE}/r10m/b04")
    level = "l1c" if re.search(r"MSIL1C|S2MSI1C", f"{Path(location).name} {json.dumps(attributes)}") else "l2a"
    reason = "an EOPF product of Sentinel-2"
    return Source(location, "EOPF Zarr product", tuple(bands[b] for b in sorted(bands)), f"sentinel2_{level}", reason)


def _variables(location: str, group: str) -> Iterable[tuple[str, xr.DataArray]]:
    if not (Path(location) / REFLECTANCE / group).is_dir():
        return
    how: dict[str, Any] = {"engine": "zarr", "group": f"{REFLECTANCE}/{group}", "consolidated": False}
    try:
        require_readable_size(location, **how)
        dataset = xr.open_dataset(location, chunks={}, mask_and_scale=False, decode_coords="all", **how)
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableSourceError(
            "A group of the product cannot be read",
            found=f"{location}/{REFLECTANCE}/{group} ({error})",
            expected="a Zarr group of bands on (y, x)",
            fix="Fetch the product again.",
        ) from error
    for name, variable in dataset.data_vars.items():
        if re.fullmatch(r"b\d\d|b8a", str(name)) and variable.dims == ("y", "x"):
            yield str(name), variable


def _band(label: str, variable: xr.DataArray, crs: CRS, location: str) -> BandSource:
    grid = Grid(variable.sizes["y"], variable.sizes["x"], variable.rio.transform(), crs)
    require_sane(grid, location)
    stated = "scale_factor" in variable.attrs or "add_offset" in variable.attrs
    return BandSource(
        label=label,
        dtype=str(variable.dtype),
        grid=grid,
        nodata=float(variable.attrs.get("_FillValue", variable.attrs.get("fill_value", 0))),
        scale=float(variable.attrs.get("scale_factor", 1)) if stated else None,
        offset=float(variable.attrs.get("add_offset", 0)) if stated else None,
        radiometry_reason="scale_factor and add_offset of the variable" if stated else "",
        array=variable.data,
        label_from="variable",
    )


def _attributes(location: str) -> Iterable[dict[str, Any]]:
    """Yield the attributes of the root and of the groups of bands, in either version of Zarr."""
    root = Path(location)
    for folder in (root, root / REFLECTANCE, *((root / REFLECTANCE / group) for group in GROUPS)):
        for name in (".zattrs", "zarr.json"):
            if (folder / name).is_file():
                content = json.loads((folder / name).read_text(encoding="utf-8"))
                yield content.get("attributes", {}) if name == "zarr.json" else content


def _crs(attributes: Iterable[Any], location: str) -> CRS:
    """Return the CRS that the product's attributes name: proj:epsg, proj:code or horizontal_CRS_code."""
    for key, value in _pairs(list(attributes)):
        if key in ("proj:epsg", "proj:code", "horizontal_CRS_code") and re.search(r"\d{4,5}$", str(value)):
            return CRS.from_epsg(int(str(value).rpartition(":")[2]))
    raise GridError(
        "The product states no CRS",
        found=location,
        expected="proj:epsg, proj:code or horizontal_CRS_code in its attributes",
        fix="Fetch the product again, with the metadata of its root.",
    )


def _pairs(tree: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _pairs(value)
