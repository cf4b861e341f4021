"""transformers' Trainer for a stage: rates by part, samples in order, and an end that loses no finished step."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from spex_nb.errors import OutputError, TrainingError
from spex_nb.output.files import explain_write_errors, unwritable, write_folder_whole, write_whole
from spex_nb.training.checkpoints import STATE, is_whole, keep_last
from spex_nb.training.curves import FILE, Line, read_curves
from spex_nb.training.stage import Stage

BAD_BATCH = "bad_batch.safetensors"
GO_ON = "Free some room and run the same command again: it goes on from the last checkpoint."
UNDECAYED = 2
"""Parameters of fewer dimensions (biases, norms) are not decayed."""


def training_arguments(stage: Stage) -> TrainingArguments:
    """Return the settings of a stage as arguments of transformers' Trainer."""
    return TrainingArguments(
        output_dir=stage.out,
        max_steps=stage.steps,
        per_device_train_batch_size=stage.batch,
        gradient_accumulation_steps=stage.accumulate,
        learning_rate=stage.rate,
        weight_decay=stage.weight_decay,
        warmup_steps=stage.warmup,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": stage.last_rate},
        max_grad_norm=stage.clip,
        bf16=stage.precision == "bf16",
        fp16=stage.precision == "fp16",
        save_steps=stage.save_every,
        save_total_limit=stage.keep,
        logging_steps=10,
        logging_nan_inf_filter=False,
        dataloader_num_workers=stage.workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        dataloader_persistent_workers=stage.workers > 0,
        remove_unused_columns=False,
        label_names=["labels", "mask_labels"],
        seed=stage.seed,
        report_to=[],
        disable_tqdm=True,
    )


class StageTrainer(Trainer):
    """Trains one stage."""

    def __init__(self, stage: Stage, **options: Any) -> None:
        self.stage = stage
        self._written_into: Path | None = None
        super().__init__(args=training_arguments(stage), **options)
        self.remove_callback(PrinterCallback)  # the curves hold what it prints

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Group the parameters that learn by rate and by decay."""
        learner: Any = model or self.model
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, parameter in learner.named_parameters():
            if parameter.requires_grad:
                key = (self.stage.rate_of(plain_name(name)), parameter.ndim >= UNDECAYED)
                groups.setdefault(key, []).append(parameter)
        decay = self.stage.weight_decay
        self.optimizer = torch.optim.AdamW(
            [
                {"params": members, "lr": rate, "weight_decay": decay if is_decayed else 0.0}
                for (rate, is_decayed), members in groups.items()
            ]
        )
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        """Take samples in the order of their numbers, since they are random already."""
        dataset: Any = train_dataset if train_dataset is not None else self.train_dataset
        return SequentialSampler(dataset)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        """Compute the loss; if it is no number, write the batch to a file and stop."""
        rest_norms(model)
        loss, outputs = super().compute_loss(model, inputs, *args, **{**options, "return_outputs": True})
        if not torch.isfinite(loss):
            raise self._bad_batch(inputs)
        return (loss, outputs) if options.get("return_outputs") else loss

    def _bad_batch(self, inputs: dict[str, Any]) -> TrainingError:
        batch_file = Path(self.stage.out) / BAD_BATCH
        batch_file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.contiguous().cpu() for name, value in inputs.items() if torch.is_tensor(value)}
        with write_whole(batch_file, overwrite=True) as part:
            save_file(tensors, part)
        return TrainingError(
            "The loss is no longer a number",
            found=f"at step {self.state.global_step + 1}",
            expected="a finite loss",
            fix=f"Look at the batch in {batch_file}; lower the rate, or train in fp32. Checkpoints before it are kept.",
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a complete checkpoint, or none: it gets its name once all of it is on the disk."""
        folder = Path(self.stage.out) / f"checkpoint-{self.state.global_step}"
        try:
            if self.args.world_size > 1:  # several processes write into one folder; `is_whole` finds half ones
                super()._save_checkpoint(model, trial)
                return
            if not is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
            with write_folder_whole(folder, overwrite=True, mark=STATE) as part, self._writing_into(part.parent):
                super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, OutputError) as error:  # torch reports a full disk as a RuntimeError
            problem = error if isinstance(error, OutputError) else unwritable(folder, error)
            raise TrainingError(
                "The checkpoint cannot be written",
                found=problem.found,
                expected="room on the disk",
                fix=GO_ON,
            ) from error
        keep_last(self.stage.out, self.stage.keep)

    @contextmanager
    def _writing_into(self, folder: Path) -> Iterator[None]:
        """Let the Trainer write its checkpoint into another folder than that of the stage."""
        self._written_into = folder
        try:
            yield
        finally:
            self._written_into = None

    def _get_output_dir(self, trial: Any) -> str:
        """Return the folder in which the Trainer makes the folder of a checkpoint."""
        return str(self._written_into or super()._get_output_dir(trial))


def rest_norms(model: nn.Module) -> None:
    """Freeze the batch statistics of norms whose weights do not learn."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.train(False)


def plain_name(name: str) -> str:
    """Return a parameter's name in the model itself, whatever wraps it."""
    return name.replace("module.", "").replace("base_model.model.", "").replace("_orig_mod.", "")


class GracefulInterrupt(TrainerCallback):
    """Ends training after the current step, with a checkpoint, on Ctrl-C or an event. A second Ctrl-C ends it at once.

    It is a context: outside of it, Ctrl-C has its former meaning. Forked processes leave Ctrl-C to the first process.

    Args:
        stop: The event; a new one by default.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()
        self._former_handler: Any = None
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> GracefulInterrupt:
        if self._is_main:  # others have no signals
            self._former_handler = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._former_handler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (Python's)
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.stop.set()

    def on_step_end(self, args: Any, state: Any, control: Any, **_options: Any) -> None:  # noqa: ARG002 (Trainer's)
        """Save a checkpoint and end training, if it is to stop."""
        if self.stop.is_set():
            control.should_save = control.should_training_stop = True


class CurveWriter(TrainerCallback):
    """Writes a line to the curves of a stage for each log of the Trainer, and for each measurement.

    Args:
        folder: Folder of the stage.
        on_log: Called with each line.
        measure: Measures the model on tiles that it does not learn from; None for no measurements.
        every: Steps from one measurement to the next; 0 for none. The last step is always measured.
    """

    def __init__(
        self,
        folder: Path,
        on_log: Callable[[Line], None] | None = None,
        measure: Callable[[Any], dict[str, float]] | None = None,
        every: int = 0,
    ) -> None:
        self._folder, self._on_log = folder, on_log
        self._measure, self._every = measure, every

    def on_train_begin(self, args: Any, state: Any, control: Any, **_options: Any) -> None:  # noqa: ARG002 (Trainer's)
        """Remove the lines of steps that are trained again."""
        lines = [line for line in read_curves(self._folder) if line["step"] <= state.global_step]
        self._folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        with write_whole(self._folder / FILE, overwrite=True) as part:
            part.write_text(text, encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_options: Any) -> None:  # noqa: ARG002
        """Write what the Trainer logs."""
        self._add({"step": state.global_step} | {name: float(value) for name, value in (logs or {}).items()})

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_options: Any) -> None:  # noqa: ARG002
        """Measure the model at every n-th step and at the last one."""
        if self._measure is None or not self._every:
            return
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._add({"step": state.global_step} | self._measure(model))

    def _add(self, line: dict[str, float]) -> None:
        path = self._folder / FILE
        with explain_write_errors(path, fix=GO_ON), path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
        if self._on_log is not None:
            self._on_log(line)
