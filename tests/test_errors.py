"""Optional parts: a missing one names the command that installs it."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import pytest

from spex_nb.errors import EXTRAS, MissingExtraError, require_extra


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    optional = {name for names in EXTRAS.values() for name in names}
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name in optional else find(name))


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.usefixtures("bare")
def test_a_missing_extra_names_the_command(extra: str) -> None:
    with pytest.raises(MissingExtraError, match=rf"pip install 'spex-nb\[{extra}\]'"):
        require_extra(extra, "this")


@pytest.mark.usefixtures("bare")
def test_widgets_without_their_packages_say_so() -> None:
    widgets = Path(__file__).parents[1] / "widgets" / "spex_widgets" / "__init__.py"
    with pytest.raises(ImportError, match=r"spex_widgets needs packages.*spex-nb\[map\]"):
        runpy.run_path(str(widgets))


def test_what_is_installed_is_enough() -> None:
    assert require_extra("map", "this") is None


def test_unknown_extras() -> None:
    with pytest.raises(KeyError, match="Did you mean map"):
        require_extra("maps", "this")


def test_a_notebook_shows_the_message_first_and_no_lines_of_the_package() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shown: list[str] = []
    shell._showtraceback = lambda _kind, _value, lines: shown.extend(lines)  # type: ignore[method-assign]
    shell.run_cell("from spex_nb import open_scene\nopen_scene('no/such/file.tif')")
    assert shown[0] == "SourceNotFoundError: The scene does not exist."
    assert shown[3].startswith("  Check the path")
    assert [line for line in shown if "open.py" in line or "locations.py" in line] == []
    assert "open_scene('no/such/file.tif')" in shown[-1]
    InteractiveShell.clear_instance()
