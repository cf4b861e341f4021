"""Band arithmetic as text, checked against an allow-list and compiled for numexpr. Nothing here calls ``eval``."""

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
    """A formula made ready for numexpr: NaN where it is undefined or the pixel is not valid."""

    expression: str
    guarded: str
    constants: tuple[float, ...]
    names: tuple[str, ...]

    def run(self, arrays: Mapping[str, Any], valid: Any | None, out: Any) -> Any:
        """Evaluate into ``out``.

        Args:
            arrays: One array per name, any shape, all of the dtype of ``out``.
            valid: bool of the same shape, or None.
            out: float32 or float64 of the same shape.
        """
        import numexpr

        kind = out.dtype.type
        numbers = {f"k{i}": kind(value) for i, value in enumerate(self.constants)}
        values = {f"v{i}": arrays[name] for i, name in enumerate(self.names)}
        local = values | numbers | {"nan": kind(np.nan)} | ({} if valid is None else {"valid": valid})
        template = self.expression if valid is None else self.guarded
        return numexpr.evaluate(template, local_dict=local, global_dict={}, out=out, casting="same_kind")


def compile_formula(tree: ast.expr, constants: Mapping[str, float], text: str) -> Program:
    """Return a formula as a program; names that are not constants stay arrays.

    Raises:
        FormulaError: If an exponent is no constant or too large, or a constant part divides by zero.
    """
    writer = _Writer(constants, text)
    body = writer.write(tree)
    guards = [f"({part} != 0)" for part in dict.fromkeys(writer.denominators)]
    if writer.may_overflow:
        guards.append(f"(({body}) - ({body}) == 0)")
    plain = f"where({' & '.join(guards or ['v0 == v0'])}, {body}, nan)"
    guarded = f"where({' & '.join(['valid', *guards])}, {body}, nan)"
    return Program(plain, guarded, tuple(writer.constants), tuple(writer.names))


@dataclass
class _Writer:
    """Writes a checked tree in the language of numexpr, under names of our own."""

    values: Mapping[str, float]
    text: str
    constants: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    denominators: list[str] = field(default_factory=list)
    may_overflow: bool = False

    def constant(self, value: float) -> int:
        """Return the number of a constant."""
        if value not in self.constants:
            self.constants.append(value)
        return self.constants.index(value)

    def write(self, node: ast.expr) -> str:
        """Return a node as text."""
        value = self._fold(node)
        if value is not None:
            return f"k{self.constant(value)}"
        match node:
            case ast.Name(id=name):
                if name not in self.names:
                    self.names.append(name)
                return f"v{self.names.index(name)}"
            case ast.UnaryOp(op=operator, operand=operand):
                return f"(-{self.write(operand)})" if isinstance(operator, ast.USub) else self.write(operand)
            case ast.Call(args=[argument]):  # only kernels, which the catalogue writes, hold calls: exp
                return f"exp({self.write(argument)})"
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right)
        raise _refuse(self.text, type(node).__name__)

    def _binary(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> str:
        if isinstance(operator, ast.Pow):
            return self._power(left, right)
        a, b = self.write(left), self.write(right)
        divisor = self._fold(right)
        if isinstance(operator, ast.Div) and divisor == 0:
            raise _refuse(self.text, "a division by zero", "divisors that can differ from zero")
        if isinstance(operator, ast.Div) and divisor is None:
            self.denominators.append(b)
        return f"({a} {_OPERATORS[type(operator)]} {b})"

    def _power(self, left: ast.expr, right: ast.expr) -> str:
        exponent = self._fold(right)
        if exponent is None or abs(exponent) > MAX_EXPONENT:
            raise _refuse(self.text, "a power", f"a constant exponent of at most {MAX_EXPONENT}")
        base = self.write(left)
        self.may_overflow = True
        if exponent < 0:
            self.denominators.append(base)
        if exponent >= 0 and (2 * exponent).is_integer():  # numexpr writes these out as products and roots
            return f"({base} ** {int(exponent) if exponent.is_integer() else exponent})"
        return f"({base} ** k{self.constant(exponent)})"

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
