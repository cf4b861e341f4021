"""The small run of the lessons: it learns, on generated places, and is measured on others."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [model]")

from spex_nb.spie import open_dataset  # noqa: E402 (after the check for torch)
from spex_nb.training import small_training_run  # noqa: E402
from spex_nb.training.curves import curve, sparkline  # noqa: E402


def test_a_small_run_learns_and_measures_on_places_held_out(tmp_path: Path) -> None:
    run = small_training_run(tmp_path, steps=48, check_every=24, size_px=64)
    _, losses = curve(run.result.curves, "loss")
    assert losses[-1] < 0.8 * losses[0]
    assert run.iou["vegetation"] > 0.5
    assert set(run.index_iou) >= {"water", "vegetation"}
    index = open_dataset(run.data).index
    assert not set(index[index.split == "val"].place) & set(index[index.split == "train"].place)
    assert len(run.plot().axes) == 2


def test_a_row_of_bars_follows_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([float("nan"), 2.0]) == "▁"
    assert sparkline([]) == ""
