"""Pages that need no network: whatever a page would fetch from elsewhere is a warning, and warnings are errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util import logging

FETCHED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "image": "href",
}
"""Elements that make a browser fetch something, and the attribute that says what."""
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s;]+)", re.IGNORECASE)
IN_SCRIPT = re.compile(r"['\"](https?://[^'\"]+)")


def fetched_from_elsewhere(page: str) -> Iterator[str]:
    """Yield the addresses that a page of HTML would fetch from the network.

    Args:
        page: Its text.
    """
    soup = BeautifulSoup(page, "html.parser")
    for name, attribute in FETCHED.items():
        yield from (one[attribute] for one in soup.find_all(name) if ELSEWHERE.match(one.get(attribute, "")))
    for style in (*soup.find_all("style"), *soup.find_all(style=True)):
        yield from IN_STYLE.findall(style.get("style") or style.get_text())
    for script in soup.find_all("script", src=False):
        yield from IN_SCRIPT.findall(script.get_text())


def warn_of_fetching(app: Sphinx, exception: Exception | None) -> None:
    """Warn of every page and style sheet of a finished site that would fetch something from the network."""
    if exception or app.builder.format != "html":
        return
    for file in sorted(Path(app.outdir).rglob("*")):
        text = file.read_text(encoding="utf-8") if file.suffix in {".html", ".css", ".svg"} else ""
        found = IN_STYLE.findall(text) if file.suffix == ".css" else list(fetched_from_elsewhere(text))
        for address in found:
            logging.getLogger(__name__).warning("%s fetches %s", file.relative_to(app.outdir), address)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", warn_of_fetching)
    return {"parallel_read_safe": True}
