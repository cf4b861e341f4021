"""Every link in a page or lesson leads somewhere: files and headings by looking, addresses of the web by their form."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
MARKDOWN = MarkdownIt("commonmark", {"linkify": False}).enable("table")
BARE = re.compile(r"https?://[^\s<>()\[\]`\"']*[^\s<>()\[\]`\"'.,;:]")
DOI = re.compile(r"10\.\d{4,9}/\S+")


def pages() -> list[str]:
    """Return the Markdown files and notebooks of the project, as git knows them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.ipynb"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@cache
def text_of(page: Path) -> str:
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    cells = nbformat.read(page, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links_of(text: str) -> Iterator[str]:
    """Yield where links and images lead, and addresses that stand as bare text."""
    for block in MARKDOWN.parse(text):
        for part in block.children or ():
            for name in ("href", "src"):
                if name in part.attrs:
                    yield str(part.attrs[name])
            if part.type == "text":
                yield from BARE.findall(part.content)


@cache
def anchors_of(page: Path) -> set[str]:
    """Return the names of a page's headings, made as GitHub and MyST make them."""
    blocks = MARKDOWN.parse(text_of(page))
    headings = [after.content for block, after in pairwise(blocks) if block.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(link: str, page: Path) -> str:
    """Say what is wrong with a link, or nothing."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return broken_address(link)
    if parts.scheme or parts.netloc:
        return f"{link}: of a kind that nobody expects"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return f"{link}: no such file"
    if parts.fragment and target.suffix in (".md", ".ipynb") and parts.fragment not in anchors_of(target):
        return f"{link}: no such heading"
    return ""


def broken_address(link: str) -> str:
    parts = urlsplit(link)
    if parts.scheme != "https":
        return f"{link}: not https"
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc):
        return f"{link}: no host"
    if "doi.org" in parts.netloc and not DOI.fullmatch(parts.path.lstrip("/")):
        return f"{link}: no DOI"
    return ""


def test_pages_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/setup.md", "notebooks/00_quickstart.ipynb"} <= set(pages())


def test_every_lesson_has_its_place_in_the_day() -> None:
    day = text_of(ROOT / "docs" / "teaching.md")
    assert [lesson.name for lesson in (ROOT / "notebooks").glob("[0-9]*.ipynb") if f"/{lesson.name})" not in day] == []


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    file = ROOT / page
    assert [said for link in links_of(text_of(file)) if (said := broken(link, file))] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[x](docs/setup.md#check) and ![y](docs/images/workbench.png)", ""),
        ("[x](docs/nowhere.md)", "no such file"),
        ("![x](docs/images/nothing.png)", "no such file"),
        ("[x](docs/setup.md#nothing)", "no such heading"),
        ("[x](#nothing)", "no such heading"),
        ("[x](http://python.org)", "not https"),
        ("[x](https://localhost/a)", "no host"),
        ("[x](https://doi.org/TGRS.2026.3670308)", "no DOI"),
        ("<https://doi.org/10.1016/S0034-4257(96)00067-3>", ""),
        ("see https://doi.org/99, please", "no DOI"),
        ("[x](ftp://ftp.gnu.org)", "nobody expects"),
    ],
)
def test_a_broken_link_is_seen(text: str, wrong: str) -> None:
    page = ROOT / "README.md"
    said = [found for link in links_of(text) if (found := broken(link, page))]
    assert len(said) == bool(wrong)
    assert all(wrong in one for one in said)
