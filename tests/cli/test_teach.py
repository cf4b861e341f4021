"""The command `spex teach`, and its class in `spex extract`."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner, Result

from spex_nb import load_extraction, load_taught
from spex_nb.cli.command import main
from tests.analysis.teaching.conftest import BANDS, centres, covers_of, scene_of


def spex(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a scene, and examples of yes and no as GeoJSON and GeoPackage."""
    folder = tmp_path_factory.mktemp("files")
    covers = covers_of()
    scene = scene_of(covers)
    transform = rasterio.transform.from_origin(500_000, 5_000_000, 30, 30)
    counts = np.stack([np.clip(scene[band].values, 0, 1) * 10_000 for band in BANDS]).astype(np.uint16)
    profile = {"driver": "GTiff", "height": 96, "width": 96, "count": 6, "dtype": "uint16"}
    with rasterio.open(folder / "lake.tif", "w", **profile, crs="EPSG:32633", transform=transform) as file:
        file.write(counts)
        file.descriptions = BANDS

    def write(name: str, positions: list[tuple[int, int]]) -> None:
        points = [shapely.Point(transform @ (x + 0.5, y + 0.5)) for x, y in positions]
        table = gpd.GeoDataFrame(geometry=points, crs="EPSG:32633")
        table.to_crs("EPSG:4326").to_file(folder / name)

    write("yes.geojson", centres(covers, 0, 6))
    write("no.gpkg", [position for number in (1, 2, 3) for position in centres(covers, number, 2)])
    return folder


def taught(files: Path, *words: str | Path) -> Result:
    examples = ["--yes", files / "yes.geojson", "--no", files / "no.gpkg", "--scale", "0.0001"]
    return spex("teach", files / "lake.tif", "reeds", *examples, *words)


@pytest.mark.slow
def test_examples_in_files_teach_a_class_that_extract_takes(files: Path, tmp_path: Path) -> None:
    place = tmp_path / "reeds.spex-class"
    outcome = taught(files, "-o", place, "--also-called", "de=Schilf", "--other-than", "water", "--places", "2")
    assert outcome.exit_code == 0, outcome.output
    assert "Estimated IoU" in outcome.output
    assert outcome.output.count("look at column") == 2
    assert load_taught(place).names == {"de": ("Schilf",)}
    words = ["Schilf größer als 1 ha", "--taught", place, "--scale", "0.0001", "--model", "index", "--quiet"]
    outcome = spex("extract", files / "lake.tif", *words, "-o", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.output
    result = load_extraction(tmp_path / "out" / "lake")
    truth = covers_of() == 0
    mask = result.mask.values == 1
    assert (mask & truth).sum() / (mask | truth).sum() > 0.7
    assert "done before" in spex("extract", files / "lake.tif", *words, "-o", tmp_path / "out").output
    other = taught(files, "-o", tmp_path / "other.spex-class", "--also-called", "de=Schilf")
    assert other.exit_code == 0
    changed = ["Schilf größer als 1 ha", "--taught", tmp_path / "other.spex-class", *words[3:]]
    assert "other taught" in spex("extract", files / "lake.tif", *changed, "-o", tmp_path / "out").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--also-called", "Schilf"], "write LANGUAGE=NAME"),
        (["--also-called", "xx=Schilf"], "not spoken here"),
        (["--color", "red"], "six hexadecimal digits"),
        (["--other-than", "moon"], "Unknown target"),
        (["-o", "reeds.txt"], "spex-class"),
    ],
)
def test_bad_options_say_what_to_do(files: Path, words: list[str], message: str) -> None:
    outcome = taught(files, *words)
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_a_class_that_is_missing_or_damaged_is_one_sentence(files: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.spex-class"
    broken.write_bytes(b"PK")
    for place, message in ((tmp_path / "none.spex-class", "Check the path"), (broken, "Get the file again")):
        outcome = spex("extract", files / "lake.tif", "reeds", "--taught", place, "-o", tmp_path / "out")
        assert outcome.exit_code == 2
        assert message in outcome.output
