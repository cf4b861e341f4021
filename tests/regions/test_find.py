"""Regions of a mask: found, measured, ordered and put on the map."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label, regionprops

from spex_nb.errors import RegionError
from spex_nb.regions.find import (
    SIZE_WORDS,
    find_regions,
    location_word,
    region_attributes,
    region_mask,
    region_polygon,
    regions_frame,
    size_word,
)

ROTATED = Affine.translation(500_000, 5_500_000) @ Affine.rotation(30) @ Affine.scale(10)
MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def on_map(pixels: Any, transform: Affine, crs: str) -> xr.DataArray:
    return xr.DataArray(pixels, dims=("y", "x")).rio.write_crs(crs).rio.write_transform(transform)


def test_a_one_pixel_region_has_its_exact_centroid_and_its_own_pixel_as_rectangle() -> None:
    mask = np.zeros((40, 80), bool)
    mask[30, 70] = True
    (region,) = find_regions(mask)
    assert (region.area_px, region.centroid_px) == (1, (70.5, 30.5))
    assert region.rectangle_px == ((70, 30), (71, 30), (71, 31), (70, 31))
    assert region.location == "bottom-right"
    assert region_attributes(region).centroid_frac == (round(70.5 / 80, 3), round(30.5 / 40, 3))


def test_everything_of_a_region_measured_by_hand() -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[1, 1:4] = mask[2, 1] = 1
    index = xr.DataArray(np.arange(36.0).reshape(6, 6), dims=("y", "x"), name="NDWI")
    index[1, 3] = np.nan
    (region,) = find_regions(mask, index=index)
    assert region.area_px == 4
    assert region.centroid_px == ((1.5 + 2.5 + 3.5 + 1.5) / 4, (1.5 * 3 + 2.5) / 4)
    assert region.share_frac == 4 / 36
    assert (region.index_name, region.mean_index) == ("NDWI", np.mean([7, 8, 13]))
    assert region.spread_index == pytest.approx(np.std([7, 8, 13]))
    assert region.runs.tolist() == [[1, 1, 4], [2, 1, 2]]


def test_pixels_that_meet_at_a_corner_belong_together_only_with_eight_neighbours() -> None:
    mask = np.eye(4, dtype=bool)
    assert [r.area_px for r in find_regions(mask)] == [4]
    assert [r.area_px for r in find_regions(mask, connectivity=4)] == [1, 1, 1, 1]


def test_largest_first_then_in_reading_order() -> None:
    mask = np.zeros((5, 9), bool)
    mask[0, 8] = mask[2, 0] = mask[2, 4] = True
    mask[4, 2:4] = True
    assert [r.centroid_px for r in find_regions(mask)] == [(3, 4.5), (8.5, 0.5), (0.5, 2.5), (4.5, 2.5)]
    assert len(find_regions(mask, top=2)) == 2
    assert [r.area_px for r in find_regions(mask, min_area_px=2)] == [2]


def test_pixels_that_are_not_valid_belong_to_no_region() -> None:
    valid = np.ones((4, 4), bool)
    valid[:, 1] = False
    assert [r.area_px for r in find_regions(np.ones((4, 4), bool), valid)] == [8, 4]


@given(MASKS, st.sampled_from([4, 8]))
def test_areas_and_centroids_equal_those_of_scikit_image(mask: Any, connectivity: Any) -> None:
    expected = regionprops(label(mask, connectivity=connectivity // 4))
    found = find_regions(mask, connectivity=connectivity, top=None)
    ours = sorted((r.area_px, *np.round(r.centroid_px, 9)) for r in found)
    theirs = sorted((int(p.area), *np.round([p.centroid[1] + 0.5, p.centroid[0] + 0.5], 9)) for p in expected)
    assert ours == theirs


@given(MASKS)
def test_regions_hold_exactly_the_pixels_of_the_mask_and_come_in_a_fixed_order(mask: Any) -> None:
    found = find_regions(mask, top=None)
    assert (region_mask(found, mask.shape) == mask).all()
    firsts = [(-r.area_px, *r.runs[0, :2]) for r in found]
    assert firsts == sorted(firsts)


@given(MASKS)
def test_the_outline_of_a_region_is_valid_and_has_its_area(mask: Any) -> None:
    for region in find_regions(mask, top=None):
        outline = region_polygon(region)
        assert shapely.is_valid(outline)
        assert outline.area == region.area_px
        assert np.allclose(shapely.centroid(outline).coords[0], region.centroid_px)


@given(MASKS.filter(lambda mask: mask.any()))
def test_the_rectangle_is_the_least_of_all_that_touch_the_hull_along_an_edge(mask: Any) -> None:
    for region in find_regions(mask, top=None):
        ours = shapely.Polygon(region.rectangle_px)
        hull = shapely.convex_hull(region_polygon(region))
        corners = shapely.get_coordinates(hull)
        areas = []
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            along = np.array([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0)
            turned = corners @ np.array([[along[0], -along[1]], [along[1], along[0]]])
            areas.append(np.prod(np.ptp(turned, axis=0)))
        assert ours.area == pytest.approx(min(areas))
        assert ours.buffer(1e-6).contains(hull)


def test_the_rectangle_of_a_slanting_region_slants_and_starts_at_the_upper_left() -> None:
    (region,) = find_regions(np.eye(20, dtype=bool))
    corners = np.array(region.rectangle_px)
    assert np.allclose(corners, [[0.5, -0.5], [20.5, 19.5], [19.5, 20.5], [-0.5, 0.5]])
    assert shapely.Polygon(corners).area == pytest.approx(40)


@pytest.mark.parametrize(
    ("area_px", "word"),
    [(421, "very tiny"), (1_135, "small"), (1_728, "medium"), (2_753, "somewhat large"), (5_437, "large")],
)
def test_size_words_agree_with_the_largest_regions_that_spex_published(area_px: int, word: str) -> None:
    assert size_word(area_px / 512**2) == word


def test_size_words_rise_and_cover_every_share() -> None:
    assert list(SIZE_WORDS.values()) == sorted(SIZE_WORDS.values())
    assert size_word(0.0) == "very tiny"
    assert size_word(1.0) == "huge"


def test_the_grid_of_places_is_cut_at_thirds() -> None:
    assert location_word(0.33, 0.33) == "top-left"
    assert location_word(0.34, 0.5) == "center"
    assert location_word(1.0, 0.5) == "middle-right"
    assert location_word(0.5, 0.99) == "bottom-center"


@pytest.mark.parametrize(
    ("transform", "crs", "square_metres"),
    [
        # A UTM pixel of 10 m: at the central meridian the map is 0.9996 of the ground.
        (Affine(10, 0, 500_000, 0, -10, 5_500_000), "EPSG:32632", 100 / 0.9996**2),
        (Affine(10, 0, 500_000, 0, 10, 5_500_000), "EPSG:32632", 100 / 0.9996**2),
        (ROTATED, "EPSG:32632", 100 / 0.9996**2),
        # One thousandth of a degree at 60 degrees north on WGS84: 111.412 km and 55.800 km a degree.
        (Affine(0.001, 0, 10, 0, -0.001, 60.01), "EPSG:4326", 111.412 * 55.800),
    ],
)
def test_areas_on_the_ground_whatever_the_grid(transform: Affine, crs: str, square_metres: float) -> None:
    mask = np.zeros((20, 20), bool)
    mask[9:11, 9:12] = True
    (region,) = find_regions(on_map(mask, transform, crs))
    assert region.area_m2 == pytest.approx(6 * square_metres, rel=2e-4)


def test_the_area_of_a_tall_region_on_a_geographic_grid_follows_the_latitude() -> None:
    mask = on_map(np.ones((90, 1), bool), Affine(1, 0, 0, 0, -1, 90), "EPSG:4326")
    (region,) = find_regions(mask)
    assert region.area_m2 == pytest.approx(510.0656e12 / 2 / 360, rel=1e-3)  # a 360th of half of the Earth


def test_without_a_crs_there_are_no_square_metres() -> None:
    assert find_regions(np.ones((2, 2), bool))[0].area_m2 is None


def test_regions_become_a_table_in_the_crs_of_the_scene() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:4, 5:9] = mask[10, 10] = mask[11, 11] = True
    scene = on_map(mask, Affine(10, 0, 500_000, 0, -10, 5_500_000), "EPSG:32632")
    frame = regions_frame(find_regions(scene), scene)
    assert frame.crs == "EPSG:32632"
    assert frame["area_px"].tolist() == [8, 2]
    assert frame.geometry.area.tolist() == [800, 200]
    assert frame.total_bounds.tolist() == [500_050, 5_499_880, 500_120, 5_499_980]
    assert frame.geometry.geom_type.tolist() == ["Polygon", "MultiPolygon"]


def test_a_table_of_no_regions_has_its_columns() -> None:
    frame = regions_frame([], xr.DataArray(np.zeros((3, 3), bool), dims=("y", "x")))
    assert len(frame) == 0
    assert {"area_px", "area_m2", "mean_index", "geometry"} <= set(frame.columns)


def test_an_empty_mask_has_no_region() -> None:
    assert find_regions(np.zeros((5, 5), bool), index=np.zeros((5, 5))) == []
    assert find_regions(np.zeros((0, 5), bool)) == []


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.full((3, 3), 0.5), {}, "Compare first"),
        (np.full((3, 3), 255, np.uint8), {}, "from 255 to 255"),
        (np.zeros((3, 3, 1), bool), {}, r"\[H, W\]"),
        (np.zeros((3, 3), bool), {"valid": np.ones((2, 3), bool)}, "mask and valid differ"),
        (np.zeros((3, 3), bool), {"index": np.ones((2, 3))}, "mask and index differ"),
        (np.zeros((3, 3), bool), {"connectivity": 6}, "connectivity 4 or 8"),
        (np.zeros((3, 3), bool), {"top": 0}, "None for all"),
    ],
)
def test_what_is_no_mask_is_refused(mask: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RegionError, match=message):
        find_regions(mask, **options)


def test_regions_of_another_grid_make_no_table() -> None:
    with pytest.raises(RegionError, match="covers the whole scene"):
        regions_frame(find_regions(np.ones((2, 2), bool)), xr.DataArray(np.zeros((3, 3)), dims=("y", "x")))
