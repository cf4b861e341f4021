"""HTML pages that need no other file: their style and their pictures are in them.

Pages are Jinja templates in the folder ``templates``. Autoescaping is on for all of them: no text of a file, a model or
a user is ever read as markup. Only a value that is `Markup`, such as another rendered piece, is taken as it is.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from spex_nb.output.files import write_whole

if TYPE_CHECKING:
    import pandas as pd

LONGEST_PX = 256
"""Larger pictures are thinned to this."""
MISSING = "–"


def render(template: str, **values: object) -> Markup:
    """Return a piece of HTML made from a template; all text in the values is escaped.

    Args:
        template: Name of a file in the folder ``templates``.
        values: What the template asks for, by name.

    Raises:
        jinja2.UndefinedError: If the template asks for a value that is not given.
    """
    return Markup(_environment().get_template(template).render(**values))  # the template escapes


def mime_bundle(html: str, text: str, picture: bytes) -> dict[str, str]:
    """Return what a notebook shows of a result, in the forms that its pages, converters and terminals know.

    Args:
        html: With the picture in it.
        text: For a terminal, and for a page that shows neither.
        picture: PNG, for a converter that shows no HTML, such as to PDF.
    """
    return {"text/html": html, "text/plain": text, "image/png": base64.b64encode(picture).decode()}


def write_page(template: str, path: str | Path, *, overwrite: bool = False, **values: object) -> Path:
    """Write a page made from a template, whole or not at all.

    Args:
        template: Name of a file in the folder ``templates``; it extends ``page.html``, which asks for a ``title``.
        path: The file to write.
        overwrite: Whether an existing file is replaced (default: no).
        values: What the template asks for, by name.

    Raises:
        OutputError: If the path cannot be written.
    """
    page = render(template, **values)
    with write_whole(path, overwrite) as part:
        part.write_text(page, encoding="utf-8")
    return Path(path)


def data_uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture as the address of an image that holds it.

    Args:
        picture: uint8 [H, W, 3]; thinned where a side is longer than 256 px.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((LONGEST_PX, LONGEST_PX))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return png_uri(buffer.getvalue())


def png_uri(encoded: bytes) -> str:
    """Return an encoded PNG as the address of an image that holds it."""
    return f"data:image/png;base64,{base64.b64encode(encoded).decode()}"


def table_html(table: pd.DataFrame, decimals: int = 3, *, index: bool = False) -> Markup:
    """Return a table as HTML; pandas escapes its text.

    Args:
        table: Any table.
        decimals: Digits after the point (default: 3).
        index: Whether its index is shown (default: no).
    """
    return Markup(table.round(decimals).to_html(border=0, index=index, na_rep=MISSING))  # pandas escapes


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("spex_nb.output"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": data_uri, "png_uri": png_uri, "table": table_html}
    return environment
