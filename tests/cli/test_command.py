"""The command `spex` and the demo, through their real doors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result
from matplotlib.image import imread

from spex_nb import compute_index, sample_scene
from spex_nb.cli.command import main
from spex_nb.scene.samples import sample_path


def spex(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_info_says_what_a_file_is() -> None:
    result = spex("info", str(sample_path("town_1m")), "--sensor", "naip")
    assert result.exit_code == 0
    for words in ("384 rows x 384 columns", "EPSG:26917, 1 m", "naip (given", "relative reflectance", "not calibrated"):
        assert words in result.output


def test_info_as_json() -> None:
    facts = json.loads(spex("info", str(sample_path("river_10m")), "--json").output)
    assert "swir16 1.610 µm" in facts["bands"]
    assert facts["radiometry"].startswith("reflectance = raw * 0.0001 -0.1")


def test_index_writes_what_python_computes(tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    result = spex("index", str(sample_path("river_10m")), "NDVI", "(nir - red) / 2", "-o", str(out), "--quiet")
    assert result.exit_code == 0, result.output
    with rasterio.open(out) as file:
        np.testing.assert_array_equal(file.read(1), compute_index(sample_scene("river_10m"), "NDVI").values)
        assert file.count == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "nowhere.tif"], "Check the path"),
        (["index", "SCENE", "NDVII", "-o", "OUT"], "Did you mean NDVI"),
        (["index", "SCENE", "__import__('os')", "-o", "OUT"], "no band arithmetic"),
        (["index", "SCENE", "NDVI", "-o", "missing/out.tif"], "Create it"),
        (["info", "SCENE", "--sensor", "landsat88"], "Did you mean landsat8"),
    ],
)
def test_bad_input_ends_with_a_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    places = {"SCENE": str(sample_path("river_10m")), "OUT": str(tmp_path / "out.tif")}
    result = spex(*[places.get(word, word) for word in words])
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_indices_lists_what_a_scene_allows() -> None:
    everything, mine = spex("indices").output, spex("indices", str(sample_path("town_1m")), "--domain", "water").output
    assert len(everything.splitlines()) == 280
    assert "NDWI" in mine
    assert "MNDWI" not in mine


@pytest.mark.slow
def test_report_through_a_real_process() -> None:
    done = subprocess.run([sys.executable, "-m", "spex_nb.cli", "report"], capture_output=True, text=True, check=True)
    assert "GDAL drivers" in done.stdout


@pytest.mark.slow
def test_demo_writes_pictures_rasters_and_polygons(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "spex_nb.cli.demo", "--output", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "areas and places are in pixels" in done.stdout
    assert "masas de agua, solo las 2 mayores" in done.stdout
    assert "evidence of built_up: " in done.stdout
    out = tmp_path / "out"
    assert len(list(out.glob("*.png"))) == 9
    assert all(imread(path).std() > 0.05 for path in out.glob("*.png"))
    assert len(list(out.glob("*.html"))) == 3
    with rasterio.open(out / "river_10m_water_and_built_up.tif") as file:
        assert set(np.unique(file.read(1))) == {0, 1, 2, 255}
    lakes = gpd.read_file(out / "river_10m_masas_de_agua.gpkg", layer="regions")
    assert lakes.crs.to_epsg() == 32632
    assert len(lakes) == 2
    assert lakes["area_m2"].sum() > 400_000
