"""Which sensor a scene is of, and which band is which: from descriptions, metadata and names, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spex_nb.errors import BandError, SensorError, nearest
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.sensors import COMMON_BANDS, Sensor, band_name, get_sensor

NAME_PATTERNS = (
    (r"S2[A-D]_MSIL1C_", "sentinel2_l1c"),
    (r"S2[A-D]_MSIL2A_", "sentinel2_l2a"),
    (r"HLS\.S30\.", "hls"),
    (r"HLS\.L30\.", "hls_l30"),
    (r"L[COTEM]04_L[12]", "landsat4"),
    (r"L[COTEM]05_L[12]", "landsat5"),
    (r"L[COTEM]07_L[12]", "landsat7"),
    (r"L[COTEM]08_L[12]", "landsat8"),
    (r"L[COTEM]09_L[12]", "landsat9"),
    (r"(^|[/_])m_\d{7}_(ne|nw|se|sw)_\d{1,2}_", "naip"),
    (r"_AnalyticMS.*_8b", "planetscope8"),
    (r"_AnalyticMS", "planetscope4"),
    (r"(^|/)GF1_", "gf1"),
    (r"(^|/)GF2_", "gf2"),
    (r"(^|[/_])WV0?2[_-]", "wv2"),
    (r"(^|[/_])WV0?3[_-]", "wv3"),
    (r"(^|[/_])QB0?2[_-]", "quickbird"),
    (r"(^|[/_])SPOT_?6", "spot6"),
    (r"(^|[/_])SPOT_?7", "spot7"),
)
"""Names that makers give their files, and the sensor that each tells."""

Bands = Sequence[str] | Mapping[str, int] | None


@dataclass(frozen=True)
class Recognised:
    """The bands of a scene by common name, and why they are called so."""

    sensor: Sensor | None
    sensor_reason: str
    bands: dict[str, BandSource]
    bands_reason: str
    alpha: BandSource | None = None


def recognise(source: Source, sensor: object = None, bands: Bands = None) -> Recognised:
    """Name the bands of a source.

    Args:
        source: The scene before it is read.
        sensor: The caller's sensor (id, dict, JSON file or Sensor); it always wins.
        bands: The caller's bands: {name: number in the file, from 1}; or names, which *choose* among bands that the
            file names, and otherwise *name* all bands of the file in their order.

    Raises:
        SensorError: If the sensor is unknown or contradicts the file.
        BandError: If bands cannot be named, or asked-for bands are not there.
    """
    found, reason = _sensor_of(source, sensor)
    if isinstance(bands, Mapping):
        chosen = {_common(name): _numbered(source, number) for name, number in bands.items()}
        alpha = _alpha_of(source, found, None)
        spare = None if any(band is alpha for band in chosen.values()) else alpha
        return Recognised(found, reason, _present(chosen), "given as an argument", spare)
    alpha = _alpha_of(source, found, bands)
    own = tuple(band for band in source.bands if band is not alpha)
    wanted = [_common(name) for name in ([bands] if isinstance(bands, str) else bands or ())]
    names, why = _name(own, found, wanted)
    if found is None and names == ["red", "green", "blue"] and own[0].dtype == "uint8":
        found, reason = get_sensor("rgb"), "three 8-bit bands red, green and blue"
    _require_distinct(names, source)
    _require_of_sensor(names, found)
    named = dict(zip(names, own, strict=True))
    return Recognised(found, reason, _choose(named, wanted, source), why, alpha)


def _sensor_of(source: Source, sensor: object) -> tuple[Sensor | None, str]:
    if sensor is not None:
        return get_sensor(sensor), "given as an argument"  # type: ignore[arg-type]
    if source.sensor is not None:
        return get_sensor(source.sensor), source.sensor_reason
    for pattern, name in NAME_PATTERNS:
        if re.search(pattern, source.location):
            return get_sensor(name), f"the name of the file matches {name}"
    return None, "nothing in the source tells the sensor"


def _alpha_of(source: Source, sensor: Sensor | None, bands: Bands) -> BandSource | None:
    """Return the band that is transparency: one marked alpha that no description, sensor or argument calls a band."""
    last = source.bands[-1]
    if last.color != "alpha" or band_name(last.label):
        return None
    if sensor is not None and len(sensor.bands) == len(source.bands):
        return None
    if bands is not None and len(bands) == len(source.bands):
        return None
    return last


def _name(own: Sequence[BandSource], sensor: Sensor | None, wanted: list[str]) -> tuple[list[str], str]:
    labels = [_label_name(band.label, sensor) for band in own]
    all_named = all(labels)
    if wanted and len(wanted) == len(own) and not (all_named and set(wanted) <= set(labels)):
        return wanted, "given as an argument, in file order"
    if all_named:
        return [name for name in labels if name], "named by the source"
    if sensor is not None and len(sensor.bands) == len(own):
        return list(sensor.names), f"file order of sensor {sensor.id}"
    colors = [band.color for band in own]
    if not any(labels) and colors == ["red", "green", "blue"]:
        return colors, "colour interpretation of the file"
    raise _unnamed(own, labels, sensor)


def _unnamed(own: Sequence[BandSource], labels: Sequence[str | None], sensor: Sensor | None) -> BandError | SensorError:
    seen = ", ".join(band.label or "(undescribed)" for band in own)
    fix = "Pass bands=['blue', 'green', …] in file order, or bands={'nir': 4} to pick some by number."
    if sensor is None:
        return BandError(
            "The bands cannot be told apart",
            found=f"{len(own)} bands: {seen}",
            expected="bands described by common name, or a sensor whose band order is known",
            fix=f"Pass sensor='…' (see list_sensors()). {fix}",
        )
    return SensorError(
        f"The file contradicts sensor {sensor.id}",
        found=f"{len(own)} bands: {seen}; understood: {[name for name in labels if name]}",
        expected=f"{len(sensor.bands)} bands ({', '.join(sensor.names)}), or bands described by name",
        fix=fix,
    )


def _label_name(label: str, sensor: Sensor | None) -> str | None:
    if sensor is not None:
        ids = {band.id.lower(): band.name for band in sensor.bands}
        by_id = ids.get(label.strip().lower()) or ids.get(label.strip().lower().removeprefix("sr_"))
        if by_id:
            return by_id
    return band_name(label)


def _common(name: str) -> str:
    known = name if name in COMMON_BANDS else band_name(name)
    if known is None:
        raise BandError(
            "The band name is unknown",
            found=repr(name),
            expected=f"a STAC common name: {', '.join(COMMON_BANDS)}",
            fix=nearest(name, COMMON_BANDS),
        )
    return known


def _numbered(source: Source, number: int) -> BandSource:
    if not isinstance(number, int) or not 1 <= number <= len(source.bands):
        raise BandError(
            "The file has no band of that number",
            found=repr(number),
            expected=f"a number from 1 to {len(source.bands)}",
            fix="Count the bands from 1, as GDAL does.",
        )
    return source.bands[number - 1]


def _present(bands: dict[str, BandSource]) -> dict[str, BandSource]:
    if not bands:
        raise BandError("No band is asked for", found="bands={}", expected="at least one", fix="Leave bands= out.")
    return bands


def _require_distinct(names: Sequence[str], source: Source) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise BandError(
            "Two bands have the same name",
            found=f"{', '.join(doubled)} in {source.location}",
            expected="each common name once",
            fix="Pass bands={'red': 1, …} to say which is which.",
        )


def _require_of_sensor(names: Sequence[str], sensor: Sensor | None) -> None:
    foreign = [name for name in names if sensor is not None and name not in sensor.names]
    if sensor is not None and foreign:
        raise SensorError(
            f"The file names bands that sensor {sensor.id} does not have",
            found=", ".join(foreign),
            expected=f"some of {', '.join(sensor.names)}",
            fix="Pass another sensor=, or bands={'red': 1, …} to name the bands yourself.",
        )


def _choose(named: dict[str, BandSource], wanted: Sequence[str], source: Source) -> dict[str, BandSource]:
    missing = [name for name in wanted if name not in named]
    if missing:
        raise BandError(
            "The scene does not have that band",
            found=f"{', '.join(missing)} asked of {source.location}",
            expected=f"some of {', '.join(named)}",
            fix=nearest(missing[0], named) or "Choose among the bands that are there.",
        )
    return {name: named[name] for name in wanted or named}
