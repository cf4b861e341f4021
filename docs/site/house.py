"""The house in one picture, from pyproject.toml's layers: `python docs/site/house.py` draws docs/images/house.svg."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "house.svg"
STOREYS = (
    # the module that is its first, what the storey is, what happens there, colour
    ("cli", "Doors", "the command spex, the magics", "#fde7d3"),
    ("evaluation", "Measuring", "a model beside baselines", "#fbe3e6"),
    ("corrections", "The main job", "from words to a result", "#efe3f6"),
    ("training", "Models", "trained, loaded, fed; torch is here", "#e4e2f7"),
    ("pages", "Out of the house", "pictures, files, figures of agreement", "#dfe9f8"),
    ("answers", "Words", "regions, prompts, claims, evidence", "#dcf0f5"),
    ("priors", "Indices", "formulas, thresholds, first masks", "#dcf2e6"),
    ("instructions", "Understanding", "what was asked, in nine languages", "#e8f4d8"),
    ("pyramids", "Scenes", "any source: bands, reflectance, valid", "#f6f3d3"),
    ("types", "Ground", "carriers, optional parts, errors", "#ececec"),
)
WIDTH, LEFT, ROW, PAD, ROOF = 880, 262, 24, 7, 92
RULE = "A module imports only what stands below it; neighbours in a row do not know each other."
LETTER = 6.7
"""Width of a letter of a module's name."""


def layers() -> list[list[str]]:
    """Return the modules of each layer, the highest first, as import-linter holds them."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = (one for one in tools["importlinter"]["contracts"] if one["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def storeys(rows: Sequence[Sequence[str]]) -> list[list[Sequence[str]]]:
    """Return the layers of each storey.

    Args:
        rows: Modules of each layer, the highest first.

    Raises:
        StopIteration: If the first module of a storey is in no layer.
    """
    starts = [next(i for i, row in enumerate(rows) if first in row) for first, *_ in STOREYS]
    return [list(rows[start:end]) for start, end in pairwise([*starts, len(rows)])]


def draw(rows: Sequence[Sequence[str]]) -> str:
    """Return the picture as SVG.

    Args:
        rows: Modules of each layer, the highest first.
    """
    body, y = list(_roof()), ROOF
    for (_, title, said, color), inside in zip(STOREYS, storeys(rows), strict=True):
        height = ROW * len(inside) + 2 * PAD
        body.append(f'<rect x="10" y="{y}" width="{WIDTH - 20}" height="{height}" fill="{color}" stroke="#fff"/>')
        body += [_text(24, y + 21, title, "b"), _text(24, y + 38, said, "s")]
        for number, row in enumerate(inside):
            body += _modules(row, y + PAD + ROW * number)
        y += height
    body.append(_text(WIDTH / 2, y + 22, RULE, "m"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 36}" role="img">'
    return "\n".join([head, "<title>The modules of spex_nb as a house</title>", STYLE, *body, "</svg>\n"])


STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#222}.b{font-weight:600;font-size:14px}"
    ".s{font-size:12px;fill:#555}.m{text-anchor:middle}.w{fill:#fff}"
    ".c{font:11px ui-monospace,monospace;text-anchor:middle}</style>"
)


def _roof() -> Iterator[str]:
    middle = WIDTH / 2
    yield f'<rect width="{WIDTH}" height="100%" fill="#fff"/>'
    yield f'<polygon points="0,{ROOF} {middle},4 {WIDTH},{ROOF}" fill="#c8553d"/>'
    yield _text(middle, 62, "spex_widgets: the notebook", "b m w")
    yield _text(middle, 80, "shows, and knows neither torch nor rasterio", "m w")


def _modules(row: Sequence[str], y: float) -> Iterator[str]:
    x = LEFT
    for name in row:
        wide = LETTER * len(name) + 14
        yield f'<rect x="{x:.0f}" y="{y + 2}" width="{wide:.0f}" height="{ROW - 4}" rx="4" fill="#fff" stroke="#999"/>'
        yield _text(x + wide / 2, y + 16, name, "c")
        x += wide + 6


def _text(x: float, y: float, said: str, kind: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(said)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(layers()), encoding="utf-8")
