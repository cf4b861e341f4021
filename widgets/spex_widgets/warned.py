"""What a piece of work warned of, as texts for the user instead of lines in a log that nobody reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from spex_nb.errors import SpexWarning

Made = TypeVar("Made")
_HEARING = Lock()
"""Warnings are recorded for the whole process: one piece of work at a time hears its own."""


def with_warnings(work: Callable[[], Made]) -> tuple[Made, list[str]]:
    """Do something; return what it gives, and what spex_nb warned of meanwhile."""
    with _HEARING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpexWarning)
        made = work()
    return made, [str(one.message) for one in caught if issubclass(one.category, SpexWarning)]
