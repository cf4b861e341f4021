"""HTML pages that need no other file: their style and their pictures are in them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from spex_nb.output.files import write_whole

SIDE_PX = 256
"""Larger pictures are thinned to this."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .3rem .8rem; border-bottom: 1px solid #ccc; text-align: right }
td:first-child, th:first-child, td.text { text-align: left }
.error { color: #a40000 } .warning { color: #8a5a00 } .fit { color: #006b3c }
article { display: grid; grid-template-columns: auto auto 1fr; gap: 1rem; margin: 2rem 0; align-items: start }
img { width: 16rem; image-rendering: pixelated }
section.tile { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.5rem 0 }
section.tile h3 { flex-basis: 100%; margin: 0; font-size: 1rem }
figure { margin: 0 } figure img { width: 12.5rem } figcaption { font-size: .8rem; color: #555 }
.key { display: inline-block; width: 1em; height: 1em; margin-right: .3em; border: 1px solid #555 }
pre { white-space: pre-wrap; max-height: 9rem; overflow: auto; font-size: .8rem }
"""


def write_page(title: str, body: Iterable[str], path: str | Path) -> Path:
    """Write a page, whole or not at all; an existing file is replaced.

    Args:
        title: Plain text.
        body: Pieces of HTML, whose text is escaped already.
        path: Where to.

    Raises:
        OutputError: If the path cannot be written.
    """
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    with write_whole(path, overwrite=True) as part:
        part.write_text(f"{head}<body>{''.join(body)}</body></html>", encoding="utf-8")
    return Path(path)


def data_uri(picture: Any) -> str:
    """Return a picture, uint8 [H, W, 3], as the address of an image that holds it."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    image.thumbnail((SIDE_PX, SIDE_PX))
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
