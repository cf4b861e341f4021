"""Building a dataset: the same bytes whatever the workers, nothing lost or doubled after a kill, failures reported."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spex_nb import open_scene, spie
from spex_nb.claims import check_explanation
from spex_nb.errors import DatasetError, DatasetWarning, LanguageError, TargetError
from spex_nb.evidence import measure_evidence
from spex_nb.prompts import parse_prompt
from spex_nb.samples import sample_path
from spex_nb.spie.labelled import LabelledScene
from spex_nb.spie.settings import split_of
from spex_nb.spie.tiles import read_mask, read_tile

CLASSES = {0: None, 1: "water", 2: "vegetation", 3: ["building", "built_up"], 4: "bare_soil", 5: ["road", "built_up"]}
SETTINGS = spie.Settings(tile_px=100, languages=("en", "de", "zh"))


def sample_scenes(*names: str) -> list[LabelledScene]:
    images = [sample_path(name) for name in names or ("river_10m", "lake_30m")]
    labels = [path.with_name(f"{path.stem}_labels.tif") for path in images]
    return spie.labelled_scenes(images, labels, CLASSES)


def build(folder: Path, settings: spie.Settings = SETTINGS, **options: Any) -> Any:
    return spie.build(options.pop("scenes", sample_scenes()), None, folder, settings, progress=False, **options)


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spie") / "built"
    build(folder, workers=1)
    return folder


def test_every_record_has_its_prompt_answer_mask_and_row(built: Path) -> None:
    dataset = spie.open_dataset(built)
    records = list(dataset.records())
    assert len(records) == len(dataset.index) > 60
    assert {record.id for record in records} == set(dataset.index.index)
    for record in records:
        assert parse_prompt(record.prompt).target == record.target
        mask, known = dataset.mask(record)
        assert mask.shape == dataset.tile(record).spex.shape == (100, 100)
        assert dataset.index.loc[record.id, "share_frac"] == pytest.approx(mask.sum() / known.sum())


def test_every_answer_says_what_the_label_shows(built: Path) -> None:
    dataset = spie.open_dataset(built)
    for record in dataset.records():
        mask, known = dataset.mask(record)
        tile = dataset.tile(record)
        evidence = measure_evidence(mask, tile.assign(valid=(("y", "x"), known)), record.target, min_area_px=4)
        figures = check_explanation(record.answer, replace(evidence, neighbours={}), record.language)
        checked = [claim for claim in figures if claim.kind in ("area", "share", "number", "size", "place")]
        assert not [claim for claim in checked if claim.verdict != "holds"], record.answer


def test_a_tile_keeps_all_bands_its_georeference_and_its_values(built: Path) -> None:
    dataset = spie.open_dataset(built)
    record = dataset.record("own-river_10m-100-200-water")
    tile, scene = dataset.tile(record), open_scene(sample_path("river_10m")).spex.window(100, 200, 100, 100)
    assert tile.spex.bands == scene.spex.bands
    assert (tile.spex.crs, tile.spex.transform) == (scene.spex.crs, scene.spex.transform)
    for band in scene.spex.bands:
        np.testing.assert_allclose(tile[band].where(tile.valid), scene[band].where(scene.valid), atol=6e-5)
        assert tile[band].attrs["wavelength_um"] == scene[band].attrs["wavelength_um"]
    assert open_scene(built / record.image).spex.bands == scene.spex.bands


def test_the_index_says_where_everything_comes_from(built: Path) -> None:
    index = spie.open_dataset(built).index
    assert {"place", "sensor", "bands", "target", "source", "share_frac", "split"} <= set(index.columns)
    assert set(index["source"]) == {"index", "none"}
    assert set(index.loc[index["source"] == "none", "target"]) == {"road"}
    assert set(index["language"]) == {"en", "de", "zh"}
    assert index.loc["own-lake_30m-0-0-water", "gsd_m"] == 30


def test_two_workers_make_the_same_bytes_as_one(built: Path, tmp_path: Path) -> None:
    build(tmp_path / "two", workers=2)
    assert fingerprint(tmp_path / "two") == fingerprint(built)
    pd.testing.assert_frame_equal(spie.open_dataset(tmp_path / "two").index, spie.open_dataset(built).index)


def test_a_dask_cluster_makes_the_same_bytes(built: Path, tmp_path: Path) -> None:
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        build(tmp_path / "cluster", client=client)
    assert fingerprint(tmp_path / "cluster") == fingerprint(built)


BUILD = """
import sys
from tests.test_spie_building import build
from pathlib import Path
build(Path(sys.argv[1]), workers=1)
"""


def test_a_build_that_was_killed_goes_on_without_a_lost_or_doubled_record(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", BUILD, str(folder)], cwd=Path(__file__).parent.parent) as process:
        while process.poll() is None and len(list(folder.glob("parts/*.json"))) < 8:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in folder.glob("parts/*.json")}
    assert 8 <= len(done) < len(list(built.glob("parts/*.json")))
    with pytest.raises(DatasetError, match="finished tiles are not done twice"):
        spie.open_dataset(folder)
    build(folder, workers=1)
    assert fingerprint(folder) == fingerprint(built)
    assert all(path.stat().st_mtime_ns == then for path, then in done.items())


@dataclass(frozen=True)
class FlakyScene(LabelledScene):
    """Fails as often as its counter file says, in one window."""

    counter: str = ""

    def labels(self, window: Any = None, targets: Any = None) -> Any:
        left = int(Path(self.counter).read_text())
        if window[:2] == (100, 100) and left:
            Path(self.counter).write_text(str(left - 1))
            raise OSError("the network drive is away")
        return super().labels(window, targets)


def flaky(counter: Path, failures: int) -> list[LabelledScene]:
    counter.write_text(str(failures))
    return [FlakyScene(**vars(scene), counter=str(counter)) for scene in sample_scenes()]


def test_a_tile_that_fails_once_is_retried(built: Path, tmp_path: Path) -> None:
    scenes = flaky(tmp_path / "counter", 1)
    assert build(tmp_path / "out", scenes=scenes, workers=1).failures == {}
    assert fingerprint(tmp_path / "out") == fingerprint(built)


def test_a_tile_that_goes_on_failing_is_reported_and_made_by_the_next_build(built: Path, tmp_path: Path) -> None:
    scenes = flaky(tmp_path / "counter", 4)
    with pytest.warns(DatasetWarning, match="2 tiles failed.*Build again"):
        report = build(tmp_path / "out", scenes=scenes, workers=1)
    assert report.failures == dict.fromkeys(
        ["own-river_10m-100-100", "own-lake_30m-100-100"], "OSError: the network drive is away"
    )
    assert build(tmp_path / "out", scenes=scenes, workers=1).failures == {}
    assert fingerprint(tmp_path / "out") == fingerprint(built)


def test_a_scene_that_cannot_be_opened_is_reported_and_the_others_are_built(tmp_path: Path) -> None:
    broken = replace(sample_scenes("lake_30m")[0], name="broken", path=str(tmp_path / "nowhere.tif"))
    with pytest.warns(DatasetWarning, match="Build again"):
        report = build(tmp_path / "out", scenes=[*sample_scenes("lake_30m"), broken], workers=1)
    assert report.tiles == 9
    assert all(name.startswith("own-broken") and "nowhere.tif" in why for name, why in report.failures.items())


def test_places_stay_in_one_split_and_a_split_of_the_source_counts(tmp_path: Path) -> None:
    scenes = [replace(scene, split="test", place="valley") for scene in sample_scenes("lake_30m")]
    report = build(tmp_path / "out", scenes=scenes, workers=1)
    index = spie.open_dataset(report.folder).index
    assert set(index["split"]) == {"test"}
    assert set(index["place"]) == {"own/valley"}
    shares = pd.Series([split_of(f"place {i}", SETTINGS) for i in range(2000)]).value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"train": 0.8, "val": 0.1, "test": 0.1}, abs=0.03)


@pytest.mark.parametrize(("split", "source"), [("train", {"label"}), ("test", {"index", "none"})])
def test_attributes_from_labels_never_reach_the_test_split(split: str, source: set[str], tmp_path: Path) -> None:
    scenes = [replace(scene, split=split) for scene in sample_scenes("lake_30m")]
    report = build(tmp_path / "out", replace(SETTINGS, attributes="label"), scenes=scenes, workers=1)
    assert set(spie.open_dataset(report.folder).index["source"]) <= source


def test_files_and_class_rasters_are_enough(tmp_path: Path) -> None:
    image = sample_path("lake_30m")
    label = image.with_name("lake_30m_labels.tif")
    report = spie.build(
        [image], [label], tmp_path / "out", spie.Settings(tile_px=128), classes=CLASSES, workers=1, progress=False
    )
    assert report.tiles == 4


def test_pixels_that_the_label_does_not_know_are_kept_apart(tmp_path: Path) -> None:
    image = sample_path("lake_30m")
    label = image.with_name("lake_30m_labels.tif")
    scenes = spie.labelled_scenes([image], [label], {1: "water", 2: "vegetation"})
    build(tmp_path / "out", spie.Settings(tile_px=128, min_known_frac=0.1), scenes=scenes, workers=1)
    mask, known = read_mask(tmp_path / "out" / "masks" / "own-lake_30m-0-0-water.png")
    expected, said = scenes[0].label("water", (0, 0, 128, 128))
    valid = read_tile(tmp_path / "out" / "images" / "own-lake_30m-0-0.tif")["valid"].to_numpy()
    assert (mask == (expected & valid)).all()
    assert (known == (said & valid)).all()
    assert 0 < (~known).sum() < known.size


def test_true_colour_pictures_come_on_request(tmp_path: Path) -> None:
    build(tmp_path / "out", replace(SETTINGS, rgb=True), scenes=sample_scenes("lake_30m"), workers=1)
    assert len(list((tmp_path / "out" / "images").glob("*.png"))) == 9


def add_words(text: str) -> str:
    return f"As seen from above: {text}"


def forget_figures(_: str) -> str:
    return "There is something here, and something else there."


@pytest.mark.parametrize(("rewrite", "kept"), [(add_words, True), (forget_figures, False)])
def test_a_rewritten_answer_is_kept_only_if_its_figures_survive(rewrite: Any, kept: bool, tmp_path: Path) -> None:
    settings = spie.Settings(tile_px=128)
    report = build(tmp_path / "out", settings, scenes=sample_scenes("lake_30m"), workers=1, rewrite=rewrite)
    dataset = spie.open_dataset(report.folder)
    assert dataset.index["template"].str.endswith("+").all() == kept
    assert all(record.answer.startswith("As seen from above") == kept for record in dataset.records())


def test_a_folder_holds_one_dataset_only(built: Path) -> None:
    with pytest.raises(DatasetError, match="Choose another folder"):
        build(built, replace(SETTINGS, seed=1), workers=1)


def test_building_again_changes_nothing(built: Path) -> None:
    before = fingerprint(built)
    build(built, workers=1)
    assert fingerprint(built) == before


@pytest.mark.parametrize(
    ("scenes", "message"),
    [([], "no scene"), (sample_scenes() * 2, "own/lake_30m, own/river_10m twice"), (["a.tif"], "labels missing")],
)
def test_scenes_that_make_no_dataset_are_refused(scenes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        build(tmp_path / "out", scenes=scenes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"tile_px": 4}, DatasetError, "tile_px=4"),
        ({"split": (0.5, 0.5, 0.5)}, DatasetError, "adds up to 1"),
        ({"attributes": "guess"}, DatasetError, "attributes='guess'"),
        ({"targets": ("wter",)}, TargetError, "Did you mean water"),
        ({"languages": ("xx",)}, LanguageError, "'xx'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(choice: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        spie.Settings(**choice)


def test_images_and_labels_must_pair() -> None:
    with pytest.raises(DatasetError, match="one label, and one place if any, for each image"):
        spie.labelled_scenes(["a.tif"], [], CLASSES)
    with pytest.raises(DatasetError, match="The classes hold no target"):
        spie.labelled_scenes([], [], {0: None})


def test_records_are_of_the_llava_form(built: Path) -> None:
    item = json.loads((built / "train.json").read_text())[0]
    assert [turn["from"] for turn in item["conversations"]] == ["human", "gpt"]
    assert {"id", "image", "gt_image"} <= set(item)
    assert (built / item["image"]).exists()
    assert spie.Record.from_json(item).to_json() == item
