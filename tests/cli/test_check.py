"""The commands `spex check draw` and `spex check report`."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from click.testing import CliRunner

from spex_nb import check_map, extract, load_extraction, sample_scene
from spex_nb.cli.command import main


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked") / "result"
    extract(sample_scene("river_10m"), "water", "index", progress=False).save(folder)
    return folder


@pytest.mark.slow
def test_points_are_drawn_answered_elsewhere_and_reported(result: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    points, second = tmp_path / "check.gpkg", tmp_path / "second.gpkg"
    drawn = run(main, ["check", "draw", str(result), "-o", str(points), "-n", "20", "--seed", "2"])
    assert drawn.exit_code == 0, drawn.output
    assert "20 points written" in drawn.stderr
    unanswered = run(main, ["check", "report", str(result), str(points)])
    assert unanswered.exit_code == 2
    assert "Answer some points" in unanswered.stderr

    frame = gpd.read_file(points, layer="points")
    frame["answer"] = ["water", "other"] * 10
    frame.drop(columns="geometry").to_csv(tmp_path / "answers.csv", index=False)
    check_map(load_extraction(result), 20, seed=2).answer(0, "water").answer(1, "water").save(second)
    words = ["check", "report", str(result), str(points), "--answers", str(tmp_path / "answers.csv")]
    words += ["--person", str(second), "--versus", str(result), "--save", str(tmp_path / "checked")]
    reported = run(main, words)
    assert reported.exit_code == 0, reported.output
    assert "20 answered" in reported.stdout
    assert "users_frac" in reported.stdout
    assert "agree on 50% of 2 points" in reported.stdout
    assert "do not show which map is better" in reported.stdout
    assert load_extraction(tmp_path / "checked").evidence["water"].area_interval is not None
