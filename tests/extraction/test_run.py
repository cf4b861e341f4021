"""Runs that are killed, cancelled, or go wrong: nothing lost, nothing silently skipped, each said clearly."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import xarray as xr

from spex_nb import Extraction, extract, load_extraction, plan_extraction
from spex_nb.errors import DeviceMemoryError, ExtractionCancelledError, ExtractionError, OutputError
from spex_nb.extraction import Progress
from spex_nb.extraction import tile_store as journals
from spex_nb.extraction.run import ProgressReporter, run_tiles
from spex_nb.output.unfinished import partial_folder
from spex_nb.scene.samples import sample_path
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares

pytestmark = pytest.mark.slow

RIVER = sample_path("river_10m")
TILES = {"tile_px": 80, "overlap_px": 0}
"""The river in 16 tiles."""
AT_30_PERCENT = 5
SLOW_RUN = """
import os, signal, sys
from spex_nb import extract
asked = []
def kill():
    asked.append(1)
    if len(asked) > 5:
        os.kill(os.getpid(), signal.SIGKILL)
extract(sys.argv[1], "water and vegetation", "index", out=sys.argv[2], tile_px=80, overlap_px=0, cancel=kill)
"""

MEASURED_RUN = """
import sys
from spex_nb import extract, plan_extraction
planned = plan_extraction(sys.argv[1], "water", "index").memory_bytes
extract(sys.argv[1], "water", "index", out=sys.argv[2], progress=False)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(planned, int(peak) * 1024)
"""


def tiles_of(out: Path) -> list[Path]:
    return sorted((partial_folder(out) / "tiles").glob("*.npz"))


def same(one: Extraction, other: Extraction) -> bool:
    """Whether two results say the same, bit by bit, but for times."""
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.probability, other.probability)
    assert one.regions.equals(other.regions)
    return (one.explanation, one.notes) == (other.explanation, other.notes)


class Counting(Brightness):
    """Says how often it was asked, and fails when it is told to."""

    def __init__(self, fails: Any = None) -> None:
        super().__init__()
        self.calls = 0
        self._fails = fails or (lambda _: None)

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], **options: Any) -> Any:
        self.calls += 1
        self._fails(self)
        return super().predict(tile, targets, prompts, **options)


@pytest.fixture
def scene() -> xr.Dataset:
    return scene_of(squares((96, 96), (10, 10, 20), (60, 50, 30)))


def cancelled_after(calls: int) -> Any:
    asked: list[None] = []

    def is_cancelled() -> bool:
        asked.append(None)
        return len(asked) > calls

    return is_cancelled


def test_a_run_that_was_killed_goes_on_to_the_result_of_an_uninterrupted_one(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", SLOW_RUN, str(RIVER), str(out)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in tiles_of(out)}
    assert len(kept) == AT_30_PERCENT
    assert not out.exists()
    (partial_folder(out) / "tiles" / ".0-0-half").mkdir()  # as a kill while a tile is written leaves it
    asked: list[None] = []

    def untouched() -> bool:
        asked.append(None)
        return any(path.stat().st_mtime_ns != time for path, time in kept.items())

    resumed = quietly(RIVER, "water and vegetation", out=out, cancel=untouched, **TILES)
    assert len(asked) == 16 - AT_30_PERCENT
    assert same(resumed, quietly(RIVER, "water and vegetation", **TILES))
    assert [path.name for path in tmp_path.iterdir()] == ["killed"]


def test_a_cancelled_run_leaves_what_the_next_one_goes_on_from(scene: xr.Dataset, tmp_path: Path) -> None:
    out, model = tmp_path / "out", Counting()
    with pytest.raises(ExtractionCancelledError, match="the same call goes on after them"):
        quietly(scene, "water", model, out=out, tile_px=32, overlap_px=0, cancel=cancelled_after(4))
    assert (model.calls, len(tiles_of(out)), out.exists()) == (4, 4, False)
    again = quietly(scene, "water", model, out=out, tile_px=32, overlap_px=0)
    assert model.calls == 9
    assert same(again, quietly(scene, "water", Brightness(), tile_px=32, overlap_px=0))


def test_an_event_cancels_within_one_tile(scene: xr.Dataset) -> None:
    stop = threading.Event()
    model = Counting(lambda _: stop.set())
    with pytest.raises(ExtractionCancelledError, match="1 of 9 tiles done"):
        quietly(scene, "water", model, tile_px=32, overlap_px=0, cancel=stop)
    assert model.calls == 1


def test_a_run_of_something_else_is_not_mixed_in(scene: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ExtractionCancelledError):
        quietly(scene, "water", Brightness(), out=out, cancel=cancelled_after(2))
    with pytest.raises(OutputError, match=r"with other targets.*Repeat that run to finish it"):
        quietly(scene, "vegetation", Brightness(), out=out)
    changed = scene.assign(red=scene["red"] * 0.5)
    with pytest.raises(OutputError, match="with other scene"):
        quietly(changed, "water", Brightness(), out=out)
    assert quietly(changed, "water", Brightness(), out=out, overwrite=True).evidence["water"].area_px == 0


def test_a_journal_whose_plan_is_damaged_is_not_trusted(scene: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ExtractionCancelledError):
        quietly(scene, "water", Brightness(), out=out, cancel=cancelled_after(2))
    (partial_folder(out) / journals.PLAN).write_text("{")
    changed, model = scene.assign(red=scene["red"] * 0.5), Counting()
    assert quietly(changed, "water", model, out=out).evidence["water"].area_px == 0
    assert model.calls == 16  # no tile of the other run counts


def test_an_output_that_exists_is_kept_before_a_tile_is_read(scene: xr.Dataset, tmp_path: Path) -> None:
    out, model = tmp_path / "out", Counting()
    quietly(scene, "water", Brightness(), out=out)
    with pytest.raises(OutputError, match="allow overwriting, or read it with load_extraction"):
        quietly(scene, "vegetation", model, out=out)
    assert model.calls == 0
    quietly(scene, "vegetation", model, out=out, overwrite=True)
    assert list(load_extraction(out).class_names) == ["vegetation"]


def test_only_results_are_overwritten(scene: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match="only results are ever overwritten"):
        quietly(scene, "water", Brightness(), out=tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_a_folder_that_may_not_be_written_is_refused_before_a_tile_is_read(
    scene: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # root may write anywhere, so it is acted

    monkeypatch.setattr(Path, "mkdir", refuse)
    model = Counting()
    with pytest.raises(OutputError, match=r"Permission denied.*choose another output"):
        quietly(scene, "water", model, out=tmp_path / "out")
    assert model.calls == 0


def test_a_full_disk_keeps_what_is_done(scene: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, savez, written = tmp_path / "out", np.savez, []

    def fill_up(path: Path, **arrays: Any) -> None:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        savez(path, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(journals.np, "savez", fill_up)
        with pytest.raises(OutputError, match=r"No space left on device.*finished tiles are kept"):
            quietly(scene, "water", Brightness(), out=out, tile_px=32, overlap_px=0)
    assert len(tiles_of(out)) == 3
    model = Counting()
    result = quietly(scene, "water", model, out=out, tile_px=32, overlap_px=0)
    assert model.calls == 6
    assert result.regions["area_px"].tolist() == [900, 400]


@pytest.mark.parametrize("what", ["probability", "regions"])
def test_a_disk_that_is_full_in_the_end_keeps_all_tiles(
    what: str, scene: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(*_: Any, **__: Any) -> None:
        raise {
            "probability": rasterio.errors.RasterioIOError("No space left on device"),
            "regions": pyogrio.errors.FeatureError("failed to execute insert : disk I/O error"),
        }[what]

    writers = {
        "probability": "spex_nb.extraction.storage.copy_as_cog",
        "regions": "geopandas.GeoDataFrame.to_file",
    }
    with monkeypatch.context() as patch:
        patch.setattr(writers[what], fill_up)
        with pytest.raises(OutputError, match=r"cannot be written.*Finished tiles are kept: the same call goes on"):
            quietly(scene, "water", Brightness(), out=tmp_path / "out", tile_px=32)
    model = Counting()
    quietly(scene, "water", model, out=tmp_path / "out", tile_px=32)
    assert model.calls == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_is_really_full_says_so(scene: xr.Dataset, tmp_path: Path) -> None:
    plan = plan_extraction(scene, "water", Brightness())
    kept = journals.TileStore(tmp_path / "journal")
    kept.begin(plan.identity)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))  # no file may grow larger than this
    try:
        with pytest.raises(OutputError, match=r"File too large.*finished tiles are kept"):
            run_tiles(
                plan.job, plan.predictor, plan.tiling.windows, kept, reporter=ProgressReporter(progress=False, total=9)
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list((kept.folder / "tiles").iterdir()) == []


def test_a_tile_that_fails_once_is_retried(scene: xr.Dataset) -> None:
    def hiccup(model: Counting) -> None:
        if model.calls == 5:
            raise OSError("a cable was loose")

    model = Counting(hiccup)
    result = quietly(scene, "water", model, tile_px=32, overlap_px=0)
    assert model.calls == 10
    assert not result.failures
    assert result.regions["area_px"].tolist() == [900, 400]


def test_a_tile_that_goes_on_failing_is_reported_and_left_without_data(scene: xr.Dataset, tmp_path: Path) -> None:
    def break_down(model: Counting) -> None:
        if model.calls in (5, 6):
            raise RuntimeError("a bad day")

    result = quietly(scene, "water", Counting(break_down), out=tmp_path / "out", tile_px=32, overlap_px=0)
    assert result.failures == {"32,32,32,32": "RuntimeError: a bad day"}
    assert (result.mask.values[32:64, 32:64] == 255).all()
    assert (result.mask != 255).sum() == 96 * 96 - 32 * 32
    assert "1 of 9 tiles failed and count as no data, for example rows 32 to 64, columns 32 to 64" in result.notes[-1]


def test_a_failed_tile_is_tried_again_by_the_run_that_goes_on(scene: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def break_down(model: Counting) -> None:
        if model.calls in (1, 2):
            raise RuntimeError("a bad day")

    with pytest.raises(ExtractionCancelledError, match="2 of 9 tiles done"):
        quietly(scene, "water", Counting(break_down), out=out, tile_px=32, overlap_px=0, cancel=cancelled_after(3))
    assert not quietly(scene, "water", Brightness(), out=out, tile_px=32, overlap_px=0).failures


def test_a_run_of_failures_only_is_an_error(scene: xr.Dataset) -> None:
    def break_down(_: Counting) -> None:
        raise RuntimeError("never works")

    with pytest.raises(ExtractionError, match=r"RuntimeError: never works.*the model suits it"):
        quietly(scene, "water", Counting(break_down))


def test_a_model_that_gives_nonsense_is_found_out(scene: xr.Dataset) -> None:
    class Vague(Brightness):
        def predict(self, tile: xr.Dataset, targets: Any, _prompts: Any, **_: Any) -> Any:
            return np.full((len(targets), *tile.spex.shape), np.nan)

    with pytest.raises(ExtractionError, match=r"logits make no sense.*100\.0% of them NaN"):
        quietly(scene, "water", Vague())


def test_a_device_with_too_little_memory_is_asked_for_less_then_left_and_it_is_said(scene: xr.Dataset) -> None:
    class Small(Brightness):
        on_cpu = False

        def predict(self, tile: xr.Dataset, targets: Any, prompts: Any, **options: Any) -> Any:
            if not self.on_cpu:
                raise DeviceMemoryError("Too little", found="1 GB", expected="2 GB", fix="Use less.")
            return super().predict(tile, targets, prompts, **options)

        def use_cpu(self) -> bool:
            self.on_cpu = True
            return True

    model = Small()
    result = quietly(scene, "water and vegetation", model, tile_px=96)
    assert model.asked == [("water",), ("vegetation",)]
    assert result.notes[-2:] == (
        "The device has too little memory for 2 targets at a time: 1 were asked for.",
        "The device has too little memory: the model went on on the CPU.",
    )
    assert result.evidence["water"].area_px == 1300


def test_a_device_that_cannot_do_with_less_fails_like_any_tile(scene: xr.Dataset) -> None:
    def run_out(_: Counting) -> None:
        raise DeviceMemoryError("Too little", found="1 GB", expected="2 GB", fix="Use less.")

    with pytest.raises(ExtractionError, match="DeviceMemoryError"):
        quietly(scene, "water", Counting(run_out))


def write_damaged(path: Path) -> None:
    """Write a scene in blocks of 256², and break one that lies beyond what is looked at when it is opened."""
    fields = np.random.default_rng(0).integers(1000, 9000, (2, 20, 20)).astype(np.uint16)
    pixels = np.kron(fields, np.ones((1, 64, 64), np.uint16))
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=2,
        height=1280,
        width=1280,
        dtype="uint16",
        crs="EPSG:32632",
        transform=rasterio.transform.from_origin(5e5, 5.5e6, 10, 10),
        interleave="pixel",
        compress="deflate",
        tiled=True,
        blockxsize=256,
        blockysize=256,
    ) as file:
        file.write(pixels)
        file.descriptions = ("red", "green")
    with rasterio.open(path) as file:
        offset, size = (int(file.get_tag_item(f"BLOCK_{what}_1_2", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = bytes(size)
    path.write_bytes(content)


def test_a_block_that_cannot_be_read_costs_its_own_tiles_only(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    write_damaged(path)
    result = quietly(
        path,
        "water",
        Brightness(),
        out=tmp_path / "out",
        open_options={"scale": 1e-4},
        tile_px=320,
        overlap_px=0,
        min_area_px=1000,
    )
    failed = ["320,0,320,320", "320,320,320,320", "640,0,320,320", "640,320,320,320"]  # each has a part of the block
    assert sorted(result.failures) == failed
    assert all("UnreadableSourceError" in why and "Fetch the file again" in why for why in result.failures.values())
    lost = np.zeros((1280, 1280), bool)
    lost[320:960, :640] = True
    np.testing.assert_array_equal(result.mask == 255, lost)
    assert result.evidence["water"].valid_px == 1280**2 - 640**2
    assert "4 of 16 tiles failed and count as no data" in result.notes[-1]


def test_what_a_run_says_can_be_silenced(scene: xr.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    quietly(scene, "water", Brightness())
    assert capsys.readouterr() == ("", "")
    extract(scene, "water", Brightness())
    said = capsys.readouterr()
    assert said.out == ""
    assert "of memory beside the model" in said.err
    assert "9/9" in said.err or "100%" in said.err


def test_a_function_is_told_how_far_a_run_is_and_what_it_goes_on_from(scene: xr.Dataset, tmp_path: Path) -> None:
    told: list[Progress] = []
    with pytest.raises(ExtractionCancelledError):
        quietly(scene, "water", Brightness(), out=tmp_path / "out", cancel=cancelled_after(4), tile_px=32, overlap_px=0)
    extract(scene, "water", Brightness(), out=tmp_path / "out", progress=told.append, tile_px=32, overlap_px=0)
    assert [(one.part, one.done, one.total) for one in told] == [
        *(("tiles", done, 9) for done in (4, 5, 6, 7, 8, 9)),
        *((part, 9, 9) for part in ("assembling", "regions", "measurement", "explanation", "saving")),
    ]
    is_known = [one.seconds_left is not None for one in told]
    assert is_known == [False, True, True, True, True, False] + [False] * 5


def test_time_left_goes_by_the_pace_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    clock = iter([100.0, 102.0, 106.0])
    monkeypatch.setattr("spex_nb.extraction.run.time.monotonic", lambda: next(clock))
    with ProgressReporter(told.append, total=8, done=4).tiles() as one_more:
        one_more()
        one_more()
    assert [one.seconds_left for one in told] == [6.0, 6.0]  # 2 s for one, 3 others; 6 s for two, 2 others


def test_an_explanation_is_heard_as_it_comes_and_ends_where_nobody_listens(scene: xr.Dataset) -> None:
    class Talker(Brightness):
        def explain(self, *_: Any) -> Any:
            yield from ("Water covers ", "14% of the scene. ", "And so on.")

    heard: list[str] = []
    whole = quietly(scene, "water", Talker(), on_text=heard.append)
    assert "".join(heard) == whole.explanations[0].text == "Water covers 14% of the scene. And so on."
    cut = quietly(scene, "water", Talker(), on_text=heard.append, cancel=lambda: len(heard) == 5)
    assert cut.explanations[0].text == "Water covers 14% of the scene."
    assert "The model's explanation of water was cut short, because the run was cancelled." in cut.notes
    assert not any("cut short" in note for note in whole.notes)
    quietly(RIVER, "water", "index", on_text=lambda _: pytest.fail("the index has no words"))


def test_a_listener_that_fails_is_no_fault_of_the_model(scene: xr.Dataset) -> None:
    with pytest.raises(ZeroDivisionError):
        quietly(scene, "water", Brightness(says="Water."), on_text=lambda _: 1 / 0)


def test_a_run_that_fails_leaves_nothing_behind(
    scene: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: Counting) -> None:
        raise RuntimeError("never works")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ExtractionError) as caught:
        quietly(scene, "water", Counting(break_down))
    assert caught.value.__traceback__ is not None  # which keeps all that the call knew, as in a notebook
    assert [*tmp_path.iterdir()] == []


def test_tiles_are_asked_for_one_after_another(scene: xr.Dataset, tmp_path: Path) -> None:
    plan = plan_extraction(scene, "water", Brightness(), tile_px=32, overlap_px=0)
    kept = journals.TileStore(tmp_path / "journal")
    kept.begin(plan.identity)
    assert (
        run_tiles(
            plan.job, plan.predictor, plan.tiling.windows, kept, reporter=ProgressReporter(progress=False, total=9)
        )
        == {}
    )
    assert all(map(kept.is_done, plan.tiling.windows))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one program alone")
def test_a_run_takes_no_more_memory_than_it_says_before(tmp_path: Path) -> None:
    with rasterio.open(RIVER) as file:
        pixels, profile = np.tile(file.read(), (1, 8, 8)), file.profile
        described = file.descriptions
    profile |= {"height": pixels.shape[1], "width": pixels.shape[2]}
    with rasterio.open(tmp_path / "large.tif", "w", **profile) as file:
        file.write(pixels)
        file.descriptions = described
    run = [sys.executable, "-c", MEASURED_RUN, str(tmp_path / "large.tif"), str(tmp_path / "out")]
    done = subprocess.run(run, capture_output=True, check=True, text=True)
    planned, taken = map(int, done.stdout.split())
    assert taken <= planned < 2 * taken
