"""The page on reliability: each fault has its tests, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS = 24


def rows() -> list[tuple[int, list[str]]]:
    """Return the number of each fault with the names of its tests."""
    table = PAGE.partition("## Faults that were found, and the tests that hold them")[2]
    return [
        (int(number), re.findall(r"`(test_\w+)`", tests))
        for number, tests in re.findall(r"\| (\d+) \|.*\|(.*)\|", table)
    ]


def test_each_fault_has_tests_that_exist() -> None:
    known = {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    listed = rows()
    assert [number for number, _ in listed] == [*range(1, FAULTS + 1)]
    assert [number for number, tests in listed if not tests] == []
    assert [name for _, tests in listed for name in tests if name not in known] == []


def test_the_page_says_that_threads_change_the_last_bits() -> None:
    text = " ".join(PAGE.split())
    assert "The probabilities of `tiny` then differ in their last bits" in text
    assert "Set `OMP_NUM_THREADS` to the same number for the same bytes" in text
