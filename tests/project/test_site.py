"""The documentation's site: built without a warning, whole, and in need of no network."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONF = ROOT / "docs" / "site"
ROOMS = (
    *("analysis.change", "analysis.teaching", "evaluation", "extraction", "language", "model", "output", "regions"),
    *("scene", "spectral", "spie", "training"),
)
PROMISED = ("spex_nb", *(f"spex_nb.{room}" for room in ROOMS), "spex_widgets")


def sphinx(conf: Path, source: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--fresh-env", *options]
    places = ["--conf-dir", str(conf), "--doctree-dir", str(out / "doctrees"), str(source), str(out / "site")]
    return subprocess.run([*command, *places], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the whole site, built of lessons that nobody has executed."""
    out = tmp_path_factory.mktemp("built")
    done = sphinx(CONF, ROOT, out, "--define", f"executed_lessons={out}")
    assert done.returncode == 0, done.stderr
    return out / "site"


@pytest.fixture(scope="module")
def extension() -> Any:
    """Return a function that imports an extension of the site."""

    def load(name: str) -> Any:
        sys.path.insert(0, str(CONF))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(CONF))

    return load


def test_every_page_and_lesson_is_in_it(site: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("[0-9]*.ipynb")]
    assert len(pages) > 20
    assert [page for page in pages if not (site / page.relative_to(ROOT).with_suffix(".html")).is_file()] == []
    assert "url=README.html" in (site / "index.html").read_text()


def test_everything_promised_is_in_the_reference(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    known = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, names in known.items() if kind.startswith("py:") for name in names}
    for module in map(importlib.import_module, PROMISED):
        promised = {name: getattr(module, name) for name in module.__all__}
        missing = [
            name
            for name, what in promised.items()
            if callable(what)
            and not {f"{module.__name__}.{name}", f"{what.__module__}.{name}", f"spex_nb.{name}"} & documented
        ]
        assert missing == []


def test_a_page_that_fetches_something_stops_the_build(tmp_path: Path) -> None:
    conf = f"import sys\nsys.path.insert(0, {str(CONF)!r})\nextensions = ['offline']\nhtml_theme = 'basic'\n"
    (tmp_path / "conf.py").write_text(conf)
    page = tmp_path / "index.rst"
    page.write_text("Page\n====\n\n`A link <https://example.org>`_ is no fetching.\n")
    assert sphinx(tmp_path, tmp_path, tmp_path / "out").returncode == 0
    page.write_text("Page\n====\n\n.. raw:: html\n\n   <img src='https://example.org/a.png'>\n")
    done = sphinx(tmp_path, tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "index.html fetches https://example.org/a.png" in done.stderr


@pytest.mark.parametrize(
    "page",
    [
        "<script src='https://e.org/a'></script>",
        "<link rel='stylesheet' href='//e.org/a'>",
        "<iframe src='HTTP://e.org/a'></iframe>",
        "<style>@import url(https://e.org/a);</style>",
        "<p style=\"background: url('https://e.org/a')\">",
        "<script>require(['https://e.org/a'])</script>",
        "<svg><image href='https://e.org/a'/></svg>",
    ],
)
def test_whatever_fetches_is_seen(extension: Any, page: str) -> None:
    assert [found.lower() for found in extension("offline").fetched_from_elsewhere(page)] in (
        ["https://e.org/a"],
        ["//e.org/a"],
        ["http://e.org/a"],
    )


@pytest.mark.parametrize(
    "page",
    ["<a href='https://e.org'>", "<img src='a.png'>", "<svg xmlns='http://www.w3.org/2000/svg'>", "<script>1</script>"],
)
def test_links_and_own_files_are_no_fetching(extension: Any, page: str) -> None:
    assert list(extension("offline").fetched_from_elsewhere(page)) == []


def test_progress_bars_stay_out_widgets_become_a_sentence_and_commands_are_read(extension: Any) -> None:
    lessons = extension("lessons")
    widget = {lessons.WIDGET: {"model_id": "1"}, "text/plain": "Workbench(children=())"}
    bar = {lessons.WIDGET: {"model_id": "2"}, "text/plain": "Loading weights:   0%|          | 0/428"}
    outputs = [new_output("display_data", bar), new_output("display_data", widget), new_output("stream", text="412 ha")]
    notebook = new_notebook(
        cells=[new_code_cell("!spex doctor", outputs=outputs)], metadata={"widgets": {"1": "tiles"}}
    )
    shown = lessons.as_page(nbformat.writes(notebook))
    assert shown.count(lessons.NO_KERNEL) == 1
    assert "412 ha" in shown
    assert not any(word in shown for word in ("Workbench(", "tiles", "Loading"))
    assert '"pygments_lexer": "ipython3"' in shown


def test_the_site_shows_what_was_executed(extension: Any, tmp_path: Path) -> None:
    plain, executed = (nbformat.writes(new_notebook(cells=[new_code_cell(code)])) for code in ("as_it_is", "executed"))
    (tmp_path / "00_quickstart.ipynb").write_text(executed)
    app = SimpleNamespace(srcdir=ROOT, config=SimpleNamespace(executed_lessons=str(tmp_path)))
    for docname, word in (("notebooks/00_quickstart", "executed"), ("notebooks/06_workbench", "as_it_is")):
        source = [plain]
        extension("lessons").show_lesson(app, docname, source)
        assert word in source[0]
    for page in ("README", "notebooks/README"):
        source = ["# A page"]
        extension("lessons").show_lesson(app, page, source)
        assert source == ["# A page"]
