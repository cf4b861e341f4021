"""A series in plain English: from the first date to the last, the extremes, how often, then doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spex_nb.change.series.series_result import ChangeSeries, DateArea
from spex_nb.targets import TARGETS
from spex_nb.types import MASK_NODATA

ALWAYS_PERCENT = 100
DAY_LENGTH = 10
"""Letters of a date that names a day."""
LEAST_HIDDEN_FRAC = 0.01
"""Share of the ground from which on unseen ground is spoken of."""


def explain_series(series: ChangeSeries) -> str:
    """Return the explanation of a series, a paragraph for each target and one for doubts; all figures are its data."""
    paragraphs = [" ".join(_sentences(series, target, dates)) for target, dates in series.areas.items()]
    return "\n".join([*paragraphs, " ".join([*_ground(series), *series.doubts])])


def _sentences(series: ChangeSeries, target: str, dates: Sequence[DateArea]) -> Iterator[str]:
    word = TARGETS[target].word.capitalize()
    if not any(of_date.area.px for of_date in dates):
        yield f"{word}: none was found on any of {len(dates)} dates."
        return
    first, last = dates[0], dates[-1]
    has_grown, has_shrunk = last.low.px > most_px(first), most_px(last) < first.low.px
    verb = "grew" if has_grown else "shrank" if has_shrunk else ""
    if verb:
        yield f"{word} {verb} from {_figure(first)} {when(first.date)} to {_figure(last)} {when(last.date)}."
    else:
        yield f"{word}: no sure change, {_figure(first)} {when(first.date)} and {_figure(last)} {when(last.date)}."
        yield "The intervals overlap, with what unseen ground may hide."
    yield from _extremes(dates)
    yield from _hidden(dates)
    frequency = series.frequency[target].values
    ever = (frequency != MASK_NODATA) & (frequency > 0)
    always = int(np.count_nonzero(frequency == ALWAYS_PERCENT))
    share = always / max(1, int(np.count_nonzero(ever)))
    yield f"Of all pixels that were ever {TARGETS[target].word}, {share:.0%} were so whenever they were seen."


def most_px(of_date: DateArea) -> float:
    """Return the most that a target can have covered on a date: its interval, and what unseen ground may hide."""
    return of_date.high.px + of_date.hidden.px


def when(date: str) -> str:
    """Return a date with its preposition: ``on`` a day, ``in`` a month or a year."""
    return f"{'on' if len(date) == DAY_LENGTH else 'in'} {date}"


def _figure(of_date: DateArea) -> str:
    return f"{of_date.area} (between {of_date.low} and {of_date.high})"


def _extremes(dates: Sequence[DateArea]) -> Iterator[str]:
    """Say when most and least was seen, where that was neither at the beginning nor at the end."""
    if len(dates) < 3:  # noqa: PLR2004 (only a series has something between)
        return
    most, least = max(dates, key=lambda of_date: of_date.area.px), min(dates, key=lambda of_date: of_date.area.px)
    parts = [
        f"{name} was seen {when(of_date.date)}, {_figure(of_date)}"
        for name, of_date in (("most", most), ("least", least))
        if of_date not in (dates[0], dates[-1])
    ]
    if parts:
        text = ", and ".join(parts)
        yield f"{text[:1].upper()}{text[1:]}."


def _hidden(dates: Sequence[DateArea]) -> Iterator[str]:
    partial = [of_date for of_date in dates if of_date.seen_frac < 1 - LEAST_HIDDEN_FRAC]
    if partial:
        shown = ", ".join(
            f"{of_date.date} shows {of_date.seen_frac:.0%} and may hide {of_date.hidden}" for of_date in partial
        )
        yield f"Part of the ground was not seen: {shown} of what other dates show."
        yield "Areas are of the ground that was seen."


def _ground(series: ChangeSeries) -> Iterator[str]:
    yield f"Compared are {series.ground} that at least one date shows; all dates show {series.common}."
