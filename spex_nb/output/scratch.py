"""Temporary folders that no kill leaves for long: the next one that is made removes those of processes that ended."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

from spex_nb.output.files import delete_locked, explain_write_errors, new_locked_folder, remove_if_left

PREFIX = "spex-scratch-"


class Scratch:
    """A temporary folder that lives as long as this object, and not beyond an error where it is used in ``with``.

    Attributes:
        folder: The folder, empty at first.

    Raises:
        OutputError: If there is no place for temporary files.
    """

    def __init__(self) -> None:
        place = Path(tempfile.gettempdir())
        for left in place.glob(f"{PREFIX}*"):
            remove_if_left(left)
        with explain_write_errors(place):
            self.folder, lock = new_locked_folder(PREFIX, place)
        self.remove = weakref.finalize(self, delete_locked, self.folder, lock)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.remove()
