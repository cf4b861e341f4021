"""The small run of the lessons: it learns, on generated places, and is measured on others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [model]")

from spex_nb import evaluate  # noqa: E402
from spex_nb.spie import open_dataset  # noqa: E402 (after the check for torch)
from spex_nb.training import LiveCurves, small_training_run  # noqa: E402
from spex_nb.training.curves import curve, sparkline  # noqa: E402

pytestmark = pytest.mark.slow


def test_a_small_run_learns_and_measures_on_places_held_out(tmp_path: Path) -> None:
    run = small_training_run(tmp_path, steps=48, check_every=24, size_px=64)
    _, losses = curve(run.result.curves, "loss")
    assert losses[-1] < 0.8 * losses[0]
    assert run.iou["vegetation"] > 0.5
    assert set(run.index_iou) >= {"water", "vegetation"}
    index = open_dataset(run.data).index
    assert not set(index[index.split == "val"].place) & set(index[index.split == "train"].place)
    assert len(run.plot().axes) == 2
    model = run.model()
    report = evaluate(model, run.data, pictures=0, progress=False)
    figures = report.table().set_index("target")["iou"]
    assert figures["vegetation"] == pytest.approx(run.iou["vegetation"], abs=0.02)  # the same tiles, asked one by one
    assert not list(model.explain(None, ""))


def test_curves_are_drawn_anew_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    handle = SimpleNamespace(update=shown.append)
    monkeypatch.setattr("IPython.display.display", lambda picture, **_: (shown.append(picture), handle)[1])
    curves = LiveCurves()
    for step in (1, 2):
        curves({"step": step, "loss": 1 / step, "iou_water": 0.1 * step})
    assert len(shown) == 2
    assert [len(picture.axes[0].lines[0].get_xdata()) for picture in shown] == [1, 2]


def test_a_row_of_bars_follows_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([float("nan"), 2.0]) == "▁"
    assert sparkline([]) == ""
