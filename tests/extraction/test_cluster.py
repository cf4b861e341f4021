"""The same result on a dask cluster, whatever its workers, and whatever happens to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client

from spex_nb import open_scene
from spex_nb.errors import ClusterError, ExtractionCancelledError
from spex_nb.extraction import predict, run
from spex_nb.scene.samples import sample_path
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares
from tests.extraction.test_run import TILES, same

pytestmark = pytest.mark.slow

RIVER = sample_path("river_10m")


@pytest.fixture
def threads() -> Iterator[Client]:
    """Return a client of two workers that are threads of this process."""
    with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        yield client


@pytest.fixture(scope="module")
def alone() -> Any:
    return quietly(RIVER, "water and vegetation", **TILES)


def test_two_runs_give_the_same_bits(alone: Any) -> None:
    assert same(quietly(RIVER, "water and vegetation", **TILES), alone)


def test_two_workers_give_the_same_bits(threads: Client, alone: Any) -> None:
    assert same(quietly(RIVER, "water and vegetation", client=threads, **TILES), alone)


def test_one_worker_gives_the_same_bits(alone: Any) -> None:
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        assert same(quietly(RIVER, "water and vegetation", client=client, **TILES), alone)


def test_a_scene_and_a_model_in_memory_are_sent_to_the_workers(threads: Client) -> None:
    scene, model = scene_of(squares((96, 96), (10, 10, 20), (60, 50, 30))), Brightness()
    there = quietly(scene, "water", model, client=threads, tile_px=32)
    assert same(there, quietly(scene, "water", Brightness(), tile_px=32))


def test_a_worker_loads_the_model_once(threads: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []
    load = predict.load_mask_model
    monkeypatch.setattr(predict, "load_mask_model", lambda model: loaded.append(model) or load(model))
    quietly(RIVER, "water", client=threads, **TILES)
    assert len(loaded) == 1  # the workers are threads of one process


def test_a_cancelled_run_gives_the_cluster_back(threads: Client) -> None:
    asked: list[None] = []

    def is_cancelled() -> bool:
        asked.append(None)
        return len(asked) > 2

    with pytest.raises(ExtractionCancelledError, match="2 of 16 tiles done"):
        quietly(RIVER, "water", client=threads, cancel=is_cancelled, **TILES)
    assert threads.submit(sum, [1, 2]).result(timeout=60) == 3


def test_a_tile_that_fails_on_a_worker_is_reported(threads: Client) -> None:
    class Broken(Brightness):
        def predict(self, tile: Any, *arguments: Any, **options: Any) -> Any:
            if float(tile["red"].max()) > 0.95:
                raise RuntimeError("too bright")
            return super().predict(tile, *arguments, **options)

    red = squares((96, 96), (10, 10, 20))
    red[70:75, 70:75] = 1.0
    result = quietly(scene_of(red), "water", Broken(), client=threads, tile_px=32, overlap_px=0)
    assert result.failures == {"64,64,32,32": "RuntimeError: too bright"}
    assert result.regions["area_px"].tolist() == [400]


def test_a_worker_that_is_killed_costs_nothing(alone: Any) -> None:
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        workers = client.run(os.getpid)
        asked: list[None] = []

        def kill_one() -> bool:
            asked.append(None)
            if len(asked) == 4:
                os.kill(next(iter(workers.values())), signal.SIGKILL)
            return False

        result = quietly(RIVER, "water and vegetation", client=client, cancel=kill_one, **TILES)
    assert not result.failures
    assert same(result, alone)
    assert np.isfinite(result.probability).any()


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_run_whose_workers_are_all_lost_ends(
    is_in_memory: bool, threads: Client, alone: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LONGEST_WITHOUT_WORKERS_S", 1.0)
    monkeypatch.setattr(run, "POLL_S", 0.2)
    asked: list[None] = []

    def lose_workers() -> bool:
        asked.append(None)
        if len(asked) == 2:
            for worker in [*threads.cluster.workers.values()]:
                threads.sync(worker.close)
        return False

    scene = open_scene(RIVER, chunks=None).load() if is_in_memory else RIVER
    with pytest.raises(ClusterError, match="Start a new cluster"):
        quietly(scene, "water and vegetation", client=threads, cancel=lose_workers, out=tmp_path / "out", **TILES)
    again = quietly(scene, "water and vegetation", out=tmp_path / "out", **TILES)
    assert is_in_memory or same(again, alone)


def test_a_run_whose_scheduler_is_lost_ends_and_the_process_can_save(alone: Any, tmp_path: Any) -> None:
    client = Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None, timeout=5)
    asked: list[None] = []

    def lose_scheduler() -> bool:
        asked.append(None)
        if len(asked) == 2:
            client.cluster.close()
        return False

    with pytest.raises(ClusterError, match="Start a new cluster"):
        quietly(RIVER, "water and vegetation", client=client, cancel=lose_scheduler, out=tmp_path / "out", **TILES)
    again = quietly(RIVER, "water and vegetation", out=tmp_path / "out", **TILES)
    assert same(again, alone)
    lazy = open_scene(RIVER, chunks=64)
    assert again.save(tmp_path / "copy").is_dir()
    assert float(lazy["red"].mean().compute()) > 0
