"""What a scene states of itself: its attributes, those of its bands, and notes on its place and gaps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spex_nb.errors import (
    GridError,
    GridWarning,
    NodataWarning,
)
from spex_nb.scene.accessor import Scene
from spex_nb.scene.band_names import Recognition
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.cloud_masks import Clouds
from spex_nb.scene.margins import Margin
from spex_nb.scene.radiometry import Radiometry
from spex_nb.scene.sensors import COMMON_BANDS, Sensor
from spex_nb.scene.windows.pixels import PixelMask


def note_place_and_gaps(scene: Scene, place: Sequence[str], margin: Margin | None, seams: Sequence[str]) -> None:
    """Let a scene carry what one should know of its place and of pixels without data, and warn of it.

    Warns:
        GridWarning: Of the place.
        NodataWarning: Of margins and seams.
    """
    for note in place:
        warnings.warn(note, GridWarning, stacklevel=4)  # the line that called open_scene
    gaps = [*([] if margin is None else [margin.note]), *seams]
    for note in gaps:
        warnings.warn(note, NodataWarning, stacklevel=4)
    if place or gaps:
        scene.attrs["notes"] = [*place, *gaps]


def state_gsd(scene: Scene, recognition: Recognition, gsd_m: float | None) -> None:
    """State the side of a pixel on the ground where no CRS does: the argument, a local unit, or the sensor's own.

    Raises:
        RadiometryError: If the argument is no length.
    """
    is_number = isinstance(gsd_m, int | float | np.number)
    if gsd_m is not None and not (is_number and np.isfinite(gsd_m) and gsd_m > 0):
        raise GridError(
            "The ground sampling distance makes no sense",
            found=gsd_m,
            expected="metres, above 0",
            fix="Pass gsd_m= as the side of a pixel in metres, such as gsd_m=10.",
        )
    if scene.spex.crs is not None:
        return
    local = next((band.file.local_gsd_m for band in recognition.bands.values() if band.file is not None), None)
    plain = None if recognition.sensor is None or recognition.sensor.id in UNSIZED else recognition.sensor.gsd_m
    distance = next((metres for metres in (gsd_m, local, plain) if metres is not None), None)
    if distance is not None:
        scene.attrs["gsd_m"] = float(distance)


UNSIZED = ("rgb",)
"""Sensors that are none: their ground sampling distance says nothing."""


def valid_reason(clouds: Clouds, masks: Sequence[Any]) -> str:
    """Return in words which pixels of a scene are valid."""
    reason = "data in every band"
    kinds = [mask.kind for mask in masks if isinstance(mask, PixelMask)]
    if kinds:
        reason += f", {' and '.join(sorted(set(kinds)))} of the file"
    return reason if clouds is False else f"{reason}, no cloud or cloud shadow in the {masks[-1].coding} layer"


def describe(
    scene: Scene,
    source: Source,
    recognition: Recognition,
    settings: Mapping[str, Radiometry],
    nodata: Mapping[str, float | None],
    valid_reason: str,
) -> Scene:
    """Write what was decided into the attributes of the scene and its bands."""
    relative = any(setting.relative for setting in settings.values())
    radiometry = "relative reflectance" if relative else "reflectance"
    for name, band in recognition.bands.items():
        scene[name].attrs |= _band_attributes(name, band, recognition.sensor, radiometry) | {
            "name_reason": recognition.name_reasons[name],
            "scale": settings[name].scale,
            "offset": settings[name].offset,
            "radiometry_reason": settings[name].reason,
        }
        if nodata[name] is not None:
            scene[name].attrs["raw_nodata"] = nodata[name]  # rioxarray would take "nodata" for that of the reflectance
    scene["valid"].attrs["long_name"] = "True where there is data"
    first = next(iter(settings.values()))
    scene.attrs = {
        "sensor": recognition.sensor.id if recognition.sensor else "unknown",
        "sensor_reason": recognition.sensor_reason,
        "bands_reason": recognition.bands_reason,
        "radiometry": radiometry,
        "radiometry_reason": first.reason,
        "scale": first.scale,
        "offset": first.offset,
        "valid_reason": valid_reason,
        "source": source.location,
        "layout": source.layout,
    } | (
        {"left_out": "; ".join(f"{label}: {why}" for label, why in recognition.left_out.items())}
        if recognition.left_out
        else {}
    )
    return scene


def _band_attributes(name: str, band: BandSource, sensor: Sensor | None, radiometry: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"long_name": f"{name} {radiometry}", "units": "1", "radiometry": radiometry}
    if sensor is not None and name in sensor.names:
        sensor_band = sensor.band(name)
        return attributes | {
            "source_band": sensor_band.id,
            "wavelength_um": sensor_band.wavelength_um,
            "width_um": sensor_band.width_um,
        }
    wavelength, width = COMMON_BANDS[name]
    return attributes | {"source_band": band.label or name, "wavelength_um": wavelength, "width_um": width}
