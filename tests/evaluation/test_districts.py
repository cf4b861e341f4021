"""A result by district: areas by hand, whatever the polygons are, and the files of the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from spex_nb import Extraction, check_map, extract, sample_scene, zonal_table
from spex_nb.errors import OutputError
from spex_nb.evaluation import save_zonal_table
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid
from spex_nb.types import Fact

UTM_HA = 0.01 / 0.9996**2
"""Ground of a pixel of 10 m on the central meridian of its zone."""


@pytest.fixture(scope="module")
def sample() -> Extraction:
    return extract(sample_scene("river_10m"), "water and vegetation", "index", progress=False)


@pytest.fixture
def result(sample: Extraction) -> Extraction:
    """Return a map by hand of 20 x 30 pixels: water left, vegetation right, nothing between, no data below."""
    mask = np.zeros((20, 30), np.uint8)
    mask[:, :10], mask[:, 20:], mask[15:] = 1, 2, 255
    grid = Grid(20, 30, Affine(10, 0, 500_000, 0, -10, 5_500_000), CRS.from_epsg(32632))
    return replace(sample, mask=on_grid(xr.DataArray(mask, dims=("y", "x"), name="mask"), grid))


def box(left: float, top: float, right: float, bottom: float) -> Any:
    """Return a rectangle on the map from columns and rows."""
    return shapely.box(500_000 + 10 * left, 5_500_000 - 10 * bottom, 500_000 + 10 * right, 5_500_000 - 10 * top)


def test_pixels_on_the_outline_count_in_part(result: Extraction) -> None:
    row = zonal_table(result, box(8.5, 2.25, 21.5, 6.25)).iloc[0]
    assert row["district_ha"] == pytest.approx(13 * 4 * UTM_HA, rel=1e-6)
    assert row["water_ha"] == pytest.approx(1.5 * 4 * UTM_HA, rel=1e-6)
    assert row["vegetation_ha"] == pytest.approx(1.5 * 4 * UTM_HA, rel=1e-6)
    assert row["water_frac"] == pytest.approx(1.5 / 13)
    assert row[["scene_frac", "measured_frac", "note"]].tolist() == [1, 1, ""]


def test_a_hole_counts_for_nothing_and_parts_count_together(result: Extraction) -> None:
    ring = box(0, 0, 10, 10).difference(box(2, 2, 5, 6))
    parts = shapely.union(box(0, 0, 2, 2), box(28, 0, 30, 5))
    table = zonal_table(result, [ring, parts])
    assert table["water_ha"].tolist() == pytest.approx([88 * UTM_HA, 4 * UTM_HA], rel=1e-6)
    assert table["vegetation_ha"].tolist() == pytest.approx([0, 10 * UTM_HA], rel=1e-6)
    assert table["vegetation_frac"].tolist() == pytest.approx([0, 10 / 14])


def test_what_was_not_measured_is_said_and_is_not_nothing(result: Extraction) -> None:
    half_out, no_data, partly, outside = box(-5, 0, 5, 10), box(0, 16, 10, 20), box(0, 10, 10, 20), box(40, 0, 50, 9)
    table = zonal_table(result, [half_out, no_data, partly, outside])
    assert table["scene_frac"].tolist() == pytest.approx([0.5, 1, 1, 0], abs=1e-6)
    assert table["measured_frac"].tolist() == pytest.approx([0.5, 0, 0.5, 0], abs=1e-6)
    assert table["water_ha"].tolist() == pytest.approx(
        [50 * UTM_HA, np.nan, 50 * UTM_HA, np.nan], nan_ok=True, rel=1e-6
    )
    assert table["water_frac"].tolist() == pytest.approx([1, np.nan, 1, np.nan], nan_ok=True)
    notes = table["note"].tolist()
    assert notes[0].startswith("The scene covers 50.0% of it.")
    assert "The map has no data on 100% of it." in notes[1]
    assert "The map has no data on 50.0% of it." in notes[2]
    assert notes[3] == "It lies outside of the scene: nothing was measured."


def test_bad_polygons_stay_in_the_table_with_a_note(result: Extraction) -> None:
    left, top = 500_000, 5_500_000
    bowtie = shapely.Polygon([(left, top), (left + 100, top - 100), (left + 100, top), (left, top - 100)])
    frame = gpd.GeoDataFrame(
        {"name": list("abcd")}, geometry=[bowtie, None, shapely.Point(left, top), shapely.Polygon()], crs=32632
    )
    table = zonal_table(result, frame)
    assert table["name"].tolist() == list("abcd")
    assert table["water_ha"].tolist() == pytest.approx([50 * UTM_HA, *[np.nan] * 3], nan_ok=True, rel=1e-6)
    assert table["district_ha"].isna().tolist() == [False, True, True, True]
    notes = table["note"].tolist()
    assert "it was invalid and was mended: self-intersection" in notes[0]
    assert "no geometry" in notes[1]
    assert "Point and no polygon" in notes[2]
    assert table.geometry[0].equals_exact(bowtie)


def test_overlapping_districts_are_measured_each_and_said(result: Extraction) -> None:
    table = zonal_table(result, [box(0, 0, 4, 4), box(2, 0, 6, 4), box(6, 0, 10, 4)])
    assert table["water_ha"].tolist() == pytest.approx([16 * UTM_HA] * 3, rel=1e-6)
    overlaps = "It overlaps 1 other polygon: a sum counts that ground twice."
    assert table["note"].tolist() == [overlaps, overlaps, ""]


@pytest.mark.parametrize("crs", [4326, 3035, 32633])
def test_districts_of_another_crs_give_the_same(result: Extraction, crs: int) -> None:
    fine = gpd.GeoDataFrame({"name": ["a"]}, geometry=[shapely.segmentize(box(3.2, 1.1, 25.7, 9.9), 1)], crs=32632)
    here, there = zonal_table(result, fine).iloc[0], zonal_table(result, fine.to_crs(crs))
    assert there.crs == crs
    for name in ("district_ha", "measured_ha", "water_ha", "vegetation_ha", "water_frac"):
        assert there[name][0] == pytest.approx(here[name], rel=1e-5)


def test_the_districts_of_a_partition_add_up_to_the_evidence(sample: Extraction) -> None:
    left, bottom, right, top = sample.mask.rio.bounds()
    middle_x, middle_y = left + (right - left) * 0.337, bottom + (top - bottom) * 0.721
    boxes = [
        shapely.box(*bounds)
        for bounds in (
            (left, bottom, middle_x, middle_y),
            (middle_x, bottom, right, middle_y),
            (left, middle_y, middle_x, top),
            (middle_x, middle_y, right, top),
        )
    ]
    table = zonal_table(sample, boxes)
    for name in sample.class_names:
        area_m2 = sample.evidence[name].area_m2
        assert area_m2 is not None
        assert table[f"{name}_ha"].sum() == pytest.approx(area_m2 / 1e4, rel=1e-7)
        shares = (table[f"{name}_frac"] * table["measured_ha"]).sum() / table["measured_ha"].sum()
        assert shares == pytest.approx(sample.evidence[name].share_frac, rel=1e-5)


def test_without_crs_areas_are_in_pixels(result: Extraction) -> None:
    bare = on_grid(xr.DataArray(result.mask.values, dims=("y", "x")), Grid(20, 30, Affine.identity(), None))
    row = zonal_table(replace(result, mask=bare), (5, 0, 12, 4)).iloc[0]
    assert row["district_px"] == 28
    assert row["water_px"] == pytest.approx(20)


def test_columns_of_the_districts_are_never_overwritten(result: Extraction) -> None:
    frame = gpd.GeoDataFrame({"note": ["mine"], "water_ha": [7]}, geometry=[box(0, 0, 4, 4)], crs=32632)
    row = zonal_table(result, frame).iloc[0]
    assert row["district_note"] == "mine"
    assert row["district_water_ha"] == 7
    assert row["water_ha"] == pytest.approx(16 * UTM_HA, rel=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".gpkg", ".parquet"])
def test_any_names_and_types_of_columns_can_be_written(result: Extraction, tmp_path: Path, suffix: str) -> None:
    columns = {"fid": ["x", "x"], "geom": [1, 1], "Name": ["a", "b"], "name": ["c", "d"], 7: [1, 2], "note": ["", ""]}
    more = {"district_note": ["e", "f"], "day": pd.to_datetime(["2024-05-01"] * 2), "none": [None, None]}
    frame = gpd.GeoDataFrame(columns | more, geometry=[box(0, 0, 4, 4)] * 2, crs=32632, index=[5, 5])
    frame["place"] = gpd.GeoSeries([shapely.Point(1, 2)] * 2, crs=32632, index=frame.index)
    table = zonal_table(result, frame.rename_geometry("shape"))
    names = [str(name).casefold() for name in table.columns]
    assert len(set(names)) == len(names)
    assert table["district_fid"].tolist() == ["x", "x"]
    assert table["place"].tolist() == ["POINT (1 2)"] * 2
    assert save_zonal_table(table, tmp_path / f"table{suffix}").stat().st_size > 0


def test_an_answer_that_cannot_be_trusted_says_so_in_each_row(result: Extraction) -> None:
    fact = Fact("trust", "reflectance", "name", "scene", "scene")
    explanations = tuple(replace(old, facts=(*old.facts, fact)) for old in result.explanations[:1])
    table = zonal_table(replace(result, explanations=explanations), [box(0, 0, 4, 4), box(40, 0, 50, 9)])
    assert table["note"].str.endswith("The answer for water bodies cannot be trusted.").all()


def test_the_table_says_what_its_areas_are_of(sample: Extraction) -> None:
    filtered = extract(sample_scene("river_10m"), "water larger than 1 ha", "index", progress=False)
    notes = zonal_table(filtered, box(0, 0, 1, 1)).attrs["notes"]
    assert any("not all of the land cover" in note for note in notes)
    check = check_map(sample, 20)
    for point in range(20):
        check = check.answer(point, "water")
    notes = zonal_table(check.apply(), box(0, 0, 1, 1)).attrs["notes"]
    assert any("for no single district" in note for note in notes)
    assert not any("single district" in note for note in zonal_table(sample, box(0, 0, 1, 1)).attrs["notes"])


def test_no_district_gives_an_empty_table(result: Extraction) -> None:
    table = zonal_table(result, gpd.GeoDataFrame({"name": []}, geometry=[], crs=32632))
    assert len(table) == 0
    assert {"name", "district_ha", "water_ha", "water_frac", "note"} <= set(table.columns)


@pytest.mark.parametrize("suffix", [".csv", ".gpkg", ".parquet"])
def test_a_table_is_written_whole_in_three_formats(result: Extraction, tmp_path: Path, suffix: str) -> None:
    frame = gpd.GeoDataFrame({"name": ["ä", "b"]}, geometry=[box(0, 0, 4, 4), box(40, 0, 50, 9)], crs=32632)
    table = zonal_table(result, frame)
    path = save_zonal_table(table, tmp_path / f"table{suffix}")
    read = {".csv": pd.read_csv, ".gpkg": pyogrio.read_dataframe, ".parquet": gpd.read_parquet}[suffix]
    stored = read(path, layer="districts") if suffix == ".gpkg" else read(path)
    assert stored["name"].tolist() == ["ä", "b"]
    assert stored["water_ha"].tolist() == pytest.approx(table["water_ha"].tolist(), nan_ok=True)
    assert stored["note"].fillna("").tolist() == table["note"].tolist()
    if suffix == ".gpkg":
        notes = pyogrio.read_dataframe(path, layer="notes")["note"].tolist()
        assert notes == table.attrs["notes"]
    with pytest.raises(OutputError, match="allow overwriting"):
        save_zonal_table(table, path)
    assert save_zonal_table(table, path, overwrite=True) == path


def test_other_formats_are_refused(result: Extraction, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.csv, \.gpkg, \.parquet"):
        save_zonal_table(zonal_table(result, box(0, 0, 4, 4)), tmp_path / "table.xlsx")
