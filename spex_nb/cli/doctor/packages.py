"""Python and the packages: what is installed, against what is needed and what was tested together."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from spex_nb.errors import is_installed

PROJECT = "spex-nb"
COURSE = ("cluster", "evaluation", "map", "model", "notebook")
"""Optional parts that the lessons need."""
BESIDE = ("mcp", "onnx", "stac")
"""Optional parts that no lesson needs."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: The thing that was checked.
        verdict: ``ok``; ``note`` where something may be missed one day; ``FAIL`` where a lesson would stop.
        text: What the check saw.
        fix: What to do, in one line; empty where all is well.
    """

    name: str
    verdict: Literal["ok", "note", "FAIL"]
    text: str
    fix: str = ""


def judge(name: str, text: str, fix: str) -> Finding:
    """Return a failure with its fix or, where there is nothing to fix, that all is well."""
    return Finding(name, "FAIL" if fix else "ok", text, fix)


def check_python() -> Iterator[Finding]:
    """Compare this Python with the oldest one that will do."""
    needed = importlib.metadata.metadata(PROJECT)["Requires-Python"]
    version = platform.python_version()
    is_enough = SpecifierSet(needed).contains(version, prereleases=True)
    yield judge("Python", version, "" if is_enough else f"Install Python {needed}, and spex_nb into it.")


def check_packages(without: Collection[str] = ()) -> Iterator[Finding]:
    """Compare the packages of each part with their minima, then all of them with the tested versions.

    Args:
        without: Optional parts that are not looked at.
    """
    parts = [part for part in ("", *COURSE, *BESIDE) if part not in without]
    for part in parts:
        yield _part(part)
    yield from _untested([need for part in parts for need in _requirements(part)])


def _part(part: str) -> Finding:
    needs = _requirements(part)
    wrong = [problem for need in needs if (problem := _problem(need))]
    name = f"extra [{part}]" if part else "packages"
    if not wrong:
        return Finding(name, "ok", ", ".join(f"{need.name} {_installed(need.name)}" for need in needs))
    is_left_out = _may_be_left_out(part) and any(_installed(need.name) is None for need in needs)
    return Finding(name, "note" if is_left_out else "FAIL", "; ".join(wrong), install_command(part))


def _may_be_left_out(part: str) -> bool:
    """Whether most lessons do without a part: ONNX Runtime computes the model where torch is not installed."""
    return part in BESIDE or (part == "model" and is_installed("onnx"))


def _requirements(part: str) -> list[Requirement]:
    """Return what the core ("") or one optional part asks for on this system."""
    lines = importlib.metadata.requires(PROJECT) or []
    return [need for need in map(Requirement, lines) if need.name != PROJECT and _belongs(need, part)]


def _belongs(need: Requirement, part: str) -> bool:
    if need.marker is None:
        return not part
    return need.marker.evaluate({"extra": part}) and (not part or not need.marker.evaluate({"extra": ""}))


def _problem(need: Requirement) -> str:
    """Return what is wrong with a package; "" if nothing is."""
    version = _installed(need.name)
    if version is None:
        return f"{need.name} is not installed"
    if need.specifier.contains(version, prereleases=True):
        return ""
    return f"{need.name} is {version}, needed is {need.specifier}"


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _untested(needs: list[Requirement]) -> Iterator[Finding]:
    """Name packages of another version than was tested."""
    pins = tested_versions()
    versions = {need.name: _installed(need.name) for need in needs}
    other = [
        f"{name} {version} (tested: {pins[_key(name)]})"
        for name, version in versions.items()
        if version and _key(name) in pins and Version(version).public != pins[_key(name)]
    ]
    fix = "Only if something misbehaves: " + install_command(",".join(COURSE))
    yield Finding("versions", "note", ", ".join(other), fix) if other else Finding("versions", "ok", "as tested")


def tested_versions() -> dict[str, str]:
    """Return the versions that are tested together, by package, from the pins that ship."""
    lines = _pins().read_text(encoding="utf-8").splitlines()
    return {_key(name): version for name, _, version in (line.partition("==") for line in lines) if version}


def install_command(part: str) -> str:
    """Return the command that installs the core ("") or parts, separated by commas, at the tested versions."""
    pins, chosen = _pins(), f"[{part}]" if part else ""
    what = f'"{PROJECT}{chosen}"' if pins.parent == _package() else f'-e "{pins.parent}{chosen}"'
    return f'python -m pip install -c "{pins}" {what}'


def _pins() -> Path:
    """Return the file of pins: inside the package when installed, beside it in a checkout."""
    inside = _package() / "constraints.txt"
    return inside if inside.is_file() else _package().parent / "constraints.txt"


def _package() -> Path:
    return Path(__file__).parent.parent.parent


def _key(package: str) -> str:
    return package.lower().replace("_", "-")
