"""Names are the field's nouns: no variable, argument, function or class has a bare participle or a pronoun as name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = frozenset(
    {
        "asked",
        "asking",
        "bunch",
        "bunches",
        "found",
        "gathered",
        "heed",
        "heeding",
        "kept",
        "known",
        "made",
        "one",
        "own",
        "said",
        "sight",
        "sights",
        "telling",
        "told",
    }
)
"""Each hides what the thing is: payload, result, matches, bands, kept_regions, model."""
ALLOWED = {("spex_nb/errors.py", "found")}
"""An error names what was found, what was expected and what to do: its three arguments."""
PLACES = (
    "recipes",
    "spex_nb/errors.py",
    "spex_nb/types",
    "spex_nb/analysis",
    "spex_nb/cli",
    "spex_nb/evaluation",
    "spex_nb/extraction",
    "spex_nb/language",
    "spex_nb/model",
    "spex_nb/output",
    "spex_nb/regions",
    "spex_nb/scene",
    "spex_nb/spectral",
    "spex_nb/spie",
    "spex_nb/training",
    "widgets/spex_widgets",
)


def names_bound_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that a module binds."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def files_of(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_no_name_is_a_bare_participle_or_pronoun(place: str) -> None:
    files = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files_of(place)}
    assert files
    hits = [
        f"{file}:{line} {name}"
        for file, source in files.items()
        for line, name in names_bound_in(source)
        if name.strip("_").lower() in FORBIDDEN and (file, name) not in ALLOWED
    ]
    assert hits == []


@pytest.mark.parametrize(
    "source",
    [
        "said = 1",
        "def find(own): ...",
        "rows = [one for one in range(3)]",
        "if (found := 2): ...",
        "class Told: ...",
        "def heed(): ...",
        "self.kept = 3",
        "for made, _ in []: ...",
        "known: int = 4",
        "with open('x') as asked: ...",
    ],
)
def test_every_way_to_bind_such_a_name_is_seen(source: str) -> None:
    assert any(name.lower() in FORBIDDEN for _, name in names_bound_in(source))


def test_a_keyword_of_a_call_is_no_name_of_ours() -> None:
    assert not any(name in FORBIDDEN for _, name in names_bound_in("raise Error(found=1)"))
