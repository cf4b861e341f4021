"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real scenes that SPEX_TEST_DATA names."""
    folder = os.environ.get("SPEX_TEST_DATA")
    if not folder:
        pytest.skip("SPEX_TEST_DATA is not set: it names the folder of real scenes that this test reads")
    return Path(folder)
