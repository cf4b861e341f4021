"""The progress bar of transformers, which is a setting of the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from transformers.utils import logging

_LOCK = Lock()
_users = 0
_had_bar = True


@contextmanager
def without_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing bars. Threads may overlap: the last one restores what the first one found."""
    global _users, _had_bar  # noqa: PLW0603 (the setting is of the process too)
    with _LOCK:
        _users += 1
        if _users == 1:
            _had_bar = logging.is_progress_bar_enabled()
            logging.disable_progress_bar()
    try:
        yield
    finally:
        with _LOCK:
            _users -= 1
            if not _users and _had_bar:
                logging.enable_progress_bar()
