"""Argleton, a peer's test of silent geospatial errors: no trap that applies gives a wrong answer that looks right."""

from __future__ import annotations

from typing import Any

import pytest
from argleton import model, run, score

from tests.benchmarks.bench_argleton import Adapter, verdicts

pytestmark = pytest.mark.slow

VECTORS = "asks for geometries, distances or counts of a vector layer, and spex_nb opens none"
TABLES = "joins or parses a table, and spex_nb reads none"
OUTSIDE = {
    "002-feet-as-metres": VECTORS,
    "004-mismatched-crs-join": VECTORS,
    "005-bowtie-area": VECTORS,
    "006-default-layer": VECTORS,
    "007-buffer-in-degrees": VECTORS,
    "008-web-mercator-area": VECTORS,
    "011-polygon-holes": VECTORS,
    "012-double-counting": VECTORS,
    "013-z-dimension": VECTORS,
    "014-centroid-outside": VECTORS,
    "015-boundary-semantics": VECTORS,
    "016-coordinate-parsing": TABLES,
    "017-aggregation-weighting": VECTORS,
    "018-join-key-typing": TABLES,
    "019-partial-overlap": VECTORS,
    "020-join-cardinality": TABLES,
    "021-ballpark-datum": VECTORS,
    "022-thiessen-pairing": VECTORS,
    "023-axis-order": TABLES,
    "025-antimeridian-zone": VECTORS,
    "027-mixed-geometry": VECTORS,
    "028-degrees-as-metres": VECTORS,
    "029-difference-order": VECTORS,
    "031-hole-wound-as-shell": VECTORS,
}
"""Traps that do not apply, each with the reason."""


@pytest.fixture(scope="module")
def judged() -> list[Any]:
    return verdicts(Adapter())


def test_no_raster_trap_gives_a_silent_error_and_every_twin_is_answered(judged: list[Any]) -> None:
    summary = score.summarise(judged)
    assert summary["silent_error_rate"] == 0.0, [one for one in judged if one.verdict == "silent_error"]
    assert summary["completion_rate"] == 1.0
    assert summary["traps_run"] == summary["clean_run"] == 7
    assert {one.verdict for one in judged} <= {"correct", "refused_correctly"}


def test_every_other_trap_is_left_out_for_a_reason(judged: list[Any]) -> None:
    traps = {probe.id for probe in model.discover(run.ROOT) if probe.population == "trap"}
    asked = {one.probe_id for one in judged if one.population == "trap"}
    assert traps == asked | set(OUTSIDE)
