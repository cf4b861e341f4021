"""The ``.spex`` accessor: what any Dataset of named bands says of itself. It knows no file and no index."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import and_, is_
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spex_nb.errors import BandError, GridError

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

    from spex_nb.scene.windows.scene_source import SceneSource

RELATIVE_NOTE = (
    "Values are relative reflectance (digital numbers, not calibrated): compare them within this scene only."
)
POLE_DEGREES = 89.9
"""Nearer to a pole a degree of longitude has no width to speak of."""
METRES_PER_DEGREE = 111_195.0  # on a sphere of 6,371,009 m
Scene = xr.Dataset
"""A Dataset of float32 bands [H, W] named by STAC common name, with bool ``valid``; see ``open_scene``."""


@xr.register_dataset_accessor("spex")
class SpexAccessor:
    """What a scene, or any Dataset of named bands with dims (y, x), says of itself.

    Raises:
        BandError: If the Dataset holds no numeric band with dims (y, x).
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._scene = dataset
        self._placed: dict[str, tuple[tuple[Any, ...], dict[str, Any], Any]] = {}
        self.bands: tuple[str, ...] = tuple(
            str(name)
            for name, variable in dataset.data_vars.items()
            if variable.dims == ("y", "x") and variable.dtype.kind in "iuf" and name != "valid"
        )
        """Names of the bands, in the order of the Dataset."""
        if not self.bands:
            raise BandError(
                "The Dataset holds no band",
                found={str(name): (v.dims, str(v.dtype)) for name, v in dataset.data_vars.items()},
                expected="numeric variables with dims ('y', 'x'), named by STAC common name such as 'red'",
                fix="Open the file with spex_nb.open_scene, or rename the dims and variables.",
            )

    def __repr__(self) -> str:
        """Return what the scene is, a line each: size, place, bands, values."""
        height, width = self.shape
        gsd = "" if self.gsd_m is None else f" of {self.gsd_m:.3g} m"
        place = "no CRS" if self.crs is None else str(self.crs.to_string())
        radiometry = str(self._scene.attrs.get("radiometry", "not stated"))
        lines = (f"{height:,} x {width:,} pixels{gsd}", place, ", ".join(self.bands), f"values: {radiometry}")
        return "\n".join(lines)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self._scene.sizes["y"], self._scene.sizes["x"]

    @property
    def valid(self) -> xr.DataArray:
        """Where there is data: bool [H, W]; without the variable ``valid``, where every band is finite."""
        if "valid" in self._scene:
            valid = self._scene["valid"]
            return valid if valid.dtype == bool else valid.astype(bool)
        finite: list[Any] = [np.isfinite(self._scene[name]) for name in self.bands]
        return reduce(and_, finite)  # type: ignore[no-any-return]

    @property
    def source(self) -> SceneSource | None:
        """Where `open_scene` opened the scene from; None of a Dataset that it did not open.

        Selections and windows keep it: it says where the pixels came from, not which of them are left.
        """
        return self._scene.encoding.get("spex_source")

    @property
    def is_lazy(self) -> bool:
        """Whether any variable waits for dask to compute it."""
        return any(variable.chunks is not None for variable in self._scene.data_vars.values())

    @property
    def is_relative(self) -> bool:
        """Whether the values are digital numbers on a relative scale rather than reflectance."""
        return str(self._scene.attrs.get("radiometry", "")).startswith("relative")

    @property
    def number_note(self) -> str:
        """The sentence that goes beside every number of a relative scene; empty for reflectance."""
        return RELATIVE_NOTE if self.is_relative else ""

    @property
    def wavelengths_um(self) -> dict[str, float]:
        """Centre wavelength of each band that states one, in µm."""
        attributes = {name: self._scene[name].attrs for name in self.bands}
        return {name: float(a["wavelength_um"]) for name, a in attributes.items() if "wavelength_um" in a}

    @property
    def crs(self) -> CRS | None:
        """The coordinate reference system; None without one, and where it leads to no longitude and latitude."""
        import rioxarray  # noqa: F401  (registers .rio)

        from spex_nb.scene.grid import Grid
        from spex_nb.scene.placement import off_the_map

        def placed() -> CRS | None:
            crs = self._scene.rio.crs
            return None if crs is None or off_the_map(Grid(*self.shape, self.transform, crs)) else crs

        return self._unless_moved("crs", placed)

    @property
    def transform(self) -> Affine:
        """Affine from (column, row) of a pixel's corner to map coordinates; identity without georeference."""
        import rioxarray  # noqa: F401  (registers .rio)

        return self._unless_moved("transform", self._scene.rio.transform)  # type: ignore[no-any-return]

    def _unless_moved(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what was computed before, as long as the scene has the same coordinates and georeference.

        rioxarray computes a transform anew at each call, and one extraction asks for it eighty times.
        """
        variables = self._scene.variables
        placement = tuple(variables.get(part) for part in ("y", "x", "spatial_ref"))
        if placement[-1] is None:
            return compute()
        stated = dict(placement[-1].attrs)
        before = self._placed.get(name)
        if before is not None and before[1] == stated and all(map(is_, before[0], placement)):
            return before[2]
        value = compute()
        self._placed[name] = placement, stated, value
        return value

    @property
    def gsd_m(self) -> float | None:
        """Ground sampling distance in metres (geometric mean of both axes).

        Without a CRS what ``attrs["gsd_m"]`` says, or None.
        """
        if self.crs is None:
            distance = self._scene.attrs.get("gsd_m")
            return None if distance is None else float(distance)
        size = math.sqrt(abs(self.transform.determinant))
        if self.crs.is_projected:
            metres: float = self.crs.linear_units_factor[1]
            return size * metres
        height, width = self.shape
        latitude = (self.transform @ (width / 2, height / 2))[1]
        return size * METRES_PER_DEGREE * math.sqrt(math.cos(math.radians(min(abs(latitude), POLE_DEGREES))))

    def window(self, row: int, col: int, height: int, width: int) -> xr.Dataset:
        """Return a pixel rectangle as a scene; a lazy scene reads only what lies in it.

        Args:
            row: First row, from 0 at the top.
            col: First column, from 0 at the left.
            height: Number of rows, at least 1.
            width: Number of columns, at least 1.

        Returns:
            A Scene [height, width] with its own transform.

        Raises:
            GridError: If the window is empty or leaves the scene.
        """
        rows, cols = self.shape
        if min(row, col) < 0 or min(height, width) < 1 or row + height > rows or col + width > cols:
            raise GridError(
                "The window does not lie inside the scene",
                found=f"row {row}, col {col}, height {height}, width {width}",
                expected=f"a window of at least one pixel inside {rows} rows by {cols} columns",
                fix="Shrink or move the window.",
            )
        part = self._scene.isel(y=slice(row, row + height), x=slice(col, col + width))
        if "spatial_ref" not in part.coords:
            return part
        from affine import Affine

        return part.rio.write_transform(self.transform @ Affine.translation(col, row))  # type: ignore[no-any-return]


@xr.register_dataarray_accessor("spex")
class SpexArrayAccessor:
    """What an array with dims (y, x), such as a mask, or (band, y, x) says of itself, and the way to a scene.

    Raises:
        GridError: If the array has no dims y and x.
    """

    def __init__(self, array: xr.DataArray) -> None:
        if not {"y", "x"} <= set(array.dims):
            raise GridError(
                "The array is no raster",
                found=f"dims {array.dims}",
                expected="dims ('y', 'x') or ('band', 'y', 'x')",
                fix="Rename its dims.",
            )
        self._array = array
        size = array.sizes["y"], array.sizes["x"]
        places = {name: array.coords[name] for name in ("y", "x", "spatial_ref") if name in array.coords}
        empty = np.broadcast_to(np.float32(0), size)  # takes no memory
        self._grid = xr.Dataset({"layer": (("y", "x"), empty)}, places, {"gsd_m": array.attrs.get("gsd_m")})

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self._array.sizes["y"], self._array.sizes["x"]

    @property
    def crs(self) -> CRS | None:
        """As of a scene: `SpexAccessor.crs`."""
        return self._grid.spex.crs

    @property
    def transform(self) -> Affine:
        """As of a scene: `SpexAccessor.transform`."""
        return self._grid.spex.transform  # type: ignore[no-any-return]

    @property
    def gsd_m(self) -> float | None:
        """As of a scene: `SpexAccessor.gsd_m`."""
        return self._grid.spex.gsd_m  # type: ignore[no-any-return]

    def window(self, row: int, col: int, height: int, width: int) -> xr.DataArray:
        """Return a pixel rectangle with its own transform; arguments and errors as of `SpexAccessor.window`."""
        grid = self._grid.spex.window(row, col, height, width)
        part = self._array.isel(y=slice(row, row + height), x=slice(col, col + width))
        return part.assign_coords(spatial_ref=grid["spatial_ref"]) if "spatial_ref" in grid.coords else part

    def to_scene(self, **options: Any) -> xr.Dataset:
        """Return the bands of an array [C, H, W] as a scene.

        Args:
            **options: Of `open_scene`, such as ``sensor`` or ``bands``.

        Raises:
            SpexError: As `open_scene`.
        """
        from spex_nb.scene.open import open_scene

        return open_scene(self._array, **options)
