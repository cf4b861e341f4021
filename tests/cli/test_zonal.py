"""The command `spex zonal`."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from spex_nb import extract, load_extraction, sample_scene, zonal_table
from spex_nb.cli.command import main


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapped") / "result"
    extract(sample_scene("river_10m"), "water", "index", progress=False).save(folder)
    return folder


@pytest.fixture(scope="module")
def districts(result: Path) -> Path:
    left, bottom, right, top = load_extraction(result).mask.rio.bounds()
    shapes = [shapely.box(left - 500, bottom, left + 1000, top), shapely.box(right + 1000, bottom, right + 2000, top)]
    frame = gpd.GeoDataFrame({"name": ["west", "far"]}, geometry=shapes, crs=32632).to_crs(4326)
    frame.to_file(result.parent / "districts.geojson")
    return result.parent / "districts.geojson"


def test_the_table_is_printed_or_written(result: Path, districts: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    printed = run(main, ["zonal", str(result), str(districts)])
    assert printed.exit_code == 0, printed.output
    table = pd.read_csv(io.StringIO(printed.stdout))
    expected = zonal_table(load_extraction(result), districts)
    assert table["name"].tolist() == ["west", "far"]
    assert table["water_ha"].tolist() == pytest.approx(expected["water_ha"].tolist(), nan_ok=True)
    assert "counted on the mask of" in printed.stderr

    output = tmp_path / "table.gpkg"
    written = run(main, ["zonal", str(result), str(districts), "--output", str(output)])
    assert written.exit_code == 0, written.output
    assert f"2 districts written to {output}, 2 of them with a note" in written.stderr
    assert gpd.read_file(output, layer="districts")["note"][1].startswith("It lies outside of the scene")


def test_bad_input_ends_with_one_sentence(result: Path, districts: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text('name,WKT\na,"POLYGON ((0 0, 1 0, 1 1, 0 0))"\n')
    refused = CliRunner().invoke(main, ["zonal", str(result), str(tmp_path / "bare.csv")])
    assert refused.exit_code == 2
    assert "Give it by crs= (--crs)" in refused.stderr
    suffix = CliRunner().invoke(main, ["zonal", str(result), str(districts), "-o", str(tmp_path / "table.xlsx")])
    assert suffix.exit_code == 2
    assert "Change the suffix" in suffix.stderr
