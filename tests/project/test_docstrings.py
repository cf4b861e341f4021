"""What users call explains itself: a short first sentence, and more than three words on each argument."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.project.test_prose import DIALECT, sentences_of, words_of

ROOMS = (
    "analysis.change",
    "analysis.teaching",
    "scene",
    "spectral",
    "regions",
    "language",
    "output",
    "model",
    "extraction",
    "spie",
    "training",
    "evaluation",
    "cli",
)
PACKAGES = ("spex_nb", "spex_widgets", *(f"spex_nb.{room}" for room in ROOMS))
LONGEST_SUMMARY = 25
FEWEST_WORDS = 4
CODE = re.compile(r"``?[^`]*``?")
SECTION = re.compile(r"^Args:\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:((?:.*\n?)(?: {5,}.*\n?)*)", re.MULTILINE)


def promised(package: str) -> Iterator[tuple[str, Any]]:
    """Yield the functions and classes that a package promises, and the public methods of these classes, by name."""
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)) or not thing.__module__.startswith("spex_"):
            continue
        yield name, thing
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if not member.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{member}", function


def faults_of(doc: str) -> list[str]:
    """Return what is wrong with a docstring: no text, a long first sentence, dialect, arguments in a few words."""
    if not doc:
        return ["no docstring"]
    plain = CODE.sub("code", doc)
    summary = sentences_of(" ".join(plain.split("\n\n")[0].split()))[0]
    faults = [f"{len(words_of(summary))} words: {summary}"] if len(words_of(summary)) > LONGEST_SUMMARY else []
    faults += [f"dialect: {match[0]}" for match in DIALECT.finditer(plain)]
    section = SECTION.search(plain)
    entries = ENTRY.findall(section[1] + "\n") if section else []
    return faults + [
        f"{name}: {' '.join(text.split())}" for name, text in entries if len(words_of(text)) < FEWEST_WORDS
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_promised_is_explained(package: str) -> None:
    faults = {name: found for name, thing in promised(package) if (found := faults_of(inspect.getdoc(thing) or ""))}
    assert faults == {}


SHORT = "Return a mask.\n\nArgs:\n    scene: Bands of a scene, [H, W].\n    out: {}\n\nReturns:\n    A mask.\n"


@pytest.mark.parametrize(
    ("doc", "faults"),
    [
        ("", 1),
        ("Return " + "a " * 30 + "mask.", 1),
        ("Return a mask. " + "word " * 30, 0),
        ("Return a mask, made anew.", 1),
        (SHORT.format("Where to."), 1),
        (SHORT.format("The folder that holds\n        the result."), 0),
        (SHORT.format("As in ``open_scene(path, bands, scale)``."), 1),
    ],
)
def test_faults_of_docstrings_are_seen(doc: str, faults: int) -> None:
    assert len(faults_of(doc)) == faults
