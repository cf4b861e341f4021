"""The catalogue of labelled datasets (datasets.json): how to open their images, and what their codes mean."""

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
    """How to open one kind of image.

    Attributes:
        sensor: Sensor id, as in ``list_sensors``; None for an unknown sensor.
        bands: Common names, in file order; empty for a band of the file that is none, such as alpha.
        scale: Reflectance per raw number; None for the sensor's own.
        offset: Added after scaling, in reflectance; None for the sensor's own.
        nodata: Raw number that means no data; None for that of file and sensor, -1 for none in unsigned data.
        gsd_m: Ground sampling distance in metres of files without georeference; None where files have one.
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
    """The meaning of the codes of a label layer.

    Attributes:
        targets: Ids of the targets that the layer knows, even if no class is one of them.
        classes: Classes of the layer; pixels of other codes are unknown.
        in_color: Whether a code is a colour, ``red * 65536 + green * 256 + blue``, of three bands.
    """

    targets: tuple[str, ...]
    classes: tuple[LandClass, ...]
    in_color: bool = False

    @property
    def shown_targets(self) -> tuple[str, ...]:
        """Ids of the targets that some class is."""
        return tuple(t for t in self.targets if any(t in member.targets for member in self.classes))

    def codes_of(self, target: str) -> list[int]:
        """Return the codes that are the target."""
        return [code for member in self.classes if target in member.targets for code in self._codes(member)]

    def codes_beside(self, target: str) -> list[int]:
        """Return the codes that are surely not the target; none where the layer does not know it."""
        if target not in self.targets:
            return []
        others = (member for member in self.classes if target not in (*member.targets, *member.open))
        return [code for member in others for code in self._codes(member)]

    def colored(self) -> Coding:
        """Return the coding of the same classes in a picture."""
        return replace(self, in_color=True)

    def _codes(self, member: LandClass) -> tuple[int, ...]:
        return (packed(*member.color),) if self.in_color else member.codes


def packed(red: Any, green: Any, blue: Any) -> Any:
    """Return the code of a colour, or of arrays [H, W] of colours."""
    return red * 65536 + green * 256 + blue


@dataclass(frozen=True)
class CatalogueEntry:
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
def dataset_catalogue() -> dict[str, CatalogueEntry]:
    """Return the entries of all labelled datasets that have a reader, by id."""
    return read_catalogue(files("spex_nb.spie.sources").joinpath("datasets.json").read_text(encoding="utf-8"))


def read_catalogue(text: str) -> dict[str, CatalogueEntry]:
    """Read a catalogue from JSON in the form of datasets.json, whose first entry describes it.

    Args:
        text: The JSON. ``labels_of`` names an entry of the same file.

    Returns:
        The entries, by id of the dataset.
    """
    table = json.loads(text)
    table.pop("about")
    return {name: _entry(name, table) for name in table}


def get_dataset(dataset: str) -> CatalogueEntry:
    """Return the catalogue's entry of a labelled dataset.

    Raises:
        DatasetError: If there is no dataset of that id.
    """
    catalogue = dataset_catalogue()
    if dataset not in catalogue:
        raise DatasetError(
            "Unknown dataset",
            found=repr(dataset),
            expected=f"one of {', '.join(catalogue)}",
            fix=nearest(str(dataset), catalogue) or "Name one of these.",
        )
    return catalogue[dataset]


def _entry(name: str, table: Mapping[str, Any]) -> CatalogueEntry:
    entry = table[name]
    labels = table[entry["labels_of"]]["labels"] if "labels_of" in entry else entry.get("labels", {})
    return CatalogueEntry(
        id=name,
        images={kind: Imagery(**{**image, "bands": tuple(image["bands"])}) for kind, image in entry["images"].items()},
        codings={layer: _coding(described) for layer, described in labels.items()},
        **{key: entry[key] for key in ("title", "splits", "licence", "url", "citation")},
    )


def _coding(described: Mapping[str, Any]) -> Coding:
    classes = tuple(
        LandClass(
            name=member["name"],
            codes=tuple(member["codes"]),
            targets=tuple(member.get("is", ())),
            open=tuple(member.get("open", ())),
            color=tuple(member.get("color", ())),
        )
        for member in described["classes"]
    )
    return Coding(tuple(described["targets"]), classes)
