"""Words of a text with their meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spex_nb.types import Shape

_HAN = re.compile(r"[\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Sense:
    """The meaning of a word."""

    kind: str
    """Its role in the grammar, such as ``target``, ``unit`` or ``and``."""
    value: Any = None
    """Such as the target's id."""
    plural: bool | None = None
    """Of nouns; None where the word does not show it."""
    lemma: str = ""
    """Usual form of a word that is narrower than its target."""
    shape: Shape = ""
    """Of the regions that the word means."""


UNKNOWN = Sense("unknown")


@dataclass(frozen=True, slots=True)
class Token:
    """Some words of a text, and their meaning together."""

    sense: Sense
    text: str
    """As typed."""


def join_words(texts: Sequence[str]) -> str:
    """Return words as one text: with spaces, but for Chinese."""
    return ("" if texts and _HAN.match(texts[0]) else " ").join(texts)
