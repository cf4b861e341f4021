"""The figures of a model card, beside those of the spectral prior: places held back, other bands, other sensors.

Usage: python recipes/tiny/card.py CHECKPOINT DATASET DATA
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import elsewhere
import pandas as pd
import uncalibrated

from spex_nb.evaluation.evaluate_model import evaluate
from spex_nb.extraction.mask_models import load_mask_model
from spex_nb.language.languages import LANGUAGES
from spex_nb.types import MaskModel

CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "all bands": {},
    "prior and regions withheld": {"priors": "withheld", "attributes": "withheld"},
    "those of another target": {"priors": "swapped", "attributes": "swapped"},
    "blue, green, red, nir": {"bands": ("blue", "green", "red", "nir")},
    "red, green, blue": {"bands": ("red", "green", "blue")},
}
TARGETS = ("water", "vegetation", "built_up", "bare_soil")
EXPLAINED = 6
"""Tiles of each target."""


def validation(model: MaskModel, dataset: Path, data: Path) -> pd.DataFrame:
    """Return IoU, and F1 with a tolerance of one pixel, on the validation places at 30 m."""
    plausible = (data / "hls" / "plausible_water.txt").read_text(encoding="utf-8").split()
    return pd.concat({name: _measured(model, dataset, plausible, **how) for name, how in CONDITIONS.items()}, axis=1)


def _measured(model: MaskModel, dataset: Path, plausible: list[str], **how: Any) -> pd.DataFrame:
    report = evaluate(
        model,
        dataset,
        datasets=("hls",),
        targets=TARGETS,
        subsets={"plausible": plausible},
        baselines=("index",),
        pictures=0,
        progress=False,
        **how,
    )
    table = report.table().set_index(["target", "subset", "model"])
    return table.loc[table.index.get_level_values("subset").isin(["all", "plausible"]), ["iou", "f1_1px"]]


def aerial(model: MaskModel, dataset: Path) -> pd.DataFrame:
    """Return IoU on the aerial tiles held back."""
    report = evaluate(model, dataset, datasets=("chesapeake_naip",), baselines=("index",), pictures=0, progress=False)
    return report.table().set_index(["target", "model"])[["iou"]]


def claims(model: MaskModel, dataset: Path) -> pd.Series:
    """Return how many claims of the explanations hold on the masks, fail, or cannot be checked."""
    report = evaluate(
        model, dataset, datasets=("hls",), explanations=EXPLAINED, languages=LANGUAGES, pictures=0, progress=False
    )
    return pd.Series(
        [claim.verdict for explanation in report.explanations for claim in explanation.claims]
    ).value_counts()


if __name__ == "__main__":
    loaded, built, scenes = load_mask_model(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    for part in (
        validation(loaded, built, scenes).round(3).to_string(),
        aerial(loaded, built).round(3).to_string(),
        elsewhere.measure(loaded, scenes).to_string(),
        uncalibrated.measure(loaded, built).to_string(),
        claims(loaded, built).to_string(),
    ):
        print(part, flush=True)  # noqa: T201 (a script)
