"""A small part of ``make chaos``: what was killed or starved ends as an undisturbed run does, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are forked, and disks are limited by the system"),
]


@pytest.mark.parametrize("kinds", [["--index", "3"], ["--spie", "2"], ["--disk", "3"]], ids=lambda kinds: kinds[0][2:])
def test_runs_that_are_killed_or_starved_end_as_undisturbed_ones(kinds: list[str]) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--only", *kinds, "--seed", "7"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr[-2000:]
