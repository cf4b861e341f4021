"""The command `spex compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result

from spex_nb import sample_labels
from spex_nb.cli.command import main
from spex_nb.scene.samples import sample_path

pytestmark = pytest.mark.slow


def spex(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", "--model", "index", "--quiet", *map(str, words)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Return a sample scene, and a copy dated later in which a square of dry ground became as water is."""
    before, after = tmp_path / "river_2020-06-01.tif", tmp_path / "river_2021-06-04.tif"
    with rasterio.open(sample_path("river_10m")) as file:
        pixels, profile = file.read(), file.profile
        names, scales, offsets, tags = file.descriptions, file.scales, file.offsets, file.tags()
    water = np.median(pixels[:, sample_labels("river_10m").values == 1], axis=1).astype(pixels.dtype)

    def write(path: Path, layers: Any) -> None:
        with rasterio.open(path, "w", **profile) as file:
            file.write(layers)
            file.descriptions, file.scales, file.offsets = names, scales, offsets
            file.update_tags(**tags)

    write(before, pixels)
    flooded = pixels.copy()
    flooded[:, 30:60, 120:170] = water[:, None, None]
    write(after, flooded)
    return before, after


def test_two_files_become_a_folder_and_an_explanation(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "change"
    result = spex(*pair, "--targets", "water,vegetation", "--output", out)
    assert result.exit_code == 0, result.output
    assert "between 2020-06-01 and 2021-06-04" in result.stdout
    assert f"written to {out}" in result.stderr
    figures = json.loads((out / "change.json").read_text())
    assert [*figures["targets"]] == ["water", "vegetation"]
    assert 1300 <= figures["targets"]["water"]["gained"]["px"] <= 1500
    assert figures["explanation"] in result.stdout
    with rasterio.open(out / "classes.tif") as file:
        assert file.descriptions == ("water", "vegetation")
        assert (file.read(1)[35:55, 125:165] == 1).mean() > 0.9
    regions = gpd.read_file(out / "regions.gpkg")
    assert set(regions["date_after"]) == {"2021-06-04"}

    again = spex(*pair, "--targets", "water", "--output", out)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert json.loads((out / "change.json").read_text()) == figures


def test_an_instruction_chooses_among_the_regions(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "change"
    result = spex(*pair, "--targets", "new water bodies larger than 5 ha", "--output", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Asked for: ")
    regions = gpd.read_file(out / "regions.gpkg")
    matches = regions[regions["matches"]]
    assert len(matches) == 1
    assert matches["change"].item() == "gained"
    assert matches["area_ha"].item() == pytest.approx(14, abs=1.5)


def test_three_files_become_areas_by_date(pair: tuple[Path, Path], tmp_path: Path) -> None:
    third = tmp_path / "river_2022-06-09.tif"
    third.write_bytes(pair[1].read_bytes())
    out = tmp_path / "series"
    result = spex(*pair, third, "--targets", "water", "--output", out)
    assert result.exit_code == 0, result.output
    assert "2020-06-01" in result.stdout
    assert "2022-06-09" in result.stdout
    areas = json.loads((out / "series.json").read_text())["areas"]["water"]
    assert [of_date["date"] for of_date in areas] == ["2020-06-01", "2021-06-04", "2022-06-09"]
    assert 1300 <= areas[1]["area"]["px"] - areas[0]["area"]["px"] <= 1500
    assert areas[1]["area"] == areas[2]["area"]
    with rasterio.open(out / "frequency.tif") as file:
        assert (file.read(1)[35:55, 125:165] == 67).mean() > 0.9
    folder = tmp_path / "by_date"
    folder.mkdir()
    for path in (*pair, third):
        path.rename(folder / path.name)
    again = spex(folder, "--targets", "water", "--output", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert again.stdout == result.stdout
    given = spex(folder, "--targets", "water", "--dates", "2001,2002", "--output", tmp_path / "given")
    assert given.exit_code == 2
    assert "2 dates for 3 scenes" in given.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["BEFORE", "AFTER", "--targets", "wather"], "Did you mean water"),
        (["BEFORE", "nowhere.tif", "--targets", "water"], "Check the path"),
        (["BEFORE", "TOWN", "--targets", "water"], "share no ground"),
        (["BEFORE", "AFTER", "--targets", "water", "--bands", "red"], "nir"),
        (["BEFORE", "AFTER", "--targets", "water", "--clouds"], "quality layer"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    pair: tuple[Path, Path], tmp_path: Path, words: list[str], message: str
) -> None:
    places = {"BEFORE": pair[0], "AFTER": pair[1], "TOWN": sample_path("town_1m")}
    result = spex(*[places.get(word, word) for word in words], "--output", tmp_path / "change")
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "change").exists()


def test_a_command_that_was_killed_before_it_cleaned_up_ends_at_once(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*pair, "--targets", "water", "--output", tmp_path / "change"]
    with monkeypatch.context() as killed:
        killed.setattr("spex_nb.analysis.change.unfinished.UnfinishedComparison.remove", lambda _: None)
        first = spex(*words)
    assert (tmp_path / "change.partial").is_dir()
    again = spex(*words)
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert not (tmp_path / "change.partial").exists()
    once_more = spex(*words)
    assert once_more.exit_code == 2
    assert "The output exists" in once_more.output
