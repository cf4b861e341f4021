"""The part of a scene that is asked for: which windows it meets, and which of their pixels it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from spex_nb.types import Window


@dataclass(frozen=True, eq=False)
class AreaMask:
    """An area on the pixels of a scene. A pixel belongs to it if its centre lies in one of the polygons.

    Attributes:
        shape: (height, width) of the scene, in pixels.
        polygons: object [N], valid shapely polygons in pixels, x to the right and y down.
        fingerprint: Hash of the polygons as they were given, with their CRS.
        outside_frac: Share of the whole area that lies outside of the scene.
    """

    shape: tuple[int, int]
    polygons: NDArray[Any]
    fingerprint: str
    outside_frac: float = 0.0

    @property
    def share_frac(self) -> float:
        """Share of the scene's pixels that the area covers."""
        import shapely

        height, width = self.shape
        here = shapely.intersection(shapely.union_all(self.polygons), shapely.box(0, 0, width, height))
        return float(here.area / (height * width))

    def meets(self, window: Window) -> bool:
        """Whether a part of the area lies in a window."""
        return len(self._numbers(window)) > 0

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window belong to the area, bool [height, width]."""
        from rasterio.features import rasterize

        top, left, *shape = window
        shapes = [(polygon, 1) for polygon in self.polygons[self._numbers(window)]]
        if not shapes:
            return np.zeros(shape, bool)
        burnt = rasterize(shapes, out_shape=shape, transform=Affine.translation(left, top), dtype="uint8")
        return np.asarray(burnt == 1)

    @cached_property
    def _tree(self) -> Any:
        import shapely

        return shapely.STRtree(self.polygons)

    def _numbers(self, window: Window) -> NDArray[np.int64]:
        """Return the numbers of the polygons that share ground with a window."""
        import shapely

        top, left, height, width = window
        box = shapely.box(left, top, left + width, top + height)
        numbers = self._tree.query(box, predicate="intersects")
        shared = shapely.area(shapely.intersection(self.polygons[numbers], box))
        meeting: NDArray[np.int64] = np.sort(numbers[shared > 0])
        return meeting

    def cut(self, part: xr.Dataset, window: Window, *, in_place: bool = False) -> xr.Dataset:
        """Return a window of a scene in memory with no data outside of the area.

        Args:
            part: Bands and ``valid`` [height, width].
            window: Where it lies.
            in_place: Whether the arrays of the window may be changed; copies of wide windows would take much memory.
        """
        outside = ~self.inside(window)
        if not outside.any():
            return part
        cut: xr.Dataset = part if in_place else part.copy(deep=True)
        for layer in cut.data_vars.values():
            np.copyto(layer.values, _nothing(layer.dtype), where=outside)
        return cut


def _nothing(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what a layer holds where there is no data, of its type."""
    return np.array(np.nan if dtype.kind == "f" else 0, dtype)
