"""`tiny` on ONNX Runtime beside torch: from the start of Python to a result on disk, and the cost of one more tile."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spex_nb.scene.samples import sample_path
from tests.benchmarks.bench_extraction import OURS, write_scene
from tests.benchmarks.bench_indices import row
from tests.benchmarks.bench_scenes import measure

SIDE, TURNS = 2_048, 3
STARTED = """
import sys, time
start = time.perf_counter()
from spex_nb import load_mask_model, sample_scene
from spex_nb.language import build_prompt
model, scene = load_mask_model(sys.argv[1]), sample_scene("river_10m")
question = {"targets": ["water"], "prompts": [build_prompt("water", [])]}
model.predict(scene, **question)
first = time.perf_counter() - start
times = []
for turn in range(5):
    other = scene.assign(red=scene["red"] + (turn + 1) / 1e4)
    start = time.process_time()
    model.predict(other, **question)
    times.append(time.process_time() - start)
print(first, min(times))
"""


def started(model: str, threads: int) -> tuple[float, float]:
    """Return seconds from imports to the first mask of `river_10m`, and processor time of a later tile: the best."""
    command = [sys.executable, "-c", STARTED, model]
    limited = os.environ | {"OMP_NUM_THREADS": str(threads)}
    runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=limited) for _ in range(TURNS)]
    pairs = [tuple(map(float, run.stdout.split())) for run in runs]
    return min(first for first, _ in pairs), min(later for _, later in pairs)


def extracted(model: str, source: Path, folder: Path) -> tuple[float, float]:
    """Return seconds and MB of a whole extraction in a process of its own."""
    script = folder / "ours.py"
    script.write_text(OURS)
    out = folder / f"{model.partition(':')[0]}_{source.stem}"
    return measure([sys.executable, str(script), str(source), model, str(out), "1"])


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the rows; the two take turns in one run."""
    ours, other = started("onnx:tiny", 2), started("torch:tiny", 2)
    yield row(
        "`tiny` by ONNX Runtime, imports to the first mask of `river_10m`; other: torch", ours[0], other[0], "s", "< 1"
    )
    ours, other = started("onnx:tiny", 1), started("torch:tiny", 1)
    what = "`tiny` by ONNX Runtime, processor time of one more tile of 320², one thread"
    yield row(f"{what}; other: torch", ours[1], other[1], "s", "< 1")
    large = folder / "large.tif"
    write_scene(large, SIDE)
    for name, source in (("`river_10m`", Path(sample_path("river_10m"))), (f"{SIDE:,}², four bands", large)):
        ours, other = extracted("onnx:tiny", source, folder), extracted("torch:tiny", source, folder)
        what = f"`extract` water by `tiny` on ONNX Runtime, {name}"
        yield row(f"{what}; other: torch", ours[0], other[0], "s", "< 1")
        yield row(f"{what}, peak memory; other: torch", ours[1], other[1], "MB", "none")


def run() -> list[dict[str, str]]:
    """Return the measured rows."""
    with tempfile.TemporaryDirectory() as name:
        return [*rows(Path(name))]


if __name__ == "__main__":
    print(*run(), sep="\n")  # noqa: T201 (a benchmark alone)
