"""The package does its main job where torch and transformers are not installed: a process that refuses both."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spex_nb.errors import MissingExtraError
from spex_nb.extraction.mask_models import INDEX, SHIPPED, chosen_runtime, load_mask_model, usual_model

pytest.importorskip("onnxruntime", reason="ONNX Runtime comes with the extra [onnx]")

REFUSED = """
import importlib.util, sys

class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "accelerate"):
            raise ModuleNotFoundError(f"{name} is refused in this test", name=name)

sys.meta_path.insert(0, Refuser())
find = importlib.util.find_spec
REFUSED = ("torch", "transformers", "accelerate")
importlib.util.find_spec = lambda name, *rest: None if name in REFUSED else find(name, *rest)
"""
EXTRACTED = """
import numpy as np
from spex_nb import extract, load_mask_model, sample_scene
scene = sample_scene("river_10m")
model = load_mask_model("tiny")
assert type(model).__name__ == "OnnxPredictor", model
water = extract(scene, "the water bodies larger than 1 ha", "tiny", progress=False)
both = extract(scene, "agua y vegetación", model, progress=False)
town = extract(sample_scene("town_1m"), "buildings", "tiny", progress=False)
lake = extract(sample_scene("lake_30m"), "built-up areas", "tiny", progress=False)
assert water.provenance["model"] == "tiny" and "water" in water.explanation.lower(), water.explanation
assert (water.mask == 1).sum() > 1000 and both.evidence["vegetation"].area_px > 1000
assert lake.is_untrusted and not town.is_untrusted and "hint" in town.explanation, town.explanation
assert not {"torch", "transformers"} & set(sys.modules)
print("fine")
"""


def without_torch(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that refuses torch, with a search path like this one's."""
    script = folder / "script.py"
    script.write_text(REFUSED + code, encoding="utf-8")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_extract_answers_with_words(tmp_path: Path) -> None:
    done = without_torch(EXTRACTED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


@pytest.mark.slow
def test_the_commands_work_and_the_doctor_says_what_computes(tmp_path: Path) -> None:
    run = "from spex_nb.cli import main\nmain()\n"
    from spex_nb.scene.samples import sample_path

    done = without_torch(run, tmp_path, "extract", str(sample_path("river_10m")), "water", "--quiet", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "river_10m" / "result.json").is_file() or any((tmp_path / "out").iterdir())
    done = without_torch(run, tmp_path, "doctor", "--without", "model")
    assert "model              tiny on ONNX Runtime" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("lesson", ["00", "05", "06", "09"])
def test_lessons_run_with_their_solutions(lesson: str, tmp_path: Path) -> None:
    """Cells run in this order in one process; pictures and widgets are made and not shown."""
    pytest.importorskip("ipywidgets", reason="lessons need the extra [map]")
    done = without_torch(LESSON, tmp_path, lesson)
    assert done.returncode == 0, done.stderr[-3000:]


LESSON = """
import os
os.environ["MPLBACKEND"] = "agg"
from IPython.testing.globalipapp import start_ipython
from spex_nb.cli.lessons import find_lessons
shell = start_ipython()
(lesson,) = find_lessons([sys.argv[1]])
for cell in lesson.solved().cells:
    if cell.cell_type == "code":
        done = shell.run_cell(cell.source)
        if "raises-exception" not in cell.metadata.get("tags", ()):
            done.raise_error()
assert not {"torch", "transformers"} & set(sys.modules)
"""


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in modules else find(name, *rest))


def test_torch_comes_first_then_onnx_runtime_then_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch comes with the extra [model]")
    assert (chosen_runtime(SHIPPED), usual_model()) == ("torch", SHIPPED)
    hide(monkeypatch, "torch")
    assert (chosen_runtime(SHIPPED), usual_model()) == ("onnx", SHIPPED)
    with pytest.raises(MissingExtraError, match=r"pip install 'spex-nb\[model\]'"):
        load_mask_model("torch:tiny")
    hide(monkeypatch, "torch", "onnxruntime")
    assert usual_model() == INDEX
    with pytest.raises(MissingExtraError, match=r"'spex-nb\[onnx\]', or: pip install 'spex-nb\[model\]'"):
        load_mask_model(SHIPPED)
    with pytest.raises(MissingExtraError, match=r"pip install 'spex-nb\[onnx\]'"):
        load_mask_model("onnx:tiny")
