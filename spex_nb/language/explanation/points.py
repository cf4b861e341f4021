"""A sentence to be said, and the facts that it holds; a figure that cannot be true supports nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spex_nb.types import Fact

Part = Literal["answer", "why", "sureness", "confusion", "next"]
Support = Literal["independent", "mask", "none"]
AREA_FACT, HIDDEN_FACT = "asked_area", "hidden.share"
"""Ids of the facts that only a part of the scene was examined, and that a part of it has no data: the shares."""
REFLECTANCES = (-0.05, 1.5)
"""Mean reflectance beyond these cannot be: glint and snow pass 1, noise passes 0."""
WIDEST_SPREAD = 1.0
"""Standard deviation beyond which an index between -1 and 1 makes no sense."""
BOUNDED = ("NDWI", "MNDWI", "NDVI", "GNDVI", "NDBI", "NDSI", "NBR", "GLI", "NGRDI")
"""Indices that lie between -1 and 1 for reflectances above 0."""


@dataclass(frozen=True)
class Point:
    """One sentence to be said.

    Attributes:
        key: Of its sentence in the data of a language.
        part: Where in the explanation it stands.
        slots: The facts that fill the gaps of the sentence; of a list, all facts that it holds.
        support: What stands behind it; see `Statement`.
        is_brief: Whether the short explanation has it.
    """

    key: str
    part: Part
    slots: Mapping[str, Fact | Sequence[Fact]] = field(default_factory=dict)
    support: Support = "mask"
    is_brief: bool = False

    @property
    def facts(self) -> tuple[str, ...]:
        """The ids of its facts, each once."""
        return tuple(dict.fromkeys(fact.id for slot in self.slots for fact in self.listed(slot)))

    def listed(self, slot: str) -> Sequence[Fact]:
        """Return the facts of a slot; none where it has no such slot."""
        filler = self.slots.get(slot, ())
        return filler if isinstance(filler, Sequence) else (filler,)


def is_possible(fact: Fact) -> bool:
    """Say whether a figure can be: reflectance near 0 to 1, indices of reflectance from -1 to 1."""
    if not isinstance(fact.value, int | float):
        return True
    if fact.unit == "reflectance":
        return REFLECTANCES[0] <= fact.value <= REFLECTANCES[1]
    if fact.unit == "index" and fact.rule in BOUNDED:
        return abs(fact.value) <= (WIDEST_SPREAD if fact.id.endswith("spread") else 1.0)
    return True


def _finite(fact: Fact) -> Fact:
    """Return a fact; one that is no finite number is not known."""
    is_number = isinstance(fact.value, float)
    return replace(fact, value=None) if is_number and not math.isfinite(float(fact.value or 0)) else fact


class KnownFacts:
    """The facts of one target, and the points that can be made of them.

    Args:
        facts: All that is known of it.
    """

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._by_id = {fact.id: _finite(fact) for fact in facts}
        self._target = str(self._by_id["target"].value)

    def _get(self, name: str) -> Fact | None:
        """Return a fact that is known."""
        fact = self._by_id.get(name)
        return None if fact is None or fact.value is None else fact

    def _number(self, name: str, default: float = 0.0) -> float:
        fact = self._get(name)
        return float(fact.value) if fact is not None and isinstance(fact.value, int | float) else default

    def _word(self, name: str) -> str:
        fact = self._get(name)
        return "" if fact is None else str(fact.value)

    def _slots(self, **names: str) -> dict[str, Fact | Sequence[Fact]] | None:
        """Return the facts of slots; None if one of them is not known."""
        facts = {slot: self._get(name) for slot, name in names.items()}
        return {slot: fact for slot, fact in facts.items() if fact} if all(facts.values()) else None

    def _point(
        self, key: str, part: Part, support: Support = "mask", *, is_brief: bool = False, **names: str
    ) -> Iterator[Point]:
        """Yield a point if all of its facts are known; impossible ones take its support away."""
        slots = self._slots(**names)
        if slots is None:
            return
        possible = all(is_possible(fact) for fact in slots.values() if isinstance(fact, Fact))
        yield Point(key, part, slots, support if possible else "none", is_brief)

    @property
    def _is_by_rule(self) -> bool:
        return self._word("decided_by") == "rule"

    @property
    def _is_relative(self) -> bool:
        return self._word("relative") == "yes"
