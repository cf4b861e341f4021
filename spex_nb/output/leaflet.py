"""A mask as a layer of a web map: a small picture in Web Mercator over its bounds, so that no server is needed."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import GridError, require_extra
from spex_nb.types import MASK_NODATA

LONGEST_PX = 1500
"""Longest side of the picture; a mask thinner than its pixels may not be seen."""
OPACITY = 160
Bounds = tuple[tuple[float, float], tuple[float, float]]
"""((south, west), (north, east)), degrees."""


def mask_layer(mask: xr.DataArray, classes: Mapping[str, Sequence[int]], name: str) -> Any:
    """Return a mask as an ``ipyleaflet.ImageOverlay``.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n the classes, 255 no data.
        classes: Red, green and blue of each class, 0..255, by id.
        name: Name of the layer, as plain text. It is escaped, for leaflet's layers control takes names as HTML.

    Raises:
        GridError: If the mask has no CRS.
        MissingExtraError: If the packages of the extra [map] are not installed.
    """
    if mask.rio.crs is None:
        raise GridError(
            "The mask cannot be laid on a map",
            found="a scene without a CRS",
            expected="a scene that lies on the map",
            fix="Give the scene a CRS and transform first, or look at plot().",
        )
    require_extra("map", "A map layer")
    from ipyleaflet import ImageOverlay

    pixels, bounds = _in_web_mercator(mask)
    return ImageOverlay(url=_png(_colored(pixels, classes)), bounds=bounds, name=html.escape(name))


def _in_web_mercator(mask: xr.DataArray) -> tuple[NDArray[np.uint8], Bounds]:
    """Return a mask on the grid of web maps, and its ((south, west), (north, east))."""
    import rasterio.warp
    from affine import Affine
    from rasterio.transform import array_bounds

    step = max(1, -(-max(mask.shape) // LONGEST_PX))
    thin, transform = mask.values[::step, ::step], mask.rio.transform() @ Affine.scale(step)
    crs, (height, width) = mask.rio.crs, thin.shape
    corners = array_bounds(height, width, transform)
    new_transform, new_width, new_height = rasterio.warp.calculate_default_transform(
        crs, "EPSG:3857", width, height, *corners
    )
    warped = np.full((new_height, new_width), MASK_NODATA, np.uint8)
    rasterio.warp.reproject(
        thin,
        warped,
        src_transform=transform,
        src_crs=crs,
        dst_transform=new_transform,
        dst_crs="EPSG:3857",
        src_nodata=MASK_NODATA,
        dst_nodata=MASK_NODATA,
    )
    bounds = array_bounds(new_height, new_width, new_transform)
    west, south, east, north = rasterio.warp.transform_bounds("EPSG:3857", "EPSG:4326", *bounds)
    return warped, ((south, west), (north, east))


def _colored(pixels: NDArray[np.uint8], classes: Mapping[str, Sequence[int]]) -> NDArray[np.uint8]:
    """Return a mask [H, W] as RGBA [H, W, 4]; pixels of no class are transparent."""
    colors = np.zeros((256, 4), np.uint8)
    for number, color in enumerate(classes.values(), start=1):
        colors[number] = [*color, OPACITY]
    return colors[pixels]


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
