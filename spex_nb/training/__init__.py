"""Training SPEX in three stages, on transformers' Trainer. Importing this loads torch."""

from spex_nb.training.curves import LiveCurves, plot_curves, read_curves
from spex_nb.training.run import StageResult, align, instruct, pretrain, run_stage
from spex_nb.training.small_run import SmallRun, small_training_run
from spex_nb.training.stage import Stage, make_stage, read_stage
from spex_nb.training.tokenizer import train_tokenizer

__all__ = [
    "LiveCurves",
    "SmallRun",
    "Stage",
    "StageResult",
    "align",
    "instruct",
    "make_stage",
    "plot_curves",
    "pretrain",
    "read_curves",
    "read_stage",
    "run_stage",
    "small_training_run",
    "train_tokenizer",
]
