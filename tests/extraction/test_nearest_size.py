"""Which region comes nearest to a size that none has."""

from __future__ import annotations

from typing import Any

import pytest

from spex_nb import find_regions
from spex_nb.extraction.facts.nearest_size import nearest_in_size
from spex_nb.types import AreaFilter, PlaceFilter
from tests.extraction.test_extract_scene import squares


@pytest.mark.parametrize(
    ("bounds", "side"),
    [
        ([AreaFilter(">", 500, "px")], 20),
        ([AreaFilter("<", 50, "px")], 10),
        ([AreaFilter(">=", 110, "px"), AreaFilter("<=", 120, "px")], 10),
        ([AreaFilter(">=", 300, "px"), AreaFilter("<=", 390, "px")], 20),
        ([AreaFilter(">", 50, "px")], None),
        ([PlaceFilter("north")], None),
        ([], None),
    ],
)
def test_the_nearest_in_size_is_that_with_the_least_ratio_to_the_bounds(bounds: list[Any], side: int | None) -> None:
    regions = find_regions(squares((60, 60), (5, 5, 10), (30, 30, 20)) > 0.5, top=None)
    nearest = nearest_in_size(regions, bounds)
    assert (None if nearest is None else nearest.area_px) == (None if side is None else side**2)
    assert nearest_in_size([], bounds) is None
