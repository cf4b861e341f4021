"""The recipe of the checkpoint `tiny`, from labelled scenes to the folder that ships. Run it again to go on.

Usage: python recipes/tiny/train.py DATA OUT [SEED]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from prepare import prepare

from spex_nb.cli.train import Screen
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.training import read_stage, run_stage
from spex_nb.training.stage import LANGUAGE

HERE = Path(__file__).parent
SEED = 1
"""Of the checkpoint that ships."""
WEAK_WITHOUT = {"water": "nir"}
LEFT_TO_INDEX = {"bare_soil": "always", "building": "uncalibrated"}
"""Both as `docs/results.md` shows."""


def train(data: Path, out: Path, seed: int = SEED) -> Path:
    """Prepare the data, run the stages, and return the folder of the checkpoint in half precision.

    What sees and what speaks are trained apart after the first stage, then joined and tuned together.
    """
    prepare(data, out)
    seeing = _run("pretrain", out / "pretrain", "", seed)
    aligned = _run("align", out / "align", seeing, seed)
    speaking = _run("align", out / "speak", aligned, seed)
    hardened = _run("pretrain", out / "robust", seeing, seed)
    join(hardened, speaking, out / "joined")
    return ship(_run("instruct", out / "instruct", out / "joined", seed), out / "tiny")


def _run(kind: Any, folder: Path, start: str | Path, seed: int) -> Path:
    """Run the stage that a folder is named after; end the program where the user ends the stage."""
    changes = {"data": str(folder.parent / "spie"), "out": str(folder), "start": str(start), "seed": seed}
    stage = read_stage(HERE / f"{folder.name}.toml", kind=kind, changes=changes)
    result = run_stage(stage, on_log=Screen(stage.steps))
    if not result.is_whole:
        sys.exit(f"Ended in {folder.name} after step {result.steps}; run the same command again to go on.")
    return result.folder


def join(seeing: Path, speaking: Path, out: Path) -> None:
    """Write a checkpoint that sees like one and speaks like another."""
    model = SpexModel.from_pretrained(seeing, dtype=torch.float32)
    words = SpexModel.from_pretrained(speaking, dtype=torch.float32).state_dict()
    model.load_state_dict({name: words[name] for name in words if name.startswith(LANGUAGE)}, strict=False)
    model.save_pretrained(out)
    SpexProcessor.from_pretrained(speaking, local_files_only=True).save_pretrained(out)


def ship(trained: Path, out: Path) -> Path:
    """Write a checkpoint as it is used: in half precision, without what only training needs."""
    model = SpexModel.from_pretrained(trained, dtype=torch.float32)
    model.band_readout, model.config.reconstruction_weight = None, 0.0
    model.config.weak_without, model.config.left_to_index = WEAK_WITHOUT, LEFT_TO_INDEX
    shutil.rmtree(out, ignore_errors=True)
    model.half().save_pretrained(out)
    SpexProcessor.from_pretrained(trained, local_files_only=True).save_pretrained(out)
    return out


if __name__ == "__main__":
    print(train(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])))  # noqa: T201 (a script)
