"""What users may rely on: the names that `spex_nb` promises, and those that each room promises."""

from __future__ import annotations

import ast
import importlib
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spex_nb

PROMISED = {
    "open_scene",
    "search_scenes",
    "Scene",
    "list_sensors",
    "register_sensor",
    "compute_index",
    "compute_indices",
    "list_indices",
    "index_info",
    "spectral_prior",
    "find_regions",
    "regions_frame",
    "parse_instruction",
    "configure",
    "load_mask_model",
    "extract",
    "compare",
    "Change",
    "compare_series",
    "ChangeSeries",
    "load_series",
    "load_change",
    "plan_extraction",
    "teach",
    "load_taught",
    "Taught",
    "load_extraction",
    "Extraction",
    "measure_evidence",
    "check_explanation",
    "evaluate",
    "check_map",
    "load_check",
    "compare_maps",
    "zonal_table",
    "sample_scene",
    "sample_labels",
    "SpexError",
    "SpexWarning",
    "MaskModel",
    "Region",
    "Evidence",
    "show_versions",
}
PACKAGE = Path(spex_nb.__file__).parent
ROOMS = [".".join(face.parent.relative_to(PACKAGE.parent).parts) for face in sorted(PACKAGE.glob("*/**/__init__.pyi"))]
"""Rooms, and parts of a room that have a face of their own."""
GROUND_FLOOR = {"spex_nb.errors", "spex_nb.types"}
"""Modules of carriers and errors: all that they define is public."""


def public_names() -> set[tuple[str, str]]:
    """Return (module, name) of everything that `spex_nb` or one of its rooms promises, where it is defined."""
    faces = [spex_nb, *map(importlib.import_module, ROOMS)]
    promised = [getattr(face, name) for face in faces for name in face.__all__]
    return {(thing.__module__, thing.__qualname__) for thing in promised if hasattr(thing, "__qualname__")}


def classes_in(annotation: Any) -> Iterator[type]:
    """Yield every class that an annotation is made of, such as ``Path`` in ``str | Path``."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation
    for part in typing.get_args(annotation):
        yield from classes_in(part)


def annotated_classes(function: Any) -> set[type]:
    """Return the classes of this package that a function takes or returns."""
    hints = typing.get_type_hints(function, localns=_imported_names(function))
    return {cls for hint in hints.values() for cls in classes_in(hint) if cls.__module__.startswith("spex_nb")}


def _imported_names(function: Any) -> dict[str, Any]:
    """Return all that a function's module imports, also what it imports for type checkers only."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(function) or spex_nb))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.asname or alias.name: importlib.import_module(alias.name) for node in plain for alias in node.names}
    for node in imports:
        home = importlib.import_module(str(node.module))
        names |= {alias.asname or alias.name: getattr(home, alias.name) for alias in node.names}
    return names


def test_spex_nb_promises_exactly_these_names() -> None:
    assert set(spex_nb.__all__) == PROMISED


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_face_and_keeps_its_promise(room: str) -> None:
    if room == "spex_nb.model":
        pytest.importorskip("torch")
    face = importlib.import_module(room)
    assert face.__all__
    assert all(getattr(face, name) is not None for name in face.__all__)


@pytest.mark.parametrize("name", sorted(filter(str.islower, PROMISED)))
def test_what_a_promised_function_takes_and_returns_is_public(name: str) -> None:
    public = public_names()
    private = {
        cls.__qualname__
        for cls in annotated_classes(getattr(spex_nb, name))
        if cls.__module__ not in GROUND_FLOOR and (cls.__module__, cls.__qualname__) not in public
    }
    assert private == set()
