"""What a user of the workbench waits for: the meaning shown, the first answer and later ones, a stroke measured."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
from spex_widgets import Workbench, editor
from spex_widgets.jobs import ImmediateExecutor

from tests.benchmarks.bench_indices import best_of, row, scene_of

SIDE = 512
WAVES_UM = {"blue": 0.49, "green": 0.56, "red": 0.66, "nir": 0.83}
TEXTS = ("lakes larger than 2 ha in the north", "the 3 largest forests")
COLD = """
import time
from spex_widgets import Workbench
from spex_widgets.jobs import ImmediateExecutor
bench = Workbench("sentinel2_crop", executor=ImmediateExecutor())
start = time.perf_counter()
{meanwhile}
loaded = time.perf_counter()
bench.ask("water")
bench.extract()
assert bench.result is not None
print(time.perf_counter() - {since})
"""
"""A process of its own, from the picture to the first answer; with the model loaded meanwhile, or not."""


def first_answer(meanwhile: str, since: str) -> float:
    """Return the seconds until the first answer of a new process."""
    code = COLD.format(meanwhile=meanwhile, since=since)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def workbench() -> Any:
    """Return a workbench on a scene of 512 x 512 pixels, with `tiny`, whose jobs are over at once."""
    scene = scene_of(SIDE)
    for name, wave in WAVES_UM.items():
        scene[name].attrs = {"wavelength_um": wave, "width_um": 0.06}
    return Workbench(scene, "tiny", executor=ImmediateExecutor())


def run() -> list[dict[str, str]]:
    """Return the measured rows."""
    bench = workbench()
    texts = iter(np.resize(TEXTS, 1000).tolist())
    bench.ask("water")

    def answer() -> None:
        bench.extract()

    def say_back() -> None:
        bench.state.text = next(texts)

    answered = best_of(3, answer)[0]
    bench.state.tool = "paint"
    rows = iter(range(20, SIDE, 20))

    def draw() -> None:
        row_px = next(rows) + 0.5
        edits = len(bench.state.history.done)
        editor.draw(bench.state, [(200.5, row_px), (240.5, row_px)])
        assert len(bench.state.history.done) == edits + 1

    stroked = best_of(5, draw)[0]
    said = best_of(20, say_back)[0]
    bench.close()
    warm = first_answer("bench.state.load_model_meanwhile()", "loaded")
    cold = first_answer("", "start")
    what = f"workbench, {SIDE}², `tiny`"
    return [
        row("workbench, the meaning shown while typing; other: the limit", said, 0.1, "s", "≤ 0.1 s"),
        row("workbench, first answer, model loaded meanwhile; other: not loaded", warm, cold, "s", "≤ 3 s"),
        row(f"{what}, a later answer; other: the limit", answered, 1.5, "s", "≤ 1.5 s"),
        row(f"{what}, a stroke drawn and measured; other: the limit", stroked, 0.5, "s", "≤ 0.5 s"),
    ]
