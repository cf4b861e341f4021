"""What an evaluation found: counts of every tile, and the tables, JSON and HTML that are made of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_nb import __version__, metrics
from spex_nb.asked_tiles import Asking
from spex_nb.evaluation_pictures import TilePicture, legend, picture_articles
from spex_nb.export import written_whole
from spex_nb.pages import write_page
from spex_nb.types import Claim

if TYPE_CHECKING:
    import pandas as pd

CONFUSION = ["hits", "false_alarms", "missed", "rest"]
MATCHED = ["near_label", "predicted", "near_mask", "true"]
BOUNDARY = ["boundary_near_label", "boundary_predicted", "boundary_near_mask", "boundary_true"]
TILE_COLUMNS = ["model", "target", "dataset", "sensor", "place", "tile", *CONFUSION, *MATCHED, *BOUNDARY]
LEFT_OUT_COLUMNS = ["model", "target", "dataset", "sensor", "reason", "tiles"]
ALL = "all"
DECIMALS = 3


@dataclass(frozen=True)
class Explained:
    """What a model said of one of its masks, and which of it holds."""

    target: str
    tile: str
    language: str
    text: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """What an evaluation found.

    Attributes:
        folder: The dataset.
        split: Which of its splits.
        asking: How the tiles were asked about.
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
    asking: Asking
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
        found = pd.DataFrame(rows)
        return found.sort_values(["target", "dataset", "sensor"], kind="stable", ignore_index=True)

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
        with written_whole(path, overwrite=True) as part:
            part.write_text(json.dumps(_plain(self._said()), ensure_ascii=False, indent=1), encoding="utf-8")
        return Path(path)

    def to_html(self, path: str | Path) -> Path:
        """Write tables and pictures as one page that needs no other file; an existing file is replaced."""
        body = [
            f"<h1>{escape(next(iter(self.models)))} on {escape(self.folder.name)}</h1>",
            f"<p>{escape(self.headline)}</p>",
            "<h2>Figures</h2>",
            _html(self.table()),
            *(f"<p>{escape(note)}</p>" for note in self.notes),
            *(["<h2>Left out</h2>", _html(self.left_out)] if len(self.left_out) else []),
            *(["<h2>Tiles</h2>", legend(), *picture_articles(self.pictures)] if self.pictures else []),
            *(["<h2>Explanations</h2>", *map(_explanation, self.explanations)] if self.explanations else []),
            "<h2>Places</h2>",
            _html(self.places()),
        ]
        return write_page("Evaluation", body, path)

    @property
    def headline(self) -> str:
        """What was looked at, in a sentence."""
        bands = "all bands" if self.asking.bands is None else f"bands {', '.join(self.asking.bands)}"
        return (
            f"{self.tiles['tile'].nunique()} tiles of {self.tiles['place'].nunique()} places, split {self.split}; "
            f"priors: {self.asking.priors}, attributes: {self.asking.attributes}, {bands}. Pixels that the label does "
            "not know never count. Intervals hold 95 % of bootstrap draws over places."
        )

    def __str__(self) -> str:
        lines = [self.headline, "", self.table().round(DECIMALS).to_string(index=False, na_rep="–"), *self.notes]
        if len(self.left_out):
            lines += ["", "Left out:", self.left_out.to_string(index=False)]
        return "\n".join(lines)

    def _subsets(self) -> Iterator[tuple[str, pd.DataFrame]]:
        yield ALL, self.tiles
        for name, tiles in self.subsets.items():
            yield name, self.tiles[self.tiles["tile"].isin(tiles)]

    def _figures(self, model: str, target: str, rows: pd.DataFrame) -> dict[str, Any]:
        confusion = rows[CONFUSION].to_numpy()
        by_place = rows.groupby("place")[CONFUSION].sum().to_numpy()
        low, high = metrics.bootstrap_interval(by_place, metrics.iou, seed=self.seed)
        absent = confusion[rows["true"] == 0]
        pooled = _pooled(rows)
        return {
            "iou": pooled.pop("iou"),
            "iou_low": low,
            "iou_high": high,
            **pooled,
            "tile_iou": metrics.mean_over_tiles(confusion, metrics.iou),
            "false_alarms": float(metrics.false_alarm_frac(absent.sum(0))),
            "faithfulness": self._faithfulness(model, target, set(rows["tile"])),
            "tiles": len(rows),
            "absent": len(absent),
            "places": len(by_place),
        }

    def _faithfulness(self, model: str, target: str, tiles: set[str]) -> float:
        is_ours = model == next(iter(self.models))
        said = (one.claims for one in self.explanations if is_ours and one.target == target and one.tile in tiles)
        return metrics.faithfulness(chain.from_iterable(said))

    def _said(self) -> dict[str, Any]:
        return {
            "dataset": self.folder.name, "split": self.split, "asking": asdict(self.asking), "seed": self.seed,
            "spex_nb": __version__, "models": dict(self.models), "notes": self.notes,
            "table": self.table().to_dict("records"), "places": self.places().to_dict("records"),
            "left_out": self.left_out.to_dict("records"), "tiles": self.tiles.to_dict("records"),
            "subsets": {name: sorted(tiles) for name, tiles in self.subsets.items()},
            "explanations": [asdict(one) for one in self.explanations],
        }  # fmt: skip


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
    confusion, matched, boundary = (rows[names].to_numpy().sum(0) for names in (CONFUSION, MATCHED, BOUNDARY))
    return {
        "iou": float(metrics.iou(confusion)),
        "f1": float(metrics.f1(confusion)),
        "f1_1px": float(metrics.matched_f1(matched)),
        "precision": float(metrics.precision(confusion)),
        "recall": float(metrics.recall(confusion)),
        "boundary_f1": float(metrics.matched_f1(boundary)),
    }


def _html(table: pd.DataFrame) -> str:
    return table.round(DECIMALS).to_html(border=0, index=False, na_rep="–")


def _explanation(one: Explained) -> str:
    wrong = "; ".join(f"“{c.text}”: measured {c.measured}" for c in one.claims if c.verdict == "contradicts")
    head = f"{one.target} · {one.tile} · {one.language} · faithfulness {metrics.faithfulness(one.claims):.2f}"
    return (
        f'<section><h3>{escape(head)}</h3><p lang="{escape(one.language)}" dir="auto">{escape(one.text)}</p>'
        f'<p class="error">{escape(wrong)}</p></section>'
    )


def _plain(value: Any) -> Any:
    """Return what JSON can hold: no NaN, no number of NumPy."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    item = value.item() if hasattr(value, "item") else value
    return None if isinstance(item, float) and not math.isfinite(item) else item
