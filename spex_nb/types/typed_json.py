"""JSON from elsewhere as dataclasses: every key known, every value of its type, or an error that says where."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import psutil

PARSED_BYTES = 40
"""Memory that a byte of JSON may take once it is parsed: an empty list of two characters and a comma takes 64."""


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        ValueError: If it is no JSON, or would not fit into memory.
        OSError: If it cannot be read.
    """
    require_room(path.stat().st_size * PARSED_BYTES, path.name)
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str) -> Any:
    """Return what a JSON text of someone else says.

    Raises:
        ValueError: If it is no JSON, or holds characters that no file and no page can.
    """
    payload = json.loads(text)
    require_writable(payload)
    return payload


def require_writable(tree: Any, where: str = "") -> None:
    """Raise if a text in nested mappings and lists holds halves of characters: no file and no page can have them.

    Args:
        tree: What was read.
        where: The keys that lead to it, for the message.

    Raises:
        ValueError: If one does.
    """
    if isinstance(tree, str):
        if any("\ud800" <= character <= "\udfff" for character in tree):
            raise ValueError(f"{where or 'a text'} holds half a character: {ascii(tree)[:80]}")
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            require_writable(key, f"a key of {where}" if where else "a key")
            require_writable(value, f"{where}.{key}".lstrip("."))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            require_writable(value, f"{where}[{i}]")


def require_room(size: int, what: str) -> None:
    """Raise if something takes more memory than half of what is free; nothing is allocated before.

    Args:
        size: Bytes that it takes.
        what: Its name, for the message.

    Raises:
        ValueError: If it does.
    """
    free = int(psutil.virtual_memory().available)
    if size > free / 2:
        raise ValueError(f"{what} takes {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free")


def decode(kind: Any, value: Any, where: str = "") -> Any:
    """Return a JSON value as a type: a dataclass of an object, a tuple of a list, and plain values as they are.

    Args:
        kind: The type: a dataclass, or what its fields may be annotated with.
        value: What JSON holds.
        where: The keys that lead to it, for the message.

    Raises:
        TypeError: If a value is of another type, or a key is unknown or missing; the message says where.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _decode_object(kind, value, where)
    decoder = _DECODERS.get(get_origin(kind))
    if decoder is not None:
        return decoder(get_args(kind), value, where)
    return _decode_plain(kind, value, where)


def _decode_plain(kind: Any, value: Any, where: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return value
    if kind is int and is_number and isinstance(value, int):
        return value
    if kind in (str, bool, type(None)) and isinstance(value, kind):
        return value
    raise _unfit(value, getattr(kind, "__name__", str(kind)), where)


def _decode_object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _unfit(value, "an object", where)
    hints = _hints(kind)
    unknown = sorted(set(map(str, value)) - set(hints))
    needed = {field.name for field in fields(kind) if field.default is field.default_factory is MISSING}
    missing = sorted(needed - set(value))
    if unknown or missing:
        problems = [f"unknown {', '.join(unknown)}" if unknown else "", f"no {', '.join(missing)}" if missing else ""]
        raise TypeError(f"{where or kind.__name__}: {'; '.join(filter(None, problems))}")
    return kind(**{name: decode(hints[name], item, f"{where}.{name}".lstrip(".")) for name, item in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return decode(kind, value, where)
        except TypeError:
            continue
    return decode(others[-1], value, where)


def _decode_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        raise _unfit(value, "a list", where)
    if kinds[-1:] == (Ellipsis,):
        return tuple(decode(kinds[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(kinds):
        raise _unfit(value, f"{len(kinds)} values", where)
    return tuple(decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _decode_mapping(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _unfit(value, "an object", where)
    return {str(key): decode(kinds[1], item, f"{where}.{key}") for key, item in value.items()}


def _decode_literal(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not any(value == kind and type(value) is type(kind) for kind in kinds):
        raise _unfit(value, f"one of {', '.join(map(str, kinds))}", where)
    return value


_DECODERS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    Union: _decode_union,
    types.UnionType: _decode_union,
    tuple: _decode_tuple,
    Mapping: _decode_mapping,
    dict: _decode_mapping,
    Literal: _decode_literal,
}


def _unfit(value: Any, expected: str, where: str) -> TypeError:
    shown = repr(value)
    return TypeError(
        f"{where} is {shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + '…'}, not {expected}"
    )


LONGEST_SHOWN = 60
