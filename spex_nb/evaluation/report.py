"""The report of an evaluation: counts of every tile, and the tables, JSON and HTML made from them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb import __version__
from spex_nb.evaluation.pictures import DIFFERENCES, TilePicture
from spex_nb.evaluation.tiles import PromptCondition
from spex_nb.output.files import write_whole
from spex_nb.output.html import MISSING, write_page
from spex_nb.regions import metrics
from spex_nb.types import Claim

if TYPE_CHECKING:
    import pandas as pd

CONFUSION = ["hits", "false_alarms", "missed", "rest"]
MATCHED = ["near_label", "predicted", "near_mask", "true"]
BOUNDARY = ["boundary_near_label", "boundary_predicted", "boundary_near_mask", "boundary_true"]
TILE_COLUMNS = ["model", "target", "dataset", "sensor", "place", "tile", *CONFUSION, *MATCHED, *BOUNDARY]
LEFT_OUT_COLUMNS = ["model", "target", "dataset", "sensor", "reason", "tiles"]
POOLED: dict[str, tuple[list[str], metrics.Statistic]] = {
    "iou": (CONFUSION, metrics.iou),
    "f1": (CONFUSION, metrics.f1),
    "f1_1px": (MATCHED, metrics.matched_f1),
    "precision": (CONFUSION, metrics.precision),
    "recall": (CONFUSION, metrics.recall),
    "boundary_f1": (BOUNDARY, metrics.matched_f1),
}
"""Figures of pooled counts: of what columns, and how."""
OVER_TILES = ("iou", "f1", "precision", "recall")
"""Figures that are given as mean over tiles too."""
WITH_INTERVALS = (*POOLED, "false_alarms", "faithfulness")
ALL = "all"
DECIMALS = 3
CHECKED = ("holds", "contradicts")
SHORT = [
    "target",
    "dataset",
    "sensor",
    "subset",
    "model",
    "iou",
    "f1_1px",
    "boundary_f1",
    "precision",
    "recall",
    "tile_iou",
    "false_alarms",
    "faithfulness",
    "tiles",
    "places",
]
"""Columns that fit a terminal."""


@dataclass(frozen=True)
class Explained:
    """An explanation of a mask, with the claims checked against the mask."""

    target: str
    tile: str
    language: str
    text: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """The result of an evaluation.

    Attributes:
        folder: The dataset.
        split: Which of its splits.
        condition: Source of prompts and priors, and the bands.
        models: Number of parameters of each model by its id, the evaluated one first; None where it does not say.
        tiles: A row for each model, target and tile: counts of pixels, of pixels with their like nearby, and of
            boundary pixels, from which every figure is made.
        left_out: What a model was not asked for, why, and on how many tiles.
        subsets: Names of tiles by the name of the subset.
        explanations: Of the evaluated model.
        notes: What was chosen for the baselines, a sentence each.
        pictures: Worst and best tiles of the evaluated model.
        seed: Of the bootstrap.
    """

    folder: Path
    split: str
    condition: PromptCondition
    models: Mapping[str, int | None]
    tiles: pd.DataFrame = field(repr=False)
    left_out: pd.DataFrame = field(repr=False)
    subsets: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    explanations: tuple[Explained, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    pictures: tuple[TilePicture, ...] = field(default=(), repr=False)
    seed: int = 0

    def table(self) -> pd.DataFrame:
        """Return a row for each target, dataset, sensor, subset of tiles and model.

        What each column means stands in docs/evaluation.md. Where there are several sensors or datasets, rows named
        ``all`` pool them.
        """
        import pandas as pd

        rows = [
            {"target": target, "dataset": dataset, "sensor": sensor, "subset": subset, "model": model}
            | self._figures(model, target, part)
            for subset, tiles in self._subsets()
            for dataset, sensor, some in _sensors(tiles)
            for target, model, part in _questions(some)
        ]
        table = pd.DataFrame(rows)
        return table.sort_values(["target", "dataset", "sensor"], kind="stable", ignore_index=True)

    def places(self) -> pd.DataFrame:
        """Return a row for each target, place and model: pooled figures, and the number of tiles."""
        import pandas as pd

        rows = [
            {"target": target, "place": place, "model": model} | _pooled(part) | {"tiles": len(part)}
            for (target, place, model), part in self.tiles.groupby(["target", "place", "model"], sort=False)
        ]
        return pd.DataFrame(rows).sort_values(["target", "place"], kind="stable", ignore_index=True)

    def to_json(self, path: str | Path) -> Path:
        """Write everything but the pictures; an existing file is replaced. What is not defined is null."""
        with write_whole(path, overwrite=True) as part:
            part.write_text(json.dumps(_plain(self._payload()), ensure_ascii=False, indent=1), encoding="utf-8")
        return Path(path)

    def to_html(self, path: str | Path) -> Path:
        """Write tables and pictures as one page that needs no other file; an existing file is replaced."""
        return write_page(
            "evaluation.html",
            path,
            overwrite=True,
            title="Evaluation",
            model=next(iter(self.models)),
            dataset=self.folder.name,
            headline=self.headline,
            figures=_narrow(self.table()),
            notes=[line for note in self.notes for line in note.splitlines()],
            left_out=self.left_out if len(self.left_out) else None,
            pictures=self.pictures,
            differences=DIFFERENCES,
            explanations=list(map(_explanation_row, self.explanations)),
            places=self.places(),
        )

    @property
    def headline(self) -> str:
        """What was looked at, in a sentence."""
        condition = self.condition
        bands = "all bands" if condition.bands is None else f"bands {', '.join(condition.bands)}"
        return (
            f"{self.tiles['tile'].nunique()} tiles of {self.tiles['place'].nunique()} places, split {self.split}; "
            f"priors: {condition.priors}, attributes: {condition.attributes}, {bands}. Pixels that the label does "
            "not know never count. Intervals hold 95 % of bootstrap draws over places."
        )

    def __str__(self) -> str:
        table = self.table()
        short = table[SHORT].assign(iou=_narrow(table)["iou"]).round(DECIMALS)
        lines = [self.headline, "", short.to_string(index=False, na_rep=MISSING), "", *self.notes]
        if len(self.left_out):
            lines += ["", "Left out:", self.left_out.to_string(index=False)]
        return "\n".join(lines)

    def _subsets(self) -> Iterator[tuple[str, pd.DataFrame]]:
        yield ALL, self.tiles
        for name, tiles in self.subsets.items():
            yield name, self.tiles[self.tiles["tile"].isin(tiles)]

    def _figures(self, model: str, target: str, rows: pd.DataFrame) -> dict[str, Any]:
        figures: dict[str, float] = {}
        for name, (columns, statistic) in POOLED.items():
            figures |= self._with_interval(name, rows.groupby("place")[columns].sum(), statistic)
        for name in OVER_TILES:
            figures[f"tile_{name}"] = metrics.mean_over_tiles(rows[CONFUSION].to_numpy(), POOLED[name][1])
        absent = rows[rows["true"] == 0]
        alarms = absent.groupby("place")[CONFUSION].sum()
        figures |= self._with_interval("false_alarms", alarms, metrics.false_alarm_frac)
        figures |= self._with_interval("faithfulness", self._claims(model, target, rows), _share_holding)
        return figures | {"tiles": len(rows), "absent": len(absent), "places": rows["place"].nunique()}

    def _with_interval(self, name: str, by_place: pd.DataFrame, statistic: metrics.Statistic) -> dict[str, float]:
        counts = by_place.to_numpy()
        low, high = metrics.bootstrap_interval(counts, statistic, seed=self.seed)
        return {name: float(statistic(counts.sum(0))), f"{name}_low": low, f"{name}_high": high}

    def _claims(self, model: str, target: str, rows: pd.DataFrame) -> pd.DataFrame:
        """Count the claims of a model about some tiles that hold, and that do not, by place."""
        import pandas as pd

        places = dict(zip(rows["tile"], rows["place"], strict=True)) if model == next(iter(self.models)) else {}
        explanations = [
            (
                places[explanation.tile],
                *(sum(claim.verdict == verdict for claim in explanation.claims) for verdict in CHECKED),
            )
            for explanation in self.explanations
            if explanation.target == target and explanation.tile in places
        ]
        return pd.DataFrame(explanations, columns=["place", *CHECKED]).groupby("place").sum()

    def _payload(self) -> dict[str, Any]:
        return {
            "dataset": self.folder.name,
            "split": self.split,
            "condition": asdict(self.condition),
            "seed": self.seed,
            "spex_nb": __version__,
            "models": dict(self.models),
            "notes": self.notes,
            "table": self.table().to_dict("records"),
            "places": self.places().to_dict("records"),
            "left_out": self.left_out.to_dict("records"),
            "tiles": self.tiles.to_dict("records"),
            "subsets": {name: sorted(tiles) for name, tiles in self.subsets.items()},
            "explanations": [asdict(explanation) for explanation in self.explanations],
        }


def _sensors(tiles: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the tiles of each sensor of each dataset, and of all together where there are several."""
    groups = list(tiles.groupby(["dataset", "sensor"], sort=False))
    for (dataset, sensor), part in groups:
        yield str(dataset), str(sensor), part
    if len(groups) > 1:
        yield ALL, ALL, tiles


def _questions(tiles: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for (target, model), part in tiles.groupby(["target", "model"], sort=False):
        yield str(target), str(model), part


def _pooled(rows: pd.DataFrame) -> dict[str, float]:
    return {name: float(figure(rows[columns].to_numpy().sum(0))) for name, (columns, figure) in POOLED.items()}


def _share_holding(counts: Any) -> Any:
    """Return the share of claims that hold, of counts [..., 2] of those that hold and that do not."""
    return metrics.precision(np.concatenate([counts, np.zeros_like(counts)], -1))


def _narrow(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose intervals stand behind their figures: ``0.912 (0.881–0.934)``."""
    narrow = table.drop(columns=[f"{name}_{end}" for name in WITH_INTERVALS for end in ("low", "high")])
    for name in WITH_INTERVALS:
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        narrow[name] = [_between(*three) for three in ends]
    return narrow


def _between(figure: float, low: float, high: float) -> str:
    if math.isnan(figure):
        return MISSING
    text = f"{figure:.{DECIMALS}f}"
    return text if math.isnan(low) else f"{text} ({low:.{DECIMALS}f}–{high:.{DECIMALS}f})"


def _explanation_row(explanation: Explained) -> dict[str, str]:
    """Return an explanation as the page shows it."""
    faithfulness = f"{metrics.faithfulness(explanation.claims):.2f}"
    wrong = [claim for claim in explanation.claims if claim.verdict == "contradicts"]
    return {
        "title": f"{explanation.target} · {explanation.tile} · {explanation.language} · faithfulness {faithfulness}",
        "language": explanation.language,
        "text": explanation.text,
        "contradicted": "; ".join(f"“{claim.text}”: measured {claim.measured}" for claim in wrong),
    }


def _plain(value: Any) -> Any:
    """Return what JSON can hold: no NaN, no number of NumPy."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = value.item() if hasattr(value, "item") else value
    return None if isinstance(item, float) and not math.isfinite(item) else item
