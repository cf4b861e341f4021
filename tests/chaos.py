"""Kills, full disks and lost workers, at random: ``python -m tests.chaos``, or ``make chaos``.

Every run is killed or starved, begun again, and compared with a run that nobody disturbed. Each happens in a child
process, forked from one that has imported everything. A disk of a given size is a small tmpfs where root allows it, and
a limit of the size of files otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

GONE_S = 60.0
"""Within this time all processes that a killed one started must have ended, s; some are still importing."""
PAIR = 2
"""Scenes of a comparison that gives gain and loss; more give areas by date."""
TYPED, CRASHED = 3, 4
"""Exit status of a child: with an error of the package, and with any other."""
HIDDEN = "stage/.checkpoint-*"
"""Where a checkpoint lies while it is written."""
Job = Callable[[Path], None]
Digest = Callable[[Path], str]


@dataclass
class Tally:
    """How the trials of one kind ended."""

    name: str
    trials: int = 0
    done_before: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"| {self.name} | {self.trials} | {self.done_before} | {len(self.problems)} |"


def fork(work: Callable[[], None]) -> int:
    """Do some work in a child process; return its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    status = 0
    try:
        warnings.simplefilter("ignore")
        work()
    except BaseException as error:  # noqa: BLE001 (the status tells the parent)
        from spex_nb.errors import SpexError

        status = TYPED if isinstance(error, SpexError) else CRASHED
        Path(os.environ["CHAOS_LOG"]).write_text("".join(traceback.format_exception(error))[-3000:])
    finally:
        os._exit(status)  # whatever happens, this child must not go on as its parent


def last_error() -> str:
    """Return the end of the last error of a child."""
    log = Path(os.environ["CHAOS_LOG"])
    return log.read_text()[-600:] if log.exists() else "no error"


def wait_for(pid: int) -> int:
    """Return the exit status of a child; the negative number of the signal that ended it."""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def names_in(folder: Path) -> list[str]:
    """Return the names of all files and folders below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def bytes_of(folder: Path, without: str = "") -> str:
    """Return a hash of all files below a folder, with their names; files of one name may be left out."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != without:
            digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def result_of(folder: Path) -> str:
    """Return a hash of a result, without the times that it states and that a GeoPackage has inside."""
    import geopandas as gpd

    out = folder / "out"
    digest = hashlib.blake2b(digest_size=16)
    for name in ("mask.tif", "probability.tif", "overview.nc", "runs.npz"):
        digest.update((out / name).read_bytes())
    payload = json.loads((out / "extraction.json").read_text())
    for name in ("made", "timing_s"):
        payload["provenance"].pop(name)
    digest.update(json.dumps(payload, sort_keys=True).encode())
    digest.update(gpd.read_file(out / "regions.gpkg", layer="regions").to_json().encode())
    return digest.hexdigest()


def dataset_of(folder: Path) -> str:
    """Return a hash of a dataset; its index is read, for Parquet says when it was written."""
    import pandas as pd

    return bytes_of(folder, "index.parquet") + str(pd.read_parquet(folder / "set" / "index.parquet").to_json())


def model_of(folder: Path) -> str:
    """Return a hash of the model that a stage ended with."""
    return bytes_of(folder / "stage" / "final")


def kill_at_random(
    tally: Tally, job: Job, digest: Digest, folder: Path, count: int, dice: random.Random, aim: str = ""
) -> None:
    """Kill a job at random points, begin it again, and compare.

    Args:
        tally: Takes how it ended.
        job: Writes below a folder.
        digest: Tells one outcome from another.
        folder: An empty folder.
        count: How often.
        dice: Random numbers.
        aim: Pattern of a path; the kill comes shortly after it appears. A random point of the whole run without it.
    """
    start = time.monotonic()
    assert wait_for(fork(lambda: job(folder))) == 0, last_error()
    seconds = time.monotonic() - start
    expected, names = digest(folder), names_in(folder)
    for _ in range(count):
        empty(folder)
        pid = fork(lambda: job(folder))
        wait_for_the_moment(folder, aim, seconds, dice)
        children = psutil.Process(pid).children(recursive=True) if psutil.pid_exists(pid) else []
        os.kill(pid, signal.SIGKILL)
        tally.trials += 1
        tally.done_before += wait_for(pid) == 0
        _, alive = psutil.wait_procs(children, GONE_S)
        if alive:
            tally.problems.append(f"{len(alive)} processes outlived the one that was killed")
        status = wait_for(fork(lambda: job(folder)))
        if status:
            tally.problems.append(f"the rerun ended with {status}: {last_error()}")
        elif digest(folder) != expected:
            tally.problems.append("the rerun ended otherwise")
        elif names_in(folder) != names:
            tally.problems.append(f"left behind: {sorted(set(names_in(folder)) - set(names))[:5]}")


def wait_for_the_moment(folder: Path, aim: str, seconds: float, dice: random.Random) -> None:
    """Wait for the moment of a kill."""
    if not aim:
        time.sleep(dice.uniform(0, seconds))
        return
    nth, seen = dice.randint(1, 3), set[Path]()
    end = time.monotonic() + 2 * seconds
    while len(seen) < nth and time.monotonic() < end:
        seen |= set(folder.glob(aim))
        time.sleep(0.001)
    time.sleep(dice.uniform(0, 0.15))


def empty(folder: Path) -> None:
    """Remove all that is in a folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def disk_of(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Make a folder a disk of some bytes; give a function that makes it large."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
        try:
            yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
            empty(folder)
        return
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=1G", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_disks(tally: Tally, job: Job, digest: Digest, folder: Path, count: int) -> None:
    """Run a job on disks of several sizes, from none to enough; make room, run it again, and compare."""
    with disk_of(folder, 2**30):
        assert wait_for(fork(lambda: job(folder))) == 0, last_error()
        expected, names = digest(folder), names_in(folder)
        largest = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for trial in range(count):
        size = max(4096, int(2.2 * largest * (trial + 0.5) / count))
        with disk_of(folder, size) as enlarge:
            status = wait_for(fork(lambda: job(folder)))
            tally.trials += 1
            tally.done_before += status == 0
            if status not in {0, TYPED}:
                tally.problems.append(f"{size} bytes: {status}, {last_error()}")
            enlarge()
            if status != 0 and (again := wait_for(fork(lambda: job(folder)))):
                tally.problems.append(
                    f"{size} bytes, then room: {again}, {Path(os.environ['CHAOS_LOG']).read_text()[-600:]}"
                )
            elif digest(folder) != expected or names_in(folder) != names:
                tally.problems.append(f"{size} bytes, then room: another outcome, {names_in(folder)[:9]}")


def extract_job(model: str, side: int) -> Job:
    """Return a job that extracts from a part of a sample."""

    def job(folder: Path) -> None:
        from spex_nb.extraction import extract, load_extraction
        from spex_nb.scene.samples import sample_path

        if (folder / "out").exists() and not (folder / "out.partial").exists():
            load_extraction(folder / "out")
            from spex_nb.extraction.extract_scene import remove_traces

            remove_traces(folder / "out")
            return
        extract(sample_path("river_10m"), "water", model, out=folder / "out", tile_px=side, progress=False, anyway=True)

    return job


def compare_job(count: int) -> Job:
    """Return a job that compares a sample with itself: as a pair, or as a series of so many dates."""

    def job(folder: Path) -> None:
        from spex_nb.analysis.change import compare, compare_series, load_change, load_series
        from spex_nb.scene.samples import sample_path

        out, file = folder / "out", sample_path("river_10m")
        if out.exists() and not (folder / "out.partial").exists():
            (load_change if count == PAIR else load_series)(out)
        elif count == PAIR:
            compare(file, file, "water", "index", out=out, progress=False, anyway=True)
        else:
            scenes = {str(2001 + number): file for number in range(count)}
            compare_series(scenes, "water", "index", out=out, progress=False, anyway=True)

    return job


def change_of(folder: Path) -> str:
    """Return a hash of a change or a series, without the time that it states and that a GeoPackage has inside."""
    import geopandas as gpd

    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((folder / "out").rglob("*")):
        if path.suffix in (".tif", ".csv", ".txt"):
            digest.update(path.name.encode() + path.read_bytes())
        elif path.suffix == ".gpkg":
            digest.update(gpd.read_file(path, layer="regions").to_json().encode())
        elif path.suffix == ".json":
            payload = json.loads(path.read_text())
            payload["provenance"].pop("made")
            digest.update(json.dumps(payload, sort_keys=True).encode())
    return digest.hexdigest()


def build_job(workers: int) -> Job:
    """Return a job that builds a small dataset."""

    def job(folder: Path) -> None:
        from spex_nb import spie
        from spex_nb.scene.samples import sample_path

        images = [sample_path(name) for name in ("river_10m", "lake_30m")]
        labels = [image.with_name(f"{image.stem}_labels.tif") for image in images]
        classes = {1: "water", 2: "vegetation", 3: "built_up", 4: "bare_soil"}
        scenes = spie.labelled_scenes(images, labels, classes)
        spie.build(scenes, None, folder / "set", spie.Settings(tile_px=64), workers=workers, progress=False)

    return job


def train_job(dataset: Path) -> Job:
    """Return a job that trains a tiny stage."""

    def job(folder: Path) -> None:
        import torch

        from spex_nb.training.run import run_stage
        from spex_nb.training.stage import Stage

        torch.set_num_threads(1)
        stage = Stage(
            "pretrain", str(dataset), str(folder / "stage"), steps=24, batch=1, size_px=32, save_every=4, workers=0
        )
        run_stage(stage)

    return job


def writers(given: Path, dataset: Path) -> Mapping[str, tuple[Job, Digest]]:
    """Return a job for each kind of file that the package writes, and how outcomes are compared.

    This process itself opens no raster: a child that is forked after that has none of GDAL's threads.

    Args:
        given: A result to write again.
        dataset: To train on.
    """
    from spex_nb.extraction import load_extraction
    from spex_nb.output.export import save_cog, save_geojson, save_geopackage, save_geoparquet

    def writing(write: Callable[[Any, Path], object]) -> Job:
        return lambda place: void(write(load_extraction(given), place))

    def writing_regions(write: Callable[..., object], name: str) -> Job:
        return writing(lambda result, place: write(many(result), place / name, overwrite=True))

    return {
        "GeoTIFF (COG)": (lambda place: void(save_cog(noise(), place / "a.tif", overwrite=True)), bytes_of),
        "GeoPackage": (writing_regions(save_geopackage, "a.gpkg"), regions_of),
        "GeoJSON": (writing_regions(save_geojson, "a.geojson"), bytes_of),
        "GeoParquet": (writing_regions(save_geoparquet, "a.parquet"), bytes_of),
        "HTML": (writing(lambda result, place: result.to_html(place / "a.html", overwrite=True)), bytes_of),
        "result": (writing(lambda result, place: result.save(place / "out", overwrite=True)), result_of),
        "session": (writing(save_as_session), lambda place: " ".join(names_in(place))),
        "extract": (extract_job("index", 96), result_of),
        "spie build": (build_job(1), dataset_of),
        "training checkpoint": (train_job(dataset), model_of),
    }


def noise() -> Any:
    """Return a layer that hardly compresses, float32 [400, 400]."""
    import numpy as np
    import xarray as xr

    return xr.DataArray(np.random.default_rng(0).random((400, 400), np.float32), dims=("y", "x"))


def many(result: Any) -> Any:
    """Return the regions of a result, forty times."""
    import geopandas as gpd
    import pandas as pd

    return gpd.GeoDataFrame(pd.concat([result.regions] * 40, ignore_index=True), crs=result.regions.crs)


def save_as_session(result: Any, place: Path) -> None:
    """Write a session that holds a result."""
    from spex_widgets.session import save_session
    from spex_widgets.state import WorkbenchState

    from spex_nb import sample_scene

    state = WorkbenchState(sample_scene("river_10m"), "index")
    state.show_result(result, (0, 0, *result.mask.shape))
    save_session(state, place / "a.spex", overwrite=True)


def regions_of(place: Path) -> str:
    """Return the regions in a GeoPackage, whose file holds the time of its making."""
    import geopandas as gpd

    return str(gpd.read_file(place / "a.gpkg", layer="regions").to_json())


def void(_: object) -> None:
    """Drop what a function returns."""


def lose_workers(tally: Tally, folder: Path, count: int, dice: random.Random) -> None:
    """Kill a worker of a cluster during an extraction; its result must be the same."""
    from distributed import Client, LocalCluster

    from spex_nb.extraction import extract
    from spex_nb.scene.samples import sample_path

    options: dict[str, Any] = {"tile_px": 64, "progress": False}
    extract(sample_path("river_10m"), "water", "index", out=folder / "out", **options)
    expected = result_of(folder)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        for _ in range(count):
            empty(folder)
            left = [dice.randint(1, 12)]

            def on_progress(progress: Any, left: list[int] = left) -> None:
                left[0] -= progress.part == "tiles"
                if left[0] == 0:
                    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

            tally.trials += 1
            try:
                extract(
                    sample_path("river_10m"), "water", "index", out=folder / "out", client=client,
                    **(options | {"progress": on_progress}),
                )  # fmt: skip
                if result_of(folder) != expected or names_in(folder) != sorted(names_in(folder)):
                    tally.problems.append("another outcome")
            except Exception as error:  # noqa: BLE001 (whatever it is, it is a problem)
                tally.problems.append(f"{type(error).__name__}: {error}"[:600])
            client.wait_for_workers(2)


def lose_scheduler(tally: Tally, folder: Path, count: int, dice: random.Random) -> None:
    """Lose the scheduler of a cluster during an extraction: a typed error, and the same process ends it without one."""
    from distributed import Client, LocalCluster

    from spex_nb.errors import ClusterError
    from spex_nb.extraction import extract
    from spex_nb.scene.samples import sample_path

    options: dict[str, Any] = {"out": folder / "out", "tile_px": 64}
    extract(sample_path("river_10m"), "water", "index", progress=False, **options)
    expected, names = result_of(folder), names_in(folder)
    for _ in range(count):
        empty(folder)
        left = [dice.randint(1, 12)]
        with (
            LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):

            def on_progress(progress: Any, left: list[int] = left, cluster: Any = cluster) -> None:
                left[0] -= progress.part == "tiles"
                if left[0] == 0:
                    cluster.close(timeout=5)

            tally.trials += 1
            try:
                extract(sample_path("river_10m"), "water", "index", client=client, progress=on_progress, **options)
                tally.done_before += 1
            except ClusterError:
                extract(sample_path("river_10m"), "water", "index", progress=False, **options)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is a problem)
                tally.problems.append(f"{type(error).__name__}: {error}"[:600])
                continue
        if result_of(folder) != expected or names_in(folder) != names:
            tally.problems.append("another outcome")


def run(counts: Mapping[str, int], seed: int, folder: Path) -> list[Tally]:
    """Run all trials.

    Args:
        counts: How many of each kind.
        seed: Of the random points.
        folder: Where to write; a new one.
    """
    os.environ["CHAOS_LOG"] = str(folder / "log.txt")
    dice, tallies = random.Random(seed), list[Tally]()

    def tally(name: str) -> Tally:
        tallies.append(Tally(name))
        return tallies[-1]

    def place(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    wanted = [kind for kind in killed_jobs(folder) if counts.get(kind[1])]
    for title, name, job_of in wanted:
        job, digest, aim = job_of()
        kill_at_random(tally(f"kill: {title}"), job, digest, place(name), counts[name], dice, aim)
        report(tallies[-1])
    if counts.get("disk"):
        given = place("given")
        assert wait_for(fork(lambda: extract_job("index", 96)(given))) == 0, last_error()
        for title, (job, digest) in writers(given / "out", dataset_in(folder)).items():
            fill_disks(tally(f"full disk: {title}"), job, digest, place(f"disk {title}"), counts["disk"])
            report(tallies[-1])
    for name, lose in (("worker", lose_workers), ("scheduler", lose_scheduler)):
        if counts.get(name):
            lose(tally(f"lost {name}: extract, index"), place(name), counts[name], dice)
            report(tallies[-1])
    return tallies


def killed_jobs(folder: Path) -> list[tuple[str, str, Callable[[], tuple[Job, Digest, str]]]]:
    """Return what is killed: its title, its name among the arguments, and its job with digest and aim."""
    return [
        ("extract, index", "index", lambda: (extract_job("index", 64), result_of, "")),
        ("extract, tiny", "tiny", lambda: (extract_job("tiny", 128), result_of, "")),
        ("compare two dates, index", "compare", lambda: (compare_job(PAIR), change_of, "")),
        ("compare four dates, index", "series", lambda: (compare_job(4), change_of, "")),
        ("spie build, two workers", "spie", lambda: (build_job(2), dataset_of, "")),
        ("train", "train", lambda: (train_job(dataset_in(folder)), model_of, "")),
        (
            "train, writing a checkpoint",
            "checkpoint",
            lambda: (train_job(dataset_in(folder)), model_of, "stage/.checkpoint-*"),
        ),
    ]


def dataset_in(folder: Path) -> Path:
    """Return a small dataset to train on; built once."""
    if not (folder / "data" / "set").exists():
        (folder / "data").mkdir()
        build_job(1)(folder / "data")
    return folder / "data" / "set"


def report(tally: Tally) -> None:
    """Write the row of a kind, and its problems."""
    sys.stdout.write("\n".join([str(tally), *(f"    {problem}" for problem in tally.problems[:5])]) + "\n")
    sys.stdout.flush()


USUAL = {
    "index": 60,
    "tiny": 40,
    "compare": 20,
    "series": 20,
    "spie": 40,
    "train": 20,
    "checkpoint": 20,
    "disk": 40,
    "worker": 10,
    "scheduler": 5,
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in USUAL.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--only", action="store_true", help="run nothing that is not named")
    parser.add_argument("--seed", type=int, default=0)
    arguments = vars(parser.parse_args())
    named = {text.lstrip("-").split("=")[0] for text in sys.argv[1:]}
    counts = {name: arguments[name] for name in USUAL if not arguments["only"] or name in named}
    with tempfile.TemporaryDirectory(prefix="spex-chaos-") as folder:
        tallies = run(counts, arguments["seed"], Path(folder))
    raise SystemExit(any(tally.problems for tally in tallies))


if __name__ == "__main__":
    main()
