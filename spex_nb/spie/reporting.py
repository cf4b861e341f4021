"""A dataset to look at: one record as a figure, a check as an HTML page with pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb.errors import SpexError
from spex_nb.export import written_whole
from spex_nb.plotting import Picture, picture_of
from spex_nb.spie.checking import CheckReport
from spex_nb.spie.dataset import SpieDataset, open_dataset
from spex_nb.spie.records import Record
from spex_nb.spie.settings import draw
from spex_nb.spie.tiles import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = 24
SIDE_PX = 256
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .3rem .8rem; border-bottom: 1px solid #ccc; text-align: right }
td:first-child, th:first-child, td.text { text-align: left }
.error { color: #a40000 } .warning { color: #8a5a00 } .fit { color: #006b3c }
article { display: grid; grid-template-columns: auto auto 1fr; gap: 1rem; margin: 2rem 0; align-items: start }
img { width: 16rem; image-rendering: pixelated }
pre { white-space: pre-wrap; max-height: 9rem; overflow: auto; font-size: .8rem }
"""


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
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>SPIE</title><style>{STYLE}</style>'
    with written_whole(path, overwrite=True) as part:
        part.write_text(f"{page}<body>{''.join(body)}</body></html>", encoding="utf-8")
    return Path(path)


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
        pictures = "".join(f'<img alt="" src="{_data_uri(picture)}">' for picture in _pictures(dataset, record))
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


def _data_uri(picture: Any) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    image.thumbnail((SIDE_PX, SIDE_PX))
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
