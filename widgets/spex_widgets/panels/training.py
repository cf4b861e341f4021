"""Training: corrected results and labelled files become records, a stage learns from them, its model is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import (
    DatasetError,
    MissingExtraError,
    RegionError,
    SourceNotFoundError,
    TrainingError,
    require_extra,
)
from spex_nb.extraction.mask_models import INDEX, usual_model
from spex_nb.scene.samples import sample_path
from spex_nb.spie.sources.user_rasters import read_classes
from spex_nb.training.background import Training, TrainingProgress, checkpoint_targets
from spex_nb.training.corrected_results import SPIE, add_example, add_labelled_file, build_examples, list_examples
from spex_widgets.charts import lines
from spex_widgets.messages import block, error_html, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.state import WorkbenchState

STAGES = (
    ("instruct — all of it, on prompts", "instruct"),
    ("pretrain — masks without words", "pretrain"),
    ("align — the language model only", "align"),
)
LOOK_S = 1.0
"""How often a running training is looked at."""
CHECKPOINTS = 10
"""About so many checkpoints are written and measured."""
CHECK_TILES = 4
"""Tiles that checkpoints are measured on, and drawn."""


class TrainingPanel(Panel):
    """Collects examples, trains in a separate process, shows curves and samples, and hands the model over.

    Args:
        state: The state of the workbench.
        training: What trains a stage; another one in tests.
    """

    title = "Train"

    def __init__(self, state: WorkbenchState, training: Callable[[Mapping[str, Any]], Any] = Training) -> None:
        super().__init__(state)
        self._new_training = training
        self._training: Any = None
        self._watch: asyncio.Task[None] | None = None
        self._seen: tuple[int, int, int] = (-1, -1, -1)
        self.folder = ipw.Text("training", description="Folder", layout=WIDE)
        self.name = ipw.Text("example", description="Example", layout=WIDE)
        self.add = button("Add result", "Keep the corrected result as an example", self.trying(self._add))
        self.image = ipw.Text(description="Image", placeholder="a raster of your own …", layout=WIDE)
        self.labels = ipw.Text(description="Labels", placeholder="… its class raster …", layout=WIDE)
        self.classes = ipw.Text(
            description="Classes", placeholder='… and a JSON file such as {"1": "water"}', layout=WIDE
        )
        self.add_files = button("Add files", "Keep a labelled file as an example", self.trying(self._add_files))
        self.stage = ipw.Dropdown(options=STAGES, description="Stage", layout=WIDE)
        ships = usual_model()
        self.begin = ipw.Text(
            "" if ships == INDEX else ships, description="Start from", placeholder="nothing: start anew", layout=WIDE
        )
        self.steps = ipw.BoundedIntText(200, min=1, max=1_000_000, description="Steps", layout=WIDE)
        self.rate = ipw.FloatLogSlider(
            2e-4, base=10, min=-6, max=-2, step=0.1, description="Rate", readout_format=".1e", layout=WIDE
        )
        self.train = button(
            "Train",
            "Build the records and start, or go on after a pause",
            self.trying(self.start),
            button_style="primary",
            icon="play",
        )
        self.pause = button("Pause", "Write a checkpoint and stop", self.trying(self._pause), icon="pause")
        self.use = button("Use it", "Extract with the trained model from now on", self.trying(self._use), icon="check")
        self.bar = ipw.FloatProgress(min=0, max=1, layout={"width": "98%"})
        self.examples, self.status, self.curves = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.samples = ipw.VBox()
        self.folder.observe(self.trying(self._show_examples), "value")
        self.lay_out(*self._parts())
        self.follow(self._show, "extraction")

    def _parts(self) -> list[Any]:
        """Return the controls; a clear message in their place where torch is not installed."""
        try:
            require_extra("model", "Training")
        except MissingExtraError as error:
            return [ipw.HTML(error_html(error)), ipw.HTML(quiet("All other panels work without it."))]
        own_files = ipw.Accordion(
            [ipw.VBox([self.image, self.labels, self.classes, self.add_files])], titles=["Labelled files"]
        )
        return [
            self.folder,
            ipw.HBox([self.name]),
            self.add,
            own_files,
            self.examples,
            self.stage,
            self.begin,
            self.steps,
            self.rate,
            ipw.HBox([self.train, self.pause, self.use]),
            self.bar,
            self.status,
            self.curves,
            self.samples,
        ]

    def _show(self) -> None:
        self.add.disabled = self.state.extraction is None
        self._show_examples()
        self._show_running()

    def _show_examples(self) -> None:
        names = list_examples(self.folder.value)
        listed = ", ".join(names) if names else "none yet: extract, correct, and add the result"
        kept_back = f" {names[-1]} is kept back to measure IoU on." if len(names) > 1 else ""
        self.examples.value = block(f"<strong>Examples:</strong> {escape(listed)}.{escape(kept_back)}", "quiet")

    def _show_running(self) -> None:
        running = self._training is not None and self._training.is_running
        self.train.disabled, self.pause.disabled = running, not running
        self.use.disabled = self._training is None or self._training.progress().checkpoint is None

    def _add(self) -> None:
        state = self.state
        if state.extraction is None:
            raise RegionError("There is nothing to add", found="no result", expected="one", fix="Extract first.")
        add_example(
            self.folder.value,
            self.name.value,
            state.result_scene,
            state.mask.values,
            [*state.extraction.class_names],
            _file_of(state),
        )
        self._show_examples()

    def _add_files(self) -> None:
        add_labelled_file(self.folder.value, self.image.value, self.labels.value, read_classes(self.classes.value))
        self._show_examples()

    def start(self) -> None:
        """Build the records in a job, then train in a process.

        Raises:
            DatasetError: If there are no examples.
        """
        folder = Path(self.folder.value)
        if not list_examples(folder):
            raise DatasetError(
                "There are no examples", found=str(folder), expected="at least one", fix="Add one first."
            )
        self.train.disabled = True
        self.status.value = quiet("Building records …")
        if self._training is not None and self._is_unfinished(self._training.progress()):
            self._run(self._training)
            return
        self.state.jobs.start(lambda _job: self._stage(build_examples(folder)), self._built, self._not_built)

    def _is_unfinished(self, seen: TrainingProgress) -> bool:
        return bool(seen.checkpoint) and not seen.is_whole and self._training.steps == self.steps.value

    def _stage(self, built: Any) -> dict[str, Any]:
        """Return the stage as the process reads it, in a folder of its own."""
        folder, start = Path(self.folder.value).absolute(), self.begin.value.strip()
        targets = checkpoint_targets(start) if start else tuple(sorted(_targets_of(built)))
        number = 1 + len([*folder.glob("run-*")])
        steps = self.steps.value
        every = max(1, steps // CHECKPOINTS)
        return {
            "kind": self.stage.value,
            "data": str(folder / SPIE),
            "out": str(folder / f"run-{number}"),
            "start": start,
            "targets": list(targets),
            "steps": steps,
            "rate": self.rate.value,
            "batch": 4,
            "workers": 0,
            "warmup": min(20, steps // 10),
            "save_every": every,
            "check_every": every,
            "check_tiles": CHECK_TILES,
            "check_split": "val" if len(list_examples(folder)) > 1 else "train",
            "check_pictures": CHECK_TILES,
            "sampling": {"answers": 0.3},
        }

    def _built(self, stage: Mapping[str, Any]) -> None:
        self._run(self._new_training(stage))

    def _not_built(self, error: BaseException) -> None:
        self.train.disabled = False
        self.status.value = ""
        self.fail(error, self.start)

    def _run(self, training: Any) -> None:
        self._training, self._seen = training, (-1, -1, -1)
        training.start()
        self.state.busy = "training"
        self.look()
        try:
            self._watch = asyncio.get_running_loop().create_task(self._keep_looking())
        except RuntimeError:  # no kernel: who drives the panel looks
            self._watch = None

    async def _keep_looking(self) -> None:
        while self._training is not None and self._training.is_running:
            await asyncio.sleep(LOOK_S)
            self.trying(self.look)()
        self.trying(self.look)()

    def look(self) -> None:
        """Show how far the training is."""
        training = self._training
        if training is None:
            return
        seen, running = training.progress(), training.is_running
        self.bar.value = min(1.0, seen.steps / training.steps)
        if not running:
            self.state.busy = ""
        self.status.value = _status(seen, training.steps, running)
        self._draw(seen)
        self._show_running()

    def _draw(self, seen: TrainingProgress) -> None:
        now = (len(seen.curves), len(seen.scores), len(seen.samples))
        if now == self._seen or not seen.curves:
            return
        self._seen = now
        loss = lines({"loss": seen.losses}, "step", "loss")
        iou = lines({"IoU": seen.scores}, "step", "IoU of checkpoints")
        self.curves.value = block(loss + iou)
        head = ipw.HTML(block("<h4>Scene, label, prediction</h4>"))
        pictures = [ipw.Image(value=path.read_bytes(), layout={"max_width": "100%"}) for path in seen.samples]
        self.samples.children = [head, *pictures] if pictures else []

    def _pause(self) -> None:
        if self._training is not None:
            self._training.pause()
            self.status.value = quiet("Writing a checkpoint …")

    def _use(self) -> None:
        checkpoint = None if self._training is None else self._training.progress().checkpoint
        if checkpoint is None:
            raise TrainingError(
                "There is no checkpoint yet", found="none", expected="one", fix="Train, or pause a training."
            )
        self.state.model = str(checkpoint)
        self.status.value = quiet(f"From now on {checkpoint} extracts.")

    def close(self) -> None:
        """End the training, with a checkpoint, and let go of everything."""
        if self._watch is not None:
            self._watch.cancel()
        if self._training is not None:
            self._training.close()
        super().close()


def _file_of(state: WorkbenchState) -> Path | None:
    """Return the raster that the result's scene is all of; None where it is a part, or came from elsewhere."""
    if state.mask.shape != state.scene.spex.shape or state.source.kind == "memory":
        return None
    if state.source.kind == "file":
        path = Path(state.source.name)
        return path if path.is_file() and not state.source.options else None
    try:
        return sample_path(state.source.name)
    except SourceNotFoundError:  # a sample that is no file
        return None


def _targets_of(built: Any) -> list[str]:
    from spex_nb.spie.dataset import open_dataset

    return [*open_dataset(built.folder).index["target"].unique()]


def _status(seen: TrainingProgress, steps: int, running: bool) -> str:
    if seen.error:
        return block(f"<strong>{escape(seen.error)}</strong>", "error")
    loss = f", loss {seen.losses[-1][1]:.3f}" if seen.losses else ""
    iou = f", IoU {seen.scores[-1][1]:.3f}" if seen.scores else ""
    what = "Training" if running else "Done" if seen.is_whole else "Paused"
    where = f" The checkpoint lies in {seen.checkpoint}." if seen.checkpoint else ""
    return quiet(f"{what}: step {seen.steps:.0f} of {steps}{loss}{iou}.{where}")
