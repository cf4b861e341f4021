"""Checking a dataset: every fault that is planted is found, and a sound dataset has none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from spex_nb import spie
from spex_nb.errors import DatasetError
from tests.spie.test_build_dataset import sample_scenes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spie") / "sound"
    spie.build(sample_scenes(), None, folder, spie.Settings(tile_px=100), workers=1, progress=False)
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the first record of the training list."""
    items = json.loads((folder / "train.json").read_text())
    change(items[0])
    (folder / "train.json").write_text(json.dumps(items))


def first(folder: Path) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((folder / "train.json").read_text())[0]
    return item


def edit_index(folder: Path, **columns: Any) -> None:
    index = pd.read_parquet(folder / "index.parquet")
    index.loc[index.index[0], list(columns)] = list(columns.values())
    index.to_parquet(folder / "index.parquet", index=False)


def kinds(folder: Path, severity: str = "error") -> set[str]:
    return {problem.kind for problem in spie.check(folder).problems if problem.severity == severity}


def test_a_sound_dataset_is_fit(sound: Path) -> None:
    report = spie.check(sound)
    assert report.is_fit
    assert not [problem for problem in report.problems if problem.severity == "error"]
    assert report.balance["records"].sum() == len(spie.open_dataset(sound).index)


def move_to_test(folder: Path, **changes: Any) -> None:
    """Move the first training record to the list of the test split."""
    train, test = (json.loads((folder / f"{split}.json").read_text()) for split in ("train", "test"))
    moved = train.pop(0) | changes
    (folder / "train.json").write_text(json.dumps(train))
    (folder / "test.json").write_text(json.dumps([*test, moved]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"split": "test", "source": "label"}, "they tell the answer"),
        ({"split": "test", "source": ""}, "does not say what its attributes are from"),
        ({"source": "label"}, "they tell the answer"),
        ({}, "the record is of split train, but is listed in test.json"),
    ],
)
def test_leakage_into_the_test_split_is_an_error_whatever_the_record_says(
    changes: dict[str, str], text: str, copy: Path
) -> None:
    move_to_test(copy, **changes)
    report = spie.check(copy)
    assert not report.is_fit
    assert text in str(report)


def test_a_list_that_lost_records_and_an_index_that_lost_them_are_errors(copy: Path) -> None:
    items = json.loads((copy / "train.json").read_text())
    (copy / "train.json").write_text(json.dumps(items[3:]))
    lost = {problem.where for problem in spie.check(copy).problems if problem.kind == "lost record"}
    assert lost == {item["id"] for item in items[:3]}
    with pytest.raises(DatasetError, match=r"in the index, but not in its list"):
        spie.open_dataset(copy).record(items[0]["id"])
    (copy / "train.json").write_text(json.dumps(items))
    index = pd.read_parquet(copy / "index.parquet")
    index.iloc[1:].to_parquet(copy / "index.parquet", index=False)
    assert {p.where for p in spie.check(copy).problems if p.kind == "lost record"} == {index["id"].iloc[0]}


def test_a_tile_or_mask_that_changed_after_the_build_is_an_error(copy: Path) -> None:
    image, mask = copy / first(copy)["image"], copy / first(copy)["gt_image"]
    other = next(path for path in sorted((copy / "images").glob("*.tif")) if path != image)
    shutil.copy(other, image)
    assert kinds(copy) == {"changed file"}
    with Image.open(mask) as picture:
        inverted = picture.point([1, 0, *range(2, 256)])
        inverted.save(mask)
    assert any("the mask covers" in problem.text for problem in spie.check(copy).problems)


def test_a_source_that_parts_one_place_itself_is_only_worth_a_warning(copy: Path) -> None:
    index = pd.read_parquet(copy / "index.parquet").assign(official_split=True, place="own/town")
    index.to_parquet(copy / "index.parquet", index=False)
    assert len(set(index["split"])) > 1
    assert kinds(copy) == set()
    assert "leakage" in kinds(copy, "warning")


def test_a_dataset_without_a_record_is_an_error_and_shows_nothing(copy: Path) -> None:
    for split in ("train", "val", "test"):
        (copy / f"{split}.json").write_text("[]")
    pd.read_parquet(copy / "index.parquet").iloc[:0].to_parquet(copy / "index.parquet", index=False)
    assert kinds(copy) == {"empty dataset"}
    with pytest.raises(DatasetError, match="The dataset is empty"):
        spie.open_dataset(copy).first()


def test_a_damaged_index_is_refused(copy: Path) -> None:
    (copy / "index.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DatasetError, match=r"index of the dataset cannot be read.*Build again"):
        spie.check(copy)


def test_the_page_is_written_when_files_are_damaged_too(copy: Path, tmp_path: Path) -> None:
    Image.new("L", (7, 7)).save(copy / first(copy)["gt_image"])
    (copy / json.loads((copy / "train.json").read_text())[-1]["image"]).unlink()
    page = spie.write_report(spie.check(copy), tmp_path / "report.html", pictures=1000).read_text()
    assert page.count("cannot be shown") > 1


def test_leakage_that_only_the_index_knows_is_an_error(copy: Path) -> None:
    edit_index(copy, split="test", source="label")
    assert "leakage" in kinds(copy)


def test_a_place_in_two_splits_is_an_error(copy: Path) -> None:
    edit_index(copy, split="test")
    assert any("tiles of one place resemble" in problem.text for problem in spie.check(copy).problems)


def test_equal_tiles_in_two_splits_are_an_error(copy: Path) -> None:
    index = pd.read_parquet(copy / "index.parquet")
    edit_index(copy, split="test", place="elsewhere", tile_hash=index["tile_hash"].iloc[-1])
    assert "duplicate tiles" in kinds(copy)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda item: item["conversations"][0].update(value="what is this?"), "This is no prompt"),
        (lambda item: item["conversations"][1].update(value=" "), "the answer is empty"),
        (lambda item: item.update(target="snow"), "the record for snow"),
    ],
)
def test_broken_records_are_errors(change: Any, text: str, copy: Path) -> None:
    edit(copy, change)
    assert any(p.kind == "broken record" and text in p.text for p in spie.check(copy).problems)


def test_a_record_listed_twice_is_an_error(copy: Path) -> None:
    path = copy / "train.json"
    items = json.loads(path.read_text())
    path.write_text(json.dumps([*items, items[0]]))
    assert "doubled record" in kinds(copy)


def test_missing_and_damaged_files_are_errors(copy: Path) -> None:
    (copy / first(copy)["image"]).unlink()
    assert "missing or damaged file" in kinds(copy)


def test_a_damaged_mask_is_an_error(copy: Path) -> None:
    (copy / first(copy)["gt_image"]).write_bytes(b"no picture")
    assert kinds(copy) == {"missing or damaged file"}


def test_a_mask_of_another_size_is_an_error(copy: Path) -> None:
    Image.new("L", (7, 7)).save(copy / first(copy)["gt_image"])
    assert kinds(copy) == {"sizes differ", "changed file"}


def test_a_label_that_says_nothing_is_an_error_and_empty_or_full_masks_are_warnings(copy: Path) -> None:
    dataset = spie.open_dataset(copy)
    records = list(dataset.records("train"))
    for record in records:
        value = {"water": 0, "vegetation": 1}.get(record.target)
        if value is not None:
            Image.new("L", (100, 100), value).save(copy / record.gt_image)
    Image.new("L", (100, 100), 255).save(copy / next(r for r in records if r.target == "road").gt_image)
    assert kinds(copy) == {"empty label", "changed file"}
    assert {"empty masks", "full masks"} <= kinds(copy, "warning")


def test_a_wording_that_repeats_is_a_warning(copy: Path) -> None:
    index = pd.read_parquet(copy / "index.parquet")
    many = pd.concat([index] * 20).assign(template="found0")
    many.to_parquet(copy / "index.parquet", index=False)
    assert "monotony" in kinds(copy, "warning")


def test_a_folder_without_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Name the dataset's folder"):
        spie.check(tmp_path)


def test_a_list_that_is_none_is_refused(copy: Path) -> None:
    (copy / "val.json").write_text("{}")
    with pytest.raises(DatasetError, match="This is no list of records"):
        spie.check(copy)
    (copy / "val.json").write_text('[{}, "water", 7]')
    assert [p.kind for p in spie.check(copy).problems if p.where == "val.json"] == ["broken record"] * 3


def test_the_page_shows_problems_and_pictures_and_nothing_is_injected(copy: Path, tmp_path: Path) -> None:
    edit(copy, lambda item: item["conversations"][1].update(value="<script>alert(1)</script>"))
    edit(copy, lambda item: item.update(target="snow"))
    page = spie.write_report(spie.check(copy), tmp_path / "report.html", pictures=1000).read_text()
    assert page.count("<img") == 2 * len(spie.open_dataset(copy).index)
    assert "data:image/png;base64," in page
    assert "Not fit for use" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def spex(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spex_nb.cli", "spie", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_checks_counts_and_shows(sound: Path, copy: Path, tmp_path: Path) -> None:
    assert spex("check", str(sound), "--report", str(tmp_path / "r.html")).returncode == 0
    assert (tmp_path / "r.html").exists()
    edit(copy, lambda item: item.update(split="test", source="label"))
    broken = spex("check", str(copy))
    assert broken.returncode == 1
    assert "leakage" in broken.stdout
    assert "vegetation" in spex("stats", str(sound)).stdout
    shown = spex("show", str(sound), "own-lake_30m-0-0-water", "-o", str(tmp_path / "r.png"))
    assert "attributes of the water bodies regions" in shown.stdout
    with Image.open(tmp_path / "r.png") as picture:
        assert picture.width > 500
    unknown = spex("show", str(sound), "own-lake_30m-0-0-watr")
    assert unknown.returncode == 2
    assert "Did you mean own-lake_30m-0-0-water" in unknown.stderr


def test_the_command_builds_own_scenes(tmp_path: Path) -> None:
    (scene,) = sample_scenes("lake_30m")
    for folder, source in (("images", scene.path), ("labels", scene.path.replace(".tif", "_labels.tif"))):
        (tmp_path / folder).mkdir()
        shutil.copy(source, tmp_path / folder / "lake.tif")
    (tmp_path / "classes.json").write_text(json.dumps({"0": None, "1": "water", "2": "vegetation"}))
    out = tmp_path / "out"
    options = ["-o", str(out), "--classes", str(tmp_path / "classes.json"), "--tile-px", "128", "--workers", "1"]
    done = spex("build", f"own={tmp_path}", *options, "--languages", "fr,ar", "--targets", "water", "--quiet")
    assert done.returncode == 0, done.stderr
    index = spie.open_dataset(out).index
    assert set(index["target"]) == {"water"}
    assert set(index["language"]) <= {"fr", "ar"}
    refused = spex("build", f"nowhere={tmp_path}", "-o", str(tmp_path / "x"))
    assert refused.returncode == 2
    assert "Unknown dataset" in refused.stderr
