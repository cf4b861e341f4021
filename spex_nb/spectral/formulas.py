"""Band arithmetic as text, checked against an allow-list. Nothing here calls ``eval``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from spex_nb.errors import FormulaError

MAX_LENGTH = 1000
MAX_DEPTH = 60
MAX_EXPONENT = 16
"""Larger powers of a reflectance mean nothing, and towers of powers only hang a machine."""

_OPERATORS: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def refuse(text: str, part: str, expected: str = "numbers, names, + - * / ** and brackets") -> FormulaError:
    """Return the error of a formula that holds a forbidden part."""
    excerpt = text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 (what fits into a message)
    return FormulaError(
        "The formula is no band arithmetic",
        found=f"{part} in {excerpt!r}",
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
        raise refuse(text, f"{len(text)} characters", f"at most {MAX_LENGTH} characters")
    if not text.isascii():
        raise refuse(text, "a character outside ASCII")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refuse(text, f"{type(error).__name__}") from error
    _check(tree, text, 0)
    return tree


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise refuse(text, f"more than {MAX_DEPTH} levels of brackets", "a shallower formula")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if abs(number) > 1e30:  # noqa: PLR2004 (float32 ends at 3e38)
                raise refuse(text, "a number beyond 1e30", "numbers that float32 holds")
        case ast.Name(id=name):
            if name.startswith("_"):
                raise refuse(text, f"the name {name!r}", "names of bands and constants")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            _check(left, text, depth + 1)
            _check(right, text, depth + 1)
        case _:
            raise refuse(text, f"{type(node).__name__}")


def names_in(tree: ast.expr) -> tuple[str, ...]:
    """Return the names of a formula, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_names_from_left(tree)))


def _names_from_left(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _names_from_left(child)
