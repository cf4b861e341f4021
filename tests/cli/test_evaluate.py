"""The command `spex eval`, through its real door."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from spex_nb.cli.command import main
from spex_nb.evaluation.baselines import BASELINES, UNET_STEPS

pytestmark = pytest.mark.slow


def test_a_process_writes_table_json_and_html(squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="boosting needs the extra [evaluation]")
    (tmp_path / "names.txt").write_text("v0\nv2\n")
    words = [
        "eval",
        "index",
        str(squares),
        "--targets",
        "water,vegetation",
        "--baselines",
        "fixed,tuned,otsu,boosting",
        "--subset",
        f"good={tmp_path / 'names.txt'}",
        "--explain",
        "1",
        "--languages",
        "en,hi",
        "--json",
        str(tmp_path / "out.json"),
        "--report",
        str(tmp_path / "out.html"),
        "--quiet",
    ]
    done = subprocess.run([sys.executable, "-m", "spex_nb.cli", *words], capture_output=True, text=True, check=True)
    assert "4 tiles of 2 places, split val; priors: index" in done.stdout
    assert "MNDWI > 0" in done.stdout
    assert done.stderr.splitlines() == [
        f"report written to {tmp_path / 'out.html'}",
        f"figures written to {tmp_path / 'out.json'}",
    ]
    said = json.loads((tmp_path / "out.json").read_text())
    assert set(said["models"]) == {"index", "NDWI > 0", "MNDWI > 0", "NDVI > 0.2", "tuned", "otsu", "boosting"}
    assert {row["subset"] for row in said["table"]} == {"all", "good"}
    assert said["subsets"]["good"] == ["own-v0-0-0", "own-v2-0-0"]
    assert len(said["explanations"]) == 2
    assert (tmp_path / "out.html").read_text().count("data:image/png;base64,") >= 10


def test_options_reach_the_evaluation(squares: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    words = [
        "eval",
        "index",
        str(squares),
        "--priors",
        "swapped",
        "--attributes",
        "withheld",
        "--bands",
        "green,nir",
        "--datasets",
        "own",
        "--targets",
        "water",
        "--split",
        "train",
        "--seed",
        "3",
    ]
    done = CliRunner().invoke(main, [*words, "--quiet", "--json", str(path)])
    assert done.exit_code == 0, done.output
    said = json.loads(path.read_text())
    assert said["condition"] == {"priors": "swapped", "attributes": "withheld", "bands": ["green", "nir"]}
    assert (said["split"], said["seed"], len(said["tiles"])) == ("train", 3, 2)


def test_help_says_what_is_there() -> None:
    text = CliRunner().invoke(main, ["eval", "--help"]).output
    assert all(name in text for name in BASELINES)
    assert f"[default: {UNET_STEPS};" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baselines", "bosting"], "Did you mean boosting"),
        (["--targets", "watre"], "Did you mean water"),
        (["--subset", "names.txt"], "not of the form NAME=FILE"),
        (["--subset", "good=missing.txt"], "with a file that exists"),
        (["--datasets", "hls"], "some of own"),
        (["--split", "test"], "Name another split"),
        (["--bands", "nirr"], "Leave nirr out"),
        (["--languages", "xx"], "Expected"),
        (["--unet-steps", "0"], "x>=1"),
    ],
)
def test_bad_input_ends_with_a_sentence(squares: Path, words: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["eval", "index", str(squares), "--quiet", *words])
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
