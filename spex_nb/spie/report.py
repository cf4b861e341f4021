"""A dataset to look at: one record as a figure, a check as an HTML page with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb.errors import SpexError
from spex_nb.output.html import data_uri, write_page
from spex_nb.output.plotting import Picture, picture_of
from spex_nb.spie.dataset import SpieDataset, open_dataset
from spex_nb.spie.records import Record
from spex_nb.spie.settings import draw
from spex_nb.spie.tiles import PALETTE
from spex_nb.spie.validate import CheckReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = 24


def show_record(dataset: SpieDataset, record: Record) -> Figure:
    """Draw a record: the tile in true (or false) colour, its mask over it, and the answer below."""
    import textwrap

    tile_picture, mask_picture = _pictures(dataset, record)
    figure = Picture(figsize=(10, 6.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, picture, title in ((left, tile_picture, record.id), (right, mask_picture, f"mask: {record.target}")):
        axes.imshow(picture, interpolation="nearest")
        axes.set(title=title, xticks=[], yticks=[])
    said = f"{record.language} · {record.split} · attributes from: {record.source}\n{record.answer}"
    figure.supxlabel("\n".join(textwrap.fill(line, 110) for line in said.splitlines()), fontsize=10)
    return figure


def write_report(report: CheckReport, path: str | Path, *, pictures: int = PICTURES) -> Path:
    """Write a check as one HTML file that needs no other.

    Args:
        report: From ``check``.
        path: Where to; replaced if it exists.
        pictures: How many records to show, drawn evenly over splits and targets.
    """
    dataset = open_dataset(report.folder)
    shown = _drawn(dataset, pictures)
    verdict = '<p class="fit">Fit for use.</p>' if report.is_fit else '<p class="error">Not fit for use.</p>'
    counts = dataset.index.groupby(["dataset", "sensor", "language", "source"]).size().rename("records")
    body = [
        f"<h1>SPIE dataset {escape(report.folder.name)}</h1>",
        f"<p>{len(dataset.index):,} records of {dataset.index['tile'].nunique():,} tiles.</p>",
        verdict,
        _problems(report),
        "<h2>Balance</h2>",
        report.balance.round(4).to_html(border=0),
        "<h2>Sources</h2>",
        counts.to_frame().to_html(border=0),
        "<h2>Records</h2>",
        *(_article(dataset, record) for record in shown),
    ]
    return write_page("SPIE", body, path)


def _problems(report: CheckReport) -> str:
    rows = [
        f'<tr><td class="{p.severity}">{p.severity}</td><td class="text">{escape(p.kind)}</td>'
        f'<td class="text">{escape(p.where)}</td><td class="text">{escape(p.text)}</td></tr>'
        for p in report.problems[:1000]
    ]
    more = f"<p>… and {len(report.problems) - len(rows):,} more.</p>" if len(report.problems) > len(rows) else ""
    return f"<h2>Problems: {len(report.problems):,}</h2><table>{''.join(rows)}</table>{more}"


def _drawn(dataset: SpieDataset, count: int) -> list[Record]:
    """Return some records, the same every time, taking splits and targets in turn."""
    index = dataset.index.assign(at=[draw(0, name) for name in dataset.index.index]).sort_values("at")
    turn = index.groupby(["split", "target"]).cumcount()
    chosen = set(index.assign(turn=turn).sort_values(["turn", "at"]).index[:count])
    return [record for record in dataset.records() if record.id in chosen]


def _article(dataset: SpieDataset, record: Record) -> str:
    try:
        pictures = "".join(f'<img alt="" src="{data_uri(picture)}">' for picture in _pictures(dataset, record))
    except (SpexError, IndexError) as error:  # damaged, or a mask of another size: the report must say so all the same
        pictures = f'<p class="error">cannot be shown</p><p class="error">{escape(str(error))}</p>'
    head = f"{record.id} · {record.split} · {record.language} · attributes from: {record.source}"
    lang = f'lang="{escape(record.language)}" dir="auto"'
    return (
        f"<article>{pictures}<div><strong>{escape(head)}</strong><p {lang}>{escape(record.answer)}</p>"
        f"<pre>{escape(record.prompt)}</pre></div></article>"
    )


def _pictures(dataset: SpieDataset, record: Record) -> Sequence[Any]:
    """Return the tile and the tile under its mask, both uint8 [H, W, 3]."""
    picture = picture_of(dataset.tile(record))
    mask, known = dataset.mask(record)
    over = picture.copy()
    over[mask] = 0.4 * over[mask] + 0.6 * np.array(PALETTE[1]) / 255
    over[~known] = np.array(PALETTE[255]) / 255
    return [(255 * each).astype(np.uint8) for each in (picture, over)]
