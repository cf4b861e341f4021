"""What a series of scenes gives: areas by date with intervals, and how often each pixel was the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from spex_nb.analysis.change.result import Area

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DateArea:
    """The area of a target on one date, on the ground that this date shows.

    Attributes:
        date: Such as ``2009-08-18``; a month or a year where no more is known.
        area: What the mask shows.
        low: Lower end of its interval: its edge half a pixel further in, and less by what noise may have added.
        high: Upper end: its edge half a pixel further out, and more by what noise may have removed.
        hidden: Ground without data on this date that was the target on another one; part of neither end.
        seen_frac: Share of the ground of the series that this date shows.
    """

    date: str
    area: Area
    low: Area
    high: Area
    hidden: Area
    seen_frac: float


@dataclass(frozen=True, eq=False)
class ChangeSeries:
    """The result of `compare_series`. A notebook shows its explanation, its table and its chart."""

    areas: Mapping[str, tuple[DateArea, ...]]
    """By target, the area of each date, in their order."""
    frequency: xr.Dataset = field(repr=False)
    """A uint8 array [H, W] for each target: the share of the observations that show it, in percent; 255 where no date
    has data."""
    observations: xr.DataArray = field(repr=False)
    """uint8 [H, W]: how many dates show each pixel."""
    ground: Area
    """The shared ground that at least one date shows."""
    common: Area
    """The ground that all dates show."""
    scenes: Mapping[str, str]
    """Name of the scene of each date."""
    doubts: tuple[str, ...]
    """What makes the figures unsure, beside their intervals."""
    mask_files: Mapping[str, Path] = field(repr=False)
    """By date, a GeoTIFF of the mask: 0 none, 1 ... n the targets, 255 no data. They lie in the folder of the result,
    or in a temporary one that lives as long as this result."""
    provenance: Mapping[str, Any] = field(repr=False)
    language: str = "en"
    """Of the explanation: that of the instruction, as an ISO 639-1 code."""
    scratch: Any = field(default=None, repr=False)
    """What keeps the temporary folder alive."""

    @property
    def dates(self) -> tuple[str, ...]:
        """The dates, in their order."""
        return tuple(self.scenes)

    @property
    def explanation(self) -> str:
        """How each target went from the first date to the last one, its extremes, how often it was there; doubts."""
        from spex_nb.analysis.change.series.series_wording import explain_series

        return explain_series(self)

    def table(self) -> pd.DataFrame:
        """Return a row for each target and date: area, low and high, hidden in ha and px, and the share seen."""
        rows = [_row(target, of_date) for target, dates in self.areas.items() for of_date in dates]
        return pd.DataFrame(rows)

    def plot(self, target: str | None = None) -> Figure:
        """Draw the area of a target by date, with its intervals.

        Args:
            target: Its id; the first one if not given.
        """
        from spex_nb.analysis.change.series.series_pictures import plot_areas

        return plot_areas(self, target or next(iter(self.areas)))

    def plot_frequency(self, target: str | None = None) -> Figure:
        """Draw how often each pixel was a target.

        Args:
            target: Its id; the first one if not given.
        """
        from spex_nb.analysis.change.series.series_pictures import plot_frequency

        return plot_frequency(self, target or next(iter(self.areas)))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write areas, rasters, masks by date, charts and explanation into a folder, whole or not at all.

        Raises:
            OutputError: If the folder exists and may not be overwritten, or cannot be written.
        """
        from spex_nb.analysis.change.series.series_storage import save_series

        return save_series(self, Path(folder), overwrite=overwrite)

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(part)}</p>" for part in self.explanation.split("\n"))
        return paragraphs + self.table().to_html(index=False, float_format="{:,.1f}".format)


def _row(target: str, of_date: DateArea) -> dict[str, Any]:
    areas = {"area": of_date.area, "low": of_date.low, "high": of_date.high, "hidden": of_date.hidden}
    figures = {f"{name}_ha": area.ha for name, area in areas.items()} | {
        f"{name}_px": area.px for name, area in areas.items()
    }
    return {"target": target, "date": of_date.date} | figures | {"seen_frac": of_date.seen_frac}
