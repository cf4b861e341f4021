"""The recipe of the checkpoint `tiny`, from labelled scenes to the folder that ships. Run it again to go on.

Usage: python recipes/tiny/train.py DATA OUT
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from prepare import prepare

from spex_nb.cli_train import Screen
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.training import read_stage, run_stage

HERE = Path(__file__).parent
STAGES = ("pretrain", "align", "instruct")


def train(data: Path, out: Path) -> Path:
    """Prepare the data, run the three stages, and return the folder of the checkpoint in half precision."""
    prepare(data, out)
    trained = ""
    for kind in STAGES:
        changes = {"data": str(out / "spie"), "out": str(out / kind), "start": trained}
        stage = read_stage(HERE / f"{kind}.toml", kind=kind, changes=changes)
        result = run_stage(stage, on_log=Screen(stage.steps))
        if not result.is_whole:
            sys.exit(f"Ended in {kind} after step {result.steps}; run the same command again to go on.")
        trained = str(result.folder)
    return ship(Path(trained), out / "tiny")


def ship(trained: Path, out: Path) -> Path:
    """Write a checkpoint as it is used: in half precision, without what only training needs."""
    model = SpexModel.from_pretrained(trained, dtype=torch.float32)
    model.band_readout, model.config.reconstruction_weight = None, 0.0
    shutil.rmtree(out, ignore_errors=True)
    model.half().save_pretrained(out)
    SpexProcessor.from_pretrained(trained, local_files_only=True).save_pretrained(out)
    return out


if __name__ == "__main__":
    print(train(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201 (a script)
