"""Formulas as one list of operations: shared parts once, buffers reused, the same figures as NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import FormulaError
from spex_nb.spectral.compiler import Formula, Output, compile_formulas
from spex_nb.spectral.formulas import parse_formula

BANDS = {name: name for name in "abc"}


def formula(text: str, **constants: float) -> Formula:
    return Formula(parse_formula(text), constants, BANDS, text)


def run(*texts: str, **arrays: float) -> list[float]:
    program = compile_formulas([formula(text) for text in texts])
    planes = [np.empty((1, 1)) for _ in texts]
    pixels = {name: np.full((1, 1), value) for name, value in arrays.items()}
    program.run(pixels, None, planes, np.empty((program.buffers, 1, 1)))
    return [float(plane[0, 0]) for plane in planes]


def test_a_part_that_formulas_share_is_computed_once() -> None:
    program = compile_formulas([formula("(a - b) / (a + b)"), formula("2 * (a - b) / (a + b + L)", L=1.0)])
    assert sum(not isinstance(step, Output) for step in program.steps) == 3 + 3


def test_few_buffers_serve_a_long_formula() -> None:
    text = " + ".join(f"(a * {i} - b) * (c + {i})" for i in range(1, 20))
    assert compile_formulas([formula(text)]).buffers <= 3


def test_a_value_that_ends_two_formulas_and_feeds_a_third() -> None:
    assert run("a - b", "a-b", "(a - b) ** 2", "(a - b) * c", a=5, b=2, c=10) == [3, 3, 9, 30]


def test_a_zero_divisor_inside_a_formula_makes_it_undefined() -> None:
    assert np.isnan(run("c / (a / b)", a=1, b=0, c=1)).all()  # 1 / inf would be 0
    assert np.isnan(run("c / (a - b)", "c - b", a=1, b=1, c=1)[0])


operations = st.deferred(
    lambda: (
        st.sampled_from(["a", "b", "c", "1.5", "2", "k"])
        | st.tuples(operations, st.sampled_from("+-*/"), operations).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | operations.map(lambda inner: f"(-{inner})")
    )
)


@pytest.mark.slow
@given(st.lists(operations, min_size=1, max_size=5), st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_every_formula_of_a_program_equals_its_text_evaluated_alone(texts: list[str], numbers: list[int]) -> None:
    texts = [f"a + 0 * ({text})" if not any(band in text for band in "abc") else text for text in texts]
    values = dict(zip("abc", map(float, numbers), strict=True))
    try:
        program = compile_formulas([formula(text, k=0.5) for text in texts])
    except FormulaError:
        return  # a constant part divides by zero
    planes = [np.empty((1, 2)) for _ in texts]
    pixels = {name: np.full((1, 2), value) for name, value in values.items()}
    program.run(pixels, np.array([[True, False]]), planes, np.empty((program.buffers, 1, 2)))
    for text, plane in zip(texts, planes, strict=True):
        try:
            expected = eval(text, {}, values | {"k": 0.5})  # noqa: S307 (texts of this test)
        except ZeroDivisionError:
            expected = np.nan
        assert plane[0, 0] == pytest.approx(expected, nan_ok=True)
        assert np.isnan(plane[0, 1])
