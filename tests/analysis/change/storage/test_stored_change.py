"""A change opens again as it was, goes on after a kill, and what is hostile in its folder is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr

from spex_nb import Change, compare, load_change
from spex_nb.errors import ExtractionCancelledError, ExtractionError, OutputError, SourceNotFoundError
from spex_nb.extraction import Progress

pytestmark = pytest.mark.slow

PONDS_AFTER = ((50, 60, 24), (150, 80, 30), (180, 190, 18), (30, 200, 14))


def quietly(before: Any, after: Any, **options: Any) -> Change:
    return compare(before, after, "water", "index", **({"progress": False} | options))


@pytest.fixture(scope="module")
def pair(landscape: Callable[..., Any]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return two dated scenes."""
    before, after = landscape().picture(), landscape(PONDS_AFTER).picture((2, -1), noise_seed=9)
    return before.assign_attrs(datetime="2009-06-18"), after.assign_attrs(datetime="2019-06-30")


@pytest.fixture(scope="module")
def change(pair: tuple[xr.Dataset, xr.Dataset]) -> Change:
    return quietly(*pair)


def digest(folder: Path) -> str:
    """Return a hash of a stored change, without the time at which it was made and what a GeoPackage says of it."""
    figures = json.loads((folder / "change.json").read_text())
    figures["provenance"].pop("made")
    parts = [(folder / name).read_bytes() for name in ("classes.tif", "explanation.txt")]
    parts += [json.dumps(figures, sort_keys=True).encode(), gpd.read_file(folder / "regions.gpkg").to_json().encode()]
    return hashlib.blake2b(b"".join(parts)).hexdigest()


def test_a_stored_change_opens_as_it_was_saved(change: Change, tmp_path: Path) -> None:
    again = load_change(change.save(tmp_path / "change"))
    assert again.explanation == change.explanation
    assert again.targets == change.targets
    assert again.registration == change.registration
    assert (again.date_before, again.date_after) == ("2009-06-18", "2019-06-30")
    assert again.provenance == change.provenance
    xr.testing.assert_identical(again.classes, change.classes)
    assert again.table().equals(change.table())
    assert again.regions.drop(columns="geometry").equals(change.regions.drop(columns="geometry"))
    assert again.regions.geometry.geom_equals(change.regions.geometry).all()
    assert again.regions.crs == change.regions.crs
    assert digest(again.save(tmp_path / "again")) == digest(tmp_path / "change")


def test_a_change_without_ground_or_shift_opens_too(pair: tuple[xr.Dataset, xr.Dataset], tmp_path: Path) -> None:
    small = [scene.drop_vars("spatial_ref").isel(y=slice(40), x=slice(40)) for scene in pair]
    change = quietly(*small)
    assert change.registration.windows == 0
    again = load_change(change.save(tmp_path / "change"))
    assert again.targets == change.targets
    assert again.explanation == change.explanation


def test_a_cancelled_comparison_leaves_nothing_half_and_goes_on(
    pair: tuple[xr.Dataset, xr.Dataset], change: Change, tmp_path: Path
) -> None:
    """Cancelled in the scene after: the scene before is not extracted again."""
    stop, parts, out = threading.Event(), [], tmp_path / "out"

    def note(progress: Progress) -> None:
        parts.append(progress.part)
        if progress.part == "saving":
            stop.set()

    with pytest.raises(ExtractionCancelledError):
        quietly(*pair, out=out, progress=note, cancel=stop)
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.partial"]
    with pytest.raises(OutputError, match="with other scenes"):
        quietly(pair[1], pair[0], out=out)
    parts.clear()
    again = quietly(*pair, out=out, progress=note)
    assert parts.count("saving") == 1
    assert again.targets == change.targets
    assert digest(out) == digest(change.save(tmp_path / "whole"))
    assert not (tmp_path / "out.partial").exists()
    with pytest.raises(OutputError, match="output exists"):
        quietly(*pair, out=out)
    assert quietly(*pair, out=out, overwrite=True).targets == change.targets


def test_a_killed_comparison_ends_in_the_same_bytes(pair: tuple[xr.Dataset, xr.Dataset], tmp_path: Path) -> None:
    """The process dies when the first scene is done; the same call goes on."""
    for scene, name in zip(pair, ("before", "after"), strict=True):
        scene.drop_attrs().assign_attrs(scene.attrs).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    code = (
        "import sys, xarray as xr\n"
        "from spex_nb import compare\n"
        "files = [f'{sys.argv[1]}/{name}.nc' for name in ('before', 'after')]\n"
        "pair = [xr.open_dataset(file, decode_coords='all').load() for file in files]\n"
        "compare(*pair, 'water', 'index', out=sys.argv[1] + '/out', progress=False)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    first_done = tmp_path / "out.partial" / "before"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not first_done.exists():
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    subprocess.run(command, check=True, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.nc", "before.nc", "out"]
    resumed = digest(tmp_path / "out")
    subprocess.run([*command[:2], code.replace("/out'", "/whole'"), str(tmp_path)], check=True, capture_output=True)
    assert resumed == digest(tmp_path / "whole")


def test_a_run_killed_after_saving_is_finished_by_the_same_call(
    pair: tuple[xr.Dataset, xr.Dataset], change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as context:
        context.setattr("spex_nb.analysis.change.unfinished.UnfinishedComparison.remove", lambda _: None)
        quietly(*pair, out=out)
    assert (tmp_path / "out.partial").exists()
    assert quietly(*pair, out=out).targets == change.targets
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"format": 1', '"format": 2'), "format 2"),
        (lambda text: text.replace('"doubts"', '"__class__"'), "unknown __class__"),
        (lambda text: text.replace('"water": {', '"lava": {'), "the change of lava"),
        (lambda text: text.replace('"is_measured": true', '"is_measured": "yes"'), "is_measured"),
        (lambda text: text.replace('"int64"', '"complex128"'), "columns of type complex128"),
        (lambda text: text[: len(text) // 2], "change"),
        (lambda _: "[]", "format list"),
    ],
)
def test_a_description_that_is_damaged_or_hostile_is_refused(
    change: Change, tmp_path: Path, damage: Callable[[str], str], message: str
) -> None:
    file = change.save(tmp_path / "change") / "change.json"
    text = file.read_text()
    assert damage(text) != text
    file.write_text(damage(text))
    with pytest.raises(ExtractionError, match=message):
        load_change(tmp_path / "change")


def test_a_raster_that_could_do_more_than_hold_classes_is_refused(change: Change, tmp_path: Path) -> None:
    folder = change.save(tmp_path / "change")
    classes = folder / "classes.tif"
    plain = classes.read_bytes()
    with rasterio.open(classes) as file:
        pixels, profile = file.read(), {**file.profile, "driver": "GTiff"}
    pixels[0, 3, 3] = 77
    with rasterio.open(classes, "w", **profile) as file:
        file.write(pixels)
    with pytest.raises(ExtractionError, match="numbers that mean nothing here: \\[77\\]"):
        load_change(folder)
    classes.write_text(f"<VRTDataset><SRSDataSource>{tmp_path}</SRSDataSource></VRTDataset>")
    with pytest.raises(ExtractionError, match="classes"):
        load_change(folder)
    classes.unlink()
    classes.symlink_to("/etc/hostname")
    with pytest.raises(ExtractionError, match="link out of its folder"):
        load_change(folder)
    classes.unlink()
    classes.write_bytes(plain)
    assert load_change(folder).targets == change.targets


def test_a_table_that_could_do_more_than_hold_regions_is_refused(change: Change, tmp_path: Path) -> None:
    folder = change.save(tmp_path / "change")
    connection = sqlite3.connect(folder / "regions.gpkg")
    connection.execute("CREATE VIEW trap AS SELECT load_extension('evil')")
    connection.commit()
    connection.close()
    with pytest.raises(ExtractionError, match="holds the view trap"):
        load_change(folder)
    (folder / "regions.gpkg").unlink()
    with pytest.raises(ExtractionError, match=r"regions\.gpkg is missing"):
        load_change(folder)
    with pytest.raises(SourceNotFoundError, match=r"without change\.json"):
        load_change(tmp_path)


def test_fewer_pixels_than_classes_promise_is_no_crash(change: Change, tmp_path: Path) -> None:
    folder = change.save(tmp_path / "change")
    data = (folder / "classes.tif").read_bytes()
    (folder / "classes.tif").write_bytes(data[: len(data) // 3])
    with pytest.raises(ExtractionError):
        load_change(folder)
    assert np.isfinite(change.targets["water"].gain.px)
