"""Files are whole or not there, a full disk is one error with figures, and what a kill left is removed."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio._err import CPLE_AppDefinedError
from rasterio.errors import RasterioIOError
from safetensors import SafetensorError

from spex_nb.errors import OutputError
from spex_nb.output import files
from spex_nb.output.export import require_whole_raster, save_cog, save_geojson, save_geopackage
from spex_nb.output.files import remove_leftovers, write_folder_whole, write_whole
from spex_nb.output.html import write_page

WRITER = """
import sys, time
from pathlib import Path
from spex_nb.output.files import write_folder_whole
with write_folder_whole(Path(sys.argv[1]), overwrite=True, mark="mark") as part:
    (part / "mark").write_text("new")
    print("writing", flush=True)
    time.sleep(60)
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a number of bytes, as a disk would that is full."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@contextmanager
def writer_of(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give another process that is writing a folder."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


@pytest.mark.slow
def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    with writer_of(tmp_path / "result") as process:
        (hidden,) = tmp_path.iterdir()
        remove_leftovers(tmp_path)
        assert hidden.is_dir()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with write_folder_whole(tmp_path / "result", overwrite=False, mark="mark") as part:
            (part / "mark").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_hidden_folders_of_others_stay(tmp_path: Path) -> None:
    strangers = [tmp_path / ".result-settings", tmp_path / ".git", tmp_path / ".DS_Store"]
    (strangers[0]).mkdir()
    (strangers[0] / "precious.txt").write_text("mine")
    strangers[1].mkdir()
    strangers[2].write_text("")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(strangers)


def test_a_kill_between_the_two_renames_loses_neither_result(tmp_path: Path) -> None:
    work = tmp_path / ".result-abcd1234"
    for name in ("old", "result"):
        (work / name).mkdir(parents=True)
        (work / name / "mark").write_text(name)
    remove_leftovers(tmp_path, "result")
    assert (tmp_path / "result" / "mark").read_text() == "result"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_disk_without_locks_keeps_what_is_young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    young, old = tmp_path / ".a.txt-abcd1234", tmp_path / ".b.txt-abcd1234"
    young.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 100_000,) * 2)
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    with write_whole(tmp_path / "c.txt") as part:
        part.write_text("whole")


def test_everything_reaches_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(number: int) -> None:
        steps.append(f"flush {Path(f'/proc/self/fd/{number}').readlink().name}")
        fsync(number)

    def note_replace(path: Path, target: Path) -> Path:
        steps.append(f"rename {path.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    with write_whole(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert steps == ["flush a.txt", "rename a.txt", f"flush {tmp_path.name}"]


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda _: 2_000_000)
    with pytest.raises(OutputError, match=r"needs up to 5\.0 MB.*2\.0 MB free, so that up to 3\.0 MB are missing"):
        fail_to_write(tmp_path / "a.txt", needs_bytes=5_000_000)
    with pytest.raises(OutputError, match=r"No space left on device, and its disk has 2\.0 MB free"):
        fail_to_write(tmp_path / "a.txt", needs_bytes=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        CPLE_AppDefinedError(3, 1, "WriteEncodedTile() failed"),
        RasterioIOError("Write failed"),
        DataSourceError("disk I/O error"),
        DataLayerError("failed to execute insert"),
        SafetensorError("No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EROFS, "Read-only file system"),
    ],
    ids=repr,
)
def test_what_libraries_say_of_a_disk_is_one_error(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="The result cannot be written"), write_whole(tmp_path / "a.txt"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_all_files_of_a_folder_reach_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def note_fsync(number: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", note_fsync)
    with write_folder_whole(tmp_path / "result", overwrite=False, mark="a") as part:
        (part / "a").write_text("a")
        (part / "inner").mkdir()
        (part / "inner" / "b").write_text("b")
    assert sorted(flushed[:-1]) == ["a", "b", "inner", "result"]
    assert flushed[-1] == tmp_path.name


def fail_to_write(path: Path, needs_bytes: int | None) -> None:
    with write_whole(path, needs_bytes=needs_bytes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_cog(path: Path) -> None:
    numbers = np.random.default_rng(0).random((700, 700), np.float32)
    save_cog(xr.DataArray(numbers, dims=("y", "x")), path)


def write_html(path: Path) -> None:
    write_page("page.html", path, title="x" * 200_000)


def squares() -> gpd.GeoDataFrame:
    boxes = [shapely.box(i % 60, i // 60, i % 60 + 0.5, i // 60 + 0.5) for i in range(3000)]
    return gpd.GeoDataFrame({"number": range(3000)}, geometry=boxes, crs=4326)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spex_nb.errors.GridWarning")
@pytest.mark.parametrize("size", [1_000, 100_000, 150_000])
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.tif", write_cog),
        ("a.gpkg", lambda path: save_geopackage(squares(), path)),
        ("a.geojson", lambda path: save_geojson(squares(), path)),
        ("a.html", write_html),
    ],
)
def test_each_writer_has_one_error_and_goes_on_when_there_is_room(
    name: str, write: Callable[[Path], object], size: int, tmp_path: Path
) -> None:
    with largest_file(size), pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_that_was_cut_while_it_was_written_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    numbers = np.random.default_rng(0).random((1, 600, 600), np.float32)
    with rasterio.open(path, "w", driver="GTiff", count=1, height=600, width=600, dtype="float32") as file:
        file.write(numbers)
    require_whole_raster(path)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(rasterio.errors.RasterioError):
        require_whole_raster(path)
