"""Measure everything that has a benchmark, print the table, and write docs/benchmarks.md."""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import click

PACKAGES = ("numpy", "numexpr", "xarray", "spyndex", "rasterio", "torch")
FOLDER = Path(__file__).parent
DOCS = FOLDER.parent.parent / "docs" / "benchmarks.md"
HEADER = """# Benchmarks

Each row compares spex_nb with what a user would pick instead. One run of `make bench` measures both. Machines differ
and are shared, so read the ratios, not the seconds or megabytes. "ours / other" below 1 means that spex_nb is faster or
smaller. The last column is the limit that we set for the row. It limits the ratio, or the value of spex_nb where it has
a unit.

Times of `extract` include the start of Python and its libraries, the explanation, and all files of a result. A click
reuses the features that were kept with the tile.

"""


def rows() -> list[dict[str, Any]]:
    """Return the rows of all modules named bench_*.py, in order."""
    names = sorted(path.stem for path in FOLDER.glob("bench_*.py"))
    return [row for name in names for row in importlib.import_module(f"tests.benchmarks.{name}").run()]


def table(measured: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| what | ours | other | ours / other | bar |", "|---|---|---|---|---|"]
    lines += [f"| {r['what']} | {r['ours']} | {r['other']} | {r['ratio']} | {r['bar']} |" for r in measured]
    return "\n".join(lines)


def machine() -> str:
    """Return what the ratios depend on: cores, architecture, versions, date."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}, {today}"


def main() -> None:
    """Measure, print and write."""
    text = table(rows())
    click.echo(text)
    DOCS.write_text(f"{HEADER}Measured on {machine()}.\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
