"""Reflectance held against what is possible before anything is computed: one question, and what settles it.

A wrong scale looks as good as a right one in every mask and figure that follows. It shows in three ways: numbers below
zero, a median above 1.5, and normalised differences outside [-1, 1], which only numbers of both signs give.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import ReflectanceWarning
from spex_nb.scene.radiometry import MEDIAN_LIMIT, Radiometry
from spex_nb.scene.windows.reader import read_layers
from spex_nb.scene.windows.tiling import sample_windows

NEGATIVE_LIMIT = -0.01
"""Reflectance below this is no noise of an atmospheric correction."""
NEGATIVE_FRAC = 0.015
"""A band with a larger share of such pixels cannot be right: real products stay below 1.1 %, over water too."""
OUTSIDE_FRAC = 0.001
"""A larger share of normalised differences outside [-1, 1] cannot be right."""
DEEP = -0.05
"""No correction leaves a hundredth of a band's pixels below this."""
DARKEST_MEDIAN, BRIGHTEST_MEDIAN = 0.003, 1.2
"""Between these lies the median of all bands of any scene of land or water."""
FILL_FRAC = 0.005
"""A number far below zero that a larger share of pixels has marks missing data."""
DIFFERENCES = (
    ("nir", "red", "NDVI"),
    ("green", "nir", "NDWI"),
)
QUESTION, OPTIONS = "question", "question_options"
"""Attributes of a scene under which the question and the arguments of `open_scene` that settle it stand."""

Sample = Mapping[str, NDArray[np.float32]]
"""Valid reflectance [N] of each band, all of the same pixels."""


@dataclass(frozen=True)
class Question:
    """What is impossible about a scene's reflectance, in words, and what settles it.

    Attributes:
        problem: What was seen, such as ``1.9 % of red lies below zero``.
        guess: What the numbers look like; empty where nothing fits.
        options: Arguments for `open_scene` that make them possible; empty where nothing fits.
    """

    problem: str
    is_deep: bool = True
    """Whether numbers lie so far from what is possible that no noise of a correction explains it."""
    guess: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.options:
            return (
                f"This cannot be reflectance: {self.problem}. Pass the scale= and offset= that bring reflectance into "
                "0..1, or the nodata= that marks missing pixels."
            )
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"This cannot be reflectance: {self.problem}. It looks like {self.guess}: open with {arguments}."


def sample_bands(scene: xr.Dataset) -> Sample:
    """Return the valid pixels of nine small windows spread over a scene, float32 [N] for each band."""
    names = list(scene.spex.bands)
    pieces = [read_layers(scene, [*names, "valid"], window) for window in sample_windows(scene.spex.shape)]
    return {name: np.concatenate([piece[name][piece["valid"]] for piece in pieces]) for name in names}


def ask(sample: Sample, settings: Mapping[str, Radiometry], sensor: str | None) -> Question | None:
    """Return the question that a scene's reflectance raises; None where it is possible.

    Args:
        sample: Valid reflectance of each band, before anything else is computed.
        settings: How each band became reflectance.
        sensor: Id of the sensor, or None.
    """
    problem = impossible(sample)
    if not problem:
        return None
    fill = _fill(sample, settings)
    if fill is not None:
        return Question(problem, guess=f"missing pixels that are marked by {fill:g}", options={"nodata": fill})
    for guess, scale, offset in _candidates(settings, sensor):
        rescaled = _rescaled(sample, settings, scale, offset)
        if is_possible(rescaled) and not _has_many_negatives(rescaled):
            return Question(problem, guess=guess, options={"scale": scale, "offset": offset})
    return Question(problem, is_deep=_is_deep(sample))


def is_possible(sample: Sample) -> bool:
    """Say whether numbers can be reflectance of some ground: nothing impossible, and neither all dark nor all white."""
    median = float(np.median(np.concatenate([*sample.values()])))
    return not impossible(sample) and DARKEST_MEDIAN < median < BRIGHTEST_MEDIAN


def _has_many_negatives(sample: Sample) -> bool:
    """Say whether a band keeps too many numbers below zero: a small scale alone makes them small, not possible."""
    return any(float((band < 0).mean()) > NEGATIVE_FRAC for band in sample.values())


def _is_deep(sample: Sample) -> bool:
    """Say whether numbers lie far out: over dark water the correction of a real product leaves some just below zero."""
    lowest = min(float(np.percentile(band, 1)) for band in sample.values())
    return lowest < DEEP or float(np.median(np.concatenate([*sample.values()]))) > MEDIAN_LIMIT


def impossible(sample: Sample) -> str:
    """Return what is impossible about reflectance, in words; an empty string where nothing is."""
    return next(_problems(sample), "")


def _problems(sample: Sample) -> Iterator[str]:
    numbers = np.concatenate([*sample.values(), np.empty(0, np.float32)])
    if not numbers.size:
        return
    median = float(np.median(numbers))
    if median > MEDIAN_LIMIT:
        yield f"the median is {median:.4g}, above {MEDIAN_LIMIT}"
    shares = {name: float((band < NEGATIVE_LIMIT).mean()) for name, band in sample.items()}
    worst = max(shares, key=lambda name: shares[name])
    if shares[worst] > NEGATIVE_FRAC:
        yield f"{100 * float((sample[worst] < 0).mean()):.2g} % of {worst} lies below zero"
    for first, second, name in DIFFERENCES:
        if first in sample and second in sample:
            signs_differ = sample[first] * sample[second] < 0
            outside = float((signs_differ & (np.minimum(sample[first], sample[second]) < NEGATIVE_LIMIT)).mean())
            if outside > OUTSIDE_FRAC:
                yield f"{name} lies outside [-1, 1] on {100 * outside:.2g} % of the pixels"


def _fill(sample: Sample, settings: Mapping[str, Radiometry]) -> float | None:
    """Return the raw number far below zero that many pixels share, in all bands the same; None where there is none."""
    fills: set[float] = set()
    for name, band in sample.items():
        low = band[band < -0.5]  # noqa: PLR2004 (no correction goes so far below zero)
        if not low.size:
            continue
        numbers, counts = np.unique(low, return_counts=True)
        if counts.max() < FILL_FRAC * band.size or len(numbers) > 1:
            return None
        setting = settings[name]
        fills.add(round((float(numbers[0]) - setting.offset) / setting.scale, 3))
    return fills.pop() if len(fills) == 1 else None


def _candidates(settings: Mapping[str, Radiometry], sensor: str | None) -> Iterator[tuple[str, float, float]]:
    """Yield what the raw numbers may be instead, with scale and offset; the likeliest first."""
    first = next(iter(settings.values()))
    if sensor is not None and sensor.startswith("landsat"):
        yield "Level-1 top-of-atmosphere numbers of Landsat Collection 2", 2e-5, -0.1
        yield "reflectance in ten-thousandths, as Landsat Collection 1 and HLS keep it", 1e-4, 0.0
    if first.offset:
        yield "numbers without an offset, as products before the offset was introduced", first.scale, 0.0
    if sensor is not None and sensor.startswith("sentinel2"):
        yield "numbers of processing baseline 04.00 or later", 1e-4, -0.1
    yield "reflectance in ten-thousandths", 1e-4, 0.0
    yield "reflectance in percent", 0.01, 0.0
    yield "8-bit digital numbers", 1 / 255, 0.0
    yield "16-bit digital numbers", 1 / 65_535, 0.0


def _rescaled(sample: Sample, settings: Mapping[str, Radiometry], scale: float, offset: float) -> Sample:
    return {
        name: ((band - settings[name].offset) / settings[name].scale * scale + offset).astype(np.float32)
        for name, band in sample.items()
    }


def note_question(scene: xr.Dataset, question: Question | None, *, was_warned: bool = False) -> None:
    """Let a scene carry a question, and warn of it.

    Where numbers lie just below zero, as over dark water, and no argument mends that, the scene carries a note instead.

    Args:
        scene: Gets the attributes.
        question: From `ask`.
        was_warned: Whether a warning about these numbers was given already.

    Warns:
        ReflectanceWarning: If there is a question.
    """
    if question is None:
        return
    if not question.is_deep:
        note = f"{question.problem}: numbers just below zero, as over dark water. No such index value is evidence."
        scene.attrs["notes"] = [*scene.attrs.get("notes", ()), note[0].upper() + note[1:]]
        return
    scene.attrs |= {QUESTION: str(question), OPTIONS: json.dumps(dict(question.options))}
    if not was_warned:
        warnings.warn(str(question), ReflectanceWarning, stacklevel=4)  # the line that called open_scene


def settling_options(scene: xr.Dataset) -> dict[str, Any]:
    """Return the arguments of `open_scene` that settle the question that a scene carries; empty where there are none.

    A workbench offers them as a button: ``open_scene(source, **settling_options(scene))``.
    """
    options: dict[str, Any] = json.loads(scene.attrs.get(OPTIONS, "{}"))
    return options


def notes_of_scene(scene: xr.Dataset) -> Sequence[str]:
    """Return what one should know of a scene before its pixels are trusted: its notes, and the question it carries."""
    notes = scene.attrs.get("notes", ())
    question = scene.attrs.get(QUESTION)
    return [*([notes] if isinstance(notes, str) else map(str, notes)), *([question] if question else [])]
