"""The share of each pixel that a polygon covers, against intersections that are computed one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spex_nb.regions import coverage
from spex_nb.regions.coverage import pixel_coverage

SHAPE = (9, 12)


def shares_of(polygon: Any, shape: tuple[int, int] = SHAPE) -> NDArray[np.float64]:
    """Return the share of each pixel of a grid, put together from blocks."""
    shares = np.zeros(shape)
    for block in pixel_coverage(polygon, shape):
        top, left, height, width = block.window
        shares[top : top + height, left : left + width] += block.shares
    return shares


def by_intersections(polygon: Any, shape: tuple[int, int] = SHAPE) -> NDArray[np.float64]:
    """Return the same from the intersection of the polygon with the square of each pixel."""
    rows, columns = np.indices(shape)
    areas: NDArray[np.float64] = shapely.area(
        shapely.intersection(shapely.box(columns, rows, columns + 1, rows + 1), polygon)
    )
    return areas


@st.composite
def polygons(draw: st.DrawFn) -> Any:
    """Draw polygons about the grid: convex and not, on lines of the grid, with holes, of several parts."""
    numbers = st.one_of(st.integers(-4, 16).map(float), st.floats(-4, 16).map(lambda x: round(x, 3)))
    points = draw(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9))
    polygon = shapely.make_valid(shapely.Polygon(points), method="structure")
    if draw(st.booleans()):
        polygon = polygon.difference(shapely.Point(draw(numbers), draw(numbers)).buffer(2, quad_segs=3))
    if draw(st.booleans()):
        polygon = polygon.union(shapely.box(1.25, 2, 3, 4.5))
    return shapely.MultiPolygon([part for part in shapely.get_parts(polygon) if part.geom_type == "Polygon"])


@pytest.mark.slow
@given(polygons())
def test_shares_are_the_areas_of_intersections(polygon: Any) -> None:
    np.testing.assert_allclose(shares_of(polygon), by_intersections(polygon), atol=1e-9)


def test_shares_by_hand() -> None:
    triangle = shapely.Polygon([(0, 0), (2, 0), (0, 2)])
    np.testing.assert_allclose(shares_of(triangle, (2, 2)), [[1, 0.5], [0.5, 0]])
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(0.5, 1, 2, 2))
    np.testing.assert_allclose(shares_of(ring, (3, 3)), [[1, 1, 1], [0.5, 0, 1], [1, 1, 1]])


def test_blocks_are_small_and_make_up_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    polygon = shapely.Point(6, 4).buffer(3.7).difference(shapely.box(5, 3, 7, 5))
    whole = shares_of(polygon)
    monkeypatch.setattr(coverage, "BLOCK_CELLS", 20)
    blocks = list(pixel_coverage(polygon, SHAPE))
    assert len(blocks) > 2
    assert all(block.shares.size <= 20 for block in blocks)
    np.testing.assert_allclose(shares_of(polygon), whole)


@pytest.mark.parametrize(
    "polygon", [shapely.MultiPolygon(), shapely.box(20, 0, 30, 5), shapely.box(0, -9, 5, 0), shapely.box(-3, 0, 0, 5)]
)
def test_nothing_on_the_grid_gives_no_block(polygon: Any) -> None:
    assert not list(pixel_coverage(polygon, SHAPE))
