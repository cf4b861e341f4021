"""The recipe of the checkpoint `tiny`, from labelled scenes to the folder that ships. Run it again to go on.

Usage: python recipes/tiny/train.py DATA OUT [SEED] [--minutes M]

Words are learned first. Then the targets of a pixel compete, once among satellites and once in aerial pictures, and
words are drawn to their queries again. The aerial weights ship beside the others, for small pixels.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from prepare import prepare

from spex_nb.cli.train import Screen
from spex_nb.model import SpexModel, SpexProcessor
from spex_nb.model.runtime.scaled_weights import AERIAL
from spex_nb.training import read_stage, run_stage
from spex_nb.training.stage import LANGUAGE

HERE = Path(__file__).parent
SEED = 1
"""Of the checkpoint that ships."""
WEAK_WITHOUT = {"water": "nir"}
LEFT_TO_INDEX = {
    "bare_soil": "only",
    "building": "only",
    "low_vegetation": "uncalibrated",
    "road": "only",
    "tree_cover": "uncalibrated",
    "vegetation": "always",
    "water": "uncalibrated",
}
"""Both as `docs/results.md` shows."""
AERIAL_LEFT_TO_INDEX = {"vegetation": "always"} | dict.fromkeys(
    ("bare_soil", "low_vegetation", "road", "tree_cover", "water"), "only"
)
"""Of the aerial weights: what their labels hardly know, and roads, which they do not find."""
AERIAL_BANDS = ("red", "green", "blue")
AERIAL_CORES = {"building": (0.65, 0.2, 0.8)}
"""See `SpexConfig`; chosen on training places."""
AERIAL_LARGEST_GSD_M = 0.39
"""The fine map has half of the size, so that a roof of 10 pixels is too small: pixels of 0.6 m and more are read anew
at this size. Chosen on training places."""


def train(data: Path, out: Path, seed: int = SEED, *, minutes: float | None = None) -> Path:
    """Prepare the data, run the stages, and return the folder of the checkpoint in half precision.

    After the first stage, image side and language are trained apart, then joined and tuned together.

    Args:
        data: Folder of the labelled scenes.
        out: Of all that the stages write.
        seed: Of every draw.
        minutes: Of each stage in which targets compete; as many steps as `joint/learn.py` says, if not given.
    """
    prepare(data, out)
    seeing = _run("pretrain", out / "pretrain", "", seed)
    aligned = _run("align", out / "align", seeing, seed)
    speaking = _run("align", out / "speak", aligned, seed)
    hardened = _run("pretrain", out / "robust", seeing, seed)
    join(hardened, speaking, out / "joined")
    tuned = _run("instruct", out / "instruct", out / "joined", seed)
    shipped = ship(compete(data, tuned, out, "satellites", seed, minutes), out / "tiny")
    ship(
        compete(data, tuned, out, "aerial", seed, minutes),
        shipped / AERIAL,
        left_to_index=AERIAL_LEFT_TO_INDEX,
        bands=AERIAL_BANDS,
        cores=AERIAL_CORES,
        largest_gsd_m=AERIAL_LARGEST_GSD_M,
    )
    return shipped


def compete(data: Path, start: Path, out: Path, kind: str, seed: int, minutes: float | None) -> Path:
    """Run the stages in which targets compete among ``satellites`` or ``aerial`` pictures; return their checkpoint."""
    limit = [] if minutes is None else ["--minutes", str(minutes)]
    seen, spoken = out / kind / "joint", out / kind / "words"
    learn = [HERE / "joint" / "learn.py", data, start, seen, kind, *limit]
    words = [HERE / "joint" / "words.py", data, seen / "final", spoken, kind]
    for program in (learn, words):
        subprocess.run([sys.executable, *map(str, program), "--seed", str(seed)], check=True)
    return spoken / "final"


def _run(kind: Any, folder: Path, start: str | Path, seed: int) -> Path:
    """Run the stage that a folder is named after; end the program where the user ends the stage."""
    changes = {"data": str(folder.parent / "spie"), "out": str(folder), "start": str(start), "seed": seed}
    stage = read_stage(HERE / f"{folder.name}.toml", kind=kind, changes=changes)
    result = run_stage(stage, on_log=Screen(stage.steps))
    if not result.is_whole:
        sys.exit(f"Ended in {folder.name} after step {result.steps}; run the same command again to go on.")
    return result.folder


def join(seeing: Path, speaking: Path, out: Path) -> None:
    """Write a checkpoint with the image side of one checkpoint and the language of another."""
    model = SpexModel.from_pretrained(seeing, dtype=torch.float32)
    words = SpexModel.from_pretrained(speaking, dtype=torch.float32).state_dict()
    model.load_state_dict({name: words[name] for name in words if name.startswith(LANGUAGE)}, strict=False)
    model.save_pretrained(out)
    SpexProcessor.from_pretrained(speaking, local_files_only=True).save_pretrained(out)


def ship(
    trained: Path,
    out: Path,
    left_to_index: Mapping[str, str] = LEFT_TO_INDEX,
    bands: Sequence[str] | None = None,
    cores: Mapping[str, tuple[float, float, float]] | None = None,
    largest_gsd_m: float | None = None,
) -> Path:
    """Write a checkpoint as it is used: in half precision, without what only training needs.

    Args:
        trained: Folder of the checkpoint as it was trained.
        out: Folder to write anew.
        left_to_index: See `ModelCard`.
        bands: Those that the model reads; any by default.
        cores: See `SpexConfig`; none by default.
        largest_gsd_m: See `SpexConfig`; any by default.
    """
    model = SpexModel.from_pretrained(trained, dtype=torch.float32)
    model.band_readout, model.config.reconstruction_weight = None, 0.0
    model.config.weak_without, model.config.left_to_index = WEAK_WITHOUT, dict(left_to_index)
    model.config.cores, model.config.largest_gsd_m = dict(cores or {}), largest_gsd_m
    shutil.rmtree(out, ignore_errors=True)
    model.half().save_pretrained(out)
    processor = SpexProcessor.from_pretrained(trained, local_files_only=True)
    processor.bands = None if bands is None else list(bands)
    processor.save_pretrained(out)
    tokenizer = out / "tokenizer.json"
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    tokenizer.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("seed", type=int, nargs="?", default=SEED)
    parser.add_argument("--minutes", type=float, help="of each stage in which targets compete")
    print(train(**vars(parser.parse_args())))  # noqa: T201 (a script)
