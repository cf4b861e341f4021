"""From raw numbers to reflectance: which scale and offset, and whether the result can be believed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import RadiometryError, RadiometryWarning
from spex_nb.scene.band_source import BandSource
from spex_nb.scene.sensors import Sensor

MEDIAN_LIMIT = 1.5
"""No scene has a median reflectance above this: snow and cloud stay near 1."""
DARK_LIMIT = 0.001
"""No scene is everywhere darker than this."""
GUESSED_SCALE = 1e-4
"""Most integer products count reflectance in ten-thousandths."""
FEWEST_BITS, MOST_BITS = 8, 12
"""Unsigned integers that need no more are taken for digital numbers of a camera: most scenes in ten-thousandths need
more, or are signed."""

LANDSAT_SCALE, LANDSAT_OFFSET = 2.75e-5, -0.2
"""Of all reflectance of Landsat Collection 2 level 2 (LSDS-1619)."""

FAR_BELOW, FEW = -0.03, 0.02
"""Surface reflectance below this is rarer than this share of the pixels, over water and shade too."""

Numbers = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Radiometry:
    """How one band becomes reflectance: ``raw * scale + offset``."""

    scale: float
    offset: float
    relative: bool
    reason: str
    is_guess: bool = False
    """Nothing states the scale; see `guess_scale`."""
    is_claim: bool = False
    """Only the name of the product promises it; see `hold_against`."""


def settle(
    name: str, band: BandSource, sensor: Sensor | None, scale: Numbers = None, offset: Numbers = None
) -> Radiometry:
    """Decide scale and offset of a band: argument, then file or metadata, then sensor, then a stated guess.

    Args:
        name: Common name of the band.
        band: The band as its file describes it.
        sensor: Its sensor, if known.
        scale: The caller's scale, for all bands or by name.
        offset: The caller's offset (after scaling), for all bands or by name.

    Raises:
        RadiometryError: If an argument is not finite, the scale is zero, or the numbers are radiance or the like and
            the facts that turn them into reflectance are missing.
    """
    own_scale, own_offset = _argument("scale", scale, name), _argument("offset", offset, name)
    if own_scale is not None:
        eight_bit_relative = sensor is not None and sensor.relative and band.dtype == "uint8"
        return Radiometry(own_scale, own_offset or 0.0, eight_bit_relative, "given as an argument")
    if band.unscaled:
        raise RadiometryError(
            "The numbers are no reflectance, and what turns them into it is missing",
            found=f"{name}: {band.unscaled}",
            expected="the metadata file of the product beside it",
            fix="Put the metadata beside the file; or pass scale= and offset=, for all bands or by name.",
        )
    default = _default(band, sensor)
    if own_offset is None:
        return default
    return replace(default, offset=own_offset, reason=f"offset given; scale: {default.reason}")


def _argument(what: str, given: Numbers, name: str) -> float | None:
    value = given.get(name) if isinstance(given, Mapping) else given
    if value is None:
        return None
    if not isinstance(value, int | float | np.number) or not np.isfinite(value) or (what == "scale" and value == 0):
        raise RadiometryError(
            f"The {what} of {name} makes no sense",
            found=value,
            expected="a finite number" + (" other than 0" if what == "scale" else ""),
            fix=f"Pass {what}= as reflectance = raw * scale + offset needs it, such as scale=0.0001.",
        )
    return float(value)


def _default(band: BandSource, sensor: Sensor | None) -> Radiometry:
    kind = np.dtype(band.dtype)
    if band.scale is not None:
        _require_usable(band)
        lost_offset = _lost_offset(band)
        if lost_offset:
            return lost_offset
        claim = band.scale_is_claim
        return Radiometry(band.scale, band.offset or 0.0, False, band.radiometry_reason, is_claim=claim)
    if kind.kind == "f":
        return Radiometry(1.0, 0.0, False, "floating-point pixels are taken as reflectance")
    if kind == np.uint8:
        return _eight_bit(sensor)
    if sensor is not None:
        reason = "; ".join(filter(None, (f"default of sensor {sensor.id}", band.radiometry_reason)))
        return Radiometry(sensor.scale, sensor.offset, sensor.relative, reason)
    return Radiometry(GUESSED_SCALE, 0.0, True, f"guessed for {kind} pixels of an unknown sensor", is_guess=True)


def _require_usable(band: BandSource) -> None:
    """Raise unless the scale and offset that a source states can turn numbers into reflectance."""
    if band.scale == 0 or not np.isfinite([band.scale or 0, band.offset or 0]).all():
        raise RadiometryError(
            "The scale or offset that the source states makes no sense",
            found=f"{band.label or band.index}: scale {band.scale}, offset {band.offset}; {band.radiometry_reason}",
            expected="finite numbers, and a scale other than 0",
            fix="Pass scale= and offset= as reflectance = raw * scale + offset needs them, such as scale=0.0001.",
        )


def _lost_offset(band: BandSource) -> Radiometry | None:
    """Return the radiometry of Landsat Collection 2 level 2 where only its scale is stated; None for all others.

    No other product counts in 0.0000275, and it always goes with -0.2. A reader or an export that keeps only the scale
    leaves reflectance 0.2 too bright, which looks like ground.
    """
    is_landsat = band.scale is not None and np.isclose(band.scale, LANDSAT_SCALE, rtol=1e-4, atol=0)
    if not is_landsat or band.offset or np.dtype(band.dtype).kind not in "iu":
        return None
    warnings.warn(
        f"The scale {LANDSAT_SCALE} is that of Landsat Collection 2 level 2, whose offset {LANDSAT_OFFSET} is not "
        f"stated: it is added. Pass scale={LANDSAT_SCALE} and offset=0 if it must not be.",
        RadiometryWarning,
        stacklevel=6,  # the line that called open_scene
    )
    reason = f"{band.radiometry_reason}; the offset of Landsat Collection 2 level 2, which goes with this scale"
    return Radiometry(LANDSAT_SCALE, LANDSAT_OFFSET, False, reason)


def guess_scale(
    settings: Mapping[str, Radiometry], sample: NDArray[np.float32], *, unsigned: bool
) -> dict[str, Radiometry]:
    """Settle the scale of integers of which nothing says it, by how large they are.

    Numbers of a camera's 8 to 12 bits are brought to 0..1, as 8-bit numbers are: read as ten-thousandths they would
    be darker than any ground. Larger ones stay ten-thousandths, and so do those of signed integers, which products of
    reflectance are kept in.

    Args:
        settings: Of each band, from `settle`; one of them at least a guess.
        sample: Some valid reflectance by these settings, any shape, float32.
        unsigned: Whether the integers of all bands are.

    Warns:
        RadiometryWarning: Always; it says what was taken.
    """
    guesses = [setting for setting in settings.values() if setting.is_guess]
    scale, taken = GUESSED_SCALE, f"raw * {GUESSED_SCALE}"
    is_plain = len(guesses) == len(settings) and not any(setting.offset for setting in guesses)
    if unsigned and is_plain and sample.size:
        bits = max(FEWEST_BITS, int(np.rint(float(sample.max()) / GUESSED_SCALE)).bit_length())
        if bits <= MOST_BITS:
            scale, taken = 1 / (2**bits - 1), f"{bits}-bit digital numbers, raw / {2**bits - 1}"
    warnings.warn(
        f"No scale is known: {taken}, {guesses[0].reason}; relative reflectance. Pass sensor= or scale= to settle it, "
        "above all for files that are compared: each is guessed by itself.",
        RadiometryWarning,
        stacklevel=4,  # the line that called open_scene
    )
    return {
        name: replace(setting, scale=scale, reason=f"{taken}, {setting.reason}") if setting.is_guess else setting
        for name, setting in settings.items()
    }


def hold_against(settings: Mapping[str, Radiometry], sample: NDArray[np.float32]) -> dict[str, Radiometry]:
    """Drop an offset that only the product's name promises where the pixels show that it was never added.

    Numbers to which 1000 was added lie above it but for noise over water and shade. Where more than a few lie far
    below, the offset was taken off before: a harmonised copy kept its name.

    Args:
        settings: Of each band, from `settle`.
        sample: Some valid reflectance by these settings, any shape.

    Warns:
        RadiometryWarning: If the promise does not hold.
    """
    claims = [setting for setting in settings.values() if setting.is_claim and setting.offset]
    if not claims or not sample.size or float(np.mean(sample < FAR_BELOW)) <= FEW:
        return dict(settings)
    share = float(np.mean(sample < FAR_BELOW))
    warnings.warn(
        f"The pixels contradict the name of the product ({claims[0].reason}): {share:.0%} of them would lie below "
        f"{FAR_BELOW}. No offset is taken off. Pass offset= to settle it.",
        RadiometryWarning,
        stacklevel=4,  # the line that called open_scene
    )
    reason = "the pixels hold no offset, against the name of the product"
    return {
        name: replace(setting, offset=0.0, reason=reason, is_claim=False) if setting.is_claim else setting
        for name, setting in settings.items()
    }


def _eight_bit(sensor: Sensor | None) -> Radiometry:
    if sensor is not None and not sensor.relative:
        warnings.warn(
            f"8-bit data called reflectance: {sensor.id} ships no 8-bit reflectance, so this looks like a picture "
            "made of it; read as relative reflectance, raw / 255. Pass scale= if it is reflectance after all.",
            RadiometryWarning,
            stacklevel=6,  # the line that called open_scene
        )
    return Radiometry(1 / 255, 0.0, True, "8-bit digital numbers, raw / 255")


def to_reflectance(
    raw: NDArray[Any], settings: Sequence[Radiometry], nodata: Sequence[float | None]
) -> NDArray[np.float32]:
    """Return float32 reflectance of raw numbers, NaN where they are no data; integers cannot wrap.

    Args:
        raw: [C, H, W] of any real type.
        settings: Scale and offset of each of the C bands.
        nodata: The number that means no data in each band, or None.
    """
    working = np.float64 if raw.dtype.itemsize > 2 else np.float32  # noqa: PLR2004 (float32 holds 16-bit exactly)
    result = np.empty(raw.shape, np.float32)
    for band, numbers, setting, missing in zip(result, raw, settings, nodata, strict=True):
        band[:] = numbers.astype(working) * working(setting.scale) + working(setting.offset)
        if missing is not None:
            # NumPy compares an integer with a Python integer of any size exactly, and with a float in float64.
            band[numbers == (int(missing) if float(missing).is_integer() else missing)] = np.nan
        band[~np.isfinite(band)] = np.nan
    return result


def judge(sample: NDArray[np.float32], settled: bool) -> str:
    """Warn when sampled reflectance is implausible.

    Args:
        sample: Valid reflectance, any shape, float32.
        settled: Whether the caller gave the scale.

    Returns:
        What is implausible, or an empty string.
    """
    if not sample.size:
        return ""
    median, brightest = float(np.median(sample)), float(sample.max())
    doubt = ""
    if median > MEDIAN_LIMIT:
        doubt = f"the median is {median:.4g}, above {MEDIAN_LIMIT}: these look like raw numbers"
    elif brightest < DARK_LIMIT:
        doubt = f"the brightest pixel is {brightest:.3g}, below {DARK_LIMIT}: a scale may have been applied twice"
    if doubt:
        check = "Check the scale= and offset= given" if settled else "Pass scale= and offset= (or sensor=)"
        message = f"Implausible reflectance: {doubt}. {check} so that reflectance lies in 0..1."
        warnings.warn(message, RadiometryWarning, stacklevel=4)
    return doubt
