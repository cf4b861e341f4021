"""A chart of areas by date with intervals, and a picture of how often each pixel was the target."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_nb.analysis.change.result import Area
from spex_nb.analysis.change.series.series_result import ChangeSeries
from spex_nb.types import MASK_NODATA
from spex_nb.types.targets import TARGETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_SIDE_PX = 1200
MIDDLES = {1: (7, 1), 2: (15,), 3: ()}
"""Month and day that a year lacks, and the day that a month lacks, by the number of parts of a date."""
BLUE, ORANGE = "#0072b2", "#e69f00"
"""Of Okabe and Ito, which readers without red or green tell apart."""


def plot_areas(series: ChangeSeries, target: str) -> Figure:
    """Draw the area of a target by date: a point with its interval, and above it what unseen ground may hide.

    Args:
        series: The series.
        target: Id of one of its targets.
    """
    from spex_nb.output.plotting import Picture

    dates = series.areas[target]
    middle, low, high, hidden = (
        np.array([_amount(area) for area in areas])
        for areas in zip(*((of_date.area, of_date.low, of_date.high, of_date.hidden) for of_date in dates), strict=True)
    )
    days: Any = [middle_day(of_date.date) for of_date in dates]  # matplotlib draws them; its types do not know
    figure = Picture(figsize=(6.4, 4.0), layout="constrained")
    unit = "px" if series.ground.ha is None else "ha"
    axes = figure.add_subplot(title=TARGETS[target].word.capitalize(), ylabel=f"Area ({unit})")
    axes.errorbar(
        days, middle, [middle - low, high - middle], fmt="o-", color=BLUE, capsize=4, label="area, with its interval"
    )
    if hidden.any():
        is_partial = hidden > 0
        axes.vlines(
            np.array(days)[is_partial],
            high[is_partial],
            (high + hidden)[is_partial],
            ORANGE,
            "dotted",
            label="may be hidden",
        )
    axes.set_ylim(0, max(1.05 * float((high + hidden).max()), 1.0))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.autofmt_xdate()
    return figure


def middle_day(date: str) -> dt.date:
    """Return the day at which a date is drawn: the middle of a month or a year where no more is known."""
    numbers = [int(part) for part in date.split("-")]
    year, month, day = (*numbers, *MIDDLES[len(numbers)])
    return dt.date(year, month, day)


def plot_frequency(series: ChangeSeries, target: str) -> Figure:
    """Draw how often each pixel was a target, in percent of its observations.

    Args:
        series: The series.
        target: Id of one of its targets.
    """
    from spex_nb.output.plotting import Picture

    layer = series.frequency[target].values
    step = max(1, -(-max(layer.shape) // LONGEST_SIDE_PX))
    thin = layer[::step, ::step]
    figure = Picture(figsize=(6.4, 5.0), layout="constrained")
    title = f"{TARGETS[target].word.capitalize()}, {series.dates[0]} to {series.dates[-1]}"
    axes = figure.add_subplot(title=title, xticks=[], yticks=[])
    image = axes.imshow(
        np.ma.masked_equal(thin, MASK_NODATA), vmin=0, vmax=100, cmap="cividis", interpolation="nearest"
    )
    axes.set_facecolor("0.85")
    figure.colorbar(image, label="% of the observations", shrink=0.8)
    return figure


def _amount(area: Area) -> float:
    """Return an area in hectares, or in pixels where there is no ground."""
    return float(area.px) if area.ha is None else area.ha
