"""Stages as files: what they may say, what is changed by name, and what learns at which rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spex_nb.errors import TrainingError

pytest.importorskip("torch", reason="training needs the extra [model]")

from spex_nb.training.stage import Stage, make_stage, read_stage

RECIPE = Path(__file__).parents[2] / "recipes" / "tiny"
SOME = {"kind": "align", "data": "spie", "out": "run"}


def test_a_file_is_read_and_changed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_text('kind = "instruct"\ndata = "spie"\nout = "run"\ntargets = ["water"]\n[sampling]\nprior = 0.2\n')
    stage = read_stage(path, changes={"steps": 7, "sampling.wrong": 0.0, "hiding.batches": 0.5})
    assert (stage.kind, stage.steps, stage.targets) == ("instruct", 7, ("water",))
    assert (stage.sampling.prior, stage.sampling.wrong, stage.hiding.batches) == (0.2, 0.0, 0.5)


def test_a_file_without_a_kind_is_of_the_stage_that_is_run(tmp_path: Path) -> None:
    path = tmp_path / "stage.toml"
    path.write_text('data = "spie"\nout = "run"\n')
    assert read_stage(path, kind="align").kind == "align"
    path.write_text('kind = "pretrain"\ndata = "spie"\nout = "run"\n')
    with pytest.raises(TrainingError, match="run the stage pretrain"):
        read_stage(path, kind="align")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (SOME | {"stepz": 3}, "stepz"),
        (SOME | {"sampling": {"priors": 1}}, "priors"),
        ({"kind": "align", "out": "run"}, "no data"),
        (SOME | {"kind": "finetune"}, "pretrain, align or instruct"),
    ],
)
def test_what_makes_no_sense_is_said(table: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        make_stage(table)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="recipes/tiny"):
        read_stage(tmp_path / "missing.toml")
    (tmp_path / "broken.toml").write_text("steps = = 3")
    with pytest.raises(TrainingError, match="TOML"):
        read_stage(tmp_path / "broken.toml")


def test_parts_learn_by_stage_and_by_rate() -> None:
    stage = Stage(kind="pretrain", data="", out="", rate=1.0, rates={"stem.": 0.0, "encoder.": 0.5, "encoder.a.": 0.1})
    assert not stage.learns("language_model.layer")
    assert not stage.learns("stem.first")
    assert stage.learns("mask_decoder.blocks")
    assert (stage.rate_of("encoder.a.x"), stage.rate_of("encoder.b.x"), stage.rate_of("neck.x")) == (0.1, 0.5, 1.0)


@pytest.mark.parametrize("name", ["pretrain", "align", "instruct"])
def test_the_recipe_is_made_of_stages(name: Any) -> None:
    stage = read_stage(RECIPE / f"{name}.toml", kind=name)
    assert abs(sum(stage.shares.values()) - 1) < 1e-9
    assert set(stage.positive_weights) <= set(stage.targets)


def test_the_recipe_holds_back_at_least_eighteen_places_of_hls() -> None:
    places = (RECIPE / "validation_places.txt").read_text().split()
    assert sum(place.startswith("hls/") for place in places) >= 18
    assert len(set(places)) == len(places)
