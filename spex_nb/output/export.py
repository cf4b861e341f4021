"""Results as files: rasters as cloud-optimised GeoTIFF, polygons as GeoPackage and others. Nothing is half written."""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import GridError, GridWarning, OutputError
from spex_nb.output.files import write_whole
from spex_nb.output.geojson import prepare_geojson
from spex_nb.output.qgis import LegendClass, add_layer_styles, write_raster_legend
from spex_nb.types import MASK_NODATA

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

BLOCK = 512
"""Side of a tile of the file."""
REGIONS = "regions"
"""Usual layer of a GeoPackage."""
WINDOW_PX = 2**22
"""Pixels that are computed and written at a time."""
CACHE_BYTES = 32 * 2**20
"""GDAL would keep a twentieth of the machine's memory. A row of blocks of 10,980 float32 pixels takes 23 MB."""


def save_cog(
    layers: xr.DataArray | xr.Dataset,
    path: str | Path,
    *,
    overwrite: bool = False,
    colors: Mapping[int, tuple[int, int, int]] | None = None,
    legend: Sequence[LegendClass] = (),
    progress: bool = False,
) -> Path:
    """Write layers as a cloud-optimised GeoTIFF, a window at a time, so that memory does not grow with the scene.

    Args:
        layers: An array [H, W] or a Dataset of such arrays, lazy or not. Real numbers become float32 with nodata NaN;
            bool and uint8 become uint8 with nodata 255.
        path: The file to write.
        overwrite: Whether an existing file is replaced (default: no).
        colors: The colour (red, green, blue), 0..255, of each class of a mask (default: none).
        legend: The classes of a mask, from number 0 on, for GDAL and QGIS; two files beside the raster hold it
            (default: none).
        progress: Whether to show a progress bar (default: no).

    Returns:
        The path.

    Raises:
        OutputError: If the path cannot be written, or the disk is full.

    Warns:
        GridWarning: If the layers have no CRS, so that the file cannot be georeferenced.
    """
    dataset = _as_dataset(layers)
    import rasterio
    import rioxarray  # noqa: F401  (registers .rio)

    needs_bytes = _largest_bytes(dataset)
    with write_whole(path, overwrite, needs_bytes=needs_bytes) as part, rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        _write(dataset, part, colors, progress)
    if legend:
        write_raster_legend(Path(path), legend)
    _warn_if_not_georeferenced(dataset, path)
    return Path(path)


def _as_dataset(layers: xr.DataArray | xr.Dataset) -> xr.Dataset:
    if isinstance(layers, xr.Dataset):
        return layers
    return layers.to_dataset(name=layers.name or "layer")


def _is_discrete(dataset: xr.Dataset) -> bool:
    return all(variable.dtype in (bool, np.uint8) for variable in dataset.data_vars.values())


def _largest_bytes(dataset: xr.Dataset) -> int:
    """Return what writing layers takes on disk at most: them twice, and once more a third for overviews."""
    pixels = sum(variable.size for variable in dataset.data_vars.values())
    return int(pixels * (1 if _is_discrete(dataset) else 4) * 8 / 3)


def _write(dataset: xr.Dataset, part: Path, colors: Any, progress: bool) -> None:
    import rasterio

    plain = part.with_name("tiled.tif")
    discrete = _is_discrete(dataset)
    first = next(iter(dataset.data_vars))
    height, width = dataset[first].shape
    profile = {
        "driver": "GTiff",
        "count": len(dataset.data_vars),
        "height": height,
        "width": width,
        "dtype": "uint8" if discrete else "float32",
        "nodata": MASK_NODATA if discrete else np.nan,
        "crs": dataset.rio.crs,
        "transform": dataset.rio.transform(),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "zstd_level": 1,
        "bigtiff": "if_safer",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # the caller warns once
        with rasterio.open(plain, "w", **profile) as file:
            _describe(file, dataset, colors if discrete else None)
            for window, pixels in _windows(dataset, profile["dtype"], progress):
                file.write(pixels, window=window)
        copy_as_cog(plain, part, discrete=discrete)


def copy_as_cog(plain: Path, path: Path, *, discrete: bool) -> None:
    """Copy a GeoTIFF as a cloud-optimised one, with overviews.

    Args:
        plain: The GeoTIFF.
        path: The file to write.
        discrete: Whether its numbers are classes, so that overviews take the nearest and not the mean.

    Raises:
        RasterioError: If the disk is full or fails.
    """
    import rasterio
    from rasterio.shutil import copy

    overviews = "nearest" if discrete else "average"
    # Level 1 takes a third less time than the usual 6, and a fourteenth more disk.
    options = {"compress": "deflate", "level": 1, "blocksize": BLOCK, "num_threads": "all_cpus"}
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        copy(plain, path, driver="COG", predictor="yes", overview_resampling=overviews, **options)
        require_whole_raster(path)


def require_whole_raster(path: Path) -> None:
    """Read a raster that was just written, with its overviews, for GDAL is silent where the end of a COG is cut.

    Args:
        path: The file.

    Raises:
        RasterioError: If a block of it cannot be read.
    """
    import rasterio

    with warnings.catch_warnings(action="ignore", category=rasterio.errors.NotGeoreferencedWarning):
        with rasterio.open(path) as file:
            levels = len(file.overviews(1))
        for level in (None, *range(levels)):
            options = {} if level is None else {"overview_level": level}
            with rasterio.open(path, num_threads="all_cpus", **options) as file:
                for top in range(0, file.height, BLOCK):
                    file.read(window=rasterio.windows.Window(0, top, file.width, min(BLOCK, file.height - top)))


def _describe(file: Any, dataset: xr.Dataset, colors: Any) -> None:
    for i, (name, variable) in enumerate(dataset.data_vars.items(), start=1):
        file.set_band_description(i, str(name))
        file.update_tags(i, **{key: str(value) for key, value in variable.attrs.items()})
    file.update_tags(**{key: str(value) for key, value in dataset.attrs.items()}, software="spex_nb")
    if colors:
        file.write_colormap(1, dict(colors))


def _windows(dataset: xr.Dataset, dtype: Any, progress: bool) -> Iterator[tuple[Any, Any]]:
    """Yield windows of at most about ``WINDOW_PX`` pixels, and their pixels."""
    from rasterio.windows import Window
    from tqdm.auto import tqdm

    height, width = next(iter(dataset.data_vars.values())).shape
    rows, columns = _window_shape(dataset, width)
    corners = [(top, left) for top in range(0, height, rows) for left in range(0, width, columns)]
    for top, left in tqdm(corners, unit="window", disable=not progress):
        part = dataset.isel(y=slice(top, top + rows), x=slice(left, left + columns)).compute()
        pixels = np.stack([variable.to_numpy().astype(dtype) for variable in part.data_vars.values()])
        yield Window(left, top, pixels.shape[2], pixels.shape[1]), pixels


def _window_shape(dataset: xr.Dataset, width: int) -> tuple[int, int]:
    """Return rows and columns of whole lazy chunks, so that none is read twice, or else of whole tiles of the file."""
    chunks = dataset.chunksizes
    if "y" in chunks and "x" in chunks:
        return chunks["y"][0], chunks["x"][0] * max(1, WINDOW_PX // (chunks["y"][0] * chunks["x"][0]))
    rows = max(BLOCK, WINDOW_PX // width // BLOCK * BLOCK)
    return rows, max(BLOCK, WINDOW_PX // rows // BLOCK * BLOCK)


def _warn_if_not_georeferenced(dataset: xr.Dataset, path: str | Path) -> None:
    if dataset.rio.crs is None:
        warnings.warn(
            f"{path} has no georeference, because the scene has none: its coordinates are pixels, y down. "
            "Give the scene a CRS and transform first to get a map.",
            GridWarning,
            stacklevel=3,
        )


def save_geopackage(
    frame: gpd.GeoDataFrame,
    path: str | Path,
    *,
    overwrite: bool = False,
    tables: Mapping[str, pd.DataFrame] | None = None,
    layer: str = REGIONS,
    style: str = "",
    add: bool = False,
) -> Path:
    """Write polygons as a layer of a GeoPackage.

    Args:
        frame: Polygons in any CRS.
        path: The file to write.
        overwrite: Whether an existing file is replaced (default: no).
        tables: Tables without geometry by the name of their layer (default: none).
        layer: Name of the layer (default: ``regions``).
        style: How QGIS draws the layer, as QML (default: as it likes).
        add: Whether the layer is added to an existing file (default: no).

    Raises:
        OutputError: If the path cannot be written, the disk is full, or the file has such a layer already.

    Warns:
        GridWarning: If the polygons have no CRS.
    """
    import pyogrio

    adds = add and Path(path).exists()
    if adds:
        _require_new_layers(Path(path), [layer, *(tables or {})])
    with write_whole(path, overwrite or adds) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # the warning below gives the reason
        if adds:
            shutil.copyfile(path, part)
        frame.to_file(part, driver="GPKG", layer=layer)
        for name, table in (tables or {}).items():
            pyogrio.write_dataframe(table, part, layer=name, driver="GPKG", append=True)
        if style:
            add_layer_styles(part, {layer: style})
    if frame.crs is None:
        _warn_of_pixel_coordinates(path)
    return Path(path)


def _require_new_layers(path: Path, names: Sequence[str]) -> None:
    """Raise unless a GeoPackage has none of these layers."""
    import pyogrio

    layers = {str(name) for name in pyogrio.list_layers(path)[:, 0]}
    doubled = sorted(layers.intersection(names))
    if doubled:
        raise OutputError(
            "The GeoPackage has such a layer already",
            found=f"{', '.join(doubled)} in {path}",
            expected="a new name of a layer",
            fix="Choose another layer=, or another file.",
        )


def save_geoparquet(frame: gpd.GeoDataFrame, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write polygons as GeoParquet.

    Raises:
        OutputError: If the path cannot be written, or the disk is full.

    Warns:
        GridWarning: If the polygons have no CRS.
    """
    with write_whole(path, overwrite) as part:
        frame.to_parquet(part, index=False)
    if frame.crs is None:
        _warn_of_pixel_coordinates(path)
    return Path(path)


def save_geojson(frame: gpd.GeoDataFrame, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write polygons as GeoJSON in longitude and latitude, cut where they cross the antimeridian (RFC 7946).

    Coordinates get as many digits as the shortest edge needs, seven at least.

    Args:
        frame: Polygons in any CRS of the Earth.
        path: The file to write.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        OutputError: If the path cannot be written, or a polygon has more corners than GeoJSON readers take.
        GridError: If the polygons have no CRS of the Earth, or lie outside of it.
    """
    from pyogrio.errors import FeatureError

    polygons, digits = prepare_geojson(frame)
    text = io.BytesIO()  # for GDAL takes a full disk for a polygon that cannot be written, or says nothing of it
    try:
        polygons.to_file(text, "GeoJSON", layer=Path(path).stem, RFC7946="YES", COORDINATE_PRECISION=digits)
    except FeatureError as error:
        raise GridError(
            "A polygon has no longitude and latitude",
            found=str(error),
            expected="polygons within the area of their projection",
            fix="Check the CRS and transform of the scene, or write a GeoPackage, which takes any coordinates.",
        ) from error
    content = text.getvalue()
    with write_whole(path, overwrite, needs_bytes=len(content)) as part:
        part.write_bytes(content)
    return Path(path)


def _warn_of_pixel_coordinates(path: str | Path) -> None:
    warnings.warn(
        f"{path} has no georeference, because the scene has none: its coordinates are pixels, y down.",
        GridWarning,
        stacklevel=3,
    )
