"""Which sensor a scene is of, and which band is which: names decide over counts, and each decision has its reason."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spex_nb.errors import BandError, BandWarning, SensorError, nearest
from spex_nb.scene.band_labels import Identity, band_name, identify_all, normal_id, spectral_group, understand
from spex_nb.scene.band_source import BandSource, Source
from spex_nb.scene.sensors import COMMON_BANDS, Sensor, get_sensor
from spex_nb.scene.sources.names import sensor_of_name

Bands = Sequence[str] | Mapping[str, int] | None

VISIBLE = ("red", "green", "blue")
"""Colours by which a file may call its bands."""
SAME_CENTRE_UM = 0.03
"""Bands of one id whose centres lie closer than this are one band of two related sensors."""

UNKNOWN = "nothing tells which band it is"
NOT_READ = ("not there", "cannot be read")
"""How the reasons of files begin that are left out as they cannot be opened."""


@dataclass(frozen=True)
class Recognition:
    """The bands of a scene by common name, and why they are called so."""

    sensor: Sensor | None
    sensor_reason: str
    bands: dict[str, BandSource]
    bands_reason: str
    alpha: BandSource | None = None
    name_reasons: dict[str, str] = field(default_factory=dict)
    """Where the name of each band comes from."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Layers and files that are no bands of the scene, and why."""


def recognise(source: Source, sensor: object = None, bands: Bands = None) -> Recognition:
    """Name the bands of a source.

    Names that are understood always decide: band descriptions, names of files and assets, stated common names and
    wavelengths. Only where a source has no name does the order count, of the caller's list or of the sensor.

    Args:
        source: The scene before it is read.
        sensor: The caller's sensor (id, dict, JSON file or Sensor); an id must not contradict the product.
        bands: The caller's bands: {name: number in the file, from 1}; or names, which *choose* among bands that the
            file names, and otherwise *name* all bands of the file in their order.

    Raises:
        SensorError: If the sensor is unknown or contradicts the file.
        BandError: If bands cannot be named, contradict their names, or asked-for bands are not there.

    Warns:
        BandWarning: If a layer is left out because nothing tells what it is.
    """
    matched, reason = _sensor_of(source, sensor)
    if isinstance(bands, Mapping):
        return _by_number(source, matched, reason, bands)
    alpha = _alpha_of(source, matched, bands)
    layers = tuple(band for band in source.bands if band is not alpha)
    wanted = [_common(name) for name in ([bands] if isinstance(bands, str) else bands or ())]
    identities = identify_all(layers, matched)
    names, why = _names(layers, identities, matched, wanted)
    if matched is None and names == ["red", "green", "blue"] and layers[0].dtype == "uint8":
        matched, reason = get_sensor("rgb"), "three 8-bit bands red, green and blue"
    named = [(name, band, identity) for name, band, identity in zip(names, layers, identities, strict=True) if name]
    _require_present(wanted, [str(name) for name, _, _ in named], source, identities)
    chosen = [row for row in named if not wanted or row[0] in wanted]
    _require_distinct([str(name) for name, _, _ in chosen], source, layers)
    _require_of_sensor([str(name) for name, _, _ in chosen], matched, layers)
    by_name = {str(name): band for name, band, _ in chosen}
    return Recognition(
        matched,
        reason,
        {name: by_name[name] for name in wanted or by_name},
        why,
        alpha,
        {str(name): identity.reason or why for name, _, identity in chosen},
        source.left_out | _left_out(layers, identities, names, quiet=bool(wanted)),
    )


def _sensor_of(source: Source, sensor: object) -> tuple[Sensor | None, str]:
    """Return the sensor: the caller's, else that of the metadata, else that of the product's name."""
    stated, reason = (source.sensor, source.sensor_reason) if source.sensor else sensor_of_name(source.location)
    if sensor is None:
        return (get_sensor(stated), reason) if stated else (None, "nothing in the source tells the sensor")
    given = get_sensor(sensor)  # type: ignore[arg-type]
    if stated and isinstance(sensor, str) and _contradict(given, get_sensor(stated)):
        raise SensorError(
            "The sensor that is given contradicts the product",
            found=f"sensor={sensor!r} for {source.location}, which is {stated} ({reason})",
            expected=f"sensor={stated!r}, whose band numbers, scale and offset differ from those of {given.id}",
            fix="Leave sensor= out; or pass a table of your own as a dict, or give the file another name.",
        )
    return given, "given as an argument"


def _contradict(given: Sensor, stated: Sensor) -> bool:
    """Whether two sensors give one band number to different bands, or scale their numbers differently."""
    centres = {normal_id(band.id): band.wavelength_um for band in stated.bands}
    shared = [(band, centres[normal_id(band.id)]) for band in given.bands if normal_id(band.id) in centres]
    other_bands = any(abs(band.wavelength_um - centre) > SAME_CENTRE_UM for band, centre in shared)
    other_scale = (given.scale, given.offset) != (stated.scale, stated.offset)
    return other_bands or (other_scale and not given.relative and not stated.relative)


def _by_number(source: Source, sensor: Sensor | None, reason: str, bands: Mapping[str, int]) -> Recognition:
    """Return the bands that the caller names by number; a number must not contradict the name of its band."""
    chosen = {_common(name): _numbered(source, number) for name, number in bands.items()}
    if not chosen:
        raise BandError("No band is asked for", found="bands={}", expected="at least one", fix="Leave bands= out.")
    identities = dict(zip(map(id, source.bands), identify_all(source.bands, sensor), strict=True))
    for name, band in chosen.items():
        _require_agreement(name, band, identities[id(band)])
    alpha = _alpha_of(source, sensor, None)
    spare = None if any(band is alpha for band in chosen.values()) else alpha
    why = "given as an argument"
    return Recognition(sensor, reason, chosen, why, spare, dict.fromkeys(chosen, why), dict(source.left_out))


def _require_agreement(name: str, band: BandSource, identity: Identity) -> None:
    stated = identity.name or identity.layer
    agrees = identity.name is not None and spectral_group(identity.name) == spectral_group(name)
    if stated and not agrees:
        raise BandError(
            "The number that is given contradicts the name of the band",
            found=f"bands={{{name!r}: …}} for a layer that is called {band.label or stated!r}: {stated}",
            expected=f"a band of {name}",
            fix="Choose by name: bands=[…]. If the name in the file is wrong, mend it with `rio edit-info`.",
        )


def _alpha_of(source: Source, sensor: Sensor | None, bands: Bands) -> BandSource | None:
    """Return the band that is transparency: one marked alpha that no description, sensor or argument calls a band."""
    last = source.bands[-1]
    if last.color != "alpha" or understand(last.label, sensor).name:
        return None
    if sensor is not None and len(sensor.bands) == len(source.bands):
        return None
    if bands is not None and len(bands) == len(source.bands):
        return None
    return last


def _names(
    layers: Sequence[BandSource], identities: Sequence[Identity], sensor: Sensor | None, wanted: Sequence[str]
) -> tuple[list[str | None], str]:
    """Return the name of each layer, None for those that are no bands, and why; see `recognise` for the rules."""
    names = [identity.name for identity in identities]
    _require_no_conflict(layers, identities, wanted)
    candidates = [i for i, identity in enumerate(identities) if not identity.layer]
    is_named = any(names)
    if is_named and all(names[i] for i in candidates):
        return names, "named by the source"
    order, why = _order(layers, identities, sensor, wanted, candidates)
    agrees = all(names[i] in (None, name) for i, name in zip(candidates, order, strict=False))
    if order and agrees:
        by_position = dict(zip(candidates, order, strict=True))
        return [by_position.get(i) for i in range(len(layers))], why
    if is_named:
        return names, "named by the source"
    raise _unnamed(layers, sensor)


def _order(
    layers: Sequence[BandSource],
    identities: Sequence[Identity],
    sensor: Sensor | None,
    wanted: Sequence[str],
    candidates: Sequence[int],
) -> tuple[list[str], str]:
    """Return the order that may name layers without a name: of the caller's list, the sensor or the colours."""
    is_blank = all(identities[i].is_blank or identities[i].name for i in candidates)
    if wanted and len(wanted) == len(candidates):
        return list(wanted), "given as an argument, in file order"
    colors = [layers[i].color for i in candidates]
    if sensor is not None and len(sensor.bands) == len(candidates) and (is_blank or _is_series(layers)):
        is_other_order = layers[0].dtype != "uint8" and _colors_contradict(colors, sensor)
        return ([], "") if is_other_order else (list(sensor.names), f"file order of sensor {sensor.id}")
    if colors == ["red", "green", "blue"]:
        return colors, "colour interpretation of the file"
    return [], ""


def _colors_contradict(colors: Sequence[str], sensor: Sensor) -> bool:
    """Whether a file calls bands red, green or blue that lie elsewhere in the order of a sensor.

    Files of 8 bits count as no witness: GDAL calls their first three bands red, green and blue unasked.
    """
    pairs = zip(colors, sensor.names, strict=True)
    return any(color in VISIBLE and color != spectral_group(name) for color, name in pairs)


def _is_series(layers: Sequence[BandSource]) -> bool:
    """Whether labels only count: one stem, and numbers from 0 or 1 on."""
    matches = [re.fullmatch(r"(.*?)(\d+)", band.label.strip()) for band in layers]
    stems = {match[1] for match in matches if match}
    numbers = [int(match[2]) for match in matches if match]
    counts = [list(range(first, first + len(layers))) for first in (0, 1)]
    return len(stems) == 1 and numbers in counts


def _require_no_conflict(layers: Sequence[BandSource], identities: Sequence[Identity], wanted: Sequence[str]) -> None:
    for band, identity in zip(layers, identities, strict=True):
        if identity.conflict and (not wanted or set(identity.conflict) & set(wanted)):
            first, second = identity.conflict
            raise BandError(
                "The names of a band contradict each other",
                found=f"{band.label!r} is {first} by one statement and {second} by another",
                expected="a label, common name and wavelength of one band",
                fix="Check sensor=, or mend the description with `rio edit-info`.",
            )


def _unnamed(layers: Sequence[BandSource], sensor: Sensor | None) -> BandError | SensorError:
    colored = {color: f"(undescribed, of the colour {color})" for color in VISIBLE}
    seen = ", ".join(band.label or colored.get(band.color, "(undescribed)") for band in layers)
    fix = "Pass bands=['blue', 'green', …] in file order, or bands={'nir': 4} to pick some by number."
    parts = [band.file.path for band in layers if band.file is not None and band.label_from == "subdataset"]
    if parts:
        fix = f"Name all of them in order with bands=[…], or open one of its subdatasets: open_scene({parts[0]!r})."
    if sensor is None:
        return BandError(
            "The bands cannot be told apart",
            found=f"{len(layers)} bands: {seen}",
            expected="bands described by common name, or a sensor whose band order is known",
            fix=f"Pass sensor='…' (see list_sensors()). {fix}",
        )
    size = len(sensor.bands)
    if len(layers) > size and len(layers) % size == 0:
        fix = f"This looks like {len(layers) // size} dates of {size} bands in one file. {_ONE_DATE}"
    return SensorError(
        f"The file contradicts sensor {sensor.id}",
        found=f"{len(layers)} bands: {seen}",
        expected=f"{size} bands ({', '.join(sensor.names)}), or bands described by name",
        fix=fix,
    )


_ONE_DATE = (
    "Pass the numbers of one date: bands={'red': 1, …}; or split the file, for example with `rio stack --bidx 1..4`."
)


def _common(name: str) -> str:
    common_name = name if name in COMMON_BANDS else band_name(str(name))
    if common_name is None:
        raise BandError(
            "The band name is unknown",
            found=repr(name),
            expected=f"a STAC common name: {', '.join(COMMON_BANDS)}",
            fix=nearest(str(name), COMMON_BANDS) or "Pass bands={'nir': 4} to pick bands by number.",
        )
    return common_name


def _numbered(source: Source, number: int) -> BandSource:
    if not isinstance(number, int) or not 1 <= number <= len(source.bands):
        raise BandError(
            "The file has no band of that number",
            found=repr(number),
            expected=f"a number from 1 to {len(source.bands)}",
            fix="Count the bands from 1, as GDAL does.",
        )
    return source.bands[number - 1]


def _require_present(
    wanted: Sequence[str], names: Sequence[str], source: Source, identities: Sequence[Identity]
) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        missing_files = [f"{label}: {why}" for label, why in source.left_out.items() if why.startswith(NOT_READ)]
        layers = sorted({identity.layer for identity in identities if identity.layer})
        raise BandError(
            "The scene does not have that band",
            found=f"{', '.join(missing)} asked of {source.location}" + "".join(f"; {text}" for text in missing_files),
            expected=f"some of {', '.join(names)}" + (f" (not {', '.join(layers)})" if layers else ""),
            fix=nearest(missing[0], names) or "Choose among the bands that are there.",
        )


def _require_distinct(names: Sequence[str], source: Source, layers: Sequence[BandSource]) -> None:
    """Raise if a name stands twice; if all stand equally often, they are several dates in one file."""
    counts = Counter(names)
    doubled = sorted(name for name, count in counts.items() if count > 1)
    if not doubled:
        return
    dates = min(counts.values())
    is_series = dates > 1 and len(set(counts.values())) == 1 and len(counts) > 1
    labels = ", ".join(band.label for band in layers if band.label)
    raise BandError(
        f"Two bands have the same name: this looks like {dates} dates in one file"
        if is_series
        else "Two bands have the same name",
        found=f"{', '.join(doubled)} in {source.location}" + (f": {labels}" if labels else ""),
        expected="each common name once",
        fix=_ONE_DATE if is_series else "Pass bands={'red': 1, …} to say which is which.",
    )


def _require_of_sensor(names: Sequence[str], sensor: Sensor | None, layers: Sequence[BandSource]) -> None:
    foreign = [name for name in names if sensor is not None and name not in sensor.names]
    if sensor is not None and foreign:
        raise SensorError(
            f"The file names bands that sensor {sensor.id} does not have",
            found=f"{', '.join(foreign)} among {', '.join(band.label for band in layers)}",
            expected=f"some of {', '.join(sensor.names)}",
            fix="Pass another sensor=, or bands={'red': 1, …} to name the bands yourself.",
        )


def _left_out(
    layers: Sequence[BandSource], identities: Sequence[Identity], names: Sequence[str | None], *, quiet: bool
) -> dict[str, str]:
    """Return the layers that are no bands, and why; warn of those of which nothing tells what they are."""
    dropped = [(i, band) for i, band in enumerate(layers) if names[i] is None]
    reasons = {band.label or f"band {i + 1}": identities[i].layer or UNKNOWN for i, band in dropped}
    unknown = [label for label, why in reasons.items() if why == UNKNOWN]
    questions = [f"{label}: {why}" for label, why in reasons.items() if why.endswith("?")]
    if (unknown or questions) and not quiet:
        text = f"Left out, as {UNKNOWN}: {', '.join(unknown)}. Pass bands={{'nir': 4, …}} to use it." if unknown else ""
        warnings.warn(
            " ".join(filter(None, (text, *questions))),
            BandWarning,
            stacklevel=5,  # the line that called open_scene
        )
    return reasons
