"""Scenes that are arrays already: NumPy, xarray, NetCDF and Zarr, described like a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine

from spex_nb.errors import BandError, DataTypeError, UnreadableSourceError
from spex_nb.scene.band_labels import understand, wavelength_of_label
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.grid import Grid
from spex_nb.scene.placement import require_sane
from spex_nb.scene.sensors import LONGEST_UM
from spex_nb.scene.sources import eopf
from spex_nb.scene.sources.dataset_size import require_readable_size
from spex_nb.scene.sources.files import with_claims
from spex_nb.scene.windows.locations import require_local
from spex_nb.scene.windows.scene_files import note_files

Y_NAMES, X_NAMES = ("y", "lat", "latitude", "northing"), ("x", "lon", "longitude", "easting")
TIME_NAMES = ("time", "t", "date", "datetime")
DATASET_SUFFIXES = (".nc", ".nc4", ".netcdf", ".zarr")
WAVELENGTH_NAMES = ("center_wavelength", "wavelength", "wavelengths", "radiation_wavelength")
"""Attributes and coordinates that state a centre wavelength: of STAC, of spectrometers, and of the CF conventions."""
PLANE_DIMS, STACK_DIMS = 2, 3
SHOWN_DATES = 6

Time = int | str | np.datetime64 | None
"""A date of a source that has several: its number from 0, or the beginning of its text such as "2024-05"."""


def is_dataset_path(source: object) -> bool:
    """Whether a path names a NetCDF file or a Zarr store."""
    return isinstance(source, str | Path) and str(source).rstrip("/").lower().endswith(DATASET_SUFFIXES)


def from_dataset_path(source: str | Path, time: Time = None) -> Source:
    """Return the bands of a NetCDF file, a Zarr store or an EOPF product, unread.

    Args:
        source: Its path.
        time: One of its dates, if it has several.

    Raises:
        SourceNotFoundError: If it does not exist.
        UnreadableSourceError: If it is damaged or of another kind.
        BandError: If nothing has the dims (y, x), or it has several dates and none is given.
    """
    location = str(source).rstrip("/")
    require_local(location)
    note_files(location)
    if eopf.is_product(location):
        return eopf.from_eopf(location)
    how: dict[str, Any] = {"engine": "h5netcdf"}
    if location.lower().endswith(".zarr"):
        is_here = Path(location).is_dir()
        how = {"engine": "zarr", "consolidated": False if is_here else None}  # metadata in one file pay on servers only
    try:
        require_readable_size(location, **how)
        dataset = xr.open_dataset(location, chunks={}, mask_and_scale=False, decode_coords="all", **how)
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableSourceError(
            "The dataset cannot be opened",
            found=f"{location} ({error})",
            expected="NetCDF-4 or Zarr with variables on (y, x)",
            fix="Check that it was fetched completely; convert NetCDF-3 with `nccopy -k nc4`.",
        ) from error
    except ImportError as error:  # fsspec asks for the client of a server only when it is used
        raise UnreadableSourceError(
            "A dataset on a server needs another package",
            found=f"{location} ({error})",
            expected="a file or folder on this machine, or the client of that server installed",
            fix="Fetch the dataset and open the copy, or install what is named there.",
        ) from error
    return from_xarray(dataset, location, time)


def from_numpy(array: np.ndarray[Any, Any]) -> Source:
    """Return an array [C, H, W] or [H, W] as bands without names and georeference.

    Raises:
        BandError: If it has another number of dimensions.
        DataTypeError: If its type holds no reflectance.
    """
    if array.ndim not in (PLANE_DIMS, STACK_DIMS):
        raise BandError(
            "The array is no scene",
            found=f"shape {array.shape}",
            expected="[C, H, W] or [H, W]",
            fix="Move the bands to the first axis: np.moveaxis(array, -1, 0).",
        )
    stack = array.reshape((-1, *array.shape[-2:]))
    labels = [""] * len(stack)
    return Source("array", "NumPy array", _bands(zip(labels, stack, strict=True), _plain_grid(stack.shape[-2:])))


def from_xarray(data: xr.Dataset | xr.DataArray, location: str = "", time: Time = None) -> Source:
    """Return the variables of a Dataset, or the first axis of a DataArray, as bands; lazy ones stay lazy.

    What a file reader left in the attributes counts as in a file: scale 1 and offset 0 state nothing, and numbers that
    were only masked stay numbers of the product. The name of the file that it read counts too.

    Args:
        data: Variables on (y, x), in any order of the two; other dims must have length 1, but for the bands of a
            DataArray and for dates.
        location: What the data are called in messages.
        time: One of their dates, if they have several.

    Raises:
        BandError: If nothing has the dims (y, x), or there are several dates and none is given.
        DataTypeError: If a type holds no reflectance, or a variable states several numbers of no data.
    """
    dataset = _as_dataset(_squeezed(_at_time(_spatial(data), time)))
    planes = {
        str(name): variable.transpose("y", "x")
        for name, variable in dataset.data_vars.items()
        if set(variable.dims) == {"y", "x"} and variable.dtype != bool
    }
    if not planes:
        raise BandError(
            "The dataset holds no band",
            found={str(name): dict(v.sizes) for name, v in dataset.data_vars.items()},
            expected="variables with dims (y, x), or (band, y, x) in a DataArray",
            fix="Choose along each further dim: data.isel({'level': 0}); or rename the dims to y and x.",
        )
    grid = Grid(dataset.sizes["y"], dataset.sizes["x"], dataset.rio.transform(), dataset.rio.crs)
    location = location or _file_of(planes.values()) or "xarray object"
    require_sane(grid, location)
    bands = _bands(((_label(name, v), v.data) for name, v in planes.items()), grid)
    stated = tuple(_with_attributes(band, v) for band, v in zip(bands, planes.values(), strict=True))
    claimed = with_claims(stated, location)
    return Source(location, type(data).__name__, claimed, sensor=dataset.attrs.get("sensor_id"))


def _spatial(data: Any) -> Any:
    names = {name: "y" for name in Y_NAMES if name in data.dims} | {name: "x" for name in X_NAMES if name in data.dims}
    return data.rename({old: new for old, new in names.items() if old != new})


def _at_time(data: Any, time: Time) -> Any:
    """Return the data of one date: the only one, or the one that is asked for."""
    axis = _time_axis(data)
    if axis is None:
        require_no_time(time, "data without dates")
        return data
    count = data.sizes[axis]
    texts = [str(value) for value in data[axis].values] if axis in data.coords else [str(i) for i in range(count)]
    if time is None:
        matches = list(range(count)) if count > 1 else [0]
    elif isinstance(time, int):
        matches = [time] if -count <= time < count else []
    else:
        matches = [i for i, text in enumerate(texts) if text.startswith(str(time))]
    if len(matches) != 1:
        shown = [text.partition(".")[0] for text in texts]
        raise BandError(
            "The data have several dates" if len(matches) > 1 else "The data have no such date",
            found=f"time={time!r} of {', '.join(shown[:SHOWN_DATES])}{' …' if count > SHOWN_DATES else ''}",
            expected="one date a scene",
            fix=f"Pass time={shown[0]!r} or time=0 to open_scene, or data.isel({axis}=0).",
        )
    return data.isel({axis: matches[0]}, drop=True)


def _time_axis(data: Any) -> str | None:
    """Return the dim of dates: by its name, or by a coordinate of dates along it, whatever it is called."""
    named = next((name for name in TIME_NAMES if name in data.dims), None)
    dated = (str(dim) for dim in data.dims if dim in data.coords and data[dim].dtype.kind == "M")
    return named or next(dated, None)


def require_no_time(time: Time, what: str) -> None:
    """Raise if a date is asked of a source that has none.

    Raises:
        BandError: If ``time`` is given.
    """
    if time is not None:
        raise BandError(
            "The source has no dates to choose from",
            found=f"time={time!r} for {what}",
            expected="NetCDF, Zarr, a Dataset or a DataArray with the dim time",
            fix="Leave time= out.",
        )


def _squeezed(data: Any) -> Any:
    """Drop dims of length 1 that are neither y nor x; a DataArray keeps one of them as the axis of its bands."""
    further = [dim for dim in data.dims if dim not in ("y", "x")]
    axis = None
    if isinstance(data, xr.DataArray) and further:
        longest = max(further, key=lambda dim: data.sizes[dim])
        axis = "band" if "band" in further and data.sizes[longest] == 1 else longest
    single = [dim for dim in further if data.sizes[dim] == 1 and dim != axis]
    return data.isel(dict.fromkeys(single, 0), drop=True)


def _as_dataset(data: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(data, xr.Dataset):
        stacks = [v for v in data.data_vars.values() if v.ndim == STACK_DIMS and {"y", "x"} < set(v.dims)]
        planes = [v for v in data.data_vars.values() if set(v.dims) == {"y", "x"}]
        return _as_dataset(stacks[0]) if len(stacks) == 1 and not planes else data
    if data.ndim == PLANE_DIMS:
        return data.to_dataset(name=data.name or "")
    if data.ndim != STACK_DIMS or not {"y", "x"} < set(data.dims):
        return xr.Dataset({"array": data})
    stack = data.transpose(..., "y", "x")
    axis = str(stack.dims[0])
    layers = {
        f"plane{i}": _plane(stack.isel({axis: i}, drop=True), label, _facts_along(stack, axis, i), stack.encoding)
        for i, label in enumerate(_labels_along(stack, axis))
    }
    return xr.Dataset(layers)


def _plane(plane: xr.DataArray, label: str, facts: Mapping[str, Any], encoding: Mapping[str, Any]) -> xr.DataArray:
    labelled = plane.assign_attrs({**plane.attrs, "long_name": label, **facts})
    labelled.encoding = dict(encoding)
    return labelled


def _labels_along(stack: xr.DataArray, axis: str) -> list[str]:
    """Return the label of each plane: the descriptions that a file reader left, else the coordinate of the axis."""
    count = stack.sizes[axis]
    long_names = stack.attrs.get("long_name")
    if isinstance(long_names, list | tuple) and len(long_names) == count:
        return [str(text) for text in long_names]
    if isinstance(long_names, str) and count == 1:
        return [long_names]
    return [str(value) for value in stack[axis].values] if axis in stack.coords else [""] * count


def _facts_along(stack: xr.DataArray, axis: str, index: int) -> dict[str, Any]:
    """Return what coordinates beside the axis state of a plane, as stackstac leaves them."""
    facts = {}
    for name in ("common_name", *WAVELENGTH_NAMES):
        if name in stack.coords and stack[name].dims == (axis,):
            facts[name] = stack[name].values[index]
    return facts


def _label(name: str, variable: xr.DataArray) -> str:
    """Return the name of a variable; its long_name where the name only counts (plane0, band_1)."""
    long_name = variable.attrs.get("long_name")
    if name.startswith("plane"):
        return str(long_name or "")
    only_counts = understand(name).number is not None
    return long_name if only_counts and isinstance(long_name, str) and long_name else name


def _bands(planes: Iterable[tuple[str, Any]], grid: Grid) -> tuple[BandSource, ...]:
    return tuple(
        BandSource(
            label=label, dtype=_real(array.dtype), grid=grid, array=array, index=index, label_from="variable or axis"
        )
        for index, (label, array) in enumerate(planes, start=1)
    )


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
    """Read the CF attributes that a file reader left on (or, once decoded, in the encoding of) a variable."""
    attributes = variable.attrs
    nodata = _nodata_of(variable)
    dtype = _dtype_of_numbers(variable)
    is_unset = nodata is None or (dtype != str(variable.dtype) and np.isnan(nodata))
    band = replace(
        band,
        dtype=dtype,
        nodata=None if is_unset else float(nodata),
        common_name=str(attributes.get("common_name") or ""),
        wavelength_um=_wavelength_um(attributes),
    )
    scale, offset = _number(attributes, "scale_factor", 1), _number(attributes, "add_offset", 0)
    if (scale, offset) == (1.0, 0.0):
        return band
    reason = "scale_factor and add_offset of the variable"
    return replace(band, scale=scale, offset=offset, radiometry_reason=reason)


def _wavelength_um(attributes: Mapping[str, Any]) -> float | None:
    """Return the centre wavelength that attributes state, µm: a text with its unit, or a number in nm or µm."""
    stated = next((attributes[name] for name in WAVELENGTH_NAMES if name in attributes), None)
    if isinstance(stated, str):
        return wavelength_of_label(stated)
    if not isinstance(stated, int | float | np.number) or not np.isfinite(stated) or stated <= 0:
        return None
    return float(stated) / (1000 if stated > LONGEST_UM else 1)


def _number(attributes: Mapping[str, Any], name: str, default: float) -> float:
    """Return a number that attributes state, alone or as the one item of a list; NaN for anything else."""
    stated = attributes.get(name, default)
    try:
        return float(np.asarray(stated).item())
    except (TypeError, ValueError):
        return math.nan


def _nodata_of(variable: xr.DataArray) -> Any:
    """Return the number of no data that a variable states, or None; one that its type cannot hold marks nothing."""
    stated = variable.attrs.get("_FillValue")
    if stated is not None and np.size(stated) == 1:
        return np.asarray(stated).item()
    if stated is not None:
        raise DataTypeError(
            "A variable states several numbers of no data",
            found=f"{variable.name}: _FillValue {stated!r}",
            expected="one number",
            fix="Set those pixels to the first of them, and keep that alone: variable.attrs['_FillValue'] = number.",
        )
    try:
        return variable.rio.nodata
    except OverflowError:  # rioxarray's, for -9999 of unsigned integers and the like
        return None


def _dtype_of_numbers(variable: xr.DataArray) -> str:
    """Return the type of the numbers that a variable holds: floats of a reader that only masked them are integers."""
    encoding = variable.encoding
    scaled = (float(encoding.get("scale_factor", 1)), float(encoding.get("add_offset", 0))) != (1.0, 0.0)
    stored = np.dtype(encoding.get("rasterio_dtype") or encoding.get("dtype") or variable.dtype)
    only_masked = variable.dtype.kind == "f" and stored.kind in "iu" and not scaled
    return str(stored if only_masked else variable.dtype)


def _file_of(planes: Iterable[xr.DataArray]) -> str:
    """Return the file that all planes were read from, or an empty string."""
    files = {str(plane.encoding.get("source", "")) for plane in planes}
    return files.pop() if len(files) == 1 else ""


def _plain_grid(size: tuple[int, ...]) -> Grid:
    return Grid(size[0], size[1], Affine.identity(), None)
