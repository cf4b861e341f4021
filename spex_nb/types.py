"""The plain carriers that pass between modules. They hold values and compute nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Side = Literal["above", "below"]
Point = tuple[float, float]
"""(x, y): x to the right, y down."""
Rectangle = tuple[Point, Point, Point, Point]
"""Four corners, in order around the rectangle."""
Runs = NDArray[np.int32]
"""[N, 3]: rows of (row, first column, column after the last), in reading order."""
Window = tuple[int, int, int, int]
"""(row, column, height, width) of a pixel rectangle."""
MASK_NODATA = 255
"""The value of a uint8 mask where the scene has no data."""
RegionSource = Literal["index", "label", "drawn"]
"""The source of a region: a spectral index, ground truth (never at test time), or a drawing of the user."""
Verdict = Literal["holds", "contradicts", "cannot be checked"]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The first mask of a target from one spectral index, and the reason for it.

    Two priors are never equal by value: mask and index may be lazy, and a comparison would compute them.
    """

    target: str
    """Id of the target, such as ``water``."""
    mask: xr.DataArray = field(repr=False)
    """bool [H, W]: True where the target is likely, False where the index is undefined."""
    index: xr.DataArray = field(repr=False)
    """The index under the threshold: float32 [H, W], NaN where it is undefined."""
    index_name: str
    """Name of the index in the catalogue."""
    threshold: float
    """In units of the index."""
    side: Side
    """Which side of the threshold belongs to the target."""
    reason: str
    """Sentences: why this index and threshold, which better rules do not fit, and how far to trust it."""
    reference: str
    """DOI or URL of the index."""
    guard: str = ""
    """The second condition that a pixel must meet, such as ``NDWI < -0.1``; empty when there is none."""
    why: str = ""
    """The part of the reason that says how good the rule was measured."""
    better_indices: tuple[str, ...] = ()
    """Indices of better rules, which do not fit these bands or values."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """One region as a prompt lists it. Positions are fractions of the tile, with three decimals."""

    size: str
    """Size word, from ``regions.SIZE_WORDS``."""
    centroid_frac: Point
    location: str
    """Cell of the 3 x 3 grid: ``top-left`` ... ``center`` ... ``bottom-right``."""
    rectangle_frac: Rectangle
    """Rotated rectangle of least area."""
    index_name: str | None = None
    """The three richer attributes are None in prompts of the released form."""
    mean_index: float | None = None
    share_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """Connected pixels of a mask. Pixel (row r, column c) covers x from c to c + 1 and y from r to r + 1."""

    runs: Any = field(repr=False, compare=False)
    """Its pixels, as `Runs`; None where a copy goes into a file without them."""
    shape: tuple[int, int]
    """(height, width) of the tile, in pixels."""
    area_px: int
    centroid_px: Point
    rectangle_px: Rectangle
    """Rotated rectangle of least area about its pixels."""
    share_frac: float
    """Share of the tile."""
    size: str
    location: str
    source: RegionSource = "index"
    area_m2: float | None = None
    """On an equal-area projection; None where there is no CRS."""
    index_name: str | None = None
    mean_index: float | None = None
    spread_index: float | None = None
    """Standard deviation of the index inside."""


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


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of an index over some pixels; NaN where there are none."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class AreaInterval:
    """The area of a target as points checked by a person estimate it, with its interval.

    The area is unbiased: it corrects the area of the mask by the errors that the points show.
    """

    share_frac: float
    """Estimated share of the valid pixels."""
    low_frac: float
    high_frac: float
    """Limits of the interval, as shares."""
    valid_px: int
    """Pixels that the shares are of."""
    valid_m2: float | None
    """Ground that the shares are of; None without a CRS."""
    points: int
    """Points that were answered, without those of which a person was unsure."""
    confidence: float = 0.95

    def __str__(self) -> str:
        """Return the area with its interval, such as ``1,240 ± 90 ha, from 100 points``."""
        unit, whole = _unit_of(self)
        area, low, high = (whole * share for share in (self.share_frac, self.low_frac, self.high_frac))
        margin = max((high - low) / 2, LEAST_MARGIN * area, 1e-9)
        digits = 1 - int(f"{margin:e}".partition("e")[2])  # two digits of the margin

        def rounded(number: float) -> str:
            return f"{round(number, digits):,.{max(digits, 0)}f}"

        origin = f"from {self.points:,} point{'' if self.points == 1 else 's'}"
        if rounded(high - area) == rounded(area - low):
            return f"{rounded(area)} ± {rounded(high - area)} {unit}, {origin}"
        return f"{rounded(area)} {unit}, between {rounded(low)} and {rounded(high)} {unit}, {origin}"


LEAST_MARGIN = 1e-3
"""Share of an area below which its margin is not written out."""


def _unit_of(interval: AreaInterval) -> tuple[str, float]:
    """Return the unit that suits an area, and the ground that its shares are of in that unit."""
    if interval.valid_m2 is None:
        return "px", float(interval.valid_px)
    is_small = interval.high_frac * interval.valid_m2 < SQUARE_METRES["ha"]
    return ("m²", interval.valid_m2) if is_small else ("ha", interval.valid_m2 / SQUARE_METRES["ha"])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Figures measured on a mask and the bands under it: the statements that an explanation may make."""

    target: str
    shape: tuple[int, int]
    area_px: int
    valid_px: int
    share_frac: float
    """Share of the valid pixels."""
    area_m2: float | None
    number: int
    """Regions of at least ``min_area_px`` pixels."""
    regions: tuple[Region, ...]
    """The largest of them, largest first."""
    index_name: str | None
    inside: Spread | None
    """Of the index over the mask's valid pixels."""
    outside: Spread | None
    """Of the index over the other valid pixels."""
    neighbours: Mapping[str, float] = field(default_factory=dict)
    """Share of the mask's border that each other target takes up."""
    is_relative: bool = False
    """Whether the bands are digital numbers, so that figures of the index compare within this scene only."""
    area_interval: AreaInterval | None = None
    """The unbiased area with its interval; None until points of the map were checked."""

    @property
    def largest(self) -> Region | None:
        """The largest region, or None without any."""
        return self.regions[0] if self.regions else None


FactSource = Literal["mask", "bands", "rule", "model", "table", "points", "scene", "instruction"]
"""What a fact was taken from: the mask, the bands under it, a spectral rule, the model, the table
of its measured quality, points that a person checked, the scene's description, or what the user typed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure or word that a result has about one target. Explanations say facts and nothing else."""

    id: str
    """Its name among the facts of a target, such as ``area`` or ``band.nir.inside``."""
    value: float | str | None
    """None where it is not known."""
    unit: str
    """Of numbers: ``px m2 m frac probability number index reflectance counts patch points times``. Of words: ``target
    place sides rule name bands date season text``."""
    region: str
    """What it is about: ``mask``, ``outside``, ``border``, ``scene``, ``candidates`` (before the filters of the
    instruction), ``region 1`` and so on."""
    source: FactSource
    rule: str = ""
    """How it was measured, or the rule that it is about."""
    margin: float | None = None
    """Half of its 95 % interval, in its unit; None without one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an explanation, with the facts that it says."""

    text: str
    part: Literal["answer", "why", "sureness", "confusion", "next"]
    facts: tuple[str, ...]
    """Ids of its facts."""
    support: Literal["independent", "mask", "none"]
    """What stands behind it: ``independent`` if it was held against something that is not the mask itself, such as
    bands that did not decide, another method, or checked points; ``mask`` if it was measured on the mask; ``none`` for
    doubts, general knowledge, and facts that are unknown or impossible."""
    is_brief: bool = True
    """Whether the short form of the explanation has it too."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable statement of an explanation."""

    text: str
    """Its words in the explanation."""
    start: int
    """Position of its first character in the explanation."""
    kind: Literal["area", "share", "number", "index", "size", "place", "position", "presence", "neighbour", "other"]
    stated: str
    """The statement, in one form for all languages."""
    measured: str
    """The figure of the evidence; empty where it has none."""
    verdict: Verdict


@dataclass(frozen=True)
class ModelCard:
    """What a model can do, and what it needs.

    Attributes:
        targets: Ids of the targets that the model may be asked for.
        required_bands: Bands that a scene must have; empty where any bands will do.
        gsd_m: Ground sampling distance in metres that the model was made for; None for any.
        tile_px: Side of a tile in pixels.
        weak_without: By target, the band without which the model finds far less of it.
        left_to_index: Targets that a spectral index finds better: ``always``, or in scenes that are ``uncalibrated`` or
            ``reflectance``. Extraction asks the index for them, where the scene allows it. ``only`` the index answers
            what the model does not find: where there is no index, nobody does.
        accepts_points: Whether `predict` uses points and boxes.
        explains_evidence: Whether `explain` takes the evidence; see there.
        reads_prompts: Whether `predict` reads prompts and priors. Extraction makes none for a model that does not.
        parameters: Number of parameters; None for a model without any.
        fingerprint: A hash of the weights; empty for a model without any.
        settings_fingerprint: A hash of what shapes its answers beside the weights, such as the tokenizer; may be empty.
    """

    targets: tuple[str, ...]
    required_bands: tuple[str, ...] = ()
    gsd_m: float | None = None
    tile_px: int = 512
    weak_without: Mapping[str, str] = field(default_factory=dict)
    left_to_index: Mapping[str, str] = field(default_factory=dict)
    accepts_points: bool = False
    explains_evidence: bool = False
    reads_prompts: bool = True
    parameters: int | None = None
    fingerprint: str = ""
    settings_fingerprint: str = ""

    @property
    def is_index(self) -> bool:
        """Whether the model leaves all of its targets to the index always: it is the index itself."""
        return bool(self.targets) and all(self.left_to_index.get(target) == "always" for target in self.targets)


@runtime_checkable
class MaskModel(Protocol):
    """What extraction asks of a model, whatever is behind it."""

    @property
    def id(self) -> str:
        """Name of the model in results."""

    @property
    def card(self) -> ModelCard:
        """What the model can do, and what it needs."""

    def predict(
        self,
        tile: Any,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> Any:
        """Return mask logits float32 [T, H, W] of a tile, one a target.

        Raises:
            DeviceMemoryError: If the device has too little memory for the batch.
        """

    def explain(self, overview: Any, prompt: str, language: str = "en") -> Iterator[str]:
        """Yield an explanation piece by piece.

        A model whose card says ``explains_evidence`` takes one keyword more, ``evidence``: the `Evidence` of the
        finished mask, whose figures it may put into its sentences. Other models are never given it.
        """


@runtime_checkable
class TaughtClass(MaskModel, Protocol):
    """A model of one class that a user taught. Instructions call it by its names."""

    @property
    def name(self) -> str:
        """What it is called: the one target of its card."""

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Further names, by ISO 639-1 code of their language."""

    @property
    def color(self) -> str:
        """How it is drawn, as ``#rrggbb``."""

    def require_scene(self, scene: Any) -> None:
        """Raise unless the class can be asked about a scene.

        Raises:
            MissingBandError: If the scene lacks a band.
            TeachingError: If its numbers are of another kind than those that taught.
        """

    def facts_in(self, scene: Any) -> tuple[Fact, ...]:
        """Return what the class was taught by, and what that says of a scene."""


@runtime_checkable
class ScaledModel(Protocol):
    """A model with other weights for small pixels."""

    def at_scale(self, gsd_m: float | None) -> MaskModel:
        """Return the model whose weights learned from pixels of a size.

        Args:
            gsd_m: Ground sampling distance in metres; None where it is unknown.
        """


@runtime_checkable
class DeviceModel(Protocol):
    """A model that can leave its device. Extraction asks it to, where the device has no memory for a tile."""

    def use_cpu(self) -> bool:
        """Move to the CPU; return whether the model was elsewhere."""
