"""A worker's process uses memory again, though dask asks for it to be given back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PAGES = """
import resource
import numpy as np
from spex_nb.extraction.predict import keep_large_arrays

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        held = [np.ones(2**20) for _ in range(2)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_large_arrays()
faults()
print(first, faults())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the page faults are those of glibc")
def test_large_arrays_are_not_mapped_anew() -> None:
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    printed = subprocess.run([sys.executable, "-c", PAGES], env=environment, capture_output=True, text=True, check=True)
    before, after = map(int, printed.stdout.split())
    assert before > 1_000
    assert after < before / 2
