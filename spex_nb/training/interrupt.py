"""Ending a stage early, after the step that is being done, so that nothing of it is lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from transformers import TrainerCallback


class Stopping(TrainerCallback):
    """Ends training with a checkpoint once it is asked to: by Ctrl-C, or by an event. A second Ctrl-C ends it at once.

    Used as a context in which Ctrl-C means this. Processes that are forked in it leave Ctrl-C to the first one.

    Args:
        stop: The event.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()
        self._before: Any = None
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Stopping:
        if self._is_main:  # others have no signals
            self._before = signal.signal(signal.SIGINT, self._asked)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)

    def _asked(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (Python's)
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.stop.set()

    def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002 (Trainer's)
        """End after this step, with a checkpoint."""
        if self.stop.is_set():
            control.should_save = control.should_training_stop = True
