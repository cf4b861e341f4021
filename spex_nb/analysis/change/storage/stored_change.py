"""A change that was saved, read again as data only: every key known, every number one that means something."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from spex_nb.analysis.change.alignment.registration import Registration
from spex_nb.analysis.change.result import CLASS_WORDS, Area, Change, ChangeFloor, RegionCounts, TargetChange
from spex_nb.analysis.change.storage.saved_change import CLASSES, DESCRIPTION, FORMAT, REGIONS
from spex_nb.analysis.change.storage.stored_rasters import read_layers
from spex_nb.errors import LanguageError
from spex_nb.language.languages import get_language
from spex_nb.output.stored_files import COLUMN_TYPE, read_regions, reading_stored, require_plain_file
from spex_nb.types import MASK_NODATA
from spex_nb.types.targets import TARGETS
from spex_nb.types.typed_json import decode, read_json

CLASS_NUMBERS = {*CLASS_WORDS, MASK_NODATA}


@dataclass(frozen=True)
class _StoredArea:
    """An area as the file has it; hectares follow from square metres."""

    px: float
    m2: float | None
    ha: float | None

    @property
    def area(self) -> Area:
        """The area."""
        return Area(self.px, self.m2)


@dataclass(frozen=True)
class _StoredCounts:
    """Counts of regions as the file has them."""

    listed: int
    below_floor: int
    below_floor_area: _StoredArea
    unlisted_area: _StoredArea

    @property
    def counts(self) -> RegionCounts:
        """The counts."""
        return RegionCounts(self.listed, self.below_floor, self.below_floor_area.area, self.unlisted_area.area)


@dataclass(frozen=True)
class _StoredTarget:
    """A target as the file has it; floors of gain and loss are the sums of their parts."""

    before: _StoredArea
    after: _StoredArea
    gained: _StoredArea
    lost: _StoredArea
    unchanged: _StoredArea
    floor_gained: _StoredArea
    floor_lost: _StoredArea
    floor_shift: _StoredArea
    floor_noise_gained: _StoredArea
    floor_noise_lost: _StoredArea
    floor_interpolation_gained: _StoredArea
    floor_interpolation_lost: _StoredArea
    floor_windows: int
    gained_regions: _StoredCounts
    lost_regions: _StoredCounts

    def change(self, name: str) -> TargetChange:
        """Return the change of the target."""
        floor = ChangeFloor(
            shift=self.floor_shift.area,
            noise_gain=self.floor_noise_gained.area,
            noise_loss=self.floor_noise_lost.area,
            interpolation_gain=self.floor_interpolation_gained.area,
            interpolation_loss=self.floor_interpolation_lost.area,
            windows=self.floor_windows,
        )
        return TargetChange(
            target=name,
            before=self.before.area,
            after=self.after.area,
            gain=self.gained.area,
            loss=self.lost.area,
            unchanged=self.unchanged.area,
            floor=floor,
            gained_regions=self.gained_regions.counts,
            lost_regions=self.lost_regions.counts,
        )


@dataclass(frozen=True)
class _StoredRegistration:
    """A registration as the file has it: null where there is no number."""

    shift_x_px: float | None
    shift_y_px: float | None
    is_measured: bool
    is_applied: bool
    uncertainty_px: float
    spread_px: float | None
    agreement_brightness_frac: float
    agreement_edges_frac: float
    windows: int

    @property
    def registration(self) -> Registration:
        """The registration."""
        return Registration(
            shift_x_px=_number(self.shift_x_px),
            shift_y_px=_number(self.shift_y_px),
            is_measured=self.is_measured,
            is_applied=self.is_applied,
            uncertainty_px=self.uncertainty_px,
            spread_px=_number(self.spread_px),
            agreement_brightness_frac=self.agreement_brightness_frac,
            agreement_edges_frac=self.agreement_edges_frac,
            windows=self.windows,
        )


def _number(stored: float | None) -> float:
    return math.nan if stored is None else stored


@dataclass(frozen=True)
class _Description:
    """What `change.json` holds; every key is known and every value of its type."""

    format: int
    date_before: str | None
    date_after: str | None
    targets: Mapping[str, _StoredTarget]
    registration: _StoredRegistration
    compared: _StoredArea
    left_out: _StoredArea
    doubts: tuple[str, ...]
    language: str
    asked_classes: tuple[Literal["gained", "lost"], ...]
    meaning: str
    explanation: str
    class_attributes: Mapping[str, str]
    columns: Mapping[str, str]
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse a later format, targets that are none, and columns that are no numbers or words."""
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}")
        if not self.targets or not set(self.targets) <= set(TARGETS):
            raise ValueError(f"the change of {', '.join(self.targets) or 'nothing'}")
        get_language(self.language)
        strange = [kind for kind in self.columns.values() if not re.fullmatch(COLUMN_TYPE, kind)]
        if strange:
            raise ValueError(f"columns of type {', '.join(strange)}")


def load_change(folder: str | Path) -> Change:
    """Read a change that was saved.

    Args:
        folder: What `Change.save` or `compare` wrote.

    Raises:
        SourceNotFoundError: If the folder holds no change.
        ExtractionError: If it is damaged, was written by a later version, or holds more than a change.
    """
    place = Path(folder)
    with reading_stored(
        place, DESCRIPTION, "change", writer="save()", version=FORMAT, again="compare again", also=(LanguageError,)
    ):
        return _loaded(place)


def _loaded(place: Path) -> Change:
    for name in (DESCRIPTION, CLASSES, REGIONS):
        require_plain_file(place / name)
    payload = read_json(place / DESCRIPTION)
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise ValueError(f"format {payload.get('format') if isinstance(payload, dict) else type(payload).__name__}")
    description: _Description = decode(_Description, payload | {"targets": _with_field_names(payload.get("targets"))})
    classes = read_layers(place / CLASSES, tuple(description.targets), CLASS_NUMBERS)
    return Change(
        classes=classes.assign_attrs(description.class_attributes),
        regions=_regions(place / REGIONS, description, classes),
        targets={name: stored.change(name) for name, stored in description.targets.items()},
        registration=description.registration.registration,
        date_before=description.date_before,
        date_after=description.date_after,
        compared=description.compared.area,
        left_out=description.left_out.area,
        doubts=description.doubts,
        provenance=description.provenance,
        language=description.language,
        asked_classes=description.asked_classes,
        meaning=description.meaning,
    )


def _with_field_names(targets: Any) -> Any:
    """Return the figures of targets by the names of the fields that hold them: what was kept is unchanged here."""
    if not isinstance(targets, dict) or not all(isinstance(figures, dict) for figures in targets.values()):
        return targets
    return {
        target: {"unchanged" if name == "kept" else name: figure for name, figure in figures.items()}
        for target, figures in targets.items()
    }


def _regions(file: Path, description: _Description, classes: xr.Dataset) -> Any:
    import shapely

    frame = read_regions(file)
    if {*frame.columns} != {*description.columns, "geometry"}:
        raise ValueError(f"{file.name} has other columns than the change")
    frame = frame.astype(dict(description.columns))
    shapes = frame.geometry.values
    is_single = shapely.get_num_geometries(shapes) == 1  # a GeoPackage calls all polygons multiple where one is
    frame = frame.set_geometry(np.where(is_single, shapely.get_geometry(shapes, 0), shapes), crs=frame.crs)
    return frame.set_crs(classes.rio.crs, allow_override=True)
