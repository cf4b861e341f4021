"""A dataset to look at: one record as a figure, a check as an HTML page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb.errors import SpexError
from spex_nb.output.html import write_page
from spex_nb.output.plotting import Picture, picture_of
from spex_nb.spie.dataset import SpieDataset, open_dataset
from spex_nb.spie.records import Record
from spex_nb.spie.settings import draw
from spex_nb.spie.tiles import PALETTE
from spex_nb.spie.validate import CheckReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = 24
MOST_PROBLEMS = 1_000
"""More are counted, not shown."""


def show_record(dataset: SpieDataset, record: Record) -> Figure:
    """Draw a record: the tile in true (or false) colour, its mask over it, and the answer below."""
    import textwrap

    tile_picture, mask_picture = _pictures(dataset, record)
    figure = Picture(figsize=(10, 6.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, picture, title in ((left, tile_picture, record.id), (right, mask_picture, f"mask: {record.target}")):
        axes.imshow(picture, interpolation="nearest")
        axes.set(title=title, xticks=[], yticks=[])
    caption = f"{record.language} · {record.split} · attributes from: {record.source}\n{record.answer}"
    figure.supxlabel("\n".join(textwrap.fill(line, 110) for line in caption.splitlines()), fontsize=10)
    return figure


def write_report(report: CheckReport, path: str | Path, *, pictures: int = PICTURES) -> Path:
    """Write a check as one HTML file that needs no other.

    Args:
        report: The result of ``check``.
        path: Where to; replaced if it exists.
        pictures: How many records to show, drawn evenly over splits and targets.
    """
    dataset = open_dataset(report.folder)
    sources = dataset.index.groupby(["dataset", "sensor", "language", "source"]).size()
    return write_page(
        "spie_check.html",
        path,
        overwrite=True,
        title="SPIE",
        dataset=report.folder.name,
        records=len(dataset.index),
        tiles=dataset.index["tile"].nunique(),
        is_fit=report.is_fit,
        problems=report.problems,
        most_problems=MOST_PROBLEMS,
        balance=report.balance,
        sources=sources.rename("records").to_frame(),
        shown=[(record, *_pictures_or_error(dataset, record)) for record in _drawn(dataset, pictures)],
    )


def _drawn(dataset: SpieDataset, count: int) -> list[Record]:
    """Return some records, the same every time, taking splits and targets in turn."""
    index = dataset.index.assign(at=[draw(0, name) for name in dataset.index.index]).sort_values("at")
    turn = index.groupby(["split", "target"]).cumcount()
    chosen = set(index.assign(turn=turn).sort_values(["turn", "at"]).index[:count])
    return [record for record in dataset.records() if record.id in chosen]


def _pictures_or_error(dataset: SpieDataset, record: Record) -> tuple[Sequence[Any], str]:
    """Return the pictures of a record; if it is damaged, why, since the page must show the other records."""
    try:
        return _pictures(dataset, record), ""
    except (SpexError, IndexError) as error:
        return (), str(error)


def _pictures(dataset: SpieDataset, record: Record) -> Sequence[Any]:
    """Return the tile and the tile under its mask, both uint8 [H, W, 3]."""
    picture = picture_of(dataset.tile(record))
    mask, is_known = dataset.mask(record)
    over = picture.copy()
    over[mask] = 0.4 * over[mask] + 0.6 * np.array(PALETTE[1]) / 255
    over[~is_known] = np.array(PALETTE[255]) / 255
    return [(255 * each).astype(np.uint8) for each in (picture, over)]
