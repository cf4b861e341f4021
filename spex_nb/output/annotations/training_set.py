"""A map and its scene cut into images with their regions: what COCO and YOLO have in common."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import GridError, OutputError
from spex_nb.output.annotations.placement import FORMAT, Georeference, ImagePlace
from spex_nb.output.map_images import Limits, composite_bands, measure_stretch
from spex_nb.output.point_pictures import color_bytes
from spex_nb.regions.find import find_regions
from spex_nb.scene.grid import Grid
from spex_nb.types import MASK_NODATA, Region, Window

TILE_PX = 640
"""Longest side of an image, unless another is chosen: what YOLO trains on."""
IMAGES = "images"
"""Folder of the images within a training set."""
UNCHECKED = "These labels were made by a model. Nobody checked them."


@dataclass(frozen=True)
class TrainingSet:
    """A map and its scene, to be cut into images.

    Attributes:
        mask: uint8 [H, W]: 0 none, 1 … n the classes, 255 no data.
        classes: Names of the classes, in the order of their numbers.
        scene: Bands [H, W] on the grid of the mask, lazy or not.
        bands: Three bands for the images, as for `composite_bands`.
        tile_px: Longest side of an image, px.
        origin: How the map was made, and what holds for it.
    """

    mask: xr.DataArray
    classes: Sequence[str]
    scene: xr.Dataset
    bands: str | Sequence[str] = "true"
    tile_px: int = TILE_PX
    origin: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a scene on other pixels than the mask, and images without a pixel.

        Raises:
            GridError: If the grids differ.
            OutputError: If the side of an image makes no sense.
            BandError: If the three bands are not there.
        """
        if self.tile_px < 1:
            raise OutputError(
                "Images need at least one pixel",
                found=f"tile_px={self.tile_px}",
                expected="a whole number from 1 on",
                fix=f"Leave it out for {TILE_PX}.",
            )
        composite_bands(self.scene, self.bands)
        grid, other = _grid_of(self.mask), _grid_of(self.scene)
        if not other.matches(grid):
            raise GridError(
                "Scene and map have different pixels",
                found=f"a scene of {other.height} x {other.width} px at {tuple(other.transform)[:6]}",
                expected=f"{grid.height} x {grid.width} px at {tuple(grid.transform)[:6]}, as the map has",
                fix="Give the scene from which the map was made.",
            )

    def write_images(self, folder: Path) -> Georeference:
        """Write images and side file into a folder; return what the side file holds.

        Images are PNG of three bands, stretched alike over the whole scene. What has no data in scene or map is black.
        Images without any data are left out. Beside each lies ``….png.aux.xml``, by which GDAL and QGIS place it.
        """
        (folder / IMAGES).mkdir()
        names = composite_bands(self.scene, self.bands)
        stretch = measure_stretch(self.scene, names)
        grid = _grid_of(self.mask)
        places = {}
        for window in self._windows():
            name, place = f"{window[0]:05}_{window[1]:05}.png", _place(window, grid.transform)
            _write_png(folder / IMAGES / name, self._picture(window, names, stretch), place, grid.crs)
            places[name] = place
        crs = None if grid.crs is None else grid.crs.to_string()
        origin = {"labels": UNCHECKED, "bands": list(names)} | dict(self.origin or {})
        georeference = Georeference(FORMAT, crs, grid.height, grid.width, tuple(self.classes), places, origin)
        georeference.write(folder)
        return georeference

    def regions_of(self, place: ImagePlace) -> Iterator[tuple[int, Region]]:
        """Yield the regions within an image, each with the number of its class."""
        rows, columns = slice(place.row, place.row + place.height), slice(place.column, place.column + place.width)
        pixels = np.asarray(self.mask[rows, columns])
        for number in range(1, len(self.classes) + 1):
            for region in find_regions(pixels == number, top=None):
                yield number, region

    def _windows(self) -> Iterator[Window]:
        """Yield windows of about equal size that hold data."""
        for top, bottom in _intervals(self.mask.shape[0], self.tile_px):
            for left, right in _intervals(self.mask.shape[1], self.tile_px):
                if (np.asarray(self.mask[top:bottom, left:right]) != MASK_NODATA).any():
                    yield top, left, bottom - top, right - left

    def _picture(self, window: Window, names: Sequence[str], stretch: Mapping[str, Limits]) -> NDArray[np.uint8]:
        """Return a window as uint8 [3, h, w]."""
        row, column, height, width = window
        part = self.scene.spex.window(*window)[[*names, *({"valid"} & set(self.scene.data_vars))]].compute()
        picture = np.stack([color_bytes(part[name].values, stretch[name]) for name in names])
        mapped = np.asarray(self.mask[row : row + height, column : column + width]) != MASK_NODATA
        picture[:, ~(part.spex.valid.values & mapped)] = 0  # land covers that no label shows would teach a wrong thing
        return picture


def _intervals(size: int, longest: int) -> list[tuple[int, int]]:
    """Return intervals of about equal length that cover a side, none longer than asked for."""
    edges = np.linspace(0, size, -(-size // longest) + 1).astype(int).tolist()
    return list(pairwise(edges))


def _grid_of(layers: Any) -> Grid:
    import rioxarray  # noqa: F401  (registers .rio)

    height, width = layers.sizes["y"], layers.sizes["x"]
    return Grid(height, width, layers.rio.transform(), layers.rio.crs)


def _place(window: Window, transform: Affine) -> ImagePlace:
    row, column, height, width = window
    placed = transform @ Affine.translation(column, row)
    return ImagePlace(height, width, row, column, tuple(placed)[:6])


def _write_png(path: Path, picture: NDArray[np.uint8], place: ImagePlace, crs: Any) -> None:
    """Write uint8 [3, h, w] by GDAL, which puts the georeference beside it."""
    import rasterio

    profile = {"driver": "PNG", "count": 3, "height": place.height, "width": place.width, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # the side file says that too
        with rasterio.open(path, "w", crs=crs, transform=Affine(*place.transform), **profile) as file:
            file.write(picture)
