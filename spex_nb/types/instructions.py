"""The meaning of an instruction: targets, filters, questions, and what is asked of two dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SQUARE_METRES = {"m2": 1.0, "ha": 1e4, "km2": 1e6}
"""Of each unit of area on the ground."""


Shape = Literal["", "compact", "elongated"]
"""Which regions of a target are meant: all, those such as lakes, or those such as rivers."""


@dataclass(frozen=True, slots=True)
class AreaUnit:
    """A unit in which a user wants an area."""

    name: str
    """``m2``, ``ha``, ``km2``, or the word that the user wrote, such as ``acres``."""
    square_metres: float
    """Of one of it."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What is asked of two dates.

    The filters of its instruction hold for the regions that were gained or lost, not for the regions of one date.
    """

    kind: Literal["gained", "lost", "changed"]
    dates: tuple[str, ...] = ()
    """Years as the user wrote them, in their order; empty where none is said."""
    is_open: bool = False
    """Whether it runs from that year on: since 2010."""


@dataclass(frozen=True, slots=True)
class AreaFilter:
    """Regions by their area."""

    comparison: Literal[">", ">=", "<", "<="]
    amount: float
    unit: Literal["m2", "ha", "km2", "px"]
    stated: str = field(default="", compare=False)
    """The quantity as the user wrote it, where its unit is another one: ``10 acres``."""


@dataclass(frozen=True, slots=True)
class RankFilter:
    """The N largest, smallest, longest or shortest regions, among those that pass all other filters.

    Length is the longer side of the smallest rectangle about a region.
    """

    order: Literal["largest", "smallest", "longest", "shortest"]
    count: int = 1
    first: int = 1
    """The rank of the first one: 2 with a count of 1 is the second largest alone."""
    inside: bool = True
    """False for all regions but these."""


@dataclass(frozen=True, slots=True)
class PlaceFilter:
    """Regions by where their centroid lies: compass words mean the map, the others the picture."""

    place: Literal[
        "north",
        "north-east",
        "east",
        "south-east",
        "south",
        "south-west",
        "west",
        "north-west",
        "centre",
        "top",
        "top-right",
        "right",
        "bottom-right",
        "bottom",
        "bottom-left",
        "left",
        "top-left",
    ]
    inside: bool = True


@dataclass(frozen=True, slots=True)
class DrawnFilter:
    """Regions by the area that the user drew: for the most part within it, or outside it."""

    inside: bool


@dataclass(frozen=True, slots=True)
class NearFilter:
    """Regions by their distance on the ground to another target."""

    target: str
    distance_m: float
    within: bool = True
    stated: str = field(default="", compare=False)
    """The distance as the user wrote it, where its unit is another one: ``a quarter mile``."""
    shape: Shape = ""
    """Of the other target's regions."""


ADJACENT_PX = 2
"""Pixels between two regions that count as next to each other, where no distance is stated."""


@dataclass(frozen=True, slots=True)
class AdjacentFilter:
    """Regions by whether they lie next to another target: at most `ADJACENT_PX` away."""

    target: str
    inside: bool = True
    shape: Shape = ""


@dataclass(frozen=True, slots=True)
class EnclosedFilter:
    """Regions by whether another target surrounds them along more than half of their border."""

    target: str
    inside: bool = True
    shape: Shape = ""


@dataclass(frozen=True, slots=True)
class DirectionFilter:
    """Regions by the direction of their centroid, seen from the nearest point of another target.

    Compass words mean the map, the others the picture.
    """

    target: str
    direction: Literal[
        "north",
        "north-east",
        "east",
        "south-east",
        "south",
        "south-west",
        "west",
        "north-west",
        "top",
        "right",
        "bottom",
        "left",
    ]
    inside: bool = True
    shape: Shape = ""


@dataclass(frozen=True, slots=True)
class BetweenFilter:
    """Regions that have one target on one side, and another on the opposite side."""

    first: str
    second: str
    inside: bool = True
    first_shape: Shape = ""
    second_shape: Shape = ""


@dataclass(frozen=True, slots=True)
class ShapeFilter:
    """Regions by their shape: that of a river is elongated, or runs through the picture; a lake is compact."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class EdgeFilter:
    """Regions by whether they touch the edge of the scene."""

    touching: bool


Filter = (
    AreaFilter
    | RankFilter
    | PlaceFilter
    | DrawnFilter
    | NearFilter
    | EdgeFilter
    | AdjacentFilter
    | EnclosedFilter
    | DirectionFilter
    | BetweenFilter
    | ShapeFilter
)
Question = Literal["", "count", "area", "share", "place", "presence"]
"""What is asked of the regions: how many, how large, which share of the scene, where, whether there are any."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """The meaning of what a user typed."""

    text: str
    """The whole text as typed; the language model reads it too."""
    language: str
    """ISO 639-1 code: ar, de, en, es, fr, hi, pt, ru or zh."""
    targets: tuple[str, ...]
    """Ids of the wanted targets; empty for everything but ``excluded``."""
    excluded: tuple[str, ...] = ()
    """Ids of the targets to leave out."""
    filters: tuple[Filter, ...] = ()
    """They hold for all targets together; with ``change`` for the regions that were gained or lost."""
    narrower: Mapping[str, str] = field(default_factory=dict)
    """Words narrower than their target, such as ``forest`` -> ``vegetation``. The answer is for the target."""
    meaning: str = ""
    """The parsed meaning as a sentence in the user's language."""
    question: Question = ""
    """What the answer starts with; empty where nothing is asked."""
    own_filters: Mapping[str, tuple[Filter, ...]] = field(default_factory=dict)
    """Filters that hold for one target only, such as the shape that tells lakes from rivers."""
    set_aside: tuple[str, ...] = ()
    """Words of the text that have no part in the meaning, such as a greeting."""
    unit: AreaUnit | None = None
    """In which the answer to a question about an area is wanted; None where the user named none."""
    change: ChangeRequest | None = None
    """Set where two dates are compared; one scene cannot answer it."""


def neighbouring_targets(instruction: Instruction) -> tuple[str, ...]:
    """Return the ids of the targets that the filters of an instruction speak of, each once."""
    own_filters = [wanted for filters in instruction.own_filters.values() for wanted in filters]
    names = [
        getattr(wanted, name)
        for wanted in (*instruction.filters, *own_filters)
        for name in ("target", "first", "second")
        if isinstance(getattr(wanted, name, None), str)
    ]
    return tuple(dict.fromkeys(names))
