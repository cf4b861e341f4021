"""A small training run for lessons: minutes on two cores, on generated landscapes, measured on held-out places."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_nb.model import SpexPredictor
from spex_nb.regions.metrics import confusion_counts, iou
from spex_nb.spectral.priors import prior_mask
from spex_nb.spie.build_dataset import build
from spex_nb.spie.dataset import open_dataset
from spex_nb.spie.settings import Settings
from spex_nb.spie.sources.synthetic_scenes import generated_scenes
from spex_nb.spie.tiles import UNKNOWN
from spex_nb.training.augmentation import Augmentation
from spex_nb.training.crops import list_tiles, read_entry
from spex_nb.training.curves import Line, curve, plot_curves
from spex_nb.training.run import StageResult, run_stage
from spex_nb.training.samples import PromptSampling
from spex_nb.training.stage import Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS = ("water", "vegetation", "building", "road", "bare_soil")
PLACES, HELD_OUT = 10, 4
"""Generated landscapes, and how many of them are held out to measure on."""
CLEAR_AIR = Augmentation(calibrated=1.0, noise=0.01, shadow=0.0, numbers=0.0, bands=(1.0, 0.0, 0.0, 0.0), zoom=0.0)
"""All generated landscapes have the same air and sensor, so that a lesson shows learning sooner."""


@dataclass(frozen=True)
class SmallRun:
    """The result of a small run.

    Attributes:
        result: Result of the stage, with checkpoint and curves.
        data: Folder of the dataset.
        index_iou: IoU of the spectral prior on the held-out places, by target; targets without a prior are missing.
    """

    result: StageResult
    data: Path
    index_iou: dict[str, float]

    @property
    def iou(self) -> dict[str, float]:
        """IoU of the model on the held-out places at the last measurement, by target."""
        last = {name: curve(self.result.curves, f"iou_{name}")[1] for name in TARGETS}
        return {name: values[-1] for name, values in last.items() if values}

    def model(self) -> SpexPredictor:
        """Load the trained model. It asks by query: it segments, and has learned no words."""
        return SpexPredictor.from_pretrained(self.result.folder, asks_by="query")

    def plot(self) -> Figure:
        """Draw loss and IoU by step."""
        return plot_curves(self.result.curves)


def small_training_run(
    out: str | Path | None = None,
    *,
    steps: int = 240,
    seed: int = 0,
    on_log: Callable[[Line], None] | None = None,
    stop: threading.Event | None = None,
    **changes: Any,
) -> SmallRun:
    """Train a small model to segment generated suburbs, and measure it on held-out places.

    Args:
        out: Folder for landscapes, dataset and checkpoint; a temporary folder if not given. The same call continues an
            unfinished run.
        steps: Number of training steps.
        seed: Seed of all random draws.
        on_log: Called with each new line of losses or measurements.
        stop: An event that ends the run after the current step.
        **changes: Other settings of the stage; see `Stage`.

    Returns:
        The checkpoint, its curves, and the IoU of the index on the same places.

    Raises:
        TrainingError: As `run_stage`.
    """
    folder = Path(tempfile.mkdtemp(prefix="spex-nb-")) if out is None else Path(out)
    data = _dataset(folder)
    stage = Stage(
        kind="pretrain",
        data=str(data),
        out=str(folder / "run"),
        targets=TARGETS,
        steps=steps,
        batch=6,
        rate=2e-3,
        warmup=20,
        size_px=96,
        check_every=max(1, steps // 8),
        check_tiles=HELD_OUT,
        augmentation=CLEAR_AIR,
        sampling=PromptSampling(targets=len(TARGETS), prior=0.0, wrong=0.0, clicks=0.0),
        workers=0,
        seed=seed,
        tokenizer_tiles=40,
        save_every=max(1, steps // 2),
        positive_weights={"building": 2.0, "road": 2.0, "water": 1.5, "bare_soil": 2.0},
    )
    result = run_stage(replace(stage, **changes), on_log=on_log, stop=stop)
    return SmallRun(result, data, index_iou(data))


def _dataset(folder: Path) -> Path:
    """Paint the landscapes and build the dataset; files that exist already stay."""
    scenes = generated_scenes(folder / "landscapes", PLACES, kinds=("town_1m",))
    split = [replace(scene, split="val" if i < HELD_OUT else "train") for i, scene in enumerate(scenes)]
    settings = Settings(tile_px=256, targets=TARGETS, split=(1.0, 0.0, 0.0))
    return build(split, None, folder / "data", settings, workers=1, progress=False).folder


def index_iou(data: str | Path, split: str = "val") -> dict[str, float]:
    """Return the IoU of the spectral prior of each target on a dataset, pooled over pixels."""
    counts: dict[str, Any] = {}
    for entry in list_tiles(open_dataset(data), split, TARGETS):
        scene, labels = read_entry(entry)
        for target, label in labels.items():
            mask = prior_mask(scene, target)
            if mask is not None:
                counts[target] = counts.get(target, 0) + confusion_counts(mask, label == 1, label != UNKNOWN)
    return {target: float(iou(count)) for target, count in counts.items()}
