"""A journal counts what is whole and of this run, and refuses a scene that changed, naming the file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

from spex_nb import extract, sample_scene
from spex_nb.errors import ExtractionCancelledError, ExtractionError, OutputError
from spex_nb.extraction.planning import free_room
from spex_nb.extraction.predict import TilePrediction
from spex_nb.extraction.tile_store import TileStore
from spex_nb.output.unfinished import partial_folder
from spex_nb.scene.samples import sample_path

OPTIONS: dict[str, Any] = {"tile_px": 64, "progress": False}
WINDOW = (0, 0, 4, 5)


def start(scene: Any, out: Path, tiles: int = 3, **options: Any) -> None:
    """Begin an extraction, and cancel it after some tiles."""
    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(0)
        return len(asked) > tiles

    with pytest.raises(ExtractionCancelledError):
        extract(scene, "water", "index", out=out, cancel=is_cancelled, **OPTIONS, **options)


def store_in(folder: Path, plan: dict[str, Any] | None = None) -> TileStore:
    store = TileStore(folder)
    store.begin({"scene": "a", "files": {}} if plan is None else plan)
    return store


def damage_by_nan(path: Path) -> None:
    with np.load(path) as arrays:
        stored = dict(arrays)
    np.savez(path, **(stored | {"logits": np.full_like(stored["logits"], np.nan)}))


def damage_by_shape(path: Path) -> None:
    with np.load(path) as arrays:
        stored = dict(arrays)
    np.savez(path, **(stored | {"logits": stored["logits"][:, :2]}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_text("no archive"),
        lambda path: np.savez(path, other=np.zeros(3)),
        damage_by_nan,
        damage_by_shape,
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["empty", "cut", "cut at the end", "foreign", "other arrays", "NaN", "shape", "folder"],
)
def test_a_tile_that_is_not_whole_is_not_done(damage: Callable[[Path], Any], tmp_path: Path) -> None:
    prediction = TilePrediction(np.ones((1, 4, 5), np.float32))
    store_in(tmp_path / "journal").put(WINDOW, prediction)
    (tile,) = (tmp_path / "journal" / "tiles").iterdir()
    assert store_in(tmp_path / "journal").is_done(WINDOW)
    damage(tile)
    store = store_in(tmp_path / "journal")
    assert not store.is_done(WINDOW)
    store.put(WINDOW, prediction)
    assert store_in(tmp_path / "journal").is_done(WINDOW)


def test_a_tile_of_another_run_is_not_done(tmp_path: Path) -> None:
    store_in(tmp_path / "a").put(WINDOW, TilePrediction(np.ones((1, 4, 5), np.float32)))
    store = store_in(tmp_path / "b", {"scene": "b", "files": {}})
    shutil.copy(tmp_path / "a/tiles/0-0.npz", tmp_path / "b/tiles/0-0.npz")
    assert not store.is_done(WINDOW)


@pytest.mark.slow
def test_strangers_in_the_folder_stop_nothing(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    start(scene, tmp_path / "out")
    tiles = partial_folder(tmp_path / "out") / "tiles"
    for name in (".DS_Store", ".nfs000000012", "Thumbs.db", "desktop.ini"):
        (tiles / name).write_text("")
    (tiles / ".0-0.npz-abcd1234").mkdir()
    whole = extract(scene, "water", "index", **OPTIONS)
    np.testing.assert_array_equal(extract(scene, "water", "index", out=tmp_path / "out", **OPTIONS).mask, whole.mask)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_a_half_probability_stops_no_later_run(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    start(scene, tmp_path / "out")
    (partial_folder(tmp_path / "out") / "probability.tif").write_bytes(b"II*\0half")
    extract(scene, "water", "index", out=tmp_path / "out", **OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_scene_that_changed_with_its_time_kept_is_refused_by_name(tmp_path: Path) -> None:
    scene = tmp_path / "river.tif"
    shutil.copy(sample_path("river_10m"), scene)
    start(scene, tmp_path / "out")
    before = scene.stat()
    with rasterio.open(scene, "r+") as file:
        numbers = file.read(1)
        numbers[:20, :20] += 7
        file.write(numbers, 1)
    os.utime(scene, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(OutputError, match=r"An unfinished run of something else.*river\.tif \(changed\)"):
        extract(scene, "water", "index", out=tmp_path / "out", **OPTIONS)


def test_a_pixel_of_a_scene_in_memory_that_changed_is_refused(tmp_path: Path) -> None:
    scene = sample_scene("river_10m").load()
    start(scene, tmp_path / "out")
    changed = scene.copy(deep=True)
    changed["green"].values[1, 1] += 0.01
    with pytest.raises(OutputError, match=r"with other .*pixels"):
        extract(changed, "water", "index", out=tmp_path / "out", **OPTIONS)


@pytest.mark.slow
def test_a_run_that_was_killed_after_it_saved_returns_its_result(tmp_path: Path) -> None:
    scene, out = sample_scene("river_10m"), tmp_path / "out"
    start(scene, out)
    shutil.copytree(partial_folder(out), tmp_path / "kept")
    result = extract(scene, "water", "index", out=out, **OPTIONS)
    (tmp_path / "kept").rename(partial_folder(out))
    again = extract(scene, "water", "index", out=out, **OPTIONS)
    assert again.provenance["made"] == result.provenance["made"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    start(scene, tmp_path / "other")
    shutil.copytree(partial_folder(tmp_path / "other"), partial_folder(out))
    with pytest.raises(OutputError, match="The output exists"):
        extract(scene, "water", "index", out=out, threshold=0.6, **OPTIONS)


def test_a_run_that_needs_more_than_there_is_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene: xr.Dataset = sample_scene("river_10m")
    with monkeypatch.context() as patch:
        patch.setattr(free_room, "free_bytes", lambda _: 1_000)
        with pytest.raises(OutputError, match=r"may be too small.*0 MB free.*up to \d+ MB are missing.*--anyway"):
            extract(scene, "water", "index", out=tmp_path / "out", **OPTIONS)
        assert list(tmp_path.iterdir()) == []
        extract(scene, "water", "index", out=tmp_path / "out", anyway=True, **OPTIONS)
    monkeypatch.setattr(free_room, "free_memory_bytes", lambda: 1_000_000)
    with pytest.raises(ExtractionError, match=r"memory may be too small.*1 MB free.*are missing.*anyway=True"):
        extract(scene, "water", "index", **OPTIONS)


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("5000")
    (tmp_path / "memory.current").write_text("3000")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500")
    assert free_room.free_memory_bytes(tmp_path) == 2500
    (tmp_path / "memory.max").write_text("max")
    assert free_room.free_memory_bytes(tmp_path) > 2500
