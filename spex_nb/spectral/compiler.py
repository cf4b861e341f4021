"""Checked formulas as one list of NumPy operations over a block of pixels. Shared parts run once."""

from __future__ import annotations

import ast
import math
import operator as arithmetic
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.spectral.formulas import MAX_EXPONENT, names_in, refuse

_UFUNCS: dict[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_ARITHMETIC: dict[type[ast.operator], Any] = {
    ast.Add: arithmetic.add,
    ast.Sub: arithmetic.sub,
    ast.Mult: arithmetic.mul,
    ast.Div: arithmetic.truediv,
    ast.Pow: arithmetic.pow,
}


@dataclass(frozen=True)
class Formula:
    """A checked tree, and the meaning of its names."""

    tree: ast.expr
    constants: Mapping[str, float]
    """Values of its constants."""
    bands: Mapping[str, str]
    """The band that serves each other name."""
    text: str
    """The user's text, for messages."""

    @property
    def bands_used(self) -> tuple[str, ...]:
        """The bands that it needs, in the order of their first use."""
        return tuple(dict.fromkeys(self.bands[name] for name in names_in(self.tree) if name in self.bands))


@dataclass(frozen=True)
class Step:
    """One pass over a block: ``values[result] = ufunc(*values[inputs])``."""

    ufunc: Any
    inputs: tuple[int, ...]
    result: int
    buffer: int | None
    """The buffer of the result; None for the plane of the formula that ends next."""


@dataclass(frozen=True)
class Output:
    """The end of one formula: its value goes out, with NaN where it is not finite or a divisor is zero."""

    value: int
    divisors: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """Formulas that run together. Values have numbers: bands and constants first, then results in order."""

    bands: Mapping[str, int]
    constants: Mapping[int, float]
    steps: tuple[Step | Output, ...]
    buffers: int
    """Number of buffers that the results need."""

    def run(
        self,
        arrays: Mapping[str, NDArray[Any]],
        valid: NDArray[np.bool_] | None,
        planes: Sequence[NDArray[Any]],
        buffers: NDArray[Any],
    ) -> None:
        """Evaluate a block. Give it blocks that fit into the processor's cache.

        Args:
            arrays: One array [H, W] per band, all of the dtype of the planes.
            valid: bool [H, W], or None.
            planes: float32 or float64 [H, W], one per formula, written to.
            buffers: [``self.buffers``, H, W] of the same dtype, to work in.
        """
        dtype = planes[0].dtype.type
        values: dict[int, Any] = {number: arrays[band] for band, number in self.bands.items()}
        values |= {number: dtype(constant) for number, constant in self.constants.items()}
        unwritten = iter(planes)
        plane = next(unwritten)
        with np.errstate(all="ignore"):  # what is undefined becomes NaN
            for step in self.steps:
                if isinstance(step, Step):
                    out = plane if step.buffer is None else buffers[step.buffer]
                    values[step.result] = step.ufunc(*(values[i] for i in step.inputs), out=out)
                else:
                    _finish(plane, values[step.value], [values[i] for i in step.divisors], valid)
                    plane = next(unwritten, plane)


def _finish(plane: NDArray[Any], value: Any, divisors: Sequence[Any], valid: NDArray[np.bool_] | None) -> None:
    """Write a value into its plane: NaN where it is not finite, a divisor is zero, or the pixel is not valid."""
    if value is not plane:
        np.copyto(plane, value)
    defined = np.isfinite(plane)
    for divisor in divisors:
        defined &= divisor != 0
    if valid is not None:
        defined &= valid
    if not defined.all():
        np.copyto(plane, np.nan, where=~defined)


def compile_formulas(formulas: Sequence[Formula]) -> Program:
    """Return formulas as one program.

    Raises:
        FormulaError: If an exponent is no constant or too large, or a constant part has no finite value.
    """
    compiler = _Compiler()
    for formula in formulas:
        compiler.add(formula)
    return compiler.program()


@dataclass
class _Compiler:
    """Gives each distinct value a number, then each result a free buffer."""

    numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)
    passes: list[tuple[Any, tuple[int, ...], int] | Output] = field(default_factory=list)

    def add(self, formula: Formula) -> None:
        divisors: list[int] = []
        value = self._read(formula.tree, formula, divisors)
        root = formula.tree
        if isinstance(root, ast.BinOp) and isinstance(root.op, ast.Div) and divisors:
            divisors.pop()  # a zero below the outermost fraction shows in the value itself
        self.passes.append(Output(value, tuple(dict.fromkeys(divisors))))

    def program(self) -> Program:
        last = {i: at for at, work in enumerate(self.passes) for i in _needs(work)}
        free: list[int] = []
        held: dict[int, int] = {}
        steps: list[Step | Output] = []
        buffers = 0
        for at, work in enumerate(self.passes):
            free += [held.pop(i) for i in dict.fromkeys(_needs(work)) if i in held and last[i] == at]
            if isinstance(work, Output):
                steps.append(work)
                continue
            ufunc, inputs, result = work
            if last[result] == at + 1 and isinstance(self.passes[at + 1], Output):
                steps.append(Step(ufunc, inputs, result, None))
                continue
            held[result] = free.pop() if free else (buffers := buffers + 1) - 1
            steps.append(Step(ufunc, inputs, result, held[result]))
        named = {key[1]: number for key, number in self.numbers.items() if key[0] == "band"}
        constants = {number: key[1] for key, number in self.numbers.items() if key[0] == "constant"}
        return Program(named, constants, tuple(steps), buffers)

    def _number(self, *key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _apply(self, ufunc: Any, *inputs: int) -> int:
        is_new = (ufunc, *inputs) not in self.numbers
        result = self._number(ufunc, *inputs)
        if is_new:
            self.passes.append((ufunc, inputs, result))
        return result

    def _read(self, node: ast.expr, formula: Formula, divisors: list[int]) -> int:
        """Return the number of a node's value, and add its divisors to ``divisors``."""
        constant = _fold(node, formula)
        if constant is not None:
            return self._number("constant", constant)
        match node:
            case ast.Name(id=name):
                return self._number("band", formula.bands[name])
            case ast.UnaryOp(op=operator, operand=operand):
                value = self._read(operand, formula, divisors)
                return self._apply(np.negative, value) if isinstance(operator, ast.USub) else value
            case ast.Call(args=[argument]):  # only kernels, which the catalogue writes, hold calls: exp
                return self._apply(np.exp, self._read(argument, formula, divisors))
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right, formula, divisors)
        raise refuse(formula.text, type(node).__name__)

    def _binary(
        self, left: ast.expr, operator: ast.operator, right: ast.expr, formula: Formula, divisors: list[int]
    ) -> int:
        if isinstance(operator, ast.Pow):
            return self._power(left, right, formula, divisors)
        a, b = self._read(left, formula, divisors), self._read(right, formula, divisors)
        if isinstance(operator, ast.Div):
            divisor = _fold(right, formula)
            if divisor == 0:
                raise refuse(formula.text, "a division by zero", "divisors that can differ from zero")
            if divisor is None:
                divisors.append(b)
        return self._apply(_UFUNCS[type(operator)], a, b)

    def _power(self, left: ast.expr, right: ast.expr, formula: Formula, divisors: list[int]) -> int:
        exponent = _fold(right, formula)
        if exponent is None or abs(exponent) > MAX_EXPONENT:
            raise refuse(formula.text, "a power", f"a constant exponent of at most {MAX_EXPONENT}")
        base = self._read(left, formula, divisors)
        if exponent < 0:
            divisors.append(base)
        if exponent == 0.5:  # noqa: PLR2004 (a root is many times quicker than a power)
            return self._apply(np.sqrt, base)
        if exponent == 2:  # noqa: PLR2004
            return self._apply(np.multiply, base, base)
        return self._apply(np.power, base, self._number("constant", exponent))


def _needs(work: tuple[Any, tuple[int, ...], int] | Output) -> tuple[int, ...]:
    return (work.value, *work.divisors) if isinstance(work, Output) else work[1]


def _fold(node: ast.expr, formula: Formula) -> float | None:
    """Return the value of a part that holds no band, or None."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return float(formula.constants[name]) if name in formula.constants else None
        case ast.UnaryOp(op=operator, operand=operand):
            value = _fold(operand, formula)
            return -value if value is not None and isinstance(operator, ast.USub) else value
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = _fold(left, formula), _fold(right, formula)
            return None if a is None or b is None else _calculate(a, operator, b, formula.text)
    return None


def _calculate(a: float, operator: ast.operator, b: float, text: str) -> float:
    if isinstance(operator, ast.Pow) and abs(b) > MAX_EXPONENT:
        raise refuse(text, "a power", f"an exponent of at most {MAX_EXPONENT}")
    try:
        result = _ARITHMETIC[type(operator)](a, b)
    except (ZeroDivisionError, OverflowError) as error:
        raise refuse(text, str(error), "constant parts with a value") from error
    if isinstance(result, complex) or not math.isfinite(result):
        raise refuse(text, f"the constant {result}", "constant parts with a finite real value")
    return float(result)
