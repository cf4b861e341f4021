"""`spex extract` and `spex report` as a user runs them: as processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio.shutil
from click.testing import CliRunner, Result

from spex_nb import load_extraction
from spex_nb.cli.command import main
from spex_nb.scene.samples import sample_path

pytestmark = pytest.mark.slow

HEARING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from spex_nb.cli import main; main()"
)
"""The command where Ctrl-C is heard, even if the tests run in the background, where shells have it ignored."""


def process(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spex_nb.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def spex(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["extract", "--model", "index", "--quiet", *map(str, words)])


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for name in ("river_10m", "lake_30m"):
        shutil.copy(sample_path(name), folder)
    return folder


def test_a_scene_a_result_and_a_page(tmp_path: Path) -> None:
    done = process(
        "extract", sample_path("river_10m"), "las 2 masas de agua más grandes", "--model", "index", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "masas de agua, solo las 2 mayores" in done.stdout
    assert "de la escena" in done.stdout
    assert "of memory beside the model" in done.stderr
    assert "1 scene: 1 extracted" in done.stderr
    result = load_extraction(tmp_path / "extractions" / "river_10m")
    assert len(result.regions) == 2
    page = process("report", "extractions/river_10m", folder=tmp_path)
    assert page.returncode == 0, page.stderr
    assert "las 2 masas de agua más grandes" in (tmp_path / "extractions" / "river_10m" / "report.html").read_text()


def test_a_file_where_the_folder_of_results_would_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for words in (["extract", str(sample_path("river_10m")), "water"], ["spie", "build", f"hls={tmp_path}"]):
        done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "out")])
        assert done.exit_code == 2
        assert "is a file" in done.output
    assert (tmp_path / "out").read_text() == "mine"


def test_many_scenes_go_on_after_a_failure_which_the_exit_code_says(scenes: Path, tmp_path: Path) -> None:
    (scenes / "broken.tif").write_bytes(b"no raster")
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ("extract", f"{scenes}/*.tif", "water", "--model", "index", "--quiet", "--out", out, "--report", report)
    done = process(*words, folder=tmp_path)
    assert done.returncode == 1
    assert "3 scenes: 1 failed, 2 extracted" in done.stderr
    rows = {Path(row["scene"]).name: row for row in json.loads(report.read_text())}
    assert rows["river_10m.tif"]["regions"] == len(load_extraction(out / "river_10m").regions)
    assert "UnreadableSourceError" in rows["broken.tif"]["why"]
    assert "Traceback" not in done.stderr
    (scenes / "broken.tif").unlink()
    again = process(*words, folder=tmp_path)
    assert again.returncode == 0
    assert "2 scenes: 2 done before" in again.stderr
    assert again.stdout == ""


def test_a_result_of_another_question_is_neither_skipped_nor_lost(scenes: Path, tmp_path: Path) -> None:
    words = (scenes / "river_10m.tif", "--out", tmp_path / "out")
    assert spex(*words, "water").exit_code == 0
    other = spex(*words, "vegetation")
    assert other.exit_code == 1
    assert "Choose another --out" in other.output
    assert spex(*words, "water", "--threshold", "0.9").exit_code == 1
    assert "1 done before" in spex(*words, "water").output
    assert spex(*words, "water", "--bands", "green,nir").exit_code == 1
    assert "1 extracted" in spex(*words, "vegetation", "--overwrite").output
    assert list(load_extraction(tmp_path / "out" / "river_10m").class_names) == ["vegetation"]


def test_a_result_whose_file_beneath_changed_is_not_done_before(scenes: Path, tmp_path: Path) -> None:
    source, scene = scenes / "river_10m.tif", tmp_path / "scene.vrt"
    rasterio.shutil.copy(source, scene, driver="VRT")
    words = (scene, "--out", tmp_path / "out", "water")
    assert "1 extracted" in spex(*words).output
    assert "1 done before" in spex(*words).output
    before, content = source.stat(), bytearray(source.read_bytes())
    content[-1] ^= 1
    with source.open("r+b") as file:
        file.write(content)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = spex(*words)
    assert again.exit_code == 1
    assert re.search(r"made of something else.*river_10m\.tif \(changed\)", again.output)


def test_a_result_in_which_tiles_failed_is_made_again(scenes: Path, tmp_path: Path) -> None:
    words = (scenes / "river_10m.tif", "water", "--out", tmp_path / "out")
    spex(*words)
    described = tmp_path / "out" / "river_10m" / "extraction.json"
    described.write_text(described.read_text().replace('"failures": {}', '"failures": {"0,0,9,9": "OSError: gone"}'))
    assert "1 extracted" in spex(*words).output
    assert not load_extraction(tmp_path / "out" / "river_10m").failures


def test_choices_reach_the_extraction(scenes: Path, tmp_path: Path) -> None:
    done = spex(
        scenes / "river_10m.tif",
        "water",
        "--out",
        tmp_path / "out",
        "--threshold",
        "0.8",
        "--min-area-px",
        "50",
        "--tile-px",
        "100",
        "--overlap-px",
        "10",
        "--seed",
        "3",
        "--bands",
        "green,nir,swir16",
        "--sensor",
        "sentinel2_l2a",
    )
    assert done.exit_code == 0, done.output
    result = load_extraction(tmp_path / "out" / "river_10m")
    expected = {"threshold": 0.8, "min_area_px": 50, "tile_px": 100, "overlap_px": 10, "seed": 3}
    assert result.provenance["parameters"] | expected == result.provenance["parameters"]
    assert set(result.overview.spex.bands) == {"green", "nir", "swir16"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["SCENE", "colourless green ideas"], 2, "Not understood"),
        (["nowhere/*.tif", "water"], 2, "a file or folder, or a quoted pattern"),
        (["SCENE", "SCENE", "water"], 2, "extract them with different --out"),
        (["SCENE", "water", "--threshold", "2"], 2, "a probability between 0 and 1"),
        (["SCENE", "water", "--model", "no-such-model"], 2, "Check the name"),
        (["SCENE", "roads"], 1, "a model that was trained on it"),
    ],
)
def test_bad_input_ends_with_a_sentence(tmp_path: Path, words: list[str], code: int, message: str) -> None:
    scene = str(sample_path("town_1m"))
    done = spex(*[scene if word == "SCENE" else word for word in words], "--out", tmp_path / "out")
    assert done.exit_code == code
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Return the address of a cluster of one worker in processes of its own."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_does_it(scheduler: str, tmp_path: Path) -> None:
    done = process(
        "extract",
        sample_path("river_10m"),
        "water",
        "--model",
        "index",
        "--quiet",
        "--scheduler",
        scheduler,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(load_extraction(tmp_path / "extractions" / "river_10m").regions) > 1


def test_an_interrupted_command_goes_on(tmp_path: Path) -> None:
    words = ("extract", str(sample_path("river_10m")), "water", "--model", "index", "--tile-px", "32")
    running = subprocess.Popen(
        [sys.executable, "-c", HEARING, *words], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert running.stderr is not None
    tiles = tmp_path / "extractions" / "river_10m.partial" / "tiles"
    while running.poll() is None and not [*tiles.glob("*.npz")]:
        running.stderr.read1()  # type: ignore[attr-defined]
    os.kill(running.pid, signal.SIGINT)
    running.communicate()
    assert running.returncode == 1
    kept = {path: path.stat().st_mtime_ns for path in tiles.glob("*.npz")}
    assert kept
    assert not (tmp_path / "extractions" / "river_10m").exists()
    done = process(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert load_extraction(tmp_path / "extractions" / "river_10m").evidence["water"].number > 1
