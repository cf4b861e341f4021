"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        verdict: ``ok``; ``note`` where something may be missed one day; ``FAIL`` where a lesson would stop.
        said: What was seen.
        fix: What to do, in one line; empty where all is well.
    """

    name: str
    verdict: Literal["ok", "note", "FAIL"]
    said: str
    fix: str = ""


def judged(name: str, said: str, fix: str) -> Finding:
    """Return a failure with its fix, or, if there is nothing to fix, that all is well."""
    return Finding(name, "FAIL" if fix else "ok", said, fix)
