"""`spex train` through its door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="training needs the extra [model]")

from spex_nb import training
from spex_nb.cli.command import main
from spex_nb.training import StageResult

pytestmark = pytest.mark.slow


@pytest.fixture
def config(landscapes: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pretrain.toml"
    path.write_text(
        f'kind = "pretrain"\ndata = "{landscapes}"\nout = "{tmp_path / "run"}"\n'
        'targets = ["water", "vegetation"]\nbatch = 1\nsize_px = 32\nworkers = 0\ntokenizer_tiles = 2\n'
    )
    return path


def train(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["train", *arguments])


def test_a_stage_is_trained_and_its_folder_printed(config: Path) -> None:
    done = train("pretrain", "--config", str(config), "--set", "steps=10", "--set", "sampling.prior=0")
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()).joinpath("model.safetensors").exists()
    assert "step 10 of 10" in done.stderr
    assert "loss" in done.stderr


def test_an_end_by_ctrl_c_is_said(config: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(training, "run_stage", lambda *_args, **_options: StageResult(tmp_path, 5, False, []))
    done = train("pretrain", "--config", str(config))
    assert done.exit_code == 130
    assert "after step 5" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pretrain", "--set", "steps"], 2, "expected NAME=VALUE"),
        (["pretrain", "--set", "stepz=3"], 2, "stepz"),
        (["align"], 2, "run the stage pretrain"),
    ],
)
def test_bad_settings_end_with_a_sentence(config: Path, arguments: list[str], code: int, said: str) -> None:
    done = train(*arguments, "--config", str(config))
    assert done.exit_code == code
    assert said in done.stderr
