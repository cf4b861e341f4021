"""`spex extract --aoi`: a file or four numbers, and a result of one area that is not taken for that of another."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner, Result

from spex_nb import load_extraction
from spex_nb.cli.command import main
from spex_nb.scene.samples import sample_path

AREA = shapely.box(604_300, 5_310_000, 605_700, 5_311_000)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return Path(shutil.copy(sample_path("river_10m"), tmp_path))


def spex(scene: Path, *words: str | Path) -> Result:
    out = ["--out", str(scene.parent / "out")]
    command = ["extract", "--model", "index", "--quiet", str(scene), "water", *out, *map(str, words)]
    return CliRunner().invoke(main, command)


@pytest.mark.slow
def test_a_file_and_four_numbers_give_the_same_area(scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "area.geojson"
    gpd.GeoSeries([shapely.segmentize(AREA, 10)], crs=32632).to_crs(4326).to_file(path)
    done = spex(scene, "--aoi", path)
    assert done.exit_code == 0, done.output
    assert "of the area of interest" in done.stdout
    first = load_extraction(tmp_path / "out" / "river_10m").mask.values
    again = spex(scene, "--aoi", path)
    assert "done before" in again.stderr
    numbers = spex(scene, "--aoi", "604300,5310000,605700,5311000", "--overwrite")
    assert numbers.exit_code == 0, numbers.output
    second = load_extraction(tmp_path / "out" / "river_10m").mask.values
    assert (first != second).mean() < 1e-4
    assert (second != 255).sum() == 140 * 100


@pytest.mark.slow
def test_a_result_of_another_area_is_not_taken_for_done(scene: Path) -> None:
    assert spex(scene, "--aoi", "604300,5310000,605700,5311000").exit_code == 0
    for words in ([], ["--aoi", "604300,5310000,605700,5311010"]):
        other = spex(scene, *words)
        assert other.exit_code == 1
        assert "other parameters" in other.stderr


def test_an_area_outside_and_a_missing_file_say_what_to_do(scene: Path) -> None:
    outside = spex(scene, "--aoi", "9,48,10,49")
    assert outside.exit_code == 1
    assert "--aoi-crs EPSG:4326" in outside.stderr
    missing = spex(scene, "--aoi", "nowhere.gpkg")
    assert missing.exit_code == 1
    assert "Check the path" in missing.stderr
