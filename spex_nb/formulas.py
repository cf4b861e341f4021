"""Band arithmetic as text, checked against an allow-list and run by NumPy. Nothing here calls ``eval``."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from spex_nb.errors import FormulaError

MAX_LENGTH = 1000
MAX_DEPTH = 60
MAX_EXPONENT = 16
"""Larger powers of a reflectance mean nothing, and towers of powers only serve to hang a machine."""

_OPERATORS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def _refuse(text: str, found: str, expected: str = "numbers, names, + - * / ** and brackets") -> FormulaError:
    shown = text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 (what fits into a message)
    return FormulaError(
        "The formula is no band arithmetic",
        found=f"{found} in {shown!r}",
        expected=expected,
        fix="Write it like '(nir - red) / (nir + red + L)', and pass constants by name: L=0.5.",
    )


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> ast.expr:
    """Return the syntax tree of a formula that holds only numbers, names, + - * / ** and brackets.

    Raises:
        FormulaError: If it holds anything else, or is too long or too deep.
    """
    if len(text) > MAX_LENGTH:
        raise _refuse(text, f"{len(text)} characters", f"at most {MAX_LENGTH} characters")
    if not text.isascii():
        raise _refuse(text, "a character outside ASCII")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refuse(text, f"{type(error).__name__}") from error
    _check(tree, text, 0)
    return tree


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _refuse(text, f"more than {MAX_DEPTH} levels of brackets", "a shallower formula")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if abs(number) > 1e30:  # noqa: PLR2004 (float32 ends at 3e38)
                raise _refuse(text, "a number beyond 1e30", "numbers that float32 holds")
        case ast.Name(id=name):
            if name.startswith("_"):
                raise _refuse(text, f"the name {name!r}", "names of bands and constants")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            _check(left, text, depth + 1)
            _check(right, text, depth + 1)
        case _:
            raise _refuse(text, f"{type(node).__name__}")


def names_in(tree: ast.expr) -> tuple[str, ...]:
    """Return the names of a formula, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_names_from_left(tree)))


def _names_from_left(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _names_from_left(child)


@dataclass(frozen=True)
class Program:
    """A formula made ready to run: NaN where it is undefined or the pixel is not valid."""

    tree: ast.expr
    values: Mapping[str, float]
    bands: Mapping[str, str]
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that it needs."""
        return tuple(dict.fromkeys(self.bands.values()))

    def run(self, arrays: Mapping[str, Any], valid: Any | None, out: Any) -> Any:
        """Evaluate into ``out``, one NumPy operation after the other: give it blocks that fit into a cache.

        Args:
            arrays: One array per name, any shape, all of the dtype of ``out``.
            valid: bool of the same shape, or None.
            out: float32 or float64 of the same shape.
        """
        reader = _Reader(self.values, self.text, {name: arrays[band] for name, band in self.bands.items()}, out.dtype)
        with np.errstate(all="ignore"):  # what is undefined becomes NaN below
            np.copyto(out, reader.read(self.tree))
        undefined = ~np.isfinite(out)
        for divisor in reader.divisors:
            undefined |= divisor == 0
        np.copyto(out, np.nan, where=undefined if valid is None else undefined | ~valid)
        return out


def compile_formula(tree: ast.expr, constants: Mapping[str, float], bands: Mapping[str, str], text: str) -> Program:
    """Return a formula as a program.

    Args:
        tree: A checked formula.
        constants: Values of its constants.
        bands: The band that serves each other name.
        text: What the user wrote, for messages.

    Raises:
        FormulaError: If an exponent is no constant or too large, or a constant part divides by zero.
    """
    program = Program(tree, constants, bands, text)
    one = {name: np.ones(1, np.float32) for name in program.names}
    program.run(one, None, np.empty(1, np.float32))  # finds what is wrong before a scene is read
    return program


@dataclass
class _Reader:
    """Evaluates a checked tree; keeps the divisors, whose zeros make the result undefined."""

    values: Mapping[str, float]
    text: str
    arrays: Mapping[str, Any]
    dtype: Any
    divisors: list[Any] = field(default_factory=list)

    def read(self, node: ast.expr) -> Any:
        """Return the value of a node: an array, or a number of the working dtype."""
        value = self._fold(node)
        if value is not None:
            return self.dtype.type(value)
        match node:
            case ast.Name(id=name):
                return self.arrays[name]
            case ast.UnaryOp(op=operator, operand=operand):
                return -self.read(operand) if isinstance(operator, ast.USub) else self.read(operand)
            case ast.Call(args=[argument]):  # only kernels, which the catalogue writes, hold calls: exp
                return np.exp(self.read(argument))
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right)
        raise _refuse(self.text, type(node).__name__)

    def _binary(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> Any:
        if isinstance(operator, ast.Pow):
            return self._power(left, right)
        a, b = self.read(left), self.read(right)
        if isinstance(operator, ast.Div):
            if np.ndim(b) == 0 and b == 0:
                raise _refuse(self.text, "a division by zero", "divisors that can differ from zero")
            if np.ndim(b):
                self.divisors.append(b)
        return _ARITHMETIC[type(operator)](a, b)

    def _power(self, left: ast.expr, right: ast.expr) -> Any:
        exponent = self._fold(right)
        if exponent is None or abs(exponent) > MAX_EXPONENT:
            raise _refuse(self.text, "a power", f"a constant exponent of at most {MAX_EXPONENT}")
        base = self.read(left)
        if exponent < 0:
            self.divisors.append(base)
        if exponent == 0.5:  # noqa: PLR2004 (a root is many times quicker than a power)
            return np.sqrt(base)
        return base * base if exponent == 2 else base ** self.dtype.type(exponent)  # noqa: PLR2004

    def _fold(self, node: ast.expr) -> float | None:
        """Return the value of a part that holds no array, or None."""
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return float(self.values[name]) if name in self.values else None
            case ast.UnaryOp(op=operator, operand=operand):
                value = self._fold(operand)
                return -value if value is not None and isinstance(operator, ast.USub) else value
            case ast.BinOp(left=left, op=operator, right=right):
                a, b = self._fold(left), self._fold(right)
                return None if a is None or b is None else self._calculate(a, operator, b)
        return None

    def _calculate(self, a: float, operator: ast.operator, b: float) -> float:
        if isinstance(operator, ast.Pow) and abs(b) > MAX_EXPONENT:
            raise _refuse(self.text, "a power", f"an exponent of at most {MAX_EXPONENT}")
        try:
            result = _ARITHMETIC[type(operator)](a, b)
        except (ZeroDivisionError, OverflowError) as error:
            raise _refuse(self.text, str(error), "constant parts with a value") from error
        if isinstance(result, complex) or not math.isfinite(result):
            raise _refuse(self.text, f"the constant {result}", "constant parts with a finite real value")
        return float(result)


_ARITHMETIC: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
