"""A sample of the fuzzing suite: whatever a file or a text is, it ends well or in an error of this package."""

from __future__ import annotations

import pytest

from tests.fuzz.run import cases_of, run, table

pytestmark = pytest.mark.slow


def test_a_sample_of_all_kinds_ends_right_or_typed() -> None:
    counts, bad = run(cases_of(0.006, first_seed=50_000))
    assert bad == [], table(counts)
    assert counts["raster", "right"] > counts["raster", "typed"] / 20
