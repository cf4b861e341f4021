"""Tiles brought to the ground sampling distance that a model was made for, and its logits back. No data is kept out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from rasterio.enums import Resampling

RESAMPLED_FROM = 1.5
"""Scenes whose pixels are so many times larger or smaller than the model's are resampled; others are not."""


def zoom_to(gsd_m: float | None, model_gsd_m: float | None) -> float:
    """Return the model's pixels for each pixel of a scene; 1 where both are alike, or one is not known."""
    if gsd_m is None or model_gsd_m is None:
        return 1.0
    zoom = gsd_m / model_gsd_m
    return 1.0 if 1 / RESAMPLED_FROM <= zoom <= RESAMPLED_FROM else zoom


def zoom_tile(tile: xr.Dataset, zoom: float) -> xr.Dataset:
    """Return a tile with ``zoom`` pixels for each of its own, at least one: means where it shrinks, else bilinear.

    Args:
        tile: Bands [H, W] and ``valid``, in memory.
        zoom: Above 0.

    Returns:
        Bands float32 [h, w] with their attributes, NaN where all pixels beneath have no data; ``valid``; the transform.
    """
    if zoom == 1:
        return tile
    height, width = (max(1, round(side * zoom)) for side in tile.spex.shape)
    valid = tile.spex.valid.values
    bands = np.stack([np.where(valid, tile[band].values, np.nan).astype(np.float32) for band in tile.spex.bands])
    pixels = resample(bands, (height, width))
    made = {band: (("y", "x"), plane, tile[band].attrs) for band, plane in zip(tile.spex.bands, pixels, strict=True)}
    zoomed = xr.Dataset(made | {"valid": (("y", "x"), np.isfinite(pixels).all(axis=0))}, attrs=tile.attrs)
    crs = tile.spex.crs
    if crs is None:
        return zoomed
    scale = Affine.scale(tile.spex.shape[1] / width, tile.spex.shape[0] / height)
    placed: xr.Dataset = zoomed.rio.write_crs(crs).rio.write_transform(tile.spex.transform @ scale)
    return placed


def resample(layers: Any, shape: tuple[int, int]) -> Any:
    """Return layers float32 [C, H, W] on another number of pixels, float32 [C, h, w]; NaN is no data.

    What shrinks becomes means of the pixels that have data, what grows is interpolated bilinearly.
    """
    from rasterio.warp import reproject

    height, width = layers.shape[1:]
    out = np.full((len(layers), *shape), np.nan, np.float32)
    shrinks = shape[0] * shape[1] < height * width
    reproject(
        np.ascontiguousarray(layers, np.float32), out,
        src_transform=Affine.identity(), dst_transform=Affine.scale(width / shape[1], height / shape[0]),
        src_crs="EPSG:3857", dst_crs="EPSG:3857",  # any one: the two grids share it
        src_nodata=np.nan, dst_nodata=np.nan, resampling=Resampling.average if shrinks else Resampling.bilinear,
    )  # fmt: skip
    return out
