"""The training panel: examples, a stage, curves, pause and use; with a training that is played, and once for real."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from spex_widgets import InstructionPanel, TrainingPanel, WorkbenchState
from spex_widgets.jobs import ImmediateExecutor

from spex_nb import sample_scene
from spex_nb.errors import DatasetError, TrainingError
from spex_nb.scene import sample_path
from spex_nb.spie import open_dataset
from spex_nb.training.background import Training, TrainingProgress, checkpoint_targets
from spex_nb.training.corrected_results import add_example, add_labelled_file, build_examples, list_examples

pytestmark = pytest.mark.slow


class PlayedTraining:
    """A training whose course the test sets."""

    def __init__(self, stage: Mapping[str, Any]) -> None:
        self.stage, self.steps, self.is_running, self.seen = dict(stage), stage["steps"], False, TrainingProgress()

    def start(self) -> None:
        self.is_running = True

    def pause(self) -> None:
        self.is_running = False

    def progress(self) -> TrainingProgress:
        return self.seen

    def close(self) -> None:
        self.is_running = False


@pytest.fixture
def panel(tmp_path: Path) -> TrainingPanel:
    state = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    asking = InstructionPanel(state)
    state.text = "water"
    asking.run.click()
    made = TrainingPanel(state, training=PlayedTraining)
    made.folder.value = str(tmp_path / "training")
    return made


def test_a_corrected_result_becomes_records_that_speak_of_its_targets_only(panel: TrainingPanel) -> None:
    panel.train.click()
    assert "Add one first" in panel.error.value
    panel.name.value = "the river"
    panel.add.click()
    assert panel.error.value == ""
    assert "the_river" in panel.examples.value
    panel.begin.value = ""  # anew: what ships would be asked for all of its targets
    panel.train.click()
    assert panel.error.value == ""
    stage = panel._training.stage
    dataset = open_dataset(stage["data"])
    assert set(dataset.index["target"]) == {"water"}
    assert stage["targets"] == ["water"]
    record = dataset.first()
    mask, known = dataset.mask(record)
    row, column = (int(text) for text in record.id.split("-")[2:4])
    window = panel.state.mask.values[row : row + 256, column : column + 256]
    assert np.array_equal(mask, window == 1)
    assert np.array_equal(known, window != 255)


def test_curves_and_samples_are_shown_while_it_trains_and_the_result_is_used(
    panel: TrainingPanel, tmp_path: Path
) -> None:
    panel.add.click()
    panel.train.click()
    training = panel._training
    assert panel.train.disabled
    assert panel.state.busy == "training"
    sample = tmp_path / "0.png"
    Image.new("RGB", (9, 3)).save(sample)
    training.seen = TrainingProgress([{"step": 10, "loss": 0.9}, {"step": 10, "iou_water": 0.25}], [sample], steps=10)
    panel.look()
    assert "step 10 of 200, loss 0.900, IoU 0.250" in panel.status.value
    assert panel.curves.value.count("<svg") == 2
    assert len(panel.samples.children) == 2
    panel.pause.click()
    assert not training.is_running
    training.seen = TrainingProgress(training.seen.curves, steps=10, checkpoint=tmp_path)
    panel.look()
    assert "Paused" in panel.status.value
    panel.train.click()
    assert panel._training is training
    assert training.is_running
    training.is_running = False
    panel.look()
    panel.use.click()
    assert panel.state.model == str(tmp_path)


def test_an_error_of_the_process_is_shown_as_text(panel: TrainingPanel) -> None:
    panel.add.click()
    panel.train.click()
    panel._training.is_running, panel._training.seen = False, TrainingProgress(error="The loss <b>broke</b>")
    panel.look()
    assert "The loss &lt;b&gt;broke&lt;/b&gt;" in panel.status.value
    assert not panel.train.disabled


def test_without_torch_the_panel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else found(name, *a))
    panel = TrainingPanel(WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor()))
    texts = "".join(
        getattr(child, "value", "") for child in panel.children if isinstance(getattr(child, "value", ""), str)
    )
    assert "pip install &#x27;spex-nb[model]&#x27;" in texts
    with pytest.raises(ImportError, match="pip install"):
        Training({"out": ".", "steps": 1})


def test_labelled_files_are_examples_where_they_lie(tmp_path: Path) -> None:
    image = sample_path("lake_30m")
    labels = image.with_name("lake_30m_labels.tif")
    classes = tmp_path / "classes.json"
    classes.write_text(json.dumps({"1": "water", "2": "vegetation", "0": None}))
    panel = TrainingPanel(WorkbenchState(None, "index", executor=ImmediateExecutor()), training=PlayedTraining)
    panel.folder.value = str(tmp_path / "t")
    panel.image.value, panel.labels.value, panel.classes.value = str(image), str(labels), str(classes)
    panel.add_files.click()
    assert panel.error.value == ""
    assert list_examples(tmp_path / "t") == ["lake_30m"]
    river = sample_path("river_10m")
    add_labelled_file(tmp_path / "t", river, river.with_name("river_10m_labels.tif"), {1: "water", 0: None, 2: None})
    build_examples(tmp_path / "t")
    index = open_dataset(tmp_path / "t" / "spie").index
    assert set(index[index["split"] == "val"]["place"]) == {"corrected/river_10m"}
    assert set(index["target"]) == {"water", "vegetation"}


def test_training_that_goes_on_from_what_ships_keeps_its_targets(panel: TrainingPanel) -> None:
    assert panel.begin.value == "tiny"
    panel.name.value = "the river"
    panel.add.click()
    panel.train.click()
    assert panel.error.value == ""
    assert panel._training.stage["start"] == "tiny"
    assert panel._training.stage["targets"] == list(checkpoint_targets("tiny"))


def test_everything_else_cannot_be_learned(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    with pytest.raises(DatasetError, match="Ask for a target itself"):
        add_example(tmp_path, "x", scene, np.zeros(scene.spex.shape, np.uint8), ["everything_else"])
    with pytest.raises(DatasetError, match="Add the current result first"):
        build_examples(tmp_path)
    with pytest.raises(TrainingError, match="start anew"):
        checkpoint_targets(tmp_path)
