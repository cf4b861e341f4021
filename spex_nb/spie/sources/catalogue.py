"""What is known of each labelled dataset (datasets.json): how its images are opened, what its codes mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from spex_nb.errors import DatasetError, nearest


@dataclass(frozen=True)
class Imagery:
    """How one kind of image is opened.

    Attributes:
        sensor: Sensor id, as in ``list_sensors``; None where it is not known.
        bands: Common names, in file order; empty for a band of the file that is none, such as alpha.
        scale: Reflectance per raw number; None for the sensor's own.
        offset: Added after scaling, in reflectance; None for the sensor's own.
        nodata: Raw number that means no data; None for what file and sensor say, -1 for none in unsigned data.
        gsd_m: Ground sampling distance of files without georeference; None where the files say it.
    """

    sensor: str | None
    bands: tuple[str, ...]
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    gsd_m: float | None = None


@dataclass(frozen=True)
class LandClass:
    """One class of a label layer.

    Attributes:
        name: As its source names it.
        codes: Numbers that stand for it.
        targets: Ids of the targets it is.
        open: Ids of the targets that it may or may not be.
        color: Red, green and blue where the layer is a picture; empty where it never is.
    """

    name: str
    codes: tuple[int, ...]
    targets: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    color: tuple[int, ...] = ()


@dataclass(frozen=True)
class Coding:
    """What the codes of a label layer say of each target.

    Attributes:
        targets: Ids of the targets that the layer speaks of, if only to deny them.
        classes: Its classes; other codes say nothing.
        in_color: Whether a code is a colour, ``red * 65536 + green * 256 + blue``, of three bands.
    """

    targets: tuple[str, ...]
    classes: tuple[LandClass, ...]
    in_color: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the targets that some class is."""
        return tuple(t for t in self.targets if any(t in known.targets for known in self.classes))

    def codes_of(self, target: str) -> list[int]:
        """Return the codes that are the target."""
        return [code for known in self.classes if target in known.targets for code in self._codes(known)]

    def codes_beside(self, target: str) -> list[int]:
        """Return the codes that are surely not the target; none where the layer does not speak of it."""
        if target not in self.targets:
            return []
        beside = (known for known in self.classes if target not in (*known.targets, *known.open))
        return [code for known in beside for code in self._codes(known)]

    def colored(self) -> Coding:
        """Return the coding of the same classes in a picture."""
        return replace(self, in_color=True)

    def _codes(self, known: LandClass) -> tuple[int, ...]:
        return (packed(*known.color),) if self.in_color else known.codes


def packed(red: Any, green: Any, blue: Any) -> Any:
    """Return the code of a colour, or of arrays [H, W] of colours."""
    return red * 65536 + green * 256 + blue


@dataclass(frozen=True)
class DatasetFacts:
    """A labelled dataset, without its files."""

    id: str
    title: str
    images: Mapping[str, Imagery]
    codings: Mapping[str, Coding] = field(repr=False)
    splits: str
    licence: str
    url: str
    citation: str


@cache
def list_facts() -> dict[str, DatasetFacts]:
    """Return what is known of every labelled dataset, by id."""
    table = json.loads(files("spex_nb.spie.sources").joinpath("datasets.json").read_text(encoding="utf-8"))
    table.pop("about")
    return {name: _facts(name, table) for name in table}


def get_facts(dataset: str) -> DatasetFacts:
    """Return what is known of a labelled dataset.

    Raises:
        DatasetError: If there is no dataset of that id.
    """
    known = list_facts()
    if dataset not in known:
        raise DatasetError(
            "Unknown dataset",
            found=repr(dataset),
            expected=f"one of {', '.join(known)}",
            fix=nearest(str(dataset), known) or "Name one of these.",
        )
    return known[dataset]


def _facts(name: str, table: Mapping[str, Any]) -> DatasetFacts:
    entry = table[name]
    labels = table[entry["labels_of"]]["labels"] if "labels_of" in entry else entry.get("labels", {})
    return DatasetFacts(
        id=name,
        images={kind: Imagery(**{**image, "bands": tuple(image["bands"])}) for kind, image in entry["images"].items()},
        codings={layer: _coding(described) for layer, described in labels.items()},
        **{key: entry[key] for key in ("title", "splits", "licence", "url", "citation")},
    )


def _coding(described: Mapping[str, Any]) -> Coding:
    classes = tuple(
        LandClass(
            name=known["name"],
            codes=tuple(known["codes"]),
            targets=tuple(known.get("is", ())),
            open=tuple(known.get("open", ())),
            color=tuple(known.get("color", ())),
        )
        for known in described["classes"]
    )
    return Coding(tuple(described["targets"]), classes)
