"""A series in the user's language: from the first date to the last, the extremes, how often, then doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spex_nb.analysis.change.result import Area
from spex_nb.analysis.change.series.series_result import ChangeSeries, DateArea
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.types import MASK_NODATA

ALWAYS_PERCENT = 100
DAY_LENGTH = 10
"""Letters of a date that names a day."""
LEAST_HIDDEN_FRAC = 0.01
"""Share of the ground from which on unseen ground is spoken of."""


def explain_series(series: ChangeSeries) -> str:
    """Return the explanation of a series, a paragraph for each target and one for doubts; all figures are its data."""
    words = ChangeWords(series.language)
    paragraphs = [words.joined(_sentences(series, target, dates, words)) for target, dates in series.areas.items()]
    return "\n".join([*paragraphs, words.joined([*_ground(series, words), *series.doubts])])


def _sentences(series: ChangeSeries, target: str, dates: Sequence[DateArea], words: ChangeWords) -> Iterator[str]:
    noun = words.noun(target, begins=True)
    if not any(of_date.area.px for of_date in dates):
        yield words.sentence("series_none", target=noun, dates=words.number(len(dates)))
        return
    first, last = dates[0], dates[-1]
    has_grown, has_shrunk = last.low.px > most_px(first), most_px(last) < first.low.px
    key = "series_grew" if has_grown else "series_shrank" if has_shrunk else "series_unsure"
    yield words.sentence(key, target=noun, first=_figure(first, words), last=_figure(last, words))
    yield from _extremes(dates, words)
    yield from _hidden(dates, words)
    frequency = series.frequency[target].values
    ever = (frequency != MASK_NODATA) & (frequency > 0)
    always = int(np.count_nonzero(frequency == ALWAYS_PERCENT))
    share = always / max(1, int(np.count_nonzero(ever)))
    yield words.sentence("series_always", target=_inside(words, target), share=words.percent(share))


def most_px(of_date: DateArea) -> float:
    """Return the most that a target can have covered on a date: its interval, and what unseen ground may hide."""
    return of_date.high.px + of_date.hidden.px


def _inside(words: ChangeWords, target: str) -> str:
    """Return what a target is called where English names it within a sentence, and others begin with it."""
    return words.noun(target, begins=words.language != "en")


def _figure(of_date: DateArea, words: ChangeWords) -> str:
    return words.sentence("series_figure", **_slots(of_date, words))


def _slots(of_date: DateArea, words: ChangeWords) -> dict[str, str]:
    """Return the area of a date, its interval and the date with its preposition, as written."""
    date = words.sentence("series_day" if len(of_date.date) == DAY_LENGTH else "series_month", date=of_date.date)
    areas = {"area": of_date.area, "low": of_date.low, "high": of_date.high}
    return {"date": date} | {name: _area(area, words) for name, area in areas.items()}


def _area(area: Area, words: ChangeWords) -> str:
    return words.area(area.px, area.ha)


def _extremes(dates: Sequence[DateArea], words: ChangeWords) -> Iterator[str]:
    """Say when most and least was seen, where that was neither at the beginning nor at the end."""
    if len(dates) < 3:  # noqa: PLR2004 (only a series has something between)
        return
    most, least = max(dates, key=lambda of_date: of_date.area.px), min(dates, key=lambda of_date: of_date.area.px)
    for key, of_date in (("series_most", most), ("series_least", least)):
        if of_date not in (dates[0], dates[-1]):
            yield words.sentence(key, **_slots(of_date, words))


def _hidden(dates: Sequence[DateArea], words: ChangeWords) -> Iterator[str]:
    partial = [of_date for of_date in dates if of_date.seen_frac < 1 - LEAST_HIDDEN_FRAC]
    if partial:
        parts = [
            words.sentence(
                "series_hidden_part",
                date=of_date.date,
                share=words.percent(of_date.seen_frac),
                hidden=_area(of_date.hidden, words),
            )
            for of_date in partial
        ]
        yield words.sentence("series_hidden", parts=words.listed(parts))


def _ground(series: ChangeSeries, words: ChangeWords) -> Iterator[str]:
    yield words.sentence("series_ground", ground=_area(series.ground, words), common=_area(series.common, words))
