"""Outlines are those that GDAL draws, valid, and the same for one region or many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import shapes

from spex_nb.regions import polygons
from spex_nb.regions.polygons import polygons_of
from spex_nb.regions.runs import label_runs

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def regions_of(mask: Any, connectivity: int = 8) -> list[Any]:
    runs, numbers = label_runs(mask, connectivity)
    return [runs[numbers == i] for i in range(numbers.max(initial=-1) + 1)]


def drawn_by_gdal(runs: Any, shape: tuple[int, int]) -> Any:
    """Return the outline of a region as GDAL draws it, made valid."""
    painted = np.zeros(shape, np.uint8)
    for row, first, end in runs:
        painted[row, first:end] = 1
    found = shapes(painted, painted, connectivity=4)
    return shapely.union_all([shapely.make_valid(shapely.geometry.shape(outline)) for outline, _ in found])


@pytest.mark.slow
@given(MASKS, st.sampled_from([4, 8]), st.sampled_from([1, 7, 2**16]))
def test_outlines_are_valid_and_those_of_gdal(mask: Any, connectivity: int, batch: int) -> None:
    regions = regions_of(mask, connectivity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polygons, "BATCH_RUNS", batch)
        made = polygons_of(regions)
    assert len(made) == len(regions)
    for outline, runs in zip(made, regions, strict=True):
        assert shapely.is_valid(outline), shapely.is_valid_reason(outline)
        assert outline.area == (runs[:, 2] - runs[:, 1]).sum()
        assert shapely.equals(outline, drawn_by_gdal(runs, mask.shape))


def test_an_outline_by_hand_has_corners_only_and_its_hole() -> None:
    mask = np.zeros((6, 7), bool)
    mask[1:5, 2:6], mask[2:4, 3:5] = True, False
    (ring,) = polygons_of(regions_of(mask))
    assert shapely.get_coordinates(ring.exterior).tolist() == [[2, 1], [6, 1], [6, 5], [2, 5], [2, 1]]
    assert shapely.equals(ring.interiors[0], shapely.box(3, 2, 5, 4).exterior)
    assert len(ring.interiors) == 1


def test_pixels_that_meet_at_a_corner_are_parts_and_holes_that_meet_at_one_are_holes() -> None:
    (diagonal,) = polygons_of(regions_of(np.eye(3, dtype=bool)))
    assert (diagonal.geom_type, len(diagonal.geoms)) == ("MultiPolygon", 3)
    mask = np.ones((4, 4), bool)
    mask[1, 1] = mask[2, 2] = False
    (pierced,) = polygons_of(regions_of(mask))
    assert (pierced.geom_type, len(pierced.interiors)) == ("Polygon", 2)
    mask[0, 0] = False  # the first hole now meets the outside at a corner
    (pierced,) = polygons_of(regions_of(mask))
    assert (shapely.is_valid(pierced), len(pierced.interiors)) == (True, 2)


def test_no_region_has_no_outline() -> None:
    assert polygons_of([]).tolist() == []
