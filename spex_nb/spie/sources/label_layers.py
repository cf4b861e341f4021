"""Label layers: files with the land cover of pixels, read window by window. They know no folder layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rasterio import features
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from spex_nb.errors import DatasetError
from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.rasters import open_raster, probe
from spex_nb.spie.sources.catalogue import Coding, packed

Flags = npt.NDArray[np.bool_]
Reading = Callable[[str], tuple[Flags, Flags]]
COLORS = 3
LONGITUDE_LATITUDE = "EPSG:4326"


class LabelLayer(Protocol):
    """One file of labels; picklable, and opened only while it is read."""

    @property
    def path(self) -> str:
        """Its file."""
        ...

    @property
    def targets(self) -> tuple[str, ...]:
        """Ids of the targets that it can show."""
        ...

    def load(self, grid: Grid, window: Window) -> Reading:
        """Read a window of the image's grid, once for all targets.

        Args:
            grid: The grid of the image.
            window: A window of it.

        Returns:
            A function from a target to its mask, and to the pixels where the layer knows it: two bool [H, W].

        Raises:
            DatasetError: If the layer does not fit the image.
            UnreadableSourceError: If it is damaged.
        """
        ...


@dataclass(frozen=True)
class ClassLayer:
    """A raster of class codes, or of class colours.

    Attributes:
        path: Its file: one band of codes; at least three bands where the coding is in colour.
        coding: What the codes mean.
    """

    path: str
    coding: Coding

    @property
    def targets(self) -> tuple[str, ...]:
        """Ids of the targets that some class is."""
        return self.coding.shown_targets

    def load(self, grid: Grid, window: Window) -> Reading:
        """Return a function from a target to its mask and its known pixels; see `LabelLayer.load`."""
        codes = self._codes(grid, window)

        def of(target: str) -> tuple[Flags, Flags]:
            yes = np.isin(codes, self.coding.codes_of(target))
            return yes, yes | np.isin(codes, self.coding.codes_beside(target))

        return of

    def _codes(self, grid: Grid, window: Window) -> npt.NDArray[Any]:
        """Return the codes [H, W] of the window, integers."""
        self._require_fit(grid)
        with open_raster(self.path) as file:
            try:
                read = file.read([1, 2, 3] if self.coding.in_color else [1], window=window)
            except RasterioError as error:
                raise unusable_label(self.path, str(error), "pixels in every window") from error
        codes: npt.NDArray[Any] = packed(*read.astype(np.int32)) if self.coding.in_color else read[0]
        return codes

    def _require_fit(self, grid: Grid) -> None:
        file = probe(self.path)
        fits = file.count >= COLORS if self.coding.in_color else file.count == 1
        if not fits or np.dtype(file.dtypes[0]).kind not in "ui":
            wanted = "three bands of colours" if self.coding.in_color else "one band of class codes"
            raise unusable_label(self.path, f"{file.count} band(s) of {file.dtypes[0]}", f"{wanted}, integers")
        sizes = (file.grid.height, file.grid.width), (grid.height, grid.width)
        if sizes[0] != sizes[1]:
            raise unusable_label(self.path, _size_text(*sizes[0]), f"{_size_text(*sizes[1])}, as its image")
        # A picture format carries no georeference: then the size is all that can be compared.
        if file.grid.crs is not None and grid.crs is not None and not file.grid.matches(grid):
            raise unusable_label(
                self.path,
                f"origin ({file.grid.transform.c:g}, {file.grid.transform.f:g}), CRS {file.grid.crs.to_string()}",
                f"({grid.transform.c:g}, {grid.transform.f:g}) and CRS {grid.crs.to_string()}, as its image",
            )


@dataclass(frozen=True)
class FootprintLayer:
    """Polygons in longitude and latitude (GeoJSON); a pixel belongs to them if its centre does.

    Attributes:
        path: Its file.
        whole: Ids of the targets that the polygons show completely: outside there are none.
        part: Ids of the targets that the polygons show in part: outside they are unknown.
    """

    path: str
    whole: tuple[str, ...]
    part: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Ids of the targets that the polygons show."""
        return self.whole + self.part

    def load(self, grid: Grid, window: Window) -> Reading:
        """Return a function from a target to its mask and its known pixels; see `LabelLayer.load`."""
        size = (int(window.height), int(window.width))
        shapes = [(shape, 1) for shape in self._geometries(grid)]
        inside = np.zeros(size, bool)
        if shapes:
            placed = window_transform(window, grid.transform)
            inside = features.rasterize(shapes, out_shape=size, transform=placed, fill=0, dtype="uint8") == 1

        def of(target: str) -> tuple[Flags, Flags]:
            if target not in self.targets:
                return np.zeros(size, bool), np.zeros(size, bool)
            return inside, np.ones(size, bool) if target in self.whole else inside

        return of

    def _geometries(self, grid: Grid) -> list[Mapping[str, Any]]:
        """Return the polygons in the CRS of the grid; features without geometry are left out."""
        if grid.crs is None:
            raise unusable_label(self.path, "an image without CRS", "an image that footprints can be placed on")
        geometries = [feature.get("geometry") for feature in self._features()]
        shapes = [shape for shape in geometries if shape and shape.get("coordinates")]
        if grid.crs.to_string() == LONGITUDE_LATITUDE:
            return shapes
        return [transform_geom(LONGITUDE_LATITUDE, grid.crs, shape) for shape in shapes]

    def _features(self) -> list[dict[str, Any]]:
        try:
            content = json.loads(Path(self.path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise unusable_label(self.path, str(error), "a GeoJSON file") from error
        listed = content.get("features") if isinstance(content, dict) else None
        if not isinstance(listed, list) or not all(isinstance(feature, dict) for feature in listed):
            raise unusable_label(self.path, "JSON without a list of features", "a GeoJSON FeatureCollection")
        return listed


def unusable_label(path: str, problem: str, expected: str) -> DatasetError:
    """Return the error of a label that does not fit its image, naming the file."""
    return DatasetError(
        "The label cannot be used for its image",
        found=f"{path}: {problem}",
        expected=expected,
        fix="Fetch or unpack the dataset again, or take the pair of files out of its folder.",
    )


def _size_text(height: int, width: int) -> str:
    return f"{height} x {width} px"
