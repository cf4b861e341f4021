"""Results, runs, sessions and checkpoints that version 0.1 wrote still open, and hold what they held."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb import extract, load_extraction, sample_scene
from spex_nb.errors import OutputError
from spex_nb.language import build_prompt

FILES = Path(__file__).parents[1] / "data" / "version_0_1"


def scene(side: int) -> xr.Dataset:
    """Return the part of a sample that the files were made of."""
    opened = sample_scene("river_10m")
    bands = opened[["green", "red", "nir"]].assign(valid=opened.spex.valid)
    return bands.isel(y=slice(40, 40 + side), x=slice(180, 180 + side)).load()


class Immediate(Executor):
    """Does a job at once."""

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **options))
        return future


def unpacked(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(FILES / name) as file:
        file.extractall(folder)
    return folder


@pytest.mark.parametrize(("model", "side", "area_px"), [("index", 64, 1794), ("tiny", 48, 899)])
def test_a_result_opens(model: str, side: int, area_px: int, tmp_path: Path) -> None:
    result = load_extraction(unpacked(f"result_{model}.zip", tmp_path / "result"))
    assert (result.mask.shape, int((result.mask == 1).sum())) == ((side, side), area_px)
    assert result.evidence["water"].area_px == area_px
    assert result.regions["area_px"].tolist() == [area_px]
    assert result.provenance["model"] == model
    assert result.faithfulness == (1.0 if model == "tiny" else None)
    assert "The mask shows water bodies" in result._repr_html_()
    assert load_extraction(result.save(tmp_path / "again")).mask.equals(result.mask)


def test_an_interrupted_run_goes_on_or_is_refused_in_words(tmp_path: Path) -> None:
    partial = unpacked("interrupted.partial.zip", tmp_path / "out.partial")
    before = json.loads((partial / "plan.json").read_text())
    counts: list[int] = []
    options: dict[str, Any] = {"out": tmp_path / "out", "tile_px": 32}
    result = extract(scene(64), "water", "index", progress=lambda at: counts.append(at.done), **options)
    assert counts[0] == 3  # tiles of the run that was interrupted
    assert before["scene"] == result.provenance["scene_fingerprint"]
    np.testing.assert_array_equal(result.mask, extract(scene(64), "water", "index", progress=False).mask)
    unpacked("interrupted.partial.zip", tmp_path / "other.partial")
    with pytest.raises(OutputError, match="with other targets"):
        extract(scene(64), "vegetation", "index", out=tmp_path / "other", tile_px=32, progress=False)


def test_a_session_opens(tmp_path: Path) -> None:
    pytest.importorskip("ipywidgets", reason="the workbench needs the extra [map]")
    from spex_widgets.session import open_session
    from spex_widgets.state import WorkbenchState

    state = WorkbenchState(scene(48), "index", executor=Immediate())
    open_session(state, unpacked("session.zip", tmp_path) / "session.spex")
    assert (state.text, state.points) == ("water", {"point": (3, 4)})
    assert int((state.extraction.mask == 1).sum()) == 883
    assert int((state.mask == 1).sum()) == state.result.evidence["water"].area_px == 896
    assert "13 pixels were edited by hand" in state.result.notes[-1]


def test_a_checkpoint_opens(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the model needs the extra [model]")
    from spex_nb.model import SpexPredictor

    predictor = SpexPredictor.from_pretrained(unpacked("checkpoint.zip", tmp_path), device="cpu")
    (logits,) = predictor.predict(scene(64), ["water"], [build_prompt("water", [])])
    assert predictor.card.targets == ("water", "vegetation")
    assert logits.shape == (64, 64)
    assert logits.mean() == pytest.approx(-0.31085, abs=1e-3)
    assert logits[0, 0] == pytest.approx(-0.28678, abs=1e-3)
