"""What a comparison gives: classes of change, areas beside their floor, regions, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from spex_nb.analysis.change.alignment.registration import Registration
from spex_nb.language.languages import join_sentences
from spex_nb.types import SQUARE_METRES, Statement

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure

NEITHER, GAINED, LOST, UNCHANGED = 0, 1, 2, 3
"""Classes of change of a target; 255 is no data in one of the scenes."""
CLASS_WORDS = {NEITHER: "neither", GAINED: "gained", LOST: "lost", UNCHANGED: "kept"}
CLASS_COLORS = {GAINED: (0, 114, 178), LOST: (213, 94, 0), UNCHANGED: (153, 153, 153)}
"""Of Okabe and Ito, which readers without red or green tell apart."""


@dataclass(frozen=True)
class Area:
    """An area in pixels, and on the ground.

    Attributes:
        px: Number of pixels; an estimate has parts of pixels.
        m2: Square metres on the ellipsoid; None where the scenes lie off the map.
    """

    px: float
    m2: float | None

    @property
    def ha(self) -> float | None:
        """The area in hectares; None where the scenes lie off the map."""
        return None if self.m2 is None else self.m2 / SQUARE_METRES["ha"]

    def __add__(self, other: Area) -> Area:
        return Area(self.px + other.px, None if self.m2 is None or other.m2 is None else self.m2 + other.m2)

    def __str__(self) -> str:
        if self.ha is None:
            return f"{self.px:,.0f} px"
        return f"{self.ha:,.1f} ha" if self.ha >= 1 or self.ha == 0 else f"{self.ha:.2g} ha"


@dataclass(frozen=True)
class ChangeFloor:
    """The change that would show if nothing had changed. It is subtracted from no figure.

    Attributes:
        shift: The most gain, and the most loss, that a move of either mask by the uncertainty of the shift makes.
        noise_gain: Gain that the noise of both scenes makes.
        noise_loss: Loss that it makes.
        interpolation_gain: Gain that the interpolation of one scene alone makes; 0 where neither or both are smoothed.
        interpolation_loss: Loss that it makes.
        windows: Windows in which noise and interpolation were tried.
    """

    shift: Area
    noise_gain: Area
    noise_loss: Area
    interpolation_gain: Area
    interpolation_loss: Area
    windows: int

    @property
    def gain(self) -> Area:
        """The floor of the gain."""
        return self.shift + self.noise_gain + self.interpolation_gain

    @property
    def loss(self) -> Area:
        """The floor of the loss."""
        return self.shift + self.noise_loss + self.interpolation_loss


@dataclass(frozen=True)
class RegionCounts:
    """Regions of a gain or a loss.

    Attributes:
        listed: Regions in the table.
        below_floor: Those of them that shift or noise alone may have made.
        below_floor_area: What these cover.
        unlisted_area: What is in regions too small for the table.
    """

    listed: int
    below_floor: int
    below_floor_area: Area
    unlisted_area: Area


@dataclass(frozen=True)
class TargetChange:
    """How one target changed, on the ground that has data in both scenes.

    Attributes:
        target: Its id.
        before: Its area before: lost and kept.
        after: Its area after: gained and kept.
        gain: Where it is after, and was not before.
        loss: Where it was before, and is not after.
        unchanged: Where it was, and is.
        floor: What shift and noise alone would show.
        gained_regions: Counts of the regions of its gain.
        lost_regions: Counts of the regions of its loss.
    """

    target: str
    before: Area
    after: Area
    gain: Area
    loss: Area
    unchanged: Area
    floor: ChangeFloor
    gained_regions: RegionCounts
    lost_regions: RegionCounts

    @property
    def areas(self) -> Mapping[str, Area]:
        """Its areas and their floors by the names that table and file give them."""
        return {
            "before": self.before,
            "after": self.after,
            "gained": self.gain,
            "lost": self.loss,
            "kept": self.unchanged,
            "floor_gained": self.floor.gain,
            "floor_lost": self.floor.loss,
        }

    @property
    def is_gain_above_floor(self) -> bool:
        """Whether more was gained than shift and noise alone would show."""
        return self.gain.px > self.floor.gain.px

    @property
    def is_loss_above_floor(self) -> bool:
        """Whether more was lost than shift and noise alone would show."""
        return self.loss.px > self.floor.loss.px


@dataclass(frozen=True, eq=False)
class Change:
    """The result of `compare`. A notebook shows its explanation, its table and a picture."""

    classes: xr.Dataset = field(repr=False)
    """A uint8 array [H, W] for each target: 0 neither, 1 gained, 2 lost, 3 kept, 255 no data in one of the scenes."""
    regions: gpd.GeoDataFrame = field(repr=False)
    """One row a gained or lost region, largest first: target, change, region, area_px, area_m2, area_ha (both NaN
    without a CRS), unexplained_px (pixels that no move by the uncertainty of the shift explains), below_floor,
    matches (whether the instruction asks for it), date_before, date_after."""
    targets: Mapping[str, TargetChange]
    """By target."""
    registration: Registration
    date_before: str | None
    """Such as ``2009-08-18``; None where it is not known."""
    date_after: str | None
    compared: Area
    """The ground with data in both scenes."""
    left_out: Area
    """The rest of the overlap: no data, or cloud, in one of the scenes."""
    doubts: tuple[str, ...]
    """What makes the figures unsure, beside the floor."""
    provenance: Mapping[str, Any] = field(repr=False)
    language: str = "en"
    """In which the explanation is written: that of the instruction, or English for ids of targets."""
    asked_classes: tuple[str, ...] = ("gained", "lost")
    """Which classes of change the instruction asks for."""
    meaning: str = ""
    """The instruction in its own language, if it has filters; ``matches`` in the table marks what meets them."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The sentences of the explanation, each with the figures that it states."""
        from spex_nb.analysis.change.wording import explain_change

        return explain_change(self)

    @property
    def explanation(self) -> str:
        """What changed and by how much, a paragraph for each target; then the shift, the ground and doubts."""
        paragraphs: dict[str, list[str]] = {}
        for statement in self.statements:
            subject = statement.facts[0].partition(".")[0] if statement.facts else ""
            paragraphs.setdefault(subject if subject in (*self.targets, "matches") else "", []).append(statement.text)
        return "\n".join(join_sentences(texts, self.language) for texts in paragraphs.values())

    def table(self) -> pd.DataFrame:
        """Return the figures of each target, one row each: areas and floors in px and ha."""
        return pd.DataFrame([_row(change) for change in self.targets.values()])

    def plot(self, target: str | None = None) -> Figure:
        """Draw where a target was gained, lost and kept.

        Args:
            target: Its id; the first one if not given.
        """
        from spex_nb.analysis.change.pictures import plot_change

        name = target or next(iter(self.targets))
        return plot_change(self.classes[name], f"{name}: {self.date_before or 'before'} → {self.date_after or 'after'}")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``classes.tif``, ``regions.gpkg``, ``explanation.txt`` and ``change.json`` into a folder, whole or not.

        Raises:
            OutputError: If the folder exists and may not be overwritten, or cannot be written.
        """
        from spex_nb.analysis.change.storage.saved_change import save_change

        return save_change(self, folder, overwrite=overwrite)

    def __str__(self) -> str:
        """Return the explanation."""
        return self.explanation

    def _repr_mimebundle_(self, **_formats: Any) -> dict[str, str]:
        from spex_nb.output.html import mime_bundle, png_uri
        from spex_nb.output.plotting import picture_bytes

        picture = picture_bytes(self.plot())
        shown = f'<img alt="Where it was gained, lost and kept" src="{png_uri(picture)}">'
        return mime_bundle(self._repr_html_() + shown, str(self), picture)

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(part)}</p>" for part in self.explanation.split("\n"))
        return paragraphs + self.table().to_html(index=False, float_format="{:,.1f}".format)


def _row(change: TargetChange) -> dict[str, Any]:
    figures = {f"{name}_ha": area.ha for name, area in change.areas.items()}
    return {"target": change.target} | figures | {f"{name}_px": area.px for name, area in change.areas.items()}
