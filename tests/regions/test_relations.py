"""Relations between regions and other land cover, and shapes, on scenes drawn by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from spex_nb.errors import RegionError
from spex_nb.regions.filters import apply_filters, filter_classes
from spex_nb.regions.find import find_regions
from spex_nb.regions.shape import elongation, is_elongated
from spex_nb.types import (
    AdjacentFilter,
    BetweenFilter,
    DirectionFilter,
    EnclosedFilter,
    Filter,
    Instruction,
    RankFilter,
    Region,
    ShapeFilter,
)

SIZE = 120
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_500_000)
ROTATED = Affine.translation(500_000, 5_500_000) @ Affine.rotation(90) @ Affine.scale(10, -10)


def scene(transform: Affine | None = NORTH_UP) -> xr.Dataset:
    made = xr.Dataset({"green": (("y", "x"), np.full((SIZE, SIZE), 0.1, "float32"))})
    return made if transform is None else made.rio.write_crs("EPSG:32632").rio.write_transform(transform)


def pixels(*blocks: Any) -> NDArray[np.bool_]:
    mask = np.zeros((SIZE, SIZE), bool)
    for block in blocks:
        mask[block] = True
    return mask


def region(*blocks: Any) -> Region:
    (found,) = find_regions(pixels(*blocks))
    return found


def kept(regions: list[Region], wanted: Filter, transform: Affine | None = NORTH_UP, **masks: Any) -> list[int]:
    instruction = Instruction("", "en", ("water",), (), (wanted,))
    return [regions.index(one) for one in apply_filters(regions, instruction, scene(transform), masks=masks)]


ROAD = pixels(np.s_[:, 58:62])
WEST, EAST = np.s_[50:60, 20:30], np.s_[50:60, 90:100]


def test_west_of_a_road_is_on_its_western_side() -> None:
    regions = [region(WEST), region(EAST)]
    assert kept(regions, DirectionFilter("road", "west"), road=ROAD) == [0]
    assert kept(regions, DirectionFilter("road", "east"), road=ROAD) == [1]
    assert kept(regions, DirectionFilter("road", "west", inside=False), road=ROAD) == [1]
    assert kept(regions, DirectionFilter("road", "north"), road=ROAD) == []


def test_compass_words_mean_the_map_and_sides_mean_the_picture() -> None:
    regions = [region(WEST), region(EAST)]
    assert kept(regions, DirectionFilter("road", "left"), ROTATED, road=ROAD) == [0]
    assert kept(regions, DirectionFilter("road", "west"), ROTATED, road=ROAD) == []
    assert kept(regions, DirectionFilter("road", "left"), None, road=ROAD) == [0]
    with pytest.raises(RegionError, match="ask for a side in the picture"):
        kept(regions, DirectionFilter("road", "west"), None, road=ROAD)


def test_a_direction_reaches_sixty_degrees_to_either_side() -> None:
    pond = pixels(np.s_[60:61, 60:61])
    regions = [region(np.s_[60 + down : 61 + down, 40:41]) for down in (0, 30, 40)]  # 0, 56 and 63 degrees
    assert kept(regions, DirectionFilter("snow", "west"), snow=pond) == [0, 1]
    assert kept(regions, DirectionFilter("snow", "south-west"), snow=pond) == [0, 1, 2]


def test_without_the_other_target_nothing_lies_beside_it() -> None:
    nothing = pixels()
    for wanted in (DirectionFilter("road", "west"), AdjacentFilter("road"), EnclosedFilter("road")):
        assert kept([region(WEST)], wanted, road=nothing) == []
    assert kept([region(WEST)], BetweenFilter("road", "snow"), road=ROAD, snow=nothing) == []


def test_next_to_is_at_most_two_pixels_away() -> None:
    regions = [region(np.s_[10:20, 62 + gap : 70 + gap]) for gap in (0, 2, 3)]
    assert kept(regions, AdjacentFilter("road"), road=ROAD) == [0, 1]
    assert kept(regions, AdjacentFilter("road", inside=False), road=ROAD) == [2]


def test_a_region_is_within_what_surrounds_most_of_its_border() -> None:
    city = pixels(np.s_[20:60, 20:60])
    park, outskirts, far = region(np.s_[30:40, 30:40]), region(np.s_[30:40, 55:80]), region(np.s_[90:99, 90:99])
    city[30:40, 30:40] = False
    assert kept([park, outskirts, far], EnclosedFilter("built_up"), built_up=city) == [0]
    assert kept([park, outskirts, far], EnclosedFilter("built_up", inside=False), built_up=city) == [1, 2]


def test_between_is_with_one_on_each_side() -> None:
    lake = pixels(np.s_[:, 0:10])
    regions = [region(WEST), region(EAST)]
    assert kept(regions, BetweenFilter("road", "water"), road=ROAD, water=lake) == [0]
    assert kept(regions, BetweenFilter("road", "water", inside=False), None, road=ROAD, water=lake) == [1]


RIVER = np.s_[:, 57:61]


def test_lakes_are_compact_and_rivers_are_elongated_or_run_through_the_picture() -> None:
    disc = find_regions(np.hypot(*(np.mgrid[:SIZE, :SIZE] - 60)) < 25)[0]
    winding = np.zeros((SIZE, SIZE), bool)
    for x in range(20, 100):
        y = 60 + round(20 * np.sin(x / 8))
        winding[y - 2 : y + 3, x] = True
    (stream,) = find_regions(winding)
    assert elongation(disc) == pytest.approx(0.8, abs=0.1)
    assert elongation(region(np.s_[10:12, 10:50])) == pytest.approx(20, rel=0.01)
    assert is_elongated(stream)
    assert not is_elongated(disc)
    assert is_elongated(region(np.s_[:, 30:90]))  # in at the top, out at the bottom
    assert not is_elongated(region(np.s_[:40, :40]))  # a corner
    assert not is_elongated(region(np.s_[30:90, 80:]))  # one side
    assert not is_elongated(region(np.s_[20:50, :20], np.s_[20:30, :60], np.s_[70:100, :20], np.s_[20:100, 8:60]))
    regions = [region(RIVER), region(WEST)]
    assert kept(regions, ShapeFilter("elongated")) == [0]
    assert kept(regions, ShapeFilter("compact")) == [1]


def test_lakes_west_of_the_river_are_told_from_the_river_by_its_shape() -> None:
    water = pixels(RIVER, WEST, EAST)
    regions = [region(RIVER), region(WEST), region(EAST)]
    assert kept(regions, DirectionFilter("water", "west", shape="elongated"), water=water) == [1]


def test_ranks_by_length_start_anywhere_and_can_be_left_out() -> None:
    regions = [region(np.s_[10:40, 10:40]), region(np.s_[60:65, 10:60]), region(np.s_[80:90, 10:20])]
    assert kept(regions, RankFilter("longest")) == [1]
    assert kept(regions, RankFilter("largest")) == [0]
    assert kept(regions, RankFilter("largest", 1, 2)) == [1]
    assert kept(regions, RankFilter("largest", inside=False)) == [1, 2]
    assert kept(regions, RankFilter("shortest"), None) == [2]


def test_own_filters_hold_for_their_class_alone() -> None:
    lakes, forests = [region(WEST), region(RIVER)], [region(EAST), region(np.s_[0:5, 0:5])]
    own = {"water": (ShapeFilter("compact"),), "vegetation": (RankFilter("smallest"),)}
    instruction = Instruction("", "en", ("water", "vegetation"), own_filters=own)
    classes = {"water": lakes, "vegetation": forests}
    assert filter_classes(classes, instruction, scene()) == [[lakes[0]], [forests[1]]]
