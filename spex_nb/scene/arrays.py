"""Scenes that are arrays already: NumPy, xarray, NetCDF and Zarr, described like a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr

from spex_nb.errors import BandError, DataTypeError, UnreadableSourceError
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.rasters import Grid, require_local, require_sane

Y_NAMES, X_NAMES = ("y", "lat", "latitude", "northing"), ("x", "lon", "longitude", "easting")
DATASET_SUFFIXES = (".nc", ".nc4", ".netcdf", ".zarr")


def is_dataset_path(source: object) -> bool:
    """Whether a path names a NetCDF file or a Zarr store."""
    return isinstance(source, str | Path) and str(source).rstrip("/").lower().endswith(DATASET_SUFFIXES)


def from_dataset_path(source: str | Path) -> Source:
    """Return the bands of a NetCDF file or Zarr store, unread.

    Raises:
        SourceNotFoundError: If it does not exist.
        UnreadableSourceError: If it is damaged or of another kind.
    """
    location = str(source).rstrip("/")
    require_local(location)
    engine: Any = "zarr" if location.lower().endswith(".zarr") else "h5netcdf"
    try:
        dataset = xr.open_dataset(location, engine=engine, chunks={}, mask_and_scale=False, decode_coords="all")
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableSourceError(
            "The dataset cannot be opened",
            found=f"{location} ({error})",
            expected="NetCDF-4 or Zarr with variables on (y, x)",
            fix="Check that it was fetched completely; convert NetCDF-3 with `nccopy -k nc4`.",
        ) from error
    return from_xarray(dataset, location)


def from_numpy(array: np.ndarray[Any, Any]) -> Source:
    """Return an array [C, H, W] or [H, W] as bands without names and georeference.

    Raises:
        BandError: If it has another number of dimensions.
        DataTypeError: If its type holds no reflectance.
    """
    if array.ndim not in (2, 3):
        raise BandError(
            "The array is no scene",
            found=f"shape {array.shape}",
            expected="[C, H, W] or [H, W]",
            fix="Move the bands to the first axis: np.moveaxis(array, -1, 0).",
        )
    stack = array.reshape((-1, *array.shape[-2:]))
    labels = [""] * len(stack)
    return Source("array", "NumPy array", _bands(zip(labels, stack, strict=True), _plain_grid(stack.shape[-2:])))


def from_xarray(data: xr.Dataset | xr.DataArray, location: str = "xarray object") -> Source:
    """Return the variables of a Dataset, or the first axis of a DataArray, as bands; lazy ones stay lazy.

    Raises:
        BandError: If nothing has the dims (y, x).
        DataTypeError: If a type holds no reflectance.
    """
    dataset = _as_dataset(_spatial(data))
    planes = {str(name): v for name, v in dataset.data_vars.items() if v.dims == ("y", "x") and v.dtype != bool}
    if not planes:
        raise BandError(
            "The dataset holds no band",
            found={str(name): v.dims for name, v in dataset.data_vars.items()},
            expected="variables with dims (y, x), or (band, y, x) in a DataArray",
            fix="Rename the dims: data.rename({...}).",
        )
    grid = Grid(dataset.sizes["y"], dataset.sizes["x"], dataset.rio.transform(), dataset.rio.crs)
    require_sane(grid, location)
    bands = _bands(((_label(name, v), v.data) for name, v in planes.items()), grid)
    stated = tuple(_with_attributes(band, v) for band, v in zip(bands, planes.values(), strict=True))
    return Source(location, type(data).__name__, stated, sensor=dataset.attrs.get("sensor_id"))


def _spatial(data: Any) -> Any:
    names = {name: "y" for name in Y_NAMES if name in data.dims} | {name: "x" for name in X_NAMES if name in data.dims}
    return data.rename({old: new for old, new in names.items() if old != new})


def _as_dataset(data: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(data, xr.Dataset):
        return data
    if data.ndim == 2:  # noqa: PLR2004 (one plane)
        return data.to_dataset(name=data.name or "")
    if data.ndim != 3 or set(data.dims[-2:]) != {"y", "x"}:  # noqa: PLR2004 (a stack of planes)
        return xr.Dataset({"array": data})
    stack = data.transpose(..., "y", "x")
    axis = str(stack.dims[0])
    labels = [str(v) for v in stack[axis].values] if axis in stack.coords else [""] * stack.sizes[axis]
    long_names = data.attrs.get("long_name")
    if isinstance(long_names, list | tuple) and len(long_names) == len(labels):
        labels = list(long_names)
    planes = {
        f"plane{i}": stack.isel({axis: i}, drop=True).assign_attrs(stack.attrs | {"long_name": label})
        for i, label in enumerate(labels)
    }
    return xr.Dataset(planes)


def _label(name: str, variable: xr.DataArray) -> str:
    return str(variable.attrs.get("long_name", "")) if name.startswith("plane") else name


def _bands(planes: Any, grid: Grid) -> tuple[BandSource, ...]:
    return tuple(BandSource(label=label, dtype=_real(array.dtype), grid=grid, array=array) for label, array in planes)


def _real(dtype: Any) -> str:
    if np.dtype(dtype).kind not in "iuf":
        raise DataTypeError(
            "The pixels hold no reflectance",
            found=f"type {dtype}",
            expected="integer or real pixels",
            fix="Convert them first: array.astype('float32').",
        )
    return str(dtype)


def _with_attributes(band: BandSource, variable: xr.DataArray) -> BandSource:
    """Heed the CF attributes that a file reader left on (or, once decoded, in the encoding of) a variable."""
    from dataclasses import replace

    said = variable.attrs
    nodata = said.get("_FillValue", variable.rio.nodata)
    band = replace(band, nodata=None if nodata is None else float(nodata))
    if "scale_factor" not in said and "add_offset" not in said:
        return band
    return replace(
        band,
        scale=float(said.get("scale_factor", 1)),
        offset=float(said.get("add_offset", 0)),
        radiometry_reason="scale_factor and add_offset of the variable",
    )


def _plain_grid(size: tuple[int, ...]) -> Grid:
    from affine import Affine

    return Grid(size[0], size[1], Affine.identity(), None)
