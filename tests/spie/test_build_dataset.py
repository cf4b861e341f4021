"""Building a dataset: the same bytes whatever the workers, nothing lost or doubled after a kill, failures reported."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import rasterio
import xarray as xr
from PIL import Image

from spex_nb import open_scene, spie
from spex_nb.errors import DatasetError, DatasetWarning, LanguageError, OutputError, RadiometryWarning, TargetError
from spex_nb.language.claims import check_explanation
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.prompts import parse_prompt
from spex_nb.scene.samples import sample_path
from spex_nb.spie.settings import split_of
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.tiles import read_mask, read_tile
from spex_nb.spie.work_units import STRIP_PX, _Strips

pytestmark = pytest.mark.slow

CLASSES = {0: None, 1: "water", 2: "vegetation", 3: ["building", "built_up"], 4: "bare_soil", 5: ["road", "built_up"]}
SETTINGS = spie.Settings(tile_px=100, languages=("en", "de", "zh"))
OWN_TO_A_BUILD = ("index.parquet", "build.json")
"""Parquet says when it was written; the plan says how the scenes were given."""


def sample_scenes(*names: str) -> list[LabelledScene]:
    images = [sample_path(name) for name in names or ("river_10m", "lake_30m")]
    labels = [path.with_name(f"{path.stem}_labels.tif") for path in images]
    return spie.labelled_scenes(images, labels, CLASSES)


def build(folder: Path, settings: spie.Settings = SETTINGS, **options: Any) -> Any:
    return spie.build(options.pop("scenes", sample_scenes()), None, folder, settings, progress=False, **options)


def fingerprint(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in OWN_TO_A_BUILD]
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
    assert set(index.loc[index["source"] == "none", "target"]) == {"building", "road"}
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
from tests.spie.test_build_dataset import build
from pathlib import Path
build(Path(sys.argv[1]), workers=1)
"""


def test_a_build_that_was_killed_goes_on_without_a_lost_or_doubled_record(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", BUILD, str(folder)], cwd=Path(__file__).parents[2]) as process:
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
    assert len(report.failures) == 1
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


def as_other(scenes: list[LabelledScene]) -> dict[str, dict[str, Any]]:
    """Return builds that look like another one, but are not."""
    images = [scene.path for scene in scenes]
    labels = [scene.layers[0].path for scene in scenes]
    swapped = CLASSES | {1: "vegetation", 2: "water"}
    return {
        "scene own-lake_30m": {"scenes": spie.labelled_scenes(images, labels, swapped)},
        "scene own-river_10m": {"scenes": spie.labelled_scenes(images, labels, CLASSES, places=["a", "b"])},
        "rewrite": {"rewrite": add_words},
        "settings": {"settings": replace(SETTINGS, rich=True)},
    }


@pytest.mark.parametrize("what", ["scene own-lake_30m", "scene own-river_10m", "rewrite", "settings"])
def test_other_classes_places_rewriters_or_settings_are_another_build(what: str, built: Path) -> None:
    with pytest.raises(DatasetError, match=f"other .*{what}"):
        build(built, workers=1, **as_other(sample_scenes())[what])


def test_a_file_that_changed_since_is_another_build(tmp_path: Path) -> None:
    image, label = (
        Path(shutil.copy(sample_path("lake_30m").with_name(name), tmp_path))
        for name in ("lake_30m.tif", "lake_30m_labels.tif")
    )
    scenes = spie.labelled_scenes([image], [label], CLASSES)
    build(tmp_path / "out", scenes=scenes, workers=1)
    os.utime(label, (0, 0))
    with pytest.raises(DatasetError, match="other scene own-lake_30m"):
        build(tmp_path / "out", scenes=scenes, workers=1)


@pytest.mark.parametrize("damage", ["", '{"records": [', "{}", "[]"])
def test_a_damaged_journal_or_a_lost_file_only_means_that_its_unit_is_made_again(
    damage: str, built: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(built, tmp_path / "copy"))
    journals = sorted((copy / "parts").glob("*.json"))
    journals[0].write_text(damage)
    next((copy / "images").iterdir()).unlink()
    (copy / "parts" / ".half").mkdir()
    build(copy, workers=1)
    assert fingerprint(copy) == fingerprint(built)


@pytest.mark.parametrize("content", [b"", b"II*\0 half a tile"])
def test_a_tile_that_is_half_in_its_place_is_made_again(content: bytes, built: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(built, tmp_path / "copy"))
    sorted((copy / "images").glob("*.tif"))[3].write_bytes(content)
    sorted((copy / "masks").glob("*.png"))[9].write_bytes(content)
    (copy / "images" / ".DS_Store").write_text("")
    build(copy, workers=1)
    (copy / "images" / ".DS_Store").unlink()
    assert fingerprint(copy) == fingerprint(built)


def test_a_full_disk_is_one_error_and_the_same_call_goes_on(built: Path, tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, usual[1]))
    try:
        with pytest.raises(OutputError, match=r"images.*needs up to .* MB.*Make room and build again"):
            build(tmp_path / "out", workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    build(tmp_path / "out", workers=1)
    assert fingerprint(tmp_path / "out") == fingerprint(built)


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    program = BUILD.replace("workers=1", "workers=2")
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2]) as process:
        while process.poll() is None and not list(tmp_path.glob("parts/*.json")):
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_label_that_changed_with_its_time_kept_is_named(tmp_path: Path) -> None:
    image, label = (
        Path(shutil.copy(sample_path("lake_30m").with_name(name), tmp_path))
        for name in ("lake_30m.tif", "lake_30m_labels.tif")
    )
    scenes = spie.labelled_scenes([image], [label], CLASSES)
    build(tmp_path / "out", scenes=scenes, workers=1)
    before, content = label.stat(), bytearray(label.read_bytes())
    content[-1] ^= 1
    with label.open("r+b") as file:
        file.write(content)
    os.utime(label, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DatasetError, match=r"other .*lake_30m_labels\.tif \(changed\)"):
        build(tmp_path / "out", scenes=scenes, workers=1)


def test_building_again_changes_nothing(built: Path) -> None:
    before = fingerprint(built)
    build(built, workers=1)
    assert fingerprint(built) == before


@pytest.mark.parametrize(
    ("scenes", "message"),
    [([], "no scene"), (sample_scenes() * 2, "own-lake_30m, own-river_10m twice"), (["a.tif"], "labels missing")],
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
        ({"labels": "guess"}, DatasetError, "labels='guess'"),
        ({"targets": ("wter",)}, TargetError, "Did you mean water"),
        ({"languages": ("xx",)}, LanguageError, "'xx'"),
        ({"max_tokens": 10}, DatasetError, "256 tokens or more"),
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


def test_targets_that_are_named_twice_are_asked_for_once() -> None:
    assert spie.Settings(targets=("water bodies", "water", "road")).targets == ("water", "road")


def scene_of(write_raster: Any, pixels: Any, names: tuple[str, ...] = (), **more: Any) -> LabelledScene:
    """Return a scene of its own, half of it water by its label."""
    image = write_raster(pixels, "image.tif", names, **more)
    codes = np.zeros((1, *np.shape(pixels)[1:]), np.uint8)
    codes[:, :, ::2] = 1
    (scene,) = spie.labelled_scenes([image], [write_raster(codes, "label.tif")], {0: None, 1: "water"})
    return scene


def test_scale_and_offset_stay_those_of_each_band(write_raster: Any) -> None:
    pixels = np.random.default_rng(0).integers(1200, 4000, (3, 40, 40), dtype="uint16")
    scene = scene_of(write_raster, pixels, ("red", "green", "nir"), scale=1e-4)
    with rasterio.open(scene.path, "r+") as file:
        file.scales, file.offsets = (1e-4, 1e-4, 2e-4), (0, 0, -0.1)
    opened, plain = scene.open(), open_scene(scene.path)
    for band in ("red", "green", "nir"):
        np.testing.assert_array_equal(opened[band], plain[band])


def test_what_is_not_calibrated_stays_relative_and_its_answers_say_so(write_raster: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(20, 200, (4, 40, 40), dtype="uint8")
    scene = scene_of(write_raster, pixels, ("red", "green", "blue", "nir"))
    assert scene.open().spex.is_relative
    report = build(tmp_path / "out", scenes=[scene], settings=spie.Settings(tile_px=40), workers=1)
    dataset = spie.open_dataset(report.folder)
    assert dataset.tile(dataset.first()).attrs["radiometry"] == "relative reflectance"


def test_an_alpha_band_is_no_band_but_says_where_data_are(write_raster: Any) -> None:
    pixels = np.random.default_rng(0).integers(20, 200, (4, 40, 40), dtype="uint8")
    pixels[3] = 255
    pixels[3, :10] = 0
    scene = scene_of(write_raster, pixels, photometric="rgb", alpha="yes")
    opened = scene.open()
    assert opened.spex.bands == ("red", "green", "blue")
    assert not opened.valid[:10].any()
    assert opened.valid[10:].all()


def test_numbers_that_are_no_reflectance_are_kept_as_they_are(write_raster: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(0, 9000, (2, 40, 40)).astype("float32")
    scene = scene_of(write_raster, pixels, ("green", "nir"))
    with pytest.warns(RadiometryWarning):
        report = build(tmp_path / "out", scenes=[scene], settings=spie.Settings(tile_px=40), workers=1)
    dataset = spie.open_dataset(report.folder)
    np.testing.assert_allclose(dataset.tile(dataset.first())["nir"], pixels[1])
    assert spie.check(report.folder).is_fit


def test_a_scene_without_data_is_left_out(write_raster: Any, tmp_path: Path) -> None:
    scene = scene_of(write_raster, np.zeros((2, 40, 40), "uint16"), ("green", "nir"), nodata=0, scale=1e-4)
    report = build(tmp_path / "out", scenes=[scene], settings=spie.Settings(tile_px=20), workers=1)
    assert (report.tiles, report.left_out, report.failures) == (0, 4, {})
    assert len(spie.open_dataset(report.folder).index) == 0


def test_a_label_that_says_nothing_is_no_negative_example(write_raster: Any, tmp_path: Path) -> None:
    image = write_raster(np.full((2, 40, 40), 1500, "uint16"), "image.tif", ("green", "nir"), scale=1e-4)
    label = write_raster(np.full((1, 40, 40), 9, "uint8"), "label.tif")
    scenes = spie.labelled_scenes([image], [label], {0: None, 1: "water"})
    settings = spie.Settings(tile_px=40, min_known_frac=0, absent_frac=1)
    assert build(tmp_path / "out", scenes=scenes, settings=settings, workers=1).records == 0


def test_pictures_of_scenes_without_red_green_and_blue_are_grey(write_raster: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(1200, 4000, (2, 40, 40), dtype="uint16")
    scene = scene_of(write_raster, pixels, ("green", "nir"), scale=1e-4)
    report = build(tmp_path / "out", scenes=[scene], settings=spie.Settings(tile_px=40, rgb=True), workers=1)
    (picture,) = (report.folder / "images").glob("*.png")
    with Image.open(picture) as shown:
        red, green, _ = np.moveaxis(np.asarray(shown), 2, 0)
    np.testing.assert_array_equal(red, green)


def test_a_building_is_built_up_too_and_what_is_built_up_may_hold_buildings(write_raster: Any) -> None:
    image = write_raster(np.full((2, 1, 3), 1500, "uint16"), "image.tif", ("green", "nir"), scale=1e-4)
    label = write_raster(np.array([[[0, 1, 2]]], "uint8"), "label.tif")
    (scene,) = spie.labelled_scenes([image], [label], {0: None, 1: "building", 2: "built_up"})
    (built_up, known), (building, present_above) = scene.label("built_up"), scene.label("building")
    assert (built_up.tolist(), known.tolist()) == ([[False, True, True]], [[True, True, True]])
    assert (building.tolist(), present_above.tolist()) == ([[False, True, False]], [[True, True, False]])


def test_scenes_have_names_of_their_own_in_any_script(write_raster: Any) -> None:
    pixels = np.full((2, 4, 4), 1500, "uint16")
    names = ("北京.tif", "上海.tif", "a/image.tif", "b/image.tif", "x/a/image.tif")
    images = [write_raster(pixels, name, ("green", "nir"), scale=1e-4) for name in names]
    scenes = spie.labelled_scenes(images, images, {1: "water"})
    assert [scene.name for scene in scenes[:2]] == ["北京", "上海"]
    assert len({scene.id for scene in scenes}) == len(names)


def test_own_scenes_that_are_no_single_raster_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scene.nc").write_bytes(b"")
    for source in (tmp_path / "scene.nc", tmp_path):
        with pytest.raises(DatasetError, match=r"must be one raster file.*save_cog"):
            spie.labelled_scenes([source], ["label.tif"], CLASSES)
    with pytest.raises(DatasetError, match="letters, digits"):
        spie.labelled_scenes(["a.tif"], ["b.tif"], CLASSES, dataset="my/set")


def test_memory_follows_the_tile_and_not_the_width_of_the_scene() -> None:
    scene = StripScene(width=40_000)
    strips = _Strips(scene, [(0, col, 512, 512) for col in range(0, 40_000 - 511, 512)])
    for window in strips.windows:
        assert strips.tile(window).sizes["x"] == 512
    assert max(scene.read) <= STRIP_PX
    assert sum(scene.read) <= 40_000 + len(scene.read) * 512


class StripScene:
    """Stands for a scene, and notes how wide the pieces are that are read of it."""

    def __init__(self, width: int) -> None:
        self.read: list[int] = []
        self._whole = xr.Dataset({"nir": (("y", "x"), np.zeros((512, width), "float32"))})
        self.spex = self

    def window(self, row: int, col: int, height: int, width: int) -> xr.Dataset:
        self.read.append(width)
        return self._whole.isel(y=slice(row, row + height), x=slice(col, col + width))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="The folder cannot be made"):
        build(tmp_path / "file", scenes=sample_scenes("lake_30m"), workers=1)


def test_settings_of_version_0_1_are_read() -> None:
    payload = {"tile_px": 256, "targets": ["water"], "languages": ["en"], "doubtful": True, "split": [1.0, 0.0, 0.0]}
    settings = spie.Settings.from_json(payload)
    assert settings.drop_conflicts
    assert (settings.tile_px, settings.targets, settings.split) == (256, ("water",), (1.0, 0.0, 0.0))
